"Both languages, saved outputs and READMEs are what they claim to be."
import ast
import base64
import io
import re
import shutil
import sys

import pytest

from conftest import ROOT, run, tree
from tsformer_nb.press.bilingual import (
    JAPANESE_FIGURE, LANGUAGES, language, mannered, notebooks, number_faults, one_language, pair_faults,
    quantities_of, read_notebook, source)
from tsformer_nb.press.pages import READMES, readme


def pictures(path):
    "The figures that are saved in a notebook, as PNG."
    outputs = [output for cell in read_notebook(path)["cells"] for output in cell.get("outputs", [])]
    found = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return [base64.b64decode("".join(picture)) for picture in found]


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.name)
def test_every_thought_stands_in_both_languages(path):
    notebook = read_notebook(path)
    assert pair_faults(notebook) == []
    assert sum(language(cell) == "ja" for cell in notebook["cells"]) >= 2
    assert mannered(notebook) == []


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.name)
def test_figures_have_alternative_text_in_both_languages(path):
    notebook = read_notebook(path)
    for cell in notebook["cells"]:
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            assert re.search(r'^#\| fig-alt: "[^|]+ \| [^|]+"$', source(cell), re.M), source(cell)[:80]
        for output in cell.get("outputs", []) if not source(cell).startswith("#| slow") else []:
            assert ("image/png" in output.get("data", {})) == (JAPANESE_FIGURE in output.get("data", {}))
    for lang in LANGUAGES:
        cells = one_language(notebook, lang)["cells"]
        text = "".join(source(cell) for cell in cells if cell["cell_type"] == "markdown")
        assert ("。" in text) == (lang == "ja")


CHAPTERS = [path for path in notebooks() if path.name[0].isdigit()]
MEASURING = [*CHAPTERS, *(path for path in notebooks() if path.stem in ("index", "search"))]


@pytest.mark.parametrize("path", MEASURING, ids=lambda path: path.name)
def test_every_number_in_prose_is_the_quantity_that_it_is_said_to_be(path):
    assert number_faults(read_notebook(path)) == []


def test_a_number_of_another_row_is_caught():
    "Put the value of another quantity in the place of each quoted number, one at a time, as an edit might."
    planted = 0
    for path in MEASURING:
        notebook = read_notebook(path)
        known = quantities_of(notebook)
        for cell in notebook["cells"]:
            text = source(cell)
            for found in re.finditer(r"([\d,]+(?:\.(\d+))?)<!--=(\w+)-->", text):
                digits = len(found[2] or "")
                others = {f"{abs(value):.{digits}f}" for value in known.values()} - {found[1].replace(",", "")}
                if not others:
                    continue
                cell["source"] = [text[:found.start(1)] + min(others) + text[found.end(1):]]
                assert any(f"not {min(others)}" in fault for fault in number_faults(notebook)), found[0]
                planted += 1
            cell["source"] = [text]
    assert planted > 50


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.name)
def test_each_chapter_ends_with_five_lines(path):
    for lang, heading in zip(LANGUAGES, ("## In five lines", "## 五行でまとめると"), strict=True):
        (summary,) = [source(cell) for cell in read_notebook(path)["cells"] if source(cell).startswith(heading)]
        assert len(re.findall("^- ", summary, re.M)) == 5, lang


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.name)
def test_figures_of_chapters_have_a_caption_in_both_languages(path):
    for cell in read_notebook(path)["cells"]:
        if re.search(r"^#\| fig-alt:", source(cell), re.M):
            assert re.search(r'^#\| fig-cap: "[^|]+ \| [^|]+"$', source(cell), re.M), source(cell)[:80]


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.name)
def test_figures_read_on_any_ground_and_on_a_phone(path):
    "No ground of their own, and so narrow that a phone does not shrink the letters away."
    from PIL import Image

    for picture in pictures(path):
        image = Image.open(io.BytesIO(picture))
        assert image.mode == "RGBA" and image.getpixel((0, 0))[3] == 0 and image.width <= 700, image.size


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.name)
def test_saved_outputs_hold_nothing_of_one_machine(path):
    for cell in read_notebook(path)["cells"]:
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error" and output.get("name") != "stderr"
            text = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(r"/(home|root|tmp|work|Users)/|Warning|\d+ ?m?s/step|it/s\]", text), text


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.name)
def test_cells_that_draw_or_print_were_run(path):
    for cell in read_notebook(path)["cells"]:
        if cell["cell_type"] == "code" and re.search(r"^(print|plt\.show|plot_)\(", source(cell), re.M):
            assert cell["outputs"], source(cell)[:80]


def words_of(text):
    "How many words a reader meets: no addresses, no marks; two Japanese letters count as one."
    text = re.sub(r"<!--.*?-->|!\[.*?\]\(.*?\)|(?<=\])\(.*?\)", "", text)
    return len(re.findall(r"[a-zA-Z0-9][\w.,'-]*", text, re.A)) + len(re.findall("[ぁ-んァ-ヶ一-龥]", text)) / 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_readme_is_the_home_page(lang):
    text, pictures = readme(read_notebook(ROOT / "nbs" / "index.ipynb"), lang)
    assert (ROOT / READMES[lang]).read_text(encoding="utf-8") == text
    assert pictures and all((ROOT / name).read_bytes() == content for name, content in pictures.items())
    assert "make train" in text and "make test" in text and "TSFormer" in text
    assert READMES[LANGUAGES[1 - LANGUAGES.index(lang)]] in text and ("。" in text) == (lang == "ja")
    assert ".ipynb" not in re.sub("<!--.*?-->", "", text)  # its links lead to the site


@pytest.mark.parametrize("lang", LANGUAGES)
def test_readme_is_short(lang):
    assert words_of((ROOT / READMES[lang]).read_text(encoding="utf-8")) <= 700


@pytest.mark.parametrize("folder", ["lab", "press"])
def test_modules_that_measure_or_make_the_book_do_not_print(folder):
    for path in (ROOT / "tsformer_nb" / folder).glob("*.py"):
        calls = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"], path.name


WITHOUT = """
import json, sys
from tsformer_nb.cli import start_keras

start_keras()
from tsformer_nb.io.files import InputError

for path in sys.argv[1:]:
    try:
        names = {"get_ipython": None}
        for cell in json.load(open(path, encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
    except InputError as error:
        print(f"SAID {error}")
"""


def test_a_notebook_without_the_repository_says_so_in_a_sentence(tmp_path):
    "An installed package, and a folder that holds nothing: what the book's own notebooks need is not there."
    shutil.copytree(ROOT / "tsformer_nb", tmp_path / "lib" / "tsformer_nb")
    (tmp_path / "empty").mkdir()
    names = ["press/bilingual", "press/pages", "press/reference", "press/site", "glossary", "index"]
    result = run(sys.executable, "-c", WITHOUT, *(ROOT / "nbs" / f"{name}.ipynb" for name in names),
                 cwd=tmp_path / "empty", PYTHONPATH=str(tmp_path / "lib"), MPLBACKEND="agg")
    assert result.returncode == 0, result.stderr
    said = re.findall("^SAID (.*)$", result.stdout, re.M)
    assert len(said) == len(names) and list((tmp_path / "empty").iterdir()) == []
    assert all("belongs to the book's repository" in sentence for sentence in said)
