"""Collects raw data: files from memory or from another directory, written whole, each once."""

import numpy as np

from aibench.calls import Calls
from aibench.formats.files import directory_count, paths_of, sizes_of
from aibench.model import SyncPolicy
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import Log
from aibench.workers.loops.common import blame, deadline_of, make_directory, open_directory
from aibench.workers.loops.granules import create, write_all
from aibench.workers.loops.pieces import pieces_of
from aibench.workers.share import block_of, chunks_of


class _Writer:
    """Writes one file at a time, and how long the parts of that took."""

    def __init__(self, job: Job, slot: int, calls: Calls, progress: Progress, log: Log) -> None:
        phase = job.phase
        self.part = block_of(phase.population.files, phase.slots, slot)
        self.spent: dict[str, list[int]] = {"write": []}
        self.start_ns = 0
        self._calls, self._progress, self._log = calls, progress, log
        self._root = open_directory(calls, job)
        self._pieces = pieces_of(phase, calls, self.part)
        self._synced = phase.sync is not SyncPolicy.NONE
        for number in range(slot, directory_count(phase.population), phase.slots):
            make_directory(calls, job, self._root, b"d%06d" % number)

    def write(self, name: bytes, index: int, size: int, total: int) -> int:
        """Write one file; returns its bytes that the series has not counted yet."""
        calls, pieces, clock = self._calls, self._pieces, self._calls.clock
        cells, base = self._progress
        begin = clock()
        pieces.open(index, size)
        fd = create(calls, name, self._root)
        counted = last = 0
        at = begin
        for piece in pieces.pieces():
            write_all(calls, fd, piece)
            if last:
                self._log.intervals.add_bytes(at - self.start_ns, last)
                counted += last
            at, last = clock(), len(piece)
            cells[base + 1] = total + counted + last
        took = 0
        if self._synced:
            took = -clock()
            calls.fsync(fd)
            took += clock()
            self._note("fsync", took)
        calls.close(fd)
        pieces.close()
        if pieces.spent_ns:
            self._note(pieces.kind, pieces.spent_ns)
        self._note("write", clock() - begin - took - pieces.spent_ns)
        return size - counted

    def _note(self, kind: str, took: int) -> None:
        self.spent.setdefault(kind, []).append(took)

    def flush(self) -> None:
        """Count what was noted."""
        for kind, latencies in self.spent.items():
            if latencies:
                self._log.note(kind, latencies)
                latencies.clear()


def prepare_ingest(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that writes this slot's files: [read], open, write, [fsync], close."""
    calls, phase, population = job.calls(), job.phase, job.phase.population
    log = Log()
    writer = _Writer(job, slot, calls, progress, log)
    cells, base = progress

    def run(start_ns: int) -> Outcome:
        clock, (before, after) = calls.clock, log.stamps
        deadline = deadline_of(phase, start_ns)
        calls.begin(start_ns)
        writer.start_ns = start_ns
        began = end = clock()
        done = total = 0
        name = b""
        try:
            for indices in chunks_of(writer.part):
                sizes = sizes_of(population, indices).tolist()
                counts: list[int] = []
                for k, (name, index, size) in enumerate(
                    zip(paths_of(population, indices), indices.tolist(), sizes, strict=True)
                ):
                    before[k] = clock()
                    counts.append(writer.write(name, index, size, total))
                    after[k] = end = clock()
                    done, total = done + 1, total + size
                    cells[base], cells[base + 1] = done, total
                    if end >= deadline:
                        break
                log.flush(np.array(counts, dtype=np.int64), start_ns)
                writer.flush()
                if end >= deadline:
                    break
        except OSError as error:
            raise blame(error, job, name) from error
        return Outcome(
            slot=slot, operations=done, bytes=total, start_ns=began, end_ns=end,
            histograms=log.histograms(), intervals=log.intervals,
        )  # fmt: skip

    return run
