"Data as people have them: what is plainly a set of labelled series trains, and what is not is told in a sentence."
import itertools
import sys
import warnings

import keras
import numpy as np
import pytest

from conftest import TORTURE, command, need, run
from tsformer_nb.io.download import NAMES
from tsformer_nb.io.recordings import narrowed
from tsformer_nb.data import Dataset, dither, dither_level, load_dataset, split
from tsformer_nb.evaluation import evaluate, predict
from tsformer_nb.io.files import InputError, InputWarning
from tsformer_nb.masking import lengths
from tsformer_nb.model import TSFormer, TSFormerConfig, config_for
from tsformer_nb.recipes import TrainingConfig
from tsformer_nb.io.recordings import Layout, lengths_of
from tsformer_nb.fitting import fit, make_model

pytestmark = pytest.mark.usefixtures("small_models")


def tones(n=80, steps=60, seed=0):
    "Series of two tones in noise, classes in turns: (n, steps), (n,)."
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    phase, period = rng.uniform(0, 2 * np.pi, (n, 1)), np.where(y, 6, 9)[:, None]
    return np.sin(2 * np.pi * np.arange(steps) / period + phase) + .3 * rng.standard_normal((n, steps)), y


def a_set(change=lambda x, rng: x, labels=lambda y: y + 1, **more):
    "A data set of which each part was changed."
    rng = np.random.default_rng(1)
    (x, y), (u, v) = tones(), tones(seed=1)
    return Dataset("tones", change(x, rng), labels(y), change(u, rng), labels(v), **more)


def accuracy(data, **changes):
    "Of a small TSFormer after a short training."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        keras.utils.set_random_seed(0)
        model = TSFormer(config_for(data, d_model=16, num_heads=2, num_blocks=1, **changes))
        fit(data, model, TrainingConfig(epochs=1, min_steps=40, learning_rate=1e-2, validation=0))
        return evaluate(model, data)["test_accuracy"]


# ---------------------------------------------------------------- scaling

def spike(x, rng):
    x[3, 17] = 1e6
    return x


def units(x, rng):
    "Two more channels without a signal, in other units."
    return np.stack([x, 1e4 * rng.standard_normal(x.shape), 300 + 1e-3 * rng.standard_normal(x.shape)], axis=2)


def unequal(x, rng):
    return [series[:rng.integers(40, 60)] for series in x]


SCALES = {"one spike": spike, "a level for each series": lambda x, rng: x + 500 * rng.standard_normal((len(x), 1)),
          "three units": units, "on 4,500,000": lambda x, rng: x + 4_500_000, "unequal lengths": unequal}
if TORTURE:  # `test_training_knows_no_scale` trains on a series of one, and on tiny ones
    SCALES |= {"plain": lambda x, rng: x, "tiny": lambda x, rng: 1e-9 * x}


@pytest.mark.parametrize("change", SCALES.values(), ids=SCALES)
def test_a_plain_signal_is_learned_whatever_its_scale(change):
    assert accuracy(a_set(change)) >= .95


def test_what_was_chosen_is_told_and_can_be_chosen_otherwise():
    drifting = a_set(lambda x, rng: x + 500 * rng.standard_normal((len(x), 1)))
    with pytest.warns(InputWarning, match="scaled separately"):
        assert config_for(drifting).scaling == "series"
    assert config_for(drifting, scaling="set").scaling == "set" and config_for(drifting, scaling="none").std == 1
    level = a_set(labels=lambda y: y)
    tank = Dataset("tank", level.x_train + 500 * level.y_train[:, None, None], level.y_train)
    assert config_for(tank).scaling == "set"  # a level that is the class is not taken away
    with pytest.raises(InputError, match="choose one of set, series, none"):
        config_for(tank, scaling="minmax")


@pytest.mark.parametrize("code", [-9999, 999, 32767])
def test_codes_and_spikes_are_told_with_line_and_column(tmp_path, code):
    x, y = tones()
    x[4, 10:13] = code
    rows = "\n".join("\t".join([str(label), *(f"{one:.5f}" for one in series)]) for label, series in zip(y, x))
    (tmp_path / "m.tsv").write_text(rows)
    with pytest.warns(InputWarning, match=rf"m.tsv, line 5, column 12: the value {code} occurs 3 times"):
        load_dataset(tmp_path / "m.tsv", held_out=0)


# ---------------------------------------------------------------- layouts and names

def table(separator="\t", label="first", header=False, index=False, words=False, ending="\n", quoted=False):
    "Ten series of twelve steps as a table."
    rng, y = np.random.default_rng(0), np.arange(10) % 2
    names = ["walk", "run"] if words else ["1", "2"]
    rows = []
    for n, k in enumerate(y):
        name = f'"{names[k]}"' if quoted else names[k]
        values = [f"{one:.4f}" for one in rng.standard_normal(12)]
        rows.append([*([str(n)] if index else []), *([name, *values] if label == "first" else [*values, name])])
    if header:
        steps = [f"t{n}" for n in range(12)]
        rows.insert(0, [*([""] if index else []), *(["kind", *steps] if label == "first" else [*steps, "kind"])])
    return "".join(separator.join(row) + ending for row in rows)


