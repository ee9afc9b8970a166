"""Arrow streams: what the real library makes of them, and the calls that it makes."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from aibench.formats.content import Content
from tests.fidelity import rows
from tests.fidelity.recorded import recorded, sizes, words
from tests.fidelity.tracing import requires_strace
from tests.formats import written

pytest.importorskip("pyarrow", reason="The package pyarrow is missing.")

#: As ``datasets/table.py`` opens files of a data set.
MAPPED = """
import sys, pyarrow as pa
for path in sys.argv[1:]:
    table = pa.ipc.open_stream(pa.memory_map(path)).read_all()
    for row in (len(table) - 1, 0, len(table) // 2):
        table["image"][row].as_py()
"""
MEMORY = """
import sys, pyarrow as pa
for path in sys.argv[1:]:
    with pa.input_stream(path) as stream:
        pa.ipc.open_stream(stream).read_all()
"""
SHAPES = [(1, 1), (1, 150_528), (40, 150_528), (250, 1501), (200, 70), (3, 40_000_000)]


@pytest.mark.parametrize(("samples", "length"), [(1, 150_528), (7, 1), (250, 5001), (5, 10**7)])
def test_the_library_reads_our_files(tmp_path: Path, samples: int, length: int) -> None:
    """Every row has its payload, to the byte, and a class."""
    pa = pytest.importorskip("pyarrow")
    content = Content(rows.population("arrow", 2, samples, length).seed)
    for number, path in enumerate(rows.written(("arrow", 2, samples, length), tmp_path)):
        with pa.memory_map(path) as mapped:
            table = pa.ipc.open_stream(mapped).read_all()
            assert table["label"].to_pylist() == [row % 1000 for row in range(samples)]
            for row, image in enumerate(table["image"]):
                data = np.frombuffer(image.as_buffer(), dtype=np.uint8)
                assert len(data) == length
                assert content.first_wrong(data, number * samples + row, 0) is None


@pytest.fixture(scope="module")
def all_shapes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A directory with files of all shapes, and their paths."""
    directory = tmp_path_factory.mktemp("shapes")
    return directory, rows.all_written("arrow", SHAPES, directory)


@requires_strace
@pytest.mark.slow
def test_calls_are_those_of_the_library(all_shapes: tuple[Path, list[str]]) -> None:
    """The same reads, one by one."""
    directory, paths = all_shapes
    wanted = rows.all_files("arrow", SHAPES)
    real = rows.by_file(rows.real(MEMORY, directory, *paths))
    assert rows.by_file(rows.ours("memory", directory, *wanted)) == real
    assert real.keys() == set(paths)


@requires_strace
@pytest.mark.slow
def test_mappings_are_those_of_the_library(all_shapes: tuple[Path, list[str]]) -> None:
    """One mapping of the same length for each file, and no read.

    Python keeps a descriptor of its own for a mapping, which is closed with it.
    """
    directory, paths = all_shapes
    wanted = []
    for place, (samples, length) in enumerate(SHAPES):
        numbers = [number for first in (0, samples) for number in (first + samples - 1, first)]
        wanted.append((("arrow", 2, samples, length), str(place), numbers))
    mapped = rows.real(MAPPED, directory, *paths)
    found = rows.ours("hf", directory, *wanted)
    assert rows.by_file(found, "close") == rows.by_file(mapped, "close")
    assert found.count("read") == found.count("pread") == 0
    assert {step.detail for step in found.of("mmap")} == {"MAP_PRIVATE"}


def test_mapped_files_are_read_as_recorded(tmp_path: Path) -> None:
    """Three files of a data set in random order: each is opened once, in the recorded calls."""
    files = rows.population("arrow", 3, 200, 8192)
    written.write(files, tmp_path)
    numbers = random.Random(1).sample(range(600), 200)
    with written.reading(files, tmp_path, "hf", numbers) as (spy, samples):
        assert sum(samples) == 200 * 8192
    touched = Counter(step.asked for step in spy.named("touch"))
    assert touched[8192] == touched[8] == 200
    life = recorded("hf_random", "open")["lifecycles"][0]
    real = [
        word.removesuffix(" x2") for word in words(life["seq"]) for _ in range(1 + ("x2" in word))
    ]
    steps = [{"map": "mmap"}.get(step.name, step.name) for step in spy.steps]
    assert [step for step in steps if step != "touch"] == real * life["count"]
    assert life["count"] == 3
    assert recorded("hf_random", "open")["mmap"]["forms"] == {"PROT_READ|MAP_PRIVATE|off=0": 3}
    assert not recorded("hf_random", "read")["ops"]


def test_files_are_read_into_memory_as_recorded(tmp_path: Path) -> None:
    """Three files of two batches: marks, lengths, headers and bodies, as many as recorded.

    The recorded rows were lists of numbers. How long their headers and bodies are is another
    matter, so that of lengths only those of marks are compared.
    """
    files = rows.population("arrow", 3, 200, 8192)
    written.write(files, tmp_path)
    with written.reading(files, tmp_path, "memory", range(3)) as (spy, samples):
        assert len(list(samples)) == 600
    asked = Counter(step.asked for step in spy.named("readv"))
    found = recorded("hf_inmem", "open")
    real = sizes(found["read"]["requested"]["top_exact"])
    python = {1: 2, 224: 1, 383: 1}  # of the files beside: state.json, dataset_info.json
    assert {size: real.pop(size) for size in python} == python
    assert asked[4] == real[4]
    assert sorted(asked.values()) == sorted(real.values())
    assert len(spy.named("open")) == found["open_flags"]["O_RDONLY"]
