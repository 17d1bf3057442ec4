"The site as its readers meet it: the files, and the pages in a real browser."
import functools
import re
import shutil
import sys
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from conftest import AXE, DESKTOP, PHONE, ROOT, TORTURE, missing, run, served, watch
from tsformer_nb.io.files import InputError
from tsformer_nb.press.bilingual import LANGUAGES, language, notebooks, read_notebook, source
from tsformer_nb.press.pages import API, CODE, JAPANESE, KINDS, page_name, reference_page
from tsformer_nb.press.reference import modules, symbols
from tsformer_nb.press.site import configuration, finish_libraries, renderer

WRITTEN = [page_name(path) for path in notebooks()] + [API]
REFERENCE = [reference_page(module) for module in modules()]  # pages that are all alike
PAGES = WRITTEN + REFERENCE
CHAPTERS = [page_name(path) for path in notebooks() if path.name[0].isdigit()]
BASE = "/any/base"  # the site must work under any address
ALOUD = re.search(r"^ALOUD := (.*?[^\\])$", (ROOT / "Makefile").read_text(), re.M | re.S)[1].replace("\\\n", "")
BUILD = f"""{ALOUD}
import sys, pathlib
from tsformer_nb.press.site import build_sites
build_sites(pathlib.Path(sys.argv[1]))
"""


@pytest.fixture(scope="session")
def building(tmp_path_factory):
    "Both sites, built anew as `make docs` builds them: the folder, and what was said."
    try:
        renderer()
    except InputError as error:
        missing(str(error))
    folder = tmp_path_factory.mktemp("served")
    asked = run("make", "--dry-run", "docs", cwd=ROOT)
    assert asked.returncode == 0 and "from tsformer_nb.press.site import build_sites; build_sites()" in asked.stdout
    result = run(sys.executable, "-c", BUILD, folder / BASE.strip("/"))
    assert result.returncode == 0, result.stderr
    return folder / BASE.strip("/"), result.stdout + result.stderr


@pytest.fixture(scope="session")
def site(building):
    return building[0]


@functools.cache
def soup_of(path):
    "A page without the words of its code, which are most of it."
    from bs4 import BeautifulSoup

    return BeautifulSoup(CODE.sub(r"\1", path.read_text(encoding="utf-8")), "html.parser")


def soups(site):
    for lang in LANGUAGES:
        for name in PAGES:
            yield lang, name, soup_of(site / lang / f"{name}.html")


# ---------------------------------------------------------------- the files

def test_every_page_is_there_in_both_languages(site):
    for lang in LANGUAGES:
        found = {path.stem for path in (site / lang).glob("*.html")}
        assert found == set(PAGES), lang


def test_the_sidebar_names_every_page_once():
    for lang in LANGUAGES:
        contents = configuration(lang)["website"]["sidebar"]["contents"]
        named = [page for item in contents for page in (item["contents"] if "section" in item else [item])]
        addresses = [page if isinstance(page, str) else page["href"] for page in named]
        assert sorted(re.sub(r"\.\w+$", "", name) for name in addresses) == sorted(set(WRITTEN) - {"index"})
        assert all(isinstance(page, dict) or page == "reference.qmd" for page in named)


def test_a_build_says_only_what_it_has_built(building):
    assert [line[-len("en/index.html"):] for line in building[1].splitlines()] == ["en/index.html", "ja/index.html"]


def test_each_page_says_its_language_and_names_its_twin(site):
    for lang, name, soup in soups(site):
        assert soup.html["lang"] == lang
        links = {link["hreflang"]: link["href"] for link in soup.select("head link[hreflang]")}
        assert links == {**{code: f"../{code}/{name}.html" for code in LANGUAGES}, "x-default": "../index.html"}, name
        switches = soup.select("a.switch")
        other = LANGUAGES[1 - LANGUAGES.index(lang)]
        assert {(link["href"], link["lang"]) for link in switches} == {(f"../{other}/{name}.html", other)}
        if name not in REFERENCE:  # whose titles are names of modules
            assert bool(re.search("[ぁ-んァ-ン一-龥]", soup.title.get_text())) == (lang == "ja"), soup.title
        menu = soup.select_one("#quarto-sidebar .sidebar-menu-container").get_text()
        assert ("データ" in menu, "Data" in menu) == (lang == "ja", lang == "en")


