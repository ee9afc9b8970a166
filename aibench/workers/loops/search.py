"""Answers queries of a vector index on the target, as DiskANN does: hops of parallel reads.

What a hop reads decides where the next one goes, so hops of a query follow one another. Which nodes
they are is drawn, evenly: nodes near the entry, which a real server caches, are read like others.
"""

import os
from collections.abc import Iterator

import numpy as np

from aibench.calls import Calls
from aibench.formats.files import path_of
from aibench.formats.mixing import key
from aibench.model import Search
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import (
    aligned_buffer,
    blame,
    deadline_of,
    direct_flag,
    open_directory,
    wrong_length,
)

#: Where the nodes begin in the file.
HEAD_BYTES = 4096
#: What tells the seed of queries from the other seeds of a run.
_QUERIES = 0x76656373
_AT_ONCE = 64


class _Searching:
    """One thread of control: answers queries, and writes down how long each and its hops took."""

    def __init__(self, job: Job, slot: int, calls: Calls, search: Search) -> None:
        phase = job.phase
        self.name = path_of(phase.population, 0).encode()
        flags = os.O_RDONLY | os.O_CLOEXEC | direct_flag(phase)
        self._fd = calls.open(self.name, flags, dir_fd=open_directory(calls, job))
        self._job, self._search = job, search
        self._clock, self._read = calls.clock, calls.pread_each
        self.asked = search.beam * search.node_bytes
        self._memory = memoryview(aligned_buffer(self.asked).data)
        self._draw = np.random.Generator(np.random.PCG64([key(job.seed, _QUERIES), slot]))
        self.log, self.done, self.start_ns, self.end_ns = Log(), 0, 0, 0
        self._k, self._hops = 0, list[int]()

    def queries(self) -> Iterator[list[list[int]]]:
        """The offsets that each hop of each query reads, without end."""
        search = self._search
        shape = (_AT_ONCE, search.hops, search.beam)
        while True:
            found = self._draw.integers(search.nodes, size=shape) * search.node_bytes + HEAD_BYTES
            yield from found.tolist()

    def answer(self, query: list[list[int]]) -> None:
        """Make the hops of one query."""
        began = before = self._clock()
        for offsets in query:
            came = self._read(self._fd, self._memory, self._search.node_bytes, offsets)
            if came != self.asked:
                raise wrong_length(self._job, self.name, came, self.asked)
            self.end_ns = self._clock()
            self._hops.append(self.end_ns - before)
            before = self.end_ns
        first, last = self.log.stamps
        first[self._k], last[self._k] = began, self.end_ns
        self._k, self.done = self._k + 1, self.done + 1
        if self._k == CAPACITY or len(self._hops) >= CAPACITY:
            self.flush()

    def flush(self) -> None:
        """Count what was answered since the last time."""
        each = self._search.hops * self.asked
        self.log.flush(np.full(self._k, each, dtype=np.int64), self.start_ns)
        self._k = 0
        if self._hops:
            self.log.note("hop", self._hops)
            self._hops.clear()


def prepare_search(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that answers one query after the other until time is over."""
    calls, phase = job.calls(), job.phase
    if phase.search is None or not phase.runtime_ns:
        raise ValueError("to search needs to know what a query reads, and a time")
    searching = _Searching(job, slot, calls, phase.search)
    each = phase.search.hops * searching.asked
    cells, base = progress

    def run(start_ns: int) -> Outcome:
        calls.begin(start_ns)
        searching.start_ns, deadline = start_ns, deadline_of(phase, start_ns)
        began = searching.end_ns = calls.clock()
        try:
            for query in searching.queries():
                searching.answer(query)
                cells[base], cells[base + 1] = searching.done, searching.done * each
                if searching.end_ns >= deadline:
                    break
        except OSError as error:
            raise blame(error, job, searching.name) from error
        searching.flush()
        return Outcome(
            slot=slot, operations=searching.done, bytes=searching.done * each,
            start_ns=began, end_ns=searching.end_ns,
            histograms=searching.log.histograms(), intervals=searching.log.intervals,
        )  # fmt: skip

    return run
