"""Where documents of tokens lie in a file, and in which order windows of tokens go over them.

Documents are dealt in stretches of up to 4096, one of each size class, so that every stretch has
equally many tokens and any place is found by arithmetic, however many documents there are. A file
holds its stretches one after the other. For reading, documents are shuffled: a stretch of that
order takes one document of each size class too, each from another place in the file.

The index beside a file is that of Megatron: a header, the lengths of the documents, where they
begin, and which sequences make up a document: one each.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from aibench.formats.draws import Sizes64, size_classes
from aibench.formats.mixing import key, mix, mix_one
from aibench.model import Population

#: Documents of a stretch, where a file has as many.
STRETCH = 4096
_MASK = 2**64 - 1
#: Of the index: what it begins with, its version, and what its numbers for types of tokens mean.
_MAGIC, _VERSION, _TYPES = b"MMIDIDX\x00\x00", 1, {2: 8, 4: 4}
HEADER = struct.Struct("<9sQBQQ")


def _shuffled(count: int, seed: int) -> Sizes64:
    """A seeded order of ``count`` things."""
    return np.argsort(mix(np.uint64(seed) + np.arange(count, dtype=np.uint64)), kind="stable")


def _twice(lengths: Sizes64) -> Sizes64:
    """Where each length begins when all follow each other, twice over; the end comes last."""
    ends = np.cumsum(np.concatenate([lengths, lengths]))
    return np.concatenate([np.zeros(1, dtype=np.int64), ends])


class Documents:
    """The documents of one population. Lengths are in tokens, places in bytes."""

    def __init__(self, population: Population) -> None:
        seed = key(population.seed, 0x746F6B73)
        self.each = population.samples_per_file
        self.token_bytes = population.token_bytes
        self._in_stretch = min(self.each, STRETCH)
        self.stretches = self.each // self._in_stretch
        lengths = self._lengths(population)[_shuffled(self._in_stretch, key(seed, 1))]
        slots = _shuffled(self._in_stretch, key(seed, 2))
        self._stored = np.concatenate([lengths, lengths])
        self._begins = _twice(lengths)
        self._begin_list: list[int] = self._begins.tolist()
        self._slots: list[int] = slots.tolist()
        self._lengths_read: list[int] = lengths[slots].tolist()
        self._begins_read: list[int] = _twice(lengths[slots]).tolist()
        far = mix(np.uint64(key(seed, 3)) + np.arange(self._in_stretch, dtype=np.uint64))
        self._far: list[int] = (far % np.uint64(self.stretches)).tolist()
        self._turns = key(seed, 4), key(seed, 5)
        self._tokens = int(lengths.sum())

    def _lengths(self, population: Population) -> Sizes64:
        table = size_classes(population.sizes)
        middles = (2 * np.arange(self._in_stretch) + 1) * len(table) // (2 * self._in_stretch)
        lengths: Sizes64 = np.maximum(table[middles] // self.token_bytes, 1)
        return lengths

    @property
    def tokens(self) -> int:
        """The tokens of a file."""
        return self._tokens * self.stretches

    def _turn(self, which: int, file: int, stretch: int) -> int:
        """By how many documents a stretch is turned: as it is stored (0), as it is read (1)."""
        number = file * self.stretches + stretch
        return mix_one((self._turns[which] + number) & _MASK) % self._in_stretch

    def stored(self, file: int, stretch: int) -> tuple[Sizes64, Sizes64]:
        """The lengths of the documents of a stretch in tokens, and where they begin in bytes."""
        turn = self._turn(0, file, stretch)
        part = slice(turn, turn + self._in_stretch)
        begins = stretch * self._tokens + self._begins[part] - self._begins[turn]
        return self._stored[part], begins * self.token_bytes

    def pieces(self, file: int, first: int, count: int) -> Iterator[tuple[int, int, int]]:
        """What ``count`` tokens from the ``first`` on are, in the order in which they are read.

        (number of the document in the file, offset in bytes, length in bytes) of each piece.
        """
        stretch, inside = divmod(first, self._tokens)
        turn = self._turn(1, file, stretch)
        inside += self._begins_read[turn]
        at = bisect_right(self._begins_read, inside) - 1
        inside -= self._begins_read[at]
        while count > 0:
            slot = at % self._in_stretch
            document, begin = self._find(file, stretch, slot)
            taken = min(count, self._lengths_read[slot] - inside)
            yield document, (begin + inside) * self.token_bytes, taken * self.token_bytes
            count, inside, at = count - taken, 0, at + 1
            if at == turn + self._in_stretch:
                stretch += 1
                at = turn = self._turn(1, file, stretch)

    def _find(self, file: int, stretch: int, slot: int) -> tuple[int, int]:
        """(number in the file, first token) of the document that is read at that place."""
        home = (stretch + self._far[slot]) % self.stretches
        turn = self._turn(0, file, home)
        place = (self._slots[slot] - turn) % self._in_stretch
        begin = home * self._tokens + self._begin_list[turn + place] - self._begin_list[turn]
        return home * self._in_stretch + place, begin


@lru_cache(maxsize=8)
def documents_of(population: Population) -> Documents:
    """The documents of ``population``."""
    return Documents(population)


def file_size(population: Population) -> int:
    """The size in bytes of each file."""
    return documents_of(population).tokens * population.token_bytes


def windows_in_file(population: Population, window: int) -> int:
    """How many windows of so many tokens a file has, and one token more after the last."""
    return (documents_of(population).tokens - 1) // window


def index_size(population: Population) -> int:
    """The size in bytes of the index beside each file."""
    return HEADER.size + 20 * population.samples_per_file + 8


def index(population: Population, file: int) -> Iterator[bytes]:
    """What is in the index beside one file."""
    documents = documents_of(population)
    stretches = range(documents.stretches)
    each, kind = documents.each, _TYPES[population.token_bytes]
    yield HEADER.pack(_MAGIC, _VERSION, kind, each, each + 1)
    for number in stretches:
        yield documents.stored(file, number)[0].astype("<i4").tobytes()
    for number in stretches:
        yield documents.stored(file, number)[1].astype("<i8").tobytes()
    for start in range(0, each + 1, STRETCH):
        yield np.arange(start, min(start + STRETCH, each + 1), dtype="<i8").tobytes()
