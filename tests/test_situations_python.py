"What people pass in Python: each form is read rightly, or told in one sentence of ours."
import sys
import types
import warnings

import numpy as np
import pandas
import pytest
from sklearn.ensemble import AdaBoostClassifier

from conftest import TORTURE, run
from tsformer_nb import Dataset, KernelClassifier, SeriesClassifier, fit, predict, recipes
from tsformer_nb.data import set_aside
from tsformer_nb.estimator import arranged
from tsformer_nb.fitting import CollapsedModel, find_model
from tsformer_nb.io.files import InputError, InputWarning
from tsformer_nb.io.recordings import as_arrays, as_series
from tsformer_nb.kernel_model import fit_kernels

pytestmark = pytest.mark.usefixtures("small_models")
RNG, STEPS = np.random.default_rng(0), np.arange(40)
FAST = np.arange(48) % 2
WAVES = np.sin(STEPS * (.3 + .4 * FAST)[:, None] + RNG.uniform(0, 6, (48, 1))) + .1 * RNG.standard_normal((48, 40))
THREE = np.stack([WAVES, WAVES[::-1], RNG.normal(size=WAVES.shape)], axis=1)  # (48, 3, 40)
Y = np.where(FAST, "fast", "slow")


# which axis is time


@pytest.mark.slow
@pytest.mark.parametrize("first", [WAVES, WAVES[:, None], WAVES[:, :, None]], ids=["steps", "1, steps", "steps, 1"])
def test_one_channel_is_the_same_in_every_order(first):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fitted = KernelClassifier().fit(first, Y)
        said = [str(one.message) for one in told if issubclass(one.category, InputWarning)]
    assert len(said) == (first.shape[1:] == (40, 1)) and all("time_axis=1" in one for one in said)
    assert fitted.n_features_in_ == 40
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)  # it is told once
        found = [fitted.predict_proba(x) for x in (WAVES, WAVES[:, None], WAVES[:, :, None], list(WAVES[:, :, None]))]
    assert all(np.array_equal(found[0], one) for one in found[1:])


@pytest.mark.slow
def test_what_looks_swapped_is_told():
    with pytest.warns(InputWarning, match="3 steps with 40 channels, .* set time_axis=1"):
        arranged(THREE.swapaxes(1, 2), 2)
    with pytest.warns(InputWarning, match="3 steps with 40 channels, .* pass x.swapaxes"):
        Dataset("swapped", THREE, Y)
    fitted = KernelClassifier().fit(THREE, Y)
    with pytest.raises(InputError, match=r"3 steps with 40 channels, but .* 3 channels: .*\(series, channels, steps\)"):
        fitted.predict(THREE.swapaxes(1, 2))
    with pytest.raises(InputError, match=r"the model takes 1: the order is \(series, steps, channels\)"):
        predict(KernelClassifier().fit(WAVES, Y).model_, WAVES[:, None])


def test_a_list_says_which_order_it_wants():
    unequal = [one[:, :30 + n % 10] for n, one in enumerate(THREE)]
    turned = [one.T for one in unequal]
    assert np.array_equal(arranged(unequal, 2), arranged(turned, 1), equal_nan=True)
    for given, axis in ((turned, 2), (unequal, 1)):
        with pytest.raises(InputError, match=f"all have the same number of channels. .* set time_axis={3 - axis}"):
            arranged(given, axis)
    with pytest.raises(InputError, match="transpose"):
        as_series(unequal[:2])


# what holds series


def in_frames(x):
    "The same series, (n, channels, steps), in every form of pandas."
    names = list("abc")
    return {"nested": pandas.DataFrame({name: [pandas.Series(one[n]) for one in x] for n, name in enumerate(names)}),
            "arrays in cells": pandas.DataFrame({name: list(x[:, n]) for n, name in enumerate(names)}),
            "long": pandas.concat({-n: pandas.DataFrame(one.T, columns=names) for n, one in enumerate(x)}),
            "long, no order": pandas.concat({-n: pandas.DataFrame(one.T, columns=names).iloc[::-1]
                                             for n, one in enumerate(x)}),
            "list": [pandas.DataFrame(one.T, columns=names) for one in x]}


