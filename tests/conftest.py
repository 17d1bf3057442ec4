"What all tests share: where the checkout is, how a command is run, what a module imports, whether FordA can be had."
import ast
import atexit
import contextlib
import functools
import http.server
import inspect
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Tests, and what they start, see an environment of their own. Of yours they keep where programs, networks and downloads
# are, and what is set for the tests; a home has settings of many a program in it, so theirs is empty.
# `make torture` shows that they pass in others (test_surroundings).
YOURS = r"""PATH|TMPDIR|LD_LIBRARY_PATH|SYSTEMROOT|PYTHONPATH|PYTHONDONTWRITEBYTECODE|PYTEST_.*|PIP_.*|SSL_.*
             |(HTTPS?|ALL|NO)_PROXY|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|CI|CHROMIUM|FIREFOX
             |XDG_CACHE_HOME|TSFORMER_(DATA|KILLS|FUZZ_SECONDS|LONG_LINE)"""


def set_environment():
    home = Path(tempfile.mkdtemp(prefix="tsformer-home-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    kept = {name: value for name, value in os.environ.items() if re.fullmatch(YOURS, name.upper(), re.X)}
    with contextlib.suppress(RuntimeError):  # no home at all
        yours = Path.home()
        if os.access(yours / ".cache", os.W_OK):
            kept.setdefault("XDG_CACHE_HOME", str(yours / ".cache"))
        for settings in (yours / ".pip" / "pip.conf", yours / ".config" / "pip" / "pip.conf"):
            if settings.is_file():
                kept.setdefault("PIP_CONFIG_FILE", str(settings))
    os.environ.clear()
    os.environ |= kept | {"HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC", "TF_CPP_MIN_LOG_LEVEL": "3"}
    time.tzset()
    os.umask(0o022)
    with contextlib.suppress(ValueError):  # not the main thread
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what runs in the background
            signal.signal(signal.SIGINT, signal.default_int_handler)


def take_one_core():
    "Each worker of pytest-xdist keeps to a core of its own: threads of two that share all cores wait for each other."
    worker = re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", ""))
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker[1]) % len(cores)]})


take_one_core()    # before TensorFlow counts them
set_environment()  # before Keras and matplotlib read theirs
KILLS = int(os.environ.get("TSFORMER_KILLS", 2))
TORTURE = KILLS > 2  # `make torture`: the long halves
NO_FORDA = "FordA could not be fetched"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FIREFOX = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
AXE = ROOT / "build" / "node_modules" / "axe-core" / "axe.min.js"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# in the source of a test: it trains, or starts a process
TRAINS = re.compile(r"\b(fit\w*|train\w*|run|command|tsformer_nb|execute\w*|Popen|accuracy|load_run|\w+_grid)\(")
FUZZ_SECONDS = float(os.environ.get("TSFORMER_FUZZ_SECONDS", 3))  # a format; `make torture` gives it ten minutes
TOKENS = [b"\t", b"\n", b"\r", b"nan", b"inf", b"1e999", b"-", b"e", b".", b",", b"\0", b"\xff", b"\xef\xbb\xbf",
          b'"', b"#", b"9" * 400, b"\x1a", b" "]  # what a fuzzer puts into a file

def copy_of_checkout(place):
    "What is committed, and nothing that a run has left."
    return shutil.copytree(ROOT, place, symlinks=True, ignore=shutil.ignore_patterns(
        ".venv", ".git", "runs", "_docs", "_proc", "build", "*.egg-info", "__pycache__"))


def missing(what):
    "Where CI runs, everything must be there; elsewhere a test may be left out, aloud."
    message = f"{what}; .ci/run shows how to install it"
    pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@contextlib.contextmanager
def served(folder):
    "A folder on loopback: its address."
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
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


def watch(page, where, faults, levels=("error",)):
    "Note what goes wrong in a page: messages in the console, errors, requests to elsewhere."
    note = lambda wrong, what: faults.append(f"{page.url}: {what}") if wrong else None
    page.on("console", lambda said: note(said.type in levels, said.text))
    page.on("pageerror", lambda error: note(True, error))
    page.on("request", lambda asked: note(not asked.url.startswith((where, "data:")), f"asks {asked.url}"))


def run(*command, timeout=900, cwd=ROOT, **environment):
    "Run a command and keep what it says."
    return subprocess.run([str(part) for part in command], cwd=cwd, timeout=timeout, text=True,
                          capture_output=True, env={**os.environ, **environment})


def command(*arguments, cwd=None):
    "Run `tsformer-nb` in this process, where Keras has started already, and keep what it says."
    from tsformer_nb.cli import main

    said, told = io.StringIO(), io.StringIO()
    before = os.getcwd()
    os.chdir(cwd or before)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
            status = main([str(argument) for argument in arguments])
    finally:
        os.chdir(before)
    return subprocess.CompletedProcess(arguments, status, said.getvalue(), told.getvalue())