def test_both_languages_have_the_same_anchors(site):
    for name in PAGES:
        pages = [soup_of(site / lang / f"{name}.html") for lang in LANGUAGES]
        anchors = [[part["id"] for part in soup.select("main section[id]")] for soup in pages]
        assert anchors[0] == anchors[1], name
        assert all(re.fullmatch(r"[\w.-]+", anchor, re.A) for anchor in anchors[0]), name


def test_internal_links_and_anchors_resolve(site):
    checked = 0
    anchors = functools.cache(lambda path: {tag["id"] for tag in soup_of(path).select("[id]")})
    for lang, name, soup in soups(site):
        for tag in soup.select("[href], [src]"):
            key = "href" if tag.has_attr("href") else "src"
            parts = urlsplit(tag[key])
            if parts.scheme or parts.netloc or not tag[key]:
                continue
            target = site / lang / unquote(parts.path) if parts.path else site / lang / f"{name}.html"
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{lang}/{name}: {tag[key]}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in anchors(target), f"{lang}/{name}: {tag[key]}"
            checked += 1
    assert checked > 1000


def test_pictures_have_alternative_text_in_the_page_s_language(site):
    found = 0
    for lang, name, soup in soups(site):
        for picture in soup.select("main img"):
            alt = picture.get("alt", "")
            japanese = bool(re.search("[ぁ-んァ-ン]", alt))
            assert len(alt) > 20 and japanese == (lang == "ja"), f"{lang}/{name}: {alt!r}"
            found += 1
    assert found > 40


def test_nothing_is_loaded_from_a_third_party(site):
    for lang, name, soup in soups(site):
        for tag in soup.select("script[src], link[rel=stylesheet], link[rel=icon], img, iframe, source"):
            assert not re.match(r"(https?:)?//", tag.get("src") or tag.get("href")), f"{lang}/{name}: {tag}"
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"@import[^;]*//|url\([\"']?(https?:)?//", text), sheet.name


def test_formulas_are_mathml(site):
    for lang in LANGUAGES:
        main = soup_of(site / lang / "diagnosis.html").select_one("main")
        formulas = "".join(math.get_text() for math in main.select("math annotation"))  # Quarto keeps the source there
        assert len(main.select("math")) >= 8 and main.get_text().count("\\frac") == formulas.count("\\frac")


def test_the_japanese_pages_have_no_english_interface(site):
    for name in PAGES:
        soup = soup_of(site / "ja" / f"{name}.html")
        said = [tag[key] for key in ("title", "placeholder", "aria-label") for tag in soup.select(f"body [{key}]")]
        shown = "#toc-title, summary, .cell-mark, .page-tools a" + ", main :is(h1, h2)" * (name not in REFERENCE)
        said += [tag.get_text() for tag in soup.select(shown)]
        for words in said:
            plain = re.sub(r"tsformer_nb[\w.]*|README|TSFormer|Ctrl-C", "", words).strip()
            assert not plain or re.search("[ぁ-んァ-ン一-龥]", plain) or plain == "English", f"{name}: {words!r}"
    script = site / "ja" / "site_libs" / "smalldocs.js"
    if script.exists():
        assert not [words for words in JAPANESE if f'"{words}"' in script.read_text(encoding="utf-8")]


def test_cells_are_marked_and_solutions_folded(site):
    for place, lang in enumerate(LANGUAGES):
        for name in CHAPTERS:
            soup = soup_of(site / lang / f"{name}.html")
            tests = soup.select(".cell-test > .cell-mark, :is(.cell-checks, .cell-checked) > details > summary")
            marks = {KINDS[kind][place] for kind in ("test", "checked")}
            assert len(tests) >= 3 and {mark.get_text() for mark in tests} <= marks, name
            solutions = soup.select(".cell-solution")
            folded = "details:not([open]) .cell-output, details:not([open]) pre"
            assert solutions and all(cell.select_one(folded) for cell in solutions), name
            assert not soup.select(".cell-solution > .cell-output"), name
            in_exercises = {"Exercises", "演習"}
            assert {cell.find_previous("h2").get_text(strip=True) for cell in solutions} <= in_exercises, name
            hidden = soup.select(".cell-folded details .cell-output, .cell-plumbing details .cell-output")
            assert not hidden, name


