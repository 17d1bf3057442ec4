"Kernels and a ridge from a terminal, on another backend, and with series of every form."
import importlib.util
import json
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from conftest import ROOT, command, run
from tsformer_nb.cli import _fitted
from tsformer_nb.data import Dataset, load_dataset
from tsformer_nb.estimator import KernelClassifier
from tsformer_nb.evaluation import predict
from tsformer_nb.io.files import InputError
from tsformer_nb.kernel_model import KernelModel, KernelEncoder, fit_kernels, kernel_config_for
from tsformer_nb.kernels import draw_kernels
from tsformer_nb.runs import load_run, train_run


@pytest.fixture(scope="module")
def sample():
    return load_dataset("sample")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    "A run with few series, as `train` makes it when nothing else is said."
    folder = tmp_path_factory.mktemp("kernels")
    return folder, command("train", "--data", "sample", cwd=folder)


def test_few_series_are_fitted_by_kernels(fitted, sample):
    folder, said = fitted
    out = folder / "runs" / "FordA_sample-auto-0"
    assert said.returncode == 0 and "kernels: " in said.stdout and "auto chose kernels: " in said.stdout, said.stderr
    assert {path.name for path in out.iterdir()} == {"metrics.json", "confusion.png", "model.keras", "doubt.npz"}
    model, metrics = load_run(out)
    assert metrics["model"] == "kernels" and metrics["test_accuracy"] > .7 and isinstance(model, KernelModel)
    right = predict(model, sample.x_test).argmax(axis=1) == sample.y_test
    assert right.mean() == metrics["test_accuracy"]
    again = command("evaluate", out, cwd=folder)
    assert f"{metrics['test_accuracy']:.4f} raw" in again.stdout


def test_what_was_finished_is_neither_lost_nor_resumed(fitted):
    folder, _ = fitted
    for extra, sentence in (([], "already contains a run"), (["--model", "auto", "--resume"], "nothing to resume")):
        again = command("train", "--data", "sample", *extra, cwd=folder)
        assert again.returncode == 2 and sentence in again.stderr
    gone = command("train", "--data", "sample", "--fit", "frozen", cwd=folder)  # as version 0.1.0 had it
    assert gone.returncode == 2 and "--fit" in gone.stderr


def test_one_seed_one_answer(sample):
    one, two, other = (predict(fit_kernels(sample, seed)[0], sample.x_test) for seed in (0, 0, 1))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


def test_the_encoder_has_met_nobody():
    "Before it sees a training part it is the same for every data set; then its filters only change their scale."
    encoders = [KernelEncoder(kernel_config_for(load_dataset(name), seed=3)) for name in ("CBF", "Coffee")]
    drawn = draw_kernels(1, 96, seed=3)
    for encoder in encoders:
        assert np.array_equal(encoder.patterns["series"].get_weights()[0], drawn)
    fitted, _ = fit_kernels(load_dataset("CBF"), seed=3)
    filters = fitted.encoder.patterns["series"].get_weights()[0]
    assert np.allclose(filters / np.linalg.norm(filters, axis=1, keepdims=True), drawn, atol=1e-5)


def test_only_the_training_part_is_looked_at(sample):
    "Another test part, the same model."
    other = replace(sample, x_test=sample.x_test[::-1] * 3, y_test=1 - sample.y_test)
    weights = [fit_kernels(data)[0].get_weights() for data in (sample, other)]
    assert all(np.array_equal(one, two) for one, two in zip(*weights))


def test_series_left_out_tell_the_truth(sample):
    "Their accuracy is that of a rule fitted anew without each, up to what the levels of the filters owe to them."
    _, rule = fit_kernels(sample)
    claimed = (rule.left_out.argmax(axis=1) == sample.y_train).mean()
    hits = []
    for part in np.array_split(np.random.default_rng(0).permutation(64), 8):
        rest = np.setdiff1d(np.arange(64), part)
        model, _ = fit_kernels(replace(sample, x_train=sample.x_train[rest], y_train=sample.y_train[rest]))
        hits += list(predict(model, sample.x_train[part]).argmax(axis=1) == sample.y_train[part])
    assert abs(np.mean(hits) - claimed) < .15


@pytest.mark.parametrize("unit", [1, 1e6, 1e-6])
def test_the_unit_of_the_data_does_not_matter(unit, sample):
    answers = [predict(fit_kernels(replace(sample, x_train=sample.x_train * size, x_test=sample.x_test * size))[0],
                       sample.x_test * size) for size in (1, unit)]
    assert (answers[0].argmax(axis=1) == answers[1].argmax(axis=1)).mean() > .9


