"Files of others: what is sound is read to the last digit, what is not is told in a sentence, and nothing else happens."
import gzip
import io
import os
import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import TOKENS, fuzz
from tsformer_nb.data import load_dataset
from tsformer_nb.io.files import FILES, InputError, InputWarning
from tsformer_nb.io.loading import read_file
from tsformer_nb.io.tables import read_table
from tsformer_nb.io.recordings import fill_gaps

SOUND = "1\t0.5\t-0.25\n-1\t1e-3\t2\n"
TS = "@problemName m\n@timeStamps false\n@classLabel true walk run\n@data\n1,2,?:4,5,6:walk\n7,8:9,10:run\n"
ARFF = "@relation m\n@attribute a numeric\n@attribute b numeric\n@attribute target {1,2}\n@data\n1,?,2\n3,4,1\n"
LONG = "id,time,ax,ay,label\na,0,.2,2,walk\na,1,.1,1,walk\nb,0,5,6,run\nb,1,7,8,run\nb,2,9,9,run\n"


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


NPZ = npz(x=np.arange(24.).reshape(4, 6), y=np.array([0, 1, 0, 1]))


def quietly(reader, *arguments):
    "What a reader gives, its warnings aside."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        return reader(*arguments)


def fit_rule(path, reader=read_file):
    "What the reader says of a file: a sentence or two."
    with pytest.raises(InputError) as error:
        quietly(reader, path)
    text = str(error.value)
    assert str(path) in text and len(text) < 400 and "Traceback" not in text
    return text


@pytest.mark.parametrize("content, words", [
    ("", "is empty"), ("\n\r\n  \n", "is empty"), ("# only a remark\n", "only comments"),
    (SOUND + "1\t.5\tabc\n", "line 3, column 3: 'abc'"),
    ("1\t.5\t-inf\n" + SOUND, "line 1, column 3: '-inf' is not a finite number"),
    (SOUND + "1\t.5\t-inf\n", "line 3, column 3: '-inf'"), ("1\t1e999\t0\n", "column 2: '1e999' is too large"),
    ("1\t1_000\t0\n", "column 2: '1_000'"), ("1\t0x10\t0\n", "column 2: '0x10'"),
    ("1.5\t.5\t.25\n", "cannot detect which column holds the labels"),
    ("1e300\t.5\t.25\n", "label '1e300' is not a whole number"),
    ("9007199254740994\t.5\t.25\n", "label .9007199254740994."), (SOUND + "\t.5\t2\n", "line 3: .* no label"),
    ("7\n8\n", "line 1: a label and at least 2 values"), ('1,"2\n', "close all quotes"),
])
def test_what_is_wrong_is_named_with_its_place(tmp_path, content, words):
    for name, write in (("f.tsv", lambda path: path.write_text(content, encoding="utf-8", newline="")),
                        ("f.tsv.gz", lambda path: path.write_bytes(gzip.compress(content.encode())))):
        write(tmp_path / name)
        assert re.search(words, fit_rule(tmp_path / name)), fit_rule(tmp_path / name)


@pytest.mark.parametrize("name", ["f.tsv", "f.csv", "f.ts", "f.arff", "f.npz", "f"])
def test_files_that_are_no_text(tmp_path, name):
    path, packed = tmp_path / name, tmp_path / f"{name}.gz"
    path.write_bytes(SOUND.encode("utf-16-le"))  # without the mark that says so
    text = fit_rule(path)
    assert "line 1: contains zero bytes, so it is UTF-16" in text or "npz" in name
    path.write_bytes(b"1\t.5\t\xff\x81\n")  # no letters in any of the encodings that are tried
    assert "UTF-8" in fit_rule(path) or "npz" in name
    assert "Cannot read" in fit_rule(tmp_path) and "Cannot read" in fit_rule(tmp_path / f"nowhere{name[1:]}")
    if "npz" in name:
        return
    whole = gzip.compress(SOUND.encode() * 100)
    for broken in (SOUND.encode(), whole[:-20], whole[:40] + b"xxxx" + whole[44:], b""):
        packed.write_bytes(broken)
        assert "gzip" in fit_rule(packed) or "is empty" in fit_rule(packed)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("name", ["f", *(f"f.{kind}" for kind in (
    "tsv", "ts", "arff", "npz", "h5", "parquet", "xlsx", "jsonl", "lvm"))])
