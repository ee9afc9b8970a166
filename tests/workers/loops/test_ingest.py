"""Collecting raw data: right to the byte, from memory and from a source, and found wrong if not."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aibench.engines.null import NullEngine, Pace
from aibench.errors import TargetFailed
from aibench.formats.files import path_of, size_of, total_bytes
from aibench.metrics import metrics
from aibench.model import CachePolicy, Operation, Phase, Population, Sizes, SyncPolicy
from aibench.remarks import reasons, warnings
from aibench.workers.loops import pieces
from aibench.workers.loops.source import source_files
from tests import build
from tests.engines.by_hand import site
from tests.engines.files import assert_written, content, population, run

MS = 10**6
PACE = {"open": 3 * MS, "fstat": MS // 2, "read": 2 * MS, "write": 5 * MS, "fsync": 11 * MS,
        "close": MS}  # fmt: skip


def ingest(files: Population, **changes: Any) -> Phase:
    """The phase that collects ``files``."""
    parts: dict[str, Any] = {
        "name": "ingest", "operation": Operation.INGEST, "population": files,
        "sync": SyncPolicy.END, "cache": CachePolicy.AS_FOUND, "io_size": 65_536,
    }  # fmt: skip
    return build.phase(**parts | changes)


def compare(files: Population, **changes: Any) -> Phase:
    """The phase that reads them back."""
    return ingest(files, name="verify", operation=Operation.COMPARE, shift=1, **changes)


def scattered(directory: Path) -> list[bytes]:
    """Files of sizes around blocks and buffers in two directories; their contents in order."""
    draw = np.random.default_rng(5)
    sizes = (0, 1, 4095, 65_536, 65_537, 200_000)
    contents = [draw.bytes(size) for size in sizes]
    (directory / "d000000").mkdir(parents=True)
    for number, data in enumerate(contents):
        # Named as files of ours are, with other numbers: the null engine has to tell them apart.
        (directory / "d000000" / f"f{900 + number:010d}").write_bytes(data)
    return contents


def collected(contents: list[bytes]) -> Population:
    """The population of files with these contents."""
    sizes = [len(data) for data in contents]
    listed = Sizes(
        distribution="listed", mean=sum(sizes) // len(sizes), smallest=0, largest=max(sizes),
        listed=tuple((1, size) for size in sizes),
    )  # fmt: skip
    return build.population(files=len(sizes), sizes=listed)


@pytest.mark.parametrize(("processes", "threads"), [(1, 1), (3, 1), (2, 2)])
@pytest.mark.parametrize("held", [True, False])
def test_made_data_is_right_to_the_byte(
    tmp_path: Path, processes: int, threads: int, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether made before or meanwhile, files hold what they should, and nothing is found wrong."""
    if not held:
        monkeypatch.setattr(pieces, "HELD_BYTES", 0)
    files = population()
    measured = run(ingest(files, processes=processes, threads=threads), tmp_path)
    assert_written(tmp_path / files.directory, files)
    assert (measured.operations, measured.bytes) == (50, total_bytes(files))
    assert ("generate" in measured.histograms) is not held
    assert measured.histograms["fsync"].count == 50
    checked = run(compare(files, processes=processes, threads=threads), tmp_path)
    assert (checked.operations, checked.bytes) == (50, total_bytes(files))
    assert (checked.wrong_bytes, checked.errors) == (0, 0)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_source_is_copied_and_left_alone(tmp_path: Path, threads: int) -> None:
    """Copies hold what the source holds; the source keeps its contents and times."""
    source = tmp_path / "source"
    contents = scattered(source)
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*")}
    files = collected(contents)
    measured = run(ingest(files, source=str(source), threads=threads), tmp_path)
    for number, data in enumerate(contents):
        assert (tmp_path / files.directory / path_of(files, number)).read_bytes() == data
    assert measured.bytes == sum(map(len, contents))
    assert measured.histograms["source"].count == len(contents)
    assert {path: path.stat().st_mtime_ns for path in source.rglob("*")} == before
    checked = run(compare(files, source=str(source)), tmp_path)
    assert (checked.wrong_bytes, checked.errors) == (0, 0)


@pytest.mark.parametrize("copied", [True, False])
def test_wrong_bytes_are_counted(tmp_path: Path, copied: bool) -> None:
    """Flipped, missing and surplus bytes count one by one, and such a result does not count."""
    source = tmp_path / "source"
    contents = scattered(source)
    files = collected(contents)
    asked = {"source": str(source)} if copied else {}
    run(ingest(files, **asked), tmp_path)
    paths = [tmp_path / files.directory / path_of(files, number) for number in range(6)]
    with paths[3].open("r+b") as file:
        for at in (0, 40_000, 65_535):
            file.seek(at)
            was = file.read(1)[0]
            file.seek(at)
            file.write(bytes([was ^ 1]))
    os.truncate(paths[4], 65_500)
    with paths[0].open("ab") as file:
        file.write(b"abc")
    paths[2].unlink()
    measured = run(compare(files, **asked), tmp_path)
    assert (measured.wrong_bytes, measured.errors) == (3 + 37 + 3 + 4095, 4)
    sample = build.sample(measurement=measured)
    assert [finding.code for finding in reasons(sample)] == ["errors"]
    found = {metric.name: metric for metric in metrics(compare(files), sample)}
    assert (found["wrong_bytes"].value, found["wrong_bytes"].unit) == (4138, "B")