@pytest.mark.parametrize("form", in_frames(THREE[:1]))
def test_data_frames_have_an_order_of_their_own(form):
    given = in_frames(THREE)[form]
    for axis in (1, 2):
        assert np.array_equal(arranged(given, axis), THREE.swapaxes(1, 2))
    assert np.array_equal(as_series(given), THREE.swapaxes(1, 2))


SHORT = [one[:30 + n % 10] for n, one in enumerate(WAVES)]


@pytest.mark.parametrize("given", [np.array(SHORT, dtype=object), [one.tolist() for one in SHORT], pandas.Series(SHORT),
                                   tuple(SHORT), np.array([[one] for one in SHORT] + [[None]], dtype=object)[:-1],
                                   pandas.concat(dict(enumerate(map(pandas.Series, SHORT))))],
                         ids=["objects", "lists", "Series", "tuple", "nested objects", "long Series"])
def test_series_of_unequal_length(given):
    assert np.array_equal(as_series(given), as_series(SHORT), equal_nan=True)


@pytest.mark.parametrize("given", [WAVES.astype(object), WAVES.astype(str), pandas.DataFrame(WAVES).astype("Float64"),
                                   pandas.DataFrame(WAVES, dtype=object), WAVES.tolist(), np.ma.array(WAVES)])
def test_numbers_of_every_type(given):
    assert np.array_equal(as_series(given)[:, :, 0], WAVES)


def test_what_is_masked_is_missing():
    given = np.ma.array(WAVES, mask=np.tile(np.arange(40) == 7, (48, 1)))
    for one in (given, list(given), given.astype(object), pandas.DataFrame(given)):
        with pytest.warns(InputWarning, match="missing values .48 in all"):
            assert np.allclose(as_series(one)[:, 7, 0], (WAVES[:, 6] + WAVES[:, 8]) / 2)
    counts = np.ma.array([[1, 999, 3]], mask=[[False, True, False]])
    with pytest.warns(InputWarning):
        assert as_series(counts)[0, :, 0].tolist() == [1, 2, 3]


def test_named_dimensions_say_which_axis_is_time(monkeypatch):
    class DataArray:  # of xarray, as far as it is used
        def __init__(self, values, dims):
            self.values, self.dims, self.ndim = values, dims, values.ndim

        def __array__(self, dtype=None, copy=None):
            return self.values

        def __iter__(self):
            return iter(self.values)

    monkeypatch.setitem(sys.modules, "xarray", types.SimpleNamespace(DataArray=DataArray))
    expected = THREE.swapaxes(1, 2)
    for axes, names in (((0, 1, 2), ("instance", "channel", "time")), ((2, 0, 1), ("time", "instance", "channel")),
                        ((1, 2, 0), ("channel", "timepoint", "case"))):
        assert np.array_equal(as_arrays(DataArray(THREE.transpose(axes), names), time_axis=2), expected)
    assert np.array_equal(as_arrays(DataArray(WAVES.T, ("time", "series"))), WAVES)
    assert np.array_equal(as_arrays([DataArray(one, ("channel", "time")) for one in THREE]), expected)


def test_nothing_is_imported_to_look():
    code = ("import sys, numpy; from tsformer_nb.io.recordings import as_series; as_series([numpy.zeros(3)]);"
            "print({'pandas', 'polars', 'xarray'} & {*sys.modules})")
    assert run(sys.executable, "-c", code).stdout.strip() == "set()"


