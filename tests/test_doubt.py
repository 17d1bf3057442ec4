"Doubt: sets with a stated coverage, strangers among series of every form, labels left out, from everywhere."
import csv
import json
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest

from conftest import command
from tsformer_nb import KernelClassifier
from tsformer_nb.data import Dataset, set_aside
from tsformer_nb.doubt import (
    Doubt, NoveltyDetector, class_sets, descriptors, doubt_from_bytes, doubt_to_bytes, labelled, set_threshold)
from tsformer_nb.evaluation import predict
from tsformer_nb.fitting import fit, tempered
from tsformer_nb.io.files import InputError
from tsformer_nb.runs import load_doubt, train_run


def waves(n, n_steps=60, n_channels=1, shortest=60, seed=0):
    "Noisy waves, whose class is their frequency."
    rng, y = np.random.default_rng(seed), np.arange(n) % 3
    x = rng.normal(0, .5, (n, n_steps, n_channels)).astype("float32")
    x += np.sin(np.arange(n_steps) * (y[:, None] + 1) / 4)[:, :, None]
    for series, end in zip(x[1:], rng.integers(shortest, n_steps + 1, n)):
        series[end:] = np.nan
    return Dataset("waves", x, y, x[:9], y[:9], (0, 1, 2))


@pytest.mark.parametrize("n, coverage", [(9, .9), (30, .8), (99, .9), (100, .95)])
def test_sets_cover_what_they_promise(n, coverage):
    "However wrong the probabilities are: over many draws, not for each."
    rng, held = np.random.default_rng(0), []
    for _ in range(2000):
        p = rng.dirichlet([.3] * 4, n + 1)  # of classes that have nothing to do with the truth
        truth = rng.integers(0, 4, n + 1)
        held.append(class_sets(p[-1:], set_threshold(p[:-1], truth[:-1], coverage))[0, truth[-1]])
    assert coverage - .02 < np.mean(held)
    with pytest.raises(InputError, match=f"takes at least {n + 1} series"):
        set_threshold(p[:-1], truth[:-1], n / (n + 1) + 1 / (n + 1) - 1 / (n + 2))


def test_sets_are_never_empty_and_grow_with_the_coverage():
    rng = np.random.default_rng(0)
    p, truth = rng.dirichlet([1] * 5, 100), rng.integers(0, 5, 100)
    sets = [class_sets(p, set_threshold(p, truth, one)) for one in (0, .5, .9, .99)]
    assert sets[0].any(axis=1).all() and all((b | ~a).all() for a, b in zip(sets, sets[1:]))
    assert sets[0][np.arange(100), p.argmax(axis=1)].all()
    with pytest.raises(InputError, match="a share from 0 to below 1"):
        set_threshold(p, truth, 1.5)
    with pytest.raises(InputError, match="there is no coverage"):
        set_threshold(np.empty((0, 3)), np.empty(0, int), .5)


def test_labels_above_a_threshold():
    p, truth = np.array([[.9, .1], [.6, .4], [.2, .8]]), np.array([0, 1, 1])
    assert labelled(p, truth, .7) == (2 / 3, 1) and labelled(p, truth, 0) == (1, 2 / 3)
    share, right = labelled(p, truth, .95)
    assert share == 0 and np.isnan(right)


FORMS = {"one channel": {}, "several channels": {"n_channels": 3}, "unequal lengths": {"shortest": 20},
         "three steps": {"n_steps": 3, "shortest": 3}, "one step": {"n_steps": 1, "shortest": 1}}


