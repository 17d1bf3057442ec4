"Every notebook is a test: alone, in a foreign folder, without network; its saved outputs are what it prints."
import json
import os
import re
import shutil
import sys
from importlib import metadata

import pytest

from conftest import ROOT, TORTURE, need, need_forda, run, why_no_forda
from tsformer_nb.press.bilingual import notebooks, read_notebook
from tsformer_nb.press.execution import SAVED_ON, execute, output_faults, processor

PATHS = {path.name: path for path in notebooks()}
NOTEBOOKS = list(PATHS)
WITH_DATA = [name for name in NOTEBOOKS if "TSFORMER_BOOK_DATA" in PATHS[name].read_text()]
# another Keras draws other first weights
SAVED_WITH = re.findall(r"^keras==([^ ]+)", (ROOT / "constraints.txt").read_text(), re.M)[-1]
HERE = processor() == SAVED_ON.read_text(encoding="utf-8").strip()  # another processor rounds differently

OFFLINE = """
import socket

def closed(*_, **__):
    raise OSError("this test has no network")

socket.getaddrinfo = socket.create_connection = socket.socket.connect = closed
"""  # a kernel talks to its client without Python's sockets

ON_SAMPLE = """
import sys
from pathlib import Path
from nbdev.test import test_nb
passed, _ = test_nb(Path(sys.argv[1]), skip_flags=["slow", "forda"], basepath=sys.argv[2])
sys.exit(not passed)
"""


def forda_cells(name):
    cells = read_notebook(PATHS[name])["cells"]
    return sum(cell["source"][:1] == ["#| forda\n"] for cell in cells)


CHAPTERS = [name for name in NOTEBOOKS if name[0].isdigit()]


def test_the_book_has_its_chapters():
    assert [name.removesuffix(".ipynb") for name in CHAPTERS] == [
        "00_data", "01_leaks", "02_spectrum", "03_attention", "04_published", "05_diagnosis", "06_checkup",
        "07_encoder", "08_model", "09_training", "10_results", "11_ablation", "12_distance", "13_other_datasets",
        "14_own_data", "15_kernels", "16_kernel_model", "17_estimator", "18_ucr_benchmark", "19_pretraining",
        "20_export", "21_web"]
    assert {"00_data.ipynb", "01_leaks.ipynb", "02_spectrum.ipynb", "04_published.ipynb", "05_diagnosis.ipynb",
            "06_checkup.ipynb", "09_training.ipynb"} <= set(WITH_DATA)
    assert {name for name in WITH_DATA if forda_cells(name)} == {
        "00_data.ipynb", "01_leaks.ipynb", "02_spectrum.ipynb", "04_published.ipynb", "09_training.ipynb"}


def go_offline(monkeypatch, tmp_path):
    "Python processes that start from now on reach no network; a path that the tests had is kept."
    (tmp_path / "sitecustomize.py").write_text(OFFLINE)
    kept = filter(None, [os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *kept]))
    probe = run(sys.executable, "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')")
    assert "this test has no network" in probe.stderr


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook(name, monkeypatch, tmp_path):
    if name in WITH_DATA:
        need_forda(forda_cells(name))
    for other in re.findall(r"BasicMotions|JapaneseVowels", PATHS[name].read_text()):
        need(other)
    go_offline(monkeypatch, tmp_path)
    monkeypatch.setenv("TSFORMER_BOOK_DATA", "FordA")
    saved, path, folder = read_notebook(PATHS[name]), tmp_path / name, tmp_path / "elsewhere"
    folder.mkdir()
    if TORTURE:  # all cells, and then all cells again in the same kernel
        saved["cells"] += [{**cell, "id": f"{cell['id']}-2"} for cell in saved["cells"]]
    path.write_text(json.dumps(saved))
    fresh = execute(path, folder)  # an error in a cell is raised here
    assert any(cell.get("execution_count") for cell in fresh.cells)
    assert list(folder.iterdir()) == []  # a notebook leaves nothing behind
    if metadata.version("keras") == SAVED_WITH:
        assert output_faults(saved, fresh, exact=HERE) == []


@pytest.mark.parametrize("name", WITH_DATA)
def test_notebook_on_sample(name):
    "What a reader without network meets: the same notebook, less the cells marked `forda`."
    if not TORTURE and name != "00_data.ipynb" and why_no_forda() is None:
        pytest.skip("test_notebook has run the same cells on FordA; `make torture` runs them on the sample too")
    result = run(sys.executable, "-c", ON_SAMPLE, PATHS[name], ROOT,
                 TSFORMER_BOOK_DATA="sample", MPLBACKEND="agg")
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
        execute(tmp_path / name)
    except Exception as error:  # nbclient's, with the traceback of the cell
        plain = re.sub(r"\x1b\[[\d;]*m", "", str(error)).strip().splitlines()
        last = next(line for line in reversed(plain) if re.match(r"\w+(\.\w+)*: ", line))
        assert last.startswith("InputError: ") and "belongs to the book's repository" in last


def test_chapters_without_stored_results_ask_for_nothing_of_the_repository():
    alone = ("00_data", "02_spectrum", "03_attention", "04_published", "06_checkup")
    assert not [name for name in alone if of_the_repository(f"{name}.ipynb")]


def test_a_failing_notebook_fails(tmp_path):
    "Both runners above can tell red from green."
    broken = tmp_path / "broken.ipynb"
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None,
            "source": ["assert 1 == 2"]}
    broken.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    result = run(sys.executable, "-c", ON_SAMPLE, broken, ROOT)
    assert result.returncode == 1 and "assert 1 == 2" in result.stderr
    with pytest.raises(Exception, match="assert 1 == 2"):
        execute(broken)
