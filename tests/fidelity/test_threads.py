"""A rank that saves a distributed checkpoint by several threads, as torch's writer does."""

from pathlib import Path

import pytest

from aibench.formats.files import path_of
from aibench.model import Population
from tests.fidelity import saving
from tests.fidelity.test_checkpoints import steps
from tests.fidelity.tracing import requires_strace, trace_python

_TENSORS = (100_000, 4096, 70_000, 300_000)
_SIZE, _THREADS = 1_896_384, 3  # four times all of them
SAVE = """
import sys, warnings, torch
import torch.distributed.checkpoint as dcp
warnings.simplefilter("ignore")
path, threads, *sizes = sys.argv[1:]
state = {"model": {f"tensor.{k}": torch.zeros(int(size), dtype=torch.uint8)
                   for k, size in enumerate(sizes)}}
writer = dcp.FileSystemWriter(path, thread_count=int(threads))
dcp.save(state, storage_writer=writer, no_dist=True)
"""
OURS = """
from pathlib import Path
from aibench.model import SyncPolicy
from tests.fidelity import saving
from tests.fidelity.test_threads import checkpoint
import sys
files = checkpoint()
saving.save(files, Path(sys.argv[1]), sync=SyncPolicy.END, threads=3, shares=(2, 1, 1))
"""


def checkpoint() -> Population:
    """One rank with a file for each of its threads."""
    return saving.population("dcp", [_SIZE // _THREADS] * _THREADS, _TENSORS)


@requires_strace
def test_each_thread_writes_and_syncs_a_file(tmp_path: Path) -> None:
    """As many files, each opened, written, synced and closed; as many bytes, as evenly spread."""
    pytest.importorskip("torch", reason="torch is missing: scripts/test --torch")
    sizes = [str(size) for size in _TENSORS * 4]
    theirs = steps(
        trace_python(
            SAVE, str(tmp_path / "real"), str(_THREADS), *sizes,
            data=tmp_path / "real", log=tmp_path / "real.log",
        )
    )  # fmt: skip
    ours = steps(trace_python(OURS, str(tmp_path), data=tmp_path / "data", log=tmp_path / "log"))
    files = checkpoint()
    told = theirs.pop(".metadata")
    mine = ours.pop(Path(path_of(files, 0)).name)
    assert {call for call, *_ in told} <= {call for call, *_ in mine}
    del ours["d000000"]  # the directory is synced by us, in the time until all is durable
    assert sorted(theirs) == [f"__0_{k}.distcp" for k in range(_THREADS)]
    assert len(ours) == len(theirs)
    once = ("open", "fsync", "close")
    for found in (*ours.values(), *theirs.values()):
        assert [call for call, *_ in found if call in once] == list(once)
    written = [
        [sum(came for call, _, came in found if call == "write") for found in each.values()]
        for each in (ours, theirs)
    ]
    assert sum(written[0]) == pytest.approx(sum(written[1]), rel=0.01)
    for one in (*written[0], *written[1]):
        assert one == pytest.approx(_SIZE / _THREADS, abs=max(_TENSORS))
