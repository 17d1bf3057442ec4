"Tuning: shared, killed, stopped and resumed searches; what is found reaches a run; more data; habits of other tools."
import csv
import json
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from conftest import ROOT, TORTURE, command, run
from tsformer_nb import tune as tuning
from tsformer_nb.data import load_dataset
from tsformer_nb.io.files import InputError
from tsformer_nb.runs import load_run
from tsformer_nb.tune import judge, open_study, plot_trials, run_trials, try_candidate

CHOICES = {"rate": [1., 2., 4.], "blocks": [2, 1, 3], "windows": ["125,250", "none"]}
PROCESS = """
import sys, time
from tsformer_nb import tune as tuning
tuning.BEAT, tuning.GONE = 1, 3
def judge(settings, seed):
    time.sleep(2 if seed == 2 else .2)
    print(sorted(settings.items()), seed, flush=True)
    if sys.argv[1] == "stays" and seed == 1:
        sys.stdin.readline()  # nothing comes: it stays in the middle of a candidate until it is killed
    accuracy = settings["rate"] / 10 + settings["blocks"] / 100 + seed / 1000
    return {"accuracy": accuracy, "accuracy_raw": accuracy, "loss": 1., "seconds": .4, "parameters": 1}
choices = {"rate": [1., 2., 4.], "blocks": [2, 1, 3], "windows": ["125,250", "none"]}
study = tuning.open_study("sqlite:///study.db", "toy", {"data": 1}, choices)
print("ready", flush=True)
sys.stdin.readline()
tuning.run_trials(study, lambda trial: tuning.try_candidate(trial, judge, choices), 12)
"""


def toy(settings, seed):
    accuracy = settings["rate"] / 10 + settings["blocks"] / 100 + seed / 1000
    return {"accuracy": accuracy, "accuracy_raw": accuracy, "loss": 1., "seconds": 0., "parameters": 1}


def study_in(folder, about=1):
    return open_study(f"sqlite:///{folder}/study.db", "toy", {"data": about}, CHOICES)


@pytest.mark.slow
@pytest.mark.skipif(not TORTURE, reason="half a minute: `make torture` does it")
def test_of_two_processes_one_is_killed(tmp_path):
    (tmp_path / "go.py").write_text(PROCESS)
    start = lambda how: subprocess.Popen([sys.executable, "go.py", how], cwd=tmp_path, text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                         env={**os.environ, "PYTHONPATH": str(ROOT)})
    first = start("goes on")
    assert first.stdout.readline() == "ready\n"
    second = start("stays")
    assert second.stdout.readline() == "ready\n"
    for process in (first, second):  # one after the other: on SQLite two at once may both take the first candidate
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline().endswith(" 0\n")
    begun = next(line for line in second.stdout if line.endswith(" 1\n"))  # one split of a candidate is kept
    second.send_signal(signal.SIGKILL)
    assert first.wait(120) == 0 and second.wait(10) == -signal.SIGKILL and begun
    study = study_in(tmp_path)
    states = [one.state.name for one in study.trials]
    finished = [one for one in study.trials if one.state.name in ("COMPLETE", "PRUNED")]
    assert len(finished) == 12 and states.count("FAIL") == 1 and "RUNNING" not in states, states
    lost = next(one for one in study.trials if one.state.name == "FAIL")
    taken_up = [one for one in finished if one.number > lost.number and one.params == lost.params]
    kept = lost.user_attrs["found"]
    assert kept and taken_up[0].user_attrs["found"][:len(kept)] == kept  # these splits were not judged again


def test_a_search_goes_on_where_ctrl_c_stopped_it(tmp_path):
    asked = []

    def stopped(settings, seed):
        if len(asked) == 4:
            raise KeyboardInterrupt
        asked.append((dict(settings), seed))
        return toy(settings, seed)

    study = study_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_trials(study, lambda trial: try_candidate(trial, stopped, CHOICES), 6)
    left = asked[3][0]  # one split of the second candidate was done
    again = study_in(tmp_path)
    asked.append(None)
    run_trials(again, lambda trial: try_candidate(trial, stopped, CHOICES), 6)
    assert asked[5] == (left, 1), asked
    assert sum(one.state.name in ("COMPLETE", "PRUNED") for one in again.trials) == 6


def test_a_process_that_slept_goes_on_with_another_candidate(tmp_path):
    "Its candidate was taken up meanwhile: that is no error."
    study, slept = study_in(tmp_path), []

    def asleep(settings, seed):
        if not slept:
            running = next(one for one in study.get_trials() if one.state.name == "RUNNING")
            slept.append(study._storage.set_trial_state_values(running._trial_id, running.state.__class__.FAIL))
        return toy(settings, seed)

    run_trials(study, lambda trial: try_candidate(trial, asleep, CHOICES), 3)
    assert sum(one.state.name in ("COMPLETE", "PRUNED") for one in study.trials) == 3 and slept


