"""The order of access: a seeded permutation computed by position, in constant memory.

A Feistel network over the smallest number of bits that covers the range, walked until it lands
inside (Black and Rogaway 2002, "cycle walking"). A hundred million files need no list.
"""

import numpy as np
from numpy.typing import NDArray

from aibench.formats.mixing import key

_ROUNDS = 4
_ODD = np.uint64(0xD6E8FEB86659FD93)  # a multiplier with good avalanche (Evensen's rrmxmx)
_HALF_WORD = np.uint64(32)

Indices = NDArray[np.int64]


class Permutation:
    """A bijection of ``range(count)``; equal (count, seed) give the equal one."""

    def __init__(self, count: int, seed: int) -> None:
        if count < 1:
            raise ValueError("a permutation needs at least one element")
        self._count = count
        bits = max((count - 1).bit_length(), 2)
        self._widths = (bits // 2, bits - bits // 2)
        self._keys = [np.uint64(key(seed, count, turn)) for turn in range(_ROUNDS)]

    def at(self, positions: Indices) -> Indices:
        """The elements at ``positions``, each in ``range(count)``."""
        values = self._scramble(positions.astype(np.uint64))
        outside = np.flatnonzero(values >= self._count)
        while len(outside):
            values[outside] = self._scramble(values[outside])
            outside = outside[values[outside] >= self._count]
        return values.astype(np.int64)

    def _scramble(self, values: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left_bits, right_bits = self._widths
        left, right = values >> np.uint64(right_bits), values & np.uint64((1 << right_bits) - 1)
        for round_key in self._keys:
            mixed = (right ^ round_key) * _ODD
            mixed ^= mixed >> _HALF_WORD
            mixed *= _ODD
            left, right = right, left ^ (mixed >> np.uint64(64 - left_bits))
            left_bits, right_bits = right_bits, left_bits
        scrambled: NDArray[np.uint64] = (left << np.uint64(right_bits)) | right
        return scrambled


class Identity:
    """The order of the index itself."""

    def at(self, positions: Indices) -> Indices:
        """Return ``positions`` as they are."""
        return positions
