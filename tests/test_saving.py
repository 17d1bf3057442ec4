"Whatever a TSFormer is built into and however it is saved, what is loaded answers the same; what is exported is run."
import importlib.util
import json
import sys
import zipfile
from dataclasses import asdict

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from conftest import TORTURE, run
from tsformer_nb.attention import Positions
from tsformer_nb.variants import VARIANTS, ConvTwin, make_variant
from tsformer_nb.lab.distance import MOTIF_MODELS, motif_model
from tsformer_nb.io.motifs import motif_pairs
from tsformer_nb.data import load_dataset
from tsformer_nb.fitting import make_model
from tsformer_nb.encoder import EncoderBlock, PatchEmbedding, SpectrumEmbedding
from tsformer_nb.model import TSFormer, TSFormerConfig
from tsformer_nb.published import published_model

pytestmark = pytest.mark.slow  # each model is made, saved, exported
SHAPE = (48, 2)
CONFIG = TSFormerConfig(*SHAPE[:1], 3, SHAPE[1],
                        d_model=8, num_heads=2, ff_dim=8, num_blocks=1, kernel_size=5, stride=2,
                        patch_size=3, windows=(9, 16), mean=2.0, std=3.0)
SERIES = np.random.default_rng(0).normal(2, 3, (8, *SHAPE)).astype("float32")
CLASSES = np.arange(8) % 3


@keras.saving.register_keras_serializable("tests")
class Ours(TSFormer):
    "Other blocks, another pooling, another call."

    def make_block(self, name):
        return layers.Bidirectional(layers.GRU(self.config.d_model // 2, return_sequences=True), name=name)

    def pool(self, x):
        return ops.max(x, axis=1)

    def call(self, x, training=None):
        return 1 - super().call(-x, training=training)


def tiny(kind=TSFormer, **options):
    return kind(CONFIG, **options)


def around(*parts):
    "A functional model: one part after the other."
    x = inputs = keras.Input(SHAPE)
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x)


def shared():
    one, two, member = keras.Input(SHAPE), keras.Input(SHAPE), tiny()
    both = keras.Model([one, two], layers.Subtract()([member(one), member(two)]))
    return around(lambda x: both([x, x[:, ::-1]]))


def ensemble():
    members = [tiny(), tiny(ConvTwin)]
    return around(lambda x: layers.Average()([member(x) for member in members]))


def frozen():
    "A base that does not learn, and a head that does."
    base = tiny()
    base.trainable = False
    return around(base, layers.Dense(4, name="head"))


def fine_tuned():
    model = tiny().with_classes(5)
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    model.fit(SERIES, CLASSES, verbose=0)
    return model


def sequential():
    return keras.Sequential([keras.Input(SHAPE), layers.Rescaling(2.0), tiny(), layers.Dense(2)])


WAYS = {
    "alone": tiny,
    "in a functional model": lambda: around(tiny()),
    "functional in functional": lambda: around(around(tiny()), layers.Dense(2)),
    "shared by two inputs": shared,
    "in a Sequential": sequential,
    "in an ensemble": ensemble,
    "a clone": lambda: keras.models.clone_model(tiny()),
    "a clone of a functional model": lambda: keras.models.clone_model(around(tiny(), layers.Dense(2))),
    "from its configuration": lambda: TSFormer.from_config(tiny().get_config()),
    "a subclass": lambda: tiny(Ours),
    "a subclass in a functional model": lambda: around(tiny(Ours)),
    "the convolutional twin": lambda: around(tiny(ConvTwin)),
    "fine-tuned on new classes": fine_tuned,
    "with a new head": lambda: around(tiny().encode, layers.Dense(4, name="head")),
    "frozen, with a new head": frozen,
    "an EncoderBlock": lambda: around(layers.Dense(8), EncoderBlock(2, 8, .1)),
    "a PatchEmbedding": lambda: around(PatchEmbedding(8, 5)),
    "a SpectrumEmbedding": lambda: around(SpectrumEmbedding(8, (9, 16))),
    "Positions": lambda: around(Positions()),
}
FEW = ("a clone of a functional model", "functional in functional", "shared by two inputs", "an EncoderBlock",
       "Positions")
each_way = pytest.mark.parametrize("way", WAYS)
some_ways = pytest.mark.parametrize("way", WAYS if TORTURE else FEW)


def shaken(model, seed=0):
    "The model with weights that no initializer gives; so equal answers mean that all were kept."
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, .5, weight.shape).astype(weight.dtype) for weight in model.get_weights()])
    return model


