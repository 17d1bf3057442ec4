"Tables as people keep them: a column's role follows from what is in it, and what is ambiguous is asked."
import json
import re
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas
import pytest
from scipy.io import wavfile

import tsformer_nb
from conftest import command
from tsformer_nb.io.files import InputError, InputWarning
from tsformer_nb.io.loading import kept_columns, read_for_model
from tsformer_nb.io.recordings import Layout, fill_gaps

pytestmark = pytest.mark.usefixtures("small_models")
RNG = np.random.default_rng(0)
STEPS = 30


def load_dataset(where, *arguments, **options):
    "As a user loads it. Whatever can be trained on, `predict` reads as well: the same series, labels or none."
    data = tsformer_nb.load_dataset(where, *arguments, **options)
    about = {"layout": asdict(data.layout), "channels": data.channels, "columns": kept_columns(data.roles),
             "n_timesteps": data.n_timesteps, "n_channels": data.n_channels}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        found = fill_gaps(read_for_model(where, json.loads(json.dumps(about))))  # as metrics.json holds it
    if not data.layout.window:  # rows without a label are in no window for training
        sums = [np.sort([x.sum() for part in parts for x in np.nan_to_num(part)])
                for parts in ((data.x_train, data.x_test), (found.x,))]
        np.testing.assert_allclose(*sums, rtol=1e-4, atol=1e-3)
    assert found.x.shape[1:] == data.x_train.shape[1:] or data.unequal
    return data


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
    with pytest.warns(InputWarning, match="each sensor becomes a channel"):
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


def test_names_of_the_series_are_no_classes(tmp_path):
    with pytest.warns(InputWarning, match="most classes have one or two series"):
        loaded(wide(n=48, label=lambda row: f"anna {row // 2}"), tmp_path, held_out=0)
    with pytest.raises(InputError, match="they look like names of the series"):
        loaded(wide(n=240, label=lambda row: f"anna {row // 2}"), tmp_path)


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


@pytest.mark.parametrize("names", [("X_train.csv", "y_train.csv"), ("daten.csv", "klassen.csv"),
                                   ("X_train.npy", "y_train.npy")])
def test_a_file_of_series_with_its_labels_in_another_is_not_read_alone(names, tmp_path):
    x, y = RNG.integers(0, 9, (40, 50)), np.arange(40) % 2 + 1
    for name, values in zip(names, (x, y)):
        path = tmp_path / name
        np.save(path, values) if path.suffix == ".npy" else np.savetxt(path, values, fmt="%d", delimiter=",")
    with pytest.raises(InputError, match=f"holds series, and {names[1]} next to it their labels: give the folder"):
        load_dataset(tmp_path / names[0])
    assert load_dataset(tmp_path, held_out=0).x_train.shape == (40, 50, 1)
    if names[0].endswith(".npy"):
        (tmp_path / names[1]).unlink()
        with pytest.raises(InputError, match="holds no labels: give a folder"):
            load_dataset(tmp_path / names[0])


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
    assert right.splitlines()[2] == f"1,{alone.splitlines()[1]}"
    new.rename(columns={"az": "gz"}).to_csv(tmp_path / "renamed.csv", index=False)
    refused = command("predict", "run", "renamed.csv", cwd=tmp_path)
    assert refused.returncode == 2 and "the model was trained on ax, ay, az" in refused.stderr
    assert read_for_model(tmp_path / "other.csv", {"channels": ["ax", "ay", "az"]}).channels == ("ax", "ay", "az")


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
    layout = Layout(window=25, hop=10, label="motion")
    data = loaded(long_log(clock=clock, words=words), tmp_path, layout=layout, held_out=0)
    assert data.x_train.shape == (16 * 8, 25, 1) and data.channels == ("ax",)  # windows begin at 0, 10, .., 70
    assert len(set(data.groups)) == 16


def test_windows_that_overlap_stay_on_one_side(tmp_path):
    from tsformer_nb.data import split
    data = loaded(long_log(), tmp_path, layout=Layout(window=25, hop=5), held_out=0)
    train, test = split(data.y_train, .25, 0, data.groups)
    assert set(data.groups[train]).isdisjoint(data.groups[test]) and len(test) > 10


def test_a_gap_in_time_ends_a_window(tmp_path):
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
    frame = log(battery=lambda *_: RNG.normal())
    assert loaded(frame, tmp_path).channels == ("ax", "battery")
    assert loaded(frame, tmp_path, layout=Layout(ignore=("battery",))).channels == ("ax",)


def spelled(encoding):
    frame = wide(label=lambda row: ("歩行", "走行")[row % 2] if encoding != "cp1252" else ("Höhe", "Straße")[row % 2])
    return frame.to_csv(index=False).encode(encoding)


@pytest.mark.parametrize("encoding", ["cp932", "shift_jis", "utf-16", "cp1252", "utf-8-sig"])
def test_text_of_another_program_is_read(encoding, tmp_path):
    (tmp_path / "own.csv").write_bytes(spelled(encoding))
    data = load_dataset(tmp_path / "own.csv")
    assert set(data.classes) == ({"Höhe", "Straße"} if encoding == "cp1252" else {"歩行", "走行"})


def test_excel_files_are_read(tmp_path):
    frame = log(time=lambda recording, step, _: pandas.Timestamp("2026-11-30 10:00") + pandas.Timedelta(seconds=step))
    frame.to_excel(tmp_path / "own.xlsx", index=False)
    frame.to_csv(tmp_path / "own.csv", index=False)
    one, other = (load_dataset(tmp_path / name) for name in ("own.xlsx", "own.csv"))
    np.testing.assert_allclose(one.x_train, other.x_train, rtol=1e-6)
    with pandas.ExcelWriter(tmp_path / "two.xlsx") as book:
        frame.to_excel(book, sheet_name="walks"), frame.to_excel(book, sheet_name="runs")
    with pytest.raises(InputError, match="2 sheets with the same columns .walks, runs., and it is not clear"):
        load_dataset(tmp_path / "two.xlsx")


@pytest.mark.parametrize("form", ["[{}]", "{}", "({})"])
@pytest.mark.parametrize("separator", [", ", " ", ";"])
def test_a_series_in_a_cell_is_a_series(form, separator, tmp_path):
    frame = wide()
    values = frame.drop(columns="label").to_numpy()
    lists = pandas.DataFrame({"emotion": frame["label"], "pixels": [form.format(separator.join(map(str, row)))
                                                                    for row in values]})
    data = loaded(lists, tmp_path, held_out=0)
    np.testing.assert_allclose(data.x_train[:, :, 0], values, rtol=1e-6)


def test_lists_in_a_parquet_file_are_series(tmp_path):
    frame = wide()
    values = frame.drop(columns="label").to_numpy()
    pandas.DataFrame({"label": frame["label"], "x": [*values], "y": [*-values]}).to_parquet(tmp_path / "own.parquet")
    data = load_dataset(tmp_path / "own.parquet", held_out=0)
    np.testing.assert_allclose(data.x_train, np.stack([values, -values], axis=2), rtol=1e-6)


@pytest.mark.parametrize("above, below", [("Device: logger 3\nStart: 10:00\n", ""), ("", "-,ms,g,-\n"),
                                          ("recorded by hand\n\n", ""), ("Name;x\n", "[],[ms],[g],[]\n")])
def test_remarks_and_units_around_a_header_are_no_values(above, below, tmp_path):
    frame = log()[["recording", "ax", "label"]]
    frame.insert(1, "time", [*range(STEPS)] * 16)
    head, *rows = frame.to_csv(index=False).splitlines(keepends=True)
    (tmp_path / "own.csv").write_text("".join([above, head, below, *rows]))
    with pytest.warns(InputWarning, match="remarks or units, not values"):
        data = load_dataset(tmp_path / "own.csv")
    assert data.channels == ("ax",) and data.n_timesteps == STEPS
    many = pandas.concat([frame.assign(recording=frame["recording"] + 16 * n) for n in range(90)])
    head, *rows = many.to_csv(index=False).splitlines(keepends=True)
    (tmp_path / "own.csv").write_text("".join([above, head, below, *rows]))
    assert load_dataset(tmp_path / "own.csv", held_out=0).x_train.shape == (16 * 90, STEPS, 1)


@pytest.mark.parametrize("names", [("x_train", "y_train", "x_test", "y_test"), ("Xtrain", "Ytrain", "Xtest", "Ytest"),
                                   ("trainX", "trainY", "testX", "testY"),
                                   ("train_data", "train_labels", "test_data", "test_labels"),
                                   ("XTrain", "YTrain", "XTest", "YTest")])
@pytest.mark.parametrize("kind", [".npz", ".mat"])
def test_arrays_of_both_parts_in_one_file(names, kind, tmp_path):
    from scipy.io import savemat

    arrays = dict(zip(names, (RNG.normal(size=(20, 30, 3)), np.arange(20) % 2, RNG.normal(size=(8, 30, 3)),
                              np.arange(8) % 2)))
    path = tmp_path / f"own{kind}"
    np.savez(path, **arrays) if kind == ".npz" else savemat(path, arrays)
    data = load_dataset(path)
    assert data.x_train.shape == (20, 30, 3) and data.x_test.shape == (8, 30, 3) and data.n_classes == 2
    assert load_dataset(data.source).x_test.shape == (8, 30, 3)


def test_cells_of_matlab_are_series_and_words(tmp_path):
    from scipy.io import savemat

    cells, words = np.empty(12, object), np.empty(12, object)
    for n in range(12):
        cells[n], words[n] = RNG.normal(size=(3, 20 + n)), ("walk", "run")[n % 2]
    savemat(tmp_path / "own.mat", {"X": cells, "Y": words})
    data = load_dataset(tmp_path / "own.mat", held_out=0)
    assert data.x_train.shape == (12, 31, 3) and data.classes == ("run", "walk")
    np.testing.assert_allclose(data.x_train[0, :20], cells[0].T, rtol=1e-6)
    savemat(tmp_path / "own.mat", {"X": np.moveaxis([RNG.normal(size=(3, 40))] * 12, 0, 2), "Y": np.arange(12) % 2})
    with pytest.warns(InputWarning, match="its axis 3 is read as that of the series"):
        load_dataset(tmp_path / "own.mat")


