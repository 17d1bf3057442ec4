"""Every notebook is a test: in a foreign folder, without network; its saved outputs are what it prints.

Each runs once, as `nbdev_test` runs it, in a fresh process; and leaves nothing in it that a next one would see.
"""
import json
import os
import re
import shutil
from importlib import metadata

import pytest

from conftest import ROOT, TORTURE, need, need_forda, run, tool, why_no_forda
from tsformer_nb.press.bilingual import notebooks, read_notebook
from tsformer_nb.press.execution import SAVED_ON, execute, execute_in_kernel, output_faults, processor

pytestmark = pytest.mark.slow
PATHS = {path.name: path for path in notebooks()}
NOTEBOOKS = list(PATHS)
WITH_DATA = [name for name in NOTEBOOKS if "TSFORMER_BOOK_DATA" in PATHS[name].read_text()]
# another Keras draws other first weights
SAVED_WITH = re.findall(r"^keras==([^ ]+)", (ROOT / "constraints.txt").read_text(), re.M)[-1]
HERE = processor() == SAVED_ON.read_text(encoding="utf-8").strip()  # another processor rounds differently

KERNELS = NOTEBOOKS if TORTURE else ["figures.ipynb"]  # as JupyterLab runs them

OFFLINE = """
import socket

def closed(*_, **__):
    raise OSError("this test has no network")

socket.getaddrinfo = socket.create_connection = socket.socket.connect = closed
"""  # a kernel talks to its client without Python's sockets


def forda_cells(name):
    cells = read_notebook(PATHS[name])["cells"]
    return sum(cell["source"][:1] == ["#| forda\n"] for cell in cells)


CHAPTERS = [name for name in NOTEBOOKS if name[0].isdigit()]


def test_the_book_has_its_chapters():
    assert [name.removesuffix(".ipynb") for name in CHAPTERS] == [
        "00_does_nothing", "01_data", "02_attention", "03_published", "04_diagnosis", "05_encoder", "06_model",
        "07_training", "08_baseline", "09_results", "10_distance", "11_own_data",
        "12_kernels", "13_kernel_model", "14_ucr_benchmark", "15_pretraining", "16_other_datasets",
        "17_estimator", "18_web", "19_export", "20_explain", "21_doubt", "22_tune",
        "23_past_one_machine"]
    with_forda = {"01_data.ipynb", "03_published.ipynb", "07_training.ipynb", "08_baseline.ipynb"}
    assert {*with_forda, "04_diagnosis.ipynb", "checkup.ipynb"} <= set(WITH_DATA)
    assert {name for name in WITH_DATA if forda_cells(name)} == with_forda


def later(name):
    "What a chapter takes from later ones: links, and imports of the modules that they export."
    text = PATHS[name].read_text(encoding="utf-8")
    exported = {PATHS[other].stem: re.search(r"default_exp ([\w.]+)", PATHS[other].read_text()) for other in CHAPTERS}
    home = {found[1]: chapter for chapter, found in exported.items() if found}
    links = re.findall(r"\]\((?!http)[^)\s]*?(\d\d_\w+)\.ipynb", text)
    imports = [home[module] for module in re.findall(r"from tsformer_nb\.([\w.]+) import", text) if module in home]
    return sorted({chapter for chapter in links + imports if chapter > PATHS[name].stem})


@pytest.mark.parametrize("name", [name for name in CHAPTERS if name[:2] != "00"])  # 00 says what the others are
def test_no_chapter_needs_a_later_one(name):
    assert later(name) == []


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path_factory):
    "Python processes that start from now on reach no network; a path that the tests had is kept."
    folder = tmp_path_factory.getbasetemp() / "offline"
    if not folder.exists():
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(OFFLINE)
    kept = filter(None, [os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *kept]))


def notebook_of(folder, source):
    "A notebook of one cell."
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None, "source": [source]}
    whole = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "tiny.ipynb").write_text(json.dumps(whole))
    return folder / "tiny.ipynb"


def test_no_notebook_reaches_the_network(tmp_path):
    probe = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')"
    children = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {probe!r}], check=True)"
    for source, runner in ((probe, execute), (children, execute), (children, execute_in_kernel)):
        with pytest.raises(Exception, match="this test has no network" if source == probe else "non-zero exit"):
            runner(notebook_of(tmp_path, source))


def need_data(name):
    if name in WITH_DATA:
        need_forda(forda_cells(name))
    for other in re.findall(r"BasicMotions|JapaneseVowels", PATHS[name].read_text()):
        need(other)


def faults(saved, fresh):
    return output_faults(saved, fresh, exact=HERE) if metadata.version("keras") == SAVED_WITH else []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook(name, monkeypatch, tmp_path):
    need_data(name)
    monkeypatch.setenv("TSFORMER_BOOK_DATA", "FordA")
    saved, path = read_notebook(PATHS[name]), tmp_path / name
    if TORTURE:  # all cells, and then all cells again in the same process
        saved["cells"] += [{**cell, "id": f"{cell['id']}-2"} for cell in saved["cells"]]
    path.write_text(json.dumps(saved))
    fresh, left = execute(path)  # an error in a cell is raised here
    assert left == []  # whatever shares a process with it, as in `nbdev_test`, does not see that it ran
    assert list(tmp_path.iterdir()) == [path]
    assert faults(saved, fresh) == []


