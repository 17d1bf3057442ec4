"The estimator in the hands of scikit-learn, and in scripts as users write them."
import subprocess
import sys
import threading
import time

import joblib
import keras
import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from conftest import run
from tsformer_nb import TSFormerClassifier, recipes, runs
from tsformer_nb.data import Dataset
from tsformer_nb.estimator import arranged
from tsformer_nb.io.files import InputError

STEPS = np.arange(40)


@pytest.fixture(scope="module")
def tones():
    "Slow and fast waves, (48, 40), with words for labels."
    rng = np.random.default_rng(0)
    fast = np.arange(48) % 2
    x = np.sin(STEPS * (.3 + .4 * fast)[:, None] + rng.uniform(0, 6, (48, 1))) + .1 * rng.standard_normal((48, 40))
    return x.astype("float32"), np.where(fast, "fast", "slow")


def test_the_whole_battery_passes():
    results = check_estimator(TSFormerClassifier(), on_fail=None)
    wrong = {one["check_name"]: repr(one["exception"]) for one in results if one["status"] == "failed"}
    assert wrong == {}
    assert sum(one["status"] == "passed" for one in results) >= 54


def test_aeons_battery_passes():
    pytest.importorskip("aeon")
    from aeon.testing.estimator_checking import check_estimator as check

    from tsformer_nb.deploy.aeon import TSFormerForAeon
    results = check(TSFormerForAeon, raise_exceptions=False)
    assert {name: result for name, result in results.items() if result != "PASSED"} == {} and len(results) >= 22


def test_pipeline_and_grid_search(tones):
    x, y = tones
    pipe = make_pipeline(FunctionTransformer(np.copy), TSFormerClassifier())
    search = GridSearchCV(pipe, {"tsformerclassifier__class_weight": [None, "balanced"]}, cv=2).fit(x, y)
    assert search.best_score_ > .9 and search.predict(x[:3]).tolist() == y[:3].tolist()


def test_groups(tones):
    x, y = tones
    persons = np.arange(48) // 8
    assert cross_val_score(TSFormerClassifier(), x, y, groups=persons, cv=GroupKFold(3)).mean() > .9
    fitted = TSFormerClassifier("scratch", epochs=1).fit(x, y, groups=persons)
    assert fitted.history_["val_loss"]


def test_others_stand_on_it(tones):
    x, y = tones
    stack = StackingClassifier([("ours", TSFormerClassifier()), ("ridge", RidgeClassifier())], cv=2)
    vote = VotingClassifier([("ours", TSFormerClassifier()), ("line", LogisticRegression())], voting="soft")
    calibrated = CalibratedClassifierCV(TSFormerClassifier(), cv=2)
    for model in (stack, vote, calibrated):
        assert model.fit(x, y).score(x, y) > .9


def test_it_survives_a_file_and_a_fresh_process(tones, tmp_path):
    x, y = tones
    fitted = TSFormerClassifier().fit(x, y)
    fitted.save(tmp_path / "kept")
    joblib.dump(fitted, tmp_path / "kept.joblib")
    np.save(tmp_path / "x.npy", x[:5])
    script = ("import os, sys, joblib, numpy as np; from tsformer_nb import TSFormerClassifier\n"
              "os.chdir(sys.argv[1]); x = np.load('x.npy')\n"
              "for one in (TSFormerClassifier.load('kept'), joblib.load('kept.joblib')):\n"
              "    print(*one.predict(x), one.predict_proba(x).round(5).tolist())")
    result = run(sys.executable, "-c", script, str(tmp_path))
    assert result.returncode == 0, result.stderr
    expected = f"{' '.join(y[:5])} {fitted.predict_proba(x[:5]).round(5).tolist()}"
    assert result.stdout.splitlines() == [expected, expected]


def test_a_folder_that_is_not_whole_is_refused(tones, tmp_path):
    x, y = tones
    TSFormerClassifier().fit(x, y).save(tmp_path)
    (tmp_path / "model.keras").write_bytes(b"")
    with pytest.raises(InputError, match="not the file"):
        TSFormerClassifier.load(tmp_path)


@pytest.mark.parametrize("name", ["metrics.json", "checkpoint.npz"])
def test_a_training_run_is_not_written_over(name, tones, tmp_path):
    (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match="another folder"):
        TSFormerClassifier().fit(*tones).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "{}"


