"""How steady a rate was, in words, in the plot and in the derived document."""

from typing import Any

import pytest

from aibench.model import CachePolicy, RunRecord
from aibench.reporters import figures, markdown, steadiness, terminal
from aibench.reporters.document import document
from tests import build, flow
from tests.reporters import records
from tests.reporters.golden import assert_golden

SECOND = 10**9


def phases(record: RunRecord) -> list[dict[str, Any]]:
    """The phases of the document's one workload."""
    found: list[dict[str, Any]] = document(record, ())["workloads"][0]["phases"]
    return found


def written(*rates: list[float], **changes: Any) -> dict[str, Any]:
    """The document's phase of one direct write a list of rates."""
    stage = build.stage(phases=(flow.writing(**changes),))
    samples = [
        build.sample(n, phase="seq-write", measurement=flow.flow(each))
        for n, each in enumerate(rates)
    ]
    (found,) = phases(build.record(*samples, plan=build.plan(stage)))
    return found


def test_the_report_of_a_burst_as_a_whole() -> None:
    """Burst and sustained rate are rows of their own, and the state of each phase is told."""
    assert_golden("terminal_burst.txt", terminal.render(document(records.burst(), ()), width=80))
    assert_golden("burst.md", markdown.render(document(records.burst(), ())))


def test_the_document_holds_state_cliff_and_drift() -> None:
    """Every repeat says what its rate did, in base units."""
    writing, reading = phases(records.burst())
    for sample in writing["samples"]:
        assert sample["steadiness"]["state"] == "steady"
        assert sample["steadiness"]["cliff"]["at_ns"] == 20 * SECOND
    for sample in reading["samples"]:
        assert sample["steadiness"]["state"] == "drifting"
        assert sample["steadiness"]["drift"] == pytest.approx(-0.4, abs=0.05)
        assert sample["steadiness"]["cliff"] is None
    assert [group["code"] for group in writing["warnings"]] == ["burst"]
    assert [group["code"] for group in reading["warnings"]] == ["not_steady"]
    assert reading["warnings"][0]["repeats"] == [0, 1, 2]


def test_repeats_that_differ_are_counted() -> None:
    """Where one repeat was steady and another drifted, both are said."""
    found = written(
        flow.noise(1, 120, 0.02, 0.0, mean=1e8), flow.noise(2, 120, 0.02, 0.0, drift=-0.4, mean=1e8)
    )
    text = steadiness.sentence(found)
    assert text.startswith("steady in 1, drifting in 1 of 2 repeats: drift ")
    assert list(steadiness.sentences([found])) == [f"seq-write: {text}"]


def test_what_was_too_short_is_said_once() -> None:
    """A short phase has a warning already; the page's own line says how long it takes."""
    found = written(flow.noise(1, 30, 0.02, 0.0, mean=1e8))
    assert list(steadiness.sentences([found])) == []
    assert steadiness.sentence(found) == (
        "too short to be called steady in 1 of 1 repeat: seen for 30 s, and it takes 60 s."
    )


def test_nothing_is_said_of_what_the_page_cache_hides() -> None:
    """Writes through the page cache have no state, no mark, and a line in what was not tested."""
    found = written(flow.cliff(4e8, 1e8, 20, 120), cache=CachePolicy.AS_FOUND)
    assert found["samples"][0]["steadiness"] is None
    assert (steadiness.sentence(found), steadiness.marks(found)) == ("", {})
    stage = build.stage(phases=(flow.writing(cache=CachePolicy.AS_FOUND),))
    sample = build.sample(phase="seq-write", measurement=flow.flow([1e8] * 120))
    gaps = document(build.record(sample, plan=build.plan(stage)), ())["not_tested"]
    assert "burst and sustained rate of load-demo, seq-write" in [gap["what"] for gap in gaps]


def test_window_and_cliff_are_marked_in_the_plot() -> None:
    """The time that was judged is a box, the end of the burst a line, both with a label."""
    writing, reading = phases(records.burst())
    shown = figures.throughput(writing)
    assert shown is not None
    box, line = shown["layout"]["shapes"]
    assert (box["type"], box["role"], box["x0"], box["x1"]) == ("rect", "window", 21, 119)
    assert (line["type"], line["role"], line["x0"], line["x1"]) == ("line", "cliff", 20, 20)
    assert [label["text"] for label in shown["layout"]["annotations"]] == [
        "steady, repeat 1", "end of the burst, repeat 1",
    ]  # fmt: skip
    drifting = figures.throughput(reading)
    assert drifting is not None
    assert [label["text"][:8] for label in drifting["layout"]["annotations"]] == ["drifting"]


def test_a_short_phase_has_no_box() -> None:
    """Nothing is shaded where nothing could be judged."""
    shown = figures.throughput(written(flow.noise(1, 30, 0.02, 0.0, mean=1e8)))
    assert shown is not None
    assert "shapes" not in shown["layout"]
