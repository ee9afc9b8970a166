"""What is in the files: a pure function of (seed, file index, offset), 4 KiB block by block.

Block ``b`` of file ``i`` is one row of a pool of random rows, each of its 64-bit words xor-ed with
a word of its own: row ``(k + b) mod rows`` and word ``mix(k + b)``, where ``k = key(seed, i)``.
Rows are random, so nothing compresses; the word makes every block unique, so nothing
deduplicates. Filling a buffer costs one pass over memory.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aibench.formats.mixing import Words, key, mix, mix_one

BLOCK = 4096
_WORDS = BLOCK // 8
_ROWS = 128
_MASK = 2**64 - 1

Buffer = NDArray[np.uint8]


@lru_cache(maxsize=4)
def _pool(seed: int) -> Words:
    """Random rows, twice over, so that any run of up to ``_ROWS`` rows is contiguous."""
    start = np.uint64(key(seed, 0x706F6F6C))
    words = mix(start + np.arange(_ROWS * _WORDS, dtype=np.uint64)).reshape(_ROWS, _WORDS)
    return np.concatenate([words, words])


class Content:
    """The bytes of all files of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._pool = _pool(seed)
        self._steps = np.arange(_ROWS, dtype=np.uint64)

    def fill(self, buffer: Buffer, index: int, offset: int) -> None:
        """Make ``buffer`` what file ``index`` holds from ``offset`` on.

        ``offset`` and the length of ``buffer`` (uint8) are multiples of `BLOCK`; a file that ends
        inside a block holds the beginning of that block.
        """
        blocks = buffer.view(np.uint64).reshape(-1, _WORDS)
        first = (key(self._seed, index) + offset // BLOCK) & _MASK
        if len(blocks) == 1:
            word = np.uint64(mix_one(first))
            np.bitwise_xor(self._pool[first % _ROWS], word, out=blocks[0])
            return
        for done in range(0, len(blocks), _ROWS):
            part = blocks[done : done + _ROWS]
            start = (first + done) & _MASK
            words = mix(np.uint64(start) + self._steps[: len(part)])
            row = start % _ROWS
            np.bitwise_xor(self._pool[row : row + len(part)], words[:, None], out=part)

    def first_wrong(self, data: Buffer, index: int, offset: int) -> int | None:
        """The offset in the file of the first byte of ``data`` that is not what `fill` made.

        ``data`` begins at ``offset``, a multiple of `BLOCK`, and may have any length.
        """
        expected = np.empty(-(-len(data) // BLOCK) * BLOCK, dtype=np.uint8)
        self.fill(expected, index, offset)
        wrong = expected[: len(data)] != data
        return offset + int(np.argmax(wrong)) if wrong.any() else None
