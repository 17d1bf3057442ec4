"Tables as people keep them: a column's role follows from what is in it, and what is ambiguous is asked."
import numpy as np
import pandas
import pytest

from conftest import command
from tsformer_nb.data import load_dataset
from tsformer_nb.io.files import InputError, InputWarning
from tsformer_nb.io.loading import read_for_model

RNG = np.random.default_rng(0)
STEPS = 30


def log(n=16, clock=None, rate=lambda name: 20, noise=False, **more):
    "A row a time step: recordings of two classes, by a tone of one frequency each; more columns by name."
    rows = []
    for recording in range(n):
        name = ("walk", "run")[recording % 2]
        tone = np.sin(np.arange(STEPS) * (.3, .9)[recording % 2] * (not noise) + RNG.uniform(0, 6))
        for step, value in enumerate(tone + RNG.normal(0, .3, STEPS)):
            row = {"recording": recording, "ax": value, "label": name}
            if clock:
                row[clock] = 1_775_000_000_000 + recording * 100_000 + step * rate(name) + RNG.integers(3)
            rows.append(row | {key: make(recording, step, value) for key, make in more.items()})
    return pandas.DataFrame(rows)


def loaded(frame, folder, **options):
    frame.to_csv(folder / "own.csv", index=False)
    return load_dataset(folder / "own.csv", **options)


@pytest.mark.parametrize("clock", ["timestamp_ms", "unix", "ticks", "Zeit"])
def test_a_column_that_rises_in_every_recording_is_a_clock(clock, tmp_path):
    with pytest.warns(InputWarning) as told:
        data = loaded(log(clock=clock, noise=True), tmp_path)
    assert data.channels == ("ax",) and data.n_channels == 1
    assert any(clock in str(one.message) for one in told)


def test_a_clock_that_is_asked_for_is_a_channel(tmp_path):
    from tsformer_nb.io.recordings import Layout

    assert loaded(log(clock="ticks"), tmp_path, layout=Layout(channels=("ax", "ticks"))).n_channels == 2


@pytest.mark.parametrize("rates, leaks", [((20, 40), True), ((20, 20), False)])
def test_a_rate_that_gives_the_class_away_is_told(rates, leaks, tmp_path):
    rate = dict(zip(("walk", "run"), rates)).get
    frame = log(clock="time", rate=rate)
    with pytest.warns(InputWarning) as told:
        loaded(frame, tmp_path)
    assert any("the time step alone gives the class of 1.000" in str(one.message) for one in told) == leaks


@pytest.mark.parametrize("label", ["activity", "target", "class"])
def test_an_axis_called_y_is_no_label(label, tmp_path):
    frame = log(x=lambda *_: RNG.normal(), y=lambda *_: int(RNG.integers(9)), z=lambda *_: RNG.normal())
    data = loaded(frame.rename(columns={"label": label}), tmp_path)
    assert data.classes == ("run", "walk") and data.channels == ("ax", "x", "y", "z")


def wide(n=24, label=lambda row: ("walk", "run")[row % 2], **more):
    "A row a series."
    rows = [{**{key: make(row) for key, make in more.items()}, "label": label(row),
             **{f"t{step}": RNG.normal() + row % 2 for step in range(STEPS)}} for row in range(n)]
    return pandas.DataFrame(rows)


