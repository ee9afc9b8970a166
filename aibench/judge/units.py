"""For how many of what a figure is: the claimed unit against what the system file counts by."""

from dataclasses import replace

from aibench.judge.gates import Gate
from aibench.judge.trials import Trial
from aibench.judge.verdicts import claimed, plain
from aibench.model import Claim, Finding, Status, System, Verdict
from aibench.stats.intervals import per_unit
from aibench.units import format_value

#: A projection to more than so many times what was measured says nothing.
_FURTHEST = 2


def node_of(trial: Trial) -> str | None:
    """The name of the node that a trial measured alone (``extra.node`` in its system file)."""
    system = trial.system
    return system.extra.get("node") if system is not None and system.units == 1 else None


def divisor(claim: Claim, system: System) -> int:
    """Among how many units the rate of the mount is divided; 1 for what is no rate."""
    if claim.whole_system or claim.scope.casefold() == "client":
        return 1
    return system.units if claim.unit.endswith("/s") else 1


def unit_undefined(claim: Claim, system: System) -> Finding | None:
    """Why the figure can't be held against this system's units; None where it can.

    Figures of a client need no unit of storage, nor do those of a whole system without one.
    """
    if _needs_no_unit(claim):
        return None
    if plain(claim.scope) != plain(system.unit):
        message = (
            f"the figure is per {claim.scope}, the system file counts by the {system.unit}: "
            "from one to the other is a projection, not a verdict"
        )
        return Finding(code="unit_undefined", message=message)
    if not (claim.unit_definition or system.unit_definition):
        message = f"neither the source nor the system file says what one {claim.scope} is"
        return Finding(code="unit_undefined", message=message)
    return None


def _needs_no_unit(claim: Claim) -> bool:
    if plain(claim.scope) in (("client",), ("system",)):
        return True
    return claim.whole_system and claim.units_in_max_config is None


def averaged(system: System, units: int) -> list[Gate]:
    """The gate of a rate that was divided: nothing shows that every unit was driven."""
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


def beyond(claim: Claim, system: System, draft: Verdict) -> Verdict | None:
    """The verdict on a figure of a larger system than this one; None where it is as large.

    Up to twice its size the rate is projected, in proportion, and decides nothing.
    """
    wanted, have = claim.units_in_max_config, system.units
    if not claim.whole_system or wanted is None or wanted == have or draft.aggregate is None:
        return None
    each = format_value(claimed(draft.interpretation) / wanted, claim.unit)
    does = format_value(draft.aggregate.typical / have, claim.unit)
    told = (
        f"the figure is for {wanted} {claim.scope} units, {each} each; {have} were measured, "
        f"with {does} each"
    )
    step = f"measure {wanted} {claim.scope} units"
    if wanted > _FURTHEST * have:
        finding = Finding(code="needs_more_units", message=told)
        return replace(draft, status=Status.NOT_TESTABLE_HERE, reasons=(finding,), next_step=step)
    projected = per_unit(draft.aggregate, 1)
    factor = wanted / have
    projected = replace(
        projected,
        typical=projected.typical * factor,
        low=None if projected.low is None else projected.low * factor,
        high=None if projected.high is None else projected.high * factor,
        worst=projected.worst * factor,
        best=projected.best * factor,
        method=f"{projected.method}, projected in proportion",
    )
    finding = Finding(code="projection_only", message=f"{told}; the rest is a projection")
    return replace(
        draft,
        reasons=(finding,),
        measured=projected,
        margin=projected.typical / claimed(draft.interpretation),
        next_step=step,
    )
