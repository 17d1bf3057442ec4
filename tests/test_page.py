"The page that computes the model itself: the same numbers, nothing from elsewhere, and hands of every kind."
import functools
import gzip
import http.server
import os
import shutil
import threading

import numpy as np
import pytest

from conftest import ROOT
from tsformer_nb.book.page import PAGE, page_in, write_page
from tsformer_nb.data import load_dataset
from tsformer_nb.evaluation import predict
from tsformer_nb.runs import load_run

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
AXE = ROOT / "build" / "node_modules" / "axe-core" / "axe.min.js"
NAMES = {"en": "index.html", "ja": "ja.html"}


def missing(what):
    message = f"{what}; .ci/run shows how to install it"
    pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "any" / "where"
    write_page(out)
    return out


@pytest.fixture(scope="module")
def address(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    serve = functools.partial(Quiet, directory=str(folder.parents[1]))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/any/where/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        missing("no Chromium was found")
    if not AXE.exists():
        missing("axe-core was not found")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, address):
    "Open the page; at the end there must have been no error in the console and no request to elsewhere."
    faults, contexts = [], []

    def open_(name="index.html", where=address, viewport=DESKTOP, **options):
        contexts.append(browser.new_context(viewport=viewport, **{"reduced_motion": "reduce", **options}))
        contexts[-1].add_init_script(path=AXE)
        page = contexts[-1].new_page()
        page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith((where, "data:")) else faults.append(asked.url))
        page.goto(where + name)
        page.wait_for_selector("body[data-ready]")
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


def test_the_page_says_what_keras_says(open_page):
    data, (model, _) = load_dataset("sample"), load_run("FordA")
    x = np.concatenate([data.x_test, data.x_train])[:50]
    page = open_page()
    found = page.evaluate("""async (series) => {
        const model = TSFormer.read(await (await fetch("model.bin")).arrayBuffer());
        return series.map((one) => TSFormer.predict(model, one).probabilities);
    }""", [one.ravel().tolist() for one in x])
    assert abs(np.array(found) - predict(model, x)).max() < 1e-5


@pytest.mark.parametrize("lang", NAMES)
def test_from_a_disk(lang, open_page, folder):
    page = open_page(NAMES[lang], where=f"file://{folder}/")
    assert says(page).sum() == pytest.approx(1) and page.evaluate("document.documentElement.lang") == lang


def test_light_enough(folder):
    "What a reader's browser fetches, as a server sends it; `model.js` is for disks only."
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in folder.iterdir() if path.name != "model.js"}
    assert sum(sizes.values()) - sizes["ja.html"] < 500_000, sizes
    assert len((PAGE / "tsformer.js").read_text(encoding="utf-8").splitlines()) < 300


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
    assert len(kinds) == 12 and all(sum(kind in name for name in kinds) == 4 for kind in ("right", "wrong", "doubtful"))
    for n in range(1, 12):
        assert after(page, lambda n=n: page.select_option("#example", str(n))).sum() == pytest.approx(1)
    for knob, value in (("noise", "1.5"), ("shift", "-60"), ("cut", "300")):
        after(page, lambda knob=knob, value=value: page.fill(f"#{knob}", value))
        assert page.text_content(f"output[for={knob}]") == value
    page.select_option("#block", "1")
    wait(page, "document.querySelector('#hide-said').textContent.includes('relies most')")


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
    page = open_page()
    page.click("summary")
    for text, told in (("1, 2, three", "not at least 8 numbers"), ("", "not at least 8 numbers"),
                       ("1,2,3", "not at least 8 numbers")):
        page.fill("#own", text)
        page.click("#take")
        assert told in page.text_content("#own-said")
    wave = np.sin(np.arange(200) / 5)
    for separator in (",", " ", "\t", "\n", ", "):
        page.fill("#own", separator.join(f"{value:.3f}" for value in wave))
        page.click("#take")
        assert "200 numbers read" in page.text_content("#own-said")
    data = load_dataset("sample")
    row = [str(data.classes[data.y_test[0]]), *(f"{value:.6f}" for value in data.x_test[0, :, 0])]  # as in the archive
    (tmp_path / "mine.csv").write_text("\n".join([",".join(row)] * 2))
    page.set_input_files("#file", tmp_path / "mine.csv")
    wait(page, "document.querySelector('#own-said').textContent.includes('500 numbers read (rows: 2')")
    x = data.x_test[:1]
    here = predict(load_run("FordA")[0], (x - x.mean()) / x.std())
    wait(page, f"Math.abs(JSON.parse(document.body.dataset.probabilities)[0] - {here[0, 0]}) < 1e-3")


def test_a_missing_word_is_told(monkeypatch, tmp_path):
    from tsformer_nb.book import page

    shutil.copytree(PAGE, tmp_path / "page")
    (tmp_path / "page" / "words.json").write_text('{"en": {"title": "x"}, "ja": {}}')
    monkeypatch.setattr(page, "PAGE", tmp_path / "page")
    with pytest.raises(ValueError, match="words.json lacks"):
        page_in("en", "..", "ja.html")
