"""Resuming on other ranks: which parts of files real libraries read, and which of them ours does.

The pages of a mapping are brought in by the kernel, which reads ahead as it was advised: how much
of a file is in memory afterwards is compared as well, within a tenth and what is read ahead at
once. A copy may use the last page of a piece first (glibc's does, on some processors), and then the
kernel reads ahead once less.
"""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from aibench.formats.files import path_of
from aibench.formats.format import samples_in
from aibench.formats.slicing import rows, runs
from aibench.formats.tensors import cut
from aibench.model import Population, Slice
from aibench.probes import sysfs
from aibench.probes.cache import evict, residency
from tests.fidelity import saving
from tests.fidelity.test_checkpoints import (
    SHARDS,
    TENSORS,
    asked,
    block_of,
    names_of,
    recorded,
    saved,
    steps,
    unmapped,
)
from tests.fidelity.tracing import Mix, requires_strace, trace_python

MIB = 2**20
#: Tensors that are split by rows, by columns in rows of 1 MiB and of 32 KiB, and by rows again.
_LARGE, _ROWS = (48 * MIB, 8 * MIB, 4 * MIB, 2 * MIB), (0, MIB, 2**15, 0)
GET_SLICE = """
import sys
from safetensors import safe_open
path, rank, parts, framework = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
with safe_open(path, framework=framework) as file:
    for name in file.offset_keys():
        part = file.get_slice(name)
        cut = part.get_shape()[-1]
        of = slice(cut * rank // parts, cut * (rank + 1) // parts)
        found = part[of] if len(part.get_shape()) == 1 else part[:, of]
        found.clone() if framework == "pt" else found.copy()
"""
RESHARDED = """
import os, sys, warnings, torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard
warnings.simplefilter("ignore")
path, store = sys.argv[1:]

def rank(number):
    warnings.simplefilter("ignore")
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=number, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    known = dcp.FileSystemReader(path).read_metadata().state_dict_metadata
    state = {}
    for name, found in known.items():
        size = found.size[0]
        half = -(-size // 2)
        local = torch.zeros(half if number == 0 else size - half, dtype=torch.uint8)
        state[name.removeprefix("model.")] = DTensor.from_local(
            local, mesh, [Shard(0)], run_check=False, shape=found.size, stride=(1,))
    dcp.load({"model": state}, checkpoint_id=path)
    assert any(tensor.to_local().any() for tensor in state.values())
    dist.destroy_process_group()

if __name__ == "__main__":
    workers = [mp.get_context("fork").Process(target=rank, args=(k,)) for k in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
"""


def part_of_all(files: Population, rank: int, parts: int) -> list[Slice]:
    """What one of so many ranks needs of every shard: its part of each tensor."""
    found = []
    for number in range(files.format == "dcp", files.files):
        (shard,) = samples_in(files, number)
        found.append(
            Slice(file=number, begin=0, end=shard.length, first=rank, last=rank + 1, parts=parts)
        )
    return found


def resident(path: Path) -> float:
    """The share of a file that is in memory."""
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        share = residency(fd, [path.name], population=1).share
        return share or 0.0
    finally:
        os.close(fd)


def ahead(path: Path) -> float:
    """What the kernel reads ahead at once on the device of a file, as a share of the file."""
    status = path.stat()
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    at_once = sysfs.integer(f"/sys/class/bdi/{device}/read_ahead_kb") or 0
    return 1024 * at_once / status.st_size


def forget(path: Path) -> None:
    """Have nothing of a file in memory; skips where that can't be."""
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        evict(fd, [path.name], allow_drop=False)
    finally:
        os.close(fd)
    if resident(path):
        pytest.skip(f"The filesystem of {path} keeps files in memory.")


def brought_in(path: Path, read: Callable[[], Mix]) -> tuple[Mix, float]:
    """The calls of ``read``, and the share of a file that it brought into memory.

    Where somebody on this machine drops the caches meanwhile, which empties this one's too, it
    reads again; after five times the test skips.
    """
    for _ in range(5):
        forget(path)
        before = sysfs.fields("/proc/vmstat")["drop_pagecache"]
        calls, share = read(), resident(path)
        if sysfs.fields("/proc/vmstat")["drop_pagecache"] == before:
            return calls, share
    pytest.skip("Others on this machine drop the caches all the time.")


