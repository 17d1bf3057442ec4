"Both languages, saved outputs and README are what they claim to be."
import re

import pytest

from conftest import ROOT
from tsformer_nb.book.languages import (
    LANGUAGES, language, notebooks, one_language, read_notebook, readme, source, twin_faults,
)


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.name)
def test_every_thought_stands_in_both_languages(path):
    notebook = read_notebook(path)
    assert twin_faults(notebook) == []
    assert sum(language(cell) == "ja" for cell in notebook["cells"]) >= 2


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.name)
def test_figures_have_alternative_text_in_both_languages(path):
    notebook = read_notebook(path)
    for cell in notebook["cells"]:
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            assert re.search(r'^#\| fig-alt: "[^|]+ \| [^|]+"$', source(cell), re.M), source(cell)[:80]
    for lang in LANGUAGES:
        text = "".join(source(cell) for cell in one_language(notebook, lang)["cells"] if cell["cell_type"] == "markdown")
        assert ("。" in text) == (lang == "ja")


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


def test_readme_is_the_home_page():
    text, pictures = readme(read_notebook(ROOT / "nbs" / "index.ipynb"))
    assert (ROOT / "README.md").read_text(encoding="utf-8") == text
    assert pictures and all((ROOT / name).read_bytes() == content for name, content in pictures.items())
    assert "make train" in text and "make test" in text and "| TSFormer, all training series ／" in text
