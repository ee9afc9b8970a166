"""Every figure of a sample, as computed by hand."""

from dataclasses import replace

import pytest

from aibench.metrics import decisive, metrics
from aibench.model import Measurement, Metric, Operation, Phase, WorkerResult
from tests.build import SECOND, histogram, measurement, phase, sample
from tests.flow import cliff, flow, writing


def by_name(phase_: Phase, measured: Measurement) -> dict[str, Metric]:
    """The metrics of one sample by their names."""
    found = metrics(phase_, sample(measurement=measured))
    assert len({metric.name for metric in found}) == len(found)
    return {metric.name: metric for metric in found}


def test_throughput_is_all_bytes_over_the_whole_time() -> None:
    """3 GB and 600 files in 1.5 s are 2 GB/s and 400 files a second."""
    found = by_name(phase(), measurement(operations=600, bytes=3 * 10**9,
                                         elapsed_ns=3 * SECOND // 2))  # fmt: skip
    assert (found["read_bandwidth"].value, found["read_bandwidth"].unit) == (2 * 10**9, "B/s")
    assert (found["files_per_second"].value, found["files_per_second"].unit) == (400, "op/s")
    assert found["read_bandwidth"].better == found["files_per_second"].better == "higher"


@pytest.mark.parametrize(
    ("operation", "names"),
    [(Operation.READ_BLOCKS, {"read_bandwidth", "iops"}),
     (Operation.WRITE_BLOCKS, {"write_bandwidth", "iops"}),
     (Operation.WRITE_FILES, {"write_bandwidth", "files_per_second"}),
     (Operation.SAVE_SHARDS, {"write_bandwidth", "shards_per_second", "makespan"}),
     (Operation.LOAD_SHARDS, {"read_bandwidth", "shards_per_second", "makespan"}),
     (Operation.STAT, {"operations_per_second"})],
)  # fmt: skip
def test_each_operation_has_its_own_rates(operation: Operation, names: set[str]) -> None:
    """Blocks have IOPS, files and shards are counted as such, metadata moves no bytes."""
    found = by_name(phase(operation=operation), measurement(histograms={}))
    assert set(found) == {*names, "first_done"}


def test_the_makespan_is_the_time_of_all_ranks() -> None:
    """A checkpoint takes until its slowest rank has ended; its timers are figures of their own."""
    saving = phase(operation=Operation.SAVE_SHARDS)
    timers = {"blocked": 2 * SECOND, "durable": 5 * SECOND}
    found = by_name(saving, measurement(elapsed_ns=5 * SECOND, first_done_ns=SECOND, timers=timers))
    assert found["makespan"].value == 5 * SECOND
    assert found["first_done"].value == SECOND
    assert (found["blocked_time"].value, found["durable_time"].value) == (2 * SECOND, 5 * SECOND)
    assert found["blocked_time"].better == "lower"


def test_the_stonewall_stands_beside_the_throughput() -> None:
    """Of many ranks there is also what all had done when the first was done; one rank has none."""
    workers = tuple(
        WorkerResult(host="n", rank=n, process=n, thread=0, operations=500, bytes=2_048_000,
                     start_ns=0, end_ns=SECOND * (n + 1) // 2)
        for n in range(2)
    )  # fmt: skip
    found = by_name(phase(), measurement(workers=workers))
    assert found["stonewall_read_bandwidth"].value == 4_096_000
    assert found["stonewall_files_per_second"].value == 1000
    assert not found["stonewall_read_bandwidth"].main
    assert found["read_bandwidth"].value == 4_096_000
    assert (found["makespan"].value, found["makespan"].main) == (SECOND, False)
    early = replace(workers[0], end_ns=SECOND // 5)
    soon = by_name(phase(), measurement(workers=(early, workers[1])))["stonewall_read_bandwidth"]
    assert (soon.value, soon.why_missing) == (None, "the first rank was done too soon")
    shards = by_name(phase(operation=Operation.SAVE_SHARDS), measurement(workers=workers))
    assert [n for n in shards if "stonewall" in n] == ["stonewall_write_bandwidth"]
    alone = by_name(phase(), measurement())
    assert not {"makespan", "stonewall_read_bandwidth"} & set(alone)


def test_latencies_come_from_the_histograms() -> None:
    """The mean and the maximum are exact, percentiles within 1 %."""
    whole = histogram(*range(1000, 401_000, 1000))
    found = by_name(phase(), measurement(histograms={"whole": whole, "open": whole}))
    assert found["latency_mean"].value == 200_500
    assert found["latency_p50"].value == pytest.approx(200_000, rel=0.01)
    assert found["latency_p99"].value == pytest.approx(396_000, rel=0.01)
    assert found["latency_max"].value == 400_000
    assert found["open_latency_p50"].value == found["latency_p50"].value
    assert found["latency_p50"].main
    assert not found["open_latency_p50"].main


def test_a_percentile_of_too_few_operations_is_missing_and_says_so() -> None:
    """A p99 of 64 operations is not printed."""
    found = by_name(phase(), measurement(histograms={"whole": histogram(*range(1000, 1064))}))
    assert (found["latency_p99"].value, found["latency_p99"].why_missing) == (
        None,
        "only 64 operations",
    )
    assert found["latency_p95"].value is not None


def test_an_empty_histogram_gives_no_latency() -> None:
    """Nothing counted gives no figure and the reason, never 0."""
    found = by_name(phase(), measurement(histograms={"whole": histogram()}))
    for name in ("latency_mean", "latency_p50", "latency_max"):
        assert found[name].value is None
        assert found[name].why_missing


def test_no_time_gives_no_rate_and_says_so() -> None:
    """A phase that took no time has no rate: the figure is missing, with the reason."""
    found = by_name(phase(), measurement(elapsed_ns=0, histograms={}))
    for name in ("read_bandwidth", "files_per_second"):
        assert (found[name].value, found[name].why_missing) == (None, "it took no time")


def test_the_figures_a_reader_wants_first_are_marked() -> None:
    """Bandwidth, files per second, and the median and 99th percentile of the whole operation."""
    found = by_name(phase(), measurement())
    assert {name for name, metric in found.items() if metric.main} == {
        "read_bandwidth",
        "files_per_second",
        "latency_p50",
        "latency_p99",
    }


def test_figures_that_are_present_give_no_reason_for_missing() -> None:
    """A reason stands only where a value is missing."""
    for metric in by_name(phase(), measurement()).values():
        assert (metric.value is None) == bool(metric.why_missing)


MB = 10**6


def test_a_burst_and_what_lasts_are_figures_of_their_own() -> None:
    """400 MB/s for 20 s, then 100 MB/s: both rates, the size and the time are main figures."""
    counts = flow([400.0 * MB] * 20 + [100.0 * MB] * 100)
    found = by_name(writing(), counts)
    assert found["sustained_write_bandwidth"].value == pytest.approx(100 * MB)
    assert found["burst_write_bandwidth"].value == pytest.approx(400 * MB)
    assert found["sustained_iops"].value == pytest.approx(1000)
    assert (found["burst_bytes"].value, found["burst_bytes"].unit) == (8000 * MB, "B")
    assert (found["burst_time"].value, found["burst_time"].unit) == (20 * SECOND, "ns")
    assert found["write_bandwidth"].value == pytest.approx(150 * MB)
    for name in ("sustained_write_bandwidth", "burst_write_bandwidth", "burst_bytes", "burst_time"):
        assert found[name].main


def test_without_a_cliff_there_is_no_burst() -> None:
    """A flat phase has one rate, and no figure says otherwise."""
    found = by_name(writing(), flow([100.0 * MB] * 120))
    assert not [name for name in found if name.startswith(("burst", "sustained"))]


def test_a_burst_of_operations_has_no_bytes() -> None:
    """Metadata operations have a burst as well, in operations and seconds."""
    found = by_name(phase(operation=Operation.STAT), flow(cliff(400.0 * MB, 100.0 * MB, 20, 120)))
    assert found["sustained_operations_per_second"].value == pytest.approx(1000, rel=0.02)
    assert found["burst_time"].value == 20 * SECOND
    assert "burst_bytes" not in found


def test_shards_of_a_plateau_are_no_figure() -> None:
    """The series of a save counts write calls, which are no shards."""
    saving = writing(operation=Operation.SAVE_SHARDS)
    found = by_name(saving, flow([400.0 * MB] * 20 + [100.0 * MB] * 100))
    assert "sustained_write_bandwidth" in found
    assert "sustained_shards_per_second" not in found


def test_claims_are_held_against_what_lasts() -> None:
    """The decisive figure is the sustained one where there is one, in its unit, else the whole."""
    burst = sample(measurement=flow([400.0 * MB] * 20 + [100.0 * MB] * 100))
    flat = sample(measurement=flow([100.0 * MB] * 120))
    wanted = {"write_bandwidth": "B/s", "iops": "op/s"}
    for name, unit in wanted.items():
        found = [decisive(writing(), each, name, unit) for each in (burst, flat)]
        assert [metric and metric.name for metric in found] == [f"sustained_{name}", name]
    assert decisive(writing(), burst, "write_bandwidth", "op/s") is None
    assert decisive(writing(), burst, "burst_rate", "B/s") is None
