"The front door, a third model, and what version 0.1.0 has left behind."
import ast
import json
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest

from conftest import ROOT, command, need
from tsformer_nb import KernelClassifier, PlainModel, SeriesClassifier, TSFormerClassifier, load_dataset
from tsformer_nb.evaluation import evaluate, predict
from tsformer_nb.fitting import fit
from tsformer_nb.recipes import MODELS, TrainingConfig, register
from tsformer_nb.runs import load_run, train_run

FIRST = ("load_dataset", "TSFormer", "TSFormerClassifier", "fit", "predict", "evaluate", "train_run", "load_run")


def test_the_front_door_leads_to_every_name():
    import tsformer_nb

    assert set(FIRST) <= set(tsformer_nb.__all__) <= set(dir(tsformer_nb))
    for name in tsformer_nb.__all__:
        assert getattr(tsformer_nb, name) is not None
    with pytest.raises(AttributeError, match="nobody"):
        assert tsformer_nb.nobody


def test_type_checkers_see_the_same_names():
    tree = ast.parse((ROOT / "tsformer_nb" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    import tsformer_nb

    assert seen == {name: f"tsformer_nb.{module}" for name, module in tsformer_nb._PLACES.items()}


def test_the_door_is_light():
    code = ("import sys, tsformer_nb; dir(tsformer_nb); "
            "print(sorted({'keras', 'numpy', 'sklearn', 'scipy', 'pandas', 'tensorflow'} & set(sys.modules)))")
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


class MeansAndSpreads(PlainModel):
    "A third model: what it is, and nothing else."

    @classmethod
    def for_data(cls, data, seed=0, scaling=None):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((data.n_timesteps, data.n_channels))
        x = keras.layers.Conv1D(8, 25, activation="relu")(inputs)  # (batch, n_timesteps - 24, 8)
        x = keras.layers.GlobalMaxPooling1D()(x)                   # (batch, 8)
        return keras.Model(inputs, keras.layers.Dense(data.n_classes, "softmax")(x))


@pytest.fixture
def third():
    register("third", MeansAndSpreads, "a model of the tests", TrainingConfig(epochs=3, min_steps=5))
    yield "third"
    del MODELS["third"]


def test_a_third_model_is_one_class_and_one_registration(third, tmp_path):
    "It is fitted, trained into a folder, evaluated, asked, saved, loaded, and stands behind scikit-learn's interface."
    data = load_dataset("sample")
    fitted = fit(data, third)
    assert fitted.name == third and len(fitted.history["loss"]) == 3 and len(fitted.held_out) == 12
    said = command("train", "--data", "sample", "--model", third, "--epochs", 2, "--out", "run", cwd=tmp_path)
    assert said.returncode == 0 and "third: " in said.stdout and "2 epochs" in said.stdout, said.stderr
    model, metrics = load_run(tmp_path / "run")
    assert metrics["model"] == third and metrics["test_accuracy"] == evaluate(model, data)["test_accuracy"]
    by_class = train_run(data, MeansAndSpreads, {"epochs": 2, "min_steps": 5}, tmp_path / "class", progress=False)
    assert metrics["test_accuracy"] == by_class["test_accuracy"]
    assert command("evaluate", "run", cwd=tmp_path).stdout.strip() in said.stdout
    rows = command("predict", "run", ROOT / "tsformer_nb/shipped/FordA_sample_TEST.tsv.gz", cwd=tmp_path).stdout
    assert len(rows.splitlines()) == 1 + 48
    classifier = SeriesClassifier(third).fit(data.x_train[:, :, 0], data.y_train)
    classifier.save(tmp_path / "kept")
    for again in (SeriesClassifier.load(tmp_path / "kept"), pickle.loads(pickle.dumps(classifier))):
        assert np.array_equal(again.predict_proba(data.x_test[:, :, 0]), classifier.predict_proba(data.x_test[:, :, 0]))
        assert again.model_name_ == third and again.transform(data.x_test[:, :, 0]).shape == (48, 8)


OLD = ROOT / "tests" / "kernels-of-0.1.0"  # what TSFormerClassifier().fit(..).save(..) of that version left, on ECG200


def test_kernels_that_0_1_0_saved_answer_as_they_did():
    need("ECG200")
    data, then = load_dataset("ECG200"), np.loadtxt(OLD / "probabilities.csv", delimiter=",")
    model, metrics = load_run(OLD)
    assert metrics["model"] == "kernels"
    np.testing.assert_allclose(predict(model, data.x_test), then, atol=1e-6)
    known = TSFormerClassifier.load(OLD)
    assert type(known).__name__ == "AutoClassifier" and known.model_name_ == "kernels"
    np.testing.assert_allclose(known.predict_proba(data.x_test.swapaxes(1, 2)), then, atol=1e-6)


@pytest.mark.parametrize("way, kind", [("auto", "AutoClassifier"), ("frozen", "KernelClassifier"),
                                       ("scratch", "TSFormerClassifier"), ("finetune", "KernelClassifier")])
def test_a_pickle_of_0_1_0_becomes_the_class_of_what_it_fitted(way, kind):
    "Its state, as that version pickled it: one class, and how it was fitted beside it."
    about = json.loads((OLD / "metrics.json").read_text(encoding="utf-8"))
    state = {**about["estimator"], "fit_by": way, "model_": (OLD / "model.keras").read_bytes(), "fitted_by_": "frozen",
             "classes_": np.array(about["classes"]), "n_features_in_": 1, "history_": about["history"],
             "_sklearn_version": "1.9.1"}
    known = TSFormerClassifier.__new__(TSFormerClassifier)
    known.__setstate__(state)
    assert type(known).__name__ == kind and known.model_name_ == "kernels" and "fit_by" not in known.get_params()
    assert known.predict_proba(np.zeros((2, 1, 96))).shape == (2, 2)
    if kind == "KernelClassifier":
        assert type(KernelClassifier(**known.get_params())) is type(known)  # it can be cloned
