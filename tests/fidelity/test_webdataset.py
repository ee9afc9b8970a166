"""Tar shards: what the real library makes of them, and the calls that it makes."""

from pathlib import Path

import pytest

from tests.fidelity import reading
from tests.fidelity.tracing import requires_strace, trace_python

REAL = """
import sys, webdataset
for path in sys.argv[1:]:
    for sample in webdataset.WebDataset([path], shardshuffle=False):
        pass
"""


def shards(tmp_path: Path) -> list[str]:
    """Two shards of 40 samples."""
    reading.write(reading.population("webdataset", 2, 40), tmp_path / "data")
    return [str(path) for path in sorted((tmp_path / "data").glob("d*/f*"))]


# webdataset leaves the closing of its files to Python
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_library_reads_our_shards(tmp_path: Path) -> None:
    """Every sample comes back with its key, its payload and its class."""
    webdataset = pytest.importorskip("webdataset", reason="The package webdataset is missing.")
    found = list(webdataset.WebDataset(shards(tmp_path), shardshuffle=False))
    assert [int(sample["__key__"]) for sample in found] == list(range(80))
    assert [int(sample["cls"]) for sample in found] == list(range(80))
    assert len({sample["jpg"] for sample in found}) == 80


@requires_strace
def test_calls_are_those_of_the_library(tmp_path: Path) -> None:
    """The same opens and flags, and the same reads of the same sizes in the same order."""
    pytest.importorskip("webdataset", reason="The package webdataset is missing.")
    paths = shards(tmp_path)
    real = trace_python(REAL, *paths, data=tmp_path / "data", log=tmp_path / "real.log")
    ours = reading.traced(reading.population("webdataset", 2, 40), tmp_path / "data", "webdataset")
    assert ours.flags() == real.flags() == {"O_RDONLY|O_CLOEXEC"}
    assert ours.by_file() == real.by_file()
