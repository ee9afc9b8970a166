"""Reads files back and compares every byte with what was to be written."""

import os
from collections.abc import Iterator

import numpy as np

from aibench.formats.content import Content
from aibench.formats.files import paths_of, size_of, sizes_of, suffixes_of
from aibench.formats.packing import Packer
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.loops.common import aligned_buffer, blame, open_directory
from aibench.workers.share import block_of, chunks_of

_PIECE = 4 * 2**20


class _Reader:
    """Compares one file at a time, with one buffer."""

    def __init__(self, job: Job, root: int, progress: Progress) -> None:
        population = job.phase.population
        self._content = Content(population.seed)
        self._packer = None if population.format == "files" else Packer(population)
        self._expected = memoryview(bytearray(_PIECE if self._packer else 0))
        self._root, self._progress = root, progress
        self._buffer = aligned_buffer(_PIECE)

    def first_wrong(
        self, name: bytes, index: int, size: int, before: int, suffix: str = ""
    ) -> int | None:
        """The offset of the first wrong byte; a missing or surplus byte is wrong too.

        With a ``suffix``, that of the file beside the one of that ``name``.
        """
        name += suffix.encode()
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._root)
        except FileNotFoundError:
            return 0
        cells, base = self._progress
        try:
            actual = os.fstat(fd).st_size
            compare = self._plain if self._packer is None else self._packed
            for done, wrong in compare(fd, index, min(size, actual), suffix):
                if wrong is not None:
                    return wrong
                cells[base + 1] = before + done
        finally:
            os.close(fd)
        return None if actual == size else min(actual, size)

    def _plain(
        self, fd: int, index: int, size: int, _suffix: str
    ) -> Iterator[tuple[int, int | None]]:
        """(bytes read so far, offset of the first wrong one) of a plain file."""
        view = memoryview(self._buffer.data)
        for offset in range(0, size, _PIECE):
            length = _read(fd, view, min(_PIECE, size - offset))
            wrong = self._content.first_wrong(self._buffer[:length], index, offset)
            yield offset + length, wrong

    def _packed(
        self, fd: int, file: int, size: int, suffix: str
    ) -> Iterator[tuple[int, int | None]]:
        """The same of a file in another format."""
        assert self._packer is not None
        view = memoryview(self._buffer.data)
        offset = 0
        for piece in self._packer.pack(file, self._expected, suffix):
            length = _read(fd, view, min(len(piece), size - offset))
            wrong = self._buffer[:length] != np.frombuffer(piece, dtype=np.uint8)[:length]
            yield offset + length, offset + int(np.argmax(wrong)) if wrong.any() else None
            offset += length
            if offset == size:
                return


def _files(job: Job, slot: int) -> Iterator[tuple[bytes, int, int, str]]:
    """(path, number, size, suffix) of this slot's files, each with what lies beside it."""
    population = job.phase.population
    endings = suffixes_of(population)[1:]
    for indices in chunks_of(block_of(population.files, job.phase.slots, slot)):
        sizes = sizes_of(population, indices).tolist()
        names = paths_of(population, indices)
        for name, index, size in zip(names, indices.tolist(), sizes, strict=True):
            yield name, index, size, ""
            for suffix in endings:
                yield name, index, size_of(population, index, suffix), suffix


def prepare_verify(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that compares this slot's files; it ends at the first wrong byte."""
    calls = job.calls()
    population = job.phase.population
    reader = _Reader(job, open_directory(calls, job), progress)
    cells, base = progress
    last = suffixes_of(population)[-1]

    def run(_start_ns: int) -> Outcome:
        began = calls.clock()
        done = total = 0
        wrong: tuple[int, int] | None = None
        suffix = ""
        for name, index, size, suffix in _files(job, slot):
            try:
                offset = reader.first_wrong(name, index, size, total, suffix)
            except OSError as error:
                raise blame(error, job, name + suffix.encode()) from error
            if offset is not None:
                wrong = (index, offset)
                break
            done, total = done + (suffix == last), total + size
            cells[base], cells[base + 1] = done, total
        return Outcome(
            slot=slot, operations=done, bytes=total, start_ns=began, end_ns=calls.clock(),
            wrong=wrong, suffix=suffix if wrong else "",
        )  # fmt: skip

    return run


def _read(fd: int, view: memoryview, length: int) -> int:
    """Fill the first ``length`` bytes of ``view`` as far as the file goes."""
    done = 0
    while done < length:
        count = os.readv(fd, [view[done:length]])
        if count == 0:
            break
        done += count
    return done