def test_a_source_that_changes_ends_the_run(tmp_path: Path) -> None:
    """A file that is longer than it was when the run was planned is no copy of what was asked."""
    source = tmp_path / "source"
    files = collected(scattered(source))
    with next(source.rglob("f*3")).open("ab") as file:
        file.write(b"more")
    with pytest.raises(TargetFailed, match="has changed since the run was planned") as failed:
        run(ingest(files, source=str(source)), tmp_path)
    assert failed.value.code == "source_changed"


def test_no_link_in_a_source_is_followed(tmp_path: Path) -> None:
    """What was a file when it was listed, and is a link when it is read, is refused."""
    source = tmp_path / "source"
    (secret := tmp_path / "secret").write_bytes(b"1234")
    source.mkdir()
    (source / "one").symlink_to(secret)
    assert source_files(str(source), 10) == []
    (source / "one").unlink()
    (source / "one").write_bytes(b"1234")
    assert [file.path for file in source_files(str(source), 10)] == [b"./one"]


def null(phase: Phase, latency: dict[str, int] = PACE) -> Any:
    """What the null engine measures at given latencies."""
    return NullEngine(Pace(latency_ns=latency)).run(phase, site(), lambda *_: None)


@pytest.mark.parametrize("sync", [SyncPolicy.NONE, SyncPolicy.END])
@pytest.mark.parametrize("copied", [True, False])
def test_times_are_those_of_the_calls(tmp_path: Path, sync: SyncPolicy, copied: bool) -> None:
    """At given latencies the makespan, the source's part and its bandwidth are sums of calls."""
    contents = scattered(tmp_path)
    files = collected(contents)
    phase = ingest(files, sync=sync, processes=1, source=str(tmp_path) if copied else "")
    measured = null(phase)
    calls = [-(-len(data) // 65_536) for data in contents]
    source = [PACE["open"] + PACE["fstat"] + n * PACE["read"] + PACE["close"] for n in calls]
    fsync = PACE["fsync"] if sync is SyncPolicy.END else 0
    written = [PACE["open"] + n * PACE["write"] + PACE["close"] for n in calls]
    whole = sum(written) + 6 * fsync + (sum(source) if copied else 0)
    assert measured.elapsed_ns == measured.histograms["whole"].total_ns == whole
    assert measured.histograms["write"].total_ns == sum(written)
    found = {m.name: m.value for m in metrics(phase, build.sample(measurement=measured))}
    assert found["write_bandwidth"] == measured.bytes * 10**9 / whole
    if copied:
        assert measured.histograms["source"].total_ns == sum(source)
        assert found["source_share"] == sum(source) / whole
        assert found["source_bandwidth"] == measured.bytes * 10**9 / sum(source)


@pytest.mark.parametrize(("read", "named"), [(100 * MS, True), (1, False)])
def test_a_slow_source_is_named(tmp_path: Path, read: int, named: bool) -> None:
    """Where reading the source takes most of the time, the result says so."""
    files = collected(scattered(tmp_path))
    measured = null(ingest(files, source=str(tmp_path)), {**PACE, "read": read})
    found = [finding.code for finding in warnings(build.sample(measurement=measured))]
    assert ("source_bound" in found) is named


def test_large_files_are_counted_as_they_come() -> None:
    """The series has the bytes of each call, not all at the end of a file."""
    files = build.population(files=1, sizes=Sizes(distribution="fixed", mean=10 * 65_536))
    measured = null(ingest(files, processes=1), {"write": 100 * MS})
    assert measured.series is not None
    assert measured.series.bytes == (0,) + (65_536,) * 10


def test_the_null_engine_compares_nothing() -> None:
    """It keeps nothing, and says how to leave the comparison out."""
    refusal = NullEngine().refusal(compare(population()), build.target())
    assert refusal is not None
    assert "verify=false" in refusal


def test_contents_are_those_of_a_data_set(tmp_path: Path) -> None:
    """A file from memory holds what a data set of the same seed would."""
    files = replace(population(3), persistent=False)
    run(ingest(files), tmp_path)
    for index in range(3):
        path = tmp_path / files.directory / path_of(files, index)
        assert path.read_bytes() == content(files, index)
        assert path.stat().st_size == size_of(files, index)
