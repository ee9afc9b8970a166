"""Claims on how many times better: a measured candidate over a measured baseline.

Pairs of a duel give one ratio each, and the interval is that of their logarithms; other runs are
compared as two sets (Welch), which can't tell drift from difference, and says so. A baseline that
somebody else measured decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aibench.judge import sides
from aibench.judge.absolute import not_testable
from aibench.judge.gates import Gate
from aibench.judge.sides import Side
from aibench.judge.trials import Absent, Trial, single
from aibench.judge.verdicts import (
    CONFIDENCE,
    assumption,
    best,
    better,
    bound,
    claimed,
    concluded,
    reference,
    same_product,
    too_few,
    undecided,
    without,
)
from aibench.model import (
    Claim,
    Estimate,
    Finding,
    Interpretation,
    RunRecord,
    Status,
    Verdict,
)
from aibench.stats import intervals
from aibench.stats.intervals import agreed_side, estimate, per_unit
from aibench.stats.ratios import difference, inverse, mean, ratio
from aibench.units import format_value

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A ratio with its interval; of ``values``, one for each pair, where there are pairs."""

    found: Estimate
    values: tuple[float, ...] = ()


def judged(
    claim: Claim,
    reading: Interpretation,
    candidates: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
) -> Verdict:
    """The verdict on a ratio of ``candidates`` over ``baseline``."""
    over, absent = gathered(claim, candidates)
    if not over:
        return not_testable(absent, claim, reading)
    if not baseline:
        return _unmeasured(claim, reading, next(iter(over.values())))
    under, lacking = gathered(claim, baseline)
    both = [(over[key], under[key]) for key in over if key in under]
    if not both:
        verdict = not_testable(lacking, claim, reading)
        code = Finding(code="no_baseline", message="the baseline has no run of the same phase")
        return replace(verdict, reasons=(code, *verdict.reasons))
    confidence = CONFIDENCE ** (1 / len(both))
    return best([decide(claim, reading, new, base, confidence) for new, base in both])


def _unmeasured(claim: Claim, reading: Interpretation, new: Side) -> Verdict:
    """Nothing is tested without a baseline; one from elsewhere gives a ratio, and no verdict."""
    told = claim.baseline
    of = f" ({told.description})" if told and told.description else ""
    step = f"measure the baseline{of} with the same plan, and name its records: --baseline RUN"
    trial = new.first
    if told is None or told.value is None or told.unit != trial.unit:
        return without(claim, reading, Status.NOT_TESTABLE_HERE, "no_baseline", next_step=step)
    turned = trial.better == "lower" and better(claim) == "higher"
    found = estimate(new.values, trial.better)
    seen = per_unit(found, told.value)
    message = (
        f"over {format_value(told.value, told.unit)}, which somebody else measured, if anybody: "
        "the baseline is not reproduced here"
    )
    return Verdict(
        claim=claim,
        interpretation=reading,
        status=Status.INCONCLUSIVE,
        reasons=(Finding(code="baseline_not_reproduced", message=message), *new.dropped),
        workload=trial.workload,
        phase=trial.phase.name,
        measured=inverse(seen) if turned else seen,
        aggregate=found,
        aggregate_unit=trial.unit,
        bound=bound(claim, reading),
        margin=(inverse(seen) if turned else seen).typical / claimed(reading),
        next_step=step,
    )


def gathered(claim: Claim, records: Sequence[RunRecord]) -> tuple[dict[_Key, Side], list[Absent]]:
    """One side's trials by workload and phase, and where there could be some."""
    held: dict[_Key, list[Trial]] = {}
    absent: list[Absent] = []
    for record in records:
        for place in single(record, claim):
            if isinstance(place, Trial):
                held.setdefault((place.workload, place.phase.name), []).append(place)
            else:
                absent.append(place)
    return {key: Side(trials=tuple(found)) for key, found in held.items()}, absent


def decide(
    claim: Claim, reading: Interpretation, new: Side, base: Side, confidence: float = CONFIDENCE
) -> Verdict:
    """The verdict on the ratio of two sides that answered the same question."""
    whole, incomplete = sides.complete(new, base), 0
    if whole is not None:
        new, base, incomplete = whole
    mismatch = sides.mismatch(new, base, paired=whole is not None)
    load = sides.unequal_load(new, base, claim.metric)
    remarks = () if whole is None else _incomplete(incomplete)
    gates = (*mismatch, *load)
    return held(claim, reading, new, base, gates, remarks, confidence, paired=whole is not None)