def test_callbacks_and_warm_start(tones, tmp_path):
    x, y = tones
    seen = []
    heard = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    first = TSFormerClassifier("scratch", epochs=2, callbacks=[heard]).fit(x, y)
    assert seen == [0, 1] and len(first.history_["loss"]) == 2
    first.save(tmp_path)
    later = TSFormerClassifier("scratch", epochs=1, warm_start_from=tmp_path).fit(x, y)
    assert later.history_["loss"][0] < first.history_["loss"][0]
    TSFormerClassifier("frozen").fit(x, y).save(tmp_path)
    with pytest.raises(InputError, match="nothing to start from"):
        TSFormerClassifier("scratch", epochs=1, warm_start_from=tmp_path).fit(x, y)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(library, tones):
    library = pytest.importorskip(library)
    x, y = tones
    frame = library.DataFrame({f"t{step}": x[:, step] for step in STEPS})
    fitted = TSFormerClassifier().fit(frame, library.Series(y))
    assert fitted.feature_names_in_[0] == "t0" and fitted.predict(frame[:2]).tolist() == y[:2].tolist()


def test_what_is_trained_is_never_frozen(tones):
    "Epochs, callbacks and a warm start mean a training, however few series there are."
    x, y = tones
    for asked in ({"epochs": 1}, {"epochs": 1, "callbacks": [keras.callbacks.TerminateOnNaN()]}):
        assert TSFormerClassifier(**asked).fit(x, y).fitted_by_ == "scratch"
    assert TSFormerClassifier().fit(x, y).fitted_by_ == "frozen"


@pytest.mark.parametrize("lead, kept", [(-1, "frozen"), (1, "scratch")])  # always, and never
def test_of_both_fits_the_better_stays(lead, kept, tones, tmp_path, monkeypatch):
    x, y = tones
    monkeypatch.setattr(recipes, "FEW", 10)
    monkeypatch.setattr(runs, "LEAD", lead)
    monkeypatch.setitem(recipes.RECIPES, "tsformer", recipes.TrainingConfig(epochs=1))
    fitted = TSFormerClassifier().fit(x, y)
    assert fitted.fitted_by_ == kept and ("accuracy_left_out" in fitted.history_) == (kept == "frozen")
    data = Dataset("tones", x, np.unique(y, return_inverse=True)[1])
    metrics = runs.train_run(data, out=tmp_path, fit_by="auto", progress=False)
    assert set(metrics["held_out"]) == {"frozen", "scratch"} and metrics.get("fit", "scratch") == kept
    assert (tmp_path / "history.csv").exists() == (kept == "scratch")


def test_fine_tuning_goes_on_from_the_frozen_fit(tones):
    "The filters move, a little; lists of unequal length are no obstacle."
    x, y = tones
    several, y = [row[:40 - n % 5] for n, row in enumerate(x)], y.copy()
    y[::4] = y[::-4]  # or there would be nothing left to learn
    tuned = TSFormerClassifier("finetune", epochs=2).fit(several, y)
    assert tuned.fitted_by_ == "finetune" and len(tuned.history_["val_loss"]) == 2 and tuned.score(several, y) > .6
    start, _ = runs.tuned_start(Dataset("tones", arranged(several, 2), np.unique(y, return_inverse=True)[1]),
                                recipes.recipe_for("tsformer", "finetune"))
    before, after = (model.encoder.patterns["series"].get_weights() for model in (start, tuned.model_))
    moved = [abs(one - two).max() for one, two in zip(before, after)]
    assert len(moved) == 3 and 0 < moved[0] < .1


def test_longer_series_than_any_in_training(tones):
    "In a cross-validation the longest series may stand in the part that is asked."
    x, y = tones
    several = [row[:30 + n % 10] for n, row in enumerate(x)]  # 30 to 39 steps
    fitted = TSFormerClassifier().fit(several, y)
    assert fitted.score(list(x[:, :40]), y) > .8
    assert len(fitted.transform([np.r_[x[0], x[0]], x[1]])) == 2


def test_two_threads(tones):
    x, y = tones
    alone, found = TSFormerClassifier().fit(x, y).predict_proba(x), {}
    work = lambda name: found.update({name: TSFormerClassifier().fit(x, y).predict_proba(x)})
    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.allclose(found["a"], alone, atol=1e-6) and np.allclose(found["b"], alone, atol=1e-6)


def test_what_cannot_be_is_told(tones):
    x, y = tones
    for wrong, sentence in (({"fit_by": "quick"}, "choose one of"), ({"time_axis": 0}, "time_axis")):
        with pytest.raises(InputError, match=sentence):
            TSFormerClassifier(**wrong).fit(x, y)
    with pytest.raises(ValueError, match="nfinit"):
        TSFormerClassifier().fit(np.where(x > 1, np.inf, x), y)


def test_the_import_is_light():
    code = "import sys, tsformer_nb; print(sorted({'keras', 'numpy', 'sklearn', 'tensorflow'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_same_model_gives_the_same_bytes(tones):
    "So a tool that compares or caches by content is not misled by the time of day."
    fitted = TSFormerClassifier().fit(*tones)
    first = joblib.hash(fitted)
    time.sleep(2.1)  # the clock of a zip file ticks every two seconds
    assert joblib.hash(fitted) == first
