"Files of the archives and of NumPy: what aeon reads is read alike, what is written comes back, and the rest is told."
import gzip
import io
import itertools
import os
import re
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import TOKENS, fuzz
from tsformer_nb.io.ts_arff_npz import read_npz
from tsformer_nb.io.files import InputError, InputWarning
from tsformer_nb.io.recordings import fill_gaps
from tsformer_nb.io.ts_arff_npz import read_ts
from tsformer_nb.io.ts_arff_npz import read_arff

NAN = np.nan
# x as (n_series, n_channels, n_steps), or a list where lengths differ; labels as a file writes them
SETS = {
    "one channel": (np.arange(12.).reshape(3, 1, 4) / 8, ["1", "2", "1"]),
    "negative labels": (np.arange(12.).reshape(3, 1, 4) - 5, ["-1", "1", "1"]),
    "words": (np.arange(24.).reshape(4, 2, 3) * 1e-7, ["walk", "run", "walk", "stand_still"]),
    "unequal": ([np.arange(2. * n).reshape(2, n) + n for n in (3, 1, 4)], ["a", "b", "a"]),
    "missing": (np.array([[[1, NAN, 3], [4, 5, 6]], [[NAN, 8, 9], [1, 2, NAN]]]), ["a", "b"]),
    "missing at the end": (np.array([[[1, 2, NAN]], [[7, 8, 9]]]), ["3", "4"]),
}


def ts_text(series, labels, header=""):
    "As the archive writes it."
    classes = " ".join(dict.fromkeys(labels))
    rows = [":".join(",".join("?" if np.isnan(v) else repr(float(v)) for v in channel) for channel in values)
            + f":{label}" for values, label in zip(series, labels)]
    equal = str(len({values.shape[1] for values in series}) == 1).lower()
    univariate = str(len(series[0]) == 1).lower()
    return (f"#made up\n@problemName mine\n@timeStamps false\n@univariate {univariate}\n@equalLength {equal}\n{header}"
            f"@classLabel true {classes}\n@data\n" + "\n".join(rows) + "\n")


def arff_text(series, labels):
    "As the archive writes it: one channel plain, several in a relational attribute."
    steps = max(values.shape[1] for values in series)
    steps_header = "".join(f"@attribute t{n} numeric\n" for n in range(steps))
    table = len(series[0]) > 1
    rows = []
    for values, label in zip(series, labels):
        values = np.pad(values, ((0, 0), (0, steps - values.shape[1])), constant_values=NAN)
        texts = [",".join("?" if np.isnan(v) else repr(float(v)) for v in channel) for channel in values]
        rows.append(("'" + r"\n".join(texts) + "'" if table else texts[0]) + f",{label}")
    inner = f"@attribute relationalAtt relational\n{steps_header}@end relationalAtt\n" if table else steps_header
    return f"@relation mine\n{inner}@attribute target {{{','.join(dict.fromkeys(labels))}}}\n@data\n" + "\n".join(rows)


def padded(series):
    "(n_series, n_steps, n_channels), NaN behind shorter series."
    x = np.full((len(series), max(values.shape[1] for values in series), len(series[0])), NAN)
    for row, values in zip(x, series):
        row[:values.shape[1]] = values.T
    return x


def fit_rule(reader, path):
    "What a reader says of a file."
    with pytest.raises(InputError) as error:
        reader(path)
    text = str(error.value)
    assert str(path) in text and len(text) < 500 and "\n" not in text
    return text


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("form", ["ts", "arff"])
def test_aeon_reads_the_same(tmp_path, form, name):
    datasets = pytest.importorskip("aeon.datasets", reason="aeon, the oracle, needs Python 3.11 and is not installed")
    series, labels = SETS[name]
    path = tmp_path / f"f.{form}"
    path.write_text((ts_text if form == "ts" else arff_text)(series, labels))
    theirs, their_labels = (datasets.load_from_ts_file if form == "ts" else datasets.load_from_arff_file)(str(path))
    ours = (read_ts if form == "ts" else read_arff)(path)
    np.testing.assert_array_equal(ours.x, padded(theirs))
    np.testing.assert_array_equal(ours.x, padded(series))
    assert [str(label).lower() for label in ours.labels] == list(their_labels)
    assert ours.labels.dtype.kind == ("U" if labels[0].isalpha() else "i")


