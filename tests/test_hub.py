"Publishing and loading again, against a hub of our own on loopback, which can also refuse."
import base64
import hashlib
import http.server
import json
import threading
from urllib.parse import unquote

import keras
import numpy as np
import pytest

from conftest import command
from tsformer_nb import runs
from tsformer_nb.data import load_dataset
from tsformer_nb.evaluation import predict

hub = pytest.importorskip("huggingface_hub")
TOKEN = "hf_NobodyMayEverSeeThisToken"

pytestmark = pytest.mark.slow


class Stub(http.server.BaseHTTPRequestHandler):
    "As much of the hub as a run needs; `server.refuse` makes it fail at a path."

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, hub_ = unquote(self.path), self.server
        if self.refused(path):
            return
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = "/".join(filter(None, (asked.get("organization") or "anna", asked["name"].split("/")[-1])))
            hub_.repos.setdefault(repo, {})
            self.answer({"url": f"{hub_.url}/{repo}", "name": repo, "id": "1"})
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                     for one in json.loads(body)["files"]]
            self.answer({"files": files})
        elif "/commit/" in path:
            repo = path.split("/api/models/")[1].split("/commit/")[0]
            lines = [json.loads(line) for line in body.decode().splitlines()]
            files = {one["value"]["path"]: base64.b64decode(one["value"]["content"])
                     for one in lines if one["key"] == "file"}
            sha = hashlib.sha1(repr(sorted(files)).encode() + str(len(hub_.repos[repo])).encode()).hexdigest()
            hub_.repos[repo][sha] = hub_.repos[repo]["main"] = files
            hub_.heads[repo] = sha
            self.answer({"commitOid": sha, "commitUrl": f"{hub_.url}/{repo}/commit/{sha}", "hookOutput": ""})
        else:
            self.answer({"error": path}, 404)

    def do_GET(self):
        path, hub_ = unquote(self.path.split("?")[0]), self.server
        if self.refused(path):
            return
        if "/tree/" in path:
            repo, _, sha = path.removeprefix("/api/models/").partition("/tree/")
            files = hub_.repos[repo][sha.split("/")[0]]
            return self.answer([{"type": "file", "path": name, "size": len(content),
                                 "oid": hashlib.sha1(content).hexdigest()} for name, content in files.items()])
        if path.startswith("/api/models/"):
            repo, _, revision = path.removeprefix("/api/models/").partition("/revision/")
            repo = repo.removesuffix("/revision")
            if revision or repo in hub_.repos:
                sha = hub_.heads.get(repo) if revision in ("", "main") else revision
                if repo in hub_.repos and sha in hub_.repos[repo]:
                    files = [{"rfilename": name} for name in hub_.repos[repo][sha]]
                    return self.answer({"id": repo, "modelId": repo, "sha": sha, "siblings": files, "tags": [],
                                        "private": False, "downloads": 0, "likes": 0})
            return self.answer({"error": "not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        repo, _, rest = path[1:].partition("/resolve/")
        revision, _, name = rest.partition("/")
        files = hub_.repos.get(repo, {}).get(revision)
        if files is None or name not in files:
            return self.answer({"error": "not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        content = hub_.damage(name, files[name])
        known = f'"{hashlib.sha256(files[name]).hexdigest()}"'
        commit = hub_.heads[repo] if revision == "main" else revision
        self.answer(content, headers={"ETag": known, "X-Repo-Commit": commit})

    do_HEAD = do_GET

    def refused(self, path):
        self.server.seen.append((self.command, path, self.headers.get("Authorization")))
        for part, status in self.server.refuse.items():
            if part in path:
                if status:
                    self.answer({"error": "no"}, status)
                else:
                    self.connection.close()  # cut
                return True
        return False

    def answer(self, content, status=200, headers=()):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        usual = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in {**usual, **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def stub(monkeypatch, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    server.url, server.repos, server.heads, server.seen = f"http://127.0.0.1:{server.server_port}", {}, {}, []
    server.refuse, server.damage = {}, lambda name, content: content
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in (("HF_ENDPOINT", server.url), ("HF_HUB_CACHE", str(tmp_path / "cache"))):
        monkeypatch.setenv(name, value)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.shutdown()


def test_there_and_back(stub):
    said = command("publish", "FordA", "hf://anna/engines")
    assert said.returncode == 0, said.stderr
    address = said.stdout.split()[-1]
    assert address.startswith("hf://anna/engines@") and TOKEN not in said.stdout + said.stderr
    model, metrics = runs.load_run(address)
    x = load_dataset("sample").x_test[:5]
    assert np.array_equal(predict(model, x), predict(runs.load_run("FordA")[0], x))
    files = stub.repos["anna/engines"]["main"]
    assert set(files) == {"README.md", "config.json", "doubt.npz", "metrics.json", "model.keras", "model.weights.h5"}
    assert any(token == f"Bearer {TOKEN}" for _, _, token in stub.seen)
    assert not any(TOKEN.encode() in content for content in files.values())


def test_the_revision_decides(stub, tmp_path):
    "Yesterday's model can be had tomorrow."
    first = command("publish", "FordA", "hf://anna/engines").stdout.split()[-1]
    command("train", "--data", "sample", "--model", "collapsed", "--epochs", "2", "--out", tmp_path / "run")
    command("export", tmp_path / "run")
    second = command("publish", tmp_path / "run", "hf://anna/engines").stdout.split()[-1]
    assert first != second and {"model.tflite", "confusion.png"} <= set(stub.repos["anna/engines"]["main"])
    assert runs.load_run(first)[1]["data"] == "FordA" and runs.load_run(second)[1]["data"] == "FordA_sample"
    assert runs.load_run("hf://anna/engines")[1]["data"] == "FordA_sample"  # the newest
    assert str(tmp_path) not in stub.repos["anna/engines"]["main"]["metrics.json"].decode()
    said = command("evaluate", second, "--data", "sample")
    assert said.returncode == 0 and "test accuracy" in said.stdout


def test_keras_finds_it_too(stub):
    "By its own way: config.json and model.weights.h5, of the newest revision, for those who have this package."
    command("publish", "FordA", "hf://anna/engines")
    model, x = keras.saving.load_model("hf://anna/engines"), load_dataset("sample").x_test[:5]
    assert np.allclose(predict(model, x), predict(runs.load_run("FordA")[0], x), atol=1e-6)


def test_a_dry_run_asks_nobody(stub):
    said = command("publish", "FordA", "hf://anna/engines", "--dry-run")
    assert said.returncode == 0 and "would publish README.md" in said.stdout and stub.seen == [] and stub.repos == {}


REFUSALS = {401: "not logged in", 403: "does not allow", 409: "at the same time", 429: "too many requests",
            500: "could not be used", None: "could not be used"}
AT = [("repos/create", 401), ("repos/create", None), ("preupload", 403), ("preupload", None)]  # and the last with all


@pytest.mark.parametrize("stage, status", [*AT, *(("/commit/", status) for status in REFUSALS)])
def test_refusals_while_publishing(stage, status, stub, monkeypatch):
    "One sentence on what is there; nothing is half published, and the token is told nobody."
    words = REFUSALS[status]
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client waits between its tries
    stub.refuse = {stage: status}
    said = command("publish", "FordA", "hf://anna/engines")
    assert said.returncode == 2 and words in said.stderr and TOKEN not in said.stdout + said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert not stub.repos.get("anna/engines")
    left = "Nothing was published" if stage == "repos/create" else "hf://anna/engines exists, but this run is not in it"
    assert left in said.stderr


@pytest.mark.parametrize("status, words", [
    (401, "not logged in"), (429, "too many requests"), (None, "could not be used")])
def test_refusals_while_loading(status, words, stub, monkeypatch):
    command("publish", "FordA", "hf://anna/engines")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    stub.refuse = {"/api/models/": status}
    said = command("evaluate", "hf://anna/engines")
    assert said.returncode == 2 and words in said.stderr and TOKEN not in said.stderr


def test_what_is_not_there_or_not_whole(stub):
    said = command("predict", "hf://anna/nothing", "x.csv")
    assert said.returncode == 2
    command("publish", "FordA", "hf://anna/engines")
    for address, words in (("hf://anna/nothing", "has no anna/nothing"), ("hf://anna", "not the address")):
        said = command("evaluate", address)
        assert said.returncode == 2 and words in said.stderr
    stub.damage = lambda name, content: content.replace(b"config.json", b"konfig.json") if "keras" in name else content
    said = command("evaluate", "hf://anna/engines")
    assert said.returncode == 2 and "is not the file that" in said.stderr


def test_the_card(stub):
    "The hub reads its head as YAML; people read the rest in two languages."
    yaml = pytest.importorskip("yaml")
    command("publish", "FordA", "hf://anna/engines")
    _, head, text = stub.repos["anna/engines"]["main"]["README.md"].decode().split("---\n", 2)
    told, metrics = yaml.safe_load(head), runs.load_run("FordA")[1]
    assert told["license"] == "apache-2.0" and told["language"] == ["en", "ja"] and told["library_name"] == "keras"
    figures = {one["name"]: one["value"] for one in told["model-index"][0]["results"][0]["metrics"]}
    assert figures["accuracy (dithered)"] == round(metrics["test_accuracy_dithered"], 4)
    assert "## 日本語" in text and "rounded differently" in text and 'load_run("hf://anna/engines")' in text
    card = hub.ModelCard(stub.repos["anna/engines"]["main"]["README.md"].decode())
    assert card.data.eval_results[0].metric_value == figures["accuracy (raw)"]