@pytest.mark.parametrize("form", FORMS)
def test_strangers_are_told_and_false_alarms_are_as_rare_as_stated(form):
    data, new = waves(300, **FORMS[form]), waves(2000, **FORMS[form], seed=1).x_train
    novelty = NoveltyDetector.of(data)
    assert novelty.rate <= .01 and novelty.unlike(new).mean() < .02
    assert novelty.unlike(new[:50] * 100).mean() > .9 and novelty.unlike(new[:50] + 100).all()  # 0 * 100 is 0
    flat = np.ones_like(new[:5])
    if data.n_timesteps > 3:
        assert novelty.unlike(flat).all()
        assert novelty.unlike(np.nan_to_num(new[:50])[:, ::-1].cumsum(axis=1)).mean() > .9
    assert np.array_equal(novelty.familiarity(data.x_train[:3]), novelty.familiarity(data.x_train)[:3])
    assert np.array_equal(novelty.unlike(new), novelty.distance(new) > novelty.apart[-novelty.n_rare])
    again = doubt_from_bytes(doubt_to_bytes(Doubt(np.zeros((0, 3)), np.zeros(0, int), novelty)))
    assert np.array_equal(again.novelty.familiarity(new), novelty.familiarity(new))


def test_strangers_among_few_or_equal_series():
    data = waves(30)
    assert NoveltyDetector.of(set_aside(data, np.arange(18, 30))) is None  # 18 series: one alarm in 19
    few = NoveltyDetector.of(set_aside(data, np.arange(19, 30)))
    assert few.rate == 1 / 20 and len(few.apart) == 19
    same = replace(data, x_train=np.repeat(data.x_train[:1], 30, axis=0))
    found = NoveltyDetector.of(same)
    assert not found.unlike(data.x_train[:1]).any() and found.unlike(data.x_train[:1] * 2).all()
    gone = np.full_like(data.x_train[:2], np.nan)  # nothing was measured
    assert all(np.isfinite(one).all() for one in descriptors(gone).values()) and few.unlike(gone).all()