@pytest.mark.parametrize("edit", [
    lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text, lambda text: text + "\n\n \n",
    lambda text: text.rstrip("\n"), lambda text: text.replace("\n", "\n\n"), lambda text: text.replace("\n", "\r"),
    lambda text: text.replace("\n@", "\n# a comment\n  @"), lambda text: text.replace("@data\n", "@DATA  \n# here\n"),
    lambda text: re.sub("@[a-zA-Z]+", lambda word: word[0].upper(), text), lambda text: text.replace("?", "NaN"),
    lambda text: text.replace(",", " , "),
])
@pytest.mark.parametrize("form", ["ts", "arff"])
def test_what_editors_and_other_hands_do_is_read(tmp_path, form, edit):
    series, labels = SETS["missing"]
    text = edit((ts_text if form == "ts" else arff_text)(series, labels))
    for name, content in ((f"f.{form}", text.encode()), (f"f.{form}.gz", gzip.compress(text.encode()))):
        (tmp_path / name).write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = (read_ts if form == "ts" else read_arff)(tmp_path / name)
        np.testing.assert_array_equal(found.x, padded(series))
        assert found.labels.tolist() == labels


GOOD = "@timeStamps false\n@classLabel true 1 2\n@data\n1,2,3:4,5,6:1\n1,2,3:4,5,6:2\n"


@pytest.mark.parametrize("old, new, words", [
    ("Stamps false", "Stamps true", "line 1: time stamps are not read"),
    ("1,2,3:4", "(0,1),(1,2),(2,3):4", "line 4: time stamps are not read"),
    ("@data\n", "", "line 3: .* the line @data must come before the first series"),
    ("@data\n1,2,3:4,5,6:1\n1,2,3:4,5,6:2\n", "", "line 2: the file ends without the line @data"),
    ("1,2,3:4,5,6:1\n1,2,3:4,5,6:2\n", "", "line 3: no series after @data"),
    ("@data", "@data 1,2", "line 3: nothing may follow @data"),
    (":2\n", ":\n", "line 5: the series has no label"), (":2\n", ":?\n", "line 5: the series has no label"),
    (":2\n", "\n", "line 5: the series has no label"), (":1\n1,2,3:", ":1\n", "line 5: 1 channel.* line 4 has 2"),
    ("4,5,6:2", "4,5:2", "line 5, channel 2: 2 value.* channel 1 has 3"),
    ("4,5,6:2", ":2", "line 5, channel 2, step 1: ''"), ("5,6:2", "5,,6:2", "line 5, channel 2, step 3: ''"),
    ("5,6:2", "1_0,6:2", "line 5, channel 2, step 2: '1_0'"), ("5,6:2", "１,6:2", "line 5, channel 2, step 2: '１'"),
    ("5,6:2", "1e39,6:2", "line 5, channel 2, step 2: '1e39' is too large"),
    ("5,6:2", "-Infinity,6:2", "line 5, channel 2, step 2: '-Infinity' is not a finite"),
    ("true 1 2", "false", "line 4, channel 3: 1 value"), (":2\n", ":" + "9" * 5000 + "\n", "line 5: the label '9"),
    ("5,6:2", "\0,6:2", "line 5: contains zero bytes"), (GOOD, "", "is empty"), (GOOD, "# nothing\n", "is empty"),
])
def test_what_is_wrong_with_a_ts_file_is_named_with_its_place(tmp_path, old, new, words):
    assert old in GOOD
    (tmp_path / "f.ts").write_text(GOOD.replace(old, new), encoding="utf-8", newline="")
    assert re.search(words, fit_rule(read_ts, tmp_path / "f.ts")), fit_rule(read_ts, tmp_path / "f.ts")


@pytest.mark.parametrize("header, words", [
    ("@univariate true\n", "line 1: @univariate says 'true', but the series have 2 channel"),
    ("@dimensions 3\n", "line 1: @dimensions says '3', but the series have 2 channel"),
    ("@equalLength true\n@seriesLength 5\n", "line 2: @serieslength says '5', but the series have 3 steps"),
    ("@classLabel true walk\n", "line 4: the label '?1'? is not among the classes of line 1, nor are 1 others"),
])
def test_a_header_that_contradicts_its_series_is_told(tmp_path, header, words):
    (tmp_path / "f.ts").write_text(header + "@classLabel true 1 2\n" * ("classL" not in header) + "@data\n\n"
                                   "1,2,3:4,5,6:1\n1,2,3:4,5,6:2\n")
    with pytest.warns(InputWarning, match=words) as told_of:
        found = read_ts(tmp_path / "f.ts")
    assert len(told_of) == 1 and found.x.shape == (2, 3, 2) and found.labels.tolist() == [1, 2]


