"What an installed copy must hold, and that the package is what the notebooks export."
import configparser
import filecmp
import re
import shutil
import subprocess
import sys
import zipfile

from conftest import ROOT, run, tool


def test_the_wheel_holds_every_module_the_data_and_the_licence(tmp_path):
    shutil.copytree(ROOT, tmp_path / "src", ignore=shutil.ignore_patterns(".venv", ".git", "runs", "_docs", "_proc", "build", "*.egg-info"))
    result = run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, tmp_path / "src")
    assert result.returncode == 0, result.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    expected = {str(path.relative_to(ROOT)) for path in (ROOT / "tsformer_nb").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert expected <= names and "tsformer_nb/files/FordA_sample_TRAIN.tsv.gz" in names
    assert any(name.endswith("LICENSE") for name in names)


def test_the_version_stands_in_three_places_alike():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "settings.ini")
    version = settings["DEFAULT"]["version"]
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
    import tsformer_nb
    assert tsformer_nb.__version__ == version


def test_export_and_clean_change_nothing(tmp_path):
    "The package is what the notebooks say, and the notebooks are clean."
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(".venv", ".git", "runs", "_docs", "_proc", "__pycache__"))
    for command in ("nbdev_export", "nbdev_clean"):
        result = run(tool(command), cwd=copy)
        assert result.returncode == 0, result.stderr
    for folder in ("nbs", "tsformer_nb"):
        compared = filecmp.dircmp(ROOT / folder, copy / folder, ignore=["__pycache__", ".ipynb_checkpoints"])
        _, differ, errors = filecmp.cmpfiles(ROOT / folder, copy / folder, compared.common_files, shallow=False)
        assert not differ + errors + compared.left_only + compared.right_only


def test_the_data_floor_is_light():
    "It imports no TensorFlow, no Keras, no Matplotlib."
    code = "import sys, tsformer_nb.data; print(sorted({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_floors_are_one_way():
    floors = ["data", "encoder", "model", "training", "diagnosis", "results", "ablation", "cli"]
    for height, floor in enumerate(floors):
        imported = re.findall(r"from (?:tsformer_nb)?\.(\w+) import", (ROOT / "tsformer_nb" / f"{floor}.py").read_text())
        assert floor == "data" or imported  # the pattern finds what there is
        assert not set(imported) & set(floors[height:]), f"{floor} reaches up"
    site = (ROOT / "tsformer_nb" / "site.py").read_text()
    assert set(re.findall(r"from (?:tsformer_nb)?\.(\w+) import", site)) == {"book", "data"}
    assert "import tsformer_nb" not in (book := (ROOT / "tsformer_nb" / "book.py").read_text()) and "from tsformer_nb" not in book
