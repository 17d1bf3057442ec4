"Many fits: the table is the same, whatever runs them, and whole when a worker is killed."
import os
import signal
import subprocess
import sys
import time

import joblib
import pytest

from conftest import ROOT
from tsformer_nb.figures import read_rows
from tsformer_nb.sweep import fill_in

WANTED = [{"data": name, "seed": seed} for name in "ab" for seed in range(6)]


def slow(data, seed):
    time.sleep(.2)
    return {"data": data, "seed": seed, "accuracy": seed / 7, "process": "one"}


def test_rows_are_in_order_whatever_runs_them(tmp_path):
    fill_in(tmp_path / "one.csv", WANTED, slow)
    fill_in(tmp_path / "two.csv", WANTED[3:5], slow)
    with joblib.parallel_config(n_jobs=2):
        fill_in(tmp_path / "two.csv", WANTED, slow)
    one, two = (read_rows(tmp_path / f"{name}.csv") for name in ("one", "two"))
    assert two == [*one[3:5], *one[:3], *one[5:]]


def test_a_failure_keeps_what_was_stored(tmp_path):
    def fails(data, seed):
        return slow(data, seed) if (data, seed) != ("a", 3) else 1 / 0

    with pytest.raises(ZeroDivisionError):
        fill_in(tmp_path / "x.csv", WANTED, fails)
    assert len(read_rows(tmp_path / "x.csv")) == 3
    assert len(fill_in(tmp_path / "x.csv", WANTED, slow)) == 12


WORKER = """
import sys, time
from dask.distributed import Client, LocalCluster
import joblib
from tsformer_nb.sweep import fill_in

def fit(data, seed):
    import os
    import numpy as np
    from tsformer_nb.data import load_dataset
    whole = load_dataset(data)
    open(f"{sys.argv[1]}.{os.getpid()}.{seed}", "w").close()
    time.sleep(.5)
    rows = np.random.default_rng(seed).permutation(64)[:32]
    x, y = whole.x_train[rows, :, 0], whole.y_train[rows]
    weights = x.T @ np.linalg.solve(x @ x.T + (1 + seed) * np.eye(32), 2. * y - 1)  # a ridge
    found = whole.x_test[:, :, 0] @ weights > 0
    return {"data": data, "seed": seed, "accuracy": float((found == whole.y_test).mean())}

if __name__ == "__main__":
    wanted = [{"data": "sample", "seed": seed} for seed in range(12)]
    if sys.argv[2] == "dask":
        with LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
            with joblib.parallel_config(backend="dask"):
                print("begins", flush=True)
                fill_in(sys.argv[1], wanted, fit)
    else:
        fill_in(sys.argv[1], wanted, fit)
"""


@pytest.mark.slow
def test_a_dask_cluster_of_which_a_worker_is_killed(tmp_path):
    pytest.importorskip("distributed")
    (tmp_path / "go.py").write_text(WORKER)
    start = lambda *words: subprocess.Popen([sys.executable, "go.py", *words], cwd=tmp_path, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, text=True,
                                            env={**os.environ, "PYTHONPATH": str(ROOT)})
    alone, cluster = start("alone.csv", "alone"), start("dask.csv", "dask")
    assert cluster.stdout.readline() == "begins\n"
    while not (begun := [*tmp_path.glob("dask.csv.*.*")]):
        time.sleep(.01)
    os.kill(int(begun[0].name.split(".")[2]), signal.SIGKILL)
    assert alone.wait(120) == 0 and cluster.wait(120) == 0, cluster.stderr.read()
    workers = {path.name.split(".")[2] for path in tmp_path.glob("dask.csv.*.*")}
    assert (tmp_path / "dask.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes() and len(workers) >= 3
    assert len(read_rows(tmp_path / "dask.csv")) == 12
