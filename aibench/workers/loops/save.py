"""Saves checkpoints: each rank writes its shards, then makes them durable and visible.

In aibench's own way all shards are written under temporary names first; then each file is synced,
closed and renamed, and the directory synced. In the way of a library (`formats.format.Saving`) they
are written as that does it; what it leaves unsynced is synced afterwards, so that it is known when
the checkpoint is durable. ``blocked`` ends when the trainer could go on: with a snapshot when the
state is copied; in a library's way when its call comes back, which for a distributed checkpoint is
when it is complete; in our own way when all is written. ``durable`` ends with the last sync,
``committed`` when the file is there that tells that all others are. Of several checkpoints each
timer is the longest. Files that did not change are linked, which is in the timers as ``link``; to
remove old checkpoints is in none of them, and is told as ``remove``.
"""

import os
import resource
from dataclasses import replace

import numpy as np

from aibench.formats.files import all_paths_of, path_of, paths_of, sizes_of
from aibench.formats.format import Saving
from aibench.model import SyncPolicy
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import Log
from aibench.workers.loops.common import blame, make_directory, open_directory
from aibench.workers.loops.linking import Links
from aibench.workers.loops.locked import Locked
from aibench.workers.loops.shards import OURS, Shard, Writes, saving_of
from aibench.workers.loops.state import State
from aibench.workers.share import part_of

#: Descriptors that a worker process needs besides those of its shards.
_OTHER_FILES = 64