def test_sounds_in_a_folder_for_each_class(tmp_path):
    for name, tone in (("hum", .3), ("hiss", .9)):
        (tmp_path / name).mkdir()
        for n in range(6):
            sound = (2000 * np.sin(tone * np.arange(200))).astype(np.int16)
            wavfile.write(tmp_path / name / f"{n}.wav", 8000 if name == "hum" or n else 16000, sound)
    with pytest.warns(InputWarning, match="a time step takes 6.25e-05 in some recordings and 0.000125 in others"):
        data = load_dataset(tmp_path)
    assert data.n_timesteps == 200 and data.time_step == pytest.approx(1 / 8000)
    (tmp_path / "hum" / "0.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match="not a complete .wav file"):
        load_dataset(tmp_path)


def smartphone(folder, features=True):
    "The layout of UCI HAR: features, labels and persons in a file each, and a folder with a file a channel."
    for part, n in (("train", 24), ("test", 12)):
        (folder / part / "Inertial Signals").mkdir(parents=True)
        save = lambda name, array, place=folder / part: np.savetxt(place / f"{name}.txt", array, fmt="%.6e")
        for axis in ("body_acc_x", "body_acc_y", "total_acc_x"):
            save(f"Inertial Signals/{axis}_{part}", RNG.normal(size=(n, 40)))
        save(f"y_{part}", np.arange(n) % 2 + 1), save(f"subject_{part}", np.arange(n) // 4)
        if features:
            save(f"X_{part}", RNG.normal(size=(n, 11)))


def test_a_folder_with_a_file_for_each_channel(tmp_path):
    smartphone(tmp_path)
    with pytest.raises(InputError, match='--ignore X_train or --ignore "Inertial Signals"'):
        load_dataset(tmp_path)
    signals = load_dataset(tmp_path, layout=Layout(ignore=("X_train",)))
    assert signals.x_train.shape == (24, 40, 3) and signals.channels == ("body_acc_x", "body_acc_y", "total_acc_x")
    assert len(set(signals.groups)) == 6 and signals.x_test.shape == (12, 40, 3)
    assert load_dataset(tmp_path, layout=Layout(ignore=("Inertial Signals",))).x_train.shape == (24, 11, 1)


def test_many_logs_in_a_folder_are_cut_into_windows(tmp_path):
    for n in range(5):
        long_log(2).to_csv(tmp_path / f"person{n}.csv", index=False)
    data = load_dataset(tmp_path, layout=Layout(window="0.5s", hop=10), held_out=0)
    assert data.x_train.shape == (5 * 8 * 8, 25, 1) and len(set(data.groups)) == 5


def test_recordings_in_a_folder_are_cut_into_windows(tmp_path):
    for name in ("walk", "run"):
        for n in range(4):
            frame = pandas.DataFrame({"time_ms": 20 * np.arange(100 + n), "ax": RNG.normal(size=100 + n)})
            frame.to_csv(tmp_path / f"{name}_{n}.csv", index=False)
    data = load_dataset(tmp_path, layout=Layout(window="1s", hop="500ms"), held_out=0)
    assert data.x_train.shape == (2 * 4 * 3, 50, 1) and len(set(data.groups)) == 8


@pytest.mark.parametrize("unit, window", [("time_ms", "500ms"), ("time_s", ".5s"), ("unix", "0.5 s")])
def test_a_window_may_be_a_time(unit, window, tmp_path):
    start, step = {"time_ms": (0, 20), "time_s": (0, .02), "unix": (1_775_000_000_000, 20)}[unit]
    frame = long_log().rename(columns={"ms": unit})
    frame[unit] = start + step * np.arange(len(frame))
    data = loaded(frame, tmp_path, layout=Layout(window=window), held_out=0)
    assert data.n_timesteps == 25 and data.time_step == pytest.approx(.02)
    with pytest.raises(InputError, match="the unit of beat is not known, so --window 2s cannot be converted"):
        loaded(frame.rename(columns={unit: "beat"}).assign(beat=np.arange(len(frame)) / 7), tmp_path,
               layout=Layout(window="2s", time="beat"))


def test_unlike_rates_can_be_made_alike(tmp_path):
    "A tone of one frequency, measured at two rates, is the same series after resampling."
    rows = []
    for recording in range(8):
        step = (.01, .02)[recording % 2]
        for time in np.arange(0, 2, step):
            rows.append({"recording": recording, "time": time, "ax": np.sin(3 * time), "label": "ab"[recording % 2]})
    data = loaded(pandas.DataFrame(rows), tmp_path, layout=Layout(resample=.02), held_out=0)
    spread = np.ptp(data.x_train[:, 2:98, 0], axis=0)
    assert data.n_timesteps in (100, 101) and spread.max() < .02
    with pytest.raises(InputError, match="longer than every recording"):
        loaded(pandas.DataFrame(rows), tmp_path, layout=Layout(resample=20))


def test_sensors_at_unlike_rates_are_told_and_resampled(tmp_path):
    rows = [{"id": n, "time": time, "sensor": sensor, "value": np.sin(time + n % 2), "label": "ab"[n % 2]}
            for n in range(8) for sensor, step in (("acc", .1), ("gyro", .25))
            for time in np.arange(0, 5, step).round(2)]
    with pytest.warns(InputWarning, match="not measured at the same times.*--resample"):
        loaded(pandas.DataFrame(rows), tmp_path)
    data = loaded(pandas.DataFrame(rows), tmp_path, layout=Layout(resample=.1), held_out=0)
    assert data.channels == ("acc", "gyro") and data.n_timesteps == 50
    np.testing.assert_allclose(data.x_train[:, :48, 1], data.x_train[:, :48, 0], atol=.06)


def test_predictions_of_a_log_say_when_and_can_be_merged(tmp_path):
    log_of_two, new = long_log(8), long_log(2)
    log_of_two.to_csv(tmp_path / "log.csv", index=False), new.to_csv(tmp_path / "new.csv", index=False)
    command("train", "--data", "log.csv", "--model", "kernels", "--window", 25, "--hop", 5, "--out", "run",
            cwd=tmp_path)
    rows = command("predict", "run", "new.csv", cwd=tmp_path).stdout.splitlines()
    assert rows[0] == "from,to,predicted,p(run),p(walk)" and rows[1].startswith("0,480,walk,")
    merged = pandas.read_csv(tmp_path / "merged.csv") if command(
        "predict", "run", "new.csv", "--intervals", "--out", "merged.csv", cwd=tmp_path).returncode == 0 else None
    assert [*merged["predicted"]] == ["walk", "run"] * 4 and [*merged["from"]][:3] == [0, 2000, 4000]
    new.assign(ms=new["ms"] * 2).to_csv(tmp_path / "slow.csv", index=False)
    told = command("predict", "run", "slow.csv", cwd=tmp_path)
    assert "a time step takes 0.04, but took 0.02 in training" in told.stderr


def test_what_is_no_regular_file_is_never_replaced(tmp_path):
    import os

    from tsformer_nb.io.files import atomic_write

    atomic_write(Path(os.devnull), b"nothing")
    assert not Path(os.devnull).is_file()
    (tmp_path / "real.csv").write_text("old"), (tmp_path / "link.csv").symlink_to("real.csv")
    atomic_write(tmp_path / "link.csv", b"new")
    assert (tmp_path / "link.csv").is_symlink() and (tmp_path / "real.csv").read_text() == "new"


@pytest.mark.parametrize("name, expected", [("training_set.csv", "{}"), ("gun_train.tsv", "gun"),
                                            ("TRAINING.csv", "{}"), ("gun-training-data.csv", "gun"),
                                            ("trainset.csv", "{}")])
def test_a_data_set_is_called_after_its_file(name, expected, tmp_path):
    from tsformer_nb.io.loading import set_name

    assert set_name(tmp_path / name) == expected.format(tmp_path.name)


def test_each_column_says_its_role_and_why(tmp_path):
    frame = log(clock="ticks", subject=lambda recording, *_: recording // 4, note=lambda *_: "ok",
                age=lambda recording, *_: 20 + recording // 4)
    roles = {role.column: role for role in loaded(frame, tmp_path).roles}
    expected = {"recording": "recording", "ax": "channel", "label": "label", "ticks": "time", "subject": "group",
                "age": "left out", "note": "left out"}
    assert {name: roles[name].role for name in expected} == expected
    assert roles["age"].why == "does not change within a recording" and roles["ticks"].first.startswith("1775000")
    said = command("data", "own.csv", cwd=tmp_path).stdout
    rows = [re.split(" {2,}", line.strip()) for line in said.splitlines()]
    assert ["age", "left out", "does not change within a recording", "20, 20, 20"] in rows


def test_words_that_do_not_change_may_be_the_label_or_are_asked(tmp_path):
    frame = log().rename(columns={"label": "gait"})
    with pytest.warns(InputWarning, match="gait is read as the label, because it has one value in each recording"):
        assert loaded(frame, tmp_path).classes == ("run", "walk")
    two = frame.assign(ground=np.where(frame["recording"] % 4 < 2, "sand", "grass"))
    with pytest.raises(InputError, match="each of gait, ground has one value.*--label.*--ignore"):
        loaded(two, tmp_path)
    assert loaded(two, tmp_path, layout=Layout(label="ground")).classes == ("grass", "sand")


@pytest.mark.parametrize("name, form, place", [("labels.csv", "{}.csv", ""), ("REFERENCE.csv", "{}", ""),
                                               ("meta.tsv", "data/{}.csv", "data"), ("annotations.csv", "{}", "rec")])
def test_a_table_of_labels_lists_the_recordings(name, form, place, tmp_path):
    rows = []
    (tmp_path / place).mkdir(exist_ok=True)
    for n in range(12):
        pandas.DataFrame({"t": 20 * np.arange(STEPS), "ax": RNG.normal(size=STEPS)}).to_csv(
            tmp_path / place / f"A{n:03}.csv", index=False)
        rows.append({"file": form.format(f"A{n:03}"), "kind": ("walk", "run")[n % 2], "subject": n // 3})
    separator = "\t" if name.endswith("tsv") else ","
    pandas.DataFrame(rows).to_csv(tmp_path / name, index=False, sep=separator, header=name != "REFERENCE.csv")
    if name == "REFERENCE.csv":
        pandas.DataFrame(rows)[["file", "kind"]].to_csv(tmp_path / name, index=False, header=False)
    with pytest.warns(InputWarning, match=f"of {name} is its class .6 of walk, 6 of run"):
        data = load_dataset(tmp_path, held_out=0)
    assert data.x_train.shape == (12, STEPS, 1) and data.classes == ("run", "walk")
    assert data.groups is None if name == "REFERENCE.csv" else len(set(data.groups)) == 4
    rows[3]["file"] = form.format("B003")
    pandas.DataFrame(rows).to_csv(tmp_path / name, index=False, sep=separator)
    with pytest.raises(InputError, match="line 5, column 1 .file.: there is no file .*B003"):
        load_dataset(tmp_path)


def numbered(values, name):
    "A log of one channel, each value written as text."
    frame = log()
    frame["ax"] = [values(value) for value in frame["ax"]]
    return frame.rename(columns={"ax": name})


@pytest.mark.parametrize("form, separator", [
    (lambda n: f"{n:,}".replace(",", "."), ","), (lambda n: f"{n:,}", ";"), (lambda n: f"{n:,}".replace(",", "'"), ","),
    (lambda n: str(n).replace("-", "\u2212"), ","),
    (lambda n: str(n).translate(str.maketrans("0123456789", "０１２３４５６７８９")), ","),
    (lambda n: f"{n / 1e3:.3f}D+03", ","), (lambda n: f"{n:,}".replace(",", "\u202f"), ";")],
    ids=["points", "commas", "apostrophes", "a real minus", "full-width digits", "Fortran", "narrow blanks"])
def test_numbers_as_programs_write_them(form, separator, tmp_path):
    frame, plain = log(), log()
    whole = (frame["ax"] * 900).round().astype(int)
    plain["ax"] = whole
    plain.assign(ax=[form(n) for n in whole]).to_csv(tmp_path / "own.csv", index=False, sep=separator)
    data = load_dataset(tmp_path / "own.csv", held_out=0)
    np.testing.assert_allclose(np.sort(data.x_train.ravel()), np.sort(whole.to_numpy(float)), atol=.5)


def test_decimals_are_not_thousands(tmp_path):
    frame = log().assign(ax=lambda frame: frame["ax"].round(3))
    np.testing.assert_allclose(np.sort(loaded(frame, tmp_path, held_out=0).x_train.ravel()), np.sort(frame["ax"]),
                               rtol=1e-6)


@pytest.mark.parametrize("name", ["taken", "recorded_at", "zeitpunkt"])
def test_dates_are_times_whatever_the_column_is_called(name, tmp_path):
    start = pandas.Timestamp("2026-11-30 10:00")
    frame = log(**{name: lambda recording, step, _: (start + pandas.Timedelta(seconds=step)).isoformat()})
    right = loaded(frame, tmp_path, held_out=0).x_train
    mixed = pandas.concat([part.sample(frac=1, random_state=0) for _, part in frame.groupby("recording")])
    np.testing.assert_array_equal(loaded(mixed, tmp_path, held_out=0).x_train, right)


@pytest.mark.parametrize("times", [
    lambda recording, step, _: f"{(23 + (step > 9)) % 24:02}:{(50 + step) % 60:02}:00",
    lambda recording, step, _: (200 + 3 * step) % 256])
def test_a_clock_that_begins_anew_does_not_turn_a_recording(times, tmp_path):
    frame = log(time=times)
    with pytest.warns(InputWarning, match="goes back .* time.s. although the rows are in order"):
        data = loaded(frame, tmp_path, held_out=0)
    plain = loaded(frame.drop(columns="time"), tmp_path, held_out=0)
    np.testing.assert_array_equal(data.x_train, plain.x_train)


def test_a_date_and_a_clock_in_two_columns_are_one_time(tmp_path):
    at = [pandas.Timestamp("2026-11-30 23:59:50") + pandas.Timedelta(seconds=step) for step in range(STEPS)]
    frame = log(date=lambda recording, step, _: at[step].strftime("%Y-%m-%d"),
                hour=lambda recording, step, _: at[step].strftime("%H:%M:%S"))
    data = loaded(frame, tmp_path, held_out=0)
    assert {role.column: role.role for role in data.roles}["hour"] == "time" and data.time_step == 1
    np.testing.assert_array_equal(data.x_train, loaded(frame.drop(columns=["date", "hour"]), tmp_path,
                                                       held_out=0).x_train)


@pytest.mark.parametrize("words", [("ON", "OFF"), ("up", "down"), ("warm", "cold", "warm")])
def test_a_state_in_words_is_no_sensor(words, tmp_path):
    frame = log(time=lambda recording, step, _: step, phase=lambda recording, step, _: words[step // 7 % len(words)])
    with pytest.warns(InputWarning, match="left out, because they hold text: phase"):
        assert loaded(frame, tmp_path).channels == ("ax",)


@pytest.mark.parametrize("names", [("walk", "run"), ("is_walk", "is_run", "is_sit"), ("c1", "c2", "c3", "c4")])
@pytest.mark.parametrize("where", [wide, log])
def test_a_label_in_a_column_for_each_class_is_one_label(names, where, tmp_path):
    frame = where(32).drop(columns="label")
    number = frame["recording"] % len(names) if where is log else pandas.Series(range(32)) % len(names)
    frame = frame.assign(**{name: (number == n).astype(int) for n, name in enumerate(names)})
    with pytest.warns(InputWarning, match="each row has a 1 in one of these columns .one-hot., so they are read as"):
        data = loaded(frame, tmp_path, held_out=0)
    assert set(data.classes) == {*names} and data.n_channels == 1


def test_a_recording_that_comes_back_is_asked_or_told_apart_by_persons(tmp_path):
    frame = log(16).assign(trial=lambda frame: frame["recording"] % 4).rename(columns={"recording": "whole"})
    frame["label"] = np.where(frame["trial"] % 2, "run", "walk")
    with pytest.raises(InputError, match="line 122.*0 occurs again after others.*--id trial.*--id subject,trial"):
        loaded(frame.drop(columns="whole"), tmp_path)
    people = frame.assign(subject=frame["whole"] // 4).drop(columns="whole")
    with pytest.warns(InputWarning, match="trial restarts for each subject"):
        assert loaded(people, tmp_path, held_out=0).x_train.shape == (16, STEPS, 1)
    named = people.rename(columns={"subject": "row"})
    assert loaded(named, tmp_path, layout=Layout(id="row,trial"), held_out=0).x_train.shape == (16, STEPS, 1)
    assert loaded(named, tmp_path, layout=Layout(id="trial"), held_out=0).x_train.shape[:2] == (4, 4 * STEPS)


@pytest.mark.parametrize("order", [sorted, lambda names: [*reversed(names)]])
def test_steps_stand_in_the_order_of_their_numbers(order, tmp_path):
    frame = wide()
    steps = [f"t{step}" for step in range(STEPS)]
    data = loaded(frame[["label", *order(steps)]], tmp_path, held_out=0)
    np.testing.assert_allclose(data.x_train[:, :, 0], frame[steps], rtol=1e-6)


def test_a_header_of_numbers_is_a_header(tmp_path):
    frame = wide()
    frame.columns = ["class", *(f"{400 + step / 2}" for step in range(STEPS))]
    data = loaded(frame, tmp_path, held_out=0)
    assert data.x_train.shape == (24, STEPS, 1) and data.n_classes == 2


def test_a_log_without_a_header_is_no_set_of_series(tmp_path):
    rows = pandas.DataFrame(RNG.normal(size=(1200, 3)).round(3)).assign(label=np.repeat([0, 1, 0], 400))
    rows.to_csv(tmp_path / "own.csv", index=False, header=False)
    with pytest.raises(InputError, match="one time step per row"):
        load_dataset(tmp_path / "own.csv")


def test_classes_that_differ_in_capital_letters_are_told(tmp_path):
    with pytest.warns(InputWarning, match="WALK, walk differ only in capital letters"):
        loaded(wide(label=lambda row: ("walk", "run", "WALK")[row % 3]), tmp_path)


def test_a_header_that_comes_again_is_skipped(tmp_path):
    frame = log()
    more = frame.assign(recording=frame["recording"] + 16)
    (tmp_path / "own.csv").write_text(frame.to_csv(index=False) + more.to_csv(index=False))
    with pytest.warns(InputWarning, match="line 482: the header again"):
        load_dataset(tmp_path / "own.csv")


@pytest.mark.parametrize("counter", [lambda recording, step, _: 9000 - 40 * recording - step,
                                     lambda recording, step, _: 40 * recording + (step if step < 20 else step - 20),
                                     lambda recording, step, _: 1.7e9 + 500 * recording + step + RNG.uniform(-.1, .1)],
                         ids=["backwards", "begun anew", "with jitter"])
def test_what_counts_is_no_channel(counter, tmp_path):
    assert loaded(log(count=counter), tmp_path).channels == ("ax",)


def test_a_channel_that_gives_the_class_away_is_told_in_training(tmp_path):
    frame = log(80, vbat=lambda recording, *_: 4.2 - recording % 2 + RNG.normal(0, .1), noise=True)
    frame.to_csv(tmp_path / "own.csv", index=False)
    said = command("train", "--data", "own.csv", "--model", "kernels", "--out", "run", cwd=tmp_path)
    assert "of channel vbat alone, 1.000" in said.stdout


@pytest.mark.parametrize("names", [("X_train.csv", "y_train.csv"), ("timeseries.csv", "labels.csv")])
def test_labels_by_recording_in_a_table_of_their_own(names, tmp_path):
    frame = log(time=lambda recording, step, _: step)
    frame.drop(columns="label").to_csv(tmp_path / names[0], index=False)
    labels = frame.groupby("recording")["label"].first().sample(frac=1, random_state=0)
    labels.rename("surface").to_csv(tmp_path / names[1])
    with pytest.warns(InputWarning, match=f"surface are joined from {names[1]} by recording"):
        data = load_dataset(tmp_path, held_out=0)
    np.testing.assert_array_equal(data.x_train, loaded(frame, tmp_path / "..", held_out=0).x_train)


@pytest.mark.parametrize("form", ["S{person}/{name}/{n}.csv", "{name}/subject{person}/{n}.csv"])
def test_folders_of_persons_and_of_classes(form, tmp_path):
    for recording, part in log().groupby("recording"):
        path = tmp_path / form.format(person=recording // 4, name=part["label"].iloc[0], n=recording)
        path.parent.mkdir(parents=True, exist_ok=True)
        part[["ax"]].to_csv(path, index=False)
    data = load_dataset(tmp_path, held_out=0)
    assert data.x_train.shape == (16, STEPS, 1) and data.classes == ("run", "walk") and len(set(data.groups)) == 4


def test_a_log_for_each_class(tmp_path):
    for name in ("walk", "run"):
        pandas.DataFrame({"time": np.arange(900) / 50, "ax": RNG.normal(size=900)}).to_csv(tmp_path / f"{name}.csv")
    data = load_dataset(tmp_path, layout=Layout(window=30), held_out=0)
    assert data.x_train.shape == (60, 30, 1) and data.classes == ("run", "walk") and len(set(data.groups)) == 8


def test_many_logs_on_the_command_line(tmp_path):
    for n in range(3):
        long_log(2).to_csv(tmp_path / f"log{n}x.csv", index=False)
    said = command("data", ".", "--window", 25, cwd=tmp_path)
    assert said.returncode == 0 and "25 time steps, 2 classes" in said.stdout, said.stderr


def test_stretches_without_a_label_are_left_out(tmp_path):
    frame = long_log()
    frame.loc[150:249, "motion"] = ""
    with pytest.warns(InputWarning, match="4 windows have no label, and are left out"):
        data = loaded(frame, tmp_path, layout=Layout(window=25, label="motion"), held_out=0)
    assert len(data.x_train) == 60 and data.classes == ("run", "walk")


def test_overlapping_windows_of_one_file_a_class_do_not_cross_their_stretches(tmp_path):
    for name in ("walk", "run"):
        pandas.DataFrame({"ax": np.arange(900.)[::1 if name == "run" else -1] + .5 * RNG.normal(size=900)}).to_csv(
            tmp_path / f"{name}.csv", index=False)
    data = load_dataset(tmp_path, layout=Layout(window=30, hop=10, channels=("ax",)), held_out=0)
    ends = {name: (data.x_train[data.groups == name].min(), data.x_train[data.groups == name].max())
            for name in set(data.groups) if "run" in name}
    borders = sorted(ends.values())
    assert len(borders) == 4 and all(a[1] < b[0] + 4 for a, b in zip(borders, borders[1:]))


# ---------------------------------------------------------------- rows in any order, logs, times, names of steps

@pytest.mark.parametrize("clock", ["t_s", "elapsed [ms]", "Zeit", "q"])
def test_a_clock_is_a_clock_in_any_order_of_the_rows(clock, tmp_path):
    frame = log(**{clock: lambda recording, step, _: round(step * .02, 2)})
    straight = loaded(frame, tmp_path, held_out=0)
    with pytest.warns(InputWarning, match=f"order: {re.escape(clock)}"):
        mixed = loaded(frame.sample(frac=1, random_state=1), tmp_path, held_out=0, layout=Layout(id="recording"))
    assert mixed.n_channels == straight.n_channels == 1
    np.testing.assert_array_equal(np.sort(mixed.x_train[:, :, 0], axis=0), np.sort(straight.x_train[:, :, 0], axis=0))


def segmented(hours=12, label=int, channels=5, first=False):
    "A log of noisy tones whose state comes back."
    state = np.repeat(np.arange(hours) % 3, 80)
    frame = pandas.DataFrame({f"EMG{n}": RNG.normal(size=len(state)) + np.sin(np.arange(len(state)) * (.5 + state))
                              for n in range(channels)})
    frame.insert(0 if first else channels, "stage", state.astype(label))
    return frame


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("label, channels, first",
                         [(int, 5, True), (float, 8, False), (int, 12, True), (str, 3, False)])
def test_a_state_that_comes_back_is_of_a_log(label, channels, first, header, tmp_path):
    segmented(label=label, channels=channels, first=first).to_csv(tmp_path / "own.csv", index=False, header=header)
    with pytest.raises(InputError, match="looks like a table with one time step per row.*--window STEPS"):
        load_dataset(tmp_path / "own.csv")
    said = command("data", "own.csv", "--window", 20, "--label", 1 if first else "last", cwd=tmp_path)
    assert said.returncode == 0 and f"20 time steps of {channels} channels, 3 classes" in said.stdout, said.stderr


@pytest.mark.parametrize("names", [("rec", "stufe"), ("stufe", "rec")])
def test_numbers_of_recordings_are_no_classes(names, tmp_path):
    frame = pandas.DataFrame(RNG.normal(size=(900, 4)), columns=[*"abcd"])
    columns = {"rec": np.arange(900) // 45, "stufe": np.arange(900) // 45 % 2}
    frame.insert(0, names[0], columns[names[0]])
    frame[names[1]] = columns[names[1]]
    with pytest.raises(InputError, match="looks like a table with one time step per row.*--id"):
        loaded(frame, tmp_path)


def test_series_sorted_by_class_stay_series(tmp_path):
    frame = wide(400).sort_values("label")
    steps = [name for name in frame if name != "label"][:12]
    assert loaded(frame[[*steps, "label"]], tmp_path, held_out=0).x_train.shape == (400, 12, 1)


@pytest.mark.parametrize("values", [("Meier", "Abe", "Kim"), (4, 7, 9)])
@pytest.mark.parametrize("header", [True, False])
def test_two_columns_that_may_be_the_label_are_asked(values, header, tmp_path):
    kind = (lambda n: ("gut", "schlecht")[n]) if values[0] == "Meier" else (lambda n: n)
    frame = pandas.DataFrame(RNG.normal(size=(60, 20)).round(3), columns=[f"w{n}" for n in range(20)])
    frame.insert(0, "Urteil", [kind(n % 2) for n in range(60)])
    frame.insert(0, "Kunde", [values[n // 2 % 3] for n in range(60)])
    if not header and values[0] == "Meier":  # without names, words among the values are a fault
        pytest.skip("a table of words without a header is refused anyway")
    frame.to_csv(tmp_path / "own.csv", index=False, header=header)
    with pytest.raises(InputError, match="each of the columns .* may be the label"):
        load_dataset(tmp_path / "own.csv")
    names = ("Urteil", "Kunde") if header else ("2", "1")
    data = load_dataset(tmp_path / "own.csv", layout=Layout(label=names[0], ignore=(names[1],)), held_out=0)
    assert data.x_train.shape == (60, 20, 1) and len(data.classes) == 2


def test_labels_behind_series_of_whole_numbers(tmp_path):
    x = RNG.integers(-5, 6, (60, 30))
    np.savetxt(tmp_path / "own.csv", np.c_[x, np.arange(60) % 2], fmt="%d", delimiter=",")
    data = load_dataset(tmp_path / "own.csv", held_out=0)
    assert data.classes == (0, 1) and np.array_equal(data.x_train[:, :, 0], x)


@pytest.mark.parametrize("names, channels", [
    ([f"t-{n}" for n in range(11, -1, -1)], 1), ([f"lag_{n}" for n in range(12, 0, -1)], 1),
    ([f"{name}(t-{n})" for name in ("temp", "hum") for n in range(5, -1, -1)], 2),
    ([*(f"var1(t-{n})" for n in range(11, 0, -1)), "var1(t)"], 1),
    ([f"{month}{year}" for year in (24, 25) for month in ("Jan", "Feb", "Mar", "Apr", "May", "Jun")], 1),
    ([f"{hour:02}:{minute}" for hour in range(6) for minute in ("00", "30")], 1),
    ([f"{day:02}.{month:02}.2026" for month in (1, 2) for day in range(1, 7)], 1)])
def test_names_of_steps_say_their_order(names, channels, tmp_path):
    x = RNG.normal(size=(30, 12)).round(3)
    frame = pandas.DataFrame(x, columns=names)
    if names[0] != "Jan24":
        frame = frame[sorted(names)]  # as a program sorts them
    frame["class"] = np.array(["A", "B"])[np.arange(30) % 2]
    data = loaded(frame, tmp_path, held_out=0)
    steps = x.reshape(30, channels, -1).transpose(0, 2, 1)
    order = [0, 1] if channels == 2 and data.channels == ("temp", "hum") else [*range(channels)][::-1]
    np.testing.assert_allclose(data.x_train, steps[:, :, order], rtol=1e-6)


@pytest.mark.parametrize("form, reads", [
    (lambda s: f"{s // 60:02}:{s % 60:02}", False), (lambda s: f"{s // 60:02}:{s % 60:02}.0", True),
    (lambda s: f"{s} sec", True), (lambda s: f"0 days 00:{s // 60:02}:{s % 60:02}", True),
    (lambda s: f"令和8年4月2日 午後{s // 60 + 1}時{s % 60}分", False),
    (lambda s: f"2. März 2026 08:{s // 60:02}:{s % 60:02} Uhr", True)])
def test_a_window_in_seconds_needs_times_in_seconds(form, reads, tmp_path):
    frame = segmented(label=str, channels=2)[:600].rename(columns={"stage": "state"})
    frame["time"] = [form(n) for n in range(len(frame))]
    frame.to_csv(tmp_path / "own.csv", index=False)
    said = command("data", "own.csv", "--window", "20s", cwd=tmp_path)
    if reads:
        assert said.returncode == 0 and ": 20 time steps of 2 channels" in said.stdout, said.stderr
    else:  # hours or minutes? or steps of a minute
        assert said.returncode == 2 and ("the unit of time is not known" in said.stderr
                                         or "is shorter than a time step" in said.stderr), said.stderr
    said = command("data", "own.csv", "--window", 20, cwd=tmp_path)
    assert said.returncode == 0 and ": 20 time steps of 2 channels" in said.stdout, said.stderr


@pytest.mark.parametrize("sensor", ["tag", "Kanal", "センサー"])
def test_a_log_with_a_row_for_each_sensor(sensor, tmp_path):
    frame = long_log()
    frame["ay"] = -frame["ax"]
    stacked = frame.melt([name for name in frame if name not in ("ax", "ay")], var_name=sensor)
    with pytest.warns(InputWarning, match=f"{sensor} names the sensor of each row"):
        data = loaded(stacked.sort_values("ms", kind="stable"), tmp_path, layout=Layout(window=25), held_out=0)
    assert data.channels == ("ax", "ay") and np.array_equal(data.x_train[:, :, 0], -data.x_train[:, :, 1])


@pytest.mark.parametrize("name", ["maschine", "device_name"])
def test_machines_that_take_turns_in_a_log_are_asked(name, tmp_path):
    frame = long_log().loc[lambda frame: frame.index.repeat(2)].reset_index(drop=True)
    frame[name] = np.array(["M1", "M2"])[frame.index % 2]
    frame["ms"] += 3 * (frame.index % 2)
    frame.to_csv(tmp_path / "own.csv", index=False)
    said = command("data", "own.csv", "--window", 25, cwd=tmp_path)
    assert said.returncode == 2 and f"separate them with --id {name}" in said.stderr
    said = command("data", "own.csv", "--window", 25, "--id", name, cwd=tmp_path)
    assert said.returncode == 0 and "25 time steps, 2 classes" in said.stdout, said.stderr


def test_codes_of_sensors_may_be_numbers(tmp_path):
    frame = log(t=lambda recording, step, _: step)
    both = pandas.concat([frame.assign(code=17, value=frame["ax"]), frame.assign(code=33, value=-frame["ax"])])
    both = both.sort_values(["recording", "t"], kind="stable")[["code", "value", "t", "recording", "label"]]
    data = loaded(both, tmp_path, held_out=0)
    assert data.channels == ("17", "33") and np.array_equal(data.x_train[:, :, 0], -data.x_train[:, :, 1])


def test_a_prediction_knows_the_columns_of_training(tmp_path):
    frame = log(ticks=lambda recording, step, _: step * 20).rename(columns={"recording": "rec"})
    frame.to_csv(tmp_path / "train.csv", index=False)
    assert command("train", "--data", "train.csv", "--id", "rec", "--model", "kernels", "--out", "run",
                   cwd=tmp_path).returncode == 0
    new = log(ticks=lambda recording, step, _: step * 20).rename(columns={"recording": "rec"}).drop(columns="label")
    for name, table in (("straight", new), ("mixed", new.sort_values(["ticks", "ax"]))):
        table[["ax", "ticks", "rec"]].to_csv(tmp_path / f"{name}.csv", index=False)
    said = {name: command("predict", "run", f"{name}.csv", cwd=tmp_path).stdout.splitlines()[1:]
            for name in ("straight", "mixed")}
    assert len(said["straight"]) == 16 and sorted(said["straight"]) == sorted(said["mixed"])
    assert [line.split(",")[:2] for line in said["straight"]] == [[str(n), ("walk", "run")[n % 2]] for n in range(16)]


def test_predictions_name_their_recordings(tmp_path):
    "Of a long table, of logs, with intervals, and of a folder."
    both = pandas.concat([long_log(1).assign(rec=name) for name in "bacd"])
    both.to_csv(tmp_path / "logs.csv", index=False)
    assert command("train", "--data", "logs.csv", "--id", "rec", "--label", "motion", "--window", 25, "--model",
                   "kernels", "--out", "run", cwd=tmp_path).returncode == 0
    new = both[both["rec"] < "c"].drop(columns="motion")
    new.sample(frac=1, random_state=0).to_csv(tmp_path / "new.csv", index=False)
    rows = command("predict", "run", "new.csv", "--id", "rec", cwd=tmp_path).stdout.splitlines()
    assert rows[0] == "recording,from,to,predicted,p(run),p(walk)" and {row[0] for row in rows[1:]} == {"a", "b"}
    (tmp_path / "new").mkdir()
    for name in "ab":
        new[new["rec"] == name].drop(columns="rec").to_csv(tmp_path / "new" / f"{name}.csv", index=False)
    for options, start in (((), "recording,from,to,predicted,p(run)"),
                           (["--intervals"], "recording,from,to,predicted,p")):
        said = command("predict", "run", "new", *options, cwd=tmp_path)
        rows = said.stdout.splitlines()
        assert rows[0].startswith(start), said.stderr
        assert [row.split(",")[0] for row in rows[1:]] == ["a.csv"] * (len(rows) // 2) + ["b.csv"] * (len(rows) // 2)
        assert [row.split(",")[3] for row in rows[1:len(rows) // 2 + 1]] == (
            ["walk", "run"] * 2 if options else ["walk"] * 4 + ["run"] * 4 + ["walk"] * 4 + ["run"] * 4)


def test_files_of_one_class_with_a_row_for_each_series(tmp_path):
    "Under a header or none, with the label in them or not, in one folder or two."
    for form in ("plain", "header", "label"):
        for half in ("train", "test"):
            (tmp_path / form / half).mkdir(parents=True)
            for kind, name in enumerate(("no", "yes")):
                frame = pandas.DataFrame(np.sin(np.arange(40) * (.3, .9)[kind] + RNG.uniform(0, 6, (12, 1))))
                frame = frame + RNG.normal(0, .2, frame.shape)
                if form == "label":
                    frame[40] = float(kind)
                frame.columns = [f"t{n}" for n in range(frame.shape[1])]
                frame.to_csv(tmp_path / form / half / f"{name}.csv", index=False, header=form == "header")
        for place in (tmp_path / form, tmp_path / form / "train"):
            with pytest.warns(InputWarning, match="each file holds the series of one class, a row each"):
                data = load_dataset(place)
            assert data.classes == ("no", "yes") and data.x_train.shape[1:] == (40, 1)
            tone = np.abs(np.fft.rfft(data.x_train[:, :, 0], axis=1))
            assert np.array_equal(tone[:, 4:9].sum(axis=1) > tone[:, 1:4].sum(axis=1), data.y_train == 1)
    for kind, name in enumerate(("no", "yes")):  # a step that gives the class away
        frame = pandas.read_csv(tmp_path / "header" / "train" / f"{name}.csv")
        (tmp_path / "step").mkdir(exist_ok=True)
        frame.assign(t0=kind + .25).to_csv(tmp_path / "step" / f"{name}.csv", index=False)
    with pytest.raises(InputError, match="one value in all rows of a file, and another in other files.*--ignore"):
        load_dataset(tmp_path / "step")
    assert load_dataset(tmp_path / "step", layout=Layout(ignore=("t0",))).x_train.shape[1] == 39


def of_sensors(folder, sensors=("Accelerometer", "Gyroscope"), rows=(50, 50)):
    "A folder for each recording of two classes, and in it a file for each sensor; and one that describes it."
    for kind, name in enumerate(("walk", "run")):
        for n in range(6):
            inside = folder / name / f"2026-05-{n + 1:02}_10-00"
            inside.mkdir(parents=True)
            for sensor, size in zip(sensors, rows):
                values = np.sin(np.arange(size) * (.3, .9)[kind] * rows[0] / size + RNG.uniform(0, 6))
                values = values + RNG.normal(0, .2, size)
                frame = pandas.DataFrame({"seconds": np.arange(size) / size, "z": values, "y": -values})
                frame.to_csv(inside / f"{sensor}.csv", index=False)
            (inside / "Metadata.csv").write_text("device,version\niPhone,3\n")


def test_a_file_for_each_sensor_of_a_recording(tmp_path):
    of_sensors(tmp_path / "all")
    with pytest.raises(InputError, match="Accelerometer, Gyroscope, Metadata.*--id folder.*--id file.*--label file"):
        load_dataset(tmp_path / "all")
    said = command("train", "--data", "all", "--id", "folder", "--model", "kernels", "--out", "run", cwd=tmp_path)
    assert said.returncode == 0 and "50 time steps of 4 channels, 2 classes" in said.stdout, said.stderr
    new = command("predict", "run", "all", cwd=tmp_path).stdout.splitlines()
    assert new[1].startswith("run/2026-05-01_10-00,run,") and new[12].startswith("walk/2026-05-06_10-00,walk,")
    one = command("predict", "run", "all/walk/2026-05-06_10-00", cwd=tmp_path).stdout.splitlines()
    assert len(one) == 2 and one[1].split(",")[1:] == new[12].split(",")[1:]
    assert command("evaluate", "run", cwd=tmp_path).returncode == 0
    of_sensors(tmp_path / "unlike", rows=(50, 40))
    with pytest.raises(InputError, match="Accelerometer 50 rows 0.02 apart, Gyroscope 40 rows 0.025.*--resample"):
        load_dataset(tmp_path / "unlike", layout=Layout(id="folder"))
    data = load_dataset(tmp_path / "unlike", layout=Layout(id="folder", resample=.02), held_out=0)
    assert data.x_train.shape[::2] == (12, 4) and 40 < data.n_timesteps <= 50
    of_sensors(tmp_path / "parts" / "train"), of_sensors(tmp_path / "parts" / "test")
    with pytest.raises(InputError, match="--id folder.*--id file.*--label file"):
        load_dataset(tmp_path / "parts")
    data = load_dataset(tmp_path / "parts", layout=Layout(id="folder"))
    assert data.x_train.shape == data.x_test.shape == (12, 50, 4)


def test_a_folder_for_each_person_and_a_file_for_each_class(tmp_path):
    for person in range(6):
        (tmp_path / f"P{person}").mkdir()
        for kind, name in enumerate(("walk", "run")):
            values = np.sin(np.arange(50) * (.3, .9)[kind])
            pandas.DataFrame({"t": np.arange(50) / 50, "ax": values}).to_csv(tmp_path / f"P{person}" / f"{name}.csv")
    with pytest.raises(InputError, match="6 folders hold files of the same names .run, walk.*--label file"):
        load_dataset(tmp_path)
    data = load_dataset(tmp_path, layout=Layout(label="file"), held_out=0)
    assert data.classes == ("run", "walk") and len({*data.groups}) == 6 and len(data.x_train) == 12


def test_names_of_columns_that_repeat_are_classes(tmp_path):
    frame = pandas.DataFrame(RNG.normal(size=(30, 12)), columns=[f"{'ab'[n % 2]}{f'.{n // 2}' * (n > 1)}"
                                                                 for n in range(12)])
    frame.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(InputError, match="names of the columns repeat .a, b., .* turn it: .*--label first"):
        load_dataset(tmp_path / "x.csv")


def test_a_time_at_the_end_of_a_name_is_no_ending(tmp_path):
    for kind, name in enumerate(("good", "worn")):
        (tmp_path / name).mkdir()
        for n in range(6):
            np.savetxt(tmp_path / name / f"2004.02.12.10.{n}.39", RNG.normal(size=(40, 4)) + kind, delimiter="\t")
    assert load_dataset(tmp_path, held_out=0).x_train.shape == (12, 40, 4)


def test_files_of_labels_are_not_predicted(tmp_path):
    smartphone(tmp_path / "har")
    data = load_dataset(tmp_path / "har", layout=Layout(ignore=("Inertial Signals",)))
    about = {"layout": asdict(data.layout), "n_timesteps": data.n_timesteps}
    with pytest.warns(InputWarning, match="subject_test.txt, y_test.txt describe series, and hold none; left out"):
        found = read_for_model(tmp_path / "har" / "test", about)
    np.testing.assert_allclose(found.x, data.x_test, rtol=1e-6)


@pytest.mark.parametrize("write, steps", [
    (lambda path, x: wavfile.write(path.with_suffix(".wav"), 1000, x[0].astype(np.float32)), 40),
    (lambda path, x: np.save(path, x[0]), 40),
    (lambda path, x: np.save(path, x), 40)], ids=["wav", "npy", "series"])
def test_sounds_and_arrays_are_predicted_alone_and_in_a_folder(write, steps, tmp_path):
    x = RNG.normal(size=(3, steps, 2))
    (tmp_path / "new").mkdir()
    write(tmp_path / "new" / "a.npy", x)
    (path,) = (tmp_path / "new").iterdir()
    named = {} if path.suffix == ".npy" and len(np.load(path)) == 3 else {"channels": ["channel 1", "channel 2"]}
    alone, several = read_for_model(path, named), read_for_model(tmp_path / "new", named)
    np.testing.assert_allclose(alone.x, x if not named else x[:1], rtol=1e-6)
    np.testing.assert_allclose(alone.x, several.x)


def test_a_folder_to_predict_holds_files_of_one_kind(tmp_path):
    (tmp_path / "notes.md").write_text("no series")
    with pytest.raises(InputError, match="contains no file of series"):
        read_for_model(tmp_path)
    for name, columns in (("a", 2), ("b", 3)):
        frame = pandas.DataFrame(RNG.normal(size=(30, columns)), columns=[*"xyz"[:columns]])
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    found = read_for_model(tmp_path, {"channels": ["x", "y"]})
    assert found.x.shape == (2, 30, 2)  # by name; more columns do not disturb
    with pytest.raises(InputError, match="b.csv has other channels .z. than .*a.csv .1 without names"):
        read_for_model(tmp_path, {"channels": ["z"]})


# Folders, arrays, parts in a column, and formats


def two_tones(n=24, steps=30, channels=2):
    "(n, steps, channels): series of two classes in turn."
    return np.stack([np.sin(np.arange(steps) * (.3, .9)[row % 2] + RNG.uniform(0, 6))[:, None]
                     + RNG.normal(0, .3, (steps, channels)) for row in range(n)])


@pytest.mark.parametrize("form", ["npz", "npy", "mat"])
@pytest.mark.parametrize("make, classes", [
    (lambda y: y[:, None], (0, 1)), (lambda y: y[None], (0, 1)), (lambda y: y.astype(float), (0, 1)),
    (lambda y: np.eye(3)[y], (0, 1)), (lambda y: np.eye(2, dtype=bool)[y].T, (0, 1)),
    (lambda y: 2 * np.eye(2)[y] - 1, (0, 1)),
    (lambda y: np.array(["b", "a"])[y], ("a", "b")), (lambda y: np.array([[b"b"], [b"a"]])[y], ("a", "b")),
], ids=["column", "row", "floats", "one-hot", "turned", "plus-minus", "words", "bytes"])
def test_labels_of_any_form_in_arrays(form, make, classes, tmp_path):
    from scipy.io import savemat

    x, y = two_tones(), np.arange(24) % 2
    given = make(y)
    if form == "npy":
        np.save(tmp_path / "data.npy", x), np.save(tmp_path / "labels.npy", given)
    elif form == "npz":
        np.savez(tmp_path / "own.npz", x=x, y=given)
    else:
        savemat(tmp_path / "own.mat", {"X": x, "Y": given.astype("U") if given.dtype.kind == "S" else given})
    data = load_dataset(tmp_path if form == "npy" else tmp_path / f"own.{form}", held_out=0)
    np.testing.assert_allclose(data.x_train, x, rtol=1e-6)
    assert data.classes == classes
    assert [*data.y_train] == [*(y if classes == (0, 1) else 1 - y)]


@pytest.mark.parametrize("labels", [np.ones((24, 2)), np.zeros((24, 0)), np.zeros((24, 30)), np.array(3), np.zeros(23),
                                    np.array([None] * 24), np.full(24, np.nan), np.zeros((24, 2, 2))])
def test_labels_of_another_form_are_refused(labels, tmp_path):
    np.save(tmp_path / "data.npy", two_tones()), np.save(tmp_path / "labels.npy", labels, allow_pickle=True)
    with pytest.raises(InputError, match="labels.npy"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("form", ["{word}_P{person}_{n:03}", "S{person:02}_{word}_{n}", "2026-05-0{day}_{n:04}_{word}",
                                  "0{day}.05.2026 {word} ({n})", "rec{n}_{word}", "20260501T1011{n:02}_{word}_{n}",
                                  "{n:03}-class{number}"])
def test_the_class_anywhere_in_the_name_of_a_file(form, tmp_path):
    for n, values in enumerate(two_tones(24)):
        name = form.format(word=("walk", "run")[n % 2], number=n % 2, n=n, person=n % 5, day=n % 3 + 1)
        pandas.DataFrame(values, columns=["a", "b"]).to_csv(tmp_path / f"{name}.csv", index=False)
    data = load_dataset(tmp_path, held_out=0)
    assert data.classes == ((0, 1) if "class" in form else ("run", "walk"))
    assert np.bincount(data.y_train).tolist() == [12, 12]


def test_several_parts_of_a_name_are_asked_and_chosen(tmp_path):
    for n, values in enumerate(two_tones(24)):
        name = f"{n % 2}_{('anna', 'ben', 'eva')[n // 2 % 3]}_{n // 6}.csv"
        pandas.DataFrame(values, columns=["a", "b"]).to_csv(tmp_path / name, index=False)
    with pytest.raises(InputError, match=r"part 1 is 0, 1; 2 is anna, ben, eva.* --label 1"):
        load_dataset(tmp_path)
    assert load_dataset(tmp_path, layout=Layout(label="1"), held_out=0).classes == (0, 1)
    assert len(load_dataset(tmp_path, layout=Layout(label="1,2"), held_out=0).classes) == 6


@pytest.mark.parametrize("header, index", [(False, False), (True, False), (True, True)])
def test_series_and_labels_under_any_two_words(header, index, tmp_path):
    x = two_tones(36, channels=1)[:, :, 0]
    for part, rows in (("train", slice(0, 24)), ("test", slice(24, 36))):
        pandas.DataFrame(x[rows]).to_csv(tmp_path / f"signale_{part}.csv", header=header, index=index)
        labels = pandas.Series(["gut", "schlecht"] * 18, name="befund")[rows]
        labels.to_csv(tmp_path / f"ziel_{part}.csv", header=header, index=index)
    data = load_dataset(tmp_path)
    np.testing.assert_allclose(data.x_train[:, :, 0], x[:24], rtol=1e-5)
    assert data.classes == ("gut", "schlecht") and [*data.y_test] == [0, 1] * 6


def test_labels_of_the_rows_of_a_log_in_another_file_are_no_labels_of_series(tmp_path):
    frame = long_log()
    frame["motion"].to_csv(tmp_path / "y.csv", index=False, header=False)
    walk = np.cumsum(RNG.normal(size=(len(frame), 3)), axis=0)
    pandas.DataFrame(walk).to_csv(tmp_path / "X.csv", index=False, header=False)
    with pytest.raises(InputError, match="looks like a log.*--window STEPS"):
        load_dataset(tmp_path)
    assert load_dataset(tmp_path, layout=Layout(window=25), held_out=0).x_train.shape[1:] == (25, 3)


def marked_log(folder, clock, times, rows):
    values = np.concatenate([two_tones(2, 100)[n % 2] for n in range(4)])
    pandas.DataFrame({clock: times, "a": values[:, 0], "b": values[:, 1]}).to_csv(folder / "rec.csv", index=False)
    (folder / "rec.txt").write_text("\n".join(rows) + "\n")


SPANS = [(k * 5, k * 5 + 4.99, ("idle", "busy")[k % 2]) for k in range(4)]


@pytest.mark.parametrize("clock, times, rows", [
    ("t", np.arange(400) / 20, [f"{a}\t{b}\t{c}" for a, b, c in SPANS]),
    ("time_ms", np.arange(400) * 50, ["start,end,label", *(f"{a},{b},{c}" for a, b, c in SPANS)]),
    ("t", np.arange(400) / 20, ["event;onset;duration", *(f"{c};{a};{b - a}" for a, b, c in SPANS)]),
    ("Zeit", pandas.Timestamp("2026-11-30 10:00") + pandas.to_timedelta(np.arange(400) / 20, unit="s"),
     ["von,bis,was", *(f"2026-11-30 10:00:{a:02},2026-11-30 10:00:{b:05.2f},{c}" for a, b, c in SPANS)]),
])
@pytest.mark.parametrize("where", ["", "rec.csv"])
def test_intervals_beside_a_log_are_its_labels(clock, times, rows, where, tmp_path):
    marked_log(tmp_path, clock, times, rows)
    with pytest.warns(InputWarning, match="4 intervals of rec.txt.* 0 of 400 rows lie in none"):
        data = load_dataset(tmp_path / where, layout=Layout(window=20), held_out=0)
    assert data.x_train.shape == (20, 20, 2) and data.classes == ("busy", "idle")
    assert [*data.y_train[:6]] == [1] * 5 + [0]


def test_intervals_that_do_not_fit_the_log_are_asked(tmp_path):
    marked_log(tmp_path, "Zeit", np.arange(400) * 50, [f"{a}\t{b}\t{c}" for a, b, c in SPANS])
    with pytest.raises(InputError, match="reach from 0 to 19.99, but Zeit of rec.csv from 0 to 19950"):
        load_dataset(tmp_path, layout=Layout(window=20))
    marked_log(tmp_path, "t", np.arange(400) / 20, [f"{a}\t{b + .5}\t{c}" for a, b, c in SPANS])
    with pytest.raises(InputError, match="line 2: the interval begins before the one of line 1 ends"):
        load_dataset(tmp_path, layout=Layout(window=20))


@pytest.mark.parametrize("column, values, n_test", [
    ("split", ["train"] * 24 + ["test"] * 12, 12), ("usage", ["Training"] * 24 + ["PublicTest", "PrivateTest"] * 6, 12),
    ("fold", ["training"] * 26 + ["validation"] * 10, 10), ("Set", ["Train"] * 20 + ["Valid"] * 6 + ["Test"] * 10, 10),
    ("is_test", [0] * 24 + [1] * 12, 12), ("用途", ["学習用"] * 24 + ["テスト用"] * 12, 12)])
def test_a_column_that_says_the_part(column, values, n_test, tmp_path):
    x = two_tones(36, channels=1)[:, :, 0]
    frame = pandas.DataFrame(x, columns=[f"t{n}" for n in range(30)]).assign(**{column: values}, cls=[3, 5] * 18)
    with pytest.warns(InputWarning, match=f"{column} says which part a row belongs to"):
        data = loaded(frame, tmp_path)
    np.testing.assert_allclose(data.x_test[:, :, 0], x[-n_test:], rtol=1e-6)
    assert data.classes == (3, 5) and len(data.x_train) == 36 - n_test


def test_records_as_json(tmp_path):
    import json

    x = two_tones().round(4)
    wanted = [x[:, :, :1], x, x]
    words = ["A", "B"] * 12
    kinds = [[{"label": name, "values": one[:, 0].tolist()} for name, one in zip(words, x)],
             [{"label": name, "t": [*range(30)], "a": one[:, 0].tolist(), "b": one[:, 1].tolist()}
              for name, one in zip(words, x)],
             {"data": [{"id": n, "label": name, "steps": [{"a": a, "b": b} for a, b in one.tolist()]}
                       for n, (name, one) in enumerate(zip(words, x))]}]
    for held, expected in zip(kinds, wanted):
        (tmp_path / "own.json").write_text(json.dumps(held))
        data = load_dataset(tmp_path / "own.json", held_out=0)
        np.testing.assert_allclose(data.x_train, expected, rtol=1e-5)
        assert data.classes == ("A", "B")
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, kinds[0])))
    assert load_dataset(tmp_path / "own.jsonl", held_out=0).x_train.shape == (24, 30, 1)
    for text in ('{"a": [1, 2', "3", "[]", "{}", '["a"]', '{"walk": [[1, 2]], "run": [[2, 1]]}',
                 '[{"label": "A", "v": [1, 2, 3]}, {"label": "B", "v": []}]'):
        (tmp_path / "own.json").write_text(text)
        with pytest.raises(InputError, match="own.json"):
            load_dataset(tmp_path / "own.json")


def test_hdf5_sheets_labview_and_keel(tmp_path):
    import h5py

    x, words = two_tones(36), np.array(["gut", "schlecht"] * 18)
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["train/x"], file["train/labels"] = x[:24], words[:24].tolist()
        file["test/x"], file["test/labels"] = x[24:], words[24:].tolist()
    data = load_dataset(tmp_path / "own.h5")
    np.testing.assert_allclose(data.x_test, x[24:], rtol=1e-6)
    assert data.classes == ("gut", "schlecht") and [*data.y_test] == [0, 1] * 6

    frame = pandas.DataFrame(x[:, :, 0], columns=[f"t{n}" for n in range(30)])
    with pandas.ExcelWriter(tmp_path / "own.xlsx") as book:
        for name in ("gut", "schlecht"):
            frame[words == name].to_excel(book, sheet_name=name, index=False)
    with pytest.warns(InputWarning, match="the name of a sheet is the class"):
        data = load_dataset(tmp_path / "own.xlsx", held_out=0)
    assert data.classes == ("gut", "schlecht") and [*data.y_train] == [0] * 18 + [1] * 18
    np.testing.assert_allclose(data.x_train[:18, :, 0], x[::2, :, 0], rtol=1e-6)

    head = "LabVIEW Measurement\t\nSeparator\tTab\n***End_of_Header***\t\n\t\nChannels\t1\n***End_of_Header***\t\t\n"
    for n, one in enumerate(x[:8]):
        rows = "".join(f"{step * .001:.3f}\t{value:.4f}\n".replace(".", ",") for step, value in enumerate(one[:, 0]))
        (tmp_path / "lvm" / words[n]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "lvm" / words[n] / f"m{n}.lvm").write_text(f"{head}X_Value\tKraft\tComment\n{rows}")
    data = load_dataset(tmp_path / "lvm", held_out=0)
    assert data.x_train.shape == (8, 30, 1) and data.channels == ("Kraft",)

    names = [f"a{n}" for n in range(30)]
    header = ["@relation own", *(f"@attribute {name} real[-3.0, 3.0]" for name in names),
              "@attribute Class{gut, schlecht}", f"@inputs {', '.join(names)}", "@outputs Class", "@data"]
    rows = [", ".join([*map(str, one[:, 0]), word]) for one, word in zip(x, words)]
    (tmp_path / "own.dat").write_text("\n".join([*header, *rows]))
    data = load_dataset(tmp_path / "own.dat", held_out=0)
    np.testing.assert_allclose(data.x_train[:, :, 0], x[:, :, 0], rtol=1e-6)
    assert data.classes == ("gut", "schlecht") and [*data.y_train] == [0, 1] * 18


def test_a_file_that_is_not_read_says_what_to_do(tmp_path):
    (tmp_path / "own.sav").write_bytes(b"$FL2")
    for where in (tmp_path, tmp_path / "own.sav"):
        with pytest.raises(InputError, match="files ending in .sav cannot be read.*export.* as CSV"):
            load_dataset(where)


@pytest.mark.parametrize("form, words", [
    ("P{person}_{n:03}", "part 2 of the names .P 0, 1, 2, 3. may be the class.*--label 2"),
    ("rec_{n:03}", "neither folders nor names say its class")])
def test_names_that_do_not_say_the_class_are_asked(form, words, tmp_path):
    for n, values in enumerate(two_tones(24)):
        pandas.DataFrame(values).to_csv(tmp_path / f"{form.format(n=n, person=n % 4)}.csv", index=False)
    with pytest.raises(InputError, match=words):
        load_dataset(tmp_path)


# ---------------------------------------------------------------- forms of numbers and of headers in tables

def saved(text, folder, name="own.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def a_log(forms, folder, *, separator=";", names=("a", "b"), more="", name="own.csv"):
    "Two channels of 60 rows in some forms, and a label that changes twice; the values as well."
    values = np.round(np.random.default_rng(3).normal(20, 8, (60, 2)), 2)
    rows = [separator.join([*(form(one) for form, one in zip(forms, row)), ("idle", "busy")[n // 20 % 2]])
            for n, row in enumerate(values.tolist())]
    return saved(more + separator.join([*names, "mode"]) + "\n" + "\n".join(rows) + "\n", folder, name), values


def windows_of(path, **options):
    from tsformer_nb.io.layouts import read_table_file
    found = read_table_file(path, Layout(window=20, **options))
    return found.x.reshape(-1, found.x.shape[2]), found


def comma(value):
    return f"{value:.2f}".replace(".", ",")


def test_dates_with_points_beside_decimal_commas(tmp_path):
    path, values = a_log([comma, lambda one: f"{one:.2f} "], tmp_path)
    rows = path.read_text().splitlines()
    dated = [f"13.02.2026 10:00:{n:02d};{row}" for n, row in enumerate(rows[1:])]
    path.write_text("\n".join([f"Zeitstempel;{rows[0]}", *dated]))
    with pytest.warns(InputWarning, match="commas are read as decimal points"):  # in one column, points in the other
        x, found = windows_of(path)
    np.testing.assert_allclose(x, values)
    assert found.channels == ("a", "b") and found.time_step == 1


@pytest.mark.parametrize("forms, told", [
    ([lambda one: f"{one:.2f} °C", lambda one: f"{one:.2f}bar"], "column 2 .b.: left out the unit: bar"),
    ([lambda one: f"{comma(one)} %", lambda one: f"€ {comma(one)}"], "column 1 .a.: left out the unit: %"),
    ([lambda one: f"{one * 1000:,.0f} m/s2".replace(",", " "), lambda one: f"{one:.2f}".translate(
        {ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})], "column 1 .a.: left out the unit: m/s2")])
def test_a_unit_in_every_cell(forms, told, tmp_path):
    path, values = a_log(forms, tmp_path)
    with pytest.warns(InputWarning, match=told):
        x, _ = windows_of(path)
    np.testing.assert_allclose(x, values * (1000 if "m/s2" in told else 1, 1))


def test_a_unit_of_time_is_kept_for_the_clock(tmp_path):
    path, _ = a_log([lambda one: f"{one:.2f} V"], tmp_path, names=("U",))
    rows = path.read_text().splitlines()
    path.write_text("\n".join([f"Time;{rows[0]}", *(f"{n * 20}.0 ms;{row}" for n, row in enumerate(rows[1:]))]))
    with pytest.warns(InputWarning, match="left out the unit: ms"):
        assert windows_of(path)[1].time_step == .02


def test_sizes_with_a_unit_stay_classes(tmp_path):
    frame = wide(label=lambda row: ("0.5 mm", "1.0 mm")[row % 2])
    assert loaded(frame, tmp_path).classes == ("0.5 mm", "1.0 mm")


@pytest.mark.parametrize("form, cause", [
    (lambda one: f"{one:.2f} V" if one > 20 else f"{one * 1000:.0f} mV", "several units .V, mV.: convert them to one"),
    (lambda one: f"{int(abs(one) * 9):X}", "looks hexadecimal"), (lambda one: f"0x{int(abs(one)):02X}", "hexadecimal"),
    (lambda one: f"{one:.2f}" if one > 18 else "<18.0", "'<18.0' and the like .* write the number alone")])
def test_why_a_column_holds_no_numbers_is_told(form, cause, tmp_path):
    path, _ = a_log([form, form], tmp_path)
    with pytest.warns(InputWarning, match=cause), pytest.raises(InputError, match="has no column of values|not a"):
        windows_of(path)


@pytest.mark.parametrize("grid", [
    [f"{n / 50 - .3:.2f}" for n in range(STEPS)], [f"{200 - 5 * n} nm" for n in range(STEPS)],
    [comma(50 * 1.2 ** n) for n in range(STEPS)], [str(n * 4) for n in range(STEPS)]])
@pytest.mark.parametrize("first", [True, False])
def test_a_header_of_times_or_frequencies_is_no_series(grid, first, tmp_path):
    from tsformer_nb.io.layouts import read_table_file

    frame = wide(label=lambda row: ("gut", "schlecht")[row % 2])
    values, labels = frame.iloc[:, 1:].to_numpy(), frame["label"].tolist()
    rows = [["outcome", *grid], *([label, *map(repr, row)] for label, row in zip(labels, values.tolist()))]
    path = saved("\n".join(";".join(row if first else [*row[1:], row[0]]) for row in rows), tmp_path)
    with pytest.warns(InputWarning, match="the first row is read as the names"):
        found = read_table_file(path)
    assert found.labels.tolist() == labels
    np.testing.assert_array_equal(found.x[:, :, 0], values)


def test_a_first_series_that_rises_is_no_header(tmp_path):
    from tsformer_nb.io.layouts import read_table_file

    rows = np.cumsum(np.abs(RNG.normal(size=(12, 9))), axis=1)
    text = "\n".join(",".join([name, *map(repr, row)]) for name, row in zip(["once", *"ab" * 6], rows.tolist()))
    assert len(read_table_file(saved(text, tmp_path)).x) == 12


def test_empty_columns_are_left_out(tmp_path):
    path, values = a_log([lambda one: f"{one},,{one:.1f}", str], tmp_path, separator=",", names=("v1,place,old", "v2"))
    path.write_text("".join(f",{row}\n" for row in path.read_text().splitlines()))
    with pytest.warns(InputWarning, match="left out, because they are empty: column 1, place"):
        x, found = windows_of(path)
    np.testing.assert_array_equal(x[:, [0, 2]], values)
    frame = wide(24)
    frame["t5"] = np.nan  # a step of the series, though empty, is a gap in each
    assert loaded(frame, tmp_path).n_timesteps == STEPS


def test_a_column_is_found_by_its_printed_name(tmp_path):
    from tsformer_nb.io.layouts import read_table_file
    path = saved("".join(f"{n % 2},{n * .7 % 1},{n * .3 % 1},{n * .9 % 1}\n" for n in range(9)), tmp_path)
    assert read_table_file(path, Layout(ignore=("column 2",))).x.shape == (9, 2, 1)


@pytest.mark.parametrize("separator, written, factor", [
    (",", '"{:,.0f}"', 1000), (";", "{:,.0f}", 1), ("\t", "{:_.0f}", 1000)])
def test_three_digits_behind_each_mark(separator, written, factor, tmp_path):
    numbers = [2345 + 331 * n for n in range(20)]
    form = lambda one: written.format(one).replace("_", " ")
    text = "a,mode\n".replace(",", separator) + "".join(
        f"{form(one)}{separator}{('x', 'y')[n // 10]}\n" for n, one in enumerate(numbers))
    from tsformer_nb.io.tables import read_table

    with pytest.warns(InputWarning, match="separates thousands there" if factor > 1 else "decimal points"):
        found = read_table(saved(text, tmp_path)).numbers([0])[:, 0]
    np.testing.assert_allclose(found, np.array(numbers) * factor / 1000)
    with pytest.warns(InputWarning, match=r"three digits after a point \('2.345'\), which is read as a decimal point"):
        read_table(saved(text.replace(",", ".") if separator == ";" else "a;m\n2.345;x\n2.676;x\n3.007;y\n4.321;y\n",
                         tmp_path))


def test_levels_without_names_of_a_parquet_index(tmp_path):
    pytest.importorskip("pyarrow")
    from tsformer_nb.io.layouts import read_table_file
    frame = log(time=lambda recording, step, _: step).set_index(["recording", "time"]).rename_axis([None, None])
    frame.to_parquet(tmp_path / "own.parquet")
    assert read_table_file(tmp_path / "own.parquet", Layout(id="level_0")).x.shape == (16, STEPS, 1)
    wide().sample(frac=1, random_state=0).to_parquet(tmp_path / "own.parquet")  # a shuffled index holds nothing
    assert read_table_file(tmp_path / "own.parquet").x.shape == (24, STEPS, 1)


def test_title_rows_of_a_sheet(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    values = RNG.normal(size=(40, 2)).tolist()
    for row in [["Test of May"], ["device", "L-7"], [], ["force", "flow", "mode"], ["N", "l/min", ""],
                *([*row, ("idle", "busy")[n // 20]] for n, row in enumerate(values))]:
        book.active.append(row)
    book.save(tmp_path / "own.xlsx")
    with pytest.warns(InputWarning, match="rows 1, 2, 5: remarks or units"):
        x, found = windows_of(tmp_path / "own.xlsx")
    np.testing.assert_allclose(x, values)
    assert found.channels == ("force", "flow")


@pytest.mark.parametrize("above, names", [
    ("機種,PLC-7\n開始,2026/05/01\n時間[s],電流[A]", ("時間[s]", "電流[A]")),
    ("device,L7\ntime,force\ns,N", ("time", "force")),
    ("time,force\ns,N", ("time", "force"))])
def test_remarks_as_wide_as_a_table_of_two_columns(above, names, tmp_path):
    from tsformer_nb.io.tables import read_table

    path = saved(above + "\n" + "".join(f"{n / 10},{n * .7 % 1}\n" for n in range(20)), tmp_path)
    with pytest.warns(InputWarning, match="remarks or units"):
        table = read_table(path)
    assert table.names == names and len(table.cells) == 20


@pytest.mark.parametrize("sparse", [False, True])
def test_numbered_values_are_named_and_the_remedy_works(sparse, tmp_path):
    from tsformer_nb.io.layouts import read_table_file

    values = np.round(np.random.default_rng(5).normal(size=(12, 8)), 3) * (RNG.random((12, 8)) > .3 * sparse)
    values[:, -1] = 1.5
    path = saved("".join(f"{(-1) ** n} " + " ".join(f"{m}:{one}" for m, one in enumerate(row, 1) if one) + "\n"
                         for n, row in enumerate(values.tolist())), tmp_path, "own.txt")
    np.testing.assert_array_equal(remedied(path, tmp_path, read_table_file).x[:, :, 0], values)


def remedied(path, folder, read):
    "What is read after the command that the message gives."
    import subprocess
    import sys

    with pytest.raises(InputError, match="python -c") as error:
        read(path)
    code = re.search('python -c "(.*)"', str(error.value))[1]
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    return read(folder / re.search(r"'(own_\w+.csv)'", code)[1])


@pytest.mark.parametrize("separator", ",;")
def test_a_table_with_a_series_in_each_column(separator, tmp_path):
    from tsformer_nb.io.layouts import read_table_file

    frame = wide(20).T
    values = frame.iloc[1:].astype(float).round(4)
    rows = [["t", *(f"m{n}" for n in range(20))], *([str(n / 4), *map(str, row)] for n, row in enumerate(
        values.to_numpy().tolist())), ["result", *frame.iloc[0]]]
    text = "\n".join(separator.join(row) for row in rows)
    path = saved(text if separator == "," else text.replace(".", ","), tmp_path)
    found = remedied(path, tmp_path, read_table_file)
    assert found.labels.tolist() == frame.iloc[0].tolist()
    np.testing.assert_array_equal(found.x[:, :, 0], values.T.to_numpy())
    path = saved("\n".join(separator.join(row) for row in rows[:-1]), tmp_path)
    with pytest.warns(InputWarning, match="no column holds classes. If each column is a series, turn it"), (
            pytest.raises(InputError, match="cannot detect which column holds the labels")):
        read_table_file(path)


@pytest.mark.parametrize("form", ["x: {0} y: {1} mode: {2}", "x={0}, y={1}, mode={2}", "x:{0}\ty:{1}\tmode:{2}"])
def test_names_before_each_value(form, tmp_path):
    values = RNG.normal(size=(40, 2)).round(3).tolist()
    text = "\n".join(form.format(*row, ("idle", "busy")[n // 20]) for n, row in enumerate(values))
    x, found = windows_of(saved(text, tmp_path))
    np.testing.assert_array_equal(x, values)
    assert found.channels == ("x", "y") and found.labels.tolist() == ["idle", "busy"]


def test_an_arrow_after_the_time(tmp_path):
    values = RNG.normal(size=(40, 2)).round(3).tolist()
    text = "\n".join(f"10:00:{n:02d}.500 -> {a},{b},{('idle', 'busy')[n // 20]}" for n, (a, b) in enumerate(values))
    with pytest.warns(InputWarning, match="the time before the arrow .->. is column 1"):
        x, found = windows_of(saved(text, tmp_path))
    np.testing.assert_array_equal(x, values)
    assert found.time_step == 1


# Predictions of new data that are not quite like those for training


def trained(folder, **lengths):
    "What a run keeps of recordings in folders of classes, with channels x, y, z and a time t."
    for n in range(12):
        name = ("walk", "run")[n % 2]
        (folder / name).mkdir(parents=True, exist_ok=True)
        recording(name, **lengths).to_csv(folder / name / f"r{n}.csv", index=False)
    data = load_dataset(folder, held_out=0)
    return {"layout": asdict(data.layout), "channels": data.channels, "columns": kept_columns(data.roles),
            "n_timesteps": data.n_timesteps, "n_channels": 3, "time_step": data.time_step}


def recording(name, steps=40, step=1.):
    at = np.arange(steps) * step
    tone = at * (.3, .9)[name == "run"]
    return pandas.DataFrame({"t": at, **{axis: np.sin(tone + n) for n, axis in enumerate("xyz")}})


def test_several_recordings_without_a_column_that_tells_them_apart_are_asked(tmp_path):
    about = trained(tmp_path / "all")
    several = pandas.concat([recording("walk").assign(file=n) for n in range(3)])
    several.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(InputError, match="each t occurs several times.*--id.*--ignore \"t\""):
        read_for_model(tmp_path / "new.csv", about)
    assert read_for_model(tmp_path / "new.csv", about, Layout(id="file")).x.shape == (3, 40, 3)


def test_channels_of_other_names_are_named_in_order(tmp_path):
    about = trained(tmp_path / "all")
    one = recording("walk")
    one.set_axis(["t", "acc x", "acc y", "acc z"], axis=1).to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(InputError, match="name them in this order with --channels"):
        read_for_model(tmp_path / "new.csv", about)
    found = read_for_model(tmp_path / "new.csv", about, Layout(channels=("acc x", "acc y", "acc z")))
    np.testing.assert_allclose(found.x[0], one[[*"xyz"]])
    one.to_csv(tmp_path / "bare.csv", index=False, header=False)
    with pytest.raises(InputError, match="has no header.*--channels"):
        read_for_model(tmp_path / "bare.csv", about)
    np.testing.assert_allclose(read_for_model(tmp_path / "bare.csv", about, Layout(channels=("2", "3", "4"))).x[0],
                               one[[*"xyz"]])


def test_a_table_to_predict_may_have_more_columns(tmp_path):
    steps = [f"t{n}" for n in range(20)]
    train = pandas.DataFrame(RNG.normal(size=(24, 20)), columns=steps).assign(label=["a", "b"] * 12)
    train.to_csv(tmp_path / "train.csv", index=False)
    data = load_dataset(tmp_path / "train.csv", held_out=0)
    about = {"columns": kept_columns(data.roles), "n_timesteps": 20}
    new = train.drop(columns="label").assign(temp=20.5 + np.arange(24), age=30, id=range(24))
    new.to_csv(tmp_path / "new.csv", index=False)
    np.testing.assert_allclose(read_for_model(tmp_path / "new.csv", about).x[:, :, 0], train[steps])


def test_files_of_another_rate_or_with_more_channels_are_told(tmp_path):
    about = trained(tmp_path / "all")
    for n, step in enumerate((1, 1, 1, .5)):
        (tmp_path / "new").mkdir(exist_ok=True)
        recording("walk", 40, step).to_csv(tmp_path / "new" / f"{n}.csv", index=False)
    (tmp_path / "new" / "README.txt").write_text("from Monday")
    (tmp_path / "new" / ".checkpoints").mkdir()
    recording("run").to_csv(tmp_path / "new" / ".checkpoints" / "0.csv", index=False)
    with pytest.warns(InputWarning, match="3.csv: a time step takes another time than in the other files"):
        assert len(read_for_model(tmp_path / "new", about).x) == 4
    np.save(tmp_path / "x.npy", np.zeros((40, 4)))
    with pytest.raises(InputError, match="x.npy has 4 channels, but the model was trained on 2"):
        read_for_model(tmp_path / "x.npy", {"channels": ["channel 1", "channel 2"]})


def test_half_the_step_of_time_gives_half_the_rows(tmp_path):
    about = trained(tmp_path / "all")
    recording("walk", 80, .5).to_csv(tmp_path / "new.csv", index=False)
    assert read_for_model(tmp_path / "new.csv", about, Layout(resample=1.)).x.shape == (1, 40, 3)


@pytest.mark.parametrize("encoding", ["cp932", "latin-1"])
def test_words_of_any_encoding_in_a_folder(encoding, tmp_path):
    about = trained(tmp_path / "all")
    (tmp_path / "new").mkdir()
    for name in "abc":
        recording("walk").assign(place={"cp932": "東京", "latin-1": "Köln"}[encoding]).to_csv(
            tmp_path / "new" / f"{name}.csv", index=False, encoding=encoding)
    assert read_for_model(tmp_path / "new", about).x.shape == (3, 40, 3)


def test_a_table_of_words_that_lists_recordings_has_a_header(tmp_path):
    for n in range(12):
        recording(("walk", "run")[n % 2]).to_csv(tmp_path / f"r{n:02}.csv", index=False)
    listed = pandas.DataFrame({"file": [f"r{n:02}.csv" for n in range(12)], "label": ["walk", "run"] * 6})
    listed.to_csv(tmp_path / "labels.csv", index=False)
    data = load_dataset(tmp_path, held_out=0)
    assert data.classes == ("run", "walk") and len(data.x_train) == 12


def test_sounds_have_one_scale_whatever_their_format(tmp_path):
    tone = np.sin(np.arange(60) / 4)
    for kind, values in (("int16", tone * 32767), ("float32", tone), ("uint8", tone * 127 + 128)):
        wavfile.write(tmp_path / f"{kind}.wav", 8000, values.astype(kind))
    found = [read_for_model(tmp_path / f"{kind}.wav", {"channels": ["channel 1"]}).x[0, :, 0]
             for kind in ("int16", "float32", "uint8")]
    assert np.abs(found[0] - found[1]).max() < 1e-3 and np.abs(found[2] - found[1]).max() < .02


def test_rows_of_a_log_without_an_answer_are_told(tmp_path):
    frame = log(2, clock="t").drop(columns="recording")
    frame.to_csv(tmp_path / "log.csv", index=False)
    about = {"layout": {"window": 25, "hop": 25}, "channels": ["ax"], "columns": {"label": "label"}}
    with pytest.warns(InputWarning, match="10 of 60 rows are in none, and get no answer"):
        found = read_for_model(tmp_path / "log.csv", about)
    assert found.x.shape == (2, 25, 1)  # labels do not cut what is to be predicted


def test_a_folder_of_recordings_may_have_its_test_part_in_another(tmp_path):
    trained(tmp_path / "all"), trained(tmp_path / "new", steps=40)
    data = tsformer_nb.load_dataset(tmp_path / "all", tmp_path / "new")
    assert len(data.x_train) == len(data.x_test) == 12 and data.classes == ("run", "walk")
    with pytest.raises(InputError, match="gone does not exist"):
        tsformer_nb.load_dataset(tmp_path / "all", tmp_path / "gone")
    (tmp_path / "flat").mkdir()
    recording("walk").to_csv(tmp_path / "flat" / "1.csv", index=False)
    with pytest.raises(InputError, match="flat does not show the classes of its recordings"):
        tsformer_nb.load_dataset(tmp_path / "all", tmp_path / "flat")


@pytest.mark.parametrize("name, text", [
    ("new.ts", "@univariate true\n@classLabel true a b\n@data\n1,2,3,4:?\n4,3,2,1:?\n"),
    ("new.arff", "@relation x\n@attribute s1 numeric\n@attribute s2 numeric\n@attribute s3 numeric\n"
                 "@attribute class {a,b}\n@data\n1,2,3,?\n3,2,1,?\n")])
def test_classes_to_be_predicted_are_question_marks(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    found = read_for_model(tmp_path / name)
    assert found.labels is None and len(found.x) == 2


def test_an_empty_row_between_series_is_told(tmp_path):
    lines = wide(4).drop(columns="label").to_csv(index=False).splitlines()
    empty = "," * (STEPS - 1)
    (tmp_path / "new.csv").write_text("\n".join([*lines[:2], empty, *lines[2:], empty, empty]))  # a sheet ends so
    with pytest.warns(InputWarning, match="line 3: all fields are empty; skipped"):
        assert len(read_for_model(tmp_path / "new.csv", {"n_timesteps": STEPS, "n_channels": 1}).x) == 4


@pytest.mark.parametrize("short", ["a", "b"])  # also the first one, which tells how to read the others
def test_a_log_shorter_than_a_window_is_left_out(short, tmp_path):
    layout = Layout(window=25)
    for folder, labels in (("old", True), ("new", False)):
        (tmp_path / folder).mkdir()
        for name in "abc":
            rows = long_log(1).iloc[:20 if name == short else None]
            rows.drop(columns=[] if labels else "motion").to_csv(tmp_path / folder / f"{name}.csv", index=False)
    with pytest.warns(InputWarning, match=f"{short}.csv: shorter than a window, and left out"):
        data = load_dataset(tmp_path / "old", layout=layout, held_out=0)
    about = {"layout": asdict(data.layout), "channels": data.channels, "columns": kept_columns(data.roles)}
    with pytest.warns(InputWarning, match=f"{short}.csv: shorter than a window, and left out"):
        found = read_for_model(tmp_path / "new", about)
    assert {*found.names} == {f"{name}.csv" for name in {*"abc"} - {short}}
    with pytest.raises(InputError, match="no stretch of one label is 9000 steps long"):
        load_dataset(tmp_path / "old", layout=Layout(window=9000))


def test_another_set_without_a_test_part_is_evaluated_whole(tmp_path):
    for name, n in (("train", 24), ("new", 10)):
        wide(n).to_csv(tmp_path / f"{name}.csv", index=False)
    assert command("train", "--data", "train.csv", "--model", "kernels", "--out", "run", cwd=tmp_path).returncode == 0
    for name, said in (("new", "new has no test part: all of its 10 series are used"),
                       ("train", "so 6 of its 24 series are set aside for testing")):
        told = command("evaluate", "run", "--data", f"{name}.csv", cwd=tmp_path)
        assert said in told.stderr and "test accuracy" in told.stdout
    told = command("train", "train.csv", cwd=tmp_path)
    assert told.returncode == 2 and "A data set is given with --data train.csv." in told.stderr


def test_a_set_that_lacks_a_class_is_evaluated(tmp_path):
    name = lambda row: ("sit", "walk", "run")[row % 3]
    wide(24, label=name).to_csv(tmp_path / "train.csv", index=False)
    frame = wide(24, label=name)
    frame[frame["label"] != "run"].to_csv(tmp_path / "new.csv", index=False)
    frame.assign(label=frame["label"].replace("run", "fly")).to_csv(tmp_path / "other.csv", index=False)
    assert command("train", "--data", "train.csv", "--model", "kernels", "--out", "run", cwd=tmp_path).returncode == 0
    predicted = command("predict", "run", "new.csv", cwd=tmp_path).stdout.splitlines()[1:]
    right = np.mean([row.split(",")[0] == label for row, label in zip(predicted, frame["label"][
        frame["label"] != "run"], strict=True)])
    assert f"test accuracy {right:.4f} raw" in command("evaluate", "run", "--data", "new.csv", cwd=tmp_path).stdout
    told = command("evaluate", "run", "--data", "other.csv", cwd=tmp_path)
    assert told.returncode == 2 and "has the classes" in told.stderr


@pytest.mark.parametrize("start, step, first", [
    ("2024-01-01 00:00:00", "1s", "2024-01-01 00:00:00,2024-01-01 00:00:24"),
    ("2024-01-01 00:00:00.250", "500ms", "2024-01-01 00:00:00.250000,2024-01-01 00:00:12.250000"),
    ("2024-01-01T09:00:00+09:00", "1s", "2024-01-01 00:00:00+00:00,2024-01-01 00:00:24+00:00")])
def test_dates_of_a_resampled_log_stay_dates(start, step, first, tmp_path):
    times = pandas.date_range(start, periods=100, freq=step)
    written = [one.isoformat(sep="T" if "T" in start else " ") for one in times]
    pandas.DataFrame({"time": written, "ax": RNG.normal(size=100)}).to_csv(tmp_path / "log.csv", index=False)
    about = {"layout": {"window": 25, "hop": 25, "resample": step}, "channels": ["ax"], "columns": {"time": "time"}}
    assert ",".join(read_for_model(tmp_path / "log.csv", about).spans[0]) == first


def test_one_column_is_one_series(tmp_path):
    values = RNG.normal(size=STEPS)
    about = {"n_timesteps": STEPS, "n_channels": 1}
    for name, header in (("bare.txt", False), ("named.csv", ["value"])):
        pandas.Series(values).to_csv(tmp_path / name, index=False, header=header)
        with pytest.warns(InputWarning, match=f"its column is read as one series of {STEPS} steps"):
            np.testing.assert_allclose(read_for_model(tmp_path / name, about).x, values[None, :, None])


def test_series_too_short_for_a_model_say_what_helps(tmp_path):
    about = trained(tmp_path / "all")
    assert command("train", "--data", "all", "--model", "kernels", "--out", "run", cwd=tmp_path).returncode == 0
    recording("walk", 30).to_csv(tmp_path / "short.csv", index=False)
    recording("walk", 50).to_csv(tmp_path / "long.csv", index=False)
    said = {name: command("predict", "run", f"{name}.csv", cwd=tmp_path).stderr for name in ("short", "long")}
    assert about["n_timesteps"] == 40 and "record 40 steps, or train a model on series of 30" in said["short"]
    assert "cut or resample them to that length" in said["long"]


@pytest.mark.parametrize("inside", [True, False])
def test_a_test_part_alone_is_evaluated_and_its_series_are_numbered(inside, tmp_path):
    for part, n in (("train", 20), ("test", 10)):
        folder = tmp_path / "har" / part
        (folder / "Inertial Signals").mkdir(parents=True)
        values = RNG.normal(size=(n, STEPS)) + np.arange(n)[:, None] % 2
        for axis in "xy":
            np.savetxt(folder / "Inertial Signals" / f"acc_{axis}_{part}.txt", values)
        np.savetxt(folder / f"y_{part}.txt", np.arange(n) % 2 + 1, fmt="%d")
    assert command("train", "--data", "har", "--model", "kernels", "--out", "run", cwd=tmp_path).returncode == 0
    (tmp_path / "new").mkdir()
    (tmp_path / "har" / "test").rename(tmp_path / "new" / "test")
    where = "new/test" if inside else "new"
    said = command("evaluate", "run", "--data", where, cwd=tmp_path)
    assert said.returncode == 0 and "all of its 10 series are used" in said.stderr
    rows = command("predict", "run", where, cwd=tmp_path).stdout.splitlines()
    assert rows[0].startswith("recording,series,predicted") and [row.split(",")[1] for row in rows[1:]] == [
        str(n + 1) for n in range(10)]


def test_a_class_may_be_called_like_a_note(tmp_path):
    "Only files are notes: a folder called licence plate is a class, in training and to be predicted."
    for name in ("license plate", "readme", "walk"):
        (tmp_path / "all" / name).mkdir(parents=True)
        for n in range(4):
            recording("walk").to_csv(tmp_path / "all" / name / f"r{n}.csv", index=False)
    assert load_dataset(tmp_path / "all", held_out=0).classes == ("license plate", "readme", "walk")
