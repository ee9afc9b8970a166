"""From the runs of one phase to a verdict: the figure's unit, the interval, the gates.

MET: the whole interval is on the good side of the claimed value after its tolerance, and no gate
forbids it. NOT_MET: the whole interval is on the bad side, and no gate forbids that. Everything
else is INCONCLUSIVE, with its reasons. The tolerance is the claim's; noise is in the interval.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aibench.judge.gates import Gate
from aibench.model import Claim, Estimate, Finding, Interpretation, Phase, Status, System, Verdict
from aibench.stats.intervals import (
    FEWEST_RUNS,
    Side,
    agreed_side,
    estimate,
    per_unit,
    runs_needed,
    spread,
)
from aibench.units import format_size_binary, format_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What tests a claim: one phase, the values of its runs that count, the closed gates.

    ``values`` are those of the whole mount, in the claim's base unit, all above 0. ``dropped``
    says which runs do not count, and why.
    """

    workload: str
    phase: Phase
    values: tuple[float, ...]
    closed: tuple[Gate, ...] = ()
    dropped: tuple[Finding, ...] = ()


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


def decide(
    claim: Claim,
    interpretation: Interpretation,
    system: System | None,
    trial: Trial,
    confidence: float = 0.95,
) -> Verdict:
    """The verdict of one reading of ``claim`` by one trial on ``system``."""
    draft = Verdict(
        claim=claim,
        interpretation=interpretation,
        status=Status.INCONCLUSIVE,
        workload=trial.workload,
        phase=trial.phase.name,
        aggregate=estimate(trial.values, better(claim), confidence),
        bound=bound(claim, interpretation),
    )
    trial = replace(trial, closed=(*_too_few(claim, trial), *trial.closed))
    if system is None or not _same_product(claim, system):
        return _reference(draft, system, trial)
    if undefined := _unit_undefined(claim, system):
        return replace(
            draft,
            reasons=(undefined, *_findings(trial.closed), *trial.dropped),
            next_step=f"say in the system file how many of the claim's {claim.scope} serve the "
            "mount (unit, units), and what one is (unit_definition)",
        )
    return _compared(draft, system, trial, confidence)


def _findings(closed: Sequence[Gate]) -> tuple[Finding, ...]:
    return tuple(gate.finding for gate in closed)


def _too_few(claim: Claim, trial: Trial) -> list[Gate]:
    needed, n = max(claim.smallest_n, FEWEST_RUNS), len(trial.values)
    if n >= needed:
        return []
    return [
        Gate(
            finding=Finding(code="too_few_runs", message=f"{n} of at least {needed} runs"),
            forbids_met=True,
            forbids_not_met=True,
            remedy=f"measure {_runs(needed - n)} more",
        )
    ]


def _runs(n: int) -> str:
    return "1 run" if n == 1 else f"{n} runs"


def _same_product(claim: Claim, system: System) -> bool:
    return _plain(claim.vendor, claim.product) == _plain(system.vendor, system.product)


def _plain(*texts: str) -> tuple[str, ...]:
    """For comparison: neither case nor the amount of space makes a difference."""
    return tuple(" ".join(text.casefold().split()) for text in texts)


def _reference(draft: Verdict, system: System | None, trial: Trial) -> Verdict:
    """How the whole mount relates to the figure, in words; never met or not met.

    The gates that would forbid what it looks like are told with it.
    """
    assert draft.aggregate is not None
    claim, value = draft.claim, claimed(draft.interpretation)
    typical = draft.aggregate.typical
    where = "above" if typical > value else "below" if typical < value else "exactly at"
    apparent = Side.GOOD if (typical >= value) is (better(claim) == "higher") else Side.BAD
    relation = (
        f"reference only: the mount does {format_value(typical, claim.unit)}, "
        f"{format_value(typical / value, '1')} of the figure "
        f"({format_value(value, claim.unit)} per {claim.scope}), {where} it"
    )
    if system is None:
        why = Finding(code="no_system", message=f"{relation}; no system file says what it is")
    else:
        told = f"{relation}; it is {system.vendor} {system.product}"
        why = Finding(code="other_product", message=told)
    return replace(
        draft,
        status=Status.REFERENCE_ONLY,
        reasons=(why, *_findings(_blocking(apparent, trial.closed)), *trial.dropped),
        margin=typical / value,
        next_step=f"measure a mount of {claim.vendor} {claim.product} and describe it with "
        "--system",
    )