def answers(model, x=SERIES):
    return ops.convert_to_numpy(model(x))


def again(model, folder):
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras", safe_mode=True)


@each_way
def test_a_keras_file_answers_the_same_to_the_last_bit(way, tmp_path):
    model = shaken(WAYS[way]())
    loaded = again(model, tmp_path)
    assert np.array_equal(answers(model), answers(loaded)) and np.ptp(answers(model)) > 1e-3
    last = lambda weights: [weight.path.split("/")[-1] for weight in weights]
    assert last(loaded.weights) == last(model.weights)
    assert len(loaded.trainable_weights) == len(model.trainable_weights)


@some_ways
def test_a_weights_file_fills_a_model_built_anew(way, tmp_path):
    model, other = shaken(WAYS[way]()), shaken(WAYS[way](), seed=1)
    assert not np.array_equal(answers(model), answers(other))
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    assert np.array_equal(answers(model), answers(other))


def served(model, folder):
    model.export(folder / "export", verbose=False)
    loaded = tf.saved_model.load(folder / "export")
    return loaded.serve(SERIES).numpy()


@some_ways
def test_a_saved_model_answers_the_same_without_keras(way, tmp_path):
    model = shaken(WAYS[way]())
    np.testing.assert_allclose(served(model, tmp_path), answers(model), atol=1e-6)


def test_a_loaded_model_can_be_exported_before_its_first_call(tmp_path):
    model = shaken(tiny())
    np.testing.assert_allclose(served(again(model, tmp_path), tmp_path), answers(model), atol=1e-6)


