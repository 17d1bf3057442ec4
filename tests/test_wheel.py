"A chapter needs the wheel alone: the package without lab and press, and the stored results."
import ast
import re
import shutil
import sys

import pytest

from conftest import ROOT, TORTURE, need, need_forda, run
from tsformer_nb.press.bilingual import read_notebook, source
from tsformer_nb.press.execution import execute_in_kernel

CHAPTERS = sorted((ROOT / "nbs" / "chapters").glob("*.ipynb"))


def outside_functions(tree):
    "The nodes that run when a cell does: bodies of functions wait."
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def imported(text):
    "The modules that a cell imports when it runs, with the names taken from them."
    text = "\n".join("" if line.lstrip()[:1] in ("%", "!") else line for line in text.splitlines())
    for node in outside_functions(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def beyond_the_wheel(text):
    return [name for name in imported(text) if re.match(r"tsformer_nb\.(lab|press)\b", name)]


def test_such_an_import_is_seen():
    assert beyond_the_wheel("from tsformer_nb.lab import bench") == ["tsformer_nb.lab.bench"]
    assert beyond_the_wheel("if True:\n    import tsformer_nb.press.pages as pages") == ["tsformer_nb.press.pages"]
    assert beyond_the_wheel("class A:\n    from tsformer_nb.lab.bench import bench") == ["tsformer_nb.lab.bench.bench"]
    assert beyond_the_wheel("def f():\n    from tsformer_nb.lab.bench import bench") == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.name)
def test_a_chapter_imports_nothing_that_the_wheel_lacks(path):
    "What only a slow cell or a measuring function needs is imported there."
    for cell in read_notebook(path)["cells"]:
        if cell["cell_type"] == "code" and not source(cell).startswith("#| slow"):
            assert beyond_the_wheel(source(cell)) == [], source(cell)[:80]


WITHOUT = """
import sys

class Refused:
    def find_spec(name, path=None, target=None):
        if name.startswith(("tsformer_nb.lab", "tsformer_nb.press")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refused)
"""  # an editable installation would find them in the repository


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    "A folder that holds what the wheel installs."
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "tsformer_nb", folder / "tsformer_nb",
                    ignore=shutil.ignore_patterns("lab", "press", "__pycache__"))
    (folder / "sitecustomize.py").write_text(WITHOUT)
    (folder / "tsformer_nb" / "results").mkdir()
    for path in (ROOT / "nbs" / "results").glob("*.csv"):
        shutil.copy(path, folder / "tsformer_nb" / "results")
    return folder


@pytest.mark.skipif(not TORTURE, reason="takes minutes: `make torture`; the test above looks at the imports")
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.name)
def test_a_chapter_runs_from_the_wheel(path, wheel, monkeypatch, tmp_path):
    "As in Colab after `pip install`: a folder of its own, and no repository to be found."
    if "TSFORMER_BOOK_DATA" in path.read_text(encoding="utf-8"):
        need_forda()
    for other in re.findall(r"BasicMotions|JapaneseVowels", path.read_text(encoding="utf-8")):
        need(other)
    monkeypatch.setenv("PYTHONPATH", str(wheel))
    found = run(sys.executable, "-c", "import tsformer_nb, tsformer_nb.figures as figures\n"
                "print(tsformer_nb.__file__, figures.RESULTS)", cwd=tmp_path)
    assert found.stdout.count(str(wheel)) == 2, found.stdout + found.stderr
    refused = run(sys.executable, "-c", "import tsformer_nb.lab", cwd=tmp_path)
    assert "No module named 'tsformer_nb.lab'" in refused.stderr
    shutil.copy(path, tmp_path)
    execute_in_kernel(tmp_path / path.name)  # an error in a cell is raised
