"""A report says how one workload by two engines compares, from repeats that took turns."""

from typing import Any

import pytest

from aibench.model import CacheState, Finding, RunRecord, Sample, Stage
from aibench.reporters import alternating, html, markdown, terminal
from aibench.reporters.document import document
from tests import build

SECOND = build.SECOND


def stages(engine: str = "torch") -> tuple[Stage, Stage]:
    """A workload by posix, and the same by another engine."""
    first = build.stage(repeats=4)
    return first, build.stage(
        workload=f"load-demo-{engine}", engine=engine, beside="load-demo", repeats=4
    )


def sample(repeat: int, seconds: float, *, real: bool = False, **changes: Any) -> Sample:
    """A repeat that took so long."""
    measured = build.measurement(elapsed_ns=int(seconds * SECOND), timers={"startup": SECOND})
    workload = "load-demo-torch" if real else "load-demo"
    return build.sample(repeat, workload=workload, measurement=measured, **changes)


def record(*samples: Sample, engine: str = "torch") -> RunRecord:
    """A run of both."""
    return build.record(*samples, plan=build.plan(*stages(engine)))


def told(*samples: Sample, engine: str = "torch") -> list[str]:
    """What is said below the second workload; nothing is said below the first."""
    first, second = document(record(*samples, engine=engine), [])["workloads"]
    assert first["beside"] is None
    assert list(alternating.sentences(first)) == []
    return list(alternating.sentences(second))


def pairs(ratios: list[float]) -> list[Sample]:
    """Repeats in which posix was so many times as fast, each time at another pace."""
    ours = [sample(n, 1.0 + n) for n in range(len(ratios))]
    return ours + [sample(n, (1.0 + n) * r, real=True) for n, r in enumerate(ratios)]


def test_ratios_are_those_of_pairs() -> None:
    """Each repeat is held against the one beside it, so that what drifts meanwhile cancels out."""
    first, meaning = told(*pairs([2.0, 2.0, 2.0]))
    assert first.startswith("read: posix / torch is 2.00 [2.00, 2.00] in read bandwidth, 1.00 ")
    assert first.endswith("(3 pairs of repeats, in turns).")
    assert "what the real libraries cost" in meaning


def test_equal_engines_have_a_ratio_of_one() -> None:
    """An interval around 1 where neither is faster; startup is no figure of the storage."""
    found = document(record(*pairs([1.1, 1 / 1.1])), [])["workloads"][1]["beside"]
    row, *latencies = found["ratios"]
    assert [each["metric"] for each in latencies] == ["latency_p50", "latency_p99"]
    assert (found["workload"], found["engine"], row["metric"]) == (
        "load-demo", "posix", "read_bandwidth",
    )  # fmt: skip
    assert row["ratio"] == pytest.approx(1.0)
    assert row["low"] < 1 < row["high"]


def test_only_repeats_that_both_have_count() -> None:
    """Those that failed, are alone, or came from another cache are left out of the ratio."""
    failed = sample(3, 9.0, real=True, reasons=(Finding(code="errors", message="1 failed"),))
    warm = sample(2, 9.0, real=True, evidence=build.evidence(state=CacheState.WARM))
    ours = [sample(n, 1.0) for n in range(4)]
    first, _ = told(*ours, sample(0, 3.0, real=True), warm, failed)
    assert first.startswith("read: posix / torch is 3.00 in read bandwidth, ")
    assert first.endswith("(1 pair of repeats, in turns).")
    assert told(*ours, warm, failed) == ["No repeat of load-demo compares with one of this."]


def test_what_it_means_is_said_of_the_real_thing_only() -> None:
    """Of two other engines there is only the ratio."""
    samples = [s for s in pairs([2.0]) if s.workload == "load-demo"]
    samples.append(build.sample(0, workload="load-demo-null"))
    (only,) = told(*samples, engine="null")
    assert "posix / null is 1.00" in only


def test_every_report_has_it() -> None:
    """For people in a terminal, in Markdown and in a browser."""
    made = document(record(*pairs([2.0, 2.0])), [])
    for render in (terminal.render, markdown.render, html.render):
        assert "posix / torch is 2.00" in " ".join(render(made).split())