@pytest.mark.parametrize("separator, label, header, index, words", list(itertools.product(
    "\t,; ", ("first", "last"), (False, True), (False, True), (False, True))))
def test_a_wide_table_is_read_right_however_it_is_laid_out(tmp_path, separator, label, header, index, words):
    if separator == " " and header and index:
        pytest.skip("blanks cannot show that the first name is empty")
    path = tmp_path / "mine.csv"
    path.write_text(table(separator, label, header, index, words, ending="\r\n" if index else "\n", quoted=words and
                          separator != " "))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        data = load_dataset(path, held_out=0)
    assert data.classes == (("run", "walk") if words else (1, 2)) and data.x_train.shape == (10, 12, 1)
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(data.x_train[:, :, 0], [rng.standard_normal(12) for _ in range(10)], atol=1e-4)
    sentences = " ".join(str(one.message) for one in told)
    assert ("names of the columns" in sentences) == header and ("only counts the rows" in sentences) == index
    assert ("is read as the label." in sentences) == (header or index or label == "last")


def test_a_long_table_in_any_words(tmp_path):
    rows = [f"{name},{step},{step % 3},{step * 2},{kind},{who}" for name, kind, who, steps in
            (("a", "歩く", "ann", 5), ("b", "走る", "bob", 4), ("c", "歩く", "bob", 6), ("d", "走る", "ann", 5))
            for step in range(steps)]
    path = tmp_path / "加速度.csv"
    path.write_text("recording,時刻,x軸,y軸,動作,who\n" + "\n".join(rows), encoding="utf-8-sig")
    with pytest.warns(InputWarning, match="recording: recording; order: 時刻; label: 動作; channels: x軸, y軸"):
        data = load_dataset(path, layout=Layout(label="動作", group="who"), held_out=0)
    assert data.classes == ("歩く", "走る") and data.x_train.shape == (4, 6, 2) and data.unequal
    assert data.groups.tolist() == ["ann", "bob", "bob", "ann"]
    with pytest.raises(InputError, match="has no column 'session' .--id.: its columns are recording, 時刻"):
        load_dataset(path, layout=Layout(id="session", label="動作"))


def test_a_group_stands_on_one_side_of_every_split(tmp_path):
    rng, rows = np.random.default_rng(0), ["who,kind,t0,t1,t2"]
    rows += [f"p{n // 4},{n % 2}," + ",".join(f"{one:.3f}" for one in rng.standard_normal(3)) for n in range(40)]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    with pytest.warns(InputWarning, match="groups not used for training"):
        data = load_dataset(tmp_path / "m.csv", layout=Layout(label="kind", group="who"))
    train, held_out = split(data.y_train, .25, 0, data.groups)
    assert len(held_out) and not set(data.groups[train]) & set(data.groups[held_out])


def test_what_lies_here_wins_over_the_archive(tmp_path):
    (tmp_path / "Coffee").mkdir()
    for part in ("TRAIN", "TEST"):
        (tmp_path / "Coffee" / f"Coffee_{part}.tsv").write_text(table())
    result = command("data", "Coffee", cwd=tmp_path)
    assert result.returncode == 0 and "not the data set Coffee of the archive" in result.stderr
    assert "10 series" in result.stdout and "Coffee/Coffee_TRAIN.tsv" in result.stdout


@pytest.mark.parametrize("files, words", [
    (["a_TRAIN.tsv", "b_TRAIN.tsv"], "contains 2 data sets (a, b)"), (["notes.docx"], "contains no file of series"),
    (["A/A_TRAIN.tsv", "B/B_TRAIN.csv"], "contains 2 data sets (A, B): choose one of its folders"),
    ([], "contains no file"),
])
def test_a_folder_that_is_no_data_set_is_told_what_was_found(tmp_path, files, words):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(table())
    result = command("data", tmp_path)
    assert result.returncode == 2 and words in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("train, test", [
    ("gun_train.tsv", "gun_test.tsv"), ("Gun_TRAIN.csv", "Gun_TEST.csv"), ("TRAIN.txt", "TEST.txt"),
    ("gun.Train.dat", "gun.Test.dat"), ("x_TRAIN", "x_TEST")])
def test_names_of_files_may_be_written_in_any_way(tmp_path, train, test):
    (tmp_path / train).write_text(table(",")), (tmp_path / test).write_text(table(","))
    for where in (tmp_path, tmp_path / train):
        data = load_dataset(where)
        assert len(data.x_train) == len(data.x_test) == 10
    (tmp_path / test).unlink()
    with pytest.warns(InputWarning, match="has no test part, so 2 of its 10 series are set aside"):
        load_dataset(tmp_path)


def test_output_survives_a_terminal_that_knows_ascii_only(tmp_path):
    path = tmp_path / "データ.tsv"
    path.write_text(table(words=True))
    result = run(sys.executable, "-c", "import sys; from tsformer_nb.cli import main; "
                 "sys.exit(main(['data', sys.argv[1]]))", path, PYTHONIOENCODING="ascii")
    assert result.returncode == 0 and r"\u30c7\u30fc\u30bf" in result.stdout and "Traceback" not in result.stderr


def test_levels_of_their_own_are_told(tmp_path):
    rng, y = np.random.default_rng(0), np.arange(40) % 2
    x = np.sin(np.arange(50) * np.where(y, .5, .8)[:, None]) + 500 * rng.standard_normal((40, 1))  # (40, 50)
    np.savetxt(tmp_path / "mine.csv", np.c_[y, x], "%.4f", ",")
    result = command("data", tmp_path / "mine.csv")
    assert result.returncode == 0 and "The series differ in level, but the classes do not" in result.stderr


# ---------------------------------------------------------------- in Python

def test_labels_of_any_kind_are_plain_classes():
    x, y = tones()
    for labels, classes in ((y + 1, (1, 2)), (2 * y - 1, (-1, 1)), (np.array(["no", "yes"])[y], ("no", "yes")),
                            ((y + 1).astype(float), (1, 2)), (y.astype(bool), (0, 1)), (list(y), (0, 1)),
                            (np.array(["no", "yes"], object)[y], ("no", "yes"))):
        data = Dataset("any", x, labels)
        assert data.classes == classes and all(type(name) in (int, str) for name in data.classes)
        assert data.y_train.tolist() == y.tolist()
    given = Dataset("given", x, y + 1, x, y + 1, classes=np.array([1, 2]))  # NumPy integers as names
    assert given.classes == (1, 2) and type(given.classes[0]) is int and given.y_test.tolist() == y.tolist()


@pytest.mark.parametrize("x, y, words", [
    (np.full((4, 5), np.inf), [0, 1, 0, 1], "infinite"),
    (np.zeros((4, 5)), [0, 1, 0], "4 series, y_train has 3 labels"),
    (np.zeros((4, 5)), [0, 0, 0, 0], "only one class"),
    (np.zeros((4, 5)), [.5, 1, 0, 1], "a label is a word or a whole"),
    (np.zeros(5), [0, 1], "one series alone"), (np.zeros((2, 5), complex), [0, 1], "real numbers"),
    (np.array([[None, 1], [2, {}]], object), [0, 1], "not a number"), (np.zeros((0, 5)), [], "no series"),
    (np.full((2, 5), np.nan), [0, 1], "has no values"),
])
def test_what_is_no_data_set_is_told_before_a_training(x, y, words):
    with pytest.raises(InputError, match=words):
        Dataset("wrong", x, y)


def test_predict_takes_what_people_pass():
    model = TSFormer(TSFormerConfig(n_timesteps=20, n_classes=2, windows=(5, 10), kernel_size=5))
    series = tones(steps=20)[0][:2]
    want = predict(model, series[:, :, None])
    for given in (series, series.tolist(), [*series], np.float32(series), series[:, :, None].tolist()):
        np.testing.assert_allclose(predict(model, given), want, atol=1e-6)
    for one in (series[0], series[0][:, None], list(series[0]), series[:1]):
        np.testing.assert_allclose(predict(model, one), want[:1], atol=1e-6)
    with pytest.warns(InputWarning, match="missing values"):
        gap = predict(model, np.where(np.arange(20) == 7, np.nan, series[0]))
    assert np.isfinite(gap).all() and predict(model, np.zeros((1, 20), int)).shape == (1, 2)
    for wrong in ([], np.zeros(0), np.zeros((2, 21)), np.zeros((2, 20, 3)), np.full((1, 20), np.nan), "abc", None,
                  np.full((1, 20), np.inf)):
        with pytest.raises(InputError):
            predict(model, wrong)


# ---------------------------------------------------------------- masks

@pytest.mark.parametrize("n_channels, scaling", [(1, "set"), (3, "set"), (2, "series")])
def test_padding_changes_nothing(n_channels, scaling):
    "A padded batch gives the probabilities of each series alone, and what stands behind the ends does not matter."
    keras.utils.set_random_seed(0)
    rng, ends = np.random.default_rng(0), [120, 100, 61, 31, 29, 7, 3, 1]
    model = TSFormer(TSFormerConfig(120, 3, n_channels, windows=(15, 30), kernel_size=25, stride=2, patch_size=3,
                                    unequal=True, scaling=scaling, limit=50.))
    for weight in model.trainable_variables:
        weight.assign(weight + .1 * rng.standard_normal(weight.shape))
    x = rng.normal(size=(8, 120, n_channels)).astype("float32")
    there = np.arange(120) < np.array(ends)[:, None]
    padded = np.where(there[:, :, None], x, np.nan)
    together = predict(model, padded)
    alone = np.concatenate([predict(model, x[n:n + 1, :end]) for n, end in enumerate(ends)])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    wild = keras.ops.convert_to_numpy(model(np.where(there[:, :, None], x, 1e6).astype("float32"), mask=there))
    np.testing.assert_allclose(together, wild, atol=1e-6)
    assert keras.ops.convert_to_numpy(lengths(keras.ops.convert_to_tensor(there))).tolist() == ends
    assert np.abs(together - predict(model, x)).max() > 1e-3  # the ends do matter


def test_a_model_of_unequal_series_is_saved_with_its_masks(tmp_path):
    data = a_set(unequal)
    model = TSFormer(config_for(data, d_model=16, num_heads=2, num_blocks=1))
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert again.config == model.config and again.config.unequal
    np.testing.assert_allclose(predict(again, data.x_test), predict(model, data.x_test), atol=1e-6)
    assert (lengths_of(data.x_train) < 60).any()
    with pytest.raises(InputError, match="cannot process, with or without its encoder: choose the model tsformer"):
        make_model("published", data)


def test_a_level_needs_64_bits_until_it_is_subtracted():
    data = a_set(lambda x, rng: x + 4_500_000)
    assert data.x_train.dtype == np.float64 and dither(data.x_train, dither_level(data)).dtype == np.float64
    assert narrowed(data.x_train - 4_500_000).dtype == np.float32


# ---------------------------------------------------------------- figures and giveaways

def test_a_model_that_names_one_class_is_told(tmp_path):
    rng, y = np.random.default_rng(0), np.repeat([0, 1], [97, 3])
    rows = ["\t".join([str(label), *(f"{one:.4f}" for one in rng.standard_normal(40))]) for label in y]
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"noise_{part}.tsv").write_text("\n".join(rows))
    result = command("train", "--data", tmp_path, "--out", tmp_path / "run")
    assert result.returncode == 0 and "predicts class 0 for every series" in result.stderr
    assert "balanced 0.5000, largest class 0.9700" in result.stdout
    looked = command("data", tmp_path)
    assert "100 of 100 test series are also in the training part" in looked.stdout
    assert "0.970 of the training series are of class 0" in looked.stdout


def test_balanced_classes_count_alike():
    from tsformer_nb.training import Batches

    x, _ = tones(n=100)
    y = np.repeat([0, 1], [90, 10])
    batches = Batches(x[:, :, None], y, TrainingConfig(class_weight="balanced", batch_size=100))
    _, labels, weights = batches[0]
    assert abs(weights[labels == 0].sum() - weights[labels == 1].sum()) < 1e-6 and abs(weights.mean() - 1) < 1e-6
    assert len(Batches(x[:, :, None], y, TrainingConfig())[0]) == 2


# ---------------------------------------------------------------- the archive

# those of unequal lengths or with gaps, and of several channels
SPECIAL = ["AllGestureWiimoteX", "AllGestureWiimoteY", "AllGestureWiimoteZ",
           "DodgerLoopDay", "DodgerLoopGame", "DodgerLoopWeekend",
           "GestureMidAirD1", "GestureMidAirD2", "GestureMidAirD3", "GesturePebbleZ1", "GesturePebbleZ2",
           "BasicMotions", "JapaneseVowels"]
TRAINED = ["DodgerLoopDay", "BasicMotions", "JapaneseVowels"]  # one of each kind


@pytest.mark.parametrize("name", NAMES if TORTURE else SPECIAL)
def test_every_set_on_offer_loads_and_trains(name):
    need(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        data = load_dataset(name)
        model = make_model("tsformer", data)
        if TORTURE or name in TRAINED:
            history = fit(data, model, TrainingConfig(epochs=1, min_steps=1)).history
            assert np.isfinite(history["loss"][0])
    assert np.isfinite(predict(model, data.x_test[:8])).all()


def test_start_up_stays_light(tmp_path):
    "What describes a data set needs no TensorFlow; what reads one of numbers, no pandas either."
    (tmp_path / "m.csv").write_text(table(","))
    code = ("import sys; from tsformer_nb.data import load_dataset; load_dataset(sys.argv[1]); "
            "read = 'pandas' in sys.modules; from tsformer_nb.cli import main; status = main(['data', sys.argv[1]]); "
            "print(status, read, sorted({'tensorflow', 'keras'} & set(sys.modules)))")
    result = run(sys.executable, "-c", code, tmp_path / "m.csv")
    assert result.stdout.splitlines()[-1] == "0 False []"
