"""The bytes of files, piece by piece: from memory, made meanwhile, or read from a source."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from aibench.calls import Calls
from aibench.formats.content import BLOCK, Content
from aibench.formats.files import sizes_of
from aibench.model import Phase
from aibench.workers.loops.common import aligned_buffer
from aibench.workers.loops.source import Source
from aibench.workers.loops.state import HELD_BYTES


class Pieces(Protocol):
    """Gives files one at a time; ``kind`` names what that takes time for."""

    kind: str

    @property
    def spent_ns(self) -> int:
        """How long it took for the file since `open`."""

    def open(self, index: int, size: int) -> None:
        """Begin with a file."""

    def pieces(self) -> Iterator[memoryview]:
        """Its bytes; a piece is gone when the next one comes."""

    def close(self) -> None:
        """Be done with it."""


class Made:
    """Content that follows from the seed, held in memory where all of ``part`` fits there."""

    kind = "generate"

    def __init__(self, phase: Phase, calls: Calls, part: range) -> None:
        self.spent_ns = 0
        self._clock = calls.clock
        self._content = Content(phase.population.seed)
        self._io_size = -(-phase.io_size // BLOCK) * BLOCK
        sizes = sizes_of(phase.population, np.arange(part.start, part.stop, dtype=np.int64))
        padded = -(-sizes // BLOCK) * BLOCK
        self._first, self._held = part.start, int(padded.sum()) <= HELD_BYTES
        self._starts = np.cumsum(padded) - padded
        self._buffer = aligned_buffer(int(padded.sum()) if self._held else self._io_size)
        self._index = self._size = 0
        if self._held:
            for index, start, length in zip(part, self._starts, padded, strict=True):
                self._content.fill(self._buffer[start : start + length], index, 0)

    def open(self, index: int, size: int) -> None:
        """Begin with a file."""
        self._index, self._size, self.spent_ns = index, size, 0

    def pieces(self) -> Iterator[memoryview]:
        """Its bytes, each time at most those of one call."""
        start = int(self._starts[self._index - self._first]) if self._held else 0
        for offset in range(0, self._size, self._io_size):
            length = min(self._io_size, self._size - offset)
            if not self._held:
                begin = self._clock()
                padded = -(-length // BLOCK) * BLOCK
                self._content.fill(self._buffer[:padded], self._index, offset)
                self.spent_ns += self._clock() - begin
            at = start + offset if self._held else 0
            yield memoryview(self._buffer[at : at + length].data)

    def close(self) -> None:
        """Nothing was opened."""


class Collected:
    """Content that lies in another directory."""

    kind = "source"

    def __init__(self, phase: Phase, calls: Calls) -> None:
        self._source = Source(phase, calls)
        self._view = memoryview(aligned_buffer(phase.io_size).data)[: phase.io_size]
        self._size = 0

    @property
    def spent_ns(self) -> int:
        """How long the source took."""
        return self._source.spent_ns

    def open(self, index: int, size: int) -> None:
        """Begin with a file."""
        self._size = size
        self._source.open(index, size)

    def pieces(self) -> Iterator[memoryview]:
        """Its bytes, each time at most those of one call."""
        for offset in range(0, self._size, len(self._view)):
            piece = self._view[: self._size - offset]
            self._source.read(piece)
            yield piece

    def close(self) -> None:
        """Close it."""
        self._source.close()


def pieces_of(phase: Phase, calls: Calls, part: range) -> Pieces:
    """What the files of ``part`` are to hold."""
    return Collected(phase, calls) if phase.source else Made(phase, calls, part)
