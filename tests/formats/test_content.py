"""The bytes of a data set: pure, incompressible, unique in every block, and checkable."""

import hashlib
import lzma
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.formats.content import BLOCK, Buffer, Content

SEEDS = st.integers(min_value=0, max_value=2**63 - 1)
INDICES = st.integers(min_value=0, max_value=10**12)
#: Block numbers near the beginning, around the length of the pool, and far out.
BLOCKS = st.one_of(st.integers(0, 300), st.integers(0, 2**40))


def piece(content: Content, index: int, first: int, blocks: int) -> Buffer:
    """``blocks`` blocks of file ``index`` from block ``first`` on."""
    buffer = np.zeros(blocks * BLOCK, dtype=np.uint8)
    content.fill(buffer, index, first * BLOCK)
    return buffer


@settings(max_examples=60, deadline=None)
@given(SEEDS, INDICES, BLOCKS, st.lists(st.integers(1, 150), min_size=1, max_size=5))
def test_any_split_gives_the_same_bytes(
    seed: int, index: int, first: int, lengths: list[int]
) -> None:
    """What a file holds doesn't depend on the pieces in which it is made."""
    content = Content(seed)
    whole = piece(content, index, first, sum(lengths))
    done = 0
    for length in lengths:
        part = piece(Content(seed), index, first + done, length)
        assert np.array_equal(whole[done * BLOCK : (done + length) * BLOCK], part)
        done += length


@settings(max_examples=30, deadline=None)
@given(SEEDS, INDICES, st.data())
def test_every_part_of_the_identity_counts(seed: int, index: int, data: st.DataObject) -> None:
    """Another seed, another file or another offset gives other bytes."""
    here = piece(Content(seed), index, 0, 1)
    other_seed = data.draw(SEEDS.filter(lambda other: other != seed))
    other_index = data.draw(INDICES.filter(lambda other: other != index))
    assert not np.array_equal(here, piece(Content(other_seed), index, 0, 1))
    assert not np.array_equal(here, piece(Content(seed), other_index, 0, 1))
    assert not np.array_equal(here, piece(Content(seed), index, 1, 1))


@pytest.mark.parametrize("shape", [(1, 512), (512, 1), (32, 16)], ids=["large", "tiny", "medium"])
def test_nothing_compresses(shape: tuple[int, int]) -> None:
    """2 MiB of one file, and of many small ones, compress by less than 1 % with zlib and lzma."""
    files, blocks = shape
    content = Content(7)
    data = b"".join(piece(content, index, 0, blocks).tobytes() for index in range(files))
    assert len(zlib.compress(data, 9)) > 0.99 * len(data)
    assert len(lzma.compress(data, preset=1)) > 0.99 * len(data)


def test_bytes_are_evenly_distributed() -> None:
    """All 256 byte values occur equally often, as in random data (chi-square, fixed seed)."""
    data = piece(Content(11), 3, 0, 1024)
    expected = len(data) / 256
    chi_square = float(((np.bincount(data, minlength=256) - expected) ** 2 / expected).sum())
    assert 150 < chi_square < 360  # 255 degrees of freedom: beyond the 1e-5 quantiles


def test_every_block_is_unique() -> None:
    """Among 120,000 blocks of files of all sizes no two are equal, so nothing deduplicates."""
    content = Content(1)
    buffer = np.empty(300 * BLOCK, dtype=np.uint8)
    seen: set[bytes] = set()
    blocks = 0
    for index in range(3000):
        count = 300 if index % 10 == 0 else 11
        content.fill(buffer[: count * BLOCK], index, 0)
        view = memoryview(buffer.data)
        for start in range(0, count * BLOCK, BLOCK):
            seen.add(hashlib.blake2b(view[start : start + BLOCK], digest_size=16).digest())
        blocks += count
    assert len(seen) == blocks > 100_000


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 5 * BLOCK), st.integers(0, 300), st.data())
def test_a_single_flipped_bit_is_found(length: int, first: int, data: st.DataObject) -> None:
    """Verification names the offset in the file of the first byte that is wrong."""
    content = Content(5)
    found = piece(content, 9, first, -(-length // BLOCK))[:length]
    assert content.first_wrong(found, 9, first * BLOCK) is None
    places = data.draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=3))
    for place in set(places):
        found[place] ^= 1 << data.draw(st.integers(0, 7))
    assert content.first_wrong(found, 9, first * BLOCK) == first * BLOCK + min(places)


def test_a_block_of_another_place_is_wrong() -> None:
    """A misdirected write, right bytes at the wrong block, is found."""
    content = Content(5)
    found = piece(content, 9, 0, 4)
    found[2 * BLOCK : 3 * BLOCK] = piece(content, 9, 3, 1)
    assert content.first_wrong(found, 9, 0) == 2 * BLOCK


def test_nothing_holds_no_wrong_byte() -> None:
    """An empty piece has nothing wrong in it."""
    assert Content(1).first_wrong(np.empty(0, dtype=np.uint8), 0, 0) is None
