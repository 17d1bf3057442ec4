"Files of others: what is sound is read to the last digit, what is not is told in a sentence, and nothing else happens."
import gzip
import os
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import fuzz
from tsformer_nb.data import load_dataset
from tsformer_nb.files import FILES, InputError, InputWarning
from tsformer_nb.readers import read_table, read_tsv

SOUND = "1\t0.5\t-0.25\n-1\t1e-3\t2\n"


def told(path, reader=read_tsv):
    "What the reader says of a file: a sentence or two."
    with pytest.raises(InputError) as error:
        reader(path)
    text = str(error.value)
    assert str(path) in text and len(text) < 400 and "Traceback" not in text
    return text


@pytest.mark.parametrize("content, words", [
    ("1\t.5\t.25\t0\n-1\t.5\t1\n", "line 2: 3 fields, but the lines above have 4"),
    ("", "is empty"), ("\n\r\n  \n", "is empty"),
    ("label\tx1\tx2\n" + SOUND, "line 1, column 1: 'label' is not a finite number; a header row must be removed"),
    ("1,0.5,0.25\n", "line 1: .* It has commas"),
    ("1\t0,5\t0,25\n", "line 1, column 2: '0,5' .* decimals with a point"),
    (SOUND + "1\t.5\tabc\n", "line 3, column 3: 'abc'"),
    (SOUND + "1\tNaN\t.5\n", "line 3, column 2: 'NaN'"), (SOUND + "1\t.5\t-inf\n", "line 3, column 3: '-inf'"),
    (SOUND + "1\t.5\t\n", "line 3, column 3: ''"), ("1\t1e999\t0\n", "column 2: '1e999' is too large"),
    ("1\t1_000\t0\n", "column 2: '1_000'"), ("1\t１\t0\n", "column 2: '１'"), ("1\t0x10\t0\n", "column 2: '0x10'"),
    ("1.5\t.5\t.25\n", "label '1.5' is not a whole number"), ("1e300\t.5\t.25\n", "column 1: '1e300' is too large"),
    ("9007199254740994\t.5\t.25\n", "label '9007199254740994'"),
    ("7\n8\n", "line 1: a label and at least 2 values"),
])
def test_what_is_wrong_is_named_with_its_place(tmp_path, content, words):
    import re

    for name, write in (("f.tsv", lambda path: path.write_text(content, encoding="utf-8", newline="")),
                        ("f.tsv.gz", lambda path: path.write_bytes(gzip.compress(content.encode())))):
        write(tmp_path / name)
        assert re.search(words, told(tmp_path / name)), told(tmp_path / name)


def test_files_that_are_no_text(tmp_path):
    path, packed = tmp_path / "f.tsv", tmp_path / "f.tsv.gz"
    path.write_text(SOUND, encoding="utf-16")
    assert "line 1: holds zero bytes, so it is UTF-16" in told(path)
    path.write_bytes(b"1\t.5\t\xff\xfe\n")
    assert "UTF-8" in told(path)
    assert "Cannot read" in told(tmp_path) and "Cannot read" in told(tmp_path / "nowhere.tsv")
    whole = gzip.compress(SOUND.encode() * 100)
    for broken in (SOUND.encode(), whole[:-20], whole[:40] + b"xxxx" + whole[44:], b""):
        packed.write_bytes(broken)
        assert "gzip" in told(packed) or "is empty" in told(packed)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "f.tsv")
    assert "a pipe or a device" in told(tmp_path / "f.tsv")  # opening it would wait for a writer, perhaps for ever


def test_a_line_without_end_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "long.tsv"
    with open(path, "wb") as file:
        for _ in range(int(os.environ.get("TSFORMER_LONG_LINE", 60_000_000)) // 1_000_000):  # `make torture`: 1 GB
            file.write(b"0.125\t" * 166_667)
    assert "line 1: longer than 50 MB" in told(path)


@pytest.mark.parametrize("text", [SOUND, SOUND.replace("\n", "\r\n"), "\ufeff" + SOUND, SOUND + "\n\n",
                                  SOUND.rstrip("\n"), SOUND.replace("0.5", " 0.5 ")])
def test_what_editors_do_to_a_file_is_read(tmp_path, text):
    path = tmp_path / "f.tsv"
    path.write_text(text, encoding="utf-8", newline="")
    series, labels = read_tsv(path)
    assert labels.tolist() == [1, -1] and np.array_equal(series, np.float32([[.5, -.25], [1e-3, 2]]))


def test_a_series_that_never_changes_is_said(tmp_path):
    path = tmp_path / "f.tsv"
    path.write_text(SOUND + "\n1\t7\t7\n1\t0\t0\n")
    with pytest.warns(InputWarning, match="line 4 and 1 more: the series never changes"):
        series, _ = read_tsv(path)
    assert series.shape == (4, 2)


@pytest.mark.parametrize("train, test, words", [
    ("1\t0\t1\n1\t1\t0\n", SOUND, "X_TRAIN.tsv holds one class only"),
    (SOUND, SOUND + "3\t0\t1\n", "X_TEST.tsv, line 3, column 1: the label 3 does not occur in X_TRAIN.tsv"),
    (SOUND, "1\t0\t1\t2\n", "X_TEST.tsv has series of 3 steps"),
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
    path = tmp_path_factory.getbasetemp() / "random.tsv"
    path.write_text("".join("\t".join([str(label), *map(repr, values)]) + "\n" for label, values in table))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        series, labels = read_tsv(path)
    assert labels.tolist() == [label for label, _ in table]
    assert np.array_equal(series, np.float32([values for _, values in table]))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200),
                 st.text(alphabet="0123456789.-+eE\t\n\r ,_naif\ufeff\u2028", max_size=80).map(str.encode)))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.tsv"
    path.write_bytes(content)
    for reader in (read_tsv, read_table):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InputWarning)
                reader(path)
        except InputError as error:
            assert str(path) in str(error)


def test_a_fuzzer_finds_only_our_error(tmp_path):
    "Sound files, cut, doubled and overwritten at random: nothing but InputError may come out."
    plain = [SOUND.encode(), gzip.decompress((FILES / "FordA_sample_TEST.tsv.gz").read_bytes())[:6000]]

    def read(path):
        series, labels = read_tsv(path)
        assert np.isfinite(series).all() and len(series) == len(labels) > 0

    fuzz(tmp_path, [*(("f.tsv", text) for text in plain * 4), *(("f.tsv.gz", gzip.compress(text)) for text in plain)],
         read)