def test_labels_that_a_ts_file_does_not_have(tmp_path):
    path = tmp_path / "f.ts"
    for text in ("@classLabel false\n@data\n1,2:3,4\n", "@data\n1,2:3,4\n"):
        path.write_text(text)
        assert read_ts(path).labels is None and read_ts(path).x.shape == (1, 2, 2)
    path.write_text("@targetLabel true\n@data\n1,2:3,4:0.5\n")
    with pytest.warns(InputWarning, match="line 1: the file is for regression"):
        found = read_ts(path)
    assert found.labels is None and found.x.shape == (1, 2, 2)


def test_comments_may_be_in_any_encoding_and_labels_in_those_that_show_it(tmp_path):
    path = tmp_path / "f.ts"
    path.write_bytes("# Müller\n".encode("latin-1") + GOOD.encode())
    assert read_ts(path).labels.tolist() == [1, 2]
    path.write_bytes(GOOD.replace(":2\n", ":é\n").encode("latin-1"))
    assert "é" in read_ts(path).labels.tolist()
    path.write_bytes(GOOD.encode("utf-16"))
    assert read_ts(path).labels.tolist() == [1, 2]
    path.write_bytes(GOOD.encode().replace(b":2\n", b":\xff\x81\n"))
    assert "line 5: is not UTF-8" in fit_rule(read_ts, path)


@pytest.mark.parametrize("reader, name", [(read_ts, "f.ts"), (read_ts, "f.ts.gz"), (read_arff, "f.arff"),
                                          (read_npz, "f.npz")])
def test_what_is_no_file_of_the_kind(tmp_path, reader, name):
    path = tmp_path / name
    assert "Cannot read" in fit_rule(reader, tmp_path) and "Cannot read" in fit_rule(reader, path)
    assert "Cannot read" in fit_rule(reader, tmp_path / ("n" * 300 + name))
    cut = gzip.compress(GOOD.encode())[:-9]
    for content in (GOOD.encode("utf-16-le"), cut, b"\x80\x02cos\nsystem\n", b"PK\3\4", b""):
        path.write_bytes(content)
        assert fit_rule(reader, path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / f"pipe-{name}")
        assert "a pipe or a device" in fit_rule(reader, tmp_path / f"pipe-{name}")


@pytest.mark.parametrize("reader, begin", [(read_ts, b"@data\n"), (read_arff, b"@attribute a real\n@data\n")])
def test_nothing_fills_the_memory(tmp_path, reader, begin):
    path = tmp_path / "f.txt"
    path.write_bytes(begin + b"1," * 30_000_000)
    assert re.search(r"line \d: longer than 50 MB", fit_rule(reader, path))
    if reader is read_ts:
        path.write_bytes(b"@classLabel false\n" + begin + b"1," * 999_999 + b"1\n" + b"1\n" * 1000)
        assert "line 3: 1,000,000 steps, but half of the series have at most 1" in fit_rule(reader, path)


FLAT = "@relation a\n@attribute 'the class' {1,2}\n@attribute a real\n@attribute b INTEGER\n@data\n1,2,3\n2,5,6\n"
TABLE = ("@attribute r relational\n@attribute a real\n@attribute b real\n@end r\n@attribute c {u,v}\n@data\n"
         "'1,2\\n3,4',u\n\"1,2\\n3,4\",v\n")


@pytest.mark.parametrize("text, old, new, words", [
    (FLAT, "1,2,3", "1,2,3,4", "line 6: 4 field.* declares 3"), (FLAT, "2,5,6", "2,5", "line 7: 2 field.* declares 3"),
    (FLAT, "2,5,6", "{0 1, 2 5}", "line 7: rows in braces"),
    (FLAT, "2,5,6", "?,5,6", "line 7: the series has no label"),
    (FLAT, "2,5,6", "2,5,six", "line 7, step 2: 'six'"), (FLAT, "2,5,6", "2,inf,6", "line 7, step 1: 'inf'"),
    (FLAT, "a real", "a date", "line 3: the attribute a has the type 'date'; time stamps"),
    (FLAT, "a real", "a", "line 3: expected @attribute, a name and a type"),
    (FLAT, "a real", "a string", "line 3: the attributes the class and a both hold words"),
    (FLAT, "@data\n", "", "line 5: expected @attribute, @data"), (FLAT, "@data\n1,2,3\n2,5,6\n", "", "line 4: .* ends"),
    (FLAT, "1,2,3\n2,5,6\n", "", "no series after @data"), (FLAT, "{1,2}", "floating", "the type 'floating'"),
    (TABLE, "3,4',u", "3',u", "line 7, channel 2: 1 value.* declares 2"),
    (TABLE, "3,4',u", "3,x',u", "line 7, channel 2, step 2: 'x'"), (TABLE, "\\n3,4',u", "',u", "line 8: 2 channel"),
    (TABLE, "3,4',u", "3,4,u", "line 7: 1 field"), (TABLE, "'1,2\\n3,4',u", "?,u", "line 7: the channels must be"),
    (TABLE, "a real", "a {u,v}", "line 2: the time step a is not numeric"),
    (TABLE, "@end r\n", "", "line 5: expected @attribute, @end"),
    (TABLE, "@data", "@attribute d real\n@data", "next to a relational attribute only the label"),
])
def test_what_is_wrong_with_an_arff_file_is_named_with_its_place(tmp_path, text, old, new, words):
    assert old in text
    (tmp_path / "f.arff").write_text(text.replace(old, new, 1))
    said = fit_rule(read_arff, tmp_path / "f.arff")
    assert re.search(words, said), said


