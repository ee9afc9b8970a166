"""The harness with no I/O behind it: everything is counted, and nothing grows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from aibench.engines.null import NullEngine, Pace
from aibench.metrics import metrics
from aibench.model import Operation, Sizes
from tests import build
from tests.engines.by_hand import populated, site, sizes

SECOND = 10**9


def test_the_harness_alone() -> None:
    """Without a pace the real clock runs: all files are counted, and time passes."""
    population = populated(20_000)
    phase = build.phase(population=population, threads=2, batch=32, io_size=65_536)
    measured = NullEngine().run(phase, site(), lambda *_: None)
    assert measured.operations == 20_000
    assert measured.bytes == sum(sizes(population))
    assert measured.histograms["whole"].count == 20_000
    assert sum(measured.histograms[k].total_ns for k in ("open", "read", "close")) == (
        measured.histograms["whole"].total_ns
    )
    assert 0 < measured.first_done_ns <= measured.last_done_ns == measured.elapsed_ns
    assert measured.series is not None
    assert sum(measured.series.operations) == 20_000
    assert sum(measured.series.bytes) == measured.bytes


def test_a_state_too_large_to_hold_is_told() -> None:
    """A shard beyond what a rank may hold is generated while it is written, with a warning."""
    population = build.population(files=1, sizes=Sizes(distribution="fixed", mean=300 * 2**20))
    phase = build.phase(operation=Operation.SAVE_SHARDS, population=population, processes=1,
                        io_size=16 * 2**20)  # fmt: skip
    measured = NullEngine().run(phase, site(), lambda *_: None)
    assert measured.histograms["generate"].count == 19
    assert [warning.code for warning in measured.warnings] == ["generated_while_writing"]


def test_a_small_state_is_held() -> None:
    """A shard that a rank can hold is in memory before the clock runs."""
    population = build.population(files=2, sizes=Sizes(distribution="fixed", mean=2**20))
    phase = build.phase(operation=Operation.SAVE_SHARDS, population=population)
    measured = NullEngine().run(phase, site(), lambda *_: None)
    assert "generate" not in measured.histograms
    assert measured.warnings == ()


def peak_kib(run: Callable[[Callable[[int, int], None]], object]) -> int:
    """The largest resident set of a worker process during ``run(report)``, in KiB."""
    peaks: list[int] = []

    def report(*_totals: int) -> None:
        for listed in Path("/proc/self/task").glob("*/children"):
            for pid in listed.read_text().split():
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                peaks.extend(int(x.split()[1]) for x in lines if x.startswith("VmHWM"))

    run(report)
    return max(peaks)


@pytest.mark.slow
def test_a_worker_is_no_larger_for_ten_million_files() -> None:
    """A worker that loads from ten million files takes the memory of one with ten thousand."""

    def peak(files: int) -> int:
        phase = build.phase(population=populated(files), processes=1, batch=32,
                            runtime_ns=7 * SECOND // 10)  # fmt: skip
        return peak_kib(lambda report: NullEngine().run(phase, site(), report))

    few, some, many = peak(10_000), peak(10**5), peak(10**7)
    assert many < 1.1 * few  # the order of 32,768 files is computed ahead, where there are as many
    assert many < 1.03 * some


def test_what_it_refuses() -> None:
    """The null engine does all that has a loop of ours, and names the tool for the rest."""
    blocks = build.phase(operation=Operation.READ_BLOCKS)
    assert "fio has a null engine" in str(NullEngine().refusal(blocks, build.target()))
    assert NullEngine().refusal(build.phase(), build.target()) is None


def test_no_time_at_all_is_no_rate() -> None:
    """Where no call takes any time, rates are missing instead of infinite."""
    population = build.population(files=4)
    for operation in (Operation.SAVE_SHARDS, Operation.READ_FILES):
        phase = build.phase(operation=operation, population=population)
        measured = NullEngine(Pace(latency_ns={"mkdir": 1})).run(phase, site(), lambda *_: None)
        assert measured.elapsed_ns == 0
        found = metrics(phase, build.sample(measurement=measured))
        assert found[0].value is None
        assert found[0].why_missing == "it took no time"


def test_empty_files_are_read_and_written() -> None:
    """Files of no bytes are files: opened, read once, closed, and counted."""
    empty = Sizes(distribution="fixed", mean=0, smallest=0)
    population = build.population(files=20, sizes=empty)
    for operation in (Operation.READ_FILES, Operation.WRITE_FILES, Operation.SAVE_SHARDS):
        phase = build.phase(operation=operation, population=population)
        measured = NullEngine().run(phase, site(), lambda *_: None)
        assert (measured.operations, measured.bytes) == (20, 0)