def damaged(content, rng, tokens=TOKENS):
    "Bytes, cut, doubled and overwritten at random in a few places."
    content = bytearray(content)
    for _ in range(rng.randint(1, 5)):
        place, kind = rng.randrange(len(content) + 1), rng.random()
        if kind < .4:
            content[place:place] = rng.choice(tokens)
        elif kind < .7:
            del content[place:place + rng.choice([1, 1, 5, 200])]
        else:
            content[place:place + 1] = bytes([rng.randrange(256)])
    return bytes(content)


def fuzz(folder, samples, read, tokens=TOKENS, longest=None):
    """Damage sound files and read them for a while: nothing but `InputError`, which names the file, may come out.

    `samples` are pairs of a name and what the file of that name holds; `read` reads a path and asserts what is sound;
    no message has more than `longest` letters.
    """
    from tsformer_nb.io.files import InputError, InputWarning

    rng, trials, read_right, end = random.Random(0), 0, 0, time.monotonic() + FUZZ_SECONDS
    while time.monotonic() < end:
        name, content = rng.choice(samples)
        content = damaged(content, rng, tokens)
        (folder / name).write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # no library may warn in our stead
                warnings.simplefilter("ignore", InputWarning)
                read(folder / name)
            read_right += 1
        except InputError as error:
            assert str(folder) in str(error) and len(str(error)) <= (longest or len(str(error))), error
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}, by {name} with {content[:2000]!r}") from error
        trials += 1
    print(f"{trials} files, {read_right} read, {trials - read_right} refused")
    assert trials > 100 and 0 < read_right < trials


@contextlib.contextmanager
def with_small_models():
    "New models are small, and cost a fraction: for tests that do not ask how good one is."
    from tsformer_nb import kernel_model, model

    def smaller(module, name, **sizes):
        usual = getattr(module, name)
        patch.setattr(module, name, lambda *given, **changes: usual(*given, **{**sizes, **changes}))

    with pytest.MonkeyPatch.context() as patch:
        smaller(kernel_model, "kernel_config_for", n_filters=16, n_points=128)
        smaller(model, "config_for", d_model=16, num_heads=2, ff_dim=16, num_blocks=1)
        yield


@pytest.fixture
def small_models(request):
    "The quick tests train nothing, and start no Keras."
    with with_small_models() if request.node.get_closest_marker("slow") else contextlib.nullcontext():
        yield


def tool(name):
    "A program of the environment that runs the tests."
    return Path(sys.executable).parent / name


def tree(path):
    "A Python file, parsed."
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path):
    "The modules of the package that a module imports, anywhere in it: `data`, or `book.records`."
    package = ["tsformer_nb", *path.relative_to(ROOT / "tsformer_nb").parent.parts]
    paths = (ROOT / "tsformer_nb").rglob("*.py")
    modules = {".".join(module.relative_to(ROOT).with_suffix("").parts) for module in paths}
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            assert not [alias for alias in node.names if alias.name.startswith("tsformer_nb")], path.name
        if isinstance(node, ast.ImportFrom):
            base = package[:len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)} & modules
    return {name.removeprefix("tsformer_nb.") for name in found}


@functools.cache
def why_not(name):
    "None if a data set is in the cache or could be fetched, else the reason."
    from tsformer_nb.io.download import fetch
    from tsformer_nb.io.files import InputError

    try:
        fetch(name)
    except InputError as error:
        return str(error)


def why_no_forda():
    return why_not("FordA")


def need(name):
    "Skip a test that needs a data set where it cannot be had."
    if reason := why_not(name):
        pytest.skip(f"{name} could not be fetched: {reason.splitlines()[0]}")


def need_forda(cells=0):
    "Skip a test that needs the full FordA where it cannot be had; the summary says so aloud."
    if reason := why_no_forda():
        lost = f", with {cells} cells that state facts of the full FordA" if cells else ""
        pytest.skip(f"{NO_FORDA}{lost}: {reason.splitlines()[0]}")


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups, and pytest for markers
def pytest_collection_modifyitems(items):
    "Tests that share what a module has made, a run or a site, go to one worker; any other goes to who is free."
    for item in items:
        shared = {fixture.scope: fixture.baseid for fixtures in item._fixtureinfo.name2fixturedefs.values()
                  for fixture in fixtures if fixture.baseid.endswith(".py") and fixture.scope in ("module", "session")}
        if shared:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        trains = TRAINS.search(inspect.getsource(item.function))
        if shared or trains or "browser" in item.fixturenames or "fuzz" in item.name:
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter):
    lost = [report for report in terminalreporter.stats.get("skipped", []) if NO_FORDA in str(report.longrepr)]
    if lost:
        terminalreporter.section("FordA COULD NOT BE FETCHED", sep="!", red=True, bold=True)
        terminalreporter.write_line(
            "These tests did not run; everything else ran on the sample that ships with the package:")
        for report in lost:
            terminalreporter.write_line(f"  {report.nodeid}: {report.longrepr[2]}")