@pytest.mark.parametrize("person", ["subject", "subject_id", "patient_no", "person-id", "UserID", "participant_number"])
def test_a_person_is_a_group_whatever_the_column_is_called(person, tmp_path):
    data = loaded(wide(**{person: lambda row: row // 2 % 6}), tmp_path)
    assert data.n_timesteps == STEPS and data.groups is not None


@pytest.mark.parametrize("other", ["age", "weight_kg", "room"])
def test_a_column_unlike_the_steps_is_no_step(other, tmp_path):
    with pytest.warns(InputWarning, match=f"{other}: not called like the {STEPS} steps"):
        data = loaded(wide(n=25, id_of_nothing=lambda row: row % 7 + .5, **{other: lambda row: 20 + row % 9}), tmp_path)
    assert data.n_timesteps == STEPS


@pytest.mark.parametrize("mark", ["None", "NA", "null", "n/a", "-"])
def test_a_class_may_be_called_none(mark, tmp_path):
    (tmp_path / "own.csv").write_text(wide(label=lambda row: (mark, "wave")[row % 2]).to_csv(index=False))
    with pytest.warns(InputWarning, match=f"{mark} is read as a class"):
        assert set(load_dataset(tmp_path / "own.csv").classes) == {mark, "wave"}


@pytest.mark.parametrize("mark", ["", "?"])
def test_a_series_without_a_label_is_still_refused(mark, tmp_path):
    frame = wide(label=lambda row: mark if row == 3 else ("walk", "run")[row % 2])
    with pytest.raises(InputError, match=r"line 5: the series has no label"):
        loaded(frame, tmp_path)


@pytest.mark.parametrize("form, first", [("%d.%m.%Y %H:%M:%S", "02.04.2026"), ("%m/%d/%Y %I:%M:%S %p", "04/02/2026"),
                                         ("%d %b %Y %H:%M:%S", "02 Apr 2026"), ("%H:%M:%S.%f", "10:00:00"),
                                         ("%Y-%m-%dT%H:%M:%S", "2026-04-02")])
def test_times_as_people_write_them_put_rows_in_order(form, first, tmp_path):
    start = pandas.Timestamp("2026-04-02 10:00:00")
    frame = log(time=lambda recording, step, _: (start + pandas.Timedelta(hours=recording % 3, seconds=step)).strftime(
        form))
    assert frame["time"][0].startswith(first)
    right = loaded(frame, tmp_path)
    mixed = loaded(pandas.concat([part.sample(frac=1, random_state=0) for _, part in frame.groupby("recording")]),
                   tmp_path)
    np.testing.assert_array_equal(mixed.x_train, right.x_train)


@pytest.mark.parametrize("names", [("acc", "gyro"), ("links", "rechts", "mitte")])
def test_a_row_for_each_sensor_becomes_a_channel_for_each(names, tmp_path):
    frame = log(**{name: lambda recording, step, value, n=n: value * (n + 1) for n, name in enumerate(names)},
                time=lambda recording, step, _: step / 10).drop(columns="ax")
    stacked = frame.melt(["recording", "time", "label"], var_name="sensor").sort_values(["recording", "time"])
    with pytest.warns(InputWarning, match="each becomes a channel"):
        data = loaded(stacked, tmp_path)
    assert sorted(data.channels) == sorted(names)
    by_name = dict(zip(data.channels, np.moveaxis(data.x_train, 2, 0)))
    np.testing.assert_allclose(by_name[names[1]], 2 * by_name[names[0]], rtol=1e-5)


def test_an_index_of_a_frame_holds_columns(tmp_path):
    frame = log(time=lambda recording, step, _: step / 10).set_index(["recording", "time"])
    frame.to_parquet(tmp_path / "own.parquet")
    assert load_dataset(tmp_path / "own.parquet").x_train.shape[1:] == (STEPS, 1)


@pytest.mark.parametrize("columns", [["time", "ax", "ay", "az", "state_of_motion"], ["AF3", "F7", "O1", "O2", "eye"]])
def test_a_log_is_no_set_of_series(columns, tmp_path):
    "Each row a moment: asked, not trained."
    n = 600
    frame = pandas.DataFrame(RNG.normal(size=(n, len(columns))), columns=columns)
    frame[columns[-1]] = np.repeat(["open", "shut", "open"], n // 3)
    with pytest.raises(InputError, match="one time step per row.*--id.*--channels"):
        loaded(frame, tmp_path)


def test_a_quantity_is_no_class(tmp_path):
    with pytest.warns(InputWarning, match="look like a quantity to be estimated"):
        loaded(wide(n=72, label=lambda row: 20 + row % 24), tmp_path)
    with pytest.raises(InputError, match="look like a quantity to be estimated"):
        loaded(wide(n=240, label=lambda row: row * 37 % 150), tmp_path)


@pytest.mark.parametrize("write", [
    lambda text: "sep=;\n" + text.replace(",", ";"),
    lambda text: text.replace(",", ";").replace(".", ","),
    lambda text: "\n".join(line + "," for line in text.splitlines()) + "\n",
], ids=["sep=", "decimal commas", "a comma at the end"])
def test_habits_of_programs_change_nothing(write, tmp_path):
    text = wide().to_csv(index=False, float_format="%.4f")
    (tmp_path / "plain.csv").write_text(text)
    (tmp_path / "own.csv").write_text(write(text))
    plain, own = (load_dataset(tmp_path / name) for name in ("plain.csv", "own.csv"))
    np.testing.assert_allclose(own.x_train, plain.x_train) and np.testing.assert_array_equal(own.y_train, plain.y_train)


def test_thousands_have_points(tmp_path):
    frame = wide(n=12)
    values = frame.drop(columns="label") * 1000
    german = lambda value: f"{value:,.1f}".translate(str.maketrans(",.", ".,"))
    text = [";".join(["label", *values.columns])]
    text += [";".join([label, *map(german, row)]) for label, row in zip(frame["label"], values.to_numpy())]
    (tmp_path / "own.csv").write_text("\n".join(text))
    data = load_dataset(tmp_path / "own.csv", held_out=0)
    np.testing.assert_allclose(data.x_train[:, :, 0], values, atol=.051)


@pytest.mark.parametrize("layout", ["{name}/{n}.csv", "{name}_{n:03}.csv", "{name}.{n}.tsv", "{name} ({n}).csv",
                                    "train/{name}/rec{n}.csv"])
def test_a_file_for_each_recording(layout, tmp_path):
    for recording, part in log().groupby("recording"):
        name = part["label"].iloc[0]
        for folder in ("train", "test") if layout.startswith("train") else ("",):
            path = tmp_path / layout.replace("train", folder or "train").format(name=name, n=recording)
            path.parent.mkdir(parents=True, exist_ok=True)
            sheet = part[["ax"]].assign(time=range(0, 20 * STEPS, 20), ay=-part["ax"])[["time", "ax", "ay"]]
            sheet.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    with pytest.warns(InputWarning, match="each file is a recording"):
        data = load_dataset(tmp_path)
    assert data.classes == ("run", "walk") and data.channels == ("ax", "ay") and data.n_timesteps == STEPS
    np.testing.assert_allclose(data.x_train[:, :, 1], -data.x_train[:, :, 0])


@pytest.mark.parametrize("write", [
    lambda path, array: np.savetxt(path.with_suffix(".txt"), array, fmt="%s" if array.ndim == 1 else "%.6e"),
    lambda path, array: np.save(path.with_suffix(".npy"), array),
], ids=["text", "npy"])
def test_labels_in_a_file_of_their_own(write, tmp_path):
    for part, n in (("train", 20), ("test", 10)):
        (tmp_path / part).mkdir()
        frame = wide(n)
        write(tmp_path / part / f"X_{part}", frame.drop(columns="label").to_numpy())
        write(tmp_path / part / f"y_{part}", np.arange(n) % 2 + 1)
        write(tmp_path / part / f"subject_{part}", np.arange(n) // 4)
    with pytest.warns(InputWarning, match="files of their own"):
        data = load_dataset(tmp_path)
    assert data.x_train.shape == (20, STEPS, 1) and data.classes == (1, 2) and len(data.y_test) == 10
    assert [*data.groups[:5]] == ["0", "0", "0", "0", "1"]
    write(tmp_path / "train" / "y_train", np.arange(19) % 2)
    with pytest.raises(InputError, match="y_train.* has 19 lines.* has 20 series"):
        load_dataset(tmp_path)


def test_predictions_find_channels_by_name(tmp_path):
    more = {"ay": lambda recording, step, value: -value, "az": lambda *_: RNG.normal(),
            "time": lambda recording, step, _: step}
    train, new = log(32, **more), log(8, **more)
    train.to_csv(tmp_path / "train.csv", index=False)
    said = command("train", "--data", "train.csv", "--model", "kernels", "--out", "run", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    new.drop(columns="label").to_csv(tmp_path / "new.csv", index=False)
    new[["az", "time", "recording", "ay", "ax"]].to_csv(tmp_path / "other.csv", index=False)
    right, other = (command("predict", "run", name, cwd=tmp_path).stdout for name in ("new.csv", "other.csv"))
    assert right == other and right.count("\n") == 9
    one = new[new["recording"] == 1].drop(columns=["label", "recording"])
    one.to_csv(tmp_path / "one.csv", index=False)
    alone = command("predict", "run", "one.csv", cwd=tmp_path).stdout
    assert alone.splitlines()[1:] == [right.splitlines()[2]]
    new.rename(columns={"az": "gz"}).to_csv(tmp_path / "renamed.csv", index=False)
    refused = command("predict", "run", "renamed.csv", cwd=tmp_path)
    assert refused.returncode == 2 and "the model was trained on ax, ay, az" in refused.stderr
    assert read_for_model(tmp_path / "other.csv", ("ax", "ay", "az")).channels == ("ax", "ay", "az")


def test_a_table_to_predict_may_leave_its_labels_empty(tmp_path):
    wide(24).to_csv(tmp_path / "train.csv", index=False)
    command("train", "--data", "train.csv", "--model", "kernels", "--out", "run", cwd=tmp_path)
    for mark in ("", "?"):
        wide(5, label=lambda row, mark=mark: mark).to_csv(tmp_path / "new.csv", index=False)
        said = command("predict", "run", "new.csv", cwd=tmp_path)
        assert said.returncode == 0 and said.stdout.count("\n") == 6, said.stderr


def long_log(hours=4, clock=True, words=True):
    "A log of two activities, each for 100 steps at a time."
    rows = np.arange(hours * 400)
    label = rows // 100 % 2
    tone = np.sin(rows * np.where(label, .9, .3)) + RNG.normal(0, .2, len(rows))
    frame = pandas.DataFrame({"ms": 20 * rows, "ax": tone,
                              "motion": np.where(label, "run", "walk") if words else label})
    return frame if clock else frame.drop(columns="ms")


@pytest.mark.parametrize("clock, words", [(True, True), (False, True), (True, False)])
def test_a_log_is_cut_into_windows_of_one_label(clock, words, tmp_path):
    from tsformer_nb.io.recordings import Layout

    layout = Layout(window=25, hop=10, label="motion")
    data = loaded(long_log(clock=clock, words=words), tmp_path, layout=layout, held_out=0)
    assert data.x_train.shape == (16 * 8, 25, 1) and data.channels == ("ax",)  # windows begin at 0, 10, .., 70
    assert len(set(data.groups)) == 16


def test_windows_that_overlap_stay_on_one_side(tmp_path):
    from tsformer_nb.data import split
    from tsformer_nb.io.recordings import Layout

    data = loaded(long_log(), tmp_path, layout=Layout(window=25, hop=5), held_out=0)
    train, test = split(data.y_train, .25, 0, data.groups)
    assert set(data.groups[train]).isdisjoint(data.groups[test]) and len(test) > 10


def test_a_gap_in_time_ends_a_window(tmp_path):
    from tsformer_nb.io.recordings import Layout

    frame = long_log()
    frame.loc[frame.index >= 50, "ms"] += 60_000
    data = loaded(frame, tmp_path, layout=Layout(window=40), held_out=0)
    assert len(data.x_train) == 2 * 15 + 2  # the first hundred steps hold one window before the gap, and one after it


def test_a_log_trains_and_predicts_in_one_command_each(tmp_path):
    long_log(8).to_csv(tmp_path / "log.csv", index=False)
    asked = command("data", "log.csv", cwd=tmp_path)
    assert asked.returncode == 2 and "--window STEPS" in asked.stderr
    said = command("train", "--data", "log.csv", "--model", "kernels", "--window", 25, "--out", "run", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    long_log(2).drop(columns="motion").to_csv(tmp_path / "new.csv", index=False)
    rows = command("predict", "run", "new.csv", cwd=tmp_path).stdout.splitlines()[1:]
    assert len(rows) == 32 and command("evaluate", "run", cwd=tmp_path).stdout.strip() in said.stdout


def test_a_column_can_be_left_out(tmp_path):
    from tsformer_nb.io.recordings import Layout

    frame = log(battery=lambda *_: RNG.normal())
    assert loaded(frame, tmp_path).channels == ("ax", "battery")
    assert loaded(frame, tmp_path, layout=Layout(ignore=("battery",))).channels == ("ax",)
