"""What all kinds of claims share on the way to a verdict: the bound, the gates, the words.

MET: the whole interval is on the good side of the claimed value after its tolerance, and no gate
forbids it. NOT_MET: the whole interval is on the bad side, and no gate forbids that. Everything
else is INCONCLUSIVE, with its reasons. The tolerance is the claim's; noise is in the interval.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from aibench.judge.gates import Gate
from aibench.judge.reasons import sentence
from aibench.judge.trials import Trial
from aibench.model import Claim, Estimate, Finding, Interpretation, Phase, Status, System, Verdict
from aibench.stats.intervals import FEWEST_RUNS, Side, runs_needed, spread
from aibench.units import format_size_binary, format_value

CONFIDENCE = 0.95
#: Which verdict stands for a claim that several trials test: the first of these that occurs.
_PREFERENCE = (Status.MET, Status.INCONCLUSIVE, Status.REFERENCE_ONLY, Status.NOT_MET,
               Status.NOT_TESTABLE_HERE)  # fmt: skip


def better(claim: Claim) -> str:
    """``higher`` for a claim of at least a value, ``lower`` for one of at most a value."""
    return "higher" if claim.direction == ">=" else "lower"


def claimed(reading: Interpretation) -> float:
    """The value that ``reading`` claims. Those without one are never measured."""
    assert reading.value is not None
    return reading.value


def bound(claim: Claim, interpretation: Interpretation) -> float:
    """The claimed value after the tolerance: 0.95 of it for `at least` and 5 %."""
    signed = -claim.tolerance if better(claim) == "higher" else claim.tolerance
    return claimed(interpretation) * (1 + signed)


def best(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that supports a claim best, of those that different trials gave."""
    return min(verdicts, key=_rank)


def _rank(verdict: Verdict) -> tuple[int, float]:
    margin = verdict.margin or 0.0
    signed = -margin if better(verdict.claim) == "higher" else margin
    return _PREFERENCE.index(verdict.status), signed


def without(
    claim: Claim, reading: Interpretation, status: Status, *codes: str, next_step: str = ""
) -> Verdict:
    """A verdict without a measurement, for reasons that say it all by their codes."""
    findings = tuple(Finding(code=code, message=sentence(code)) for code in codes)
    return Verdict(claim=claim, interpretation=reading, status=status, reasons=findings,
                   next_step=next_step)  # fmt: skip


def findings(closed: Sequence[Gate]) -> tuple[Finding, ...]:
    """What the gates found."""
    return tuple(gate.finding for gate in closed)


def too_few(claim: Claim, n: int, what: str = "run") -> list[Gate]:
    """The gate that fewer than the claim's smallest number of runs close."""
    needed = max(claim.smallest_n, FEWEST_RUNS)
    if n >= needed:
        return []
    return [
        Gate(
            finding=Finding(
                code="too_few_runs", message=f"{n} of at least {counted(needed, what)}"
            ),
            forbids_met=True,
            forbids_not_met=True,
            remedy=f"measure {counted(needed - n, what)} more",
        )
    ]


def counted(n: int, what: str = "run") -> str:
    """``1 run``, ``3 runs``, ``3 runs of each size``."""
    noun, space, rest = what.partition(" ")
    return f"{n} {noun}{'' if n == 1 else 's'}{space}{rest}"


def same_product(claim: Claim, system: System | None) -> bool:
    """Whether the system file names the product that the claim is about, and no other version."""
    if system is None:
        return False
    if claim.version and system.version and plain(claim.version) != plain(system.version):
        return False
    return plain(claim.vendor, claim.product) == plain(system.vendor, system.product)


def plain(*texts: str) -> tuple[str, ...]:
    """For comparison: neither case nor the amount of space makes a difference."""
    return tuple(" ".join(text.casefold().split()) for text in texts)


