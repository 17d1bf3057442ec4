"What an installed copy must hold, and that the package is what the notebooks export."
import configparser
import os
import re
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

import pytest

from conftest import ROOT, TORTURE, copy_of_checkout, imports_of, run, tool


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
from tsformer_nb.figures import stored
assert stored("results.csv")
print(load_dataset("sample").x_train.shape)
print(place)
print(*place.parent.glob("tsformer_nb-*.dist-info/**/LICENSE"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sdist", *["wheel"] * TORTURE])  # pip makes a wheel of the first, too
def test_it_installs_into_an_empty_environment(kind, tmp_path):
    """With every module that a user imports, the data, stored results and the licence; without lab and press.

    The tests' environment lends it the rest, so it needs no network.
    """
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
    result = run(python, "-c", INSTALLED, cwd=tmp_path, PYTHONPATH="")
    assert result.returncode == 0, result.stderr
    shape, place, licence = result.stdout.splitlines()
    files = files_of(Path(place))
    outside = ("tsformer_nb/lab/", "tsformer_nb/press/")
    wanted = {name for name in files_of(ROOT / "tsformer_nb") if not name.startswith(outside)}
    wanted |= {f"tsformer_nb/results/{path.name}" for path in (ROOT / "nbs" / "results").glob("*.csv")}
    assert shape == "(64, 500, 1)" and wanted <= files and not [name for name in files if name.startswith(outside)]
    assert {"tsformer_nb/shipped/FordA_sample_TRAIN.tsv.gz", "tsformer_nb/results/results.csv"} <= wanted
    assert Path(licence).read_bytes() == (ROOT / "LICENSE").read_bytes()
    result = run(python.with_name("tsformer-nb"), "data", "sample", cwd=tmp_path, PYTHONPATH="")
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


@pytest.mark.slow
def test_export_and_clean_change_nothing(tmp_path):
    "The package is what the notebooks say, and the notebooks are clean."
    copy = copy_of_checkout(tmp_path / "copy")
    for command in ("nbdev_export", "nbdev_clean"):
        result = run(tool(command), cwd=copy)
        assert result.returncode == 0, result.stderr
    kept = lambda root: {path.relative_to(root): path.read_bytes() for folder in ("nbs", "tsformer_nb")
                         for path in (root / folder).rglob("*.*") if path.suffix in (".py", ".ipynb")
                         and ".ipynb_checkpoints" not in path.parts}
    before, after = kept(ROOT), kept(copy)
    assert len(before) > 80 and before.keys() == after.keys()
    assert [path for path in before if before[path] != after[path]] == []


def test_the_data_floor_is_light():
    "It imports no TensorFlow, no Keras, no Matplotlib."
    code = "import sys, tsformer_nb.data; print(sorted({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def modules_of(package):
    "Its modules, and what each imports of the package."
    return {".".join(path.relative_to(package).with_suffix("").parts): imports_of(path)
            for path in package.rglob("[!_]*.py")}


def reached(name, modules):
    "What a module imports, and what that imports in turn, and so on."
    found, waiting = set(), {name}
    while waiting:
        waiting = set().union(*(modules[one] for one in waiting)) - found
        found |= waiting
    return found


@pytest.fixture(scope="module")
def modules():
    found = modules_of(ROOT / "tsformer_nb")
    assert "press.bilingual" in found["press.pages"] and sum(map(len, found.values())) > 100  # it sees what there is
    return found


def test_what_a_module_has_made_is_made_once(modules, request):
    "`make test` runs two workers; pytest 9.2 made pytest-xdist forget which tests belong together."
    assert "PYTEST_XDIST_WORKER" not in os.environ or request.node.nodeid.endswith("@test_package")


def test_arrows_between_modules_point_one_way(modules):
    assert [name for name in modules if name in reached(name, modules)] == []


def test_nothing_outside_lab_and_press_imports_them(modules):
    outside = ("lab.", "press.")
    for name, imported in modules.items():
        if not name.startswith(outside):
            assert [other for other in imported if other.startswith(outside)] == [], name


def test_what_reads_files_knows_no_model(modules):
    "Neither `io` nor anything that it imports ever imports Keras, not even late; nor do lab and press meet."
    keras = {name for name in modules
             if re.search(r"^\s*(import|from) (keras|tensorflow)\b",
                          (ROOT / "tsformer_nb" / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8"), re.M)}
    assert {"encoder", "model"} <= keras
    for name in modules:
        if name.startswith("io.") or name == "data":
            assert keras & {name, *reached(name, modules)} == set(), name
        if name.startswith("lab."):
            assert not [other for other in reached(name, modules) if other.startswith("press.")], name
        if name.startswith("press."):
            assert not [other for other in reached(name, modules) if other.startswith("lab.")], name
