"Trainings and runs under attack: killed, out of disk, gone wrong, damaged. Nothing is lost; a failure is a sentence."
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import KILLS, TORTURE, command, run, tool

pytestmark = pytest.mark.slow
TRAIN = ("train", "--data", "sample", "--epochs", "2")
QUICK = ("train", "--data", "sample", "--epochs", "60", "--model", "collapsed")  # where any model shows it


def train(folder, *options):
    return command(*QUICK, "--out", folder, *options)


def weights(folder):
    from tsformer_nb.runs import load_run

    return load_run(folder)[0].get_weights()


def finished(tmp_path_factory, arguments):
    folder = tmp_path_factory.mktemp("whole") / "run"
    result = command(*arguments, "--out", folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    "A run that nothing happened to."
    return finished(tmp_path_factory, QUICK)


@pytest.fixture(scope="module")
def whole_tsformer(tmp_path_factory):
    "The same, of a model with dropout and attention."
    return finished(tmp_path_factory, TRAIN)


def alike(one, two):
    "Whether two runs ended at the same weights and history, bit for bit."
    same = (one / "history.csv").read_bytes() == (two / "history.csv").read_bytes()
    figures = [json.loads((folder / "metrics.json").read_text()) for folder in (one, two)]
    for found in figures:
        del found["train_seconds"], found["model_sha256"]  # a .keras file holds the time of day
    return same and figures[0] == figures[1] and all(np.array_equal(a, b) for a, b in zip(weights(one), weights(two)))


def start(folder, *options, arguments=QUICK):
    "A training in the background; it hears Ctrl-C, to which a shell may have made its children deaf."
    return subprocess.Popen([tool("tsformer-nb"), *arguments, "--out", folder, *options],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def wait_for_an_epoch(child, folder):
    deadline = time.monotonic() + 120
    while not (folder / "checkpoint.npz").exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(.01)
    assert (folder / "checkpoint.npz").exists()


@pytest.mark.parametrize("trial", range(KILLS) if TORTURE else [1])  # the page on runs stops the other model
def test_a_killed_training_goes_on_to_the_same_end(whole, whole_tsformer, tmp_path, trial):
    out, rng = tmp_path / "run", random.Random(trial)
    undisturbed, arguments = ((whole, QUICK), (whole_tsformer, TRAIN))[trial % 2]
    child = start(out, arguments=arguments)
    if trial % 3 < 2:
        wait_for_an_epoch(child, out)
        time.sleep(rng.uniform(0, 1))
    else:  # at any moment, also before the first epoch
        time.sleep(rng.uniform(.5, 12))
    child.send_signal(signal.SIGKILL)
    child.communicate()
    if not (out / "metrics.json").exists():
        kept = (out / "checkpoint.npz").exists()
        assert ("--resume" if kept else "makes one") in command("evaluate", out).stderr
        result = command(*arguments, "--out", out, *(["--resume"] if kept else []))
        assert result.returncode == 0, result.stderr
        assert {path.name for path in out.iterdir()} == {path.name for path in whole.iterdir()}  # nothing half is left
    assert alike(undisturbed, out)


@pytest.mark.parametrize("trial", range(KILLS // 2))  # and the next tests stop two more
def test_ctrl_c_at_any_moment_is_no_traceback(tmp_path, trial):
    child = start(tmp_path / "run", arguments=(TRAIN, QUICK)[trial % 2])
    assert child.stdout.readline()  # before that, Python itself is starting
    time.sleep(random.Random(trial).uniform(0, 8))
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=120)
    assert child.returncode in (130, 0) and "Traceback" not in said, said


def test_two_trainings_do_not_share_a_folder(tmp_path):
    out = tmp_path / "run"
    child = start(out, "--epochs", "100000")
    wait_for_an_epoch(child, out)
    for option in ("--resume", "--overwrite"):
        result = train(out, option)
        assert result.returncode == 2 and "Another training run is writing to" in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert child.poll() is None  # and that one goes on undisturbed
    child.send_signal(signal.SIGINT)
    assert "--resume continues" in child.communicate(timeout=120)[1]


def test_ctrl_c_says_how_to_go_on(whole, tmp_path):
    out = tmp_path / "run"
    child = start(out)
    wait_for_an_epoch(child, out)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=120)
    assert child.returncode == 130 and "--resume continues" in said and "Traceback" not in said, said
    other = train(out, "--resume", "--seed", "1")
    assert other.returncode == 2 and "belongs to another training run (training differs)" in other.stderr
    assert "--resume continues it" in train(out).stderr
    (out / "part-0.csv").write_text("not ours"), (out / "checkpoint.npz.1.part").write_text("half of ours")
    assert train(out, "--resume").returncode == 0 and alike(whole, out)
    assert (out / "part-0.csv").exists() and not (out / "checkpoint.npz.1.part").exists()


STOPPED = """
import gc, os, signal, sys
from tsformer_nb import cli, training

def stop(*read, usual=training.augment, count=iter(range(1000))):
    if next(count) == 8:  # inside the thread that reads batches
        os.kill(os.getpid(), signal.SIGINT)
    return usual(*read)

training.augment = stop
sys.argv[0] = "tsformer-nb"
assert cli.command() == 130
readers = [thing for thing in gc.get_objects() if type(thing).__name__ == "OwnedIterator"]
assert not readers
"""


def test_a_stopped_training_leaves_no_reader_of_batches(tmp_path):
    "One that Python's end finds would wait for Python, which would wait for it: a child once never ended."
    result = run(sys.executable, "-c", STOPPED, *QUICK, "--out", tmp_path / "run", timeout=300)
    assert result.returncode == 0, result.stderr


def test_a_run_is_not_written_over_by_accident(whole, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(whole, copy)
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    for options, words in (((), "--overwrite replaces it"), (("--resume",), "nothing to resume")):
        result = train(copy, *options)
        assert result.returncode == 2 and words in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert before == {path.name: path.read_bytes() for path in copy.iterdir()}
    result = train(copy, "--overwrite")
    assert result.returncode == 0 and alike(whole, copy), result.stderr


FULL = """
import resource, signal, sys
import keras
from tsformer_nb import fitting
from tsformer_nb.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

class Fill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.fill(epoch == 2 and sys.argv[1] == "checkpoint.npz")
    def on_train_end(self, logs=None):
        self.fill(sys.argv[1] == "model.keras")
    def fill(self, now):
        if now:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))

fitting.progress_bar = Fill  # a callback of ours, in among those of a fit
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("file", ["checkpoint.npz", *["model.keras"] * TORTURE])  # both by `atomic_write`
def test_a_full_disk_leaves_the_last_good_checkpoint(whole, tmp_path, file):
    out = tmp_path / "run"
    result = run(sys.executable, "-c", FULL, file, *QUICK, "--out", out)
    assert result.returncode == 2 and file in result.stderr and "Traceback" not in result.stderr, result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["checkpoint.npz", "history.csv"]
    assert train(out, "--resume").returncode == 0 and alike(whole, out)


@pytest.mark.skipif(not TORTURE, reason="takes a minute: `make torture`")
def test_too_little_memory_is_told(tmp_path):
    "Attention over 60,000 steps wants half a terabyte."
    for part in ("TRAIN", "TEST"):
        rows = np.random.default_rng(0).normal(size=(8, 60_000)).round(2)
        np.savetxt(tmp_path / f"X_{part}.tsv", np.column_stack([np.arange(8) % 2, rows]), fmt="%g", delimiter="\t")
    result = run(tool("tsformer-nb"), "train", "--data", tmp_path, "--model", "published", "--epochs", "1",
                 "--out", tmp_path / "run")
    assert result.returncode == 2 and "not enough memory" in result.stderr, result.stderr
    assert "Traceback" not in result.stderr, result.stderr


def test_a_loss_that_is_no_number_stops_with_a_cause(tmp_path):
    from tsformer_nb.data import load_dataset
    from tsformer_nb.io.files import InputError
    from tsformer_nb.recipes import TrainingConfig
    from tsformer_nb.fitting import fit

    data = load_dataset("sample")
    with pytest.raises(InputError, match="The loss of epoch 1 is nan.*learning rate"):
        fit(data, "collapsed", TrainingConfig(epochs=2, learning_rate=1e30, warmup=None))


@pytest.mark.parametrize("file, damage", [
    ("model.keras", lambda content: content[:1000]), ("model.keras", lambda content: b""),
    ("model.keras", lambda content: b"PK" + bytes(500)),
    ("model.keras", lambda content: content[:5000] + b"\xaa" * 100 + content[5100:]),
    ("metrics.json", lambda content: content[:100]), ("metrics.json", lambda content: b"[]"),
    ("metrics.json", lambda content: b"\xff\xfe"),
    ("metrics.json", lambda content: content.replace(b'"format": 1', b'"format": 99')),
])
def test_a_damaged_run_is_told(whole, tmp_path, file, damage):
    from tsformer_nb.io.files import InputError
    from tsformer_nb.runs import load_run

    copy = tmp_path / "run"
    shutil.copytree(whole, copy)
    (copy / file).write_bytes(damage((whole / file).read_bytes()))
    with pytest.raises(InputError, match=f"{file}.*(train again|newer version)"):
        load_run(copy)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.array(value) for name, value in arrays.items()})
    return buffer.getvalue()


CHECKPOINT = npz(kept=json.dumps({"format": 1, "epoch": 1}), state0=np.random.default_rng(0).normal(size=5000))


@pytest.mark.parametrize("content, words", [
    (CHECKPOINT[:1000], "is damaged"), (b"", "is damaged"), (b"PK\3\4" + bytes(100), "is damaged"),
    (CHECKPOINT[:9000] + bytes(50) + CHECKPOINT[9050:], "is damaged"),
    (npz(weights=[1, 2]), "is damaged"), (npz(kept="[]"), "is damaged"),
    (npz(kept=json.dumps({"format": 99})), "newer version"),
])
def test_a_damaged_checkpoint_is_told(tmp_path, content, words):
    from tsformer_nb.runs import read_checkpoint
    from tsformer_nb.io.files import InputError

    (tmp_path / "checkpoint.npz").write_bytes(CHECKPOINT)
    assert read_checkpoint(tmp_path)[0]["epoch"] == 1
    (tmp_path / "checkpoint.npz").write_bytes(content)
    with pytest.raises(InputError, match=f"checkpoint.npz.* {words}"):
        read_checkpoint(tmp_path)


def test_a_checkpoint_of_another_model_is_told(tmp_path):
    from tsformer_nb.runs import CheckpointCallback, read_checkpoint
    from tsformer_nb.data import load_dataset
    from tsformer_nb.io.files import InputError
    from tsformer_nb.recipes import TrainingConfig
    from tsformer_nb.fitting import fit

    data, config = load_dataset("sample"), TrainingConfig(epochs=2, min_steps=1)
    fit(data, "collapsed", config, checkpoint=CheckpointCallback(tmp_path, {}))
    kept, arrays = read_checkpoint(tmp_path)
    del arrays["state1"]
    (tmp_path / "checkpoint.npz").write_bytes(npz(kept=json.dumps(kept), **arrays))
    with pytest.raises(InputError, match="does not fit this model"):
        fit(data, "collapsed", config, checkpoint=CheckpointCallback(tmp_path, {}, resume=True))


def test_a_run_damaged_at_random_is_told_or_whole(whole, tmp_path):
    "Bits flipped, pieces cut: what loads predicts as before, and all else is an InputError."
    from tsformer_nb.io.files import InputError
    from tsformer_nb.runs import load_run

    copy, rng, told = tmp_path / "run", random.Random(0), 0
    before = weights(whole)
    shutil.copytree(whole, copy)
    for _ in range(20 * KILLS):
        name = rng.choice(["metrics.json", "model.keras"])
        content = bytearray((whole / name).read_bytes())
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(content))
            if rng.random() < .5:
                content[place] ^= 1 << rng.randrange(8)
            else:
                del content[place:place + rng.choice([1, 10, 10_000])]
        (copy / name).write_bytes(content)
        try:
            assert all(np.array_equal(one, two) for one, two in zip(before, load_run(copy)[0].get_weights()))
        except InputError as error:
            assert str(copy) in str(error)
            told += 1
        shutil.copy(whole / name, copy / name)
    assert told > 5 * KILLS


def test_nothing_is_unpickled():
    "A pickle in a checkpoint is refused, and no code of ours asks for one."
    for path in (Path(__file__).parents[1] / "tsformer_nb").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        told = r"allow_pickle=False|unpickle[sd]\b|a pickle can run|Nothing in it is a pickle"
        assert "pickle" not in re.sub(told, "", text), path.name
        forbidden = ("safe_mode=False", "shell=True", " eval(", "extractall")
        assert not [word for word in forbidden if word in text], path.name


OTHERS = ({}, {"ONEDNN_MAX_CPU_ISA": "SSE41", "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"}, {"TF_ENABLE_ONEDNN_OPTS": "0"})
ON_ANOTHER = """
import sys, keras, numpy as np
from tsformer_nb.data import load_dataset
from tsformer_nb.evaluation import predict
from tsformer_nb.model import TSFormer, config_for
from tsformer_nb.recipes import TrainingConfig
from tsformer_nb.fitting import fit
keras.utils.set_random_seed(0)
data = load_dataset("sample")
model = TSFormer(config_for(data, num_blocks=int(sys.argv[4])))
fit(data, model, TrainingConfig(epochs=int(sys.argv[2]), min_steps=int(sys.argv[3])))
np.save(sys.argv[1], predict(model, data.x_test))
"""


@pytest.mark.skipif(not TORTURE, reason="takes minutes: `make torture`; the page on runs does it with threads")
def test_another_processor_gives_the_same_model_up_to_rounding(tmp_path):
    "Here played by TensorFlow without the instructions, or the kernels, that this processor has."
    paths = [tmp_path / f"{n}.npy" for n in range(len(OTHERS))]
    training = ("10", "30", "2")  # epochs, their steps, blocks: from 300 steps on, XLA compiles
    children = [subprocess.Popen([sys.executable, "-c", ON_ANOTHER, path, *training], stderr=subprocess.PIPE, text=True,
                                 env={**os.environ, **environment}) for path, environment in zip(paths, OTHERS)]
    for child in children:
        _, told = child.communicate(timeout=600)
        assert child.returncode == 0, told
    first, *others = (np.load(path) for path in paths)
    for other in others:
        np.testing.assert_allclose(other, first, atol=.02)
        assert (other.argmax(axis=1) == first.argmax(axis=1)).all()


def test_weights_depend_on_the_seed_and_the_training_series_alone(tmp_path):
    "Not on what is validated on, what is logged or kept, or what was computed before in the same process."
    from dataclasses import replace

    import keras

    from tsformer_nb.runs import CheckpointCallback
    from tsformer_nb.data import load_dataset, split
    from tsformer_nb.evaluation import predict
    from tsformer_nb.model import TSFormer, config_for
    from tsformer_nb.recipes import TrainingConfig
    from tsformer_nb.fitting import fit, make_model

    data, config = load_dataset("sample"), TrainingConfig(epochs=2, min_steps=5)
    held_out, other = split(data.y_train, config.validation, config.seed)[1], data.x_train.copy()
    other[held_out] = np.random.default_rng(0).normal(size=other[held_out].shape)

    small = config_for(data, d_model=8, num_heads=2, ff_dim=8, num_blocks=1)  # scaling comes from all training series

    def trained(series, **options):
        keras.utils.set_random_seed(config.seed)
        model = TSFormer(small)
        fit(series, model, config, **options)
        *others, kernel, bias = model.get_weights()
        return [*others, np.concatenate([kernel, bias[None]]) / np.linalg.norm(kernel)]  # a temperature scales the last

    first = trained(data)
    predict(make_model("collapsed", data, 3), data.x_test), np.random.normal(size=10), random.random()
    again = trained(replace(data, x_train=other), checkpoint=CheckpointCallback(tmp_path, {}), progress=True)
    assert all(np.array_equal(one, two) for one, two in zip(first[:-1], again))
    np.testing.assert_allclose(first[-1], again[-1], rtol=1e-5)


def test_resume_begins_where_nothing_was_stopped(tmp_path, caplog):
    "A cluster starts the same command again and again."
    from tsformer_nb.data import load_dataset
    from tsformer_nb.runs import train_run

    train_run(load_dataset("sample"), "collapsed", {"epochs": 1}, tmp_path / "run", progress=False, resume=True)
    assert (tmp_path / "run" / "metrics.json").is_file() and "so the training begins" in caplog.text
