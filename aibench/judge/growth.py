"""Claims on scaling: how a rate grows with units, clients, accelerators or workers.

It takes three sizes with three runs each: of several records, or the levels of a sweep in one.
Where a sweep has other levels besides, growth is looked at for each of them alone, and the one that
supports the claim best counts; the intervals are widened (Šidák) for that choice. The exponent of
the growth has to keep the claimed efficiency from the smallest to the largest size, and the worst
size has to show it. Nothing is said of a size that was not measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aibench.judge.absolute import not_testable
from aibench.judge.gates import Gate, hosts
from aibench.judge.trials import Absent, Trial, single
from aibench.judge.verdicts import (
    CONFIDENCE,
    assumption,
    best,
    bound,
    claimed,
    concluded,
    findings,
    reference,
    same_product,
    too_few,
    without,
)
from aibench.model import (
    Claim,
    Estimate,
    Finding,
    Interpretation,
    Level,
    RunRecord,
    Status,
    Verdict,
)
from aibench.stats.intervals import SLACK, Side
from aibench.stats.scaling import FEWEST_LEVELS, Scaling, exponent_needed, fit
from aibench.stats.scaling import Level as Step

#: An exponent whose interval lies above this is not growth but a small size that was held up.
_SUPERLINEAR = 1.02
#: The smallest number of units up to which growth is called met.
_SMALLEST_LARGEST = 4
_NAMES = {"units": "units", "clients": "clients", "accelerators": "accelerators",
          "workers": "workers"}  # fmt: skip
#: The settings whose levels are those sizes, where a run sweeps them.
_AXES = {"units": (), "clients": ("hosts",), "accelerators": ("accelerators",),
         "workers": ("workers", "threads", "jobs")}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """All trials by size, smallest first."""

    trials: dict[int, list[Trial]]

    @property
    def runs(self) -> dict[int, list[float]]:
        """The rates of each size; a time counts as its inverse."""
        return {n: [r for t in found for r in _rates(t)] for n, found in self.trials.items()}

    @property
    def first(self) -> Trial:
        """One of the largest size."""
        return self.trials[max(self.trials)][0]


def _rates(trial: Trial) -> list[float]:
    return [1 / value if trial.better == "lower" else value for value in trial.values]


def judged(claim: Claim, reading: Interpretation, records: Sequence[RunRecord]) -> Verdict:
    """The verdict on how the claim's metric grows over ``records``."""
    found = [place for record in records for place in single(record, claim)]
    trials = [place for place in found if isinstance(place, Trial)]
    if not trials:
        return not_testable([a for a in found if isinstance(a, Absent)], claim, reading)
    slices: dict[tuple[Level, ...], dict[int, list[Trial]]] = {}
    for trial in trials:
        if (size := _size(claim, trial)) is not None:
            slices.setdefault(_beside(claim, trial), {}).setdefault(size, []).append(trial)
    if not slices:
        step = "say in each run's system file how many units it had (units)"
        return without(claim, reading, Status.NOT_TESTABLE_HERE, "units_missing", next_step=step)
    large = [held for held in slices.values() if len(held) >= FEWEST_LEVELS]
    confidence = CONFIDENCE ** (1 / max(len(large), 1))
    every = (Sizes(trials=dict(sorted(held.items()))) for held in large or slices.values())
    return best([_grown(claim, reading, sizes, confidence) for sizes in every])


def _beside(claim: Claim, trial: Trial) -> tuple[Level, ...]:
    """The levels of a sweep that are no size here: what they differ in is another question."""
    return tuple(level for level in trial.phase.levels if level.name not in _AXES[claim.axis])


def _grown(claim: Claim, reading: Interpretation, sizes: Sizes, confidence: float) -> Verdict:
    """The verdict on sizes that differ in nothing else."""
    name = _NAMES[claim.axis]
    if (held := len(sizes.trials)) < FEWEST_LEVELS:
        told = ", ".join(map(str, sizes.trials))
        message = f"measured with {told} {name}: growth takes {FEWEST_LEVELS} sizes"
        verdict = without(claim, reading, Status.NOT_TESTABLE_HERE)
        finding = Finding(code="level_not_tested", message=message)
        step = f"measure at {FEWEST_LEVELS - held} more sizes, say 1, 2, 4 and 8 {name}"
        return replace(verdict, reasons=(finding,), next_step=step)
    return decide(claim, reading, sizes, confidence)


def _size(claim: Claim, trial: Trial) -> int | None:
    if claim.axis == "units":
        return trial.system.units if trial.system else None
    if claim.axis == "clients":
        return hosts(trial.counted)
    if claim.axis == "accelerators":
        fed = trial.counted[0].measurement.training
        return len(fed.accelerators) or None if fed else None
    return trial.phase.slots


