"Exported files: as good as Keras, refused if not, and of use where nothing else is installed."
import contextlib
import csv
import io
import json
import shutil
import subprocess
import sys
import venv
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import TORTURE, command, copy_of_checkout, run, with_small_models
from tsformer_nb.deploy import export, runtime as portable
from tsformer_nb import runs
from tsformer_nb.data import load_dataset
from tsformer_nb.evaluation import predict
from tsformer_nb.io.files import FILES, InputError
from tsformer_nb.deploy.runtime import MEMBER, load_exported
from tsformer_nb.model import attention_maps

TEST = FILES / "FordA_sample_TEST.tsv.gz"


def a_run(data, model, folder):
    "As little training as possible: what an exported file answers has nothing to do with how good it is."
    with contextlib.nullcontext() if TORTURE else with_small_models():
        runs.train_run(data, model, {"epochs": 1, "min_steps": 1}, folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def of_sample(tmp_path_factory):
    return a_run(load_dataset("sample"), "tsformer", tmp_path_factory.mktemp("run"))


FORMATS = {  # both models, both formats, both kinds of data; `make torture` takes all
    ("sample", "tsformer"): None, ("JapaneseVowels", "tsformer"): ["litert"], ("sample", "kernels"): ["onnx"]}
RUNS = [*FORMATS, ("JapaneseVowels", "kernels")] if TORTURE else [*FORMATS]


@pytest.fixture(scope="module", params=RUNS, ids=" ".join)
def left(request, of_sample, tmp_path_factory):
    "A run and its files: with attention where there is some, of equal and unequal length, one channel and twelve."
    (name, model), data = request.param, load_dataset(request.param[0])
    if data.unequal:  # a third of its series do: all classes, and the longest
        data = replace(data, **{part: getattr(data, part)[1::3] for part in ("x_train", "y_train", "x_test", "y_test")})
    first = (name, model) == ("sample", "tsformer")
    folder = of_sample if first else a_run(data, model, tmp_path_factory.mktemp("run"))
    try:
        files = export.export_run(folder, None if TORTURE else FORMATS[name, model], attention=model == "tsformer")
        assert (len(files) == 3) == first  # only that one has a page
    except InputError as error:
        pytest.skip(str(error)) if "pip install" in str(error) else pytest.fail(str(error))
    return folder, data, files


def test_every_file_says_what_keras_says(left):
    folder, data, files = left
    model, metrics = runs.load_run(folder)
    here = predict(model, data.x_test)
    for file in files:
        there = load_exported(file["path"])
        found = there.outputs(data.x_test)
        assert abs(found["probabilities"] - here).max() < 1e-4 and there.classes == tuple(metrics["classes"])
        assert np.array_equal(found["probabilities"].argmax(axis=1), here.argmax(axis=1))
        assert file["bytes"] == file["path"].stat().st_size and file["difference"] < 1e-4
        if "attention" in found:  # (n_test, blocks, heads, tokens, tokens)
            assert np.allclose(found["attention"], attention_maps(model, data.x_test).swapaxes(0, 1), atol=1e-4)
        alone = there.predict(data.x_test[0])  # one series, not in a batch
        assert np.allclose(alone, found["probabilities"][:1], atol=1e-4)


def test_shorter_series_need_no_filling_up(left):
    folder, data, files = left
    for file in files:
        there, short = load_exported(file["path"]), data.x_test[0][:6]
        if data.unequal:
            assert np.allclose(there.predict([short]), predict(runs.load_run(folder)[0], [short]), atol=1e-4)
        else:
            with pytest.raises(InputError, match="shorter than 500 steps"):
                there.predict([short])


@pytest.fixture(scope="module")
def trained(of_sample, tmp_path_factory):
    "A run of the sample and its LiteRT file, from a terminal."
    folder = shutil.copytree(of_sample, tmp_path_factory.mktemp("trained") / "run")
    said = command("export", folder)
    assert said.returncode == 0 and "tested on 48 series" in said.stdout, said.stderr
    return folder


def rows(text):
    return list(csv.reader(io.StringIO(text)))


def test_a_file_predicts_as_its_run_does(trained):
    one, other = (rows(command("predict", model, TEST).stdout) for model in (trained, trained / "model.tflite"))
    assert one[0] == other[0] and len(one) == len(other) == 49
    for ours, theirs in zip(one[1:], other[1:]):
        assert ours[0] == theirs[0] and np.allclose([float(p) for p in ours[1:]], [float(p) for p in theirs[1:]],
                                                    atol=1e-4)


def test_half_the_size_and_one_at_a_time(trained):
    said = command("export", trained, "--float16", "--batch", "1")
    small = trained / "model-float16-batch1.tflite"
    assert said.returncode == 0 and small.name in said.stdout
    assert small.stat().st_size < .6 * (trained / "model.tflite").stat().st_size
    assert len(rows(command("predict", small, TEST).stdout)) == 49


def test_what_differs_is_not_kept(trained, tmp_path, monkeypatch):
    usual = portable.Exported.outputs
    monkeypatch.setattr(portable.Exported, "outputs", lambda self, x, progress=False: {
        "probabilities": abs(usual(self, x)["probabilities"] - .001)})
    with pytest.raises(InputError, match="in 0 of 48 classes: it was not kept"):
        export.export_run(trained, out=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not TORTURE, reason="`make torture`; that what differs is not kept, the test above shows")
def test_kernels_do_not_bear_16_bits(tmp_path):
    runs.train_run(load_dataset("sample"), "kernels", out=tmp_path, progress=False)
    said = command("export", tmp_path, "--float16")
    assert said.returncode == 2 and "does not bear 16 bits" in said.stderr
    wrong = command("export", tmp_path, "--attention")
    assert wrong.returncode == 2 and "without attention" in wrong.stderr
    assert not list(tmp_path.glob("*.tflite"))


def test_a_damaged_file_is_refused(trained, tmp_path):
    whole = (trained / "model.tflite").read_bytes()
    with zipfile.ZipFile(trained / "model.tflite") as archive:
        assert json.loads(archive.read(MEMBER))["classes"] == [-1, 1]
    for broken in (whole[:1000], whole[:5000] + b"x" + whole[5001:], b""):
        (tmp_path / "model.tflite").write_bytes(broken)
        said = command("predict", tmp_path / "model.tflite", TEST)
        assert said.returncode == 2 and "is damaged" in said.stderr and len(said.stderr.splitlines()) == 1


def test_a_replaced_run_takes_its_files_along(tmp_path):
    "What was exported of another model must not stand beside the new one."
    (tmp_path / "metrics.json").write_text("{}")
    for name in ("model.tflite", "model-float16.tflite", "model.onnx"):
        (tmp_path / name).write_bytes(b"old")
    command("train", "--data", "sample", "--out", tmp_path, "--overwrite")
    assert not [*tmp_path.glob("*.tflite"), *tmp_path.glob("*.onnx")]


def test_a_run_that_ships_leaves_its_file_here(tmp_path):
    "And no folder of its name, which would be taken for the run the next time."
    x = tmp_path / "x.tsv"
    x.write_text("\n".join("\t".join(map(str, np.r_[1, row[:, 0]])) for row in load_dataset("sample").x_test[:3]))
    said = command("export", "FordA", "--data", "sample", cwd=tmp_path)
    assert said.returncode == 0 and sorted(path.name for path in tmp_path.iterdir()) == ["model.tflite", "x.tsv"]
    one, other = (rows(command("predict", model, x, cwd=tmp_path).stdout) for model in ("FordA", "model.tflite"))
    assert [row[0] for row in one] == [row[0] for row in other] and len(one) == 4


def test_what_is_missing_is_named(trained, tmp_path, monkeypatch):
    for name in ("onnx", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    said = command("export", trained, "--format", "onnx", "--out", tmp_path)
    assert said.returncode == 2 and "pip install 'tsformer_nb[onnx]'" in said.stderr and not list(tmp_path.iterdir())
    (tmp_path / "model.onnx").write_bytes(b"x")
    said = command("predict", tmp_path / "model.onnx", TEST)
    assert said.returncode == 2 and "pip install onnxruntime" in said.stderr


ALONE = """
import sys
from tsformer_nb.cli import main
status = main(["predict", *sys.argv[1:]])
heavy = {"tensorflow", "keras", "sklearn", "scipy", "pandas", "matplotlib", "requests", "h5py"} & set(sys.modules)
assert not heavy, heavy
sys.exit(status)
"""


def test_a_file_needs_nothing_heavy(trained):
    said = run(sys.executable, "-c", ALONE, trained / "model.tflite", TEST)
    assert said.returncode == 0 and len(rows(said.stdout)) == 49 and not said.stderr, said.stderr


def test_a_fresh_environment_under_150_megabytes(trained, tmp_path):
    "NumPy, LiteRT and this package, and no more."
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    before = size_of(tmp_path / "env")
    here = copy_of_checkout(tmp_path / "src")
    for what in (["-c", "constraints.txt", "numpy", "ai-edge-litert", "setuptools>=77"],
                 ["--no-deps", "--no-build-isolation", here]):
        done = run(python, "-m", "pip", "install", "-q", *what)
        if done.returncode and "No matching distribution" in done.stderr + done.stdout:
            pytest.skip("no network")
        assert done.returncode == 0, done.stderr
    said = run(python, "-c", ALONE, trained / "model.tflite", TEST, cwd=tmp_path, PYTHONPATH="")
    assert said.returncode == 0 and len(rows(said.stdout)) == 49, said.stderr
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "setuptools"], check=True)
    assert size_of(tmp_path / "env") - before < 150e6


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
