"""Preprocessing: at given latencies stages are sums; on real files shards have what was made."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aibench.engines.null import NullEngine, Pace
from aibench.errors import TargetFailed
from aibench.formats.files import total_bytes
from aibench.metrics import metrics
from aibench.model import (
    CachePolicy,
    Measurement,
    Operation,
    Order,
    Phase,
    Population,
    Sizes,
    SyncPolicy,
    Transform,
)
from tests import build
from tests.engines.by_hand import assert_histogram, site
from tests.engines.files import population, present, run, write

MS = 10**6
KIB = 1024
PACE = {"open": 3 * MS, "read": 2 * MS, "write": 5 * MS, "fsync": 11 * MS, "close": MS}


def preprocess(files: Population, shards: int = 8, **changes: Any) -> Phase:
    """The phase that makes shards of ten samples of 24 KiB each, by 64 KiB a call."""
    output = build.population(
        directory="scratch/made", files=shards, persistent=False,
        sizes=Sizes(distribution="fixed", mean=240 * KIB),
    )  # fmt: skip
    made = Transform(output=output, cpu_ns=0, sample_bytes=24 * KIB, samples_per_file=10)
    parts: dict[str, Any] = {
        "name": "preprocess", "operation": Operation.PREPROCESS, "population": files,
        "sync": SyncPolicy.END, "cache": CachePolicy.COLD, "io_size": 64 * KIB, "reader": "lean",
        "transform": made, "order": Order.SEQUENTIAL,
    }  # fmt: skip
    return build.phase(**parts | changes)


def by_hand(samples: int, cpu: int, fsync: int) -> tuple[list[int], list[int]]:
    """By hand: how long reading and writing take for each of one worker's samples of 100 KiB."""
    writing = []
    pending = 0
    for number in range(samples):
        took = PACE["open"] if number % 10 == 0 else 0
        pending += 24
        while pending >= 64:
            took, pending = took + PACE["write"], pending - 64
        if number % 10 == 9 or number == samples - 1:
            took += (PACE["write"] if pending else 0) + fsync + PACE["close"]
            pending = 0
        writing.append(took)
    return [PACE["open"] + 2 * PACE["read"] + PACE["close"]] * samples, writing


@pytest.mark.parametrize("cpu", [0, 9 * MS])
@pytest.mark.parametrize("sync", [SyncPolicy.NONE, SyncPolicy.END])
@pytest.mark.parametrize(("samples", "workers"), [(40, 1), (37, 1), (75, 3)])
def test_stages_are_those_of_the_calls(
    cpu: int, sync: SyncPolicy, samples: int, workers: int
) -> None:
    """At given latencies, reading, computing and writing take the sums of their calls."""
    files = build.population(files=samples, sizes=Sizes(distribution="fixed", mean=100 * KIB))
    phase = preprocess(files, sync=sync, processes=workers, shards=4 * workers)
    assert phase.transform is not None
    phase = replace(phase, transform=replace(phase.transform, cpu_ns=cpu))
    measured = NullEngine(Pace(latency_ns=PACE)).run(phase, site(), lambda *_: None)
    each = samples // workers
    reading, writing = by_hand(each, cpu, PACE["fsync"] if sync is SyncPolicy.END else 0)
    whole = sum(reading) + sum(writing) + each * cpu
    assert (measured.operations, measured.bytes) == (samples, samples * 100 * KIB)
    assert measured.elapsed_ns == whole
    assert_histogram(measured, "read", reading * workers)
    assert_histogram(measured, "write", writing * workers)
    assert measured.histograms["compute"].total_ns == samples * cpu
    found = {m.name: m.value for m in metrics(phase, build.sample(measurement=measured))}
    assert found["read_share"] == pytest.approx(sum(reading) / whole)
    assert found["compute_share"] == pytest.approx(each * cpu / whole)
    assert found["write_share"] == pytest.approx(sum(writing) / whole)
    assert found["read_bandwidth"] == samples * 100 * KIB * 10**9 / whole
    assert found["output_bandwidth"] == samples * 24 * KIB * 10**9 / whole
    rate = samples * 100 * KIB / (whole / 1e9)
    assert found["hundred_terabytes_time"] == pytest.approx(1e14 / rate * 1e9)


def made(phase: Phase, root: Path) -> Measurement:
    """Do ``phase`` on real files below ``root``."""
    (root / "scratch/made").mkdir(parents=True)
    return run(phase, root)


@pytest.mark.parametrize(("processes", "threads"), [(1, 1), (3, 1), (2, 2)])
def test_shards_hold_what_was_made(tmp_path: Path, processes: int, threads: int) -> None:
    """All input is read once; the output has the bytes asked for, no 4 KiB of them twice."""
    files = population()
    write(tmp_path, files)
    phase = preprocess(files, shards=8 * processes * threads, processes=processes, threads=threads)
    measured = made(phase, tmp_path)
    assert (measured.operations, measured.bytes) == (50, total_bytes(files))
    shards = [tmp_path / "scratch/made" / name for name in present(tmp_path / "scratch/made")]
    assert len(shards) == measured.histograms["fsync"].count
    found = [path.read_bytes() for path in shards]
    assert sum(map(len, found)) == 50 * 24 * KIB
    assert max(map(len, found)) <= 240 * KIB
    pieces = [data[at : at + 4096] for data in found for at in range(0, len(data), 4096)]
    assert len(set(pieces)) == len(pieces)


def test_shards_of_tar_are_read_through(tmp_path: Path) -> None:
    """What streams whole files gives every sample of them."""
    files = population(
        6, format="webdataset", samples_per_file=9, sizes=Sizes(distribution="fixed", mean=9000)
    )
    write(tmp_path, files)
    measured = made(preprocess(files, reader="webdataset", shards=20), tmp_path)
    assert measured.operations == 54
    assert measured.bytes >= total_bytes(files)


def test_computing_takes_the_time_that_was_stated(tmp_path: Path) -> None:
    """A transformation that costs more takes most of the time."""
    files = population(20)
    write(tmp_path, files)
    phase = preprocess(files, processes=1)
    assert phase.transform is not None
    phase = replace(phase, transform=replace(phase.transform, cpu_ns=20 * MS))
    measured = made(phase, tmp_path)
    found = {m.name: m.value for m in metrics(phase, build.sample(measurement=measured))}
    shares = [found[f"{name}_share"] for name in ("read", "compute", "write")]
    assert sum(share for share in shares if share is not None) == pytest.approx(1)
    assert shares[1] == max(share for share in shares if share is not None)


def test_a_missing_sample_is_named(tmp_path: Path) -> None:
    """The file that can't be read ends the run by its name."""
    files = population()
    directory = write(tmp_path, files)
    (directory / "d000001" / "f0000000027").unlink()
    with pytest.raises(TargetFailed, match=r"d000001/f0000000027"):
        made(preprocess(files), tmp_path)


def test_what_is_in_the_way_of_output_is_named(tmp_path: Path) -> None:
    """No link is followed out of the output."""
    files = population()
    write(tmp_path, files)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "scratch/made").mkdir(parents=True)
    (tmp_path / "scratch/made/d000000").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TargetFailed):
        run(preprocess(files), tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []
