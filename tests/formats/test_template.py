"""Formats that a library of their own writes: whole files from one of them, with other payload."""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.formats import arrow, hdf5, rowgroups, template
from aibench.formats.files import path_of, size_of, space_bytes, total_bytes
from aibench.formats.format import format_named, format_of
from aibench.formats.template import Kept, SparseFile, cut, zeros
from aibench.model import Population, Sizes
from tests.fidelity import rows
from tests.formats import written

pytest.importorskip("pyarrow", reason="The package pyarrow is missing.")
pytest.importorskip("h5py", reason="The package h5py is missing.")

FORMATS = ("parquet", "arrow", "hdf5", "hdf5-chunked")
every_format = pytest.mark.parametrize("form", FORMATS)


def population(form: str, samples: int = 130, length: int = 5000, files: int = 4) -> Population:
    """Files of samples of one length, two in a directory."""
    sizes = Sizes(distribution="fixed", mean=length)
    return written.population(form, files, samples, length, sizes=sizes)


@every_format
@settings(max_examples=25, deadline=None)
@given(
    samples=st.one_of(st.integers(1, 300), st.sampled_from([99, 100, 101, 200])),
    length=st.one_of(
        st.integers(1, 20_000), st.sampled_from([1, 7, 8, 4096, 65_535, 65_536, 65_537, 131_073])
    ),
)
def test_files_have_the_size_that_they_are_said_to_have(
    form: str, samples: int, length: int
) -> None:
    """The size and the places of payloads hold for every file, to the byte."""
    files = population(form, samples, length, files=2)
    data = [written.packed(files, number) for number in range(2)]
    assert [len(file) for file in data] == [size_of(files, 0), size_of(files, 1)]
    assert total_bytes(files) == 2 * len(data[0])
    assert space_bytes(files) >= total_bytes(files)
    assert data[0] != data[1] or length < 5