FRAME = pandas.DataFrame(WAVES)
TOLD = {"complex": (WAVES + 0j, "complex numbers"), "dates": (WAVES.astype("datetime64[s]"), "values of type datetime"),
        "words": (np.full((48, 5), "high"), "contains 'high'"), "label": (FRAME.assign(label=Y), "X.'label'. contains"),
        "day": (FRAME.assign(day=pandas.Timestamp("2026-01-01")), "X.'day'. contains values of type datetime"),
        "two levels": (pandas.concat({"a": FRAME}, axis=1), "columns of X have 2 levels"),
        "dict": ({"x": WAVES}, "of type dict"), "None": (None, "of type NoneType"), "path": ("x.csv", "of type str"),
        "generator": ((one for one in WAVES), "of type generator"), "one": (WAVES[0], "one series alone is X.None."),
        "none": (WAVES[:0], "X has 0 series"), "ragged": ([[[1, 2], [3]]] * 48, "rows have unequal lengths"),
        "infinite": (np.where(WAVES > 1, np.inf, WAVES), "is infinite"),
        "objects": (np.array([[1, {}]] * 48), "contains '{}'"),
        "records": (np.zeros(48, [("ax", float)]), "X contains values of type"),
        "twice": (pandas.concat([pandas.concat({0: FRAME.T[[0]]})] * 2), "two rows for series .0,. at time 0")}


@pytest.mark.parametrize("case", TOLD)
def test_what_is_no_series_is_told(case):
    given, sentence = TOLD[case]
    with pytest.raises(InputError, match=sentence) as error:
        KernelClassifier().fit(given, Y)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("y, sentence", [
    (Y[:-1], "X has 48 series, y has 47 labels"), ([None, *Y[1:]], "y.0. is missing"), (np.eye(2)[FAST], "one label"),
    (np.array([1, *Y[1:]], object), "mixes words and numbers"), (np.where(FAST, 1, np.nan), "y.0. is missing"),
    (pandas.Series([1, 2] * 23 + [1, None], dtype="Int64"), "y.47. is missing"), (WAVES[:, 0], "Unknown label type"),
    (np.ma.array(FAST, mask=FAST), "y.1. is missing"), (np.ones(48), "only one class"), ([[1], [2, 3]], "not a list")])
def test_what_are_no_labels_is_told(y, sentence):
    with pytest.raises(InputError, match=sentence):
        KernelClassifier().fit(WAVES, y)


# weights and groups

MODELS = ("kernels", "collapsed", "tsformer", "auto")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("wrong, sentence", [
    ({"class_weight": {"fsat": 2, "slow": 1}}, "names 'fsat', which is no class"),
    ({"class_weight": {0: 2, 1: 1}}, "names 0"), ({"class_weight": {"fast": 0, "slow": 1}}, "of 'fast' is 0"),
    ({"class_weight": {"fast": -1, "slow": 1}}, "is -1"), ({"class_weight": {"fast": np.nan, "slow": 1}}, "is nan"),
    ({"class_weight": "Balanced"}, "class_weight='Balanced'"), ({"sample_weight": np.ones(5)}, "the shape .5,."),
    ({"sample_weight": -np.ones(48)}, "sample_weight.0. is -1"), ({"sample_weight": np.zeros(48)}, "only zeros"),
    ({"sample_weight": np.full(48, np.nan)}, "is nan"), ({"sample_weight": FAST}, "only one class"),
    ({"groups": [1, 2]}, "groups has the shape .2,."), ({"groups": np.full(48, np.nan)}, "groups.0. is missing")])
def test_wrong_weights_and_groups_are_told_by_every_model(model, wrong, sentence):
    weight = {"class_weight": wrong.pop("class_weight")} if "class_weight" in (wrong := dict(wrong)) else {}
    with pytest.raises(InputError, match=sentence):
        SeriesClassifier(model, **weight).fit(WAVES, Y, **wrong)


def test_a_class_that_is_left_out_counts_one():
    numbers = np.where(FAST, 7, 3)
    with pytest.raises(InputError, match="without quotation marks"):
        KernelClassifier(class_weight={"7": 2, "3": 1}).fit(WAVES, numbers)
    data = Dataset("waves", WAVES, numbers)
    for asked, found in (({0: 5., 1: 1.}, {0: 5, 1: 1}), ({7: 5.}, {0: 1, 1: 5})):  # numbers, and labels
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", InputWarning)
            assert fit(data, "collapsed", {"epochs": 1, "class_weight": asked}).settings["class_weight"] == found
        assert sum("left out counts 1" in str(one.message) for one in told) == (7 in asked)
    with pytest.raises(InputError, match="class numbers, from 0, or labels"):
        fit(Dataset("waves", WAVES, FAST + 1), "collapsed", {"class_weight": {1: 5.}})


