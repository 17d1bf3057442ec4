"What an installed copy must hold, and that the package is what the notebooks export."
import ast
import configparser
import filecmp
import re
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

import pytest

from conftest import ROOT, copy_of_checkout, imports_of, run, tool


def files_of(package):
    "The files of a package, as seen from the folder that holds it."
    return {str(path.relative_to(package.parent)) for path in package.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts}


INSTALLED = """
import importlib, pathlib, sys
import tsformer_nb
from tsformer_nb.data import load_dataset
place = pathlib.Path(tsformer_nb.__file__).parent
assert place.is_relative_to(sys.prefix), place
for path in place.rglob("[!_]*.py"):
    importlib.import_module(".".join(path.relative_to(place.parent).with_suffix("").parts))
print(load_dataset("sample").x_train.shape)
print(place)
print(*place.parent.glob("tsformer_nb-*.dist-info/**/LICENSE"))
"""


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_it_installs_into_an_empty_environment(kind, tmp_path):
    "With every module, the data and the licence. The tests' environment lends it the rest, so it needs no network."
    source, environment = copy_of_checkout(tmp_path / "src"), tmp_path / "environment"
    build = f"from setuptools import build_meta; build_meta.build_{kind}({str(tmp_path)!r})"
    result = run(sys.executable, "-c", build, cwd=source)
    assert result.returncode == 0, result.stderr
    venv.create(environment, symlinks=True)
    python = next(environment.glob("*/python"), environment / "Scripts" / "python.exe")
    lent = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    Path(lent, "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    built = next(path for path in tmp_path.iterdir() if path.suffix in (".whl", ".gz"))
    result = run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps",
                 "--no-build-isolation", built)
    assert result.returncode == 0, result.stderr
    result = run(python, "-c", INSTALLED, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    shape, place, licence = result.stdout.splitlines()
    files = files_of(Path(place))
    assert shape == "(64, 500, 1)" and files_of(ROOT / "tsformer_nb") <= files
    assert "tsformer_nb/shipped/FordA_sample_TRAIN.tsv.gz" in files and "tsformer_nb/book/records.py" in files
    assert Path(licence).read_bytes() == (ROOT / "LICENSE").read_bytes()
    result = run(python.with_name("tsformer-nb"), "data", "sample", cwd=tmp_path)
    assert result.returncode == 0 and "64 series" in result.stdout


def test_every_installed_package_is_pinned():
    "Nothing comes in that was not known to work: `constraints.txt` is the list to audit."
    name_of = lambda text: re.split(r"[=\s]", text)[0].lower().replace("_", "-")
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] not in ("", "#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( ; python_version .+)?", line) for line in pins)
    if sys.platform != "linux" or f"keras=={metadata.version('keras')}" not in {line.split(" ")[0] for line in pins}:
        pytest.skip("installed without constraints.txt, or where other packages are needed")
    installed = {name_of(found.metadata["Name"]) for found in metadata.distributions()}
    large = r"torch.*|nvidia-.*|cuda-.*|triton"  # which of these torch brings depends on the machine
    unpinned = {name for name in installed - {name_of(line) for line in pins} if not re.fullmatch(large, name)}
    assert unpinned <= {"pip", "tsformer-nb"}


def test_the_version_stands_in_three_places_alike():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "settings.ini")
    version = settings["DEFAULT"]["version"]
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
    import tsformer_nb
    assert tsformer_nb.__version__ == version


def test_export_and_clean_change_nothing(tmp_path):
    "The package is what the notebooks say, and the notebooks are clean."
    copy = copy_of_checkout(tmp_path / "copy")
    for command in ("nbdev_export", "nbdev_clean"):
        result = run(tool(command), cwd=copy)
        assert result.returncode == 0, result.stderr
    for folder in ("nbs", "tsformer_nb", "tsformer_nb/book"):
        compared = filecmp.dircmp(ROOT / folder, copy / folder, ignore=["__pycache__", ".ipynb_checkpoints"])
        _, differ, errors = filecmp.cmpfiles(ROOT / folder, copy / folder, compared.common_files, shallow=False)
        assert not differ + errors + compared.left_only + compared.right_only


def test_the_data_floor_is_light():
    "It imports no TensorFlow, no Keras, no Matplotlib."
    code = "import sys, tsformer_nb.data; print(sorted({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


FLOORS = [["files"], ["recipes", "recordings", "archive", "terminal"], ["readers", "scaling", "convert", "intake"],
          ["columns", "uea", "options", "portable", "hub"], ["frames", "weka", "arrays"], ["loading"], ["data"],
          ["leaks", "baseline", "attention", "published", "patterns"], ["encoder", "diagnosis", "trivial", "ridge"],
          ["model", "checkup", "giveaways", "encoding"], ["frozen"], ["training", "evaluation"],
          ["checkpoints", "page"], ["runs"], ["estimator", "export", "publish"],
          ["cli", "for_aeon"]]  # each imports only from those before it
WING = [["records", "drawing", "moving"], ["search", "unseen"], ["peers", "significance", "motifs", "own", "corpora"],
        ["bench", "results", "ranked"], ["ablation", "elsewhere"], ["distance", "pretraining", "formats"],
        ["languages"],
        ["quantities"], ["running", "staging", "away"], ["finishing", "signatures"], ["site"]]


def test_floors_are_one_way():
    height = {name: level for level, names in enumerate(FLOORS) for name in names}
    modules = {path.stem: imports_of(path) for path in (ROOT / "tsformer_nb").glob("[!_]*.py")}
    assert set(modules) == set(height)
    assert sum(map(len, modules.values())) > 20  # the search finds what there is
    for name, imported in modules.items():
        assert imported <= set(height), f"{name} imports the wing: {imported}"
        assert all(height[other] < height[name] for other in imported), f"{name} reaches up: {imported}"


def test_the_wing_stands_on_the_floors():
    height = {f"book.{name}": level for level, names in enumerate(WING) for name in names}
    modules = {f"book.{path.stem}": imports_of(path) for path in (ROOT / "tsformer_nb" / "book").glob("[!_]*.py")}
    assert set(modules) == set(height)
    for name, imported in modules.items():
        inside = {other for other in imported if other.startswith("book")}
        assert all(height[other] < height[name] for other in inside), f"{name} reaches up: {inside}"


def public_names():
    "Every public name that a module defines, and where."
    for path in sorted((ROOT / "tsformer_nb").rglob("[!_]*.py")):
        (names,) = re.findall(r"^__all__ = (\[.*?\])", path.read_text(encoding="utf-8"), re.M | re.S)
        yield from ((name, path.stem) for name in ast.literal_eval(names) if name != "logger")


def test_one_name_has_one_meaning():
    homes = {}
    for name, module in public_names():
        homes.setdefault(name, []).append(module)
    assert len(homes) > 100 and {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_no_module_is_long():
    for path in (ROOT / "tsformer_nb").rglob("[!_]*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path.name
