"""Saves checkpoints by `torch.save`, safetensors, or torch's distributed checkpoint.

``blocked`` ends when the library's call comes back, with a snapshot when the state is copied;
``durable`` when what the library left unsynced was synced by us; ``committed`` when the file is
there that tells that the checkpoint is complete, which is one of ours where the library has none.
Of several checkpoints each timer is the longest.
"""

import os
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import distributed
from torch.distributed import checkpoint as dcp

from aibench.calls import real_calls
from aibench.engines.torch.counting import Beat, Calls
from aibench.engines.torch.state import Tensors, copied, tensors_of, together
from aibench.formats.files import path_of
from aibench.model import SyncPolicy
from aibench.stats.histogram import bins_of
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import Log
from aibench.workers.loops.common import make_directory, open_directory
from aibench.workers.share import part_of


def _save_stream(tensors: Tensors, path: str) -> None:
    with open(path, "wb") as file:
        torch.save(tensors, file)


def _save_safetensors(tensors: Tensors, path: str) -> None:
    from safetensors.torch import save_file

    save_file(tensors, path)


_SAVES: Mapping[str, Callable[[Tensors, str], None]] = {
    "torch": torch.save,
    "torch_stream": _save_stream,
    "safetensors": _save_safetensors,
}


class _Rank:
    """One rank: what it has in memory, where it saves it, and what it wrote down."""

    def __init__(self, job: Job, slot: int, progress: Progress) -> None:
        self.job, self.phase, self.slot, self.progress = job, job.phase, slot, progress
        self.population, self.calls = job.phase.population, real_calls()
        self.each = self.population.files // self.phase.checkpoints
        self.root = open_directory(self.calls, job)
        self.synced = self.phase.sync is not SyncPolicy.NONE
        self.is_dcp = self.population.format == "dcp"
        self.timers: dict[str, int] = {}
        self.ended: list[tuple[int, int]] = []
        self.took: list[int] = []
        self.log = Log()
        self.done = self.bytes = 0
        self.prepare(0)

    def prepare(self, checkpoint: int) -> None:
        """Have the state of a checkpoint in memory, and its directories made."""
        own, first = part_of(self.phase, self.slot), checkpoint * self.each
        files = list(range(first + own.start, first + own.stop))
        marks = self.phase.marked and self.slot == 0
        self.mark = files[0] if marks else None
        self.shards = {file: tensors_of(self.population, file) for file in files[marks:]}
        self.directories = sorted({os.path.dirname(self.path(file)) for file in files})
        for directory in self.directories:
            make_directory(self.calls, self.job, self.root, os.path.basename(directory).encode())

    def path(self, file: int) -> str:
        """The path of a file of ours."""
        return f"{self.job.directory}/{path_of(self.population, file)}"

    def save(self, checkpoint: int) -> None:
        """Save one checkpoint, and let go of the oldest."""
        began = self.calls.clock()
        (self._save_together if self.is_dcp else self._save_each)(checkpoint, began)
        if self.phase.marked and self.phase.keep:
            self._let_go(checkpoint - self.phase.keep)

    def _save_each(self, checkpoint: int, began: int) -> None:
        shards, write = self.shards, _SAVES[self.population.format]
        if self.phase.snapshot:
            shards = copied(shards)
            self._time("blocked", began)
        paths = []
        for file, tensors in shards.items():
            t0, path = self.calls.clock(), self.path(file)
            write(tensors, path)
            self._count(t0, path)
            paths.append(path)
        if not self.phase.snapshot:
            self._time("blocked", began)
        if self.synced:
            self._sync(paths)
            self._time("durable", began)
        if self.phase.marked:
            self._commit(checkpoint, began)

    def _save_together(self, checkpoint: int, began: int) -> None:
        directory = os.path.dirname(self.path(checkpoint * self.each))
        state = together(self.population, self.shards)
        writer = dcp.FileSystemWriter(
            directory, thread_count=max(len(self.shards), 1), sync_files=self.synced
        )
        if self.phase.snapshot:
            coming = dcp.async_save(state, storage_writer=writer)
            self._time("blocked", began)
            coming.result()
        else:
            dcp.save(state, storage_writer=writer)
            self._time("blocked", began)
        self.took.append(self.calls.clock() - began)
        for path in self._names(directory):
            self._count(began, path)
        if self.mark is not None:
            self._time("committed", began)
        if self.synced:
            self._sync([])
            self._time("durable", began)

    def _names(self, directory: str) -> list[str]:
        """What the library calls the files of this rank, the one that tells of all first."""
        mark = [f"{directory}/.metadata"] if self.mark is not None else []
        prefix = f"__{self.slot}_"
        names = sorted(name for name in os.listdir(directory) if name.startswith(prefix))
        return mark + [f"{directory}/{name}" for name in names]

    def _sync(self, paths: list[str]) -> None:
        """Sync files that are closed already, and the directories they are in."""
        for path in (*paths, *self.directories):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            t0 = self.calls.clock()
            os.fsync(fd)
            if path in paths:
                self.log.note("fsync", [self.calls.clock() - t0])
            os.close(fd)

    def _commit(self, checkpoint: int, began: int) -> None:
        """Wait for all ranks; the first one then tells that the checkpoint is complete."""
        meeting, slots = self.job.meeting, range(self.phase.slots)
        meeting.arrive(self.calls, self.slot)
        if self.mark is not None:
            meeting.wait_for(self.calls, slots, 2 * checkpoint + 1)
            t0, path = self.calls.clock(), self.path(self.mark)
            _SAVES[self.population.format](tensors_of(self.population, self.mark), path + ".tmp")
            os.rename(path + ".tmp", path)
            self._count(t0, path)
            self._time("committed", began)
            if self.phase.keep and checkpoint >= self.phase.keep:
                os.unlink(self.path((checkpoint - self.phase.keep) * self.each))
            meeting.arrive(self.calls, self.slot)
        meeting.wait_for(self.calls, slots[:1], 2 * checkpoint + 2)
        if self.mark is None:
            meeting.arrive(self.calls, self.slot)

    def _let_go(self, checkpoint: int) -> None:
        """Remove what this rank has of a checkpoint, the first rank the directory of the last."""
        if checkpoint < 0:
            return
        t0 = self.calls.clock()
        first = checkpoint * self.each
        directory = os.path.dirname(self.path(first))
        if self.is_dcp:
            names = self._names(directory)
            if self.mark is not None:
                os.unlink(names.pop(0))
            distributed.barrier()
        else:
            own = part_of(self.phase, self.slot)
            marks = self.mark is not None
            names = [self.path(first + file) for file in list(own)[marks:]]
        for name in names:
            os.unlink(name)
        if self.mark is not None and checkpoint:
            os.rmdir(os.path.dirname(self.path(first - self.each)))
        self.log.note("remove", [self.calls.clock() - t0])

    def _count(self, began: int, path: str) -> None:
        now = self.calls.clock()
        self.done += 1
        self.bytes += os.stat(path).st_size
        self.ended.append((now, now - began))
        self.progress.cells[self.progress.base] = self.done

    def _time(self, name: str, began: int) -> None:
        self.timers[name] = max(self.timers.get(name, 0), self.calls.clock() - began)

    def finish(self, start_ns: int) -> None:
        """Put the files into the series; and how long each took, or the one call for all."""
        if not self.ended:
            return
        ends, latencies = (np.array(c, dtype=np.int64) for c in zip(*self.ended, strict=True))
        nothing = np.zeros(len(ends), dtype=np.int64)  # their bytes are there already
        self.log.intervals.add(ends - start_ns, nothing, latencies, bins_of(latencies))
        if self.took:
            self.log.note("save_call", self.took)
        else:
            self.log.note("whole", latencies)


def prepare_save(job: Job, slot: int, progress: Progress) -> Run:
    """Make a rank ready that saves its shards of all checkpoints."""
    rank = _Rank(job, slot, progress)
    clock = rank.calls.clock

    def run(start_ns: int) -> Outcome:
        began = clock()
        with Calls("wchar") as written, Beat(written.bytes, progress, rank.log.intervals, start_ns):
            for checkpoint in range(job.phase.checkpoints):
                if checkpoint:
                    t0 = clock()
                    rank.prepare(checkpoint)
                    rank.log.note("generate", [clock() - t0])
                rank.save(checkpoint)
            end = clock()
        rank.finish(start_ns)
        return Outcome(
            slot=slot, operations=rank.done, bytes=rank.bytes, start_ns=began, end_ns=end,
            timers=rank.timers, histograms=rank.log.histograms(), intervals=rank.log.intervals,
        )  # fmt: skip

    return run
