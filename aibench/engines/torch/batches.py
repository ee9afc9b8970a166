"""What worker processes of a DataLoader do: read samples, time each, and put batches together.

A batch is two tensors: the bytes of its samples one after the other, as a trainer gets them, and
integers: which worker it was and its CPU time, then for each sample when its reading began and
ended (in ns, of the clock that all processes share) and its size.
"""

import errno
import os
import resource
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from time import perf_counter_ns
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from aibench.engines.torch.counting import Calls
from aibench.engines.torch.reads import Bytes, read_of
from aibench.formats.files import path_of, sizes_of
from aibench.formats.packing import Packer
from aibench.model import Phase, Population
from aibench.orphans import die_with
from aibench.workers.share import dealt, dealt_files, epoch_seed

#: What reading a file can end with, besides what was asked for.
UNREADABLE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile)


class Failed(NamedTuple):
    """Why a sample could not be read: an exception would reach the trainer without its number."""

    number: int
    text: str
    path: str


class Row(NamedTuple):
    """One sample: when its reading began and ended, its size in its file, and its bytes."""

    began: int
    ended: int
    size: int
    data: Bytes


#: What a worker hands to the trainer.
Batch = tuple[torch.Tensor, torch.Tensor] | Failed


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker needs to know of its own: called first of all in each."""

    parent: int

    def __call__(self, _worker: int) -> None:
        """Die with the trainer, whatever becomes of it."""
        die_with(self.parent)


def failed(error: BaseException, path: str) -> Failed:
    """An error as it can be handed on."""
    number = error.errno if isinstance(error, OSError) and error.errno else 0
    text = os.strerror(number) if number else f"{type(error).__name__}: {error}"
    return Failed(number, text, path)


def collate(rows: Sequence[Row | Failed]) -> Batch:
    """The batch of these samples."""
    good = [row for row in rows if isinstance(row, Row)]
    if len(good) < len(rows):
        return next(row for row in rows if isinstance(row, Failed))
    info, used = get_worker_info(), resource.getrusage(resource.RUSAGE_SELF)
    figures = [(info.id if info else 0, int(used.ru_utime * 1e9), int(used.ru_stime * 1e9))]
    figures += [(row.began, row.ended, row.size) for row in good]
    data = np.concatenate([row.data[: row.size] for row in good])
    return torch.tensor(figures, dtype=torch.int64), torch.from_numpy(data)


class Epochs:
    """The batches of an epoch as aibench deals them, one more epoch each time it is asked.

    A batch is a list of (number, size) of its samples; what comes ``i``-th goes to worker
    ``i mod workers``, so that each worker reads the files that one of engine posix reads.
    """

    def __init__(self, phase: Phase, whole: Phase, seed: int) -> None:
        self._phase, self._whole, self._seed = phase, whole, seed
        self._epoch = phase.epoch

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        seed, batch = epoch_seed(self._seed, self._epoch), self._phase.batch
        self._epoch += 1
        for chunk in dealt(self._whole, seed, 0):
            sizes = sizes_of(self._phase.population, chunk).tolist()
            pairs = zip(chunk.tolist(), sizes, strict=True)
            while found := list(islice(pairs, batch)):
                yield found


class Files:
    """A map-style dataset: one sample a file, read as its reader really does."""

    def __init__(self, phase: Phase, directory: str, memory: "Memory | None" = None) -> None:
        self._population, self._directory, self._memory = phase.population, directory, memory
        self._read = read_of(phase.population.format, phase.reader)

    def __getitem__(self, item: tuple[int, int]) -> Row | Failed:
        number, size = item
        if self._memory is None:
            path = f"{self._directory}/{path_of(self._population, number)}"
        else:
            place = number % len(self._memory.paths)
            path, size = self._memory.paths[place], self._memory.sizes[place]
        began = perf_counter_ns()
        try:
            data = self._read(path)
        except UNREADABLE as error:
            return failed(error, path)
        ended = perf_counter_ns()
        if self._population.format == "files" and len(data) != size:
            return Failed(errno.EIO, f"read {len(data)} bytes where {size} were written", path)
        return Row(began, ended, size, data)


class Memory:
    """The first files of the data in memory, at paths that any library can open.

    Reading them is all that reading the others is, but for the storage.
    """

    def __init__(self, population: Population, most: int) -> None:
        packer, buffer = Packer(population), memoryview(bytearray(2**18))
        self.paths: list[str] = []
        self.sizes: list[int] = []
        for number in range(population.files):
            if number and sum(self.sizes) >= most:
                return
            fd = os.memfd_create("aibench")
            with open(fd, "wb", closefd=False) as file:
                file.writelines(packer.pack(number, buffer))
                self.sizes.append(file.tell())
            self.paths.append(f"/proc/{os.getpid()}/fd/{fd}")


class Shards(IterableDataset):
    """Whole shards by the package webdataset, split over workers by itself; batches of samples.

    A sample counts the bytes that came by read calls for it, which `tarfile` makes ahead of it.
    """

    def __init__(
        self, phase: Phase, whole: Phase, directory: str, seed: int, memory: Memory | None = None
    ) -> None:
        self._phase, self._whole, self._directory, self._seed = phase, whole, directory, seed
        self._epoch, self._memory = phase.epoch, memory

    def imported(self) -> None:
        """Have everything imported that reading takes: importing reads files too."""
        import webdataset

        one = replace(self._phase.population, files=1, samples_per_file=1)
        for _ in webdataset.WebDataset(Memory(one, 1).paths, shardshuffle=False):
            pass

    def _paths(self) -> list[str]:
        """The shards of the next epoch in their order."""
        if self._memory is not None:
            return self._memory.paths * self._phase.processes
        seed = epoch_seed(self._seed, self._epoch)
        self._epoch += 1
        return [
            f"{self._directory}/{path_of(self._phase.population, number)}"
            for chunk in dealt_files(self._whole, seed, 0)
            for number in chunk.tolist()
        ]

    def __iter__(self) -> Iterator[Batch]:
        import webdataset

        coming = webdataset.WebDataset(
            self._paths(), shardshuffle=False, workersplitter=webdataset.split_by_worker,
            empty_check=False,
        )  # fmt: skip
        rows = self._rows(iter(coming))
        while found := list(islice(rows, self._phase.batch)):
            yield collate(found)

    def _rows(self, coming: Iterator[dict[str, bytes]]) -> Iterator[Row | Failed]:
        path = ""
        with Calls("rchar", thread=True) as counter:
            while True:
                before, began = counter.bytes(), perf_counter_ns()
                try:
                    sample = next(coming, None)
                except UNREADABLE as error:
                    yield failed(error, str(getattr(error, "filename", None) or path))
                    return
                ended = perf_counter_ns()
                if sample is None:
                    return
                path = str(sample["__url__"])
                data = np.frombuffer(sample["jpg"], dtype=np.uint8)
                yield Row(began, ended, counter.bytes() - before, data)
