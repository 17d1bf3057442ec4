"The commands, as a terminal runs them."
import csv
import gzip
import json
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT, command, need_forda, run, tool
from tsformer_nb.io.files import FILES

TRAIN = ("train", "--data", "sample", "--model", "collapsed", "--epochs", 1)  # where any model shows it


def tsformer_nb(*arguments, cwd, **environment):
    return run(tool("tsformer-nb"), *arguments, cwd=cwd, **environment)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    "A folder in which two runs with one seed lie, and what the first said."
    folder = tmp_path_factory.mktemp("runs")
    first = tsformer_nb(*TRAIN, cwd=folder)  # a process of its own, as a terminal runs it
    second = command(*TRAIN, "--out", "again", cwd=folder)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    return folder, first


def test_train_leaves_its_files(trained):
    folder, said = trained
    run = folder / "runs" / "FordA_sample-collapsed-0"
    files = {path.name for path in run.iterdir()}
    assert files == {"metrics.json", "history.csv", "curves.png", "confusion.png", "model.keras", "doubt.npz"}
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["parameters"] < 100_000 and metrics["epochs"] == 1 and metrics["seed"] == 0
    assert f"test accuracy {metrics['test_accuracy']:.4f} raw" in said.stdout
    assert "100%" in said.stderr and "Traceback" not in said.stderr  # a progress bar


def test_one_seed_one_history(trained):
    folder, _ = trained
    histories = [(folder / name / "history.csv").read_bytes() for name in ("runs/FordA_sample-collapsed-0", "again")]
    assert histories[0] == histories[1] and histories[0].count(b"\n") == 2


def test_the_model_predicts_the_same_in_a_fresh_process(trained):
    from tsformer_nb.data import load_dataset
    from tsformer_nb.evaluation import predict
    from tsformer_nb.runs import load_run

    folder, _ = trained
    code = ("import sys, numpy as np, keras; from tsformer_nb.evaluation import predict; "
            "from tsformer_nb.runs import load_run; from tsformer_nb.data import load_dataset; "
            "np.save(sys.argv[2], predict(load_run(sys.argv[1])[0], load_dataset('sample').x_test))")
    result = run(sys.executable, "-c", code, folder / "again", folder / "one.npy")
    assert result.returncode == 0, result.stderr
    data, (model, metrics) = load_dataset("sample"), load_run(folder / "again")
    one, two = np.load(folder / "one.npy"), predict(model, data.x_test)
    np.testing.assert_allclose(one, two, atol=1e-6)
    loss = -np.log(one[np.arange(len(data.y_test)), data.y_test]).mean()
    assert abs(loss - metrics["test_loss"]) < 1e-6  # what the training process measured


def test_the_published_model_trains_too(tmp_path):
    "On a few series: its attention over 500 steps is slow."
    for part in ("TRAIN", "TEST"):
        rows = gzip.decompress((FILES / f"FordA_sample_{part}.tsv.gz").read_bytes()).splitlines(keepends=True)
        (tmp_path / f"Few_{part}.tsv").write_bytes(b"".join(rows[:6]))
    result = command("train", "--data", tmp_path, "--model", "published", "--epochs", 1, "--out", "run", cwd=tmp_path)
    assert result.returncode == 0 and "93,130 parameters" in result.stdout, result.stderr
    assert "minutes for each epoch" in result.stderr
    again = command("evaluate", "run", cwd=tmp_path)
    assert again.stdout.strip() in result.stdout


def test_a_run_that_was_saved_before_loads_and_predicts_as_it_did():
    "With the probabilities that version 0.1.0 gave, before the spectrum was computed by a convolution."
    from tsformer_nb.data import load_dataset
    from tsformer_nb.evaluation import predict
    from tsformer_nb.runs import load_run

    folder = ROOT / "tests" / "run-of-0.1.0"
    then = np.loadtxt(folder / "probabilities.csv", delimiter=",")
    now = predict(load_run(folder)[0], load_dataset("sample").x_test)
    np.testing.assert_allclose(now, then, atol=1e-5)
    assert (now.argmax(axis=1) == then.argmax(axis=1)).all()


