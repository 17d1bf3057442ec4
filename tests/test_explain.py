"Explanations of every model, for series of every form, from Python and from a terminal."
import csv
import json
import shutil

import keras
import numpy as np
import pytest

from conftest import command
from tsformer_nb import KernelClassifier, cli
from tsformer_nb.data import Dataset, load_dataset
from tsformer_nb.evaluation import predict
from tsformer_nb.explain import METHODS, explain
from tsformer_nb.fitting import as_series_model, fit, make_model
from tsformer_nb.io.files import InputError
from tsformer_nb.io.recordings import lengths_of

FORMS = {  # steps, channels, shortest series: what changes the views of the kernels
    "one channel": (60, 1, 60), "several channels": (40, 3, 40), "unequal lengths": (50, 2, 12), "long": (700, 1, 700)}


def waves(n_steps, n_channels, shortest, n=15):
    "Series whose class is the frequency of their last channel."
    rng, y = np.random.default_rng(0), np.arange(n) % 3
    x = rng.normal(0, .3, (n, n_steps, n_channels)).astype("float32")
    x[:, :, -1] += np.sin(np.arange(n_steps) * (y[:, None] + 1) / 4)
    for series, end in zip(x, rng.integers(shortest, n_steps + 1, n)):
        series[end:] = np.nan
    x[0] = np.nan_to_num(x[0])
    return Dataset("waves", x, y, x[:3], y[:3], (0, 1, 2))


@pytest.mark.parametrize("form", FORMS)
def test_votes_of_kernels_add_up_to_the_log_odds(form):
    data = waves(*FORMS[form])
    model = fit(data, "kernels").model
    found = explain(model, data.x_test)
    total = np.nansum(found.weights, axis=(1, 2)) + found.elsewhere
    np.testing.assert_allclose(total, found.log_odds, rtol=1e-3, atol=2e-3)
    p = predict(model, data.x_test)
    assert np.array_equal(found.target, p.argmax(axis=1)) and np.array_equal(found.versus, p.argsort(axis=1)[:, -2])
    for series, weights, length in zip(data.x_test, found.weights, lengths_of(data.x_test)):
        assert np.isfinite(weights[:length]).all() and np.isnan(weights[length:]).all()
    if data.n_channels > 1:  # the others hold noise
        assert np.nansum(np.abs(found.weights), axis=(0, 1)).argmax() == data.n_channels - 1


def test_votes_of_a_series_longer_than_those_of_training():
    data = waves(*FORMS["unequal lengths"])
    model, longer = fit(data, "kernels").model, np.repeat(data.x_train[:1], 2, axis=1)
    found = explain(model, longer)
    assert found.weights.shape == longer.shape
    np.testing.assert_allclose(found.weights.sum() + found.elsewhere[0], found.log_odds[0], rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("form", ["one channel", "unequal lengths"])
def test_a_transformer(form):
    data = waves(*FORMS[form])
    model, x = make_model("tsformer", data), data.x_test[:2]
    found = {method: explain(model, x, data.x_train, method) for method in model.explained_by}
    for one in found.values():
        for weights, length in zip(one.weights, lengths_of(x)):
            assert np.isfinite(weights[:length]).all() and np.isnan(weights[length:]).all(), one.method
    total = {method: np.nansum(one.weights, axis=(1, 2)) + one.elsewhere for method, one in found.items()}
    np.testing.assert_allclose(total["rollout"], 1, atol=1e-4)
    np.testing.assert_allclose(total["gradients"], found["gradients"].log_odds, atol=.1)


def test_any_keras_model():
    data = waves(*FORMS["several channels"])
    inputs = keras.Input((40, 3))
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(keras.layers.Flatten()(inputs)))
    found = {method: explain(model, data.x_test, data.x_train, method, 2, 0) for method in ("occlusion", "gradients")}
    assert set(found["occlusion"].target) == {2} and set(found["occlusion"].versus) == {0}
    # the model is linear in its log-odds, so the gradients are exact, and so are their sums over a piece
    kernel, bias = model.layers[-1].get_weights()
    line = kernel.reshape(40, 3, 3) @ [-1, 0, 1]
    one = found["gradients"]
    np.testing.assert_allclose(one.weights.sum(axis=(1, 2)) + one.elsewhere, (data.x_test * line).sum(axis=(1, 2))
                               + bias[2] - bias[0], atol=1e-3)