def held(
    claim: Claim,
    reading: Interpretation,
    new: Side,
    base: Side,
    more: Sequence[Gate],
    remarks: Sequence[Finding],
    confidence: float = CONFIDENCE,
    *,
    paired: bool,
) -> Verdict:
    """The verdict on the ratio of two sides, with gates and remarks that are known already.

    Where they are ``paired`` their trials are in one order.
    """
    seen = compared(claim, new, base, confidence, paired=paired)
    draft = _draft(claim, reading, new, base, seen, confidence)
    few = too_few(claim, seen.found.n, "pair" if paired else "run")
    closed = (*few, *more, *sides.gates_of(new, base))
    dropped = (*new.dropped, *base.dropped, *remarks, *_sequential(paired))
    others = [trial for trial in new.trials if not same_product(claim, trial.system)]
    if others:
        told = replace(others[0], dropped=dropped)
        return reference(draft, told, seen.found.typical, closed, "the ratio here is")
    where = _side(seen, draft, confidence)
    gate = None if few else _open(draft, where, seen, new, confidence, paired=paired)
    return concluded(draft, where, closed, gate, (*dropped, *assumption(claim, new.first.phase)))


def _draft(
    claim: Claim, reading: Interpretation, new: Side, base: Side, seen: Compared, confidence: float
) -> Verdict:
    trial = new.first
    return Verdict(
        claim=claim,
        interpretation=reading,
        status=Status.INCONCLUSIVE,
        workload=trial.workload,
        phase=trial.phase.name,
        measured=seen.found,
        aggregate=estimate(new.values, trial.better, confidence),
        baseline=estimate(base.values, trial.better, confidence),
        aggregate_unit=trial.unit,
        bound=bound(claim, reading),
        margin=seen.found.typical / claimed(reading),
    )


def compared(claim: Claim, new: Side, base: Side, confidence: float, *, paired: bool) -> Compared:
    """The ratio as the claim means it, or the difference of shares in percentage points.

    With `>=` it is one of speeds, so a metric of which less is better is turned over.
    """
    how = better(claim)
    if claim.unit == "points":
        if paired:
            points = [
                100 * (n.typical - b.typical) for n, b in zip(new.trials, base.trials, strict=True)
            ]
            return Compared(found=mean(points, how, confidence))
        shares = [[100 * value for value in side.values] for side in (new, base)]
        return Compared(found=difference(shares[0], shares[1], how, confidence))
    turned = new.first.better == "lower" and how == "higher"
    if paired:
        both = [(n.typical, b.typical) for n, b in zip(new.trials, base.trials, strict=True)]
        values = tuple(b / n if turned else n / b for n, b in both)
        return Compared(found=estimate(values, how, confidence), values=values)
    if turned:
        return Compared(found=inverse(ratio(new.values, base.values, "lower", confidence)))
    return Compared(found=ratio(new.values, base.values, how, confidence))


def _side(seen: Compared, draft: Verdict, confidence: float) -> intervals.Side:
    assert draft.bound is not None
    how = better(draft.claim)
    if seen.values:
        return agreed_side(seen.values, draft.bound, how, confidence)
    if seen.found.low is None or seen.found.high is None:
        return intervals.Side.STRADDLES
    return intervals.side(seen.found.low, seen.found.high, draft.bound, how)


def _open(
    draft: Verdict,
    where: intervals.Side,
    seen: Compared,
    new: Side,
    confidence: float,
    *,
    paired: bool,
) -> Gate | None:
    """Why the interval decides nothing; sets need as many more runs as their spread says."""
    if seen.values:
        return undecided(draft, where, seen.values, seen.found, confidence, "pair")
    gate = undecided(draft, where, new.values, seen.found, confidence)
    if gate is None or paired:
        return gate
    return replace(gate, remedy=f"{gate.remedy} on each side, better in pairs (aibench duel)")


def _sequential(paired: bool) -> tuple[Finding, ...]:
    if paired:
        return ()
    message = "the sides were measured one after the other: drift looks like a difference"
    return (Finding(code="not_interleaved", message=message),)


def _incomplete(count: int) -> tuple[Finding, ...]:
    if not count:
        return ()
    message = f"{count} runs have no counted run of their pair on the other side"
    return (Finding(code="pairs_incomplete", message=message),)
