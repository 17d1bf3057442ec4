"Tables as other programs write them: which column is what is found out and told, and a sister file is read alike."
import random
import re
import warnings

import numpy as np
import pytest

from conftest import TOKENS, damaged, fuzz
from tsformer_nb.data import load_dataset
from tsformer_nb.io import tables
from tsformer_nb.io.files import InputError, InputWarning
from tsformer_nb.io.loading import read_file

STEPS = np.random.default_rng(0).standard_normal((12, 6)).round(3)


def rows_of(*columns, separator=","):
    "Columns side by side; `STEPS` stands for its six."
    rows = [[str(one) for column in columns for one in (column[n] if column is STEPS else [column[n]])]
            for n in range(len(STEPS))]
    return "".join(separator.join(row) + "\n" for row in rows)


KINDS, NUMBERS = ["walk", "run"] * 6, [1, 2] * 6
KEYS = np.random.default_rng(1).permutation(99)[:12].tolist()
NAMES_OF_STEPS = ",".join(f"t{n}" for n in range(6))


@pytest.mark.parametrize("text, labels, words", [
    (rows_of(KEYS, NUMBERS, STEPS), NUMBERS, "column 1 only names the rows"),
    (rows_of([f"rec{key}" for key in KEYS], KINDS, STEPS), KINDS, "column 1 only names the rows"),
    (rows_of(KEYS, STEPS, KINDS), KINDS, "column 1 only names the rows"),
    (f"id,{NAMES_OF_STEPS},label\n" + rows_of(KEYS, STEPS, NUMBERS), NUMBERS, "column id only names the rows"),
    (",label," + ",".join("012345") + "\n" + rows_of(range(12), KINDS, STEPS), KINDS, "only counts the rows"),
    ('"label" ' + NAMES_OF_STEPS.replace(",", " ") + "\n" + rows_of(
        [f'"{n}"' for n in range(12)], [f'"{kind}"' for kind in KINDS], STEPS, separator=" "), KINDS, "only counts"),
    (f"subject,label,{NAMES_OF_STEPS}\n" + rows_of([n // 4 for n in range(12)], KINDS, STEPS), KINDS, "one subject"),
    ("# a logger\n\n" + rows_of(NUMBERS, STEPS) + "# end\n", NUMBERS, "2 line.s. that begin with #"),
    (rows_of(NUMBERS, STEPS, NUMBERS[::-1]).replace("\n", ",\n"), None, "use --label last"),
    (rows_of(NUMBERS, STEPS).replace("\n", ",\r\n") + "\r\n", NUMBERS, ""),
    (f"{NAMES_OF_STEPS},状態\n" + rows_of(STEPS, ["歩行", "走行"] * 6), ["歩行", "走行"] * 6, "column 7 .状態."),
])
def test_tables_of_other_programs_are_read_right(tmp_path, text, labels, words):
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8", newline="")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = read_file(path)
    assert re.search(words, " | ".join(str(one.message) for one in told)), [str(one.message) for one in told]
    if labels:
        assert found.labels.tolist() == labels and np.array_equal(found.x[:, :, 0], STEPS)
        alone = tmp_path / "one.csv"  # a file of one series that goes with it cannot show how it is laid out
        header = text.splitlines(keepends=True)[:next(n for n, line in enumerate(text.splitlines())
                                                      if str(STEPS[0, 0]) in line)]
        alone.write_text("".join(header) + next(line for line in text.splitlines() if str(STEPS[5, 0]) in line),
                         encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            sister = read_file(alone, found.layout)
        assert sister.labels.tolist() == labels[5:6] and np.array_equal(sister.x[0, :, 0], STEPS[5])


@pytest.mark.parametrize("names, shape", [
    ("ax0,ay0,ax1,ay1,ax2,ay2", (3, 2)), ("ax_1,ax_2,ax_3,ay_1,ay_2,ay_3", (3, 2)), ("a b c d e f", (6, 1)),
    ("ax0,ax1,ax2,ax3,ay0,ay1", (6, 1))])
def test_channels_that_stand_side_by_side(tmp_path, names, shape):
    path = tmp_path / "mine.csv"
    path.write_text(f"label,{names.replace(' ', ',')}\n" + rows_of(KINDS, STEPS))
    with pytest.warns(InputWarning):
        found = read_file(path)
    assert found.x.shape[1:] == shape and found.channels == (("ax", "ay") if shape == (3, 2) else ())
    if shape == (3, 2):
        assert found.x[0, :, 0].tolist() == STEPS[0][[0, 2, 4] if "ax0" in names else [0, 1, 2]].tolist()


@pytest.mark.parametrize("text, sentence", [
    ("label,t0,t1\n1,2,3\n2,3,4\n1,2,3,4\n", "line 4: 4 fields, but the first row has 3 names"),
    ("id,time,ax,label\na,0,1,x\na,1,2,x\n,2,2,x\nb,0,1,y\n", "column 1 .id.: the recording of the row is missing"),
    ("id,time,ax,label\na,0,1,x\na,1,2,x\nb,noon,1,y\n", "line 4, column 2 .time.: 'noon' is not a number"),
    ("".join(f"{n},{t},{n + t / 7},{n % 2}\n" for n in range(4) for t in range(6)), "--id, by its number, from 1"),
    ("who,step_no,ax,kind\n" + "".join(f"p{n},{t},{n + t / 7},{n % 2}\n" for n in range(4) for t in range(6)),
     "looks like a table with one time step per row")])
def test_a_table_that_contradicts_itself_is_told(tmp_path, text, sentence):
    (tmp_path / "mine.csv").write_text(text)
    with warnings.catch_warnings(), pytest.raises(InputError, match=sentence):
        warnings.simplefilter("ignore", InputWarning)
        read_file(tmp_path / "mine.csv")


def test_a_test_file_is_read_as_its_training_file(tmp_path):
    "Alone, the test file would have its label in front: there, whole numbers come again, and behind they do not."
    (tmp_path / "m_TRAIN.csv").write_text("".join(f"{n}7,{n % 5},{n * n},{n % 2}\n" for n in range(1, 13)))
    (tmp_path / "m_TEST.csv").write_text("".join(f"7,{n % 5},3,{n % 2}\n" for n in range(1, 4)))
    with pytest.warns(InputWarning, match="column 4 is read as the label"):
        data = load_dataset(tmp_path)
    assert data.classes == (0, 1) and data.y_test.tolist() == [1, 0, 1] and data.x_test.shape == (3, 3, 1)


def test_a_sorted_test_file_is_no_table_of_time_steps(tmp_path):
    "Where the training file has shown that a row is a series, a test file whose labels seldom change is one as well."
    for part, kinds in (("TRAIN", KINDS * 10), ("TEST", sorted(KINDS * 10))):
        rows = [f"{kind},{n},{n / 2},{n / 3}\n" for n, kind in enumerate(kinds, 1)]
        (tmp_path / f"m_{part}.csv").write_text("label,one,two,three\n" + "".join(rows))
    with pytest.warns(InputWarning, match="column 1 .label. is read as the label"):
        data = load_dataset(tmp_path)
    assert data.x_test.shape == data.x_train.shape == (120, 3, 1)


def read_by(path, smallest, monkeypatch):
    "What a table holds, and what was reported, where pandas reads files of more than some bytes."
    monkeypatch.setattr(tables, "SMALL_FILE", smallest)
    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        try:
            table = tables.read_table(path)
        except InputError as error:
            return str(error)
    texts = [table.texts(n) for n in range(table.cells.shape[1])]
    values = [[float(text) if tables.PLAIN_NUMBER.fullmatch(text) else text for text in column] for column in texts]
    lines = [table.line(row) for row in range(len(table.cells))]
    return values, table.names, lines, {str(one.message) for one in reported}


def test_a_table_is_the_same_whoever_reads_it(tmp_path, monkeypatch):
    "What pandas takes for sound has the same fields, names, lines and warnings if it is read field by field."
    sound = ["label,t0,t1,t2\n" + "".join(f"{'ab'[n % 2]},{n / 8},{n},{-n}\n" for n in range(30)),
             "id;time;ax;label\n" + "".join(f"00{n // 5};{n % 5};{n},5;{'ab'[n // 5 % 2]}\n" for n in range(30)),
             "# a logger\n" + rows_of(KINDS, STEPS, separator="\t"), rows_of(KEYS, STEPS, KINDS),
             re.sub(r"-?0\.1\d*", "?", rows_of(STEPS, KINDS)).replace("\n", ",\n"),
             "label t0 t1\n" + "".join(f"{n} walk-fast {n / 8}  {n}\n" for n in range(30))]
    taken, by_pandas = [], tables._by_pandas
    monkeypatch.setattr(tables, "_by_pandas", lambda *given: taken.append(by_pandas(*given)) or taken[-1])
    rng, path = random.Random(0), tmp_path / "mine.csv"
    for trial in range(250):
        content = sound[trial % len(sound)].encode()
        path.write_bytes(content if trial < len(sound) else
                         damaged(content, rng, [*TOKENS, b";", b"?", b"0,5", b"\n\n", b"#"]))
        assert read_by(path, 0, monkeypatch) == read_by(path, 10**9, monkeypatch), path.read_bytes()
    assert None not in taken[:len(sound)] and 50 < len(list(filter(None, taken))) < len(taken)
    assert taken[1].texts(0)[:6] == ["000"] * 5 + ["001"]  # names of recordings stay as they are written


# ---------------------------------------------------------------- Parquet

@pytest.fixture
def parquet():
    "pandas, with what it needs to read and write Parquet."
    pytest.importorskip("pyarrow", reason="pyarrow is installed with Python 3.11 and later")
    return pytest.importorskip("pandas")


def wide_frame(pandas, **more):
    return pandas.DataFrame(STEPS, columns=NAMES_OF_STEPS.split(",")).assign(**more)


@pytest.mark.parametrize("labels", [KINDS, NUMBERS, [True, False] * 6], ids=["words", "numbers", "bool"])
def test_wide_parquet(tmp_path, parquet, labels):
    for kind in (list, parquet.Categorical):
        wide_frame(parquet, label=kind(labels)).to_parquet(tmp_path / "mine.parquet")
        with pytest.warns(InputWarning, match="column 7 .label. is read as the label"):
            found = read_file(tmp_path / "mine.parquet")
        assert [str(one) for one in found.labels] == [str(one) for one in labels]
        assert np.array_equal(found.x[:, :, 0], STEPS) and found.place(2).endswith("mine.parquet, row 3")


def test_long_parquet(tmp_path, parquet):
    rows = [(n, parquet.Timestamp("2026-01-01") + parquet.Timedelta(seconds=t), STEPS[n, t], t / 4, KINDS[n])
            for n in range(12) for t in range(6 - n % 3)]
    frame = parquet.DataFrame(rows, columns=["id", "time", "ax", "ay", "label"])
    for one in (frame, frame.sort_values("time", ascending=False)):
        one.to_parquet(tmp_path / "mine.parquet")
        with pytest.warns(InputWarning, match="recording: id; order: time; label: label"):
            found = read_file(tmp_path / "mine.parquet")
        assert found.channels == ("ax", "ay") and len(found.x) == 12
        assert found.x[found.labels == "run"][:, 0, 1].tolist() == [0] * 6  # in the order of time, whatever the file's


@pytest.mark.parametrize("change, sentence", [
    (lambda frame: frame.assign(label=["walk", None] * 6), "row 2: the series has no label"),
    (lambda frame: frame.replace(STEPS[1, 1], np.inf), "row 2, column 2 .t1.: 'inf' is not a finite number"),
    (lambda frame: frame.iloc[:0], "has no rows"),
    (lambda frame: frame[["label"]].assign(values=[[["a", "b"]]] * len(STEPS)), "column values: a list"),
])
def test_parquet_that_is_no_set_of_series(tmp_path, parquet, change, sentence):
    change(wide_frame(parquet, label=KINDS)).to_parquet(tmp_path / "mine.parquet")
    with warnings.catch_warnings(), pytest.raises(InputError, match=sentence):
        warnings.simplefilter("ignore", InputWarning)
        read_file(tmp_path / "mine.parquet")


def test_a_fuzzer_finds_only_our_error_in_parquet(tmp_path, parquet):
    gappy = wide_frame(parquet, label=NUMBERS).replace(STEPS[3, 3], np.nan)
    for name, frame in (("wide", wide_frame(parquet, label=KINDS)), ("gappy", gappy)):
        frame.to_parquet(tmp_path / f"{name}.parquet")
    samples = [("f.parquet", (tmp_path / f"{name}.parquet").read_bytes()) for name in ("wide", "gappy")]
    fuzz(tmp_path, samples, read_file)
