import json
from dataclasses import replace
from typing import Any

import pytest

from aibench.model import CacheState, Finding, Operation, RunRecord, Status
from aibench.reporters.document import document
from tests import build
from tests.reporters import hostile, records, verdicts


def phase_of(record: RunRecord) -> dict[str, Any]:
    """The first phase of the first workload of the document."""
    found: dict[str, Any] = document(record, ())["workloads"][0]["phases"][0]
    return found


def figure(phase: dict[str, Any], name: str) -> dict[str, Any]:
    """One figure of a phase by its name."""
    found: dict[str, Any] = next(m for m in phase["metrics"] if m["name"] == name)
    return found


@pytest.mark.parametrize(
    "record", [records.many(), records.missing(), records.interrupted(), records.refused(),
               hostile.hostile()],
    ids=["many", "missing", "interrupted", "refused", "hostile"],
)  # fmt: skip
def test_every_record_gives_strict_json(record: RunRecord) -> None:
    """The document of any record is JSON with no NaN in it."""
    found = document(record, verdicts.verdicts())
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_same_record_gives_the_same_document() -> None:
    """A report can be made again years later, and says the same."""
    first, second = (document(records.many(), verdicts.verdicts()) for _ in range(2))
    assert first == second


def test_verdicts_that_ask_for_action_come_first() -> None:
    """Claims that are not met stand first, those that can't be tested here last."""
    rows = document(build.record(), verdicts.verdicts())["verdicts"]
    assert [row["word"] for row in rows] == [
        "not met", "inconclusive", "met", "reference only", "not testable here",
    ]  # fmt: skip


def test_a_verdict_row_holds_the_claim_as_printed_and_both_scales() -> None:
    """A verdict row has the quote, the figure per unit and in all, and the worst run."""
    rows = document(build.record(), verdicts.verdicts())["verdicts"]
    row = next(row for row in rows if row["status"] == Status.MET)
    assert row["quote"] == "单节点可提供20GB/s+带宽"
    assert row["measured"]["printed"] == "21.1 GB/s"
    assert row["aggregate"]["printed"] == "42.2 GB/s"
    assert row["worst"]["printed"] == "20.9 GB/s"
    assert row["bound"]["value"] == 19 * 10**9


def test_repeats_that_do_not_count_stay_out_of_the_estimate() -> None:
    """A repeat that does not count is shown with its value and left out of the typical value."""
    wrong = build.sample(
        2,
        measurement=build.measurement(bytes=10**9),
        reasons=(Finding(code="not_cold", message="it was cached"),),
    )
    phase = phase_of(build.record(build.sample(0), build.sample(1), wrong))
    bandwidth = figure(phase, "read_bandwidth")
    assert phase["repeats"] == {"planned": 3, "done": 3, "counted": 2}
    assert bandwidth["values"] == [4_096_000, 4_096_000, 10**9]
    assert bandwidth["estimate"]["n"] == 2
    assert bandwidth["estimate"]["typical"] == pytest.approx(4_096_000)


def test_where_nothing_counts_the_figures_say_so() -> None:
    """Where no repeat counts, the figures are those of all repeats, marked as not counting."""
    reason = (Finding(code="not_cold", message="it was cached"),)
    phase = phase_of(build.record(*(build.sample(n, reasons=reason) for n in range(3))))
    assert phase["counts"] is False
    assert figure(phase, "read_bandwidth")["estimate"]["n"] == 3
    assert phase["reasons"] == [
        {"code": "not_cold", "message": "it was cached", "repeats": [0, 1, 2]}
    ]


def test_evidence_is_not_averaged() -> None:
    """Repeats whose caches differed have the state ``varies``, never the best of them."""
    warm = build.sample(1, evidence=build.evidence(state=CacheState.WARM))
    phase = phase_of(build.record(build.sample(0), warm))
    assert phase["cache_state"] == "varies"
    assert phase["cache_states"] == {"cold": [0], "warm": [1]}
    assert figure(phase, "read_bandwidth")["estimate"]["n"] == 1
    (left_out,) = [w for w in phase["warnings"] if w["code"] == "cache_state_differs"]
    assert left_out["repeats"] == [1]


def test_a_read_that_nobody_checked_has_no_cache_state() -> None:
    """A read without evidence has no cache state: not checked is never cold."""
    assert phase_of(build.record(build.sample(evidence=None)))["cache_state"] is None


def test_missing_percentiles_say_why() -> None:
    """A percentile of too few operations is missing, with the number of operations beside it."""
    few = build.measurement(histograms={"whole": build.histogram(*range(1000, 1050))})
    found = figure(phase_of(build.record(build.sample(measurement=few))), "latency_p99")
    assert (found["values"], found["estimate"]) == ([None], None)
    assert found["why_missing"] == "only 50 operations"


def test_the_latency_curve_ends_where_the_operations_do() -> None:
    """The latency curve is that of all repeats merged, and ends where they are too few."""
    curve = phase_of(build.record())["percentiles"]["whole"]
    assert curve["count"] == 3000
    assert curve["points"][-1][0] == 0.999
    assert [ns for _, ns in curve["points"]] == sorted(ns for _, ns in curve["points"])


def test_an_interrupted_run_counts_for_nothing_and_says_what_is_missing() -> None:
    """An interrupted run says why it does not count and which phases it never reached."""
    found = document(records.interrupted(), ())
    assert found["run"]["counts"] is False
    assert found["run"]["reasons"][0]["code"] == "interrupted"
    whats = [gap["what"] for gap in found["not_tested"]]
    assert whats[:3] == ["load-demo, read", "metadata, create", "metadata, delete"]


def test_a_record_without_its_end_says_that_it_did_not_end() -> None:
    """A record that was cut off has a reason, even where nobody could write one."""
    found = document(replace(build.record(), complete=False), ())
    assert [reason["code"] for reason in found["run"]["reasons"]] == ["unfinished"]


def test_samples_of_no_planned_phase_are_mentioned() -> None:
    """Samples that the plan did not ask for are left out, and the report says so."""
    found = document(build.record(build.sample(phase="other")), ())
    assert [warning["code"] for warning in found["run"]["warnings"]] == ["stray_samples"]


def test_memory_is_never_presented_as_storage() -> None:
    """A run on tmpfs says that no figure of it is a figure of storage."""
    found = document(build.record(target=build.target(fstype="tmpfs")), ())
    assert any("is memory" in gap["why"] for gap in found["not_tested"])


def test_headroom_compares_what_the_phase_is_about() -> None:
    """Headroom is the harness's own rate over the measured one, the smallest of the repeats."""
    stage = build.stage(phases=(build.phase(operation=Operation.READ_FILES),))
    sample = records.sample(stage, stage.phases[0], 0, 1e9, 10**6, 5)
    assert phase_of(build.record(replace(sample, phase="read")))["headroom"] == pytest.approx(6)
