"""Claims on what storage does to a training cluster: held against a model, never met or not met.

What the records measured of the model's inputs is taken from them, with its interval; the rest is
what the claim says is assumed. Where the claim lies inside what the model projects over those
ranges it is consistent; beyond what ideal storage could do, no storage can make it true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aibench.cluster import MODELS, Projected, Range, project, relation
from aibench.errors import Refused
from aibench.judge import absolute
from aibench.judge.gates import Gate
from aibench.judge.trials import Trial, trials
from aibench.judge.verdicts import claimed, same_product, without
from aibench.model import Claim, Estimate, Finding, Interpretation, RunRecord, Status, Verdict
from aibench.stats.intervals import estimate

#: What records measure of the inputs: the metric, its unit, and the phase that gives it.
_MEASURED = {
    "write": ("write_bandwidth", "B/s", ("checkpoint_save", "save")),
    "read": ("read_bandwidth", "B/s", ("checkpoint_load", "load")),
    "utilisation": ("utilisation", "share", ("train", "accelerators-*")),
}
#: The model that is only a proportion: the time for so many bytes at the measured rate.
_PREPROCESSING = "preprocess_time"
#: From the claim's unit to the model's.
_FACTORS = {("ns", "s"): 1e-9, ("points", "share"): 0.01}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """The inputs of a model, which of them were measured, and what weakens those."""

    ranges: Mapping[str, Range]
    measured: tuple[str, ...]
    closed: tuple[Gate, ...]


def judged(
    claim: Claim,
    reading: Interpretation,
    candidates: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
) -> Verdict:
    """How the claim compares with its model, fed by the records and by what it assumes."""
    assert claim.model is not None
    if claim.model.name == _PREPROCESSING:
        return absolute.judged(_preprocessed(claim), reading, candidates)
    model = MODELS.get(claim.model.name)
    if model is None:
        return without(claim, reading, Status.NOT_TESTABLE_HERE, "model_missing")
    fed = _fed(claim, model.inputs, candidates, baseline)
    try:
        projected = project(model.name, fed.ranges)
    except Refused as refusal:
        finding = Finding(code="no_model_inputs", message=f"the model {model.name}: {refusal}")
        verdict = without(claim, reading, Status.NOT_TESTABLE_HERE)
        step = (
            "measure what the model needs (checkpoint-save, checkpoint-load, train), or assume it"
        )
        return replace(verdict, reasons=(finding,), next_step=step)
    return _held(claim, reading, projected, fed, candidates)


def _preprocessed(claim: Claim) -> Claim:
    """The claim as one on what a measured pipeline would take for 100 TB, which decides nothing."""
    phases = claim.phases or (("preprocess", "preprocess"),)
    return replace(claim, metric="hundred_terabytes_time", unit="ns", phases=phases)


def _held(
    claim: Claim,
    reading: Interpretation,
    projected: Projected,
    fed: Fed,
    candidates: Sequence[RunRecord],
) -> Verdict:
    factor = _FACTORS.get((claim.unit, projected.unit), 1.0)
    status = Status(relation(claimed(reading) * factor, claim.direction, projected))
    ours = all(same_product(claim, record.system) for record in candidates)
    if fed.measured and not ours:
        status = Status.REFERENCE_ONLY
    told = _told(claim, projected, fed, 1 / factor)
    typical = projected.typical if projected.typical is not None else projected.low
    return Verdict(
        claim=claim,
        interpretation=reading,
        status=status,
        reasons=(*told, *(gate.finding for gate in fed.closed)),
        measured=_estimate(projected, typical, 1 / factor, len(fed.measured)),
        margin=typical / factor / claimed(reading) if claimed(reading) else None,
        next_step=_next(fed),
    )


def _next(fed: Fed) -> str:
    if not fed.measured:
        return (
            "nothing of it was measured here: measure checkpoint-save, checkpoint-load and train "
            "on the system and on its baseline (--baseline)"
        )
    return "other assumptions, or other measurements of what the model is fed"


def _told(claim: Claim, projected: Projected, fed: Fed, back: float) -> tuple[Finding, ...]:
    measured = ", ".join(fed.measured) or "nothing"
    assumed = ", ".join(name for name in fed.ranges if name not in fed.measured) or "nothing"
    high = "no bound" if projected.high is None else f"{projected.high * back:.4g}"
    message = (
        f"the model {projected.model} gives {projected.low * back:.4g} to {high} {claim.unit}; "
        f"measured: {measured}; assumed: {assumed}"
    )
    found = [Finding(code="model_projection", message=message)]
    if projected.cap is not None:
        cap = f"ideal storage would give {projected.cap * back:.4g} {claim.unit}"
        found.append(Finding(code="model_cap", message=cap))
    return tuple(found)


def _estimate(projected: Projected, typical: float, back: float, n: int) -> Estimate:
    high = None if projected.high is None else projected.high * back
    return Estimate(
        typical=typical * back, low=projected.low * back, high=high, n=n,
        worst=projected.low * back, best=high if high is not None else typical * back,
        method=f"model {projected.model}, over the ranges of its inputs",
    )  # fmt: skip


def _fed(
    claim: Claim,
    inputs: Sequence[str],
    candidates: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
) -> Fed:
    """What the claim assumes, with measurements in the place of what was measured here.

    Another product's measurements replace no assumption on this one.
    """
    assert claim.model is not None
    ranges = {name: _range(low, high) for name, (low, high) in claim.model.assumed.items()}
    ours = all(same_product(claim, record.system) for record in candidates)
    measured: list[str] = []
    closed: dict[str, Gate] = {}
    for side, records in (("candidate", candidates), ("baseline", baseline)):
        for name in _MEASURED:
            key = f"{side}_{name}"
            if key not in inputs or not records or (key in ranges and not ours):
                continue
            trial = _trial(claim, records, name)
            if trial is not None:
                ranges[key] = _interval(trial)
                measured.append(key)
                for gate in trial.closed:
                    closed.setdefault(gate.finding.code, gate)
    if "candidate_write" in measured:
        ranges.pop("faster", None)
    return Fed(ranges=ranges, measured=tuple(measured), closed=tuple(closed.values()))


def _range(low: float, high: float) -> Range:
    middle = (low * high) ** 0.5 if low > 0 else (low + high) / 2
    return Range(low=low, typical=min(max(middle, low), high), high=high)


def _trial(claim: Claim, records: Sequence[RunRecord], name: str) -> Trial | None:
    metric, unit, place = _MEASURED[name]
    asked = replace(claim, metric=metric, unit=unit, phases=(place,), scope="system")
    found = [trial for trial in trials(records, asked) if isinstance(trial, Trial)]
    return max(found, key=lambda trial: trial.typical, default=None)


def _interval(trial: Trial) -> Range:
    seen = estimate(trial.values, "higher")
    low, high = seen.low or seen.typical, seen.high or seen.typical
    if trial.unit == "share":
        high = min(high, 1.0)
    return Range(low=min(low, seen.typical), typical=seen.typical, high=max(high, seen.typical))
