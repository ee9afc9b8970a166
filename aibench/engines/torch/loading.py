"""Loads checkpoints by `torch.load`, safetensors, or torch's distributed checkpoint.

Where a library maps a file every page of its tensors is used afterwards, else nothing would have
been loaded.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch.distributed import checkpoint as dcp

from aibench.calls import real_calls
from aibench.engines.torch.counting import Beat, Calls
from aibench.engines.torch.state import Tensors, Used, sizes_of_tensors, stem, together
from aibench.errors import TargetFailed
from aibench.formats.files import path_of
from aibench.formats.tensors import tensor_name
from aibench.stats.histogram import bins_of
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import Log
from aibench.workers.loops.common import deadline_of, open_directory
from aibench.workers.loops.resume import needed, newest


def _load_safetensors(path: str) -> Tensors:
    from safetensors.torch import load_file

    return dict(load_file(path))


def _load_whole(path: str) -> Tensors:
    from safetensors.torch import load

    return dict(load(Path(path).read_bytes()))


_LOADS: Mapping[str, Callable[[str], Tensors]] = {
    "torch": lambda path: dict(torch.load(path, weights_only=True)),
    "torch_mmap": lambda path: dict(torch.load(path, weights_only=True, mmap=True)),
    "safetensors": _load_safetensors,
    "lean": _load_whole,
}
_MAPPED = ("torch_mmap", "safetensors")


class _Reader(dcp.FileSystemReader):
    """Reads what is where from the file that has it here."""

    def _get_metadata_path(self, rank: int | None = None) -> os.PathLike[str]:
        del rank
        found: os.PathLike[str] = self.fs.concat_path(self.path, "f0000000000")
        return found


class _Rank:
    """One rank, and what it wrote down."""

    def __init__(self, job: Job, slot: int, progress: Progress) -> None:
        self.job, self.phase, self.progress = job, job.phase, progress
        self.population, self.calls = job.phase.population, real_calls()
        self.root = open_directory(self.calls, job)
        self.files = needed(job.phase, slot)
        self.used, self.log = Used(), Log()
        self.timers: dict[str, int] = {}
        self.ended: list[tuple[int, int]] = []
        self.took: list[int] = []
        self.done = self.bytes = 0
        self.state: dict[str, Tensors] = {}
        if self.population.format == "dcp":
            empty = {
                file: {
                    tensor_name(k): torch.zeros(size, dtype=torch.uint8)
                    for k, size in enumerate(sizes_of_tensors(self.population, file))
                }
                for file in self.files
            }
            self.state = together(self.population, empty)

    @property
    def maps(self) -> bool:
        """Whether the library maps files instead of reading them."""
        return self.phase.reader in _MAPPED

    def path(self, file: int) -> str:
        """The path of a file."""
        return f"{self.job.directory}/{path_of(self.population, file)}"

    def load(self, deadline: int) -> None:
        """Load what this rank needs, over and over where time is the bound."""
        began = self.calls.clock()
        if self.phase.marked:
            newest(self.calls, self.root, self.population)
            self.timers["found"] = self.calls.clock() - began
        if self.population.format == "dcp":
            self._load_together()
            return
        while True:
            for file in self.files:
                self._load_one(file)
                if self.calls.clock() >= deadline:
                    return
            if not self.phase.runtime_ns or not self.files:
                return

    def _load_one(self, file: int) -> None:
        t0, path = self.calls.clock(), self.path(file)
        tensors = _LOADS[self.phase.reader](path)
        if self.maps:
            self.used.use(tensors.values())
        self._count(t0, path)
        self._look(path, sum(map(len, tensors.values())), file)

    def _load_together(self) -> None:
        directory = os.path.dirname(self.path(0))
        t0 = self.calls.clock()
        dcp.load(self.state, storage_reader=_Reader(directory))
        self.took.append(self.calls.clock() - t0)
        for file in self.files:
            self._count(t0, self.path(file))
        self.bytes += os.stat(self.path(0)).st_size
        for file in self.files:
            found = [
                tensor
                for name, tensor in self.state["model"].items()
                if name.startswith(f"{stem(self.population, file)}.")
            ]
            self._look(self.path(file), sum(map(len, found)), file)

    def _look(self, path: str, came: int, file: int) -> None:
        expected = sum(sizes_of_tensors(self.population, file))
        if came != expected:
            message = f"{path}: tensors of {came} bytes came where {expected} were written"
            raise TargetFailed(message, code="wrong_length")

    def _count(self, began: int, path: str) -> None:
        now = self.calls.clock()
        self.done += 1
        self.bytes += os.stat(path).st_size
        self.ended.append((now, now - began))
        self.progress.cells[self.progress.base] = self.done

    def finish(self, start_ns: int) -> None:
        """Put the files into the series; and how long each took, or the one call for all."""
        if not self.ended:
            return
        ends, latencies = (np.array(c, dtype=np.int64) for c in zip(*self.ended, strict=True))
        nothing = np.zeros(len(ends), dtype=np.int64)  # their bytes are there already
        self.log.intervals.add(ends - start_ns, nothing, latencies, bins_of(latencies))
        if self.took:
            self.log.note("load_call", self.took)
        else:
            self.log.note("whole", latencies)


def prepare_load(job: Job, slot: int, progress: Progress) -> Run:
    """Make a rank ready that loads what it needs."""
    rank = _Rank(job, slot, progress)
    clock = rank.calls.clock

    def run(start_ns: int) -> Outcome:
        began = clock()
        with Calls("rchar") as read:
            moved = (lambda: rank.used.bytes) if rank.maps else read.bytes
            with Beat(moved, progress, rank.log.intervals, start_ns):
                rank.load(deadline_of(rank.phase, start_ns))
                end = clock()
        rank.finish(start_ns)
        return Outcome(
            slot=slot, operations=rank.done, bytes=rank.bytes, start_ns=began, end_ns=end,
            timers=rank.timers, histograms=rank.log.histograms(), intervals=rank.log.intervals,
        )  # fmt: skip

    return run