def decide(
    claim: Claim, reading: Interpretation, sizes: Sizes, confidence: float = CONFIDENCE
) -> Verdict:
    """The verdict on at least three sizes."""
    runs, trial = sizes.runs, sizes.first
    fewest = min(map(len, runs.values()))
    few = too_few(claim, fewest, f"run of each number of {_NAMES[claim.axis]}")
    draft = Verdict(
        claim=claim,
        interpretation=reading,
        status=Status.INCONCLUSIVE,
        workload=trial.workload,
        phase=trial.phase.name,
        bound=bound(claim, reading),
    )
    dropped = tuple(f for found in sizes.trials.values() for t in found for f in t.dropped)
    closed = [*few, *_gates(sizes)]
    every = [each for found in sizes.trials.values() for each in found]
    others = [each for each in every if not same_product(claim, each.system)]
    if fewest < 2:
        if others:
            return replace(
                without(claim, reading, Status.NOT_TESTABLE_HERE),
                reasons=(*findings(few), *dropped),
                next_step="; ".join(gate.remedy for gate in few),
            )
        return concluded(draft, Side.STRADDLES, closed, None, dropped)
    seen = fit(runs, confidence)
    measured = _estimate(seen.worst, len(runs[seen.worst.n]), seen)
    draft = replace(draft, measured=measured, margin=measured.typical / claimed(reading))
    assert draft.bound is not None
    said = (_told(claim, seen), *_bent(claim, seen, draft.bound), *dropped)
    closed += [*_superlinear(seen), *_small(claim, seen)]
    if others:
        told = replace(others[0], dropped=said)
        return reference(draft, told, measured.typical, closed, "the efficiency here is")
    where = _side(seen, draft.bound)
    gate = None if few else _undecided(where, seen, draft.bound)
    return concluded(draft, where, closed, gate, (*said, *assumption(claim, trial.phase)))


def _side(seen: Scaling, needed: float) -> Side:
    """Where exponent and worst size lie; where the growth bends, the worst size alone."""
    worst, smallest = seen.worst, seen.levels[0].n
    reached = worst.low >= needed * (1 - SLACK)
    missed = worst.high < needed * (1 - SLACK)
    exponent = exponent_needed(needed, smallest, seen.largest) - SLACK
    if not seen.bends:
        reached = reached and seen.low >= exponent
        missed = seen.high < exponent
    return Side.GOOD if reached else Side.BAD if missed else Side.STRADDLES


def _undecided(where: Side, seen: Scaling, needed: float) -> Gate | None:
    if where is not Side.STRADDLES:
        return None
    worst = seen.worst
    exponent = exponent_needed(needed, seen.levels[0].n, seen.largest)
    span = f"[{worst.low:.3g}, {worst.high:.3g}]"
    told = []
    if worst.high < needed:
        told.append(f"the efficiency at {worst.n} {span} is below the bound {needed:.3g}")
    elif worst.low < needed:
        told.append(f"the bound {needed:.3g} lies inside the efficiency at {worst.n} {span}")
    if seen.low < exponent <= seen.high:
        told.append(
            f"the exponent {exponent:.3g} that it takes lies inside the one that was measured "
            f"[{seen.low:.3g}, {seen.high:.3g}]"
        )
    finding = Finding(code="ci_straddles", message=", and ".join(told))
    return Gate(finding=finding, remedy="measure more runs of each size, or a larger one")


def _gates(sizes: Sizes) -> list[Gate]:
    """The gates of all sizes; what holds up the smallest one makes the growth look better."""
    smallest = min(sizes.trials)
    closed: dict[str, Gate] = {}
    for size, found in sizes.trials.items():
        for gate in (gate for trial in found for gate in trial.closed):
            message = f"at {size}: {gate.finding.message}"
            gate_ = replace(gate, finding=replace(gate.finding, message=message))
            if size == smallest:
                if gate.finding.code == "single_client":
                    continue
                gate_ = replace(gate_, forbids_met=gate.forbids_not_met,
                                forbids_not_met=gate.forbids_met)  # fmt: skip
            closed.setdefault(f"{size == smallest} {gate.finding.code}", gate_)
    return list(closed.values())


def _superlinear(seen: Scaling) -> list[Gate]:
    if seen.low <= _SUPERLINEAR:
        return []
    message = (
        f"an exponent of {seen.exponent:.3g} [{seen.low:.3g}, {seen.high:.3g}] is more than in "
        "proportion: the small sizes were held up by something else"
    )
    return [
        Gate(finding=Finding(code="superlinear", message=message), forbids_met=True,
             remedy="find out what held the small sizes up: a client at its limit, a cold cache")
    ]  # fmt: skip


def _small(claim: Claim, seen: Scaling) -> list[Gate]:
    """Few units together show little of what many would do."""
    if seen.largest >= _SMALLEST_LARGEST:
        return []
    message = f"the largest size is {seen.largest} {_NAMES[claim.axis]}, not {_SMALLEST_LARGEST}"
    return [
        Gate(finding=Finding(code="level_not_tested", message=message), forbids_met=True,
             remedy=f"measure with {_SMALLEST_LARGEST} {_NAMES[claim.axis]} or more")
    ]  # fmt: skip


def _told(claim: Claim, seen: Scaling) -> Finding:
    message = (
        f"up to N={seen.largest} {_NAMES[claim.axis]}: exponent {seen.exponent:.3g} "
        f"[{seen.low:.3g}, {seen.high:.3g}], efficiency {seen.worst.efficiency:.3g} at "
        f"{seen.worst.n}; nothing is said of more"
    )
    return Finding(code="tested_up_to", message=message)


def _bent(claim: Claim, seen: Scaling, needed: float) -> tuple[Finding, ...]:
    if not seen.bends:
        return ()
    message = (
        f"the growth bends, so one exponent does not describe it: {needed:.3g} is kept up to "
        f"{seen.knee(needed)} {_NAMES[claim.axis]}"
    )
    return (Finding(code="knee", message=message),)


def _estimate(worst: Step, n: int, seen: Scaling) -> Estimate:
    return Estimate(
        typical=worst.efficiency, low=worst.low, high=worst.high, n=n,
        worst=worst.efficiency, best=max(level.efficiency for level in seen.levels),
        method=f"efficiency at {worst.n} against {seen.levels[0].n}, t with the common spread",
    )  # fmt: skip