class Quick(CollapsedModel):
    "Trained as the Transformer is, in less time."

    recipe = recipes.TrainingConfig(epochs=3, learning_rate=1e-2)


def torn():
    "Each series twice, once of either class."
    x = np.random.default_rng(0).normal(size=(24, 40))
    return np.tile(x, (2, 1)), np.repeat(["a", "b"], 24)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["kernels", Quick])
def test_every_model_counts_weights_alike(model):
    "Of two labels for the same series the heavier one wins, whether the class or the series has the weight."
    x, y = torn()
    for heavy in ("a", "b"):
        by_class = SeriesClassifier(model, class_weight={"a": 1, "b": 1, heavy: 20}).fit(x, y)
        by_series = SeriesClassifier(model).fit(x, y, sample_weight=1 + 19 * (y == heavy))
        for one in (by_class, by_series):
            assert (one.predict(x) == heavy).mean() > .8
        assert np.allclose(by_class.predict_proba(x), by_series.predict_proba(x), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["kernels", Quick])
def test_a_weight_of_0_leaves_out_and_equal_weights_change_nothing(model):
    odd = np.where(np.arange(48) < 40, Y, "noise")
    plain, none, equal = (SeriesClassifier(model).fit(x, y, sample_weight=weight) for x, y, weight in (
        (WAVES[:40], Y[:40], None), (WAVES, odd, np.arange(48) < 40), (WAVES[:40], Y[:40], np.full(40, 3.))))
    assert none.classes_.tolist() == ["fast", "slow"]
    for one in (none, equal):
        assert np.allclose(plain.predict_proba(WAVES), one.predict_proba(WAVES), atol=1e-6)


@pytest.mark.slow
def test_a_dictionary_of_weights_at_any_number_of_series(monkeypatch):
    "With few series `auto` takes kernels, then both, here with a small Transformer."
    monkeypatch.setitem(recipes.MODELS, "tsformer", recipes.Entry(Quick, "", Quick.recipe))
    x, y = torn()
    for few in (1000, 10):
        monkeypatch.setattr(recipes, "FEW", few)
        chosen = SeriesClassifier("auto", class_weight={"a": 30., "b": 1.})
        chosen.fit(x, y, sample_weight=np.linspace(1, 2, 48), groups=np.arange(48) % 6)
        assert (chosen.predict(x) == "a").mean() > .8


@pytest.mark.slow
def test_boosting_stands_on_weights():
    boosted = AdaBoostClassifier(KernelClassifier(), n_estimators=3).fit(WAVES, Y)
    assert boosted.score(WAVES, Y) > .9


@pytest.mark.slow
def test_groups_are_left_out_together_by_the_kernels():
    rng = np.random.default_rng(0)
    persons = np.repeat(np.arange(16), 4)
    x = np.repeat(rng.normal(size=(16, 40)), 4, axis=0) + .01 * rng.normal(size=(64, 40))  # each person is alike
    data = Dataset("persons", x, rng.permutation(16)[persons] % 2)                        # whom no class describes
    grouped = Dataset("persons", x, data.y_train, groups=persons)
    alone, together = (fit_kernels(one)[1].left_out.argmax(axis=1) == data.y_train for one in (data, grouped))
    assert alone.mean() > .95 and together.mean() < .75
    found = SeriesClassifier("kernels").fit(x, data.y_train, groups=[f"person {n:02}" for n in persons])
    assert found.history_["accuracy_left_out"][0] == together.mean()


