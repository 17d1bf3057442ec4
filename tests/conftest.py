"What all tests share: where the checkout is, how a command is run, and whether FordA can be had."
import contextlib
import functools
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # here and in every child: the tests are silent about TensorFlow's start
SKIPPED = {}  # test: cells that were not run, for the summary


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


def tool(name):
    "A program of the environment that runs the tests."
    return Path(sys.executable).parent / name


@functools.cache
def why_no_forda():
    "None if FordA is in the cache or could be fetched, else the reason."
    from tsformer_nb.archive import fetch
    from tsformer_nb.files import InputError

    try:
        fetch("FordA")
    except InputError as error:
        return str(error)


def need_forda(test, cells=0):
    "Skip a test that needs the full FordA where it cannot be had, and remember it for the summary."
    if reason := why_no_forda():
        SKIPPED[test] = cells
        pytest.skip(reason.splitlines()[0])


def pytest_terminal_summary(terminalreporter):
    if SKIPPED:
        say = terminalreporter.write_line
        terminalreporter.section("FordA COULD NOT BE FETCHED", sep="!", red=True, bold=True)
        say(why_no_forda())
        say("These tests did not run; everything else ran on the sample that ships with the package:")
        for test, cells in SKIPPED.items():
            say(f"  {test}" + (f", with {cells} cells that state facts of the full FordA" if cells else ""))