@requires_strace
@pytest.mark.parametrize(
    ("reader", "framework", "package"),
    [("safetensors", "pt", "torch"), ("safetensors_numpy", "numpy", "safetensors")],
)
@pytest.mark.parametrize("rank", [0, 2])
def test_slices_of_safetensors_are_mapped_as_the_library_does(
    rank: int, reader: str, framework: str, package: str, tmp_path: Path
) -> None:
    """The same calls on the file, and about as much of it is in memory afterwards, of it all."""
    pytest.importorskip("safetensors", reason="The package safetensors is missing.")
    pytest.importorskip(package, reason=f"The package {package} is missing.")
    shards = [sum(_LARGE)]
    files = saving.population("safetensors", shards, _LARGE, _ROWS)
    saving.save(files, tmp_path)
    path = tmp_path / "data" / path_of(files, 0)
    words = (GET_SLICE, str(path), str(rank), "4", framework)
    places = {"data": tmp_path / "data", "log": tmp_path / "real.log"}
    theirs, expected = brought_in(path, lambda: trace_python(*words, **places))
    needed: list[dict[str, Any]] = [asdict(part) for part in part_of_all(files, rank, 4)]
    told = {"format": "safetensors", "shards": shards, "tensors": _LARGE, "columns": _ROWS}
    told |= {"reader": reader, "needed": needed, "block": 4096}
    ours, found = brought_in(path, lambda: saving.traced(told, tmp_path))
    assert unmapped(steps(ours)) == unmapped(steps(theirs))
    assert not ours.of("read", "pread")
    assert found == pytest.approx(expected, abs=0.1 + ahead(path))


def test_the_library_finds_rows_and_columns(tmp_path: Path) -> None:
    """What a rank needs are the bytes that `get_slice` gives, of rows and of columns."""
    safetensors = pytest.importorskip("safetensors", reason="The package safetensors is missing.")
    files = saving.population("safetensors", [100_000], (24_000, 32_768, 64), (0, 512, 0))
    saving.save(files, tmp_path)
    path = tmp_path / "data" / path_of(files, 0)
    content = path.read_bytes()
    base = 8 + int.from_bytes(content[:8], "little")
    sizes = cut(100_000, files.tensors)
    shapes = [rows(files, size, k) for k, size in enumerate(sizes)]
    assert 512 in shapes
    with safetensors.safe_open(path, framework="numpy") as file:
        for run in runs(files, part_of_all(files, 1, 3)[0]):
            part = file.get_slice(f"tensor.{run.tensor:06d}")
            length = part.get_shape()[-1]
            of = slice(length // 3, length * 2 // 3)
            array = part[:, of] if shapes[run.tensor] else part[of]
            ours = b"".join(
                content[base + start : base + start + run.length]
                for start in (run.start + run.stride * k for k in range(run.count))
            )
            assert ours == array.tobytes()


@requires_strace
@pytest.mark.parametrize("rank", [0, 1])
def test_half_of_a_distributed_checkpoint_costs_all_of_it(rank: int, tmp_path: Path) -> None:
    """A rank that needs half of every tensor makes the calls of one that needs them whole."""
    paths = saved("dcp", tmp_path)
    files = saving.population("dcp", SHARDS, TENSORS)
    needed = [asdict(part) for part in part_of_all(files, rank, 2) if part.end > 10]
    small = names_of(paths)[-1]  # of 3 bytes
    mix = saving.traced(asked("dcp", reader="dcp", needed=needed, block=4096), tmp_path)
    found = steps(mix)
    expected = dict(zip(["told", *names_of(paths)], recorded("load dcp dcp"), strict=True))
    del found["f0000000000"], expected["told"], expected[small]
    for name, calls in expected.items():
        tiny = 2 if rank else 1  # a tensor of one byte has no first half
        assert len([c for c in calls if c not in found[name]]) <= 40 * tiny
        assert sum(came for *_, came in found[name]) == pytest.approx(
            sum(came for *_, came in calls), rel=0.06
        )


@requires_strace
def test_two_ranks_load_a_distributed_checkpoint_as_torch_does(tmp_path: Path) -> None:
    """Each of two real ranks with half of every tensor reads all of all files, and so do ours."""
    pytest.importorskip("torch", reason="torch is missing: scripts/test --torch")
    shards, tensors = [900_000, 500_000], (100_000, 4096, 70_000, 300_000)
    files = saving.population("dcp", shards, tensors)
    saving.save(files, tmp_path)
    paths = [tmp_path / "data" / path_of(files, number) for number in range(3)]
    paths[0].rename(paths[0].parent / ".metadata")
    theirs = steps(
        trace_python(
            RESHARDED, str(paths[0].parent), str(tmp_path / "store"),
            data=tmp_path / "data", log=tmp_path / "real.log",
        )
    )  # fmt: skip
    (paths[0].parent / ".metadata").rename(paths[0])
    told = {"format": "dcp", "shards": shards, "tensors": tensors, "reader": "dcp"}
    both: dict[str, list[tuple[str, int, int]]] = {}
    for rank in range(2):
        needed = [asdict(part) for part in part_of_all(files, rank, 2)]
        block = block_of([str(paths[1])], live=True)
        mix = saving.traced(told | {"needed": needed, "block": block}, tmp_path)
        for name, calls in steps(mix).items():
            both.setdefault(name, []).extend(calls)
    for path in paths[1:]:
        assert sorted(both[path.name]) == sorted(theirs[path.name])
