"""What a rank has in memory when it saves a checkpoint, in the pieces in which it is written."""

from collections.abc import Iterable, Iterator

import numpy as np

from aibench.calls import Calls
from aibench.formats.content import BLOCK, Content
from aibench.formats.files import sizes_of
from aibench.formats.format import Payload, format_of, samples_in
from aibench.formats.tensors import cut
from aibench.model import CachePolicy, Phase
from aibench.workers.log import Log
from aibench.workers.loops.common import aligned_buffer

#: A rank holds its state in memory up to this size, as a trainer does; beyond, it is generated
#: anew while it is written, which the histogram ``generate`` shows.
HELD_BYTES = 256 * 2**20

#: A piece, and how many of its bytes count.
Piece = tuple[memoryview, int]


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


class State:
    """The shards of one rank, ``files`` by number; the same rank has others at each checkpoint."""

    def __init__(self, phase: Phase, files: range, calls: Calls, log: Log) -> None:
        self._phase, self._calls, self._log = phase, calls, log
        self._content = Content(phase.population.seed)
        self._io_size = _padded(phase.io_size)
        self._direct = phase.cache is CachePolicy.DIRECT
        tensors = [size for file in files for size in self._tensors(file)]
        self.held = sum(map(_padded, tensors)) <= HELD_BYTES
        room = sum(map(_padded, tensors)) if self.held else max(map(_padded, tensors))
        plain = phase.population.format == "files"
        self._buffer = aligned_buffer(room if self.held or not plain else self._io_size)
        self._view = memoryview(self._buffer.data)
        self._pieces: dict[int, list[Piece]] = {}

    def _tensors(self, file: int) -> tuple[int, ...]:
        (shard,) = samples_in(self._phase.population, file)
        return cut(shard.length, self._phase.population.tensors)

    def take(self, files: Iterable[int]) -> None:
        """Have what these files will hold in memory, if it fits."""
        self._pieces.clear()
        at = 0
        for file in files if self.held else ():
            self._pieces[file], at = self._made(file, at)

    def copy(self) -> None:
        """Copy all that is held, as the snapshot of an asynchronous save does."""
        self._copied = self._buffer.copy()

    def pieces(self, file: int) -> Iterator[Piece]:
        """The pieces of a file in their order; one is gone when the next one comes."""
        if self.held:
            return iter(self._pieces[file])
        if self._phase.population.format == "files":
            return self._generated(file)
        return self._timed(self._formatted(file, 0, grows=False))

    def _made(self, file: int, at: int) -> tuple[list[Piece], int]:
        if self._phase.population.format != "files":
            pieces = list(self._formatted(file, at, grows=True))
            return pieces, at + sum(map(_padded, self._tensors(file)))
        size = int(sizes_of(self._phase.population, np.array([file], dtype=np.int64))[0])
        end = at + _padded(size)
        self._content.fill(self._buffer[at:end], file, 0)
        return [self._piece(at + offset, size - offset) for offset in self._offsets(size)], end

    def _offsets(self, size: int) -> range:
        return range(0, size, self._io_size)

    def _piece(self, start: int, left: int) -> Piece:
        """The piece at ``start`` of the memory; under O_DIRECT padded to a whole block."""
        length = min(self._io_size, left)
        return self._view[start : start + (_padded(length) if self._direct else length)], length

    def _generated(self, file: int) -> Iterator[Piece]:
        """The pieces of a plain file, made as they are written."""
        (size,) = self._tensors(file)
        for offset in self._offsets(size):
            t0 = self._calls.clock()
            length = _padded(min(self._io_size, size - offset))
            self._content.fill(self._buffer[:length], file, offset)
            self._log.note("generate", [self._calls.clock() - t0])
            yield self._piece(0, size - offset)

    def _timed(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """The same pieces; the time that it takes to make them is written down."""
        while True:
            t0 = self._calls.clock()
            piece = next(pieces, None)
            self._log.note("generate", [self._calls.clock() - t0])
            if piece is None:
                return
            yield piece

    def _formatted(self, file: int, at: int, *, grows: bool) -> Iterator[Piece]:
        """The pieces of a file of a format; tensors lie in memory from ``at`` on, or all there."""
        views: dict[int, memoryview] = {}

        def contents(payload: Payload) -> Iterator[memoryview]:
            nonlocal at
            end = at + _padded(payload.length)
            self._content.fill(self._buffer[at:end], payload.sample, 0)
            if not grows:
                views.clear()
            views[payload.sample] = self._view[at : at + payload.length]
            at = end if grows else at
            yield views[payload.sample]

        population = self._phase.population
        for part in format_of(population).parts(population, file, contents):
            if isinstance(part, Payload):
                if part.sample not in views:
                    next(contents(part))
                yield views[part.sample], part.length
            else:
                yield memoryview(part), len(part)
