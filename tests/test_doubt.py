"Doubt: sets with a stated coverage, strangers among series of every form, labels left out, from everywhere."
import csv
import json
import pickle
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from conftest import command
from tsformer_nb import KernelClassifier
from tsformer_nb.data import Dataset, load_dataset, set_aside
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


def labels_in(path):
    return [line.split(",")[0] for line in path.read_text().splitlines()[1:]]


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
    with open(folder / "odd_labelled.csv", "w", newline="") as file:
        csv.writer(file).writerows([["label", *(f"t{n}" for n in range(60))], ["a", *odd[5]],
                                    *(["abc"[label], *one[:, 0]] for one, label in zip(new.x_train, new.y_train))])
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
    assert "of 6 series get a label" in told[-2] and "1 are unlike" in told[-2] and "Of 99 series held out" in told[-2]
    said = command("predict", "run", "new.csv", "--abstain", "0", cwd=run)
    assert "these have accuracy" in said.stderr and "12 of 12" in said.stderr, said.stderr
    said = command("predict", "run", "odd.csv", cwd=run)
    assert said.stdout.splitlines()[0] == "predicted,p(a),p(b),p(c)" and "class of series 6" in said.stderr


def test_evaluate_leaves_out_what_predict_leaves_out(run):
    said = command("evaluate", "run", "--data", "odd_labelled.csv", "--abstain", ".5", "--json", cwd=run)
    assert said.returncode == 0, said.stderr
    figures = json.loads(said.stdout)
    assert figures["unlike"] == 1 and figures["labelled"] == 12 and "13 series get a label" in said.stderr


def test_sets_are_checked_where_labels_are_known(run):
    said = command("predict", "run", "new.csv", "--coverage", ".9", "--json", cwd=run)
    found = json.loads(said.stdout)
    assert len(found["series"]) == 12 and all(row["may be"] and row["p(a)"] <= 1 for row in found["series"])
    held = np.mean([one in row["may be"] for one, row in zip(labels_in(run / "new.csv"), found["series"])])
    assert f"the true class is among them in {held:.4f}" in said.stderr and "this says nothing" in said.stderr


def test_labels_that_are_no_classes_are_told(run):
    text = (run / "new.csv").read_text().splitlines()
    (run / "words.csv").write_text("\n".join([text[0], *(f"state {line}" for line in text[1:])]))
    said = command("predict", "run", "words.csv", "--abstain", ".5", cwd=run)
    assert "state a, state b, state c is no class of the run" in said.stderr and "by the labels" not in said.stderr


def test_strangers_in_a_log_are_told_by_their_time(tmp_path):
    rng = np.random.default_rng(0)
    place = np.arange(60 * 40)
    wave = lambda slow: np.sin(place[:1200] / slow) + .1 * rng.standard_normal(1200)
    log = np.r_[wave(3), wave(7)]
    rows = [["time", "v", "state"], *([f"{n / 10:.1f}", v, "ab"[int(n >= 1200)]] for n, v in zip(place, log))]
    with open(tmp_path / "log.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    said = command("train", "--data", "log.csv", "--window", "40", "--hop", "20", "--model", "kernels", "--out", "run",
                   cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    strange = np.where((place >= 400) & (place < 480), 9 * np.sign(np.sin(place)), log)
    np.savetxt(tmp_path / "new.csv", np.c_[place / 10, strange], "%.4f", ",", header="time,v", comments="")
    said = command("predict", "run", "new.csv", cwd=tmp_path)
    assert len(said.stdout.splitlines()) == 1 + (2400 - 40) // 20 + 1  # none is lost
    assert re.search(r"the windows .*40\.0+ to 43\.90*, 42\.0+ to 45\.90*", said.stderr), said.stderr


def test_the_run_that_ships_knows_its_doubts(tmp_path):
    data = load_dataset("sample")
    np.savetxt(tmp_path / "new.csv", np.r_[data.x_test[:9, :, 0], [np.sin(np.arange(500) / 9)]], delimiter=",")
    said = command("predict", "FordA", "new.csv", "--abstain", ".9", "--coverage", ".9", cwd=tmp_path)
    assert said.returncode == 0 and "do not rely on the class of series 10 (1 of 10;" in said.stderr, said.stderr


@pytest.mark.parametrize("options, sentence", [
    (["--coverage", ".995"], "takes at least 199 series"), (["--coverage", "1"], "is not a number from"),
    (["--abstain", "x"], "is not a number from")])
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