@pytest.mark.parametrize("arrays, words", [
    ({"a": [[1.]]}, "contains the arrays a; x .* and y"), ({"x": [1., 2]}, r"shape \(2,\); expected"),
    ({"x": np.zeros((2, 3, 4, 5))}, "shape .2, 3, 4, 5."), ({"x": np.zeros((0, 5))}, "none of them 0"),
    ({"x": [["1", "2"]]}, "type <U1; real numbers"), ({"x": [[1j, 2]]}, "complex128; .* absolute"),
    ({"x": np.array([[1, None]])}, "Python objects"),
    ({"x": [[1, 2]], "y": np.array(["a"], object)}, "array y holds Py"),
    ({"x": [[1, 2], [3, -np.inf]]}, r"f.npz: x\[1, 1\] is -inf"), ({"x": [[1, 1e300]]}, "1 in all"),
    ({"x": np.zeros((2, 3, 2)), "y": [1, 2, 3]}, "y has 3 labels, but x has 2 series"),
    ({"x": [[1, 2]], "y": ["?"]}, r"f.npz\[0\]: the series has no label"), ({"x": [[1, 2]], "y": [[1, 0]]}, "argmax"),
    ({"x": np.zeros((1, 2), "M8[s]")}, "datetime64"), ({"x": np.zeros((1, 2), [("a", float)])}, "real numbers"),
    ({"x": [[1, 2]], "y": 3}, r"y has the shape \(\)"), ({"x": [[1, 2]], "X": [[1, 2]]}, "arrays x and X"),
])
def test_what_is_wrong_with_arrays_is_told(tmp_path, arrays, words):
    np.savez(tmp_path / "f.npz", **arrays)
    assert re.search(words, fit_rule(read_npz, tmp_path / "f.npz")), fit_rule(read_npz, tmp_path / "f.npz")


def test_arrays_of_any_number_type_and_order(tmp_path):
    x = np.arange(12).reshape(2, 3, 2) % 2
    for kind, save in itertools.product("?bBhHiIlLqQefdg", (np.savez, np.savez_compressed)):
        save(tmp_path / "f.npz", x=np.asfortranarray(x.astype(kind)), Y=np.array([b"a", b"b"]))
        found = read_npz(tmp_path / "f.npz")
        assert found.x.dtype == np.float64 and np.array_equal(found.x, x) and found.labels.tolist() == ["a", "b"]
    for y, labels in (([1., 2.], [1, 2]), ([True, False], [1, 0]), ([[1], [2]], [1, 2]), (["1", "2"], [1, 2]),
                      ([.5, 1.], ["0.5", "1.0"]), (["é", "走"], ["é", "走"]),):
        np.savez(tmp_path / "f.npz", x=x, y=y)
        assert read_npz(tmp_path / "f.npz").labels.tolist() == labels


def test_nothing_is_unpickled(tmp_path):
    class Mine:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "was here"),)

    np.savez(tmp_path / "f.npz", x=np.array([[Mine(), 1]], object), allow_pickle=True)
    assert "a pickle can run any program" in fit_rule(read_npz, tmp_path / "f.npz")
    assert not (tmp_path / "was here").exists()


numbers = st.one_of(st.floats(-1e38, 1e38), st.integers(-9, 9).map(float), st.just(NAN))
words = st.text("abcXYZ_-é走0", min_size=1, max_size=6).filter(lambda word: word.strip("-0"))


