"""The bytes of a file in any format, buffer by buffer."""

from collections.abc import Iterable, Iterator

import numpy as np

from aibench.formats.content import BLOCK, Content
from aibench.formats.format import Payload, format_of
from aibench.model import Population

_SCRATCH = 2**20


class Packer:
    """Puts files of one population together."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._format = format_of(population)
        self._content = Content(population.seed)
        self._scratch = np.empty(_SCRATCH, dtype=np.uint8)
        self._view = memoryview(self._scratch.data)

    def contents(self, payload: Payload) -> Iterator[memoryview]:
        """The content of a sample, piece by piece; a piece is gone when the next one comes."""
        for offset in range(0, payload.length, _SCRATCH):
            length = min(_SCRATCH, payload.length - offset)
            whole = self._scratch[: -(-length // BLOCK) * BLOCK]
            self._content.fill(whole, payload.sample, offset)
            yield self._view[:length]

    def pack(self, file: int, into: memoryview, suffix: str = "") -> Iterator[memoryview]:
        """The bytes of a file, ``into`` filled again and again; the last time maybe in part.

        With a ``suffix``, those of the file beside it.
        """
        at, room = 0, len(into)
        for piece in self._beside(file, suffix) if suffix else self._pieces(file):
            start = 0
            while start < len(piece):
                length = min(len(piece) - start, room - at)
                into[at : at + length] = piece[start : start + length]
                at, start = at + length, start + length
                if at == room:
                    yield into
                    at = 0
        if at:
            yield into[:at]

    def _beside(self, file: int, suffix: str) -> Iterable[bytes]:
        return self._format.sidecars[suffix].parts(self._population, file)

    def _pieces(self, file: int) -> Iterator[bytes | memoryview]:
        for part in self._format.parts(self._population, file, self.contents):
            if isinstance(part, Payload):
                yield from self.contents(part)
            else:
                yield part