def test_every_method_is_told_to_the_user():
    assert set(METHODS) == set(cli.EXPLANATIONS)
    for name in ("tsformer", "kernels", "collapsed"):
        data = load_dataset("sample")
        assert set(as_series_model(make_model(name, data)).explained_by) <= set(METHODS)


def test_labels_of_the_estimator():
    data = waves(*FORMS["several channels"])
    X, y = data.x_train.swapaxes(1, 2), np.array(["slow", "usual", "fast"])[data.y_train]
    known = KernelClassifier().fit(X, y)
    found = known.explain(X[:2], target="fast", versus="slow")
    assert found.target.tolist() == [0, 0] and found.versus.tolist() == [1, 1]  # in the order of `classes_`
    assert found.weights.shape == (2, 40, 3)
    with pytest.raises(InputError, match="'faster' is no class: the classes are fast, slow, usual"):
        known.explain(X[:2], target="faster")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    "A run, and the table that it was trained on."
    folder, data = tmp_path_factory.mktemp("explain"), waves(*FORMS["several channels"])
    with open(folder / "own.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["recording", "time", "left", "middle", "right", "label"])
        for n, (series, label) in enumerate(zip(data.x_train, data.y_train)):
            rows.writerows([n, t, *values, "abc"[label]] for t, values in enumerate(series))
    said = command("train", "--data", "own.csv", "--model", "kernels", "--out", "run", cwd=folder)
    assert said.returncode == 0, said.stderr
    return folder


def test_a_terminal_shows_the_pieces_and_keeps_them(run):
    said = command("explain", "run", "own.csv", "--series", 3, "--out", "why.csv", cwd=run)
    assert said.returncode == 0, said.stderr
    first, way, *pieces, nowhere, total = said.stdout.splitlines()
    assert first.startswith("series 3: class c against class ") and "kernels" in way and len(pieces) == 5
    assert "channel right" in pieces[0] and "of no step" in nowhere
    assert abs(float(total.split()[0]) - float(first.split()[-1])) < .01
    rows = list(csv.reader(open(run / "why.csv", encoding="utf-8")))
    assert rows[0] == ["step", "value of left", "weight of left", "value of middle", "weight of middle",
                       "value of right", "weight of right"]
    assert len(rows) == 1 + 40 and rows[1][0] == "0"
    said = command("explain", "run", "own.csv", "--method", "occlusion", "--versus", "a", "--out", "why.png", cwd=run)
    assert said.returncode == 0 and (run / "why.png").read_bytes()[:4] == b"\x89PNG", said.stderr


@pytest.mark.parametrize("options, sentence", [
    (["--series", 99], "has 15 series"), (["--method", "rollout"], "choose one of kernels, occlusion"),
    (["--target", "d"], "its classes are a, b, c"), (["--out", "why.txt"], "a picture (.png) or a table (.csv)"),
    (["--target", "a", "--versus", "a"], "are the same")])
def test_what_cannot_be_explained_is_told(options, sentence, run):
    said = command("explain", "run", "own.csv", *options, cwd=run)
    assert said.returncode == 2 and sentence in said.stderr.splitlines()[-1] and said.stdout == ""
    assert not (run / "why.txt").exists()


def test_without_the_training_series_the_others_of_the_file_serve(run, tmp_path):
    shutil.copytree(run / "run", tmp_path / "run")
    shutil.copy(run / "own.csv", tmp_path / "new.csv")
    about = json.loads((tmp_path / "run" / "metrics.json").read_text())
    (tmp_path / "run" / "metrics.json").write_text(json.dumps({**about, "source": str(tmp_path / "gone.csv")}))
    said = command("explain", "run", "new.csv", "--method", "occlusion", cwd=tmp_path)
    assert said.returncode == 0 and "is compared with the others of new.csv" in said.stderr, said.stderr
    said = command("explain", "run", "new.csv", cwd=tmp_path)  # the votes of kernels are compared with nothing
    assert said.returncode == 0 and "is compared with" not in said.stderr, said.stderr
