"""Real ranks under an MPI launcher end their steps together, and stop together."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from aibench.store import read

_WORDS = (
    *("-w", "train-object-detection", "--repeats", "1", "--set", "files=96", "--set", "batch=4"),
    *("--set", "size=20kB", "--set", "accelerators=[4]", "--set", "loaders=1"),
    *("--set", "compute=5ms", "--set", "compute_sigma=0.5"),
    *("--set", "checkpoint={every=2, mode='durable', parameters=50000, ranks=5, shards=1}"),
)


def _launcher() -> str | None:
    """A launcher beside the interpreter, of the library that mpi4py finds there."""
    return shutil.which("mpiexec", path=os.path.dirname(sys.executable))


@pytest.mark.slow
@pytest.mark.skipif(
    _launcher() is None or find_spec("mpi4py") is None,
    reason="Ranks need mpi4py and MPI (pip install 'aibench[mpi]' mpich).",
)
def test_real_ranks_meet_at_each_step_and_checkpoint(tmp_path: Path) -> None:
    """On three ranks all accelerators free each other at one time, whoever saves a checkpoint."""
    (tmp_path / "target").mkdir()
    done = subprocess.run(
        [str(_launcher()), "-n", "3", sys.executable, "-m", "aibench", "run",
         str(tmp_path / "target"), *_WORDS, "--results", str(tmp_path / "results")],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results").glob("*.jsonl")
    alone, fed = read(path).samples
    assert "committed" in alone.measurement.timers
    training = fed.measurement.training
    assert training is not None
    assert {worker.rank for worker in fed.measurement.workers} == {0, 1, 2}
    assert [one.steps for one in training.accelerators] == [6] * 4
    for same in ("first_step_ns", "end_ns", "stall_ns", "checkpoint_ns"):
        assert len({getattr(one, same) for one in training.accelerators}) == 1
    assert len({one.compute_ns for one in training.accelerators}) == 4
    assert len(training.checkpoints) == 2
    stopped = sum((one.released_ns or 0) - one.asked_ns for one in training.checkpoints)
    assert stopped == training.accelerators[0].checkpoint_ns > 0
