"The page that computes the model itself: the same numbers, nothing from elsewhere, and hands of every kind."
import gzip
import json
import os
import re
import shutil
import subprocess
import threading

import numpy as np
import pytest

from conftest import AXE, DESKTOP, FIREFOX, PHONE, missing, served, watch
from tsformer_nb.cli import main
from tsformer_nb.data import load_dataset
from tsformer_nb.evaluation import predict
from tsformer_nb.explain import borrowed
from tsformer_nb.deploy.export import about_model
from tsformer_nb.io.files import InputError
from tsformer_nb.model import TSFormer, config_for
from tsformer_nb.deploy.web import PAGE, page_in, write_page
from tsformer_nb.deploy.runtime import load_exported
from tsformer_nb.runs import load_run

NAMES = {"en": "index.html", "ja": "ja.html"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "any" / "where"
    model, metrics = load_run("FordA")
    write_page(out, model, about_model(model, metrics))
    return out


@pytest.fixture(scope="module")
def address(folder):
    with served(folder.parents[1]) as host:
        yield f"{host}/any/where/"


@pytest.fixture
def open_page(browser, address):
    "Open the page; at the end there must have been no error in the console and no request to elsewhere."
    faults, contexts = [], []

    def open_(name="index.html", where=address, viewport=DESKTOP, **options):
        contexts.append(browser.new_context(viewport=viewport, **{"reduced_motion": "reduce", **options}))
        contexts[-1].add_init_script(path=AXE)
        page = contexts[-1].new_page()
        watch(page, where, faults, ("error", "warning"))
        page.goto(where + name)
        page.wait_for_selector("body[data-probabilities]")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


def says(page):
    "The probabilities that the page shows."
    return np.array(page.evaluate("JSON.parse(document.body.dataset.probabilities)"))


def wait(page, condition):
    "Until a condition holds; Playwright's own way is what the page's policy forbids, to run text as code."
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never: {condition}")


def after(page, act):
    "What the page says once something has been done."
    before = page.evaluate("document.body.dataset.probabilities")
    act()
    wait(page, f"document.body.dataset.probabilities !== '{before}'")
    return says(page)


ANSWERS = """async (series) => {
    const model = TSFormer.read(TSFormer.unpack(await (await fetch("model.bin")).arrayBuffer()));
    return series.map((one) => TSFormer.predict(model, one).probabilities);
}"""


def asked():
    "Fifty series, and what Keras says of them."
    data = load_dataset("sample")
    x = np.concatenate([data.x_test, data.x_train])[:50]
    return x, predict(load_run("FordA")[0], x)


def test_the_page_says_what_keras_says(open_page):
    x, keras = asked()
    found = open_page().evaluate(ANSWERS, [one.ravel().tolist() for one in x])
    assert abs(np.array(found) - keras).max() < 1e-5


class Firefox:
    "Firefox, asked over WebDriver BiDi: what Playwright drives is a build of its own."

    def __init__(self, profile):
        from websocket import create_connection

        self.process = subprocess.Popen(
            [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env={**os.environ, "HOME": str(profile)})
        told = next(line for line in self.process.stderr if "WebDriver BiDi listening on" in line)
        threading.Thread(target=self.process.stderr.read, daemon=True).start()  # or it would wait for a reader
        self.socket, self.number = create_connection(f"{told.split()[-1]}/session", timeout=60, suppress_origin=True), 0
        self.ask("session.new", capabilities={})
        self.context = self.ask("browsingContext.getTree")["contexts"][0]["context"]

    def ask(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while (answer := json.loads(self.socket.recv())).get("id") != self.number:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def open(self, url):
        self.ask("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def evaluate(self, code):  # -> what is JSON
        found = self.ask("script.evaluate", target={"context": self.context}, awaitPromise=True,
                         expression=f"(async () => JSON.stringify(await ({code})))()")
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    if not FIREFOX:
        missing("no Firefox was found")
    pytest.importorskip("websocket")
    fox = Firefox(tmp_path_factory.mktemp("profile"))
    yield fox
    fox.close()


UNTIL = "new Promise((done) => {{ const look = () => {} ? done(true) : setTimeout(look, 50); look(); }})"


def test_in_firefox_too(firefox, address, folder):
    x, keras = asked()
    for where in (f"file://{folder}/", address):
        firefox.open(where + "ja.html")
        assert firefox.evaluate(UNTIL.format("document.body?.dataset.probabilities"))
        assert sum(firefox.evaluate("JSON.parse(document.body.dataset.probabilities)")) == pytest.approx(1)
    found = firefox.evaluate(f"({ANSWERS})({json.dumps([one.ravel().tolist() for one in x])})")
    assert abs(np.array(found) - keras).max() < 1e-5
    before = firefox.evaluate("document.body.dataset.probabilities")
    firefox.evaluate("""(() => { const knob = document.querySelector("#noise");
        knob.value = 2; knob.dispatchEvent(new Event("input")); })() ?? 1""")
    assert firefox.evaluate(UNTIL.format(f"document.body.dataset.probabilities !== '{before}'"))


@pytest.mark.parametrize("lang", NAMES)
def test_from_a_disk(lang, open_page, folder):
    page = open_page(NAMES[lang], where=f"file://{folder}/")
    assert says(page).sum() == pytest.approx(1) and page.evaluate("document.documentElement.lang") == lang


def test_light_enough(folder):
    "What a reader's browser fetches, as a server sends it; `model.js` is for disks only."
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in folder.iterdir()
             if path.name not in ("model.js", "published-model.js", "README.md", "ja.html")}
    assert sum(sizes.values()) < 500_000, sizes  # with the published model, which comes only when it is asked for
    lines = [len((PAGE / name).read_text(encoding="utf-8").splitlines()) for name in ("tsformer.js", "published.js")]
    assert sum(lines) < 300


@pytest.mark.parametrize("lang", NAMES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_reads_well(lang, scheme, viewport, open_page):
    page = open_page(NAMES[lang], viewport=viewport, color_scheme=scheme)
    page.click("summary")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    checked, found = page.evaluate("""axe.run(document, {resultTypes: ["violations"]}).then(result => [
        result.passes.length, result.violations.map(fault => [fault.impact, fault.id, fault.nodes[0].html])])""")
    assert checked > 10 and found == []


def test_every_example_and_every_knob(open_page):
    page = open_page()
    kinds = page.eval_on_selector_all("#example option", "all => all.map(one => one.textContent)")
    said = ("correctly", "misclassified", "doubtful")
    assert len(kinds) == 12 and all(sum(kind in name for name in kinds) == 4 for kind in said)
    for n in range(1, 12):
        assert after(page, lambda n=n: page.select_option("#example", str(n))).sum() == pytest.approx(1)
    for knob, value in (("noise", "1.5"), ("shift", "-60"), ("cut", "300")):
        after(page, lambda knob=knob, value=value: page.fill(f"#{knob}", value))
        assert page.text_content(f"output[for={knob}]") == value
    page.select_option("#block", "1")
    wait(page, "document.querySelector('#hide-said').textContent.includes('relies most')")


def test_what_it_relies_on_is_what_the_package_says(open_page):
    page = open_page()
    wait(page, "document.body.dataset.drops")
    own, examples = int(page.input_value("#example")), page.evaluate("EXAMPLES.map(one => one.values)")
    x, model = np.array(examples, "float32")[..., None], load_run("FordA")[0]  # (12, 500, 1)
    series, others = x[own], np.delete(x, own, axis=0)[:4]
    changed = np.repeat(series[None, None], 31, axis=0).repeat(4, axis=1)      # (31, 4, 500, 1)
    for n, start in enumerate(range(0, 496, 16)):
        for m, other in enumerate(others):
            changed[n, m, start:start + 16] = borrowed(series, start, start + 16, other)
    best = predict(model, series[None])[0].argmax()
    p = np.concatenate([predict(model, series[None])[:, best], predict(model, changed.reshape(-1, 500, 1))[:, best]])
    odds = np.log((p + 1e-9) / (1 - p + 1e-9))
    np.testing.assert_allclose(json.loads(page.evaluate("document.body.dataset.drops")),
                               odds[0] - odds[1:].reshape(31, 4).mean(axis=1), atol=2e-2)


def test_by_mouse(open_page):
    page = open_page()
    box = page.locator("#curve").bounding_box()

    def draw():
        page.mouse.move(box["x"] + 100, box["y"] + 20)
        page.mouse.down()
        for step in range(20):
            page.mouse.move(box["x"] + 100 + 10 * step, box["y"] + 20 + 10 * (step % 2))
        page.mouse.up()

    first = says(page)
    assert abs(after(page, draw) - first).max() > 0
    assert after(page, lambda: page.click("#undo")).tolist() == first.tolist()


def test_by_keys_alone(open_page):
    "From the top of the page to another recording, a bent curve, more noise, and sound."
    page = open_page()
    where = lambda: page.evaluate("document.activeElement.id || document.activeElement.tagName")

    def tab_to(name):
        for _ in range(30):
            page.keyboard.press("Tab")
            if where() == name:
                return
        pytest.fail(f"{name} cannot be reached")

    tab_to("example")
    after(page, lambda: page.keyboard.press("ArrowDown"))
    tab_to("curve")
    page.keyboard.press("ArrowRight")
    after(page, lambda: page.keyboard.press("ArrowUp"))
    assert "Step 5, value" in page.text_content("#curve-said")
    tab_to("noise")
    after(page, lambda: page.keyboard.press("End"))
    tab_to("play")
    page.keyboard.press("Enter")
    assert page.get_attribute("#play", "aria-pressed") == "true" and page.text_content("#play") == "Stop"
    page.keyboard.press("Enter")
    assert page.get_attribute("#play", "aria-pressed") == "false"
    tab_to("volume")
    assert float(page.input_value("#volume")) <= .1  # nobody is startled


def test_a_series_of_ones_own(open_page, tmp_path):
    page, rng = open_page(), np.random.default_rng(0)
    page.click("summary")
    row = ",".join(map(str, range(1, 10)))
    for text, told in (("1, 2, three", "Line 1, place 3: “three” is not a number"), ("", "There are no numbers yet"),
                       ("1,2,3", "Line 1 has 3 numbers"), (f"{row}\n{row},\n1,2", "Line 3 has 2 numbers"),
                       (f"{row}\n{row},NaN,3", "Line 2, place 10: “NaN”"), ("7 " * 20, "All these numbers are the"),
                       ("0.1V 0.2V 3 4 5 6 7 8 9", "Line 1, place 1: “0.1V”"), ("1,2,,4,5,6,7,8,9", "place 3 is empty"),
                       ("1e308 -1e308 1 2 3 4 5 6 7", "place 1: “1e308”"), ("\ufffdPNG", "not a text file")):
        page.fill("#own", text)
        page.click("#take")
        assert told in page.text_content("#own-said") and "is still shown below" in page.text_content("#own-said")
    wave = np.sin(np.arange(200) / 5)
    told = [f"{value:.3f}" for value in wave]
    texts = [separator.join(told) for separator in (",", " ", "\t", "\n", ", ")]
    texts += ["value\n" + "\n".join(told), "time,value\n" + "\n".join(f"{n},{one}" for n, one in enumerate(told)),
              "value;t\n" + "\n".join(f"{one};{n}" for n, one in enumerate(told)).replace(".", ","),
              "machine_7," + ",".join(told), ";".join(told).replace(".", ","), "\ufeff" + ",".join(told),
              f"[{', '.join(told)}]", ",".join(f'"{one}"' for one in told), ",".join(told).replace("-", "\u2212")]
    answers = set()
    for text in texts:
        page.fill("#own", text)
        page.click("#take")
        assert "Series read: 1; this one has 200 numbers" in page.text_content("#own-said"), text[:40]
        page.wait_for_timeout(100)
        answers.add(tuple(says(page).round(9)))
    assert len(answers) == 1 and page.is_hidden("#rows")  # however it is written, it is the same series
    assert "knows only FordA's engines" in page.text_content("#hint")
    page.fill("#own", "\n".join([",".join(told), ",".join(told[::-1])]))
    page.click("#take")
    first = after(page, lambda: page.select_option("#row", index=1))  # the second row
    assert page.text_content("#curve-said") == "Your own series 2."
    wait(page, "document.querySelector('#row').options[1].textContent.includes('class')")
    page.fill("#own", "\n".join(f"{n},{one},{two}" for n, (one, two) in enumerate(zip(told, told[::-1]))))
    page.click("#take")  # the same two in columns, beside the time
    page.wait_for_timeout(100)
    assert after(page, lambda: page.select_option("#row", index=1)).tolist() == first.tolist()
    table = rng.normal(size=(20, 9))
    page.fill("#own", "\n".join(",".join(f"{value:.3f}" for value in row) for row in table))
    page.click("#take")
    assert "Series read: 20;" in page.text_content("#own-said") and page.is_visible("#way")  # either could be meant
    page.select_option("#way", "columns")
    assert "Series read: 9; this one has 20 numbers" in page.text_content("#own-said")
    page.select_option("#example", "0")
    assert page.text_content("#hint") == "" and "label" in page.text_content("#curve-said")
    page.select_option("#example", "own")
    assert page.text_content("#hint") != ""
    data = load_dataset("sample")
    row = [str(data.classes[data.y_test[0]]), *(f"{value:.6f}" for value in data.x_test[0, :, 0])]  # as in the archive
    (tmp_path / "mine.csv").write_text("\n".join([",".join(row)] * 2))
    page.set_input_files("#file", tmp_path / "mine.csv")
    wait(page, "document.querySelector('#own-said').textContent.includes('Series read: 2; this one has 500')")
    x = data.x_test[:1]
    here = predict(load_run("FordA")[0], (x - x.mean()) / x.std())
    wait(page, f"Math.abs(JSON.parse(document.body.dataset.probabilities)[0] - {here[0, 0]}) < 1e-3")


@pytest.mark.parametrize("from_disk", [False, True])
def test_the_published_model_looks_at_nothing(open_page, folder, from_disk):
    page = open_page(**({"where": f"file://{folder}/"} if from_disk else {}))
    before = page.text_content("#heads")
    after(page, lambda: page.select_option("#which", "published"))
    wait(page, "document.querySelector('#added').textContent !== ''")
    assert re.search(r"add −?0\.[0-9]{6} to the curve: the same number at every step", page.text_content("#added"))
    assert page.text_content("#heads").count("every step gets the same, 0.2 %") == 4 and "spectrum" in before
    assert page.is_hidden("#made")  # its tokens are the numbers of the curve
    x = load_dataset("sample").x_test[:50]
    found = page.evaluate("""(all) => (async () => {
        const file = typeof MODELS === "undefined" ? null : MODELS["published-model"];
        const bytes = file ? Uint8Array.from(atob(file), (one) => one.charCodeAt(0)).buffer
            : await (await fetch("published-model.bin")).arrayBuffer();
        return all.map((one) => Published.predict(Published.read(TSFormer.unpack(bytes)), one).probabilities);
    })()""", x[..., 0].tolist())
    assert abs(np.array(found) - load_exported(folder / "published-model.bin").predict(x)).max() < 1e-9
    after(page, lambda: page.select_option("#which", "tsformer"))
    assert page.text_content("#added") == "" and page.text_content("#heads") == before
    assert page.is_visible("#made")


def test_the_twin_in_keras(folder):
    "What ships is a dense layer behind a constant: the weights in the file, and plain NumPy, say the same."
    file = (folder / "published-model.bin").read_bytes()
    length = int.from_bytes(file[:4], "little")
    header, weights, place = json.loads(file[4:4 + length]), {}, 4 + length
    for name, size in header["tensors"]:
        weights[name] = np.frombuffer(file, "<f4", size, place)
        place += 4 * size
    x = load_dataset("sample").x_test[:, :, 0]
    moved = x + weights["block_3/narrow/bias"]  # all other constants are 0
    hidden = np.maximum(moved @ weights["hidden/kernel"].reshape(500, 128) + weights["hidden/bias"], 0)
    logits = hidden @ weights["classify/kernel"].reshape(128, 2) + weights["classify/bias"]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert abs(p - load_exported(folder / "published-model.bin").predict(x[..., None])).max() < 1e-5


@pytest.fixture(scope="module")
def own_page(tmp_path_factory):
    "The page of a run of one's own: 60 steps, three classes with names, not of mean 0."
    home = tmp_path_factory.mktemp("own")
    rng, wave = np.random.default_rng(0), np.arange(60) / 3
    rows = [f"{name},{','.join(f'{v:.4f}' for v in 20 + 5 * np.sin(wave * (n + 1)) + rng.normal(size=60))}"
            for _ in range(20) for n, name in enumerate(("calm", "gusty <b>", "storm"))]
    (home / "wind.csv").write_text("\n".join(rows) + "\n")
    assert main(["train", "--data", str(home / "wind.csv"), "--model", "tsformer", "--epochs", "1", "--label", "first",
                 "--out", str(home / "run")]) in (0, None)
    assert main(["export", str(home / "run"), "--format", "web"]) in (0, None)
    return home / "run" / "web"


def test_the_page_of_a_run(own_page, browser):
    with served(own_page) as host:
        context = browser.new_context(viewport=PHONE, reduced_motion="reduce")
        context.add_init_script(path=AXE)
        page, faults = context.new_page(), []
        watch(page, f"{host}/", faults, ("error", "warning"))
        for name in ("index.html", "ja.html"):
            page.goto(f"{host}/{name}")
            page.wait_for_selector("body[data-probabilities]")
            assert says(page).shape == (3,) and says(page).sum() == pytest.approx(1)
            assert "gusty <b>" in page.text_content("#says") and "wind" in page.text_content("h1")
            assert page.is_hidden("#which") and page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            found = page.evaluate("axe.run(document).then(result => result.violations.map(one => one.id))")
            assert found == []
        model = load_exported(own_page / "model.bin")
        series = 20 + np.arange(60) / 10
        page.click("summary")
        page.fill("#own", ",".join(map(str, series)))
        page.click("#take")
        here = model.predict(series[None, :, None].astype("float32"))[0]  # raw: nothing is scaled on the way
        wait(page, f"Math.abs(JSON.parse(document.body.dataset.probabilities)[0] - {here[0]}) < 1e-6")
        context.close()
        assert faults == []


def test_kernels_have_no_page(tmp_path, capsys):
    assert main(["train", "--data", "sample", "--out", str(tmp_path / "run")]) in (0, None)
    assert main(["export", str(tmp_path / "run"), "--format", "web"]) == 2
    assert "train with --model tsformer" in capsys.readouterr().err
    assert not list(tmp_path.glob("run/web*"))


def test_several_channels_have_no_page(tmp_path):
    data = load_dataset("BasicMotions")
    model = TSFormer(config_for(data))
    about = about_model(model, {"classes": list(data.classes), "n_timesteps": 100, "n_channels": 6})
    with pytest.raises(InputError, match="one channel, and these have 6"):
        write_page(tmp_path / "page", model, about, data)
    assert not list(tmp_path.iterdir())


def test_a_missing_word_is_told(monkeypatch, tmp_path):
    from tsformer_nb.deploy import web as page

    shutil.copytree(PAGE, tmp_path / "page")
    (tmp_path / "page" / "words.json").write_text('{"en": {"title": "x"}, "ja": {}}')
    monkeypatch.setattr(page, "PAGE", tmp_path / "page")
    with pytest.raises(ValueError, match="words.json lacks"):
        page_in("en", "ja.html")