def test_evaluate_repeats_what_train_said_and_writes_nothing(trained):
    folder, said = trained
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file())
    result = command("evaluate", "again", cwd=folder)
    assert result.returncode == 0 and result.stdout.strip() in said.stdout and result.stderr == ""
    assert before == sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file())


def test_train_evaluate_and_predict_on_a_folder_of_ones_own(tmp_path):
    "Three classes with odd labels, a length that no default was made for."
    rng, steps = np.random.default_rng(0), np.arange(60)
    for part in ("TRAIN", "TEST"):
        wave = lambda period: 100 + 7 * np.sin(steps / period + rng.uniform(0, 6))
        rows = [f"{label}\t" + "\t".join(f"{value:.4f}" for value in wave(period))
                for label, period in ((-3, 2), (8, 4), (20, 8)) for _ in range(12)]
        (tmp_path / f"Mine_{part}.tsv").write_text("\n".join(rows) + "\n")
    result = command("train", "--data", tmp_path, "--out", "run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["classes"] == [-3, 8, 20] and metrics["test_accuracy"] > .6  # chance is 0.33
    assert command("evaluate", "run", cwd="/").returncode == 2  # no such run there
    assert "test accuracy" in command("evaluate", tmp_path / "run", cwd="/").stdout
    result = command("predict", "run", "Mine_TEST.tsv", "--out", "p.csv", cwd=tmp_path)
    assert result.returncode == 0 and result.stdout == "" and result.stderr == ""
    (tmp_path / "short.tsv").write_text("1\t2\t3\n")
    result = command("predict", "run", "short.tsv", "--out", "q.csv", cwd=tmp_path)
    assert result.returncode == 2
    assert "short.tsv has series of 2 steps, but the model was trained on 60" in result.stderr
    assert not (tmp_path / "q.csv").exists()
    rows = list(csv.DictReader(open(tmp_path / "p.csv")))
    assert len(rows) == 36 and set(rows[0]) == {"predicted", "p(-3)", "p(8)", "p(20)"}
    hits = np.mean([int(row["predicted"]) == label for row, label in zip(rows, np.repeat([-3, 8, 20], 12))])
    assert abs(hits - metrics["test_accuracy"]) < 1e-9


@pytest.mark.parametrize("arguments, words", [
    (("train", "--data", "FordaA"), "did you mean FordA"),
    (("train", "--data", "."), "broken.tsv, line 1, column 2: 'x'"),
    (("train", "--epochs", "none"), "whole number"),
    (("train", "--modle", "x"), "Unrecognized arguments: --modle"),
    (("train", "--data", "sample", "--epochs", "1", "--out", "/dev/null/run"), "/dev/null/run"),
    (("evaluate", "nowhere"), "not a finished run"),
    (("predict", "FordA", "broken.tsv"), "line 1, column 2: 'x'"),
    (("predict", "FordA", "."), "broken.tsv, line 1, column 2"),
    ((), "required"),
])
def test_a_mistake_is_one_or_two_lines_and_status_2(arguments, words, tmp_path):
    (tmp_path / "broken.tsv").write_text("1\tx\t2\n")
    result = command(*arguments, cwd=tmp_path)  # an exception that is not told would be raised here
    assert result.returncode == 2 and words in result.stderr and "saved" not in result.stdout
    assert 1 <= len(result.stderr.strip().splitlines()) <= 2


def test_keras_starts_without_what_no_command_uses():
    from tsformer_nb.cli import hidden

    sys.modules.pop("this", None)
    with pytest.raises(ModuleNotFoundError), hidden("this", "json"):
        import json  # noqa: F401 (imported before: still there)

        import this  # noqa: F401 (may not be imported)
    assert "this" not in sys.modules and "json" in sys.modules


@pytest.mark.parametrize(("variable", "file", "asks"), [
    ("jax", None, True), ("tensorflow", '{"backend": "jax"}', False), ("", '{"backend": "jax"}', True),
    ("", '{"backend": "tensorflow"}', False), ("", None, False)])
def test_tensorflow_starts_without_jax_unless_it_is_asked_for(tmp_path, monkeypatch, variable, file, asks):
    from tsformer_nb.cli import _asks_for_jax

    monkeypatch.setenv("KERAS_BACKEND", variable)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    if file:
        (tmp_path / "keras.json").write_text(file)
    assert _asks_for_jax() == asks


def test_a_terminal_gets_status_2_and_no_traceback(tmp_path):
    result = tsformer_nb("evaluate", "nowhere", cwd=tmp_path)
    assert result.returncode == 2 and "not a finished run" in result.stderr and "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_python_can_be_asked_for_the_package():
    result = run(sys.executable, "-m", "tsformer_nb", "evaluate", "nowhere", cwd="/")
    assert result.returncode == 2 and "not a finished run" in result.stderr and "Traceback" not in result.stderr


def test_each_model_can_be_made():
    "The command line lists the models of `recipes`; `make_model` makes each."
    from tsformer_nb.data import load_dataset
    from tsformer_nb.fitting import make_model
    from tsformer_nb.recipes import MODELS

    help_text = " ".join(tsformer_nb("train", "--help", cwd="/").stdout.split())
    for name, entry in MODELS.items():
        assert make_model(name, load_dataset("sample")).count_params() > 0 and f"{name}: {entry.about}" in help_text


def test_a_backend_that_is_not_there_is_told(tmp_path):
    result = tsformer_nb("train", "--data", "sample", cwd=tmp_path, KERAS_BACKEND="abacus")
    assert result.returncode == 2 and "Keras cannot start" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_without_network_and_cache_the_remedies_are_named(tmp_path):
    "No name resolves, the package index is closed: the sentence names both ways on."
    closed = "http://127.0.0.1:9/"
    proxies = {name: closed for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")}
    result = tsformer_nb("data", "FordA", cwd=tmp_path, TSFORMER_DATA=str(tmp_path / "cache"), PIP_INDEX_URL=closed,
                         PIP_EXTRA_INDEX_URL="", PIP_FIND_LINKS="", PIP_CONFIG_FILE="/dev/null", PIP_RETRIES="0",
                         **proxies, no_proxy="", NO_PROXY="")
    assert result.returncode == 2 and "--data sample" in result.stderr and "--data DIR" in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_damaged_cache_is_said_and_healed(tmp_path):
    need_forda()
    from tsformer_nb.io.download import CHECKSUMS, cache_folder
    from tsformer_nb.io.files import has_checksum
    for file in ("FordA_TRAIN.tsv", "FordA_TEST.tsv"):
        (tmp_path / "FordA").mkdir(exist_ok=True)
        (tmp_path / "FordA" / file).write_bytes((cache_folder() / "FordA" / file).read_bytes())
    damaged = tmp_path / "FordA" / "FordA_TEST.tsv"
    content = bytearray(damaged.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    (tmp_path / "elsewhere").mkdir()  # where no folder FordA lies in front
    result = tsformer_nb("data", "FordA", cwd=tmp_path / "elsewhere", TSFORMER_DATA=str(tmp_path))
    if result.returncode == 2:  # the cache was filled before, and the sources are out of reach now
        pytest.skip(result.stderr.splitlines()[-1])
    assert "is damaged" in result.stderr and has_checksum(damaged, CHECKSUMS["FordA_TEST.tsv"])


def test_data_and_help_load_no_tensorflow(tmp_path):
    code = ("import sys; from tsformer_nb.cli import main; main(['data', 'sample']); "
            "assert not {'tensorflow', 'keras', 'matplotlib', 'pooch'} & set(sys.modules), sorted(sys.modules)")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
