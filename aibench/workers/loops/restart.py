"""What a rank does between its checkpoint and the first step: waits, learns of its data, reads."""

import os
from dataclasses import replace
from itertools import islice

from aibench.calls import Calls
from aibench.formats.files import directory_count, path_of, size_of, suffixes_of
from aibench.formats.python import PythonFile
from aibench.model import Dataset, Indexing, Operation, Order, Phase
from aibench.workers.job import Job, Progress
from aibench.workers.log import Log
from aibench.workers.loops.samples import access_of, chunks_read, reading_of


def beside(job: Job, dataset: Dataset) -> str:
    """The directory of a data set in the workspace of the checkpoint."""
    workspace = job.directory.removesuffix(job.phase.population.directory)
    return workspace + dataset.population.directory


def _sampling(phase: Phase, dataset: Dataset) -> Phase:
    """The reading of samples from ``dataset`` by as many ranks."""
    return replace(
        phase,
        operation=Operation.READ_FILES,
        population=dataset.population,
        order=Order.SHUFFLED if dataset.shuffled else Order.SEQUENTIAL,
        reader=dataset.reader,
        window=dataset.window,
        batch=dataset.batch,
        shift=0,
        shares=(),
        reads=(),
        resume=None,
        marked=False,
        checkpoints=1,
    )


class Restart:
    """What is left to do once a checkpoint is read; nothing where nobody asked, or time ends it."""

    def __init__(self, job: Job, slot: int, calls: Calls, log: Log, progress: Progress) -> None:
        resume = None if job.phase.runtime_ns else job.phase.resume
        self.asked = job.phase.resume is not None
        self.bytes = 0
        self._waits = resume is not None and resume.passes_on
        self._job, self._slot, self._calls, self._log = job, slot, calls, log
        self._progress = progress
        self._name = ""
        self._dataset = resume.dataset if resume else None
        if self._dataset is None:
            return
        self._directory = beside(job, self._dataset)
        self._root = calls.open(os.fsencode(self._directory), os.O_RDONLY | os.O_DIRECTORY)
        self._sampled = replace(job, phase=_sampling(job.phase, self._dataset))
        self._access = access_of(self._sampled.phase, calls, self._root)
        reading = reading_of(self._sampled.phase)
        self._reader = reading.make(self._access)
        self._chunks = chunks_read(self._sampled, slot, streams=reading.streams)

    def go_on(self, start_ns: int, loaded: int, timers: dict[str, int]) -> int:
        """Do it, with the time of each part among ``timers``; returns when it is done.

        OSError names the file of the data set.
        """
        clock = self._calls.clock
        if self._waits:
            t0 = clock()
            self._job.meeting.arrive(self._calls, self._slot)
            self._job.meeting.wait_for(self._calls, range(1), 1, self._slot)
            timers["broadcast"] = clock() - t0
        if self._dataset is None:
            return clock() if self._waits else 0
        try:
            t0 = clock()
            self._learn(self._dataset)
            t1 = clock()
            timers["index"] = t1 - t0
            self._read(self._dataset)
        except OSError as error:
            path = f"{self._directory}/{self._name}"
            raise OSError(error.errno, error.strerror, path) from error
        end = clock()
        timers["first_batch"] = end - t1
        self._log.intervals.add_bytes(end - start_ns, self.bytes)
        cells, base = self._progress
        cells[base + 1] = loaded + self.bytes
        return end

    def _learn(self, dataset: Dataset) -> None:
        """List all directories; ask for each file, or read the index beside it."""
        calls, root, population = self._calls, self._root, dataset.population
        for number in range(directory_count(population)):
            self._name = f"d{number:06d}"
            fd = calls.open(self._name.encode(), os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)
            calls.listdir(fd)
            calls.close(fd)
        if dataset.indexing is Indexing.STAT:
            for file in range(population.files):
                self._name = path_of(population, file)
                calls.stat(self._name.encode(), dir_fd=root)
        if dataset.indexing is Indexing.READ:
            self._read_indices(dataset)

    def _read_indices(self, dataset: Dataset) -> None:
        python, population = PythonFile(self._access), dataset.population
        for file in range(population.files):
            for suffix in suffixes_of(population)[1:]:
                self._name = path_of(population, file) + suffix
                python.open(self._name.encode())
                self.bytes += python.read_all(size_of(population, file, suffix))
                python.close()

    def _read(self, dataset: Dataset) -> None:
        """Read one batch of samples."""
        coming = self._reader.samples(self._chunks)
        try:
            for moved in islice(coming, dataset.batch):
                self.bytes += moved
        except OSError:
            self._name = path_of(dataset.population, self._reader.file)
            raise
        finally:
            coming.close()