def test_a_file_of_an_older_version_loads(tmp_path):
    "Its configuration held neither dtype nor trainable."
    model = shaken(tiny())
    model.save(tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as new, zipfile.ZipFile(tmp_path / "old.keras", "w") as old:
        for name in new.namelist():
            content = new.read(name)
            if name == "config.json":
                whole = json.loads(content)
                del whole["config"]["dtype"], whole["config"]["trainable"]
                content = json.dumps(whole)
            old.writestr(name, content)
    loaded = keras.saving.load_model(tmp_path / "old.keras")
    assert np.array_equal(answers(model), answers(loaded)) and loaded.name == model.name
    assert loaded.config == TSFormer.from_config(asdict(CONFIG)).config == CONFIG


def test_making_a_model_leaves_no_call_behind():
    model = tiny()
    assert model.built and not model._inbound_nodes and model.count_params() > 0
    assert {weight.path.split("/")[0] for weight in model.weights} == {model.name}


FIRST = {  # sums of absolute values of a few kernels
    "listen/kernel": 43.185139, "embed/project/kernel": 508.83765, "spectrum/project/kernel": 922.97314,
    "block_0/attention/key/kernel": 440.96375, "block_0/narrow/kernel": 728.81445,
    "block_1/attention/attention_output/kernel": 438.96976, "classify/kernel": 25.949163,
}


def test_first_weights_follow_from_the_seed_as_ever():
    "Initializers draw when layers are made: another order of making them would change every result of the book."
    model = make_model("tsformer", load_dataset("sample"), 0)
    sums = {weight.path.split("/", 1)[1]: float(ops.sum(ops.abs(weight))) for weight in model.weights}
    assert {path: sums[path] for path in FIRST} == pytest.approx(FIRST, rel=1e-5)


def test_new_classes_keep_the_encoder_and_start_the_rest_anew():
    model = shaken(tiny())
    other = model.with_classes(5)
    assert np.array_equal(ops.convert_to_numpy(model.encode(SERIES)), ops.convert_to_numpy(other.encode(SERIES)))
    assert other.config.n_classes == 5 and answers(other).shape == (8, 5) and other.name != model.name
    before = answers(model)
    fitted = shaken(other, seed=1)
    assert np.array_equal(answers(model), before) and not np.array_equal(answers(fitted)[:, :3], before)  # a copy


def test_a_frozen_base_is_frozen_after_loading(tmp_path):
    model = frozen()
    loaded = again(model, tmp_path)
    assert len(loaded.trainable_weights) == len(model.trainable_weights) == 2
    assert len(tiny().with_classes(4).trainable_weights) > 2


# half precision

POLICIES = ("mixed_float16", "mixed_bfloat16")


def train(model):
    model.compile(keras.optimizers.AdamW(1e-3), "sparse_categorical_crossentropy", run_eagerly=True)
    losses = model.fit(SERIES, CLASSES, batch_size=4, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.fixture
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("kind, dtype", [
    *((TSFormer, policy) for policy in (*POLICIES, "float32", keras.DTypePolicy("mixed_bfloat16"))),
    (Ours, POLICIES[0]), (ConvTwin, POLICIES[1])])
def test_a_model_keeps_its_policy(dtype, kind, tmp_path):
    model = tiny(kind, dtype=dtype)
    train(model)
    loaded = again(model, tmp_path)
    assert loaded.dtype_policy == model.dtype_policy == loaded.listen.dtype_policy == keras.dtype_policies.get(dtype)
    assert keras.backend.standardize_dtype(model(SERIES).dtype) == "float32"
    assert np.array_equal(answers(model), answers(loaded))


@pytest.mark.parametrize("dtype", POLICIES)
def test_each_layer_computes_in_the_policy_of_its_model(dtype):
    model = tiny(dtype=dtype)
    block = model.blocks[0]
    inner = [model.listen, model.embed, model.embed.project, model.positions, model.spectrum, model.spectrum.norm,
             model.spectrum.project, block, block.attention, *block.norms, block.widen, block.narrow, block.dropout,
             model.norm]
    assert {layer.compute_dtype for layer in inner} == {dtype.removeprefix("mixed_")}
    assert {layer.variable_dtype for layer in inner} == {"float32"}


@pytest.mark.parametrize("policy", POLICIES, indirect=True)
@pytest.mark.parametrize("kind", ["tsformer", "published", "collapsed"])
def test_a_policy_for_all_of_keras_is_followed(policy, kind):
    data = load_dataset("sample")
    model = make_model(kind, data, 0)
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    assert np.isfinite(model.train_on_batch(data.x_train[:4], data.y_train[:4]))
    assert keras.backend.standardize_dtype(model(data.x_train[:2]).dtype) == "float32"
    assert model.dtype_policy.name == policy


@pytest.mark.parametrize("dtype", POLICIES)
def test_half_precision_is_close_and_survives_raw_measurements(dtype):
    "1e6 is beyond float16: it must be scaled before it is cast."
    config = TSFormerConfig(**{**asdict(CONFIG), "mean": 2e6, "std": 3e6})
    whole, half = shaken(TSFormer(config)), shaken(TSFormer(config, dtype=dtype))
    assert 0 < np.abs(answers(whole, SERIES * 1e6) - answers(half, SERIES * 1e6)).max() < .1


@pytest.mark.parametrize("dtype", POLICIES)
def test_the_spectrum_keeps_its_digits(dtype):
    embedding, half = SpectrumEmbedding(8, (9, 16)), SpectrumEmbedding(8, (9, 16), dtype=dtype)
    embedding(SERIES), half(SERIES)
    half.set_weights(embedding.get_weights())
    assert keras.backend.standardize_dtype(half(SERIES).dtype) == dtype.removeprefix("mixed_")
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(half(SERIES), "float32")), embedding(SERIES), atol=.1)


@pytest.mark.parametrize("dtype", [None, "mixed_bfloat16", keras.DTypePolicy("mixed_float16"),
                                   keras.dtype_policies.serialize(keras.DTypePolicy("mixed_float16"))],
                         ids=["not at all", "by name", "a policy", "written down"])
def test_a_configuration_may_name_its_policy_in_any_way(dtype):
    config = {**asdict(CONFIG), "windows": list(CONFIG.windows), "name": "it", **({"dtype": dtype} if dtype else {})}
    assert TSFormer.from_config(config).dtype_policy == keras.dtype_policies.get(dtype)


# other backends

