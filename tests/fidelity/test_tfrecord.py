"""TFRecord files: what the real package makes of them, and the calls that it and TensorFlow make.

TensorFlow's were recorded (2.21.0, four files of 11,286,032 bytes with 100 records each): what it
reads depends on the size of a file alone, unless it has no buffer. Flags are those of Python, whose
`os.open` adds O_CLOEXEC, which TensorFlow does without.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from aibench.formats.files import path_of, size_of
from aibench.formats.records import record_sizes
from aibench.model import Population
from tests.fidelity import reading
from tests.fidelity.recorded import recorded, sizes
from tests.fidelity.tracing import Mix, requires_strace, trace_python
from tests.formats import written

pytest.importorskip("google_crc32c", reason="The package google-crc32c is missing.")

#: The size of each file when TensorFlow was traced, and an even share of it.
_FILE, _RECORDS = 11_286_032, 16
REAL = """
import sys
from tfrecord.reader import tfrecord_loader
for path in sys.argv[1:]:
    for sample in tfrecord_loader(path, None, {"image/encoded": "byte"}):
        pass
"""


def same_size() -> Population:
    """Four files of the size of the recorded ones, with fewer and larger records."""
    image = _FILE // _RECORDS - 100
    for size in range(image, image + 100):
        files = reading.population(
            "tfrecord", 4, _RECORDS, distribution="fixed", mean=size, sigma=0.0
        )
        if size_of(files, 0) == _FILE:
            return files
    raise AssertionError("no image makes a file of that size")


def read(tmp_path: Path, files: Population, reader: str) -> Mix:
    """The calls of our reader on files that it wrote before."""
    reading.write(files, tmp_path / "data")
    return reading.traced(files, tmp_path / "data", reader)


def photographs(
    tmp_path: Path, samples: int = 40, mean: int = 110_000
) -> tuple[Population, list[str]]:
    """Two files on disk, and their paths."""
    files = reading.population("tfrecord", 2, 40, mean=mean)
    reading.write(files, tmp_path / "data")
    return files, [str(tmp_path / "data" / path_of(files, number)) for number in range(2)]


def test_the_package_reads_our_files(tmp_path: Path) -> None:
    """Every record comes back with its image and its class."""
    reader = pytest.importorskip("tfrecord.reader", reason="The package tfrecord is missing.")
    files, paths = photographs(tmp_path)
    kinds = {"image/encoded": "byte", "image/class/label": "int"}
    found = [sample for path in paths for sample in reader.tfrecord_loader(path, None, kinds)]
    assert [int(sample["image/class/label"][0]) for sample in found] == list(range(128, 208))
    assert len({sample["image/encoded"] for sample in found}) == 80
    assert files.samples == 80


def test_the_index_is_that_of_the_package(tmp_path: Path) -> None:
    """The file beside is, to the byte, what ``tfrecord2idx`` makes; and is read with ours."""
    tools = pytest.importorskip("tfrecord.tools", reason="The package tfrecord is missing.")
    reader = pytest.importorskip("tfrecord.reader", reason="The package tfrecord is missing.")
    _, paths = photographs(tmp_path)
    for path in paths:
        tools.tfrecord2idx.create_index(path, str(tmp_path / "index"))
        assert (tmp_path / "index").read_bytes() == Path(path + ".idx").read_bytes()
        half = list(reader.tfrecord_loader(path, path + ".idx", ["image/encoded"], shard=(1, 2)))
        assert len(half) == 20


@requires_strace
@pytest.mark.parametrize("mean", [900, 5000, 110_000, 900_000])
def test_calls_are_those_of_the_package(tmp_path: Path, mean: int) -> None:
    """The same opens and flags, and the same reads of the same sizes in the same order."""
    pytest.importorskip("tfrecord", reason="The package tfrecord is missing.")
    files, paths = photographs(tmp_path, mean=mean)
    real = trace_python(REAL, *paths, data=tmp_path / "data", log=tmp_path / "real.log")
    ours = reading.traced(files, tmp_path / "data", "tfrecord")
    assert ours.flags() == real.flags() == {"O_RDONLY|O_CLOEXEC"}
    assert ours.by_file() == real.by_file()


@requires_strace
@pytest.mark.parametrize(("reader", "name"), [("tensorflow", "seq"), ("tensorflow-8m", "buf8m")])
def test_calls_are_those_of_tensorflow(tmp_path: Path, reader: str, name: str) -> None:
    """As many opens, closes and reads, of the same sizes asked for and come."""
    phase = recorded(f"tfds_tfrecord_{name}", "read")
    ours = read(tmp_path, same_size(), reader)
    assert Counter(step.asked for step in ours.steps if step.call == "pread") == sizes(
        phase["read"]["requested"]["top_exact"]
    )
    assert Counter(step.came for step in ours.steps if step.came) == sizes(
        phase["read"]["returned"]["top_exact"]
    )
    assert ours.count("pread") == phase["ops"]["pread64"] == phase["read"]["requested"]["n"]
    assert ours.count("open") == ours.count("close") == phase["ops"]["open"] == 4
    assert sum(step.came == 0 for step in ours.of("pread")) == phase["read"]["zero_returns"]
    for steps in ours.by_file().values():
        ends = [came for call, _, came in steps if call == "pread"]
        assert ends == sorted(ends, reverse=True)  # full ones, a short one, and the end


@requires_strace
def test_calls_of_tensorflow_without_a_buffer(tmp_path: Path) -> None:
    """A header, the rest of the record, and so on; then the end."""
    phase = recorded("tfds_tfrecord_buf0", "read")
    files = reading.population("tfrecord", 4, 100)
    ours = read(tmp_path, files, "tensorflow-unbuffered")
    assert {call: ours.count(call.removesuffix("64")) for call in phase["ops"]} == phase["ops"]
    requested = Counter(step.asked for step in ours.of("pread"))
    assert requested[12] == sizes(phase["read"]["requested"]["top_exact"])[12] == 404
    for number, steps in enumerate(ours.by_file().values()):
        records = record_sizes(files, number).tolist()
        wanted = [(size, size) for record in records for size in (12, record - 12)] + [(12, 0)]
        assert [(asked, came) for call, asked, came in steps if call == "pread"] == wanted


@requires_strace
def test_a_file_of_whole_buffers_ends_with_an_empty_read(tmp_path: Path) -> None:
    """Where a file ends with a buffer, TensorFlow asks for the next one whole."""
    size = next(
        size
        for size in range(2**18 - 100, 2**18)
        if size_of(reading.population("tfrecord", 1, distribution="fixed", mean=size), 0) == 2**18
    )
    files = reading.population("tfrecord", 1, distribution="fixed", mean=size)
    ours = read(tmp_path, files, "tensorflow")
    assert [(step.asked, step.came) for step in ours.of("pread")] == [(2**18, 2**18), (2**18, 0)]


def test_the_package_reads_large_blocks(tmp_path: Path) -> None:
    """With blocks of 1 MiB, recorded on XFS: whole blocks to the end, whatever the records."""
    files = same_size()
    written.write(files, tmp_path / "data")
    with written.reading(files, tmp_path / "data", "tfrecord", range(4), block=2**20) as (
        spy,
        samples,
    ):
        assert sum(samples) == 4 * _FILE
    reads = spy.named("readv")
    assert Counter(step.came for step in reads) == {2**20: 40, 800_272: 4}
    assert {step.asked for step in reads} == {2**20}


def test_the_package_looks_at_a_file_as_recorded(tmp_path: Path) -> None:
    """Opening, size and places: a question where it is for each record, and two more a file."""
    phase = recorded("tfrecord_py", "read")
    files = reading.population("tfrecord", 4, 100)
    written.write(files, tmp_path / "data")
    with written.reading(files, tmp_path / "data", "tfrecord", np.arange(4)) as (spy, samples):
        list(samples)
    names = Counter({"read": "readv", "ioctl": "isatty"}.get(name, name) for name in phase["ops"])
    assert set(names) == {step.name for step in spy.steps}
    for name, ours in {"read": "readv", "ioctl": "isatty"}.items():
        assert len(spy.named(ours)) == phase["ops"][name]
    for name in ("lseek", "open", "fstat", "stat", "close"):
        assert len(spy.named(name)) == phase["ops"][name]
    asked = Counter(step.asked for step in spy.named("readv"))
    assert asked[4096] == sizes(phase["read"]["requested"]["top_exact"])[4096] == 404
