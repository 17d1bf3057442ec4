"Series that stay on disk: the same fits as in memory, killed and resumed; memory stays flat; faults are told."
import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pandas
import pytest
from sklearn.base import clone

from conftest import ROOT, TORTURE
from tsformer_nb import cli, kernel_model
from tsformer_nb import data as datas
from tsformer_nb.data import Dataset, load_dataset
from tsformer_nb.estimator import KernelClassifier
from tsformer_nb.evaluation import evaluate, predict
from tsformer_nb.fitting import fit
from tsformer_nb.io.files import InputError
from tsformer_nb.io.on_disk import large_parts, on_disk, rewritten
from tsformer_nb.recipes import TrainingConfig
from tsformer_nb.runs import load_run


def sample_files(folder, part="train", n_files=3, change=lambda x: x):
    data = load_dataset("sample")
    x, y = (data.x_train, data.y_train) if part == "train" else (data.x_test, data.y_test)
    x, labels = change(x), np.array(data.classes)[y]
    for n in range(n_files):
        np.save(folder / f"X_{part}-{n}.npy", np.array_split(x, n_files)[n])
        np.save(folder / f"y_{part}-{n}.npy", np.array_split(labels, n_files)[n])
    return x, y


@pytest.fixture
def small_is_large(monkeypatch):
    monkeypatch.setattr(datas, "large_parts", partial(large_parts, least=1000))
    monkeypatch.setattr(kernel_model, "MOST_AT_ONCE", 40)


@pytest.fixture
def both(tmp_path, small_is_large):  # the same data set, on disk and in memory
    x, y = sample_files(tmp_path)
    x_test, y_test = sample_files(tmp_path, "test", 1)
    return load_dataset(tmp_path), Dataset(tmp_path.name, x, y, x_test, y_test, (-1, 1))


FITS = [("kernels", {}, {"n_filters": 8}), ("collapsed", {"epochs": 2}, None)]


@pytest.mark.parametrize("model, recipe, sizes", [*FITS, *[("tsformer", {"epochs": 2}, None)] * TORTURE])
def test_a_fit_from_disk_is_the_one_in_memory(both, model, recipe, sizes):
    on, off = (fit(data, model, {**recipe, "class_weight": "balanced"}, sizes=sizes) for data in both)
    assert on.history == off.history and (on.held_out == off.held_out).all()
    assert (on.probabilities == off.probabilities).all()
    assert (predict(on.model, both[0].x_test) == predict(off.model, both[1].x_test)).all()
    assert evaluate(on.model, both[0]) == evaluate(off.model, both[1])


@pytest.mark.skipif(not TORTURE, reason="a minute: `make torture`")
def test_auto_compares_on_disk(both, monkeypatch):
    monkeypatch.setattr("tsformer_nb.recipes.FEW", 10)
    on, off = (fit(data, "auto", TrainingConfig(epochs=1)) for data in both)
    assert on.name == off.name and on.compared == off.compared and len(on.compared) == 2


def test_an_estimator_takes_series_on_disk(both):
    on, off = both
    x = on_disk([file.path for file in on.x_train.files])
    small = KernelClassifier(settings={"n_filters": 8})
    ours, usual = clone(small).fit(x, on.y_train), clone(small).fit(off.x_train[:, :, 0], off.y_train)
    assert (ours.predict_proba(on.x_test) == usual.predict_proba(off.x_test[:, :, 0])).all()
    weighted = clone(small).fit(x, on.y_train, sample_weight=np.arange(len(x)) % 3)
    assert (weighted.predict(on.x_test) == weighted.predict(off.x_test[:, :, 0])).all()


def test_a_run_of_series_on_disk(tmp_path, small_is_large, capsys):
    sample_files(tmp_path)
    place, out = str(tmp_path), str(tmp_path / "run")
    kernels = ["--data", place, "--model", "kernels"]
    for words in (["data", place], ["train", *kernels, "--set", "n_filters=8", "--out", out], ["evaluate", out],
                  ["tune", *kernels, "--trials", "1", "--out", str(tmp_path / "tune")]):
        assert cli.main(words) == 0, words
    told = capsys.readouterr()
    assert "2 classes, on disk" in told.out and "16 of its 64 series are set aside" in told.err


