"""Plain files: the payload and nothing else."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.formats.plain import FORMAT
from tests.formats import held

SIZES = (1, 4095, 4096, 4097, 70_000, 2**18 + 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 300_000), min_size=1, max_size=3))
def test_sizes_are_exact(sizes: list[int]) -> None:
    """A file is as large as its sample."""
    held.assert_exact("files", sizes)


def test_wrong_bytes_are_found(tmp_path: Path) -> None:
    """A byte that is turned, missing or surplus is named."""
    held.assert_verified("files", SIZES, tmp_path / "data")


def test_nothing_can_read_it() -> None:
    """The null engine reads as many bytes as there are, in every way."""
    held.assert_null_reads_all("files", SIZES, list(FORMAT.readers))