ELSEWHERE = """
import sys, keras, numpy as np
import tsformer_nb.variants
from tsformer_nb.model import TSFormer
folder = sys.argv[1]
x = np.load(folder + "/x.npy")
answer = lambda model: model.predict(x, verbose=0)
model = keras.saving.load_model(folder + "/model.keras")
inner = next(layer for layer in model.layers if isinstance(layer, TSFormer))
half = TSFormer(inner.config, dtype="mixed_bfloat16")
half.set_weights(inner.get_weights())
assert np.abs(answer(half) - answer(inner)).max() < .1
model.save(folder + "/back.keras")
assert np.array_equal(answer(keras.saving.load_model(folder + "/back.keras")), answer(model))
np.save(folder + "/answer.npy", answer(model))
print(keras.backend.backend())
"""


@pytest.mark.skipif(not TORTURE, reason="takes long: `make torture`; test_kernels asks a TSFormer there")
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_gives_the_same_answers_and_its_file_comes_back(backend, tmp_path):
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed")
    model = shaken(around(tiny(), layers.Dense(4)))  # its windows are of odd and of even length
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", SERIES)
    result = run(sys.executable, "-c", ELSEWHERE, tmp_path, KERAS_BACKEND=backend)
    assert result.returncode == 0 and result.stdout.strip().endswith(backend), result.stderr
    np.testing.assert_allclose(np.load(tmp_path / "answer.npy"), answers(model), atol=1e-4)
    assert np.array_equal(answers(keras.saving.load_model(tmp_path / "back.keras")), answers(model))


# LiteRT: that an export succeeds proves nothing, so each file is run

def run_litert(path, x):
    "Answers of a LiteRT file, a series at a time, and the operations that it needs."
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    entry, exit = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    found = []
    for series in x:
        interpreter.set_tensor(entry, series[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(exit)[0])
    return np.array(found), {operation["op_name"] for operation in interpreter._get_ops_details()}


def check_litert(model, x, folder):
    for weight in model.weights:  # a little of everything, where initializers give zeros
        weight.assign_add(np.random.default_rng(0).uniform(0, .1, weight.shape))
    model.export(folder / "model.tflite", format="litert", verbose=False)
    found, operations = run_litert(folder / "model.tflite", x)
    np.testing.assert_allclose(found, answers(model, x), atol=1e-4)
    assert not [name for name in operations if name.startswith("Flex")]  # which small runtimes do not have


def sample_series():
    return load_dataset("sample").x_train[:3]


BOOK = {  # every model of the book; in `make torture` with all its blocks, and every variant
    "tsformer": lambda: make_model("tsformer", load_dataset("sample"), 0),
    "published": lambda: published_model(num_blocks=4 if TORTURE else 1),
    "published, pre-norm": lambda: published_model(num_blocks=4 if TORTURE else 1, norm_first=True),
    "collapsed": lambda: make_model("collapsed", load_dataset("sample"), 0),
}
litert = pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")


@litert
@pytest.mark.parametrize("name", BOOK)
def test_a_model_of_the_book_runs_in_litert(name, tmp_path):
    check_litert(BOOK[name](), sample_series(), tmp_path)


@litert
@pytest.mark.parametrize("kind", [TSFormer, ConvTwin] if TORTURE else [ConvTwin])
def test_a_small_model_runs_in_litert(kind, tmp_path):
    check_litert(tiny(kind), SERIES, tmp_path)


@litert
@pytest.mark.skipif(not TORTURE, reason="`make torture`")
def test_a_model_in_half_precision_runs_in_litert_as_its_float32_twin(tmp_path):
    half = shaken(tiny(dtype="mixed_bfloat16"))
    whole = TSFormer.from_config({**half.get_config(), "dtype": "float32"})
    whole.set_weights(half.get_weights())
    check_litert(whole, SERIES, tmp_path)


@litert
@pytest.mark.skipif(not TORTURE, reason="`make torture`")
@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_of_the_ablation_runs_in_litert(name, tmp_path):
    check_litert(make_variant(name, load_dataset("sample"))[0], sample_series(), tmp_path)


@litert
@pytest.mark.skipif(not TORTURE, reason="`make torture`")
@pytest.mark.parametrize("kind", MOTIF_MODELS)
def test_a_motif_model_runs_in_litert(kind, tmp_path):
    data = motif_pairs(8, 40, n_test=8)
    check_litert(motif_model(kind, data), data.x_test, tmp_path)
