"""NumPy's archives."""

import io
import zipfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.formats.npz import FORMAT
from tests.fidelity import edges
from tests.formats import held

SIZES = (1, 127, 4096, 70_000, 2**18 + 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 300_000), min_size=1, max_size=3))
def test_a_file_is_what_numpy_saves(sizes: list[int]) -> None:
    """`numpy.load` gives the sample and its class; `numpy.savez` of both gives the file again."""
    files = edges.population("npz", sizes)
    for number, size in enumerate(sizes):
        data = held.packed(files, number)
        with np.load(io.BytesIO(data)) as archive:
            x, y = archive["x"], archive["y"]
        again = io.BytesIO()
        np.savez(again, x=x, y=y)
        assert (x.shape, x.dtype, y.tolist()) == ((size,), np.uint8, [number])
        assert again.getvalue() == data
        assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    held.assert_exact("npz", sizes)


def test_classes_come_again() -> None:
    """There are a thousand classes."""
    files = edges.population("npz", (10,) * 1003)
    with np.load(io.BytesIO(held.packed(files, 1002))) as archive:
        assert archive["y"].tolist() == [2]


def test_wrong_bytes_are_found(tmp_path: Path) -> None:
    """Headers, checksums and the directory are verified as the rest is."""
    held.assert_verified("npz", SIZES, tmp_path / "data")


def test_generation_goes_on(tmp_path: Path) -> None:
    """A data set that was left in the middle is completed."""
    held.assert_resumed("npz", SIZES, tmp_path / "data")


def test_nothing_can_read_it() -> None:
    """The null engine reads as many bytes as there are, in every way."""
    held.assert_null_reads_all("npz", SIZES, list(FORMAT.readers))


def test_archives_have_a_largest_size() -> None:
    """From 2 GiB on an archive is another kind of file, which is refused before it is written."""
    assert FORMAT.refusal(edges.population("npz", (2**31 - 500,))) is None
    held.assert_refused("npz", (100, 2**31 - 400), "2 GiB")
