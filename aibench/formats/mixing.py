"""A 64-bit mixing function: the source of every pseudo-random choice that has to be pure.

The finalizer of SplitMix64 (Steele, Lea, Flood 2014, with Stafford's constants), over arrays.
"""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


def mix(values: Words) -> Words:
    """Well mixed 64-bit words, one for each of ``values``; a bijection."""
    words = values + np.uint64(_GOLDEN)
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def mix_one(value: int) -> int:
    """`mix` of a single word, without numpy."""
    word = (value + _GOLDEN) & _MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
    return word ^ (word >> 31)


def key(*parts: int) -> int:
    """One 64-bit word for a sequence of integers; the order matters."""
    word = 0
    for part in parts:
        word = mix_one(word ^ mix_one(part & _MASK))
    return word
