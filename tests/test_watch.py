"A stream: the answers of `predict`, as soon as a window is full; lines that are late, broken or strange do no harm."
import csv
import io
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT, command
from tsformer_nb.data import load_dataset
from tsformer_nb.io.files import InputError
from tsformer_nb.watch import Columns, hop_of, watch


def rows(text):
    return [*csv.DictReader(io.StringIO(text))]


def sample_lines(n):
    x = load_dataset("sample").x_test[:n, :, 0]
    return x, [f"{value:.9g}\n" for value in x.ravel()]


@pytest.mark.slow
def test_a_stream_gets_the_answers_of_predict(tmp_path):
    x, lines = sample_lines(3)
    (tmp_path / "stream.csv").write_text("".join(lines))
    np.savetxt(tmp_path / "series.csv", x, fmt="%.9g", delimiter=",")
    said = command("watch", "FordA", tmp_path / "stream.csv")
    series = rows(command("predict", "FordA", tmp_path / "series.csv").stdout)
    assert said.returncode == 0 and "3 windows of 500 steps; an answer took" in said.stderr
    for one, other in zip(rows(said.stdout), series, strict=True):
        assert one["predicted"] == other["predicted"] and abs(float(one["p(1)"]) - float(other["p(1)"])) < 1e-5
    assert [(one["from"], one["to"]) for one in rows(said.stdout)] == [("1", "500"), ("501", "1000"), ("1001", "1500")]
    doubted = rows(command("watch", "FordA", tmp_path / "stream.csv", "--abstain", ".99", "--hop", "250").stdout)
    assert len(doubted) == 5 and "familiarity" in doubted[0]
    assert all(one["predicted"] == "" for one in doubted if max(float(one["p(1)"]), float(one["p(-1)"])) < .99)


@pytest.mark.slow
def test_an_answer_comes_while_the_stream_is_open():
    _, lines = sample_lines(2)
    process = subprocess.Popen([sys.executable, "-m", "tsformer_nb", "watch", "FordA", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": str(ROOT)})
    process.stdin.write("".join(lines[:500]).encode())
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"from,to,predicted")
    assert process.stdout.readline().startswith(b"1,500,")
    process.stdin.write(b"\xff\xfe\n" + "".join(lines[501:1000]).encode())
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"501,1000,")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130 and b"line 501: holds" in (told := process.stderr.read())
    assert b"2 windows of 500 steps" in told and told.endswith(b"stopped.\n")


@pytest.mark.slow
def test_columns_are_found_by_name_and_windows_are_those_of_training(tmp_path):
    rng, n = np.random.default_rng(0), 800
    on = np.arange(n) // 200 % 2
    a, b = np.sin(np.arange(n) * (.3 + .5 * on)) + rng.normal(0, .1, n), rng.normal(0, 1, n)
    table = ["t_s,a,b,state", *(f"{k / 10:.1f},{a[k]:.5f},{b[k]:.5f},{'on' if on[k] else 'off'}" for k in range(n))]
    (tmp_path / "log.csv").write_text("\n".join(table))
    trained = command("train", "--data", "log.csv", "--window", "4s", "--hop", "2s", "--model", "kernels", "--set",
                      "n_filters=8", "--out", "run", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    turned = ["b;note;t_s;a", *(f"{b[k]:.5f};x;{k / 10:.1f};{a[k]:.5f}" for k in range(n))]
    (tmp_path / "stream.txt").write_text("\n".join(turned))
    (tmp_path / "new.csv").write_text("\n".join(line.rsplit(",", 1)[0] for line in table))
    one = rows(command("watch", "run", "stream.txt", cwd=tmp_path).stdout)
    other = rows(command("predict", "run", "new.csv", cwd=tmp_path).stdout)
    assert [row["predicted"] for row in one] == [row["predicted"] for row in other] and len(one) == 39
    assert [float(row["from"]) for row in one] == [float(row["from"]) for row in other]
    (tmp_path / "stream.txt").write_text("\n".join(["t;a", "1;2"]))
    said = command("watch", "run", "stream.txt", cwd=tmp_path)
    assert said.returncode == 2 and "Line 1 is 't;a', and the model needs 2 channels (a, b)" in said.stderr


def test_what_cannot_be_watched_is_told(tmp_path):
    for words, sentence in ((("FordA", "nothing.csv"), "nothing.csv does not exist"),
                            (("nowhere", "-"), "nowhere is not a finished run"),
                            (("FordA", "-", "--hop", "0"), "--hop")):
        said = command("watch", *words, cwd=tmp_path)
        assert said.returncode == 2 and sentence in said.stderr and "Traceback" not in said.stderr
    (tmp_path / "wide.csv").write_text("1,2,3\n")
    said = command("watch", "FordA", "wide.csv", cwd=tmp_path)
    assert said.returncode == 2 and "Line 1 has 3 fields, and the model needs 1 channel" in said.stderr


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=12)
                | st.floats().map(str) | st.tuples(st.floats(-9, 9), st.floats()).map("{0[0]},{0[1]}".format),
                max_size=60), st.integers(1, 2))
@settings(deadline=None, max_examples=300)
def test_no_line_is_fatal(lines, n_channels):
    about = {"n_timesteps": 3, "n_channels": n_channels, "classes": [0, 1]}
    answer = lambda x: np.full((1, 2), .5) if np.isfinite(x).all() and x.shape == (1, 3, n_channels) else 1 / 0
    try:
        found = [*watch(answer, about, lines, told=lambda sentence: None)]
    except InputError as error:
        assert str(error).startswith("Line 1 ")
        return
    assert len(found) <= len(lines) // 3


def test_a_hop_of_time_becomes_steps():
    about = {"n_timesteps": 40, "time_step": .1}
    for layout, hop in (({}, 40), ({"window": 40, "hop": 10}, 10), ({"window": "4s", "hop": "500ms"}, 5),
                        ({"window": 40, "hop": "1s"}, 10), ({"window": "4s", "hop": 0}, 40)):
        assert hop_of({**about, "layout": layout}) == hop
    assert Columns.of("1 2", {"n_channels": 2}).delimiter is None
