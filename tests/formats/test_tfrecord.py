"""TFRecord files: sizes, checksums, messages, indices; written, compared and read."""

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.formats import records
from aibench.formats.files import (
    file_count,
    granule,
    path_of,
    size_of,
    space_bytes,
    total_bytes,
)
from aibench.formats.format import format_of
from aibench.model import Population, Sizes
from tests import build
from tests.engines.files import content
from tests.formats import written

google_crc32c = pytest.importorskip("google_crc32c", reason="The package google-crc32c is missing.")
READERS = ("tensorflow", "tensorflow-8m", "tensorflow-unbuffered", "tfrecord")


def population(files: int = 5, samples: int = 7, mean: int = 3000) -> Population:
    """Small records."""
    return written.population("tfrecord", files, samples, mean)


def masked(data: bytes) -> int:
    """The checksum of TensorFlow: CRC32C, turned and moved."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def parsed(data: bytes) -> list[bytes]:
    """The messages of a file, every checksum compared."""
    found, at = [], 0
    while at < len(data):
        length, check = struct.unpack_from("<QI", data, at)
        message = data[at + 12 : at + 12 + length]
        assert check == masked(data[at : at + 8])
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(message)
        found.append(message)
        at += 16 + length
    assert at == len(data)
    return found


def fields(message: bytes) -> list[tuple[int, bytes]]:
    """(number, content) of the fields of a message, all of which have a length."""

    def varint(at: int) -> tuple[int, int]:
        number = shift = 0
        while True:
            number |= (message[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if message[at - 1] < 128:
                return number, at

    found, at = [], 0
    while at < len(message):
        tag, at = varint(at)
        assert tag & 7 == 2
        length, at = varint(at)
        found.append((tag >> 3, message[at : at + length]))
        at += length
    assert at == len(message)
    return found


def features(message: bytes) -> dict[bytes, bytes]:
    """The values of an Example by name; lists of one value each, without their kinds."""
    ((number, inside),) = fields(message)
    assert number == 1
    found = {}
    for entry in (dict(fields(value)) for _, value in fields(inside)):
        ((_, values),) = fields(entry[2])
        ((_, found[entry[1]]),) = fields(values)
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.one_of(st.integers(0, 40_000), st.sampled_from([1, 127, 128, 16_383, 16_384, 2**21])),
    st.floats(0, 2),
)
def test_sizes_are_exact(samples: int, mean: int, sigma: float) -> None:
    """The size of any file, and of its index, is known before it is made."""
    sizes = Sizes(distribution="lognormal", mean=mean, sigma=sigma, smallest=0, largest=4 * mean)
    files = build.population(files=2, samples_per_file=samples, format="tfrecord", sizes=sizes)
    for number in range(2):
        parts = records.parts(files, number, lambda _payload: iter(()))
        total = sum(len(part) if isinstance(part, bytes) else part.length for part in parts)
        assert size_of(files, number) == total
        index = written.packed(files, number, ".idx")
        assert size_of(files, number, ".idx") == len(index)
        lines = [tuple(map(int, line.split())) for line in index.splitlines()]
        ends = [offset + length for offset, length in lines]
        assert [offset for offset, _ in lines] == [0, *ends[:-1]]
        assert ends[-1] == total


@pytest.mark.parametrize("size", [0, 1, 90, 127, 128, 16_200, 16_384, 2_097_100, 2_097_152])
def test_a_record_holds_an_image_and_its_class(size: int) -> None:
    """Checksums are right; the message has the content of the sample and a class of two bytes."""
    sizes = Sizes(distribution="fixed", mean=size, smallest=0)
    files = build.population(files=1, samples_per_file=3, format="tfrecord", sizes=sizes)
    plain = build.population(files=3, sizes=sizes)
    messages = parsed(written.packed(files, 0))
    assert len(messages) == 3
    for number, message in enumerate(messages):
        found = features(message)
        assert set(found) == {b"image/encoded", b"image/class/label"}
        assert found[b"image/encoded"] == content(plain, number)
        low, high = found[b"image/class/label"]
        assert (low & 127) | high << 7 == 128 + number


def test_a_longer_image_than_a_piece_is_checked_whole() -> None:
    """The checksum goes over all pieces in which content is made."""
    sizes = Sizes(distribution="fixed", mean=2_500_000)
    files = build.population(files=1, format="tfrecord", sizes=sizes)
    (message,) = parsed(written.packed(files, 0))
    assert len(features(message)[b"image/encoded"]) == 2_500_000


@pytest.mark.parametrize("suffix", ["", ".idx"])
def test_a_wrong_byte_is_found_anywhere(tmp_path: Path, suffix: str) -> None:
    """Lengths, checksums, names, contents and indices: verification finds each wrong byte."""
    files = population(files=2, samples=2, mean=60)
    done = written.write(files, tmp_path)
    whole = written.verify(files, tmp_path)
    assert (whole.wrong, whole.operations, whole.bytes) == (None, 2, done.bytes)
    path = tmp_path / (path_of(files, 1) + suffix)
    data = path.read_bytes()
    for offset in range(len(data)):
        path.write_bytes(data[:offset] + bytes([data[offset] ^ 4]) + data[offset + 1 :])
        found = written.verify(files, tmp_path)
        assert (found.wrong, found.suffix) == ((1, offset), suffix)


@pytest.mark.parametrize("change", ["missing", "short", "long"])
def test_an_index_of_another_length_is_wrong(tmp_path: Path, change: str) -> None:
    """An index that is missing, short or long is found as well as a wrong one."""
    files = population(files=2)
    written.write(files, tmp_path)
    path = tmp_path / (path_of(files, 1) + ".idx")
    size = size_of(files, 1, ".idx")
    if change == "missing":
        path.unlink()
        size = 0
    elif change == "short":
        path.write_bytes(path.read_bytes()[:-1])
        size -= 1
    else:
        path.write_bytes(path.read_bytes() + b"x")
    found = written.verify(files, tmp_path)
    assert (found.wrong, found.suffix) == ((1, size), ".idx")


def test_generation_goes_on_where_it_ended(tmp_path: Path) -> None:
    """Granules written one by one, in any order, make the same files as all at once."""
    files = population(files=6, mean=2000)
    count = -(-files.files // granule(files))
    assert count == 3
    written.write(files, tmp_path / "once")
    for number in (2, 0, 1):
        written.write(files, tmp_path / "parts", only=(number,))
    whole = written.everything(files, tmp_path / "once")
    assert whole == written.everything(files, tmp_path / "parts")
    assert len(whole) == file_count(files) == 12


def test_the_plan_counts_indices() -> None:
    """Each file takes two names, and its index at least a block."""
    files = population(files=100, samples=50, mean=1000)
    assert file_count(files) == 200
    assert space_bytes(files) - total_bytes(files) >= 100 * 4096 * 2


@pytest.mark.parametrize("reader", READERS)
def test_no_io_reads_as_much(reader: str) -> None:
    """The null engine's readers get every byte of every file, one sample after the other."""
    files = population(files=8, samples=40, mean=20_000)
    done = written.without_io(files, reader)
    assert (done.operations, done.bytes) == (files.samples, total_bytes(files))


