"The stored results are whole, and hold what the home page says."
import re
from collections import Counter
from dataclasses import replace

import numpy as np

from conftest import ROOT
from tsformer_nb.lab.ablation import LINEAR
from tsformer_nb.lab import distance
from tsformer_nb.lab.distance import MOTIF_MODELS, MOTIF_RECIPE, motif_grid
from tsformer_nb.lab.other_datasets import CLOCKED, SCHEDULES, SETS
from tsformer_nb.lab.small_studies import EXPORTS
from tsformer_nb.lab.bench import OURS, PEERS
from tsformer_nb.lab.pretraining import FINETUNED, PRETRAINED
from tsformer_nb.lab.ucr_benchmark import ENTRANTS, accuracies
from tsformer_nb.figures import read_rows
from tsformer_nb.lab.results import leads, summary
from tsformer_nb.lab.search import DEFAULT
from tsformer_nb.significance import t_interval
from tsformer_nb.data import load_dataset
from tsformer_nb.model import config_for
from tsformer_nb.recipes import TrainingConfig
from tsformer_nb.variants import VARIANTS

RESULTS = ROOT / "nbs" / "results"


def test_every_row_is_dated_and_complete():
    for path in sorted(RESULTS.glob("*.csv")):
        rows = read_rows(path)
        assert rows and all(None not in row and None not in row.values() for row in rows), path.name
        assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", row["date"]) for row in rows), path.name


def test_mistakes_and_accuracies_agree():
    "Anybody can count anew: each row names the series that it got wrong."
    for name in ("results", "ladder", "resamples", "ablation"):
        for row in read_rows(RESULTS / f"{name}.csv"):
            for kind in ("raw", "dithered"):
                wrong = [int(place) for place in row[f"wrong_{kind}"].split()]
                assert len(set(wrong)) == len(wrong) and max(wrong) < int(row["n_test"]), name
                assert round(1 - len(wrong) / int(row["n_test"]), 5) == float(row[kind]), name


def test_the_defaults_are_those_that_the_search_calls_default():
    config, recipe = config_for(load_dataset("sample")), TrainingConfig()
    chosen = {**vars(config), **vars(recipe), "windows": "+".join(map(str, config.windows))}
    assert all(chosen[name] == value for name, value in DEFAULT.items() if name in chosen)
    assert {name for name in DEFAULT if name not in chosen} == {"pooling", "positions", "norm"}


STUDIES = {  # what each holds: columns that tell its rows apart, and how many of each
    "ablation": (("variant",), {(name,): 5 for name in (LINEAR, *VARIANTS)}),
    "results": (("model", "trained"), {
        **{(name, "0.01"): 5 for name in (*OURS, *PEERS, *(f"{name}+copies" for name in PEERS))},
        **{(name, "0"): 5 for name in ("collapsed", *PEERS)}}),
    "race": (("model", "epochs"), {("ridge", "0"): 10, ("MiniRocket", "0"): 10,
                                   **{("tsformer", str(epochs)): 10 for epochs in SCHEDULES}}),
    "times": (("model",), {(name,): 3 for name in CLOCKED}),
    "ladder": (("model", "trained"), {("tsformer", "0"): 3, **{(name, rung): 3 for rung in ("0.03", "0.1")
                                                              for name in (*OURS, *PEERS)}}),
    "resamples": (("model", "trained"), {(name, "0.01"): 5 for name in (
        "tsformer", *PEERS, "ridge+copies", "MiniRocket+copies")}),
    "motifs": (("kind", "gap"), {(kind, gap): 5 for kind in MOTIF_MODELS for gap in ("32", "64", "112", "160")}),
    "archive": (("model", "seed", "level"), {
        **{(model, *run): number for model in ENTRANTS
           for run, number in ((("0", "0"), 51), (("1", "0"), 51), (("2", "0"), 51), (("0", "0.01"), 47))},
        **{(look, seed, "0"): 51 for look in ("second look", "third look", "fourth look") for seed in "012"},
        **{(look, "0", "0.01"): 47 for look in ("third look", "fourth look")},
        **{("first look", *run): 8 for run in (("0", "0"), ("1", "0"), ("2", "0"), ("0", "0.01"))},
        ("with sisters", "0", "0"): 17}),
    "archive_divisions": (("model", "seed"), {
        (name, seed): 47 for seed in "1234" for name in ("kernels", "as in 0.1.0", *PEERS[1:], "logistic MiniRocket")}
        | {("fourth look", seed): 47 for seed in "12"}),
    "worth": (("variant",), {(variant,): 50 for variant in ("frozen", *PRETRAINED)}),
    "tuning": (("data",), {(name,): 1 for name in FINETUNED}),
    "formats": (("data", "variant"), {
        (name, variant): 1 for name in ("FordA", "ECG200") for variant in ("Keras", *EXPORTS)
        if name == "FordA" or variant != "JavaScript"}),
    "page": (("page",), {("demo",): 1}),
    "sets": (("data", "model"), {(name, model): 3 for name in SETS for model in ("tsformer", "MiniRocket", "ridge")}),
}


