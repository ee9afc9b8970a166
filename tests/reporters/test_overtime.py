"""Latency over time."""

from typing import Any

from aibench.model import Series, Telemetry
from aibench.reporters.document import document
from aibench.reporters.overtime import overtime
from tests import build

SECOND = 10**9


def phase_with(series: Series | None, telemetry: Telemetry | None = None) -> dict[str, Any]:
    """The document's phase of one repeat of two and a half seconds."""
    measured = build.measurement(series=series, elapsed_ns=5 * SECOND // 2)
    record = build.record(build.sample(measurement=measured, telemetry=telemetry))
    found: dict[str, Any] = document(record, ())["workloads"][0]["phases"][0]
    return found


def series(*p99: int | None) -> Series:
    """A second each, with these 99th percentiles in ns."""
    return Series(
        interval_ns=SECOND,
        operations=tuple(100 if each else 0 for each in p99),
        bytes=tuple(1000 if each else 0 for each in p99),
        p50_ns=tuple(each // 2 if each else None for each in p99),
        p99_ns=p99,
        max_ns=tuple(2 * each if each else None for each in p99),
    )


def test_three_lines_on_a_logarithmic_axis() -> None:
    """Median, 99th percentile and longest of each interval; where nothing ended there is a gap."""
    found = overtime(phase_with(series(1_000_000, None, 4_000_000)))
    assert found is not None
    assert {line["name"]: line["y"] for line in found["data"]} == {
        "p50": [500_000, None, 2_000_000],
        "p99": [1_000_000, None, 4_000_000],
        "longest": [2_000_000, None, 8_000_000],
    }
    assert found["data"][0]["x"] == [0.5, 1.5, 2.25]
    assert found["layout"]["yaxis"]["type"] == "log"
    assert "1 ms" in found["layout"]["yaxis"]["ticktext"]


def test_a_long_series_keeps_its_worst() -> None:
    """Days are drawn by the worst of neighbouring intervals, and the axis says so."""
    values = [1000] * 4000
    values[1234] = 5000
    found = overtime(phase_with(series(*values)))
    assert found is not None
    p99 = next(line for line in found["data"] if line["name"] == "p99")
    assert (len(p99["y"]), max(p99["y"])) == (1000, 5000)
    assert "the worst of 4 intervals" in found["layout"]["xaxis"]["title"]["text"]


def test_round_trips_of_nfs_stand_beside() -> None:
    """On NFS the mean round trips of the commonest operations are lines of their own."""
    watched = Telemetry(
        ends_ns=(SECOND, 2 * SECOND),
        series={
            "nfs.READ.operations_rate": (50.0, 60.0), "nfs.READ.round_trip_seconds": (0.002, None),
            "nfs.OPEN.operations_rate": (90.0, 90.0),
            "nfs.OPEN.round_trip_seconds": (0.001, 0.003),
            "nfs.CLOSE.operations_rate": (1.0, 1.0), "nfs.CLOSE.round_trip_seconds": (0.1, 0.1),
            "cpu.busy_share": (0.5, 0.5),
        },
        cost_ns=1000, watched_ns=5 * SECOND // 2,
    )  # fmt: skip
    found = overtime(phase_with(series(1_000_000, 1_000_000), watched))
    assert found is not None
    assert {line["name"]: line["y"] for line in found["data"][3:]} == {
        "NFS OPEN round trip, mean": [1_000_000, 3_000_000],
        "NFS READ round trip, mean": [2_000_000, None],
    }


def test_one_interval_is_no_line() -> None:
    """Nothing is drawn where latencies are known in fewer than two intervals."""
    assert overtime(phase_with(series(1_000_000, None))) is None
    assert overtime(phase_with(None)) is None
    bare = Series(interval_ns=SECOND, operations=(1, 1), bytes=(1, 1))
    assert overtime(phase_with(bare)) is None