def test_the_reference_holds_every_public_name(site):
    for lang in LANGUAGES:
        parts = {name: [part["id"] for part in soup_of(site / lang / f"{name}.html").select("main section.level2[id]")]
                 for name in (API, *REFERENCE)}
        assert parts.pop(API) == ["inside", "outside"]  # what a user imports comes first
        assert sorted(part for found in parts.values() for part in found) == sorted(symbols())
        links = [link["href"] for link in soup_of(site / lang / f"{API}.html").select("main td:first-child a")]
        assert links == [f"{name}.html" for name in REFERENCE]
    assert {"data.load_dataset", "press.pages.kind_of"} <= set(symbols())
    links = {link["href"] for link in soup_of(site / "en" / "press_pages.html").select("a.name")}
    assert "reference_press_pages.html#press.pages.kind_of" in links
    assert soup_of(site / "en" / "training.html").select("a.name")


def test_notebooks_to_take_away_are_in_one_language(site):
    import nbformat
    from IPython.core.inputtransformer2 import TransformerManager

    for lang in LANGUAGES:
        for path in notebooks():
            taken = site / lang / "notebooks" / f"{page_name(path)}.ipynb"
            valid = nbformat.read(taken, as_version=4)
            for cell in valid.cells:  # outputs are as saved, and long
                if cell.cell_type == "code":
                    cell.outputs = []
            nbformat.validate(valid)
            cells = read_notebook(taken)["cells"]
            assert {language(cell) for cell in cells} == {None, lang}
            compile(TransformerManager().transform_cell(source(cells[1])), path.name, "exec")
            assert len(cells) == 1 + sum(language(cell) in (None, lang) for cell in read_notebook(path)["cells"])


def test_the_heaviest_chapter_weighs_less_than_a_megabyte_and_a_half(site):
    if shutil.which("quarto"):
        pytest.skip("Quarto's style sheets alone weigh 1 MB before a web server compresses them")
    for lang, name, soup in soups(site):
        page = site / lang / f"{name}.html"
        loading = soup.select("script[src], link[rel=stylesheet], link[rel=icon], img[src]:not([src^=data])")
        loaded = {site / lang / (tag.get("src") or tag.get("href")) for tag in loading}
        icons = site / lang / "site_libs" / "bootstrap-icons" / "fonts" / "bootstrap-icons.woff2"
        weight = sum(file.stat().st_size for file in {page, icons} | loaded)
        assert weight < 1_500_000, f"{lang}/{name}: {weight:,} bytes"


def test_a_missing_renderer_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(InputError, match="Neither Quarto nor smalldocs.*install Quarto from https://quarto.org"):
        renderer()


def test_fonts_of_a_third_party_are_taken_out(tmp_path):
    sheet = tmp_path / "theme.css"
    sheet.write_text('@import"https://fonts.example/css2?family=Lato:ital,wght@0,400;0,700&display=swap";a{color:red}'
                     "@import url(https://b.example/x);b{}")
    finish_libraries(tmp_path, "ja")
    assert sheet.read_text() == "a{color:red}b{}"


# ---------------------------------------------------------------- the browser

@pytest.fixture(scope="session")
def address(site):
    "The site on loopback, under a base path."
    with served(site.parents[1]) as host:
        yield f"{host}{BASE}/"


@pytest.fixture
def open_page(browser, address):
    "Open pages; at the end there must have been no error in the console and no request to elsewhere."
    faults, contexts = [], []

    def open_(path, viewport=DESKTOP, scheme="light", locale="en-US", script=None, **options):
        context = browser.new_context(viewport=viewport, color_scheme=scheme, locale=locale,
                                      reduced_motion="reduce", **options)
        contexts.append(context)
        if script:  # before those of each page
            context.add_init_script(path=script)
        page = context.new_page()
        watch(page, address, faults)
        page.goto(urljoin(address, path))
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


BRIGHTNESS = """getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce(
    (sum, c) => sum + +c, 0)"""
WIDE = """[...document.querySelectorAll('main pre')].filter(
    box => box.scrollWidth > box.clientWidth + 1).map(box => box.textContent.slice(0, 60))"""
START_AXE = """(whole) => {  // and do not wait for it
    const code = whole ? [] : document.querySelectorAll("main pre code");  // its words are most of a page
    code.forEach(one => one.textContent = "code");
    // of what passes only the rules are told; `region` is slow, and what it finds is never serious
    const options = {resultTypes: ["violations"], rules: {region: {enabled: false}}};
    window.scan = new Promise((done, fail) => setTimeout(  // the page has seen its size by then
        () => axe.run(document, options).then(done, fail), 150));
}"""
AXE_FOUND = """window.scan.then(result => [result.passes.length, result.violations.map(
    fault => [fault.impact, fault.id, fault.nodes.slice(0, 3).map(node => node.html.slice(0, 160))])])"""