def test_a_search_by_one_process_can_be_repeated(tmp_path):
    found = []
    for name in "ab":
        (tmp_path / name).mkdir()
        study = study_in(tmp_path / name)
        for n_trials in (5, 14) if name == "a" else (14,):  # stopped once, or never
            run_trials(study, lambda trial: try_candidate(trial, toy, CHOICES), n_trials)
        found.append([one.params for one in study.trials])
    assert found[0] == found[1] and len(found[0]) == 14
    assert found[0][0] == {name: values[0] for name, values in CHOICES.items()}


def test_a_bad_candidate_is_given_up_but_bad_data_are_told(tmp_path):
    def picky(settings, seed):
        if settings["rate"] == 4 and seed == 1:
            raise InputError("The loss of epoch 3 is nan.")
        return toy(settings, seed)

    study = study_in(tmp_path)
    run_trials(study, lambda trial: try_candidate(trial, picky, CHOICES), 12)
    bad = [one for one in study.trials if "error" in one.user_attrs]
    assert bad and all(one.state.name == "PRUNED" for one in bad) and study.best_params["rate"] == 2

    def never(settings, seed):
        raise InputError("These series cannot be used.")

    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="cannot be used"):
        run_trials(study_in(tmp_path / "b"), lambda trial: try_candidate(trial, never, CHOICES), 3)


def test_another_study_is_refused(tmp_path):
    study_in(tmp_path)
    with pytest.raises(InputError, match="differs in its data: choose another folder"):
        study_in(tmp_path, about=2)
    with pytest.raises(InputError, match="cannot be used as a database"):
        open_study("nonsense://x", "toy", {}, CHOICES)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "study.db").write_bytes(b"no database, but a file of some length" * 99)
    with pytest.raises(InputError, match="cannot be used as a database"):
        study_in(tmp_path / "b")


def test_the_test_part_is_not_looked_at():
    data = load_dataset("sample")
    other = replace(data, x_test=-data.x_test[::-1] * 100, y_test=data.y_test)
    first, second = (judge({"n_filters": 16}, one, 1, "kernels") for one in (data, other))
    assert first.pop("seconds") > 0 and second.pop("seconds") > 0 and first == second