def test_series_of_one_person_do_not_vouch_for_each_other():
    data = waves(60)
    pairs = replace(data, x_train=np.repeat(data.x_train[:30], 2, axis=0), y_train=np.repeat(data.y_train[:30], 2))
    alone, together = NoveltyDetector.of(pairs), NoveltyDetector.of(replace(pairs, groups=np.arange(60) // 2))
    assert not alone.apart.any() and together.apart.min() > 0  # each has a copy, of the same person
    one = NoveltyDetector.of(replace(data, groups=np.zeros(60, int)))
    assert np.isfinite(one.apart).all()


def test_a_temperature_keeps_classes_and_stays_in_the_model():
    data = waves(90)
    fitted = fit(data, "tsformer", {"epochs": 3, "min_steps": 5})
    temperature, x = fitted.facts["temperature"], data.x_train[fitted.held_out]
    after = predict(fitted.model, x)
    np.testing.assert_allclose(after, fitted.probabilities, atol=1e-5)
    truth = data.y_train[fitted.held_out]
    surprise = lambda p: -np.log(p[np.arange(len(p)), truth]).mean()
    others = (tempered(after, one) for one in (.8, 1 / temperature, 1.25))
    assert surprise(after) <= min(map(surprise, others)) + .01
    assert "temperature" not in fit(data, "collapsed", {"epochs": 1}).facts  # stays as it was published


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    "A run of kernels, and tables of new series: with labels, and with a stranger."
    folder, data = tmp_path_factory.mktemp("doubt"), waves(99)
    new = waves(12, seed=1)
    for name, x, y in (("own", data.x_train, data.y_train), ("new", new.x_train, new.y_train)):
        with open(folder / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([["label", *(f"t{n}" for n in range(60))],
                                        *(["abc"[label], *one[:, 0]] for one, label in zip(x, y))])
    odd = np.concatenate([new.x_train[:5, :, 0], 5 * np.sign(np.sin(np.arange(60)))[None]])
    np.savetxt(folder / "odd.csv", odd, delimiter=",")
    train_run(replace(data, name="own", source=str(folder / "own.csv"), classes=tuple("abc")), "kernels",
              out=folder / "run", progress=False)
    return folder


def test_a_terminal_tells_doubts(run):
    said = command("predict", "run", "odd.csv", "--abstain", ".6", "--coverage", ".9", cwd=run)
    assert said.returncode == 0, said.stderr
    rows = list(csv.DictReader(said.stdout.splitlines()))
    assert [*rows[0]] == ["predicted", "p(a)", "p(b)", "p(c)", "may be", "familiarity"]
    assert rows[5]["predicted"] == "" and float(rows[5]["familiarity"]) == .01
    assert all({*row["may be"].split("|")} <= {*"abc"} and row["may be"] for row in rows)
    told = said.stderr.splitlines()
    assert "do not rely on the class of series 6 (1 of 6;" in told[0] and "1 in 100" in told[0]
    assert "of 6 series get a label" in told[-1] and "1 are unlike" in told[-1] and "Of 99 series held out" in told[-1]
    said = command("predict", "run", "new.csv", "--abstain", "0", cwd=run)
    assert "these have accuracy" in said.stderr and "12 of 12" in said.stderr, said.stderr
    said = command("predict", "run", "odd.csv", cwd=run)
    assert said.stdout.splitlines()[0] == "predicted,p(a),p(b),p(c)" and "class of series 6" in said.stderr


def test_evaluate_tells_what_a_threshold_gains(run):
    said = command("evaluate", "run", "--abstain", ".5", cwd=run)
    assert said.returncode == 0 and "with a probability of at least 0.5: " in said.stdout, said.stderr


@pytest.mark.parametrize("options, sentence", [
    (["--coverage", ".995"], "takes at least 199 series"), (["--coverage", "1"], "is not a share"),
    (["--abstain", "x"], "is not a share")])
def test_doubts_that_cannot_be_had(options, sentence, run):
    said = command("predict", "run", "new.csv", *options, cwd=run)
    assert said.returncode == 2 and sentence in said.stderr.splitlines()[-1] and said.stdout == ""


def test_runs_of_older_versions_and_damaged_ones(run, tmp_path):
    shutil.copytree(run / "run", tmp_path / "run")
    path = tmp_path / "run" / "metrics.json"
    about = json.loads(path.read_text())
    (tmp_path / "run" / "doubt.npz").write_bytes(b"no zip")
    said = command("predict", tmp_path / "run", run / "odd.csv")
    assert said.returncode == 2 and "doubt.npz is missing, or not the file" in said.stderr
    del about["doubt_sha256"]
    path.write_text(json.dumps(about))
    (tmp_path / "run" / "doubt.npz").unlink()
    assert load_doubt(tmp_path / "run") is None
    said = command("predict", tmp_path / "run", run / "odd.csv", "--abstain", ".6")
    assert said.returncode == 0 and "is not known" in said.stderr and "class of series 6" not in said.stderr
    said = command("predict", tmp_path / "run", run / "odd.csv", "--coverage", ".9")
    assert said.returncode == 2 and "train again" in said.stderr


def test_estimators_doubt_too(tmp_path):
    data = waves(60)
    X, y = data.x_train[:, :, 0], np.array(["low", "middle", "high"])[data.y_train]
    fitted = KernelClassifier().fit(X, y)
    sets, familiar = fitted.predict_set(X[:5], .9), fitted.familiarity(np.concatenate([X[:5], X[:1] * 50]))
    assert all({*one} <= {"low", "middle", "high"} for one in sets) and familiar[-1] == 1 / 61 < familiar[:5].min()
    fitted.save(tmp_path / "kept")
    for again in (pickle.loads(pickle.dumps(fitted)), KernelClassifier.load(tmp_path / "kept")):
        assert np.array_equal(again.familiarity(X), fitted.familiarity(X))
        assert all(map(np.array_equal, again.predict_set(X[:5], .9), sets))
    del again.doubt_  # as in a copy of an older version
    with pytest.raises(InputError, match="fit it again"):
        again.familiarity(X)
    with pytest.raises(InputError, match="too few training series"):
        KernelClassifier().fit(X[:9], y[:9]).familiarity(X)
