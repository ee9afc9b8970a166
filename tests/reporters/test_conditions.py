"""Conditions of claims beside those of tests."""

from typing import Any

from aibench.model import Conditions, Finding, Status, System, Verdict
from aibench.reporters.conditions import conditions, summary
from aibench.reporters.document import document
from tests import build
from tests.reporters import records, verdicts


def found(
    verdict: Verdict, system: System | None = None
) -> dict[str, tuple[str | None, str | None, str | None]]:
    """(claimed, tested, state) of each condition, by its name, of a test in a full run."""
    workloads = document(records.many(), ())["workloads"]
    rows = conditions(verdict, workloads, system)
    return {str(row["what"]): (row["claimed"], row["tested"], row["state"]) for row in rows}


def judged(**changes: Any) -> Verdict:
    """A verdict on a claim with these changes, tested by large sequential reads."""
    return verdicts.verdict(Status.MET, verdicts.claim(**changes), 42e9, 43e9, 42e9)


def test_what_the_source_leaves_out_is_listed_with_what_was_done() -> None:
    """Every condition that a source does not state is there, with that of the test."""
    rows = found(judged())
    assert rows["cache"] == (None, "cold", "unstated")
    assert rows["block"] == (None, "1.00 MiB a call", "unstated")
    assert rows["load"][1] == "1 client, 2 processes × 1 thread, queue depth 16"
    assert rows["data"][1] == "2 files of 2.15 GB each"
    assert rows["duration"][1] == "30.0 s, 3 times"


def test_what_differs_is_marked_and_stands_first() -> None:
    """A stated block of 4 KiB is another one than the tested 1 MiB; reading is what was claimed."""
    stated = Conditions(op="read", pattern="zoned", block=4096)
    rows = found(judged(conditions=stated, stated=("up to 40 GB/s",)))
    assert rows["block"] == ("4.00 KiB", "1.00 MiB a call", "differs")
    assert rows["operation"] == ("read", "read", "same")
    assert rows["access"][2] == "unknown"
    assert rows["stated in words"] == ("up to 40 GB/s", None, "unknown")
    assert next(iter(rows)) == "block"
    told = summary([{"state": state} for *_, state in rows.values()])
    assert told.startswith("Conditions: 1 differs, 1 the same, 3 to be read, ")


def test_the_product_is_a_condition() -> None:
    """What was measured is the claimed product, another one, or not described."""
    assert found(judged())["product"] == ("H3C CX", "not described", "unknown")
    assert found(judged(), build.system())["product"][2] == "same"
    other = Verdict(
        claim=verdicts.claim(vendor="Huawei", product="A310"),
        interpretation=verdicts.claim().interpretations[0], status=Status.REFERENCE_ONLY,
        reasons=(Finding(code="other_product", message="of another product"),),
        workload="block", phase="sequential_read",
    )  # fmt: skip
    assert found(other, build.system())["product"][2] == "differs"


def test_units_of_a_whole_system_are_counted() -> None:
    """A claim for so many units differs from a test of another number of them."""
    claim = judged(units_in_max_config=8, whole_system=True)
    assert found(claim, build.system(units=2))["units"] == ("8 × node", "2 × node", "differs")
    assert found(claim, build.system(units=8))["units"][2] == "same"
    assert found(claim)["units"][1:] == ("not described", "unknown")


def test_a_verdict_without_a_test_has_no_conditions() -> None:
    """Nothing was tested where no phase of the run is about the claim."""
    untested = verdicts.verdict(Status.NOT_TESTABLE_HERE, verdicts.claim())
    assert found(untested) == {}
    assert summary([]) == ""
