"Numbers in prose and README are those of the stored results."
import re
from collections import Counter

import numpy as np
import pytest

from conftest import ROOT
from tsformer_nb.book.ablation import VARIANTS
from tsformer_nb.book.distance import MOTIF_MODELS
from tsformer_nb.book.elsewhere import SETS
from tsformer_nb.book.languages import read_notebook, source
from tsformer_nb.book.records import read_rows
from tsformer_nb.book.results import results_table, summary
from tsformer_nb.book.search import DEFAULT
from tsformer_nb.data import load_dataset
from tsformer_nb.model import config_for
from tsformer_nb.recipes import TrainingConfig

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


def variants():
    "The ablations' rows, as `summary` reads them."
    rows = read_rows(RESULTS / "ablation.csv")
    return [{**row, "model": row["variant"], "train_seconds": "", "predict_seconds": ""} for row in rows]


def test_the_readme_shows_the_stored_results():
    table = results_table(read_rows(RESULTS / "results.csv"))
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["index", "search", "10_results", "11_ablation", "12_distance", "13_elsewhere"])
def test_accuracies_in_prose_were_measured(name):
    known = figures(read_rows(RESULTS / "results.csv")) | figures(variants()) | QUOTED
    for cell in read_notebook(ROOT / "nbs" / f"{name}.ipynb")["cells"]:
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


def test_every_study_is_complete():
    "Five seeds for each ablation and built task, three for each of the other data sets, and both rivals everywhere."
    def count(name, *columns):
        return Counter(tuple(row[column] for column in columns) for row in read_rows(RESULTS / name))

    gaps, rivals = ("32", "64", "112", "160"), ("tsformer-all", "MiniRocket")
    assert count("ablation.csv", "variant") == {(name,): 5 for name in VARIANTS}
    assert count("motifs.csv", "kind", "gap") == {(kind, gap): 5 for kind in MOTIF_MODELS for gap in gaps}
    assert count("sets.csv", "data", "model") == {(name, model): 3 for name in SETS for model in rivals}


def test_attention_earns_its_place_on_the_built_task():
    "At least 10 points above the twin where the motifs are far apart, with the whole interval."
    rows = read_rows(RESULTS / "motifs.csv")
    rows = {(row["kind"], row["gap"], row["seed"]): float(row["test_accuracy"]) for row in rows}
    for gap in ("112", "160"):
        mean, half = t_interval(np.array([rows["attention", gap, seed] - rows["twin", gap, seed] for seed in "01234"]))
        assert mean - half > .10


def test_the_headline_holds():
    "What the home page claims of its best model."
    entrants = {entrant["model"]: entrant for entrant in summary(read_rows(RESULTS / "results.csv"))}
    ours = entrants["tsformer-all"]
    assert ours["seeds"] == 5 and int(ours["parameters"]) < 100_000 and ours["test_accuracy_dithered"][0] >= .955
