"""Restart intervals of JPEG images: parts that decode on their own, all of one length.

A few are made once, from Huffman codes drawn with the probabilities that their lengths stand for.
The bits between the codes, which say how large each coefficient is, may be anything and come from
the content of a sample. So images differ in every block, nothing compresses or deduplicates, and a
decoder has about as much to do as with a photograph.
"""

from functools import lru_cache
from random import Random

import numpy as np
from numpy.typing import NDArray

#: Bytes of a restart interval with its marker, units in it, different ones.
SEGMENT, UNITS, _POOL = 1024, 8, 64
MARKER = 2
_BLOCKS = 6 * UNITS  # four of brightness and two of colour in each unit
_COEFFICIENTS = 63
#: How many codes have 1, 2, … bits, and their values: coefficients skipped << 4 | bits of size.
#: One of the longest is left out: a code of all ones is not allowed.
DC = (0, 3, 1), (2, 3, 1, 0)
_END_OF_BLOCK = 0
AC = (0, 1, 3, 2, 5, 5), (
    0x01, 0x02, 0x03, 0x11, 0x04, 0x12, 0x21, 0x31, 0x05, 0x41, 0x06,
    _END_OF_BLOCK, 0x13, 0x22, 0x51, 0x14,
)  # fmt: skip

Bytes = NDArray[np.uint8]
_Table = tuple[tuple[int, ...], tuple[int, ...]]


def _codes(table: _Table) -> dict[int, str]:
    """The code of each value, in digits."""
    codes, code, values = {}, 0, iter(table[1])
    for length, count in enumerate(table[0], 1):
        for _ in range(count):
            codes[next(values)] = f"{code:0{length}b}"
            code += 1
        code <<= 1
    return codes


def _block(random: Random, room: int) -> list[int]:
    """The values of a block, drawn as often as their codes say; the last block fills ``room``."""
    if room:
        large = min(max(room - 6, 0) // 11, _COEFFICIENTS - 4)
        small = min(max(room - 6 - 11 * large, 0) // 3, 3)
        return [0x06] * large + [0x01] * small + [_END_OF_BLOCK]
    values: list[int] = []
    at = 0
    for byte in random.randbytes(_COEFFICIENTS):
        value = _DRAWN[byte % len(_DRAWN)]
        at += (value >> 4) + 1
        if value == _END_OF_BLOCK or at > _COEFFICIENTS:
            return [*values, _END_OF_BLOCK]
        values.append(value)
        if at == _COEFFICIENTS:
            break
    return values


def _segment(random: Random) -> tuple[str, str] | None:
    """The bits of a restart interval, and which are free; None where it can't be filled exactly."""
    fixed, free, room = "", "", 8 * (SEGMENT - MARKER)
    for block in range(_BLOCKS):
        size = random.choice((1, 2, 2, 3, 3))
        code = _codes(DC)[size]
        fixed += code + "0" * size
        free += "0" * len(code) + "1" * size
        values = _block(random, room - len(fixed) if block == _BLOCKS - 1 else 0)
        fixed += "".join(_FIXED[value] for value in values)
        free += "".join(_FREE[value] for value in values)
    spare = room - len(fixed)
    return (fixed + "1" * spare, free + "0" * spare) if 0 <= spare < 8 else None


_CODES = _codes(AC)
_FIXED = {value: code + "0" * (value & 15) for value, code in _CODES.items()}
_FREE = {value: "0" * len(code) + "1" * (value & 15) for value, code in _CODES.items()}
#: Each value as often as its code comes up among random bits.
_DRAWN = [value for value, code in _CODES.items() for _ in range(64 >> len(code))]


def _packed(bits: list[str], marker: int) -> Bytes:
    rows = np.frombuffer("".join(bits).encode(), dtype=np.uint8).reshape(len(bits), -1) - ord("0")
    end = np.full((len(bits), MARKER), (marker, 0), dtype=np.uint8)
    return np.hstack([np.packbits(rows, axis=1), end])


@lru_cache(maxsize=1)
def _pool() -> tuple[Bytes, Bytes, Bytes]:
    """Segments twice over, their free bits, and of each byte the lowest of these; one a row.

    The same for all data sets, so that it is made once; what differs is in the free bits.
    """
    random = Random(SEGMENT)
    found: list[tuple[str, str]] = []
    while len(found) < _POOL:
        if (bits := _segment(random)) is not None:
            found.append(bits)
    fixed, free = ([*bits] for bits in zip(*found, strict=True))
    masks = _packed(free, 0)
    tables = _packed(fixed, 0xFF), masks, masks & -masks
    first, second, third = (np.vstack([table, table]) for table in tables)
    return first, second, third


def segments(piece: memoryview, sample: int, first: int) -> Bytes:
    """Segments of an image from number ``first`` on, ``piece`` in their free bits; one a row."""
    fixed, free, lowest = _pool()
    content = np.frombuffer(piece, dtype=np.uint8).reshape(-1, SEGMENT)
    data = np.empty_like(content)
    for done in range(0, len(data), _POOL):
        part = data[done : done + _POOL]
        row = (sample + first + done) % _POOL
        rows = slice(row, row + len(part))
        np.bitwise_and(content[done : done + _POOL], free[rows], out=part)
        np.bitwise_xor(part, fixed[rows], out=part)
        flat = part.reshape(-1)
        ones = np.flatnonzero(flat == 0xFF)  # would be a marker
        flat[ones] ^= lowest[rows].reshape(-1)[ones]
        part[:, -1] = 0xD0 + (first + done + np.arange(len(part))) % 8
    return data
