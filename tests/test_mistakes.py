"The page of the confusion matrix in a real browser: from a disk, by hand and by keys, and with names that attack it."
import json
import re

import numpy as np
import pytest

from conftest import AXE, DESKTOP, PHONE, watch
from tsformer_nb.mistakes import MOST_CHANNELS, MOST_IN_A_CELL, MOST_SERIES, mistakes_page

HOSTILE = ["</script><script>document.title = 'taken'</script>", "<img src=x onerror=\"document.title = 'taken'\">",
           "'\"><b>{{data}} ${1+1} {true}</b>", "日本語 🎉 " + "long" * 30]


def waves(n=60, steps=80, channels=1, n_classes=3, seed=0, right=.7, classes=None):
    "Waves of a frequency for each class, of unequal lengths, and a model that is right about as often as asked."
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    said = np.where(rng.random(n) < right, y, rng.integers(n_classes, size=n))
    sure = rng.uniform(.55, .99, n)
    probabilities = np.repeat((1 - sure)[:, None] / max(1, n_classes - 1), n_classes, axis=1)  # (n, n_classes)
    probabilities[np.arange(n), said] = sure
    turns = (y[:, None, None] + 1) * np.arange(steps)[:, None] / steps * np.arange(1, channels + 1)
    x = np.sin(2 * np.pi * turns + rng.uniform(0, 1, (n, 1, 1))) + rng.normal(0, .1, (n, steps, channels))
    x *= 10. ** np.arange(channels)  # each channel in a unit of its own
    for place in range(0, n, 3):
        x[place, steps // 2 + place % (steps // 3):] = np.nan
    return {"x": x.astype("float32"), "y": y, "probabilities": probabilities,
            "classes": classes or [f"class {k}" for k in range(n_classes)], "title": "Waves"}


def data_of(page):
    "What a page carries."
    return json.loads(re.search(r'id="data">(.*?)</script>', page.decode(), re.S)[1])


@pytest.fixture
def open_page(browser, tmp_path):
    "Open a page from the disk; at the end there must have been no word in the console and no request."
    contexts, faults = [], []

    def open_(page, viewport=DESKTOP, **options):
        (path := tmp_path / f"page {len(contexts)}.html").write_bytes(page)
        contexts.append(browser.new_context(viewport=viewport, **options))
        contexts[-1].add_init_script(path=AXE)
        shown = contexts[-1].new_page()
        watch(shown, path.as_uri(), faults, ("error", "warning"))
        shown.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
        shown.goto(path.as_uri())
        return shown

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


def names(page):
    return page.locator("#list h3").all_text_contents()


def probabilities(page):
    "Those of the predicted class, in the order of the list."
    said = page.locator("#list figcaption").all_text_contents()
    return [float(re.findall(r"0\.\d+|1\.000", text)[-1]) for text in said]


def violations(page):
    checked, found = page.evaluate("""axe.run(document).then(result => [result.passes.length,
        result.violations.map(one => [one.id, one.nodes.slice(0, 3).map(node => node.html)])])""")
    assert checked > 10
    return found


def test_a_click_on_a_number_shows_its_series(open_page):
    given = waves()
    counts = np.array(data_of(mistakes_page(**given))["counts"])
    page = open_page(mistakes_page(**given))
    most = np.unravel_index((counts * (1 - np.eye(3, dtype=int))).argmax(), (3, 3))
    assert page.locator("[aria-pressed=true]").get_attribute("data-cell") == f"{most[0]},{most[1]}"
    assert page.text_content("#summary") == f"{np.trace(counts)} of 60 series are classified correctly: accuracy " \
                                            f"{np.trace(counts) / 60:.4f}."
    for button in page.locator("td button").all():
        button.click()
        true, said = map(int, button.get_attribute("data-cell").split(","))
        behind = np.flatnonzero((given["y"] == true) & (given["probabilities"].argmax(axis=1) == said))
        listed = [int(name.split()[1]) - 1 for name in names(page)]
        assert button.text_content() == str(counts[true, said]) and set(listed) <= set(behind)
        assert len(listed) == min(len(behind), 10 if true == said else MOST_IN_A_CELL)
        assert f"{len(listed)} of {len(behind)} shown" in page.text_content("#shown")
        assert probabilities(page) == sorted(probabilities(page), reverse=bool(true != said))
        assert page.locator("[aria-pressed=true]").count() == 1 and button.get_attribute("aria-pressed") == "true"
        assert page.locator("#list path.series").count() == len(listed)
        assert page.locator("#list path.typical").count() == (2 * len(listed) if true != said else len(listed) - 1)
    page.uncheck("#key input")
    assert not page.locator("#list path.typical").first.is_visible()


def test_keys_do_what_a_hand_does(open_page):
    page = open_page(mistakes_page(**waves()))
    page.keyboard.press("Tab")  # the switch
    page.keyboard.press("Enter")
    assert page.get_attribute("html", "lang") == "ja" and page.locator("#switch:focus").count() == 1
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # the box, which scrolls
    page.keyboard.press("Tab")
    assert page.locator(":focus").get_attribute("aria-pressed") == "true"
    focused = lambda: page.locator(":focus").get_attribute("data-cell")
    buttons = [button.get_attribute("data-cell") for button in page.locator("td button").all()]
    while focused() != buttons[0]:
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert focused() == buttons[0]
    for key in ("Enter", " "):
        page.keyboard.press("ArrowRight")
        page.keyboard.press(key)
        assert page.locator("[aria-pressed=true]").get_attribute("data-cell") == focused()
    assert focused() == buttons[2]
    page.keyboard.press("ArrowDown")
    assert focused().split(",")[1] == buttons[2].split(",")[1] and focused() != buttons[2]
    page.keyboard.press("Tab")
    assert page.locator(":focus").get_attribute("type") == "checkbox"  # past the matrix with one key


def test_names_that_attack_the_page_stay_text(open_page):
    given = waves(n_classes=4, classes=HOSTILE) | {"title": HOSTILE[0], "channels": HOSTILE[:1]}
    page = open_page(mistakes_page(**given, names=[f"{HOSTILE[n % 4]} {n}" for n in range(60)]))
    assert page.title() == HOSTILE[0] == page.text_content("h1")
    assert page.locator("tbody th").all_text_contents() == HOSTILE
    for button in page.locator("td button").all():
        button.click()
        assert all(name.startswith(tuple(HOSTILE)) for name in names(page))
    assert page.locator("img, b").count() == 0 and page.locator("script").count() == 2
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert sorted(ids) == sorted("switch summary side box hint cell shown key list notes data".split())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []


def test_a_page_without_mistakes_says_so(open_page):
    page = open_page(mistakes_page(**waves(right=1)))
    assert page.text_content("h2") == "There are no mistakes." and names(page) == []
    assert "60 of 60" in page.text_content("#summary") and "1.0000" in page.text_content("#summary")
    page.click("[data-cell='1,1']")
    assert len(names(page)) == 10 and "classified correctly" in page.text_content("h2")
    assert violations(page) == []


def test_a_class_without_correct_series_has_no_typical_one(open_page):
    given = waves(n_classes=2)
    given["probabilities"] = np.full((60, 2), [.9, .1])
    page = open_page(mistakes_page(**given))
    assert page.text_content("h2") == "True class class 1, predicted class 0"
    assert "typical of class 0" in page.text_content("#key") and "typical of class 1" not in page.text_content("#key")
    assert page.locator("td:has-text('0'):not(:has(button))").count() == 2  # no number to choose


def test_sixty_classes_stay_usable(open_page):
    page = open_page(mistakes_page(**waves(n=4000, n_classes=60, right=.5)))
    box = page.locator("#box")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert box.evaluate("one => one.scrollWidth > one.clientWidth && one.scrollHeight > one.clientHeight")
    opened = page.locator("[aria-pressed=true]").bounding_box()
    place = box.bounding_box()
    assert place["x"] < opened["x"] < place["x"] + place["width"]  # it was scrolled to
    assert place["y"] < opened["y"] < place["y"] + place["height"]
    most = int(page.text_content("[aria-pressed=true]"))
    assert len(names(page)) == most > 1  # the cell with most mistakes is whole
    box.evaluate("one => one.scrollTo(500, 500)")
    heads = [page.locator(f"{part} th").last.bounding_box() for part in ("thead", "tbody tr:last-child")]
    first = page.locator("thead th").first.bounding_box()
    assert abs(heads[0]["y"] - place["y"]) < 9 and abs(first["x"] - place["x"]) < 9  # they stick
    page.locator("td button").last.focus()
    page.keyboard.press("Enter")
    assert len(names(page)) == 1 and page.locator("h2").bounding_box()["y"] < 900  # the typical one
    assert "room for 600 series" in page.text_content("#notes")
    assert len(data_of(mistakes_page(**waves(n=4000, n_classes=60, right=.5)))["series"]) == MOST_SERIES
    assert violations(page) == []


def test_unequal_lengths_and_channels(open_page):
    page = open_page(mistakes_page(**waves(channels=3, steps=900), channels=["volt", "ampere", "°C"]))
    assert page.locator("#key").text_content().startswith("voltampere°C")
    figure = page.locator("#list figure").first
    assert figure.locator("path.series").count() == 3
    colours = figure.locator("path.series").evaluate_all("all => all.map(one => getComputedStyle(one).stroke)")
    assert len(set(colours)) == 3
    assert "more than 600 steps" in page.text_content("#notes")
    lengths = {image.get_attribute("aria-label") for image in page.locator("figure svg").all()}
    assert len(lengths) > 1 and "900 steps" in lengths
    right = "all => all.map(one => one.getBBox().x + one.getBBox().width)"
    ends = page.locator("#list path.series").evaluate_all(right)
    assert max(ends) <= 380 and min(ends) < 300  # a shorter series ends before the others
    assert violations(page) == []


def test_many_channels_are_told(open_page):
    page = open_page(mistakes_page(**waves(channels=9, steps=30)))
    assert f"The first {MOST_CHANNELS} of 9 channels are drawn." in page.text_content("#notes")
    assert page.locator("#list figure").first.locator("path.series").count() == MOST_CHANNELS


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_short_and_flat_series_and_gaps_are_drawn(open_page, steps):
    x = np.full((4, steps, 2), 7e30, "float32")
    x[0, :, 0], x[1], x[2, 0, 1] = np.arange(steps), np.nan, np.nan  # one has no value at all
    page = open_page(mistakes_page(x, np.array([0, 1, 0, 1]), np.eye(2)[[1, 0, 1, 1]], ("a", "b"), "short"))
    for button in page.locator("td button").all():
        button.click()
        drawn = page.locator("path").evaluate_all("all => all.map(one => one.getAttribute('d'))")
        assert drawn and not [line for line in drawn if re.search("NaN|Infinity|undefined", line)]


def test_both_languages_have_their_words(open_page):
    page = open_page(mistakes_page(**waves()), locale="ja-JP")
    assert page.get_attribute("html", "lang") == "ja"
    said = page.inner_text("header") + page.inner_text("main")
    assert "正しく分類しました" in said and not re.search("[a-z]{3,}", re.sub("class|Waves|English", "", said))
    page.click("#switch")
    assert page.get_attribute("html", "lang") == "en" and "Confusion" in page.get_attribute("#box", "aria-label")
    assert not re.search("[ぁ-んァ-ン一-龥]", page.inner_text("main"))


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_reads_well(open_page, scheme, viewport):
    page = open_page(mistakes_page(**waves(n=300)), viewport, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    page.locator("td button").first.click()
    page.wait_for_timeout(100)
    assert page.locator("h2").bounding_box()["y"] < viewport["height"]  # what was asked for is in sight


def test_on_paper_the_matrix_is_whole_and_light(open_page):
    page = open_page(mistakes_page(**waves(n=500, n_classes=25)), color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#box").evaluate("one => getComputedStyle(one).overflowY") == "visible"
    assert not page.locator("#switch").is_visible()