class Rank:
    """One rank: its shards of each checkpoint, its state in memory, and what it wrote down."""

    def __init__(self, job: Job, slot: int, progress: Progress) -> None:
        self.job, self.slot, self.progress = job, slot, progress
        self.calls, phase = job.calls(), job.phase
        self.saving = saving_of(phase)
        self.synced = phase.sync is not SyncPolicy.NONE
        self.each = phase.population.files // phase.checkpoints
        self.root = open_directory(self.calls, job)
        self.log = Log()
        self.writes = Writes(self.calls, self.log, progress)
        self.shard = Shard(phase, self.calls, self.log, self.writes, self.root)
        self.locked = Locked(self.calls, self.log, self.writes, self.root, synced=self.synced)
        self.timers: dict[str, int] = {}
        self.wholes: list[int] = []
        self.done = 0
        self.name = b""
        self.links = Links(phase, self.calls, self.log, self.root)
        self.state = State(phase, self.files(0), self.calls, self.log)
        self.prepare(0)

    def files(self, checkpoint: int) -> range:
        """The files of this rank; the first of all is the one that marks the checkpoint."""
        own = part_of(self.job.phase, self.slot)
        first = checkpoint * self.each
        return range(first + own.start, first + own.stop)

    def prepare(self, checkpoint: int) -> None:
        """Have the state in memory, and the directories made."""
        population = self.job.phase.population
        files = self.files(checkpoint)
        marked = self.job.phase.marked and self.slot == 0
        self.mark = files[0] if marked else None
        self.shards = self.links.split(files[1:] if marked else files, checkpoint)
        self.state.take([*files[:marked], *self.shards])
        indices = np.arange(files.start, files.stop, dtype=np.int64)
        self.names = dict(zip(files, paths_of(population, indices), strict=True))
        self.sizes = dict(zip(files, sizes_of(population, indices).tolist(), strict=True))
        self.directories = sorted({name.rpartition(b"/")[0] for name in self.names.values()})
        for directory in self.directories:
            make_directory(self.calls, self.job, self.root, directory)

    def save(self, checkpoint: int) -> None:
        """Save one checkpoint, and let go of the oldest."""
        began = self.calls.clock()
        if self.job.phase.snapshot:
            self.state.copy()
            self._time("blocked", began)
        for name in self.links.make():
            self.name = name
        (self._save_ours if self.saving is OURS else self._save_as_library)(checkpoint, began)
        if self.job.phase.marked and self.job.phase.keep:
            self._let_go(checkpoint - self.job.phase.keep)

    def _save_ours(self, checkpoint: int, began: int) -> None:
        begins, fds = [], []
        for file in self.shards:
            begins.append(self.calls.clock())
            self.name = self.names[file]
            fds.append(self.shard.begin(self.name, self.state.pieces(file), self.sizes[file]))
        if not self.job.phase.snapshot:
            self._time("blocked", began)
        for file, fd in zip(self.shards, fds, strict=True):
            self.name = self.names[file]
            self.shard.end(self.name, fd)
            self._count()
        if self.job.phase.sync is SyncPolicy.COMMIT:
            self.shard.sync_directories(self.directories)
        self._note(begins)
        if self.synced:
            self._time("durable", began)
        self._commit(checkpoint, began)

    def _save_as_library(self, checkpoint: int, began: int) -> None:
        begins = []
        for file in self.shards:
            begins.append(self.calls.clock())
            self._save_one(file, self.saving)
            self._count()
        together = self.job.phase.marked and self.saving.synced
        if together:
            self._commit(checkpoint, began)
        if not self.job.phase.snapshot:
            self._time("blocked", began)
        if self.synced:
            self._settle()
            self._time("durable", began)
        self._note(begins)
        if not together:
            self._commit(checkpoint, began)

    def _save_one(self, file: int, saving: Saving) -> None:
        self.name = self.names[file]
        if saving.locked:
            self.locked.save_beside(self.job.phase.population, file)
            self.locked.save(self.name, self.state.pieces(file), held=self.state.held)
            return
        self.shard.save(self.name, self.state.pieces(file), self.sizes[file], saving)

    def _settle(self) -> None:
        """Sync what the library left: files, the directories, and what it synced too early."""
        if self.saving.locked:
            return
        left = self.shards if not self.saving.synced else ()
        self.shard.sync_files([self.names[file] for file in left])
        if self.saving.synced and self.mark is not None:
            self.shard.sync_files([self.names[self.mark]])
        self.shard.sync_directories(self.directories)

    def _commit(self, checkpoint: int, began: int) -> None:
        """Wait for all ranks; the first one then tells that the checkpoint is complete."""
        if not self.job.phase.marked:
            return
        meeting, slots = self.job.meeting, range(self.job.phase.slots)
        meeting.arrive(self.calls, self.slot)
        if self.mark is not None:
            meeting.wait_for(self.calls, slots, 2 * checkpoint + 1, self.slot)
            t0 = self.calls.clock()
            self._write_mark()
            self._note([t0])
            self._count()
            self._time("committed", began)
            self._unmark(checkpoint - self.job.phase.keep)
            meeting.arrive(self.calls, self.slot)
        meeting.wait_for(self.calls, slots[:1], 2 * checkpoint + 2, self.slot)
        if self.mark is None:
            meeting.arrive(self.calls, self.slot)

    def _write_mark(self) -> None:
        assert self.mark is not None
        self.name = self.names[self.mark]
        if self.saving is not OURS:
            self._save_one(self.mark, replace(self.saving, temporary=True))
        else:
            fd = self.shard.begin(self.name, self.state.pieces(self.mark), self.sizes[self.mark])
            self.shard.end(self.name, fd)
            if self.job.phase.sync is SyncPolicy.COMMIT:
                self.shard.sync_directories([self.name.rpartition(b"/")[0]])

    def _unmark(self, checkpoint: int) -> None:
        """Before anything of a checkpoint is removed, take away what says that it is complete."""
        if self.job.phase.keep and checkpoint >= 0:
            self.calls.unlink(self._path(checkpoint * self.each), dir_fd=self.root)

    def _let_go(self, checkpoint: int) -> None:
        """Remove what this rank has of a checkpoint, the first rank the directory of the last."""
        if checkpoint < 0:
            return
        t0 = self.calls.clock()
        files = self.files(checkpoint)
        for file in files if self.mark is None else files[1:]:
            self._remove(file)
        if self.mark is not None and checkpoint:
            path = self._path((checkpoint - 1) * self.each)
            self.calls.rmdir(path.rpartition(b"/")[0], dir_fd=self.root)
        self.log.note("remove", [self.calls.clock() - t0])

    def _remove(self, file: int) -> None:
        """Remove a file, and what lies beside it."""
        for path in all_paths_of(self.job.phase.population, file):
            self.name = path.encode()
            self.calls.unlink(self.name, dir_fd=self.root)

    def _path(self, file: int) -> bytes:
        self.name = path_of(self.job.phase.population, file).encode()
        return self.name

    def _count(self) -> None:
        self.done += 1
        self.progress.cells[self.progress.base] = self.done

    def _time(self, name: str, began: int) -> None:
        self.timers[name] = max(self.timers.get(name, 0), self.calls.clock() - began)

    def _note(self, begins: list[int]) -> None:
        """Count each file as one whole operation, which ends when all of its rank do."""
        end = self.calls.clock()
        self.wholes += [end - begin for begin in begins]


def allow_open(shards: int) -> None:
    """Lift the soft limit of open files where all shards of a process would not fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = shards + len(os.listdir("/proc/self/fd")) + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def prepare_save(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that saves this rank's shards of all checkpoints."""
    rank = Rank(job, slot, progress)
    clock = rank.calls.clock
    allow_open((len(rank.shards) + 1) * job.phase.threads)

    def run(start_ns: int) -> Outcome:
        rank.writes.start_ns = start_ns
        rank.calls.begin(start_ns)
        began = clock()
        try:
            for checkpoint in range(job.phase.checkpoints):
                if checkpoint:
                    t0 = clock()
                    rank.prepare(checkpoint)
                    rank.log.note("generate", [clock() - t0])
                rank.save(checkpoint)
        except OSError as error:
            raise blame(error, job, rank.name) from error
        end = clock()
        rank.writes.bin()
        if rank.wholes:
            rank.log.note("whole", rank.wholes)
        return Outcome(
            slot=slot, operations=rank.done, bytes=rank.writes.total, start_ns=began, end_ns=end,
            timers=rank.timers,
            histograms=rank.log.histograms(), intervals=rank.log.intervals,
        )  # fmt: skip

    return run
