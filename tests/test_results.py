"Numbers in prose and README are those of the stored results."
import re

import pytest

from conftest import ROOT
from tsformer_nb.book import read_notebook, source
from tsformer_nb.results import DEFAULT, read_rows, results_table, summary
from tsformer_nb.training import TrainingConfig
from tsformer_nb.data import load_dataset
from tsformer_nb.model import config_for

RESULTS = ROOT / "nbs" / "results"
QUOTED = {"0.868", "0.85", "0.84", "0.95"}  # the published log and text, quoted with their source; a round example


def figures(rows):
    "Every mean and spread over the seeds of each entrant, and of each single run, to 3 decimals."
    found = set()
    for column in ("test_accuracy", "test_accuracy_dithered"):
        found |= {f"{float(row[column]):.3f}" for row in rows}
        for entrant in summary(rows):
            found |= {f"{value:.3f}" for value in entrant[column] if value is not None}
    return found


def test_the_readme_shows_the_stored_results():
    table = results_table(read_rows(RESULTS / "results.csv"))
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["index.ipynb", "05_results.ipynb"])
def test_accuracies_in_prose_were_measured(name):
    known = figures(read_rows(RESULTS / "results.csv")) | QUOTED
    for cell in read_notebook(ROOT / "nbs" / name)["cells"]:
        if cell["cell_type"] == "markdown":
            for number in re.findall(r"(?<![\d.])0\.[89]\d+", source(cell)):
                assert number in known, f"{number} in: {source(cell)[:80]}"


def test_every_row_is_dated_and_complete():
    for path in sorted(RESULTS.glob("*.csv")):
        rows = read_rows(path)
        assert rows and all(None not in row and None not in row.values() for row in rows), path.name
        if path.name != "curves.csv":
            assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", row["date"]) for row in rows), path.name


def test_the_defaults_are_those_that_the_search_calls_default():
    config, recipe = config_for(load_dataset("sample")), TrainingConfig()
    chosen = {**vars(config), **vars(recipe), "windows": "+".join(map(str, config.windows))}
    assert all(chosen[name] == value for name, value in DEFAULT.items() if name in chosen)
    assert {name for name in DEFAULT if name not in chosen} == {"pooling", "positions", "norm"}


def test_the_headline_holds():
    "What the home page claims of its best model."
    ours = next(entrant for entrant in summary(read_rows(RESULTS / "results.csv")) if entrant["model"] == "tsformer-all")
    assert ours["seeds"] == 5 and int(ours["parameters"]) < 100_000 and ours["test_accuracy_dithered"][0] >= .955
