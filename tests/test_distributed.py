"Several processes train one model: what one of them does when another is killed, and that nothing is lost."
import csv
import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT, TORTURE, command

pytest.importorskip("jax", "0.10")
TSFORMER = ["tsformer", *(word for size in ("d_model=16", "num_heads=2", "ff_dim=16", "num_blocks=1")
                          for word in ("--set", size))]
LAST = 30 + 20  # seconds: the heartbeat, and a few more


def start(n_processes, out, *words, model=("collapsed",)):
    "As many processes, which train together on this machine."
    from tsformer_nb.distributed import on_this_machine

    line = [sys.executable, "-m", "tsformer_nb", "train", "--distributed", "--data", "sample", "--out", str(out),
            "--model", *model, *words]
    return [subprocess.Popen(line, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env={**os.environ, "PYTHONPATH": str(ROOT), **one.variables()})
            for one in on_this_machine(n_processes)]


def ended(processes, timeout=300):
    said = [process.communicate(timeout=timeout) for process in processes]
    return [process.returncode for process in processes], said


def losses(out):
    rows = list(csv.DictReader((out / "history.csv").open())) if (out / "history.csv").exists() else []
    return [float(row[name]) for row in rows for name in ("loss", "val_loss")]


WORDS = ("--epochs", "60", "--set", "patience=60")  # so that it is killed long before its end


def killed(folder, rank, what):
    both = start(2, folder / "two", *WORDS)
    while not losses(folder / "two"):
        assert [process.poll() for process in both] == [None, None], ended(both)
        time.sleep(.1)
    both[rank].send_signal(what)
    began = time.monotonic()
    (status,), (said,) = ended([both[1 - rank]], timeout=LAST + 40)
    told = said[1]
    assert status not in (0, 1), said
    assert time.monotonic() - began < LAST and "one of the processes ended" in told.lower(), said
    assert "Traceback" not in told and "--resume" in told
    both[rank].kill()  # one that was only stopped
    both[rank].communicate()


def killed_and_resumed(folder, rank, what):
    alone = start(1, folder / "one", *WORDS)
    killed(folder, rank, what)
    statuses, said = ended(start(2, folder / "two", *WORDS, "--resume"))
    assert statuses == [0, 0], said
    assert "saved in" in said[0][0] and "process 0 saves the run" in said[1][0]
    assert ended(alone)[0] == [0]
    one, two = losses(folder / "one"), losses(folder / "two")
    assert len(one) == len(two) == 120 and max(abs(a - b) for a, b in zip(one, two)) < 1e-6
    assert command("evaluate", folder / "two").returncode == 0


@pytest.mark.slow
def test_process_0_is_killed(tmp_path):
    killed(tmp_path, 0, signal.SIGKILL)
    assert losses(tmp_path / "two") and (tmp_path / "two" / "checkpoint.npz").exists()


@pytest.mark.slow
@pytest.mark.skipif(not TORTURE, reason="`make torture` kills in every way, and resumes")
@pytest.mark.parametrize("what", (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGINT))
@pytest.mark.parametrize("rank", (0, 1))
def test_either_process_ends_in_every_way(tmp_path, rank, what):
    killed_and_resumed(tmp_path, rank, what)


@pytest.mark.slow
@pytest.mark.skipif(not TORTURE, reason="minutes: `make torture` does it")
def test_two_and_four_processes_train_as_one_does(tmp_path):
    found = {}
    for n_processes in (1, 2, 4):
        statuses, said = ended(start(n_processes, tmp_path / str(n_processes), "--epochs", "3", model=TSFORMER), 600)
        assert statuses == [0] * n_processes, said
        found[n_processes] = losses(tmp_path / str(n_processes))
    assert len(found[1]) == 6
    assert all(abs(a - b) < 1e-6 for n in (2, 4) for a, b in zip(found[1], found[n], strict=True))


@pytest.mark.slow
def test_what_cannot_be_shared_is_refused(tmp_path):
    (kernels,), ((_, told),) = ended(start(1, tmp_path, model=("kernels",)))
    assert kernels == 2 and told.strip().splitlines()[-1].startswith("tsformer-nb: Several processes train one model")


def test_without_its_variables_a_process_is_told_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # the command sets it, and what other tests start would see that
    told = command("train", "--distributed", "--data", "sample", "--model", "collapsed", "--out", tmp_path)
    assert told.returncode == 2 and "KERAS_" in told.stderr and "set" in told.stderr
