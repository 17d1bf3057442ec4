"Every notebook is a test: a process of its own, a folder that is not its own, no network; and its saved outputs are what it prints."
import json
import os
import re
import sys
from importlib import metadata

import pytest

from conftest import ROOT, need_forda, run
from tsformer_nb.book.languages import execute, notebooks, output_faults, read_notebook

NOTEBOOKS = [path.name for path in notebooks()]
WITH_DATA = [name for name in NOTEBOOKS if "TSFORMER_BOOK_DATA" in (ROOT / "nbs" / name).read_text()]
EXACT = os.environ.get("TSFORMER_OUTPUTS") == "exact"  # set where the outputs were made: another processor rounds differently
SAVED_WITH = re.findall(r"^keras==([^ ]+)", (ROOT / "constraints.txt").read_text(), re.M)[-1]  # another Keras draws other first weights
TWICE = "TSFORMER_TWICE" in os.environ  # `make torture`: all cells, and then all cells again in the same kernel

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
    cells = read_notebook(ROOT / "nbs" / name)["cells"]
    return sum(cell["source"][:1] == ["#| forda\n"] for cell in cells)


def test_the_book_has_its_chapters():
    assert {"index.ipynb", "00_data.ipynb", "01_encoder.ipynb", "02_model.ipynb", "03_training.ipynb",
            "04_diagnosis.ipynb", "05_results.ipynb", "06_ablation.ipynb", "glossary.ipynb", "site.ipynb"} <= set(NOTEBOOKS)
    assert WITH_DATA == ["00_data.ipynb", "03_training.ipynb", "04_diagnosis.ipynb"] and all(forda_cells(name) for name in WITH_DATA)


def go_offline(monkeypatch, tmp_path):
    "Python processes that start from now on reach no network; a path that the tests had is kept."
    (tmp_path / "sitecustomize.py").write_text(OFFLINE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    probe = run(sys.executable, "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')")
    assert "this test has no network" in probe.stderr


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook(name, monkeypatch, tmp_path):
    if name in WITH_DATA:
        need_forda(f"test_notebook[{name}]", forda_cells(name))
    go_offline(monkeypatch, tmp_path)
    monkeypatch.setenv("TSFORMER_BOOK_DATA", "FordA")
    saved, path, folder = read_notebook(ROOT / "nbs" / name), tmp_path / name, tmp_path / "elsewhere"
    folder.mkdir()
    if TWICE:
        saved["cells"] += [{**cell, "id": f"{cell['id']}-2"} for cell in saved["cells"]]
    path.write_text(json.dumps(saved))
    fresh = execute(path, folder)  # an error in a cell is raised here
    assert any(cell.get("execution_count") for cell in fresh.cells)
    assert list(folder.iterdir()) == []  # a notebook leaves nothing behind
    if metadata.version("keras") == SAVED_WITH:
        assert output_faults(saved, fresh, EXACT) == []


@pytest.mark.parametrize("name", WITH_DATA)
def test_notebook_on_sample(name):
    "What a reader without network meets: the same notebook, less the cells marked `forda`."
    result = run(sys.executable, "-c", ON_SAMPLE, ROOT / "nbs" / name, ROOT, TSFORMER_BOOK_DATA="sample", MPLBACKEND="agg")
    assert result.returncode == 0, result.stderr


def test_a_failing_notebook_fails(tmp_path):
    "Both runners above can tell red from green."
    broken = tmp_path / "broken.ipynb"
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None, "source": ["assert 1 == 2"]}
    broken.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    result = run(sys.executable, "-c", ON_SAMPLE, broken, ROOT)
    assert result.returncode == 1 and "assert 1 == 2" in result.stderr
    with pytest.raises(Exception, match="assert 1 == 2"):
        execute(broken)