def test_a_value_that_is_missing_is_named(tmp_path, small_is_large, capsys):
    def break_one(x):
        x = x.copy()
        x[40, 7] = np.nan  # the 19th of the second of three files
        return x

    sample_files(tmp_path, change=break_one)
    assert cli.main(["train", "--data", str(tmp_path), "--model", "kernels", "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.endswith("X_train-1.npy[18, 7, 0] is nan: series on disk need a number at every step. Fill the gap, or "
                         "leave the series out.") and not (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.parametrize("wrong, sentence", [
    (lambda f: (f / "y_train-1.npy").unlink(), "X_train-1.npy has no counterpart that begins with y"),
    (lambda f: (f / "X_train-1.npy").unlink(), "y_train-1.npy has no counterpart that begins with x"),
    (lambda f: np.save(f / "y_train-2.npy", np.zeros(3)), r"y_train-2.npy has the shape \(3,\), and its file of"),
    (lambda f: np.save(f / "X_train-2.npy", np.zeros((21, 30))), r"X_train-2.npy holds series of the shape \(30, 1\)"),
    (lambda f: (f / "X_train-0.npy").write_bytes(b"no array" * 999), "X_train-0.npy cannot be read as an array"),
    (lambda f: (f / "y_train-0.npy").write_bytes(b"no array"), "y_train-0.npy cannot be read as labels"),
    (lambda f: np.save(f / "X_test.npy", np.zeros((4, 300))) or np.save(f / "y_test.npy", np.zeros(4)),
     r"x_test has \(4, 300, 1\): series on disk are of one length")])
def test_faulty_files_are_told(tmp_path, small_is_large, wrong, sentence):
    sample_files(tmp_path)
    wrong(tmp_path)
    with pytest.raises(InputError, match=sentence):
        load_dataset(tmp_path)


PARQUET = [
    (lambda frame: frame.drop(columns="label"), "has no column of labels: choose one of 0, 1"),
    (lambda frame: frame.assign(**{"3": np.where(frame.index == 5, np.nan, 1.)}), "row 6, counted through all files"),
    (lambda frame: frame[["label"]].assign(label=frame.label.astype(str)), "neither columns of lists nor of numbers"),
    (lambda frame: pandas.DataFrame({"label": frame.label, "a": [[1.] * (2 + n % 2) for n in range(len(frame))]}),
     "rows 1 to 64: lists of unequal lengths")]


@pytest.mark.parametrize("change, sentence", PARQUET)
def test_faulty_parquet_is_told_and_leaves_nothing(tmp_path, change, sentence):
    pytest.importorskip("pyarrow")
    data = load_dataset("sample")
    frame = pandas.DataFrame(data.x_train[:, :9, 0]).rename(columns=str).assign(label=data.y_train)
    change(frame).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=sentence):
        rewritten([tmp_path / "a.parquet"], into=tmp_path / "cache")
    assert not [*(tmp_path / "cache").rglob("*.npy")]


def test_parquet_is_rewritten_once_and_again_when_it_changes(tmp_path):
    pytest.importorskip("pyarrow")
    data, path = load_dataset("sample"), tmp_path / "a.parquet"
    channels = {name: list(data.x_train[:, :, 0] * factor) for name, factor in (("ax", 1), ("ay", 2))}
    pandas.DataFrame({**channels, "activity": data.y_train}).to_parquet(path, row_group_size=10)
    x, y = rewritten([path], into=tmp_path)
    assert x.shape == (64, 500, 2) and (x[:] == data.x_train * [1, 2]).all() and (y == data.y_train).all()
    before = x.files[0].path.stat().st_mtime_ns
    assert rewritten([path], into=tmp_path)[0].files[0].path.stat().st_mtime_ns == before
    pandas.DataFrame({**channels, "activity": 1 - data.y_train}).to_parquet(path)
    assert (rewritten([path], into=tmp_path)[1] == 1 - data.y_train).all()


TRAIN = """
import sys
from functools import partial
from tsformer_nb import cli, data
from tsformer_nb.io.on_disk import large_parts
data.large_parts = partial(large_parts, least=1000)
sys.exit(cli.main(["train", "--data", sys.argv[1], "--model", "collapsed", "--epochs", "20", "--out", *sys.argv[2:]]))
"""


@pytest.mark.skipif(not TORTURE, reason="a minute: `make torture`; the same checkpoints as in memory")
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path):
    (files := tmp_path / "files").mkdir()
    sample_files(files)
    start = lambda *words: subprocess.Popen([sys.executable, "-c", TRAIN, files, *words], stderr=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait(300) == 0
    process = start(killed)
    while not (killed / "checkpoint.npz").exists():
        time.sleep(.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL and not (killed / "metrics.json").exists()
    assert start(killed, "--resume").wait(300) == 0
    assert (killed / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
    a, b = (load_run(folder)[0].get_weights() for folder in (whole, killed))
    assert all((one == other).all() for one, other in zip(a, b, strict=True))


READ = """
import resource, sys
import numpy as np
from tsformer_nb.io.on_disk import on_disk
x = on_disk(sys.argv[1])
order = np.random.default_rng(0).permutation(len(x))
for n in range(500):
    x[order[n * 64 % len(x):][:64]]
for part, _ in zip(x.parts(), range(500)):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
FIT = """
import resource, sys
import numpy as np
from tsformer_nb.cli import start_keras
start_keras()
from tsformer_nb.data import Dataset
from tsformer_nb.fitting import fit
from tsformer_nb.io.on_disk import on_disk
x = on_disk(sys.argv[1])
fit(Dataset("x", x, np.arange(len(x)) // 100 % 2), "collapsed", {"epochs": 1})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.parametrize("program", [READ, *[FIT] * TORTURE], ids=["read", *["fit"] * TORTURE])
def test_memory_stays_flat(tmp_path, program):
    "With a file of 10 MB, and with one that is a hundred times as large."
    peaks = {}
    for times in (1, 100):
        path = tmp_path / f"{times}.npy"
        x = np.lib.format.open_memmap(path, "w+", "<f4", (5000 * times, 500, 1))
        x[:5000] = np.random.default_rng(0).standard_normal((5000, 500, 1))  # the rest are zeros, a hole in the file
        del x
        done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True,
                              env={**os.environ, "PYTHONPATH": str(ROOT)})
        peaks[times] = int(done.stdout.split()[-1])
        path.unlink()
    assert peaks[100] < 1.1 * peaks[1], peaks
