"""Images of exactly the wanted size."""

import lzma
import zlib
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.formats.jpeg import FORMAT
from tests.fidelity import edges
from tests.formats import held

SMALLEST = 1210
SIZES = (SMALLEST, SMALLEST + 3, 5000, 70_000, 1_200_000)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(SMALLEST, 300_000), min_size=1, max_size=3))
def test_sizes_are_exact(sizes: list[int]) -> None:
    """Whatever the size, the image has it, to the byte."""
    held.assert_exact("jpeg", sizes)


@settings(max_examples=25, deadline=None)
@given(st.integers(SMALLEST, 2_000_000))
def test_markers_are_where_they_belong(size: int) -> None:
    """After the header the only markers are restarts, in their turn, and the end."""
    data = np.frombuffer(held.packed(edges.population("jpeg", (size,)), 0), dtype=np.uint8)
    scan = data[data.tobytes().index(b"\xff\xda") + 14 :]
    found = scan[np.flatnonzero(scan[:-1] == 0xFF) + 1]
    segments = (len(scan)) // 1024
    restarts = 0xD0 + np.arange(segments - 1) % 8
    assert found.tolist() == [*restarts.tolist(), 0xD9]
    assert len(scan) == segments * 1024


def test_nothing_compresses_or_comes_twice() -> None:
    """What file systems compress with finds nothing, lzma 13 %; no block of 4 KiB comes twice."""
    files = edges.population("jpeg", (110_000,) * 40)
    data = b"".join(held.packed(files, number) for number in range(40))
    assert len(zlib.compress(data, 9)) > 0.99 * len(data)
    assert len(lzma.compress(data, preset=1)) > 0.85 * len(data)
    for shift in (0, 612, 613):
        blocks = [data[at : at + 4096] for at in range(shift, len(data), 4096)]
        assert len(set(blocks)) == len(blocks)


def test_wrong_bytes_are_found(tmp_path: Path) -> None:
    """Headers and comments are verified as the rest is."""
    held.assert_verified("jpeg", SIZES, tmp_path / "data")


def test_generation_goes_on(tmp_path: Path) -> None:
    """A data set that was left in the middle is completed."""
    held.assert_resumed("jpeg", SIZES, tmp_path / "data")


def test_nothing_can_read_it() -> None:
    """The null engine reads as many bytes as there are, in every way."""
    held.assert_null_reads_all("jpeg", SIZES, list(FORMAT.readers))


def test_images_have_a_smallest_and_a_largest_size() -> None:
    """Below there is no room for a header, beyond Pillow takes an image for an attack."""
    assert FORMAT.refusal(edges.population("jpeg", (SMALLEST, 2**25))) is None
    held.assert_refused("jpeg", (SMALLEST - 1, 5000), "1210 B to 32 MiB")
    held.assert_refused("jpeg", (5000, 2**25 + 1), "1210 B to 32 MiB")
