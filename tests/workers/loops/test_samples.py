"""Samples read as frameworks do, in any format, and at a rate that was asked for."""

from pathlib import Path
from typing import Any

import pytest

from aibench.engine import Site
from aibench.engines.null import NullEngine, Pace
from aibench.formats.files import total_bytes
from aibench.model import Measurement, Order, Phase, Population, Sizes
from tests import build

SECOND = 10**9


def shards(**changes: Any) -> Population:
    """Five tar shards of 30 photographs."""
    sizes = Sizes(distribution="lognormal", mean=20_000, sigma=0.4, largest=2**20)
    parts: dict[str, Any] = {"format": "webdataset", "samples_per_file": 30, "files": 5}
    return build.population(**{"sizes": sizes} | parts | changes)


def measured(phase: Phase, latency: dict[str, int] | None = None) -> Measurement:
    """What the null engine measures, in virtual time where calls have latencies."""
    site = Site(root="/", target=build.target(), seed=1, host="here")
    return NullEngine(Pace(latency_ns=latency or {})).run(phase, site, lambda *_: None)


def test_every_sample_is_read_once() -> None:
    """Samples and bytes of all threads of control are those of the files."""
    phase = build.phase(population=shards(), processes=2, threads=2, reader="webdataset", batch=4)
    found = measured(phase)
    assert found.operations == 150
    whole = total_bytes(phase.population)
    assert whole - 5 * 10240 < found.bytes <= whole  # what pads an archive need not be read
    assert found.histograms["whole"].count == 150
    assert found.timers["first_batch"] > 0


def test_files_of_one_sample_are_read_by_any_reader() -> None:
    """Readers of plain files all read all bytes."""
    files = build.population(files=40, sizes=Sizes(distribution="fixed", mean=70_000))
    for reader in ("lean", "stat", "python", "pil"):
        found = measured(build.phase(population=files, reader=reader, batch=4))
        assert (found.operations, found.bytes) == (40, 40 * 70_000), reader


def paced(rate: float, latency: int, **changes: Any) -> Measurement:
    """A hundred files opened at ``rate``, where opening takes ``latency`` ns and nothing else."""
    phase = build.phase(
        rate=rate, reader="lean", order=Order.SEQUENTIAL, batch=1, **{"processes": 1} | changes
    )
    return measured(phase, {"open": latency})


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_storage_that_keeps_up(processes: int) -> None:
    """Operations begin when they are to, in turns; each takes the time of its own call."""
    found = paced(100, SECOND // 1000, processes=processes)
    assert found.elapsed_ns == 99 * SECOND // 100 + SECOND // 1000
    assert found.histograms["whole"].min_ns == found.histograms["whole"].max_ns == SECOND // 1000


def test_storage_that_falls_behind() -> None:
    """What waits for its turn has waited: the latency of the last one holds the whole queue."""
    found = paced(100, 2 * SECOND // 100)
    assert found.elapsed_ns == 100 * 2 * SECOND // 100
    assert found.histograms["whole"].max_ns == 100 * 2 * SECOND // 100 - 99 * SECOND // 100
    assert found.histograms["whole"].min_ns == 2 * SECOND // 100


def test_an_epoch_bounded_in_time_goes_on(tmp_path: Path) -> None:
    """Epoch follows epoch until the time is over."""
    del tmp_path
    phase = build.phase(
        population=shards(files=1), processes=1, reader="webdataset", runtime_ns=SECOND
    )
    found = measured(phase, {"read": SECOND // 1000})
    assert found.operations > 2 * 30
    assert found.elapsed_ns == pytest.approx(SECOND, rel=0.05)
