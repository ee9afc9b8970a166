"""Claims on what storage does to a training cluster: held against a model, never met or not met.

What the records measured of the model's inputs is taken from them, with its interval; the rest is
what the claim says is assumed. Where the claim lies inside what the model projects over those
ranges it is consistent; beyond what ideal storage could do, no storage can make it true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aibench.cluster import MODELS, Projected, Range, project, relation
from aibench.cluster.models import Model
from aibench.errors import Refused
from aibench.judge import absolute
from aibench.judge.reasons import sentence
from aibench.judge.verdicts import claimed, same_product, without
from aibench.model import Claim, Estimate, Finding, Interpretation, RunRecord, Status, Verdict
from aibench.observed import Observed, observed
from aibench.units import format_value

#: The model that is only a proportion: the time for so many bytes at the measured rate.
_PREPROCESSING = "preprocess_time"
#: From the claim's unit to the model's.
_FACTORS = {("ns", "s"): 1e-9, ("points", "share"): 0.01, ("1", "1"): 1.0, ("share", "share"): 1.0}
#: The model that answers a claim in percentage points instead of one in multiples.
_IN_POINTS = {"gain": "points"}
#: How a model's own unit is shown.
_SHOWN = {"s": ("ns", 1e9), "share": ("share", 1.0), "1": ("1", 1.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """The inputs of a model, which of them were measured, and what to know of those."""

    ranges: Mapping[str, Range]
    measured: tuple[str, ...]
    remarks: tuple[Finding, ...]


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
    name = claim.model.name
    model = MODELS.get(_IN_POINTS.get(name, name) if claim.unit == "points" else name)
    if model is None:
        return without(claim, reading, Status.NOT_TESTABLE_HERE, "model_missing")
    fed = _fed(claim, model, candidates, baseline)
    try:
        projected = project(model.name, fed.ranges)
    except Refused as refusal:
        return _unanswered(claim, reading, model, str(refusal))
    return _held(claim, reading, projected, fed, candidates)


def _unanswered(claim: Claim, reading: Interpretation, model: Model, why: str) -> Verdict:
    """The model needs more than is known, or its job never ends with what was measured."""
    missing = "missing" in why
    code = "no_model_inputs" if missing else "model_has_no_answer"
    step = "measure what the model needs (checkpoint-save, checkpoint-load, train), or assume it"
    if not missing:
        step = "measure the whole system that the claim is about: a part of it is too slow"
    return replace(
        without(claim, reading, Status.NOT_TESTABLE_HERE, next_step=step),
        reasons=(Finding(code=code, message=f"the model {model.name}: {why}"),),
    )


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
    factor = _FACTORS.get((claim.unit, projected.unit))
    if factor is None:
        return _beside(claim, reading, projected, fed, candidates)
    status = Status(relation(claimed(reading) * factor, claim.direction, projected))
    ours = all(same_product(claim, record.system) for record in candidates)
    told = _told(projected, fed, claim.unit, 1 / factor)
    if fed.measured and not ours:
        status = Status.REFERENCE_ONLY
        described = all(record.system for record in candidates)
        code = "other_product" if described else "no_system"
        told = (*told, Finding(code=code, message=sentence(code)))
    elif (limit := _limited(status, fed)) is not None:
        status, told = Status.INCONCLUSIVE, (limit, *told)
    typical = projected.typical if projected.typical is not None else projected.low
    return Verdict(
        claim=claim,
        interpretation=reading,
        status=status,
        reasons=(*told, *fed.remarks),
        measured=_estimate(projected, typical, 1 / factor, len(fed.measured)),
        margin=typical / factor / claimed(reading) if claimed(reading) else None,
        next_step=_next(fed),
    )


def _limited(status: Status, fed: Fed) -> Finding | None:
    """Why rates that a client held down decide nothing: they may be higher, on either side.

    A faster candidate could still reach the claim, a faster baseline would leave less to gain. It
    would lower the cap too, so that a claim beyond the cap stays beyond it.
    """
    side = {Status.INCONSISTENT: "candidate", Status.CONSISTENT: "baseline"}.get(status)
    bounds = [f for f in fed.remarks if f.code == "lower_bound"]
    if side is None or not any(f.message.startswith(side) for f in bounds):
        return None
    message = f"the client was the limit when the {side} was measured, which may be faster"
    return Finding(code="rig_limited", message=message)


def _beside(
    claim: Claim,
    reading: Interpretation,
    projected: Projected,
    fed: Fed,
    candidates: Sequence[RunRecord],
) -> Verdict:
    """What the model gives where the source prints no number of that sort to hold it against."""
    ours = all(same_product(claim, record.system) for record in candidates)
    told = _told(projected, fed, *_SHOWN[projected.unit])
    none = Finding(code="no_number", message=f"{sentence('no_number')} for what the model gives")
    return Verdict(
        claim=claim,
        interpretation=reading,
        status=Status.INCONCLUSIVE if ours else Status.REFERENCE_ONLY,
        reasons=(*told, none, *fed.remarks),
        next_step="ask the vendor how fast it does what it supports",
    )


def _next(fed: Fed) -> str:
    if not fed.measured:
        return (
            "nothing of it was measured here: measure checkpoint-save, checkpoint-load and train "
            "on the system and on its baseline (--baseline)"
        )
    if any(remark.code == "lower_bound" for remark in fed.remarks):
        return "measure from a faster client, or from more of them"
    return "other assumptions, or other measurements of what the model is fed"


def _told(projected: Projected, fed: Fed, unit: str, back: float) -> tuple[Finding, ...]:
    measured = ", ".join(fed.measured) or "nothing"
    assumed = ", ".join(name for name in fed.ranges if name not in fed.measured) or "nothing"
    low = format_value(projected.low * back, unit)
    high = "no bound" if projected.high is None else format_value(projected.high * back, unit)
    span = low if low == high else f"{low} to {high}"
    message = f"the model {projected.model} gives {span}; measured: {measured}; assumed: {assumed}"
    found = [Finding(code="model_projection", message=message)]
    if projected.cap is not None:
        cap = f"ideal storage would give {format_value(projected.cap * back, unit)}"
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
    claim: Claim, model: Model, candidates: Sequence[RunRecord], baseline: Sequence[RunRecord]
) -> Fed:
    """What the claim assumes, with measurements in the place of what was measured here.

    Another product's measurements only stand in where assumptions alone feed no model.
    """
    assert claim.model is not None
    ranges = {name: _range(low, high) for name, (low, high) in claim.model.assumed.items()}
    ours = all(same_product(claim, record.system) for record in candidates)
    if not ours and _suffices(model, ranges):
        return Fed(ranges=ranges, measured=(), remarks=())
    measured: list[str] = []
    remarks: list[Finding] = []
    for side, records in (("candidate", candidates), ("baseline", baseline)):
        seen = _observed(records, side)
        used = [i for i in seen.inputs if i.name in model.inputs] if seen is not None else []
        ranges.update({each.name: each.range for each in used})
        measured += [each.name for each in used]
        about = tuple(f"{side} {each.name.removeprefix(f'{side}_')}:" for each in used)
        remarks += [r for r in seen.remarks if r.message.startswith(about)] if seen else []
    for key, factor in (("candidate_write", "faster"), ("candidate_load", "load_faster")):
        if key in measured:
            ranges.pop(factor, None)
    return Fed(ranges=ranges, measured=tuple(measured), remarks=tuple(dict.fromkeys(remarks)))


def _suffices(model: Model, ranges: Mapping[str, Range]) -> bool:
    try:
        project(model.name, ranges)
    except Refused:
        return False
    return True


def _observed(records: Sequence[RunRecord], side: str) -> Observed | None:
    """What ``records`` measured of one side; None where that is nothing that counts."""
    try:
        return observed(records, side) if records else None
    except Refused:
        return None


def _range(low: float, high: float) -> Range:
    middle = (low * high) ** 0.5 if low > 0 else (low + high) / 2
    return Range(low=low, typical=min(max(middle, low), high), high=high)
