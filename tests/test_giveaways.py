"What a data set gives away: what was planted is found, and where nothing was planted nothing is told."
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from conftest import TORTURE
from tsformer_nb.leakage import CHECKS, check_data, report
from tsformer_nb.leakage import by_chance, stands_out, fit_rule


def of_noise(seed, n=60, n_test=60, n_classes=2, steps=30, channels=1, dtype="float32"):
    "A data set without any signal, in no order."
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n + n_test, steps, channels)).astype(dtype)
    y = rng.permutation(np.arange(n + n_test) % n_classes)
    return SimpleNamespace(x_train=x[:n], y_train=y[:n], x_test=x[n:], y_test=y[n:], rng=rng,
                           missing=None, classes=tuple(f"class {n}" for n in range(n_classes)))


def parts(data):
    return (data.x_train, data.y_train), (data.x_test, data.y_test)


def found(data):
    "Findings by name; no check may warn, and each name must be known."
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        findings = check_data(data)
    assert {finding.what for finding in findings} <= set(CHECKS)
    assert all("\n" not in finding.sentence and 0 < finding.largest <= 1 for finding in findings)
    return {finding.what: finding for finding in findings}


@pytest.mark.slow
@pytest.mark.parametrize("shape", [{}, {"n_classes": 7, "n": 200, "n_test": 100}, {"n_test": 0}, {"channels": 6},
                                   {"n": 12, "n_test": 12}, {"steps": 1}, {"dtype": "float64"}], ids=str)
def test_noise_raises_few_alarms(shape):
    "At a level of 0.01, three or more alarms in 40 sets, or two in 12, come by chance once in a hundred times."
    sets = 12 if shape and not TORTURE else 40
    alarms = [report(check_data(of_noise(seed, **shape))) for seed in range(sets)]
    alarms = [alarm for alarm in alarms if alarm != f"nothing found by {len(CHECKS)} checks"]
    assert len(alarms) <= (2 if sets == 40 else 1), alarms


def test_noise_of_few_values_raises_few_alarms():
    "Whole numbers, as sensors of 3 bits give them: columns hold few values, series are coarse."
    sets = [of_noise(seed, steps=200, n=300) for seed in range(40)]
    for data in sets:
        data.x_train, data.x_test = np.round(2 * data.x_train), np.round(2 * data.x_test)
    assert sum(bool(found(data)) for data in sets) <= 2


def level(x, y, rng):
    x += 3 * y[:, None, None]


def spread(x, y, rng):
    x *= 1 + 3 * y[:, None, None]


def first(x, y, rng):
    x[:, 0] += 9 * y[:, None]


def rounded(x, y, rng):
    x[y == 1] = x[y == 1].round(1)


def shorter(x, y, rng):
    x[y == 1, -5:] = np.nan


def padded_with_zeros(x, y, rng):
    x[y == 1, -5:] = 0


def last_step(x, y, rng):
    x[:, -1, 0] = y


def words_as_numbers(x, y, rng):
    x[:, 3, 0] = np.array([470.25, -3])[y]


def patient(x, y, rng):
    x[:, 0, 0] = 2 * rng.integers(5, size=len(y)) + y


def whole_channel(x, y, rng):
    x[:, :, -1] = y[:, None]


@pytest.mark.parametrize("n_test", [60, 0], ids=["test", "no test"])
@pytest.mark.parametrize("plant,what", [
    (level, "level and spread"), (spread, "level and spread"), (first, "level and spread"),
    (rounded, "distinct values"), (shorter, "length"), (padded_with_zeros, "length"), (last_step, "hidden label"),
    (words_as_numbers, "hidden label"), (patient, "hidden label"), (whole_channel, "hidden label")])
def test_what_was_planted_is_found(plant, what, n_test):
    data = of_noise(1, n=80, n_test=n_test, steps=60, channels=2)
    for x, y in parts(data):
        plant(x, y, data.rng)
    findings = found(data)
    assert what in findings and findings[what].figure > .85, report(findings.values())
    if what == "hidden label":
        assert "level and spread" not in findings  # the same news