def test_every_study_is_complete():
    for study, (columns, wanted) in STUDIES.items():
        rows = read_rows(RESULTS / f"{study}.csv")
        assert Counter(tuple(row[column] for column in columns) for row in rows) == wanted, study


def test_a_grid_goes_on_where_it_stopped(tmp_path, monkeypatch):
    small = {"gaps": (32,), "kinds": ("twin",), "n_series": 80, "recipe": replace(MOTIF_RECIPE, epochs=1, min_steps=1)}
    first = motif_grid(tmp_path / "motifs.csv", seeds=(0,), **small)
    asked = []
    monkeypatch.setattr(distance, "motif_run", lambda seed, **_: asked.append(seed) or {**first[0], "seed": seed})
    both = motif_grid(tmp_path / "motifs.csv", seeds=(0, 1), **small)
    assert len(first) == 1 and len(both) == 2 and both[0] == first[0] and asked == [1]  # nothing was trained again


def test_attention_earns_its_place_on_the_built_task():
    "At least 10 points above the twin where the motifs are far apart, with the whole interval."
    rows = read_rows(RESULTS / "motifs.csv")
    rows = {(row["kind"], row["gap"], row["seed"]): float(row["test_accuracy"]) for row in rows}
    for gap in ("112", "160"):
        mean, half = t_interval(np.array([rows["attention", gap, seed] - rows["twin", gap, seed] for seed in "01234"]))
        assert mean - half > .10


def test_the_archive_holds():
    "What chapter 14 claims, from the stored rows alone."
    rows = read_rows(RESULTS / "archive.csv")
    ours, theirs = (accuracies(rows, model) for model in ENTRANTS)
    sizes = {row["data"]: int(row["n_train"]) for row in read_rows(RESULTS / "literature.csv")}
    mean = lambda found, most: np.mean([np.mean(values) for name, values in found.items() if sizes[name] <= most])
    assert set(ours) == set(theirs) == set(sizes) and len(sizes) == 51
    assert mean(ours, 10**9) >= .842 and mean(ours, 60) >= .939  # InceptionTime's mean; MiniRocket's on few series
    assert mean(ours, 10**9) > mean(theirs, 10**9) + .01
    large = [np.mean(values) for name, values in ours.items() if sizes[name] >= 300]
    assert len(large) == 22 and np.mean(large) >= .791  # InceptionTime's


def test_the_headline_holds():
    "What the home page claims."
    rows = read_rows(RESULTS / "results.csv")
    figures, ahead = summary(rows), leads(rows)
    assert next(iter(figures)) == "tsformer" and figures["tsformer"]["dithered"][0] >= .955
    assert all(difference.mean > 0 for difference, _ in ahead.values())
