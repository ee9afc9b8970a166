"""What reports say of a soak, and of a sweep over offered rates."""

from typing import Any

import pytest

from aibench.reporters import soaking, sweep

SECOND = 10**9


def round_of(number: int, moved: list[int]) -> dict[str, Any]:
    """A round with these megabytes in each interval of 10 s."""
    every = [count * 10**6 for count in moved]
    return {
        "repeat": number, "started_at": f"2026-01-01T00:{10 * number:02d}:00Z", "counts": True,
        "bytes": sum(every), "operations": len(moved), "elapsed_ns": len(moved) * 10 * SECOND,
        "series": {"interval_ns": 10 * SECOND, "bytes": every, "operations": [1] * len(moved),
                   "p50_ns": [10**6 * (number + 1)] * len(moved),
                   "p99_ns": [10**7 * (number + 1)] * len(moved)},
    }  # fmt: skip


def soak(errors: dict[str, int]) -> dict[str, Any]:
    """Two rounds of two minutes; in the second one a minute was slow."""
    samples = [round_of(0, [100] * 12), round_of(1, [100, 100, *[40] * 6, *[100] * 4])]
    return {
        "name": "soak", "operation": "soak", "samples": samples, "failed": errors,
        "errors": sum(errors.values()), "asked": {"rate": None},
    }  # fmt: skip


def test_a_soak_tells_failures_the_worst_minute_and_the_drift() -> None:
    """In three sentences, with the round and the time in it."""
    failed, worst, drift = soaking.sentences([soak({"EIO read": 12, "ESTALE save": 1})])
    assert "13 operations failed in 2 rounds (12 EIO read, 1 ESTALE save)" in failed
    assert "the worst minute had 4.00 MB/s" in worst
    assert "began 20.0 s into round 2" in worst
    assert "10.0 MB/s to 7.00 MB/s" in drift
    assert "median latency 1.00 ms to 2.00 ms, p99 10.0 ms to 20.0 ms" in drift
    assert "no operation failed" in next(soaking.sentences([soak({})]))


def test_the_worst_minute_is_a_whole_one() -> None:
    """A round of less has none, and neither has one whose intervals don't make up minutes."""
    assert soaking.worst_minute([round_of(0, [5] * 5)]) is None
    assert soaking.worst_minute([round_of(0, [5] * 6)]) == (500_000.0, 0, 0)


def test_a_plot_has_all_rounds_by_the_clock() -> None:
    """The second round stands ten minutes after the first."""
    figure = soaking.whole(soak({}))
    assert figure is not None
    (trace,) = figure["data"]
    assert len(trace["x"]) == 24
    assert trace["x"][12] == pytest.approx(1 / 6, abs=1e-4)
    assert (trace["y"][0], min(trace["y"])) == (10.0, 4.0)


def level(number: int, offered: float, done: float, mean_ns: float) -> dict[str, Any]:
    """A phase at an offered rate."""
    return {
        "name": f"rate-{number}", "operation": "read_files", "asked": {"rate": offered},
        "mean_ns": mean_ns,
        "percentiles": {"whole": {"points": [(0.5, int(mean_ns)), (0.99, int(2 * mean_ns))]}},
        "samples": [{"counts": True, "operations": int(done * 10), "elapsed_ns": 10 * SECOND}],
    }  # fmt: skip


def queue(rate: float, service_s: float = 0.001) -> float:
    """The mean time in ns of an M/M/1 queue: service / (1 - load)."""
    return service_s / (1 - rate * service_s) * 1e9


def test_the_knee_of_a_queue_is_at_half_its_load() -> None:
    """Of M/M/1, rate over delay is greatest where the server is busy half of the time."""
    phases = [level(n, rate, rate, queue(rate)) for n, rate in enumerate((100, 300, 500, 700, 900))]
    *rows, named = sweep.sentences(phases)
    assert len(rows) == 5
    assert "the knee is at rate-2, 500 op/s" in named
    figure = sweep.curve(phases)
    assert figure is not None
    assert [trace["x"] for trace in figure["data"]] == [[100, 300, 500, 700, 900]] * 3


def test_a_rate_that_was_not_kept_is_no_knee() -> None:
    """Its line says so; and a knee at the end of the sweep may lie beyond."""
    phases = [level(0, 100, 100, 10**6), level(1, 1000, 500, 10**6)]
    _, second, named = sweep.sentences(phases)
    assert "not kept" in second
    assert "rate-0" in named
    assert "may lie beyond" in named
    assert list(sweep.sentences([level(0, 100, 10, 10**6)]))[1:] == []
    assert sweep.curve(phases[:1]) is None


def over_nfs(*operations: tuple[str, int, int, int, int | None]) -> dict[str, Any]:
    """What an NFS client counted in a round: name, operations, transmissions, timeouts, errors."""
    names = ("name", "operations", "transmissions", "timeouts", "errors")
    return {"operations": [dict(zip(names, each, strict=True)) for each in operations]}


def test_what_nfs_sent_again_is_summed_over_the_rounds() -> None:
    """Requests, those sent again and errors of all rounds, by the name of the operation."""
    found = soak({})
    first, second = found["samples"]
    first["nfs"] = over_nfs(("READ", 1000, 1003, 1, 0), ("LOOKUP", 50, 50, 0, 12))
    second["nfs"] = over_nfs(("READ", 900, 901, 0, 2), ("LOOKUP", 50, 50, 0, 10))
    _, told, *_ = soaking.sentences([found])
    assert told == (
        "soak: of 2.00 k requests to the NFS server 4 were sent again and 1 had no answer within "
        "the mount's time limit; 24 were answered with an error (22 LOOKUP, 2 READ), 'no such "
        "file' among them"
    )
    first["nfs"], second["nfs"] = over_nfs(("READ", 10, 10, 0, None)), None
    _, told, *_ = soaking.sentences([found])
    assert told.endswith("0 had no answer within the mount's time limit; this kernel does not "
                         "count errors")  # fmt: skip
    assert not any("NFS" in text for text in soaking.sentences([soak({})]))