def test_a_pipe_is_refused_at_once(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert "a pipe or a device" in fit_rule(tmp_path / name)  # opening it would wait for a writer, perhaps for ever


def test_a_line_without_end_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "long.tsv"
    with open(path, "wb") as file:
        for _ in range(int(os.environ.get("TSFORMER_LONG_LINE", 60_000_000)) // 1_000_000):  # `make torture`: 1 GB
            file.write(b"0.125\t" * 166_667)
    assert "line 1: longer than 50 MB" in fit_rule(path)


@pytest.mark.parametrize("text", [SOUND, SOUND.replace("\n", "\r\n"), "\ufeff" + SOUND, SOUND + "\n\n",
                                  SOUND.rstrip("\n"), SOUND.replace("0.5", " 0.5 "), SOUND.replace("\t", ","),
                                  SOUND.replace("\t", ";"), SOUND.replace("\t", "  "), SOUND.replace("\n", "\t\n"),
                                  SOUND.replace("\t", ";").replace(".", ","), "label\tt0\tt1\n" + SOUND,
                                  "# made by a machine\n" + SOUND, SOUND.replace("1\t0.5", "1.0\t0.5"),
                                  "\n" + SOUND.replace("\n", "\n\n")])
def test_what_editors_and_programs_do_to_a_file_is_read(tmp_path, text):
    path = tmp_path / "f.tsv"
    path.write_text(text, encoding="utf-8", newline="")
    found = quietly(read_file, path)
    assert found.labels.tolist() == [1, -1] and np.array_equal(found.x[:, :, 0], [[.5, -.25], [1e-3, 2]])


def test_a_series_that_never_changes_is_said(tmp_path):
    path = tmp_path / "f.tsv"
    path.write_text(SOUND + "\n1\t7\t7\n1\t0\t0\n")
    with pytest.warns(InputWarning, match="line 4 and 1 more: the series is constant"):
        load_dataset(path, held_out=0)


@pytest.mark.parametrize("train, test, words", [
    ("1\t0\t1\n1\t1\t0\n", SOUND, "X_TRAIN.tsv has only one class"),
    (SOUND, SOUND + "3\t0\t1\n", "X_TEST.tsv, line 3: the label 3 does not occur in X_TRAIN.tsv"),
])
def test_files_that_do_not_fit_together(tmp_path, train, test, words):
    (tmp_path / "X_TRAIN.tsv").write_text(train), (tmp_path / "X_TEST.tsv").write_text(test)
    with pytest.raises(InputError, match=words):
        load_dataset(tmp_path)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
tables = st.integers(2, 12).flatmap(lambda width: st.lists(
    st.tuples(st.integers(-2**53, 2**53), st.lists(finite, min_size=width, max_size=width)), min_size=1, max_size=12))


@settings(max_examples=150, deadline=None)
@given(tables)
def test_random_sets_come_back_as_they_were_written(tmp_path_factory, table):
    "A label is a word here, so that no rule of numbers is asked."
    path = tmp_path_factory.getbasetemp() / "random.tsv"
    path.write_text("".join("\t".join([f"c{label}", *map(repr, values)]) + "\n" for label, values in table))
    found = quietly(read_file, path)
    assert found.labels.tolist() == [f"c{label}" for label, _ in table]
    assert np.array_equal(found.x[:, :, 0], [values for _, values in table])


shapes = st.tuples(st.integers(1, 6), st.integers(2, 8), st.integers(1, 4))


@settings(max_examples=60, deadline=None)
@given(shapes.flatmap(lambda shape: st.tuples(
    st.lists(finite, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))), st.just(shape),
    st.lists(st.sampled_from(["walk", "run"]), min_size=shape[0], max_size=shape[0]),
    st.lists(st.integers(2, shape[1]), min_size=shape[0], max_size=shape[0]))))
def test_series_come_back_from_every_format(tmp_path_factory, made):
    "Several channels and unequal lengths, written as .ts, .npz and a long table, and read again."
    values, shape, labels, lengths = made
    x = np.array(values).reshape(shape)
    for n, length in enumerate(lengths):
        x[n, length:] = np.nan
    folder = tmp_path_factory.getbasetemp()
    rows = [":".join(",".join(repr(float(one)) for one in channel[:length]) for channel in series.T)
            for series, length in zip(x, lengths)]
    (folder / "r.ts").write_text("@classLabel true walk run\n@data\n" + "".join(
        f"{row}:{label}\n" for row, label in zip(rows, labels)))
    (folder / "r.npz").write_bytes(npz(x=x, y=np.array(labels)))
    names = [f"c{n}" for n in range(shape[2])]
    (folder / "r.csv").write_text(",".join(["id", "time", *names, "label"]) + "\n" + "".join(
        ",".join([f"s{n}", str(step), *(repr(float(one)) for one in x[n, step]), labels[n]]) + "\n"
        for n in range(shape[0]) for step in range(lengths[n])))
    for name in ("r.ts", "r.npz", "r.csv"):
        found = quietly(read_file, folder / name)
        assert found.labels.tolist() == labels, name
        assert np.array_equal(found.x, x[:, :max(lengths)] if name != "r.npz" else x, equal_nan=True), name


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200),
                 st.text(alphabet="0123456789.-+eE\t\n\r ,;:_naif?'\"@{}#\ufeff\u2028", max_size=80).map(str.encode)),
       st.sampled_from(["any.tsv", "any.csv", "any.ts", "any.arff", "any.npz", "any"]))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, name):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    for reader in (read_file, read_table):
        try:
            quietly(reader, path)
        except InputError as error:
            assert str(path) in str(error)


def test_a_fuzzer_finds_only_our_error(tmp_path):
    "Nothing but InputError may come out, of any format; what is read is whole and can be made a data set, or refused."
    sample = gzip.decompress((FILES / "FordA_sample_TEST.tsv.gz").read_bytes())[:6000]
    sound = [("f.tsv", SOUND.encode()), ("f.tsv", sample), ("f.csv", LONG.encode()),
             ("f.csv", SOUND.replace("\t", ",").encode()), ("f.ts", TS.encode()), ("f.arff", ARFF.encode()),
             ("f", SOUND.replace("\t", "  ").encode())]

    def read(path):
        found = fill_gaps(read_file(path))
        assert np.isfinite(found.x[:, 0]).all() and len(found.x) > 0
        assert found.labels is None or len(found.labels) == len(found.x)
        load_dataset(path)

    fuzz(tmp_path, [*sound * 4, *[("f.npz", NPZ)] * 4, *((f"{name}.gz", gzip.compress(text)) for name, text in sound)],
         read, [*TOKENS, b"'", b":", b";", b"?", b"@", b"(0,1)", b"{", b"}", b"\\n", b"label"])