@pytest.mark.parametrize("name", KERNELS)
def test_notebook_in_a_kernel(name, monkeypatch, tmp_path):
    need_data(name)
    monkeypatch.setenv("TSFORMER_BOOK_DATA", "FordA")
    path = shutil.copy(PATHS[name], tmp_path)
    assert faults(read_notebook(path), execute_in_kernel(path)) == []
    assert list(tmp_path.iterdir()) == [tmp_path / name]


@pytest.mark.parametrize("name", WITH_DATA)
def test_notebook_on_sample(name, monkeypatch, tmp_path):
    "What a reader without network meets: the same notebook, less the cells marked `forda`."
    if not TORTURE and name != "01_data.ipynb" and why_no_forda() is None:
        pytest.skip("test_notebook has run the same cells on FordA; `make torture` runs them on the sample too")
    monkeypatch.setenv("TSFORMER_BOOK_DATA", "sample")
    execute(shutil.copy(PATHS[name], tmp_path), skip=("slow", "forda"))


@pytest.mark.skipif(not TORTURE, reason="takes minutes: `make torture`; test_notebook runs the same cells")
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_nbdev_test_passes_with_any_number_of_workers(workers):
    result = run(tool("nbdev_test"), "--n_workers", workers, timeout=3600)
    assert result.returncode == 0, result.stderr


def of_the_repository(name):
    "Whether a notebook asks for files that an installed package comes without."
    text = PATHS[name].read_text(encoding="utf-8")
    return bool(re.search(r"tsformer_nb\.(lab|press)\.|\bnbs/", text))


@pytest.mark.skipif(not TORTURE, reason="takes minutes: `make torture`; test_prose asks those of the book")
@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if of_the_repository(name)])
def test_without_the_repository_a_notebook_runs_or_says_what_is_missing(name, monkeypatch, tmp_path):
    "Colab after `pip install` of the wheel: the package alone, in a folder of its own."
    shutil.copytree(ROOT / "tsformer_nb", tmp_path / "site" / "tsformer_nb")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    shutil.copy(PATHS[name], tmp_path)
    try:
        execute_in_kernel(tmp_path / name)
    except Exception as error:  # nbclient's, with the traceback of the cell
        plain = re.sub(r"\x1b\[[\d;]*m", "", str(error)).strip().splitlines()
        last = next(line for line in reversed(plain) if re.match(r"\w+(\.\w+)*: ", line))
        assert last.startswith("InputError: ") and "belongs to the book's repository" in last


def test_chapters_without_stored_results_ask_for_nothing_of_the_repository():
    alone = ("00_does_nothing", "01_data", "02_attention", "03_published", "spectrum", "checkup")
    assert not [name for name in alone if of_the_repository(f"{name}.ipynb")]


def test_a_failing_notebook_fails(tmp_path):
    "Both runners can tell red from green; so can what looks at a notebook's outputs and at what it leaves behind."
    for runner in (execute, execute_in_kernel):
        with pytest.raises(Exception, match="assert 1 == 2"):
            runner(notebook_of(tmp_path, "assert 1 == 2"))
    said, left = execute(notebook_of(tmp_path, "print('fresh')"))
    assert left == [] and len(output_faults(read_notebook(tmp_path / "tiny.ipynb"), said)) == 1
    with pytest.raises(RuntimeError, match="has not ended after 1 seconds"):
        execute(notebook_of(tmp_path, "while True: pass"), timeout=1)
    assert execute(notebook_of(tmp_path, "1"))[1] == []  # and the next one runs


@pytest.mark.parametrize("source, what", [
    ("import keras; keras.config.set_dtype_policy('mixed_float16')", "Keras's precision"),
    ("import os; os.environ['TSFORMER_DATA'] = 'x'", "$TSFORMER_DATA"),
    ("import os; os.chdir('/')", "the folder"),
    ("import logging; logging.getLogger().addHandler(logging.NullHandler())", "logger root"),
    ("import warnings; warnings.simplefilter('ignore')", "warnings of every kind"),
    ("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)", "Ctrl-C"),
    ("import keras\n@keras.saving.register_keras_serializable('tsformer_nb')\nclass A(keras.Layer): pass",
     "Keras's tsf"),
    ("from tsformer_nb import data\ndef load_dataset(name): pass\ndata.load_dataset = load_dataset",
     "tsformer_nb.data"),
])
def test_what_a_notebook_leaves_in_its_process_is_told(tmp_path, source, what):
    left = execute(notebook_of(tmp_path, source))[1]
    assert len(left) == 1 and left[0].startswith(what)