def reference(
    draft: Verdict, trial: Trial, value: float, closed: Sequence[Gate], what: str = "the mount does"
) -> Verdict:
    """How ``value`` relates to the figure, in words; never met or not met.

    The gates that would forbid what it looks like are told with it.
    """
    claim, figure, system = draft.claim, claimed(draft.interpretation), trial.system
    where = "above" if value > figure else "below" if value < figure else "exactly at"
    apparent = Side.GOOD if (value >= figure) is (better(claim) == "higher") else Side.BAD
    of = format_value(figure, claim.unit) + ("" if claim.whole_system else f" per {claim.scope}")
    held = f"{where} the figure ({of})"
    if figure:
        held = f"{format_value(value / figure, '1')} of the figure ({of}), {where} it"
    relation = f"reference only: {what} {format_value(value, claim.unit)}, {held}"
    if system is None:
        why = Finding(code="no_system", message=f"{relation}; no system file says what it is")
    else:
        told = f"{relation}; it is {system.vendor} {system.product}"
        why = Finding(code="other_product", message=told)
    return replace(
        draft,
        status=Status.REFERENCE_ONLY,
        reasons=(why, *findings(blocking(apparent, closed)), *trial.dropped),
        margin=value / figure if figure else None,
        next_step=f"measure a mount of {claim.vendor} {claim.product} and describe it with "
        "--system",
    )


def blocking(where: Side, closed: Sequence[Gate]) -> list[Gate]:
    """The gates that keep this side from becoming a verdict."""
    if where is Side.BAD:
        return [gate for gate in closed if gate.forbids_not_met]
    return [gate for gate in closed if gate.forbids_met]


def concluded(
    draft: Verdict,
    where: Side,
    closed: Sequence[Gate],
    undecided: Gate | None,
    rest: Sequence[Finding] = (),
) -> Verdict:
    """Met, not met, or what kept the runs from showing either.

    ``undecided`` is why the interval itself decides nothing, where that is the case.
    """
    stop = blocking(where, closed)
    if undecided is not None:
        stop = [undecided, *stop]
    open_ = where in (Side.STRADDLES, Side.DISAGREE)
    status = Status.MET if where is Side.GOOD else Status.NOT_MET
    if stop or open_:
        status = Status.INCONCLUSIVE
    remarks = [gate for gate in closed if gate not in stop]
    return replace(
        draft,
        status=status,
        reasons=(*findings((*stop, *remarks)), *rest),
        next_step=_next_step(draft, status, stop),
    )


def undecided(
    draft: Verdict,
    where: Side,
    values: Sequence[float],
    measured: Estimate,
    confidence: float,
    what: str = "run",
) -> Gate | None:
    """Why runs that are enough in number decide nothing by themselves; None where they do."""
    assert draft.bound is not None
    if where is Side.DISAGREE:
        message = "the t interval and the order-statistic interval give different answers"
        finding = Finding(code="estimators_disagree", message=message)
        return Gate(finding=finding, remedy=f"look for two modes among the {what}s")
    if where is not Side.STRADDLES:
        return None
    limit = format_value(draft.bound, draft.claim.unit)
    if min(*values, measured.typical, draft.bound) <= 0:
        message = f"the bound {limit} lies inside the interval"
        finding = Finding(code="ci_straddles", message=message)
        return Gate(finding=finding, remedy=f"measure more {what}s, or a quieter system")
    cv, gap = spread(values), abs(math.log(measured.typical / draft.bound))
    needed = runs_needed(cv, gap, confidence=confidence)
    message = f"the bound {limit} lies inside the interval; the {what}s spread by {cv:.1%}"
    remedy = (
        f"a quieter system: the typical {what} is too close to the bound for more {what}s to decide"
    )
    if needed is not None:
        remedy = f"would need about {counted(max(needed - len(values), 1), what)} more"
    return Gate(finding=Finding(code="ci_straddles", message=message), remedy=remedy)


def assumption(claim: Claim, phase: Phase) -> tuple[Finding, ...]:
    """Under which conditions a figure was tested whose source leaves conditions out."""
    if not claim.unstated:
        return ()
    message = (
        f"the source does not state: {', '.join(claim.unstated)}; tested by {phase.name} with "
        f"{format_size_binary(phase.io_size)} I/O, {phase.processes} processes, depth "
        f"{phase.depth}, cache {phase.cache.value}"
    )
    return (Finding(code="claim_underspecified", message=message),)


def _next_step(draft: Verdict, status: Status, stop: Sequence[Gate]) -> str:
    """What would change the verdict."""
    if status is Status.INCONCLUSIVE:
        return "; ".join(dict.fromkeys(gate.remedy for gate in stop if gate.remedy))
    assert draft.bound is not None
    worse, good = ("below", "above") if better(draft.claim) == "higher" else ("above", "below")
    where = worse if status is Status.MET else good
    return f"only runs whose interval reaches {where} " + format_value(
        draft.bound, draft.claim.unit
    )