MOVING = ("baseline", "spectrum", "attention", "diagnosis", "web")
# those, pages unlike the others, and a diagram
ALL_KINDS = (*MOVING, "index", "glossary", API, REFERENCE[0], "press_site")


def look(page, address, scheme, viewport=DESKTOP):
    "Load a page in one scheme, and see whether it fits into both windows; the last one is `viewport`."
    page.emulate_media(color_scheme=scheme)
    for window in (DESKTOP, PHONE) if viewport is PHONE else (PHONE, DESKTOP):
        page.set_viewport_size(window)
        if window is not viewport:
            page.goto(address)
            assert (page.evaluate(BRIGHTNESS) < 200) == (scheme == "dark"), f"{address}, {scheme}"
        widths = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
        assert widths[1] <= widths[0] == window["width"], f"{address} is wider than the window"
        assert window is PHONE or page.evaluate(WIDE) == [], address


def findings(page):
    checked, found = page.evaluate(AXE_FOUND)
    assert checked > 10, f"{page.url}: axe-core hardly ran"
    assert [violation for violation in found if violation[0] in ("serious", "critical")] == [], page.url


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_reads_well(open_page, address, lang):
    """Nothing wider than the window on a desktop or a phone, and no serious finding of axe-core.

    Colours, names and roles are made by the build, alike on all pages of a kind and in both languages: axe-core scans
    one page of each kind, and two on a phone. Every page is looked at in one of the languages, in turns, in light or
    in dark. In `make torture` both are, and axe-core scans every page. Two windows work at once.
    """
    windows = [open_page("index.html", script=AXE) for _ in range(2)]
    turn, scanned = LANGUAGES.index(lang), [False, False]
    pages = PAGES if TORTURE else [*ALL_KINDS, *(name for name in [*WRITTEN, *REFERENCE[:2]] if name not in ALL_KINDS)]
    work = [(name, ("light", "dark")[(place + turn) % 2], DESKTOP, TORTURE or name in ALL_KINDS)
            for place, name in enumerate(pages) if TORTURE or place // 2 % 2 == turn]
    work += [(("index", "diagnosis")[turn], ("light", "dark")[turn], PHONE, True)]
    for place, (name, scheme, viewport, scan) in enumerate(work):
        window = windows[place % 2]
        if scanned[place % 2]:
            findings(window)
        look(window, urljoin(address, f"{lang}/{name}.html"), scheme, viewport)
        scanned[place % 2] = scan
        if scan:
            window.evaluate(START_AXE, TORTURE or viewport is PHONE)
    for window, scan in zip(windows, scanned):
        if scan:
            findings(window)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_of_code_can_be_read(open_page, site, scheme):
    "The words of code, which the scan of pages leaves out: one of each kind that any page has."
    text = "".join(code for path in (site / "en").glob("*.html") for _, code in CODE.findall(path.read_text("utf-8")))
    kinds = sorted(set(re.findall(r'<span class="([a-z]+)"', text)))
    page = open_page("en/data.html", scheme=scheme, script=AXE)
    found = page.evaluate("""(kinds) => {
        const code = [...document.querySelectorAll("main pre.sourceCode code")].find(one => one.checkVisibility());
        code.innerHTML = kinds.map(kind => `<span class="${kind}">word</span>`).join(" ");
        return axe.run(code, {runOnly: ["color-contrast"]}).then(({passes, violations}) => [
            passes.flatMap(rule => rule.nodes).length, violations.flatMap(rule => rule.nodes.map(node => node.html))]);
    }""", kinds)
    assert found == [len(kinds), []] and len(kinds) > 8, found


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_first_view_of_the_sidebar_is_short(open_page, lang):
    page = open_page(f"{lang}/index.html")
    entries = page.locator(".sidebar-menu-container :is(summary, a)").all()
    assert 10 < sum(entry.is_visible() for entry in entries) <= 30 < len(entries)


def test_the_sidebar_shows_where_one_is_and_opens_by_keys(open_page):
    page = open_page("en/runs.html")
    assert page.locator("#quarto-sidebar details[open]").count() == 1
    assert page.locator("#quarto-sidebar details[open] a.active").is_visible()
    first = page.locator("#quarto-sidebar details").first
    assert not first.locator("a").first.is_visible()
    first.locator("summary").focus()
    page.keyboard.press("Enter")
    assert first.locator("a").first.is_visible()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_switch_stays_on_the_section(open_page, viewport):
    page = open_page("ja/diagnosis.html", viewport)
    section = page.evaluate("[...document.querySelectorAll('main section[id]')][2].id")
    page.evaluate(f"document.getElementById({section!r}).scrollIntoView({{behavior: 'instant'}})")
    page.wait_for_timeout(200)
    page.locator("a.switch:visible").first.evaluate("link => link.click()")  # Playwright's own would scroll first
    page.wait_for_url(re.compile(rf"/en/diagnosis\.html#{section}$"))
    assert page.evaluate("document.documentElement.lang") == "en"
    page.wait_for_timeout(200)
    top = page.evaluate(f"document.getElementById({section!r}).getBoundingClientRect().top")
    assert -5 < top < 200


def test_the_first_page_follows_the_browser_and_then_the_choice(open_page, address):
    assert open_page("", locale="ja-JP").url.endswith("/ja/index.html")
    assert open_page("", locale="fr-FR").url.endswith("/en/index.html")
    page = open_page("en/index.html", locale="en-US")
    page.locator("a.switch:visible").first.click()
    japanese = re.compile(r"/ja/(index\.html)?$")  # Quarto leaves index.html out
    page.wait_for_url(japanese)
    page.goto(address)
    page.wait_for_url(japanese)


def test_without_javascript_the_first_page_offers_both(open_page):
    page = open_page("index.html", java_script_enabled=False)
    assert [link.get_attribute("href") for link in page.locator("a").all()] == ["en/index.html", "ja/index.html"]


WORDS = [("ja", "勾配"), ("ja", "MultiHeadAttention"), ("en", "dither"), ("en", "positional encoding"), ("en", "MLP"),
         ("ja", "過学習"), ("ja", "注意機構"), ("ja", "位置エンコーディング")]


@pytest.mark.parametrize("lang, words", WORDS)
def test_search_finds_and_leads(open_page, lang, words):
    page = open_page(f"{lang}/index.html")
    page.locator("#quarto-search input").first.click()
    page.keyboard.type(words)
    hits = page.locator(".smalldocs-search-results a, .aa-Panel a")
    hits.first.wait_for(timeout=10_000)
    assert words.lower() in " ".join(hits.all_inner_texts()).lower()
    hits.first.click()
    page.wait_for_url(re.compile(rf"/{lang}/\w+\.html"))
    assert words.lower() in page.locator("main").inner_text().lower()


def test_dark_mode_is_remembered(open_page):
    page = open_page("en/data.html")
    dark = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(dark)
    page.locator(".quarto-color-scheme-toggle:visible").first.click()
    page.wait_for_timeout(300)
    after = page.evaluate(dark)
    page.reload()
    page.wait_for_timeout(300)
    assert before != after == page.evaluate(dark)
    page.locator(".quarto-color-scheme-toggle:visible").first.click()
    page.wait_for_timeout(300)
    assert page.evaluate(dark) == before  # and back


def test_a_page_follows_the_system_to_dark_and_back(open_page):
    page = open_page("en/data.html")
    for scheme, dark in (("dark", "true"), ("light", "false")):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"(document.querySelector('.quarto-dark') !== null) === {dark}")


def test_a_solution_opens(open_page):
    page = open_page("ja/data.html")
    fold = page.locator(".cell-solution details").first
    assert not fold.locator("pre").first.is_visible()
    fold.locator("summary").click()
    assert fold.locator("pre").first.is_visible() and fold.locator(".cell-output").first.is_visible()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_three_steps_to_a_series_of_ones_own(open_page, address, lang, tmp_path):
    (tmp_path / "mine.csv").write_text("\n".join(f"{n * .1:.1f},{n % 7},{n % 11}" for n in range(60)))
    page = open_page(f"{address}/{lang}/index.html", DESKTOP)
    page.click(".ways a[href='demo/index.html']")
    page.wait_for_selector("body[data-probabilities]")
    page.click("summary")
    page.set_input_files("#file", tmp_path / "mine.csv")
    page.wait_for_timeout(300)
    assert re.search(r"Series read: 2|系列を 2 本", page.text_content("#own-said"))
    assert page.eval_on_selector_all("#row option", "all => all.length") == 2
