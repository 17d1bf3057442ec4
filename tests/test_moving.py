"Figures that move: what their script computes, what stays without it, and that a hand of any kind can move them."
import json

import keras
import numpy as np
import pytest
from keras import layers

from conftest import AXE, PHONE
from tsformer_nb.attention import attention
from tsformer_nb.spectrum import log_welch
from tsformer_nb.press.bilingual import notebooks, one_language, read_notebook

PATHS = {path.stem: path for path in notebooks()}
CHAPTERS = {"08_baseline": "dither", "spectrum": "window", "02_attention": "shuffle", "04_diagnosis": "norm"}
PAGE = ("<!doctype html><html lang={lang}><title>a figure</title><body style='color-scheme: light dark'>"
        "<main>{html}</main>")


def html_of(cell):
    "What a cell shows as HTML."
    return ["".join(output.get("data", {}).get("text/html", "")) for output in cell.get("outputs", [])]


def figure_of(chapter, lang="en"):
    "What a chapter shows, as its page has it."
    cells = one_language(read_notebook(PATHS[chapter]), lang)["cells"]
    (html,) = [html for cell in cells for html in html_of(cell) if 'figure class="moving"' in html]
    return html


def values_of(chapter):
    "The numbers that a figure carries."
    return json.loads(figure_of(chapter).split('<script type="application/json">')[1].split("</script>")[0])


@pytest.fixture
def open_figure(browser, tmp_path):
    contexts, faults = [], []

    def open_(chapter, lang="en", **options):
        contexts.append(browser.new_context(viewport=PHONE, **options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url) if not request.url.startswith("file:") else None)
        (path := tmp_path / f"{chapter}-{lang}.html").write_text(PAGE.format(lang=lang, html=figure_of(chapter, lang)))
        page.goto(path.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


def move(page, name, value):
    "Set a knob, and take what the figure has computed."
    page.locator(f"input[name={name}]").fill(str(value))
    return np.array(json.loads(page.get_attribute("figure", "data-found")))


def test_every_figure_is_known():
    holds = {path.stem for path in notebooks() if any(
        'figure class="moving"' in html for cell in read_notebook(path)["cells"] for html in html_of(cell))}
    assert holds == {*CHAPTERS, "figures"}


def test_normalisation_is_that_of_keras(open_figure):
    page, rest = open_figure("04_diagnosis"), values_of("04_diagnosis")["rest"]
    layer = layers.LayerNormalization(epsilon=1e-6, beta_initializer=keras.initializers.Constant(.5))
    for channels, first in ((1, 3), (1, -2), (2, 3), (8, .4)):
        move(page, "channels", channels)
        token, out = np.split(move(page, "first", first), 2)
        assert np.allclose(token, [first, *rest][:channels])
        assert np.allclose(out, keras.ops.convert_to_numpy(layer(token[None].astype("float32")))[0], atol=1e-3)
        layer = layers.LayerNormalization.from_config(layer.get_config())  # for another width


def test_the_spectrum_is_welchs(open_figure):
    page, series = open_figure("spectrum"), np.array(values_of("spectrum")["series"])
    for width in (16, 77, 250, 500):
        assert np.allclose(move(page, "width", width), log_welch(series[None, :, None], width)[0], atol=1e-9)


def test_shuffling_shows_only_with_positions(open_figure):
    page, values = open_figure("02_attention"), values_of("02_attention")
    for shuffle in (1, 7, 20):
        assert abs(move(page, "shuffle", shuffle)).max() < 1e-9
    assert abs(move(page, "position", 1)).max() > .01
    assert abs(move(page, "shuffle", 0)).max() == 0
    tokens = np.array(values["tokens"]) + np.array(values["places"])
    bars = page.locator("rect[fill-opacity]")
    heights = [float(bars.nth(n).get_attribute("height")) for n in range(3)]
    assert np.allclose(heights, 22 * abs(attention(tokens, tokens, tokens)[0].mean(axis=0)), atol=1e-6)


def test_dither_fills_the_comb(open_figure):
    page, values = open_figure("08_baseline"), values_of("08_baseline")
    series = np.array(values["series"][0])
    gaps = np.diff(np.unique(series))
    level, coarse, fine = move(page, "sigma", 0)
    assert level == 0 and abs(coarse - np.histogram(gaps, bins=np.arange(0, .0202, .0002))[0].max()) <= 2  # on an edge
    _, dithered, _ = move(page, "sigma", len(values["sigmas"]) - 1)
    assert dithered < coarse / 3 and page.text_content("output") == "0.03"
    assert "0.5" in page.text_content("svg")


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_it_reads_well(chapter, lang, open_figure):
    page = open_figure(chapter, lang, color_scheme="dark")
    assert page.get_attribute("figure", "data-kind") == CHAPTERS[chapter]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    before = page.get_attribute("figure", "data-found")
    page.keyboard.press("Tab")  # a slider is reached and moved by keys
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("figure", "data-found") != before
    japanese = any("ぁ" <= letter <= "ん" or "ァ" <= letter <= "ン" for letter in page.inner_text("figure"))
    assert japanese == (lang == "ja")
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run('figure').then(found => found.violations.map(one => one.id))")
    assert found == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_without_javascript_the_still_picture_remains(chapter, open_figure):
    page = open_figure(chapter, java_script_enabled=False)
    assert page.is_hidden("figure") and page.inner_text("main").strip() == ""
    cells = read_notebook(PATHS[chapter])["cells"]
    (at,) = [n for n, cell in enumerate(cells) if "interactive_figure(" in "".join(cell["source"])]
    assert any("image/png" in output.get("data", {}) for cell in cells[at - 9:at] for output in cell.get("outputs", []))
