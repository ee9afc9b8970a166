"""NumPy's files of one array."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.formats.format import format_named
from aibench.formats.npy import FORMAT, header
from tests.fidelity import edges, reading
from tests.formats import held

SIZES = (1, 127, 4096, 70_000, 2**18 + 1)


@given(st.integers(0, 10**18), st.sampled_from(["|u1", "<i8"]))
def test_headers_are_those_of_numpy(count: int, dtype: str) -> None:
    """The header is the one that NumPy writes, of arrays however large."""
    sink = io.BytesIO()
    described = {"descr": dtype, "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(sink, described)
    assert header(count, dtype) == sink.getvalue()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 300_000), min_size=1, max_size=3))
def test_a_file_is_what_numpy_saves(sizes: list[int]) -> None:
    """`numpy.load` gives the sample, and `numpy.save` of it gives the file again."""
    files = edges.population("npy", sizes)
    for number, size in enumerate(sizes):
        data = held.packed(files, number)
        array = np.load(io.BytesIO(data))
        again = io.BytesIO()
        np.save(again, array)
        assert (array.shape, array.dtype) == ((size,), np.uint8)
        assert again.getvalue() == data
    held.assert_exact("npy", sizes)


def test_wrong_bytes_are_found(tmp_path: Path) -> None:
    """Headers are verified as the rest is."""
    held.assert_verified("npy", SIZES, tmp_path / "data")


def test_generation_goes_on(tmp_path: Path) -> None:
    """A data set that was left in the middle is completed."""
    held.assert_resumed("npy", SIZES, tmp_path / "data")


def test_nothing_can_read_it() -> None:
    """The null engine reads as many bytes as there are, in every way."""
    held.assert_null_reads_all("npy", SIZES, list(FORMAT.readers))


@pytest.mark.parametrize("form", ["npy", "npz", "jpeg"])
def test_a_file_holds_one_sample(form: str) -> None:
    """Several samples of several sizes are no array, and no image."""
    refused = format_named(form).refusal(reading.population(form, 2, 2))
    assert refused == f"a file of format {form!r} holds one sample"
    assert format_named(form).refusal(reading.population(form, 2)) is None