@st.composite
def sets(draw, equal=False):
    "Series as (n_channels, n_steps), and labels: all words, or all whole numbers."
    n_channels, longest = draw(st.integers(1, 3)), draw(st.integers(2, 6))
    series = []
    for _ in range(draw(st.integers(1, 5))):
        steps = longest if equal else draw(st.integers(1, longest))
        series.append(np.array(draw(st.lists(st.lists(numbers, min_size=steps, max_size=steps),
                                             min_size=n_channels, max_size=n_channels))))
    kind = draw(st.sampled_from([words, st.integers(-2**53, 2**53)]))
    return series, draw(st.lists(kind, min_size=len(series), max_size=len(series)))


@settings(max_examples=150, deadline=None)
@given(sets())
def test_random_sets_come_back_from_text_as_they_were_written(tmp_path_factory, made):
    series, labels = made
    for form, text, reader in (("ts", ts_text, read_ts), ("arff", arff_text, read_arff)):
        path = tmp_path_factory.getbasetemp() / f"random.{form}"
        path.write_text(text(series, [str(label) for label in labels]), encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = reader(path)
        np.testing.assert_array_equal(found.x, padded(series))
        assert found.labels.tolist() == labels and len(found.lines) == len(series)


@settings(max_examples=150, deadline=None)
@given(sets(equal=True))
def test_random_arrays_come_back_as_they_were_saved(tmp_path_factory, made):
    series, labels = made
    path = tmp_path_factory.getbasetemp() / "random.npz"
    np.savez(path, x=np.stack(series).swapaxes(1, 2), y=labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        found = read_npz(path)
    np.testing.assert_array_equal(found.x, padded(series))
    assert found.labels.tolist() == labels


def sound(found):
    "What every reader promises, and that gaps can be filled or are told."
    n_series, n_steps, n_channels = found.x.shape
    assert found.x.dtype == np.float64 and n_series * n_steps * n_channels > 0 and not np.isinf(found.x).any()
    assert found.labels is None or (len(found.labels) == n_series and found.labels.dtype.kind in "iU")
    assert found.place(n_series - 1)
    fill_gaps(found)


SAMPLES = {
    "ts": [ts_text(*SETS["missing"]), ts_text(*SETS["unequal"], header="@dimensions 2\n"), GOOD],
    "arff": [arff_text(*SETS["missing"]), arff_text(*SETS["one channel"]), FLAT, TABLE],
}
WORDS = [b":", b"?", b"@", b"@data\n", b"@classLabel", b"true", b"false", b"'", b"\\n", b"\\", b"{", b"}", b"%", b"(",
         b"@attribute", b"relational", b"@end", b"\xe2\x80\xa8", b"\x1c", b"_", b"\xc2\xa0", "１".encode()]


@pytest.mark.parametrize("form, reader", [("ts", read_ts), ("arff", read_arff)])
def test_a_fuzzer_finds_only_our_error_in_texts(tmp_path, form, reader):
    texts = [text.encode() for text in SAMPLES[form]]
    fuzz(tmp_path, [*((f"f.{form}", text) for text in texts * 4),
                    *((f"f.{form}.gz", gzip.compress(text)) for text in texts)],
         lambda path: sound(reader(path)), TOKENS + WORDS, longest=600)


def test_a_fuzzer_finds_only_our_error_in_arrays(tmp_path):
    "Archives are damaged as a whole, and the arrays inside before they are packed: checksums would hide those."
    def npy(array):
        np.save(file := io.BytesIO(), array)
        return file.getvalue()

    def read(path):
        if path.suffix == ".npz":
            return sound(read_npz(path))
        arrays = {"x": npy(np.arange(12.).reshape(2, 3, 2)), "y": npy(np.array(["a", "b"])),
                  path.name[0]: path.read_bytes()}
        with zipfile.ZipFile(path.with_suffix(".npz"), "w") as archive:
            for name, content in arrays.items():
                archive.writestr(f"{name}.npy", content)
        return sound(read_npz(path.with_suffix(".npz")))

    np.savez(whole := io.BytesIO(), x=np.arange(12.).reshape(2, 6), y=[1, 2])
    np.savez_compressed(packed := io.BytesIO(), x=np.arange(12.).reshape(2, 3, 2))
    fuzz(tmp_path, [("f.npz", whole.getvalue()), ("f.npz", packed.getvalue()), ("y.npy", npy(np.array(["a", "b"]))),
                    ("x.npy", npy(np.arange(12.).reshape(2, 3, 2))), ("x.npy", npy(np.arange(12.).reshape(2, 6).T))],
         read, [*TOKENS, b"'|O'", b"'<f8'", b"(2,", b"1" * 9, b"-1", b"True", b"None", b"\x93NUMPY", b"<U9"],
         longest=600)