def _unit_undefined(claim: Claim, system: System) -> Finding | None:
    if _plain(claim.scope) != _plain(system.unit):
        message = (
            f"the figure is per {claim.scope}, the system file counts by the {system.unit}: "
            "from one to the other is a projection, not a verdict"
        )
        return Finding(code="unit_undefined", message=message)
    if not (claim.unit_definition or system.unit_definition):
        message = f"neither the source nor the system file says what one {claim.scope} is"
        return Finding(code="unit_undefined", message=message)
    return None


def _compared(draft: Verdict, system: System, trial: Trial, confidence: float) -> Verdict:
    """Met, not met, or what kept the runs from showing either."""
    assert draft.aggregate is not None
    assert draft.bound is not None
    claim = draft.claim
    units = system.units if claim.unit.endswith("/s") else 1
    measured = per_unit(draft.aggregate, units)
    values = [value / units for value in trial.values]
    where = agreed_side(values, draft.bound, better(claim), confidence)
    closed = (*trial.closed, *_averaged(system, units))
    blocking = _blocking(where, closed)
    if where in (Side.STRADDLES, Side.DISAGREE) and not _too_few(claim, trial):
        blocking = [_undecided(draft, where, values, measured, confidence), *blocking]
    status = Status.INCONCLUSIVE
    if not blocking:
        status = Status.MET if where is Side.GOOD else Status.NOT_MET
    remarks = [gate for gate in closed if gate not in blocking]
    return replace(
        draft,
        status=status,
        measured=measured,
        margin=measured.typical / claimed(draft.interpretation),
        reasons=(
            *_findings((*blocking, *remarks)),
            *trial.dropped,
            *_assumption(claim, trial.phase),
        ),
        next_step=_next_step(draft, status, blocking),
    )


def _averaged(system: System, units: int) -> list[Gate]:
    if units == 1:
        return []
    message = (
        f"the rate of {units} {system.unit} units divided evenly: no counter of each unit shows "
        "that all of them were driven"
    )
    return [
        Gate(
            finding=Finding(code="units_averaged", message=message),
            forbids_not_met=True,
            remedy=f"measure one {system.unit} alone",
        )
    ]


def _blocking(where: Side, closed: Sequence[Gate]) -> list[Gate]:
    """The gates that keep this side from becoming a verdict."""
    if where is Side.BAD:
        return [gate for gate in closed if gate.forbids_not_met]
    return [gate for gate in closed if gate.forbids_met]


def _undecided(
    draft: Verdict, where: Side, values: Sequence[float], measured: Estimate, confidence: float
) -> Gate:
    """Why runs that are enough in number decide nothing by themselves."""
    assert draft.bound is not None
    if where is Side.DISAGREE:
        message = "the t interval and the order-statistic interval give different answers"
        finding = Finding(code="estimators_disagree", message=message)
        return Gate(finding=finding, remedy="look for two modes among the runs")
    cv, gap = spread(values), abs(math.log(measured.typical / draft.bound))
    needed = runs_needed(cv, gap, confidence=confidence)
    limit = format_value(draft.bound, draft.claim.unit)
    message = f"the bound {limit} lies inside the interval; the runs spread by {cv:.1%}"
    remedy = "a quieter system: the typical run is too close to the bound for more runs to decide"
    if needed is not None:
        remedy = f"would need about {_runs(max(needed - len(values), 1))} more"
    return Gate(finding=Finding(code="ci_straddles", message=message), remedy=remedy)


def _assumption(claim: Claim, phase: Phase) -> tuple[Finding, ...]:
    """Under which conditions a figure was tested whose source leaves conditions out."""
    if not claim.unstated:
        return ()
    message = (
        f"the source does not state: {', '.join(claim.unstated)}; tested by {phase.name} with "
        f"{format_size_binary(phase.io_size)} I/O, {phase.processes} processes, depth "
        f"{phase.depth}, cache {phase.cache.value}"
    )
    return (Finding(code="claim_underspecified", message=message),)


def _next_step(draft: Verdict, status: Status, blocking: Sequence[Gate]) -> str:
    """What would change the verdict."""
    if status is Status.INCONCLUSIVE:
        return "; ".join(dict.fromkeys(gate.remedy for gate in blocking))
    assert draft.bound is not None
    worse, good = ("below", "above") if better(draft.claim) == "higher" else ("above", "below")
    where = worse if status is Status.MET else good
    return f"only runs whose interval reaches {where} " + format_value(
        draft.bound, draft.claim.unit
    )