def test_a_whole_search_of_kernels(tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "SPLITS", 2)
    options = ["tune", "--data", "sample", "--model", "kernels", "--trials", "3", "--set", "n_filters=16",
               "n_points=128", "--out", "search"]
    said = command(*options, "--json", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert {"study.db", "trials.csv", "tuned.png"} <= {path.name for path in (tmp_path / "search").iterdir()}
    rows = list(csv.DictReader((tmp_path / "search" / "trials.csv").open()))
    assert [*rows[0]][:4] == ["trial", "state", "accuracy", "accuracies"] and len(rows) == 3 == found["candidates"]
    assert "n_filters" not in rows[0] and found["settings"]["n_filters"] == "16"
    words = shlex.split(found["command"])
    assert words[:6] == ["tsformer-nb", "train", "--data", "sample", "--model", "kernels"] and "--set" in words
    said = command(*words[1:], "--out", "winner", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    model, metrics = load_run(tmp_path / "winner")
    assert model.config.n_filters == 16 == metrics["sizes"]["n_filters"]
    before = (tmp_path / "search" / "trials.csv").read_bytes()
    assert command(*options, cwd=tmp_path).returncode == 0  # nothing is left to do
    assert (tmp_path / "search" / "trials.csv").read_bytes() == before
    said = command(*options[:8], "n_filters=8", "--out", "search", cwd=tmp_path)
    assert said.returncode == 2 and "differs in its" in said.stderr, said.stderr


def test_messages_of_settings(tmp_path):
    for options, sentence in (
            (["--set", "depth=3", "--model", "tsformer"], "'depth' is no setting of tsformer: choose among epochs"),
            (["--set", "num_blocks=3"], "Settings belong to one model"), (["--set", "num_blocks"], "NAME=VALUE"),
            (["--set", "epochs=many", "--model", "tsformer"], "epochs=many: it takes a whole number"),
            (["--set", "num_heads=5", "--model", "tsformer"], "num_heads=5"),
            (["--set", "n_filters=9", "--model", "collapsed"], "'n_filters' is no setting of collapsed")):
        said = command("train", "--data", "sample", *options, cwd=tmp_path)
        assert said.returncode == 2 and sentence in said.stderr, said.stderr
    assert not list(tmp_path.glob("runs/*/*"))


def test_estimators_take_settings(tmp_path):
    from sklearn.base import clone
    from tsformer_nb import KernelClassifier

    data = load_dataset("sample")
    known = clone(KernelClassifier(settings={"n_filters": 16, "dither": 0.})).fit(data.x_train[:, :, 0], data.y_train)
    assert known.model_.config.n_filters == 16
    known.save(tmp_path / "saved")
    again = KernelClassifier.load(tmp_path / "saved")
    assert again.settings == known.settings and again.model_.config == known.model_.config
    with pytest.raises(InputError, match="'depth' is no setting of kernels"):
        KernelClassifier(settings={"depth": 3}).fit(data.x_train[:, :, 0], data.y_train)


def test_without_optuna_its_name_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    said = command("tune", "--data", "sample", cwd=tmp_path)
    assert said.returncode == 2 and "pip install 'tsformer_nb[tune]'" in said.stderr


def test_the_old_record_can_be_read_and_drawn(tmp_path):
    import optuna
    from optuna.storages.journal import JournalFileBackend
    from tsformer_nb.lab import search

    rows = list(csv.DictReader((ROOT / "nbs" / "results" / "search.csv").open()))
    figure = plot_trials(rows, {name: values for name, values in search.CHOICES.items()})
    assert len(rows) > 10 and len(figure.axes) == 6
    journal = tmp_path / "search.journal"
    journal.write_bytes((ROOT / "nbs" / "results" / "search.journal").read_bytes())
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    study = optuna.load_study(study_name="tsformer", storage=storage)
    found = [one for one in study.trials if one.datetime_complete]
    assert [f"{np.mean(one.user_attrs['accuracies']):.4f}" for one in found] == [f"{float(row['accuracy']):.4f}" for row
                                                                               in rows]


def test_a_learning_curve(tmp_path):
    said = command("learning-curve", "--data", "sample", "--model", "kernels", "--splits", "2", "--out", "curve.png",
                   "--set", "n_filters=8", cwd=tmp_path)
    assert said.returncode == 0 and "the last doubling brought" in said.stdout, said.stderr
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"
    said = command("learning-curve", "--data", "sample", "--out", "curve.pdf", cwd=tmp_path)
    assert said.returncode == 2 and "takes a picture (.png)" in said.stderr


@pytest.mark.slow
def test_settings_and_tensorboard(tmp_path):
    said = command("train", "--data", "sample", "--model", "tsformer", "--set", "num_blocks=1", "windows=none",
                   "min_steps=1", "epochs=2", "--tensorboard", "board", "--out", "run", "--json", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    metrics = json.loads(said.stdout)
    assert metrics["sizes"] == {"num_blocks": 1, "windows": []} and metrics["training"]["epochs"] == 2
    model, _ = load_run(tmp_path / "run")
    assert len(model.blocks) == 1 and model.spectrum is None
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for part in ("train", "validation"):
        found = EventAccumulator(str(tmp_path / "board" / part))
        found.Reload()
        assert "epoch_loss" in found.Tags()["tensors"] and len(found.Tensors("epoch_loss")) == 2
    said = command("evaluate", "run", "--page", "page.html", "--json", cwd=tmp_path)
    assert said.returncode == 0 and json.loads(said.stdout)["test_accuracy"] == metrics["test_accuracy"]
    assert b"</html>" in (tmp_path / "page.html").read_bytes()
    said = command("train", "--data", "sample", "--model", "kernels", "--tensorboard", "b", "--out", "k", cwd=tmp_path)
    assert said.returncode == 0 and "nothing for TensorBoard" in said.stderr


def test_results_for_scripts(tmp_path):
    said = command("data", "sample", "--json", cwd=tmp_path)
    found = json.loads(said.stdout)
    assert found["series"]["training"] == {"-1": 32, "1": 32} and "64 series" in said.stderr
    said = command("data", "nowhere", "--json", cwd=tmp_path)
    assert said.returncode == 2 and said.stdout == ""


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion(shell, tmp_path):
    said = run(sys.executable, "-m", "tsformer_nb", "--completion", shell)
    script = tmp_path / "completion"
    script.write_text(said.stdout)
    assert "learning-curve" in said.stdout and "--abstain" in said.stdout
    if shell == "bash":
        asked = "COMP_WORDS=(tsformer-nb ev); COMP_CWORD=1; _shtab_tsformer_nb; echo ${COMPREPLY[@]}"
        found = run("bash", "-c", f"source {script}; {asked}")
        assert "evaluate" in found.stdout, found.stderr


@pytest.mark.parametrize("words, sentence", [
    (["train", "--model", "kernels", "--set", "dither=nan"], "dither=nan: it takes a number"),
    (["train", "--model", "kernels", "--set", "epochs=3"], "'epochs' is no setting of kernels"),
    (["train", "--model", "kernels", "--set", "n_levels=3", "n_levels=5"], "--set names n_levels twice"),
    (["train", "--model", "kernels", "--dither", ".1", "--set", "dither=.2"], "give it two values"),
    (["train", "--model", "tsformer", "--epochs", "1", "--tensorboard", "t.txt"], "t.txt: cannot be used as a folder"),
    (["tune", "--model", "kernels", "--set", "n_filters=-8"], "must be at least 1"),
    (["tune", "--model", "kernels", "--storage", "postgresql://me:secret@nowhere/n"], "pip install psycopg2-binary")])
def test_values_that_no_fit_takes_leave_nothing(tmp_path, words, sentence):
    (tmp_path / "t.txt").touch()
    said = command(words[0], "--data", "sample", *words[1:], "--out", "out", cwd=tmp_path)
    assert said.returncode == 2 and sentence in said.stderr and "secret" not in said.stderr, said.stderr
    assert not [*(tmp_path / "out").glob("*")] if (tmp_path / "out").exists() else True