def test_weights_and_groups_stay_with_their_series():
    data = Dataset("waves", WAVES, Y, groups=np.arange(48), weights=np.arange(1, 49))
    inner = set_aside(data, np.arange(0, 48, 2))
    assert inner.groups.tolist() == list(range(1, 48, 2)) and inner.weights.tolist() == list(range(2, 49, 2))
    for wrong in ({"groups": [1]}, {"weights": FAST}, {"weights": [1.]}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Dataset("waves", WAVES, Y, **wrong)


# processes

FORKED = """
import multiprocessing, sys, numpy as np
from tsformer_nb import Dataset, SeriesClassifier
x, y = np.random.default_rng(0).normal(size=(12, 20)), np.arange(12) % 2
def work(_):
    try:
        return len(SeriesClassifier("collapsed", epochs=1).fit(x, y).predict(x)) == 12
    except Exception as error:
        return f"{type(error).__name__}: {error}"
if __name__ == "__main__":
    if sys.argv[1] == "used":
        work(0)
    with multiprocessing.get_context(sys.argv[2]).Pool(1) as pool:
        print(pool.map_async(work, [0]).get(100)[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="Windows has no fork")
@pytest.mark.parametrize("before, method, sentence", [("new", "fork", "True"), *([("used", "spawn", "True")] * TORTURE),
                                                      ("used", "fork", "InputError: Keras was used before this process "
                                                                       "was forked")])
def test_a_fork_after_keras_has_computed_is_told(before, method, sentence, tmp_path):
    (tmp_path / "forked.py").write_text(FORKED)
    said = run(sys.executable, str(tmp_path / "forked.py"), before, method)
    assert said.stdout.startswith(sentence), said.stderr


def test_every_door_refuses_after_a_fork(monkeypatch):
    from tsformer_nb import fitting, load_run

    data = Dataset("waves", WAVES, Y)
    monkeypatch.setattr(fitting, "_forked", True)
    doors = (lambda: fit(data), lambda: predict(None, WAVES), lambda: load_run("FordA"), lambda: find_model("kernels"))
    for door in doors:
        with pytest.raises(InputError, match="forked"):
            door()


# values of any scale


@pytest.mark.slow
@pytest.mark.parametrize("kind, scales, level", [
    (kind, (1e-25, 1e30), level) for kind in ("float64", "float32") for level in (0, 3)
] if TORTURE else [("float64", (1e30,), 3), ("float32", (1e-25,), 3)])
def test_kernels_know_no_scale(kind, scales, level):
    x = np.concatenate([WAVES, 3 * WAVES[:12]]) + level  # the amplitudes differ, so there are two units
    y = np.concatenate([Y, Y[:12]])
    usual = KernelClassifier().fit(x.astype(kind), y)
    for scale in scales:
        scaled = (x * scale).astype(kind)
        other = KernelClassifier().fit(scaled, y)
        assert other.model_.config.units == usual.model_.config.units == ("series", "set")
        assert np.array_equal(other.predict(scaled), usual.predict(x.astype(kind)))
        assert np.allclose(other.predict_proba(scaled), usual.predict_proba(x.astype(kind)), atol=1e-3)


@pytest.mark.slow
def test_training_knows_no_scale():
    sizes = [WAVES, WAVES * 1e-25, *([WAVES * 1e25] if TORTURE else [])]
    runs = [SeriesClassifier("tsformer", epochs=2).fit(x, Y) for x in sizes]
    scores = [one.score(x, Y) for one, x in zip(runs, sizes)]
    assert max(scores) - min(scores) < .03 and min(scores) > .8
    assert np.allclose(runs[0].history_["loss"], runs[1].history_["loss"], rtol=.05)
    with pytest.warns(InputWarning, match="does not scale its input"):
        SeriesClassifier("collapsed", epochs=1).fit(WAVES * 1e-25, Y)


@pytest.mark.parametrize("level", [0, 1e-25, 1, 1e30])
@pytest.mark.parametrize("model", ["kernels", "tsformer"])
def test_series_that_never_change_are_told(level, model):
    with pytest.raises(InputError, match="never change"):
        SeriesClassifier(model).fit(np.full((8, 20), level), np.arange(8) % 2)
