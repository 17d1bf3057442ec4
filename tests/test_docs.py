"READMEs and other pages outside the notebooks: what they show and name is there."
import contextlib
import io
import re

import numpy as np
import pytest

from conftest import ROOT
from tsformer_nb.figures import read_rows
from tsformer_nb.lab.results import results_table, summary, title
from tsformer_nb.press.bilingual import one_half, read_notebook, source

READMES = {"README.md": "en", "README.ja.md": "ja"}


@pytest.mark.parametrize("name", READMES)
def test_the_readme_shows_the_stored_results(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    rows = read_rows(ROOT / "nbs" / "results" / "results.csv")
    table = one_half(results_table(rows), READMES[name])
    shown = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(shown) == 7 and all(line in table.splitlines() for line in shown)
    ends = (next(iter(summary(rows))), "collapsed")  # the best, and the collapsed model under its own name
    assert [one_half(f"| {title(end)} |", READMES[name]) for end in ends] == [
        re.match(r"\|[^|]+\|", line)[0] for line in (shown[1], shown[-1])]


@pytest.mark.slow  # six seconds
def test_the_five_lines_of_the_home_page_run():
    "With the sample, and the model that is fitted in seconds."
    cells = [source(cell) for cell in read_notebook(ROOT / "nbs" / "index.ipynb")["cells"]]
    (code,) = [text for text in cells if text.startswith("```python")]
    code = code.strip("`").removeprefix("python\n").replace('"FordA"', '"sample"').replace('"tsformer"', '"kernels"')
    names, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    assert len(code.splitlines()) <= 6 and names["fitted"].name == "kernels"
    assert .5 < float(printed.getvalue().split()[-1]) <= 1


def test_the_line_that_the_home_page_shows_is_what_the_command_prints():
    (shown,) = [source(cell) for cell in read_notebook(ROOT / "nbs" / "index.ipynb")["cells"]
                if "metrics.json" in source(cell)]
    line = re.search(r"```\n(.*?)\n```", shown, re.S)[1].replace("\\\n", "")
    from tsformer_nb import cli

    form = re.sub(r"\{[^}]*\}", "{}", line)
    run = {"test_accuracy": .9, "test_accuracy_dithered": .9, "test_accuracy_balanced": .9, "largest_class": .9,
           "test_loss": .9}
    assert cli._scores(run) == form.format(*[f"{.9:.4f}"] * 5)


def test_every_stored_result_is_described():
    folder = ROOT / "nbs" / "results"
    listed = re.findall(r"^\| `([\w.]+\.\w+)` \|", (folder / "README.md").read_text(encoding="utf-8"), re.M)
    assert listed == sorted(path.name for path in folder.iterdir() if path.name != "README.md")


def test_what_makes_a_result_is_there():
    "Functions and chapters that the README of the results names."
    text = (ROOT / "nbs" / "results" / "README.md").read_text(encoding="utf-8")
    made = re.findall(r"`((?:lab|press)\.\w+)\.(\w+)`", text)
    for module, name in made:
        path = ROOT / "tsformer_nb" / (module.replace(".", "/") + ".py")
        assert f"def {name}(" in path.read_text(encoding="utf-8"), f"{module}.{name}"
    links = re.findall(r"\]\((\.\./[^)]+)\)", text)
    assert len(made) > 15 and len(links) > 25 and all((ROOT / "nbs" / "results" / link).exists() for link in links)


def test_both_contributing_pages_name_the_same_things():
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("CONTRIBUTING.md", "CONTRIBUTING.ja.md")]
    english, japanese = (re.findall(r"`([^`]+)`", page) for page in pages)
    assert sorted(english) == sorted(japanese)
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert {text.split()[1] for text in english if text.startswith("make ")} <= targets


def test_six_lines_from_a_file_to_arrays_run_in_an_empty_notebook():
    cells = [source(cell) for cell in read_notebook(ROOT / "nbs" / "chapters" / "01_data.ipynb")["cells"]]
    (plain,) = [text for text in cells if "np.loadtxt" in text and text.startswith("import numpy")]
    names = {}
    exec(plain, names)
    assert names["x_train"].shape == (48, 500, 1) and names["y_val"].shape == (16,)


@pytest.mark.slow  # four seconds: Keras is imported
@pytest.mark.parametrize("chapter, first, parameters", [
    ("05_encoder", "def attend", 34_560),  # patches and the block in two lines
    ("06_model", "def build_tsformer", 91_320),  # the whole model
])
def test_a_model_in_functional_keras_runs_in_an_empty_notebook(chapter, first, parameters):
    cells = [source(cell) for cell in read_notebook(ROOT / "nbs" / "chapters" / f"{chapter}.ipynb")["cells"]]
    (plain,) = [text for text in cells if text.startswith("import keras") and first in text]
    assert len([line for line in plain.splitlines() if line.strip()]) <= 30
    names, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(plain, names)
    model = names["model"] if chapter == "05_encoder" else names["plain"]
    assert model.count_params() == parameters and f"{parameters:,} parameters" in printed.getvalue()
    assert model(np.zeros((2, 500, 1), "float32")).shape == ((2, 31, 64) if chapter == "05_encoder" else (2, 2))


@pytest.mark.slow  # ten seconds
def test_compile_and_fit_in_fifteen_lines_run_in_an_empty_notebook():
    cells = [source(cell) for cell in read_notebook(ROOT / "nbs" / "chapters" / "07_training.ipynb")["cells"]]
    (plain,) = [text for text in cells if "model.compile(" in text and 'load_dataset("sample")' in text]
    names = {}
    exec(plain, names)
    names["plt"].close("all")
    assert len([line for line in plain.splitlines() if line and not line.startswith("#|")]) <= 15
    assert set(names["curves"]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert names["curves"]["loss"][-1] < .2 * names["curves"]["loss"][0]
