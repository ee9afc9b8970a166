"""HDF5 files: what the real library makes of them, and the calls that it makes."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from aibench.formats.content import Content
from tests.fidelity import rows
from tests.fidelity.recorded import recorded, sizes, words
from tests.fidelity.tracing import requires_strace
from tests.formats import written

pytest.importorskip("h5py", reason="The package h5py is missing.")

#: Opens files when a row of them is wanted first, and keeps them open; or for each row. Files of
#: one sample are opened for each in either way.
KEPT = """
import h5py, json, sys
for paths, numbers, each in json.loads(sys.argv[1]):
    files = {}
    for number in numbers:
        place, row = divmod(number, each)
        if place not in files:
            files[place] = h5py.File(paths[place])["records"]
        files[place][row]
        if each == 1:
            files.pop(place).file.close()
    for data in files.values():
        data.file.close()
"""
EACH = """
import h5py, json, sys
for paths, numbers, each in json.loads(sys.argv[1]):
    for number in numbers:
        place, row = divmod(number, each)
        with h5py.File(paths[place]) as file:
            file["records"][row]
"""
#: Samples of a file and their lengths: around the buffer for small rows, and trees of chunks of
#: one node, of two levels, of three.
SHAPES = [
    (1, 150_528), (40, 150_528), (50, 65_537), (50, 65_536), (300, 4097), (65, 9000), (5000, 64)
]  # fmt: skip


@pytest.mark.parametrize("form", ["hdf5", "hdf5-chunked"])
@pytest.mark.parametrize(("samples", "length"), [(1, 150_528), (7, 1), (130, 5000)])
def test_the_library_reads_our_files(tmp_path: Path, form: str, samples: int, length: int) -> None:
    """Every row is the content of its sample, to the byte."""
    h5py = pytest.importorskip("h5py")
    content = Content(rows.population(form, 2, samples, length).seed)
    for number, path in enumerate(rows.written((form, 2, samples, length), tmp_path)):
        with h5py.File(path) as file:
            data = file["records"]
            assert data.shape == (samples, length)
            assert data.chunks == ((1, length) if form == "hdf5-chunked" else None)
            for row in range(samples):
                wrong = content.first_wrong(data[row], number * samples + row, 0)
                assert wrong is None


@requires_strace
@pytest.mark.slow
@pytest.mark.parametrize("form", ["hdf5", "hdf5-chunked"])
@pytest.mark.parametrize(("reader", "program"), [("h5py", KEPT), ("h5py-each", EACH)])
def test_calls_are_those_of_the_library(
    tmp_path: Path, form: str, reader: str, program: str
) -> None:
    """Samples in random order: the same reads at the same places, one by one, and the lock."""
    given, wanted = [], []
    for place, (samples, length) in enumerate(SHAPES):
        shape = (form, 2, samples, length)
        numbers = random.Random(samples).sample(range(2 * samples), min(2 * samples, 60))
        given.append((rows.written(shape, tmp_path, str(place)), numbers, samples))
        wanted.append((shape, str(place), numbers))
    real = rows.real(program, tmp_path, json.dumps(given))
    ours = rows.ours(reader, tmp_path, *wanted)
    assert rows.by_file(ours) == rows.by_file(real)
    assert len(real.of("flock")) == len(real.of("open")) > 0


def test_one_file_a_sample_is_read_as_recorded(tmp_path: Path) -> None:
    """50 photographs in files of their own: the recorded calls, in the recorded order."""
    files = rows.population("hdf5", 50, 1, 150_528)
    written.write(files, tmp_path)
    with written.reading(files, tmp_path, "h5py", range(50)) as (spy, samples):
        assert sum(samples) == 50 * (150_528 + 8 + 2 * 48 + 3 * 512 + 544 + 328)
    found = recorded("h5_one", "read")
    steps = [step.name for step in spy.steps]
    assert steps == _unrolled(found["lifecycles"][0]["seq"]) * found["lifecycles"][0]["count"]
    reads = Counter(step.asked for step in spy.named("pread"))
    assert reads == sizes(found["read"]["requested"]["top_exact"])
    assert reads == sizes(found["read"]["returned"]["top_exact"])


def _unrolled(lifecycle: str) -> list[str]:
    """The calls of a lifecycle in our names, without the lock, which nobody notes here."""
    found: list[str] = []
    for step, word in zip(lifecycle.split(";"), words(lifecycle), strict=True):
        times = int(step.rpartition(" x")[2]) if " x" in step else 1
        name = word.partition(" ")[0]
        found += [{"pread64": "pread"}.get(name, name)] * times
    return [word for word in found if word != "flock"]


@pytest.mark.parametrize(("form", "name"), [("hdf5", "h5_contig"), ("hdf5-chunked", "h5_chunk1")])
def test_rows_are_read_as_recorded(tmp_path: Path, form: str, name: str) -> None:
    """100 of 200 rows of a file: the recorded reads that open it, then one a row.

    Nodes of the tree of chunks were 3656 bytes where photographs had three dimensions, and are 2616
    here, where they have one; there were five of them then, and there are as many now.
    """
    files = rows.population(form, 1, 200, 150_528)
    written.write(files, tmp_path)
    numbers = random.Random(1).sample(range(200), 100)
    with written.reading(files, tmp_path, "h5py", numbers) as (spy, samples):
        for _ in samples:
            pass
    reads = Counter(step.asked for step in spy.named("pread"))
    real = sizes(recorded(name, "open")["read"]["requested"]["top_exact"])
    real += sizes(recorded(name, "read")["read"]["requested"]["top_exact"])
    assert reads.pop(2616, 0) == real.pop(3656, 0)
    assert reads == real
    assert len(spy.named("open")) == recorded(name, "open")["ops"]["open"]
