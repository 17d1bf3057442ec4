"A folder predicted into a folder: file by file, in order, killed and gone on with, a faulty file between sound ones."
import csv
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from conftest import ROOT, command
from tsformer_nb import cli
from tsformer_nb.data import load_dataset
from tsformer_nb.io.files import InputWarning, locked
from tsformer_nb.io.loading import in_parts, places_for_model, read_for_model


def rows(path):
    return [*csv.DictReader(path.open())]


def same(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        assert one["predicted"] == other["predicted"] and abs(float(one["p(1)"]) - float(other["p(1)"])) < 2e-6


@pytest.fixture
def days(tmp_path):
    "Six files of eight series of FordA, in two folders."
    x = load_dataset("sample").x_test[:, :, 0]
    for n, part in enumerate(np.split(x, 6)):
        path = tmp_path / "days" / ("may" if n < 3 else "june") / f"day{n}.{'csv' if n % 2 else 'npy'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, part, fmt="%.9g", delimiter=",") if n % 2 else np.save(path, part)
    return tmp_path / "days"


@pytest.mark.slow
def test_each_file_gets_its_own_and_all_are_those_of_one_table(days, tmp_path):
    said = command("predict", "FordA", days, "--into", tmp_path / "out", "--abstain", ".9")
    assert said.returncode == 0 and said.stdout.startswith("6 files, 48 series, "), said.stderr
    assert command("predict", "FordA", days, "--out", tmp_path / "one.csv", "--abstain", ".9").returncode == 0
    files = sorted((tmp_path / "out").rglob("*.csv"))
    assert [path.relative_to(tmp_path / "out").as_posix() for path in files] == [
        "june/day3.csv", "june/day4.npy.csv", "june/day5.csv", "may/day0.npy.csv", "may/day1.csv", "may/day2.npy.csv"]
    same([row for path in files for row in rows(path)], rows(tmp_path / "one.csv"))

    kept = {path: path.stat().st_mtime_ns for path in files}
    files[2].unlink()
    os.utime(days / "may" / "day1.csv")  # recorded anew
    said = command("predict", "FordA", days, "--into", tmp_path / "out", "--abstain", ".9")
    assert said.stdout.startswith("6 files, 4 already there, 16 series, ")
    assert sum(path.stat().st_mtime_ns == kept[path] for path in files) == 4
    for other in (["--abstain", ".8"], []):
        said = command("predict", "FordA", days, "--into", tmp_path / "out", *other)
        assert said.returncode == 2 and "another run, or with other options" in said.stderr


@pytest.mark.slow
def test_a_faulty_file_is_told_and_the_others_are_predicted(days, tmp_path):
    (days / "may" / "day1.csv").write_text("1,2,3\n4,5,six\n")
    (days / "june" / "day4.npy").write_bytes(b"no array")
    said = command("predict", "FordA", days, "--into", tmp_path / "out")
    assert said.returncode == 2 and "2 of 6 files could not be predicted" in said.stderr
    assert "day4.npy" in said.stderr and "day1.csv" in said.stderr and "the same command" in said.stderr
    assert len([*(tmp_path / "out").rglob("*.csv")]) == 4
    assert {path.name for path in (tmp_path / "out").rglob("*") if path.is_file() and path.suffix != ".csv"} == {
        ".predicted.json"}


@pytest.mark.parametrize("into, told", [("days/out", "lies in"), ("days", "lies in")])
def test_predictions_are_not_written_among_the_series(tmp_path, into, told):
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "a.csv").write_text("1,2,3\n")
    said = command("predict", "FordA", "days", "--into", into, cwd=tmp_path)
    assert said.returncode == 2 and told in said.stderr
    said = command("predict", "FordA", "days/a.csv", "--into", "out", cwd=tmp_path)
    assert said.returncode == 2 and "is no folder" in said.stderr
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"):
        said = command("predict", "FordA", "days", "--into", "out", cwd=tmp_path)
        assert said.returncode == 2 and "Another process is writing" in said.stderr
    (tmp_path / "days" / "a").write_text("1,2,3\n")
    said = command("predict", "FordA", "days", "--into", "out", cwd=tmp_path)
    assert said.returncode == 2 and "two files would get the predictions a.csv" in said.stderr


@pytest.mark.slow
def test_a_large_array_is_read_in_parts(tmp_path, monkeypatch):
    x = load_dataset("sample").x_test
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "all.npy", x)
    assert command("predict", "FordA", tmp_path / "in", "--into", tmp_path / "whole").returncode == 0
    sizes = []

    def noted(*given):
        for found in in_parts(*given, least=1, size=20):
            sizes.append(len(found.x))
            yield found

    monkeypatch.setattr(cli, "in_parts", noted)
    assert command("predict", "FordA", tmp_path / "in", "--into", tmp_path / "parts").returncode == 0
    assert sizes == [20, 20, 8]
    same(*(rows(tmp_path / name / "all.npy.csv") for name in ("whole", "parts")))


@pytest.mark.slow
def test_killed_it_goes_on(days, tmp_path):
    ask = [sys.executable, "-m", "tsformer_nb", "predict", "FordA", days, "--into", tmp_path / "out"]
    process = subprocess.Popen(ask, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
    while not (found := [*(tmp_path / "out").rglob("*.csv")]):
        assert process.poll() is None
        time.sleep(.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.npy.csv") if len(rows(path)) == 8}
    (tmp_path / "out" / "may").mkdir(exist_ok=True)
    (tmp_path / "out" / "may" / "day2.npy.csv.77.part.csv").write_text("half")
    said = command("predict", "FordA", days, "--into", tmp_path / "out")
    assert said.returncode == 0 and "6 files" in said.stdout and found
    made = [*(tmp_path / "out").rglob("*.csv")]
    assert len(made) == 6 and all(len(rows(path)) == 8 for path in made)
    assert all(path.stat().st_mtime_ns == time_of for path, time_of in first.items())


def test_a_folder_of_sensors_is_as_new_as_the_newest_file_in_it(tmp_path):
    for name in ("ax", "ay"):
        (tmp_path / f"{name}.csv").write_text("1\n2\n")
    later = tmp_path.stat().st_mtime_ns + 10**9
    os.utime(tmp_path / "ay.csv", ns=(later, later))
    assert cli._written(tmp_path) == cli._written(tmp_path / "ay.csv") == later


def test_after_resampling_the_rate_of_a_file_no_longer_matters(tmp_path):
    for name, step in (("slow", .2), ("fast", .1)):
        lines = [f"{n * step:.1f},{n % 7},{n % 5}" for n in range(round(8 / step))]
        (tmp_path / f"{name}.csv").write_text("\n".join(["time,ax,ay", *lines]) + "\n")
    about = {"channels": ["ax", "ay"], "columns": {"time": "time"}}
    resampled = {**about, "layout": {"resample": .2}}
    rates = lambda about: [read(path).time_step for path, read in places_for_model(tmp_path, about).items()]
    assert rates(about) == pytest.approx([.1, .2]) and rates(resampled) == [0, 0]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*a time step takes another time")
        assert read_for_model(tmp_path, resampled).time_step == 0
    with pytest.warns(InputWarning, match="takes another time than in the other files"):
        read_for_model(tmp_path, about)
