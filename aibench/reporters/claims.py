"""Verdict rows: a claim as it was printed, what was measured, and why the answer is what it is."""

from collections.abc import Sequence
from typing import Any

from aibench.model import Status, System, Verdict
from aibench.reporters.conditions import conditions
from aibench.reporters.values import number, plain, quantity, spread

#: What each status is called, everywhere.
WORDS = {
    Status.MET: "met",
    Status.NOT_MET: "not met",
    Status.INCONCLUSIVE: "inconclusive",
    Status.CONSISTENT: "consistent",
    Status.INCONSISTENT: "inconsistent",
    Status.INCONSISTENT_BOUND: "beyond any storage",
    Status.NOT_TESTABLE_HERE: "not testable here",
    Status.NOT_TESTABLE: "not testable",
    Status.REFERENCE_ONLY: "reference only",
}
#: What a reader must see first.
_SEVERITY = (
    Status.NOT_MET,
    Status.INCONSISTENT_BOUND,
    Status.INCONSISTENT,
    Status.INCONCLUSIVE,
    Status.MET,
    Status.CONSISTENT,
    Status.REFERENCE_ONLY,
    Status.NOT_TESTABLE_HERE,
    Status.NOT_TESTABLE,
)
_SIGNS = {">=": "at least", "<=": "at most"}
_CLAIM_TEXTS = (
    "title", "vendor", "product", "quote", "source", "date", "scope", "metric", "direction",
    "unit_definition", "configuration", "tolerance", "smallest_n", "stated", "unstated",
    "defects", "untestable_part", "origin",
)  # fmt: skip


def verdict_rows(
    verdicts: Sequence[Verdict], workloads: Sequence[dict[str, Any]], system: System | None
) -> list[dict[str, Any]]:
    """One row for each verdict, those that ask for action first.

    ``workloads`` are those of the document, with the phases that were the tests.
    """
    return [
        _row(verdict) | {"conditions": conditions(verdict, workloads, system)}
        for verdict in sorted(verdicts, key=_severity)
    ]


def counts_by_status(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many verdicts have each status; statuses that did not occur are left out."""
    ordered = sorted(verdicts, key=_severity)
    counts: dict[str, int] = {}
    for verdict in ordered:
        counts[verdict.status.value] = counts.get(verdict.status.value, 0) + 1
    return counts


def _severity(verdict: Verdict) -> int:
    return _SEVERITY.index(verdict.status)


def _name(verdict: Verdict) -> str:
    """What a reading is called where nothing is noted of it and there are others."""
    return verdict.interpretation.id if len(verdict.claim.interpretations) > 1 else ""


def _row(verdict: Verdict) -> dict[str, Any]:
    claim, measured = verdict.claim, verdict.measured
    seen = measured or verdict.aggregate
    whole = verdict.aggregate_unit or claim.unit
    return {
        "claim": claim.id,
        **{name: plain(getattr(claim, name)) for name in _CLAIM_TEXTS},
        "kind": claim.kind.value,
        "testability": claim.testability.value,
        "unit": claim.unit,
        "unit_as_printed": claim.unit_as_printed,
        "interpretation": {
            "id": verdict.interpretation.id,
            "note": verdict.interpretation.note or _name(verdict),
            "of": len(claim.interpretations),
        },
        "sign": _SIGNS.get(claim.direction, claim.direction),
        "claimed": quantity(verdict.interpretation.value, claim.unit),
        "bound": quantity(verdict.bound, claim.unit),
        "status": verdict.status.value,
        "word": WORDS[verdict.status],
        "workload": verdict.workload,
        "phase": verdict.phase,
        "measured": spread(measured, claim.unit),
        "aggregate": spread(verdict.aggregate, whole),
        "baseline": spread(verdict.baseline, whole),
        "n": seen.n if seen else None,
        "worst": quantity(seen.worst, claim.unit if measured else whole) if seen else None,
        "margin": number(verdict.margin),
        "reasons": plain(verdict.reasons),
        "next_step": verdict.next_step,
    }