@every_format
def test_wrong_bytes_are_found(tmp_path: Path, form: str) -> None:
    """A byte that is turned is found wherever it is: in headers, payload, footers, between them."""
    files = population(form)
    written.write(files, tmp_path)
    assert written.verify(files, tmp_path).wrong is None
    size = size_of(files, 2)
    path = tmp_path / path_of(files, 2)
    whole = path.read_bytes()
    for place in {*range(0, 3000, 97), *range(0, size, size // 40), *range(size - 900, size, 83)}:
        turned = bytearray(whole)
        turned[place] ^= 1
        path.write_bytes(turned)
        assert written.verify(files, tmp_path).wrong == (2, place)


@every_format
def test_generation_goes_on(tmp_path: Path, form: str) -> None:
    """Granules that are written later are those that would have been written at once."""
    files = population(form)
    written.write(files, tmp_path / "at once")
    for granule in (1, 0):
        written.write(files, tmp_path / "in parts", only=(granule,))
    assert written.everything(files, tmp_path / "at once") == written.everything(
        files, tmp_path / "in parts"
    )


@every_format
def test_every_sample_is_read_once(form: str) -> None:
    """Samples are all there without a disk, and bytes those of the files but for what is not read.

    What nobody asks for: the mark at the beginning of Parquet, the classes in Arrow, the paddings.
    What is more: the headers that HDF5 looks for by larger reads. What comes again from the cache
    does not count again.
    """
    files = population(form, length=70_000)
    for reader, reading in format_of(files).readers.items():
        found = written.without_io(files, reader, processes=1)
        assert found.operations == files.samples, reader
        if reader == "columns":
            assert files.files * 65_536 < found.bytes < 0.05 * total_bytes(files)
        else:
            assert found.bytes == pytest.approx(total_bytes(files), rel=0.002), reader
        assert reading.summary


@every_format
def test_what_files_are_on_changes_nothing(tmp_path: Path, form: str) -> None:
    """These libraries don't go through Python's buffer: neither blocks nor versions matter."""
    files = population(form, files=2)
    written.write(files, tmp_path)
    for reader, reading in format_of(files).readers.items():
        numbers = range(2) if reading.streams else (3, 200, 77, 259, 0)
        steps = []
        for block, python in ((4096, (3, 11)), (2**17, (3, 14)), (2**20, (3, 11))):
            access: dict[str, Any] = {"block": block, "python": python}
            with written.reading(files, tmp_path, reader, numbers, **access) as (spy, samples):
                assert sum(samples) > 0
            steps.append(spy.steps)
        assert steps[0] == steps[1] == steps[2], reader


@every_format
def test_files_that_lost_their_end_are_an_error(tmp_path: Path, form: str) -> None:
    """Nobody counts bytes that did not come."""
    files = population(form, files=1)
    written.write(files, tmp_path)
    os.truncate(tmp_path / path_of(files, 0), size_of(files, 0) // 2)
    for reader, reading in format_of(files).readers.items():
        numbers = (0,) if reading.streams else (files.samples - 1,)
        if reader in ("hf", "mmap"):
            continue  # Python refuses such a mapping
        with (
            written.reading(files, tmp_path, reader, numbers) as (_, samples),
            pytest.raises(OSError, match="shorter"),
        ):
            list(samples)


@every_format
def test_readers_that_stop_early_close_what_they_opened(tmp_path: Path, form: str) -> None:
    """After the first of many samples nothing is left open."""
    files = population(form, files=2)
    written.write(files, tmp_path)
    for reader in format_of(files).readers:
        with written.reading(files, tmp_path, reader, (0, 1)) as (_, samples):
            assert next(samples) > 0


@every_format
def test_what_can_not_be_is_refused(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes that differ, samples of 2 GiB, too many of them, a library that is not there."""
    refusal = format_named(form).refusal
    assert refusal(population(form)) is None
    spread = refusal(written.population(form, 2, 3, 5000))
    assert spread is not None
    assert "sizes = 'fixed'" in spread
    assert "2 GiB" in (refusal(population(form, 1, 2**31)) or "")
    assert "at most 65536 samples" in (refusal(population(form, 2**16 + 1)) or "")
    monkeypatch.setattr(template, "find_spec", lambda _name: None)
    assert "pip install 'aibench[formats]'" in (refusal(population(form)) or "")


@pytest.mark.parametrize(
    "write",
    [rowgroups._write, arrow._write, partial(hdf5._write, chunked=False),
     partial(hdf5._write, chunked=True)],
)  # fmt: skip
def test_templates_take_little_space(tmp_path: Path, write: Callable[..., None]) -> None:
    """Of a file of a gigabyte next to nothing is on the disk."""
    write(tmp_path / "template", 50, 2 * 10**7)
    status = (tmp_path / "template").stat()
    assert status.st_size == pytest.approx(10**9, rel=0.001)
    assert status.st_blocks * 512 < 10**6


@every_format
def test_templates_leave_nothing_behind(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that the library wrote is gone when its pieces are known."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert size_of(population(form, 17, 12_347, files=1), 0) > 17 * 12_347
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.integers(0, 20_000)), max_size=8))
def test_zeros_are_left_out_of_sparse_files(runs: list[tuple[int, int]]) -> None:
    """What is read is what was written, whatever was zero in it."""
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"aibench-sparse-{os.getpid()}"
    file = SparseFile(path)
    try:
        for byte, count in runs:
            assert file.write(bytes([byte]) * count) == count
        assert file.tell() == sum(count for _, count in runs)
        file.close()
        assert path.read_bytes() == b"".join(bytes([byte]) * count for byte, count in runs)
    finally:
        path.unlink()


def test_sparse_files_take_little_space(tmp_path: Path) -> None:
    """Of a megabyte of zeros nothing is allocated."""
    file = SparseFile(tmp_path / "sparse")
    file.write(b"x" + bytes(zeros(2**20)))
    file.close()
    status = (tmp_path / "sparse").stat()
    assert status.st_size == 2**20 + 1
    assert status.st_blocks * 512 < 2**16


def test_payloads_that_overlap_are_refused(tmp_path: Path) -> None:
    """A template has its payloads one after the other, inside the file."""
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    assert cut(path, [10, 50], 40).literals == (bytes(10), b"", bytes(10))
    for offsets in ([10, 49], [50, 10], [10, 61]):
        with pytest.raises(ValueError, match="follow"):
            cut(path, offsets, 40)


def test_files_stay_open_up_to_a_limit() -> None:
    """The one used longest ago is closed for another one, all others at the end."""
    opened: list[int] = []
    closed: list[int] = []

    def opening(number: int) -> int:
        opened.append(number)
        return number

    kept = Kept(opening, closed.append)
    for number in (*range(256), 0, 256, 0, 1):
        assert kept[number] == number
    assert opened == [*range(257), 1]
    assert closed == [1, 2]
    kept.close()
    assert sorted(closed) == sorted([*range(257), 1])
    assert np.unique(closed).tolist() == list(range(257))


def test_populations_of_one_shape_share_a_template(tmp_path: Path) -> None:
    """Other seeds give other payloads in the same places."""
    for form in FORMATS:
        files = rows.population(form, 1, 3, 5000)
        other = population(form, 3, 5000, files=1)
        assert size_of(files, 0) == size_of(other, 0)