def test_a_label_in_the_last_step_of_series_of_unequal_length():
    data = of_noise(2)
    for x, y in parts(data):
        for series, label in zip(x, y):
            end = data.rng.integers(15, 30)
            series[end:], series[end - 1] = np.nan, label
    assert "the last step" in found(data)["hidden label"].sentence


def test_a_label_that_the_test_part_lacks_is_told_with_its_score():
    data = of_noise(3)
    data.x_train[:, 5, 0] = data.y_train
    finding = found(data)["hidden label"]
    assert finding.figure == 0 and "step 6 " in finding.sentence and "0.000 of the test series" in finding.sentence


def test_missing_values_that_tell_the_class():
    data = of_noise(4)
    assert found(data) == {}
    data.missing = tuple(3 * y + data.rng.integers(3, size=len(y)) for _, y in parts(data))
    assert set(found(data)) == {"missing values"}


@pytest.mark.parametrize("n_test", [60, 0])
@pytest.mark.parametrize("order", ["sorted", "blocks", "backwards"])
def test_order_in_the_file(order, n_test):
    data = of_noise(5, n_classes=3, n_test=n_test)
    shuffled = found(data)
    data.y_train = {"sorted": np.arange(60) // 20, "blocks": np.arange(60) // 10 % 3,
                    "backwards": 2 - np.arange(60) // 20}[order]
    assert shuffled == {} and set(found(data)) == {"order in the file"}
    assert found(data)["order in the file"].figure > .8
    data.y_train = np.arange(60) % 3  # they take turns: wherever it is cut, all classes stand on both sides
    assert found(data) == {}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_copies_are_found_whatever_their_type(dtype):
    "Every second test series copies a training series of its class; files keep fewer digits than arrays."
    data = of_noise(6, dtype="float64")
    data.x_train[:, 20:] = np.nan  # the test part is narrower
    data.x_test = data.x_test[:, :20]
    for n in range(0, 60, 2):
        data.x_test[n] = data.x_train[np.flatnonzero(data.y_train == data.y_test[n])[n % 20], :20]
    data.x_test = data.x_test.astype(dtype)
    findings = found(data)
    assert set(findings) == {"copies in both parts"} and findings["copies in both parts"].figure == .5


def copied_with_noise(data):
    "Each test series is a training series, exported anew."
    data.x_test, data.y_test = data.x_train + .02 * data.rng.normal(size=data.x_train.shape), data.y_train


def cut_with_overlap(data):
    "Windows of one log, each by an eighth after the one before, in any order."
    log = data.rng.normal(size=(len(data.x_train) * 8 + 64, data.x_train.shape[2]))
    windows = np.stack([log[8 * n:8 * n + 64] for n in range(len(data.x_train))])
    places, half = data.rng.permutation(len(windows)), len(windows) // 2
    data.x_train, data.x_test = windows[places[:half]], windows[places[half:]]
    data.y_train, data.y_test = data.y_train[places[:half]], data.y_train[places[half:]]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("plant, what", [(copied_with_noise, "near copies"), (cut_with_overlap, "shared stretches")])
def test_almost_copies(plant, what, channels):
    data = of_noise(0, n=120, channels=channels)
    plant(data)
    assert what in found(data) and found(data)[what].figure > .9
    assert {"shared stretches", "near copies"} & {*found(data)} == {what}


def test_neighbours_are_no_copies():
    "Classes that lie close together each, slow walks, few values: close, but nothing that was copied."
    steps = np.arange(64)
    tight, walks, coarse = of_noise(0, steps=64), of_noise(1, steps=64), of_noise(2, steps=64)
    for x, y in parts(tight):
        x[:] = .02 * x + np.sin(steps * (.1 + .1 * y[:, None]))[:, :, None]
    for data in (walks, coarse):
        data.x_train, data.x_test = (np.cumsum(x, axis=1) for x in (data.x_train, data.x_test))
    coarse.x_train, coarse.x_test = np.round(coarse.x_train), np.round(coarse.x_test)
    assert not {"near copies", "shared stretches"} & {*found(tight), *found(walks), *found(coarse)}


def test_copies_inside_one_class():
    data = of_noise(7)
    mine = np.flatnonzero(data.y_train == 1)
    data.x_train[mine[5:8]] = data.x_train[mine[:3]]
    findings = found(data)
    assert set(findings) == {"copies in training"} and "3 of 60" in findings["copies in training"].sentence


def test_one_series_under_two_labels():
    data = of_noise(8)
    data.x_train[np.flatnonzero(data.y_train == 0)[0]] = data.x_train[np.flatnonzero(data.y_train == 1)[0]]
    assert set(found(data)) == {"copies in training", "two labels"}
    across = of_noise(9)
    across.x_test[np.flatnonzero(across.y_test == 0)[0]] = across.x_train[np.flatnonzero(across.y_train == 1)[0]]
    assert set(found(across)) == {"copies in both parts", "two labels"}
    assert "2 series occur with more than one label" in found(across)["two labels"].sentence


def test_a_small_signal_far_from_zero_is_no_heap_of_copies():
    "In single precision all of these series are one constant."
    data = of_noise(10, dtype="float64")
    data.x_train, data.x_test = 4.5e6 + .01 * data.x_train, 4.5e6 + .01 * data.x_test
    assert len(np.unique(data.x_train.astype("float32"))) == 1 and found(data) == {}
    data.x_train[data.y_train == 1] += .05
    data.x_test[data.y_test == 1] += .05
    assert found(data)["level and spread"].figure > .95


def test_counts_of_classes():
    lopsided = of_noise(11, n=300, n_test=100)
    for y in (lopsided.y_train, lopsided.y_test):
        y[:] = lopsided.rng.permutation(len(y)) < .03 * len(y)
    finding = found(lopsided)["one large class"]
    assert set(found(lopsided)) == {"one large class"} and finding.figure == finding.largest == .97
    single = of_noise(12, n_classes=3)
    single.y_train[single.y_train == 2] = 0
    single.y_train[7] = 2
    assert "class 2" in found(single)["one in a class"].sentence
    single.y_test[single.y_test == 1] = 0
    assert "class 1" in found(single)["not in the test part"].sentence
    single.x_test, single.y_test = single.x_test[:0], single.y_test[:0]
    assert "not in the test part" not in found(single)


def test_constant_series_and_channels():
    data = of_noise(13, channels=3)
    data.x_train[4], data.x_test[5] = 0, 0  # no copies of each other: they hold nothing
    assert set(found(data)) == {"constant series"} and "2 of 120" in found(data)["constant series"].sentence
    data.x_train[:, :, 1], data.x_test[:, :, 1] = 7, 7
    assert "channel 2" in report(check_data(data))


@pytest.mark.parametrize("data", [
    SimpleNamespace(x_train=np.zeros((2, 1, 1)), y_train=[0, 1], x_test=np.zeros((0,)), y_test=[], missing=None,
                    classes=("a", "b")),
    SimpleNamespace(x_train=np.array([[[1e308], [-1e308]], [[5e-324], [0]]]), y_train=np.array([0, 1]),
                    x_test=np.ones((1, 1, 1)), y_test=np.array([1]), missing=None, classes=(1, 2))],
                         ids=["empty", "huge"])
def test_the_smallest_sets(data):
    assert "one in a class" in found(data)


def test_the_arithmetic():
    assert by_chance(0, 5, .3) == 1 and abs(by_chance(5, 5, .3) - .3**5) < 1e-12
    assert abs(by_chance(8, 10, .5) - 56 / 1024) < 1e-12  # 45 + 10 + 1 of 1,024
    assert stands_out([]) == [] and stands_out([.009]) == [True]
    y = np.arange(40) % 4
    assert (fit_rule(y.astype(float), y, np.array([0., 1, 2, 3, 99])) == [0, 1, 2, 3, 3]).all()
