"The tests depend on nothing around them: a handful of each kind passes wherever it is run, and whoever runs it."
import os
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT, TORTURE

pytestmark = pytest.mark.skipif(not TORTURE, reason="takes minutes: `make torture`")
HANDFUL = ["tests/test_notebooks.py::test_notebook[spectrum.ipynb]",
           "tests/test_notebooks.py::test_notebook[files.ipynb]",
           "tests/test_notebooks.py::test_notebook[figures.ipynb]", "tests/test_notebooks.py::test_notebook[cli.ipynb]",
           "tests/test_notebooks.py::test_notebook_in_a_kernel[figures.ipynb]", "tests/test_package.py",
           "tests/test_command_line.py", "tests/test_reader.py", "tests/test_faults.py::test_ctrl_c_says_how_to_go_on"]
SET = {"MPLBACKEND": "Agg", "KERAS_BACKEND": "jax", "TSFORMER_BOOK_DATA": "sample", "TZ": "Asia/Kathmandu",
       "COLUMNS": "30",
       "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "always", "PYTHONHASHSEED": "7"}
POWERLESS = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")  # root, but bound by permissions as anybody is
NO_NETWORK = ("unshare", "--net")


def tests(*before, cwd=ROOT, environment=None):
    "A handful of tests in surroundings of theirs, in the background."
    return subprocess.Popen([*before, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ROOT,
                             *(ROOT / test for test in HANDFUL)], cwd=cwd, env={**os.environ, **(environment or {})},
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def passed(child):
    said = child.communicate(timeout=1800)[0]
    return child.returncode == 0 or pytest.fail(said[-5000:])


def test_variables(tmp_path):
    (tmp_path / ".keras").mkdir()  # settings in a home
    (tmp_path / ".keras" / "keras.json").write_text('{"floatx": "float16", "backend": "jax"}')
    (tmp_path / ".config" / "matplotlib").mkdir(parents=True)
    (tmp_path / ".config" / "matplotlib" / "matplotlibrc").write_text("figure.figsize: 2, 2")
    assert passed(tests(environment=SET | {"HOME": str(tmp_path)}))


@pytest.mark.parametrize("locale", ["C", "POSIX", "de_DE.UTF-8"])
def test_languages(locale):
    assert passed(tests(environment={"LANG": locale, "LC_ALL": locale}))


def test_folders_with_a_space_and_letters_of_japan(tmp_path):
    folder = tmp_path / "some where" / "どこか"
    folder.mkdir(parents=True)
    assert passed(tests(cwd=folder, environment={"TMPDIR": str(folder)}))


def test_new_files_that_only_their_owner_reads():
    assert passed(tests("sh", "-c", 'umask 077; exec "$@"', "sh"))


@pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv")
def test_a_home_that_cannot_be_written_and_no_powers(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    data = {name: os.environ[name] for name in ("TSFORMER_DATA", "XDG_CACHE_HOME") if name in os.environ}
    assert passed(tests(*POWERLESS, environment={"HOME": str(home), **data}))


ALONE = shutil.which("unshare") and not subprocess.run([*NO_NETWORK, "true"]).returncode


@pytest.mark.skipif(not ALONE, reason="no unshare")
def test_no_network():
    assert passed(tests(*NO_NETWORK, "sh", "-c", 'ip link set lo up; exec "$@"', "sh"))


def test_two_runs_side_by_side():
    first, second = tests(), tests()
    assert passed(first) and passed(second)