def test_rare_classes_count_when_asked():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [54, 6])
    x = rng.normal(size=(60, 50)) + .25 * y[:, None] * np.sin(np.arange(50))
    data = Dataset("rare", x, y)
    plain, fair = (predict(fit_kernels(data, class_weight=way)[0], x).mean(axis=0)[1] for way in (None, "balanced"))
    assert fair > plain
    with pytest.raises(InputError, match="class_weight"):
        fit_kernels(data, class_weight="heavy")


def test_a_noisy_copy_of_each_series_is_left_out_with_it(sample):
    "The copy of a series does not give away a class that was drawn at random."
    luck = replace(sample, y_train=np.random.default_rng(1).permutation(sample.y_train))
    _, rule = fit_kernels(luck)
    assert len(rule.left_out) == len(rule.judged) == 64
    assert (rule.left_out.argmax(axis=1) == luck.y_train[rule.judged]).mean() < .7


def test_kernels_hold_under_noise_unless_told_not_to(fitted, sample, tmp_path):
    folder, said = fitted
    assert "With noise" not in said.stderr
    again = command("train", "--data", "sample", "--dither", "0", "--out", "plain", cwd=tmp_path)
    assert again.returncode == 0 and "train with --dither 0.03" in again.stderr
    assert "With noise of 0.01 standard deviations, accuracy on series left out falls from" in again.stderr
    hard, plain = (load_run(path)[1] for path in (folder / "runs" / "FordA_sample-auto-0", tmp_path / "plain"))
    assert [metrics["training"]["dither"] for metrics in (hard, plain)] == [.03, 0]
    assert plain["held_out_noisy"]["0.03"] < .7 < hard["held_out_noisy"]["0.03"]
    assert plain["test_accuracy_dithered"] + .2 < hard["test_accuracy_dithered"]


def test_one_series_a_class_is_enough(tmp_path):
    "As in Fungi: nothing can be judged by leaving it out, and that is said; but a model there is."
    x = np.sin(np.arange(60) * np.array([[.1], [.3], [.7], [1.2]]))
    data = Dataset("four", x, np.arange(4), x + .05 * np.random.default_rng(0).normal(size=x.shape), np.arange(4))
    metrics = train_run(data, out=tmp_path, progress=False)
    assert metrics["model"] == "kernels" and metrics["test_accuracy"] == metrics["train_accuracy"] == 1
    assert metrics["val_accuracy"] is None and "validation" not in metrics
    assert "cannot be estimated" in _fitted(metrics) and "0.0000" not in _fitted(metrics)
    learner = KernelClassifier(time_axis=1).fit(data.x_train, data.y_train)
    assert learner.history_ == {} and learner.score(data.x_test, data.y_test) == 1


def test_nothing_to_hold_on_to_is_told():
    with pytest.raises(InputError, match="never change"):
        fit_kernels(Dataset("flat", np.ones((10, 30)), np.arange(10) % 2))


PREDICT = """
import sys, numpy as np, keras
from tsformer_nb.data import load_dataset
from tsformer_nb.evaluation import predict
from tsformer_nb.runs import load_run
backend, out, *folders = sys.argv[1:]
assert keras.backend.backend() == backend
for n, folder in enumerate(folders):
    np.save(f"{out}/{n}.npy", predict(load_run(folder)[0], load_dataset("sample").x_test))
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_gives_the_same_answers(backend, fitted, sample, tmp_path):
    "Those of the kernels, and of a trained Transformer."
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed")
    folders = fitted[0] / "runs" / "FordA_sample-auto-0", ROOT / "tests" / "run-of-0.1.0"
    result = run(sys.executable, "-c", PREDICT, backend, tmp_path, *folders, KERAS_BACKEND=backend)
    assert result.returncode == 0, result.stderr
    for n, folder in enumerate(folders):
        here, there = predict(load_run(folder)[0], sample.x_test), np.load(tmp_path / f"{n}.npy")
        assert keras.backend.backend() == "tensorflow" and (here.argmax(axis=1) == there.argmax(axis=1)).all()
        np.testing.assert_allclose(there, here, atol=5e-4)


def test_it_is_a_keras_model_like_any_other(fitted, sample):
    model, _ = load_run(fitted[0] / "runs" / "FordA_sample-auto-0")
    assert json.loads(json.dumps(model.get_config()))["n_timesteps"] == 500
    inputs = keras.Input((500, 1))
    around = keras.Model(inputs, model(inputs))
    assert np.allclose(around(sample.x_test[:8]), predict(model, sample.x_test[:8]), atol=1e-4)