@pytest.mark.parametrize("block", [4096, 131_072, 2**20])
@pytest.mark.parametrize("python", [(3, 11), (3, 14)])
@pytest.mark.parametrize("reader", READERS)
def test_readers_read_files_to_their_ends(
    tmp_path: Path, reader: str, python: tuple[int, int], block: int
) -> None:
    """Whatever the block and the Python, each sample is told once and all bytes are read."""
    files = population(files=3, samples=30, mean=30_000)
    written.write(files, tmp_path)
    with written.reading(files, tmp_path, reader, [2, 0, 1], block=block, python=python) as (
        spy,
        samples,
    ):
        found = list(samples)
    assert len(found) == files.samples
    assert sum(found) == total_bytes(files)
    assert sum(step.came for step in spy.steps) == total_bytes(files)
    assert [step.path[-1] for step in spy.named("open")] == ["2", "0", "1"]


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_that_is_stopped_closes_its_file(tmp_path: Path, reader: str) -> None:
    """Stopped in the middle of a file, nothing stays open."""
    files = population(files=1, samples=20)
    written.write(files, tmp_path)
    with written.reading(files, tmp_path, reader, [0]) as (spy, samples):
        next(samples)
        assert not spy.named("close")
    assert len(spy.named("close")) == 1


def test_buffers_of_python(tmp_path: Path) -> None:
    """The package asks for blocks of 4 KiB with Python 3.11, of 128 KiB from 3.14 on."""
    files = population(files=1, samples=30, mean=5000)
    written.write(files, tmp_path)
    asked = {}
    for python in ((3, 11), (3, 14)):
        with written.reading(files, tmp_path, "tfrecord", [0], python=python) as (spy, samples):
            list(samples)
        asked[python] = {step.asked for step in spy.named("readv")}
        assert len(spy.named("isatty")) == (python == (3, 11))
    assert min(asked[3, 11]) == 4096
    assert asked[3, 14] == {131_072}


def test_without_its_library_the_format_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install, or what is wrong with what is installed."""
    files = population()
    assert format_of(files).refusal(files) is None
    monkeypatch.setattr(google_crc32c, "implementation", "python")
    assert "plain Python" in str(format_of(files).refusal(files))
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    assert "pip install 'aibench[formats]'" in str(format_of(files).refusal(files))
