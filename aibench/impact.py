"""What storage does to a training cluster: from records, files and claims to one projection."""

import math
from collections.abc import Iterable, Mapping, Sequence

from aibench.cluster.comparison import INPUTS
from aibench.cluster.impact import Impact, Reading
from aibench.cluster.inputs import MORE, Input, completed
from aibench.cluster.models import MODELS, project, relation
from aibench.cluster.ranges import Range
from aibench.cluster.study import Wish, study
from aibench.errors import DefinitionError, Refused
from aibench.generators.models import PRESETS, total_bytes
from aibench.model import Claim, Finding, Interpretation, RunRecord
from aibench.observed import observed

#: Claims that are about what one storage does to a job that another one did before.
_MODELS = frozenset({"gain", "points", "saved_time"})
_NANOSECOND = 1e-9


def checkpoint_sizes() -> dict[str, int]:
    """The bytes of a checkpoint of each known model."""
    return {name: total_bytes(*preset) for name, preset in PRESETS.items()}


def impact(
    given: Mapping[str, Input],
    *,
    candidate: Sequence[RunRecord] = (),
    baseline: Sequence[RunRecord] = (),
    claim: Claim | None = None,
    wish: Wish | None = None,
) -> Impact:
    """The projection from what is ``given``, what records measured, and what a claim assumes.

    What is given comes before what was measured, and that before what a ``claim`` assumes; the
    first of the claim's readings that says a gain is the ``wish`` where there is no other.
    `Refused` where an input is missing or impossible, or the claim is not about a cluster.
    """
    inputs, remarks = dict(given), list[Finding]()
    for side, records in (("candidate", candidate), ("baseline", baseline)):
        if records:
            found = observed(records, side)
            remarks += found.remarks
            inputs = {each.name: each for each in found.inputs} | inputs
    if candidate and "faster" in given:
        raise Refused(
            "the runs measured the candidate, so it is not told as a multiple of the baseline: "
            "leave out 'faster', or give the runs with --baseline"
        )
    if claim is not None:
        assumed = _of_claim(claim, inputs)
        remarks += _mixed(claim, assumed, inputs)
        inputs = assumed | inputs
        wish = wish or _wish(claim)
    _check(inputs, wish)
    found_study = study(inputs, wish)
    readings = () if claim is None else tuple(_readings(claim, completed(inputs)))
    return Impact(study=found_study, claim=claim, readings=readings, remarks=tuple(remarks))


def _check(inputs: Mapping[str, Input], wish: Wish | None) -> None:
    """`DefinitionError` lists everything without which there is no projection."""
    known = set(inputs)
    missing = []
    if not known & {"mtbf", "nodes"}:
        missing.append("how often the job fails: give nodes (and failures), or mtbf")
    if not known & {"parameters", "checkpoint_bytes"}:
        missing.append("the size of a checkpoint: give a model, parameters, or bytes (checkpoint)")
    solved = wish is not None and wish.gain is not None
    own = known & {"candidate_write", "candidate_read"}
    if "faster" in known and not solved and not known & {"baseline_write", "baseline_read"}:
        missing.append(
            "the baseline that the candidate is faster than: give its write bandwidth "
            "(baseline-write), or ask for it (needs-gain)"
        )
    elif not own and "faster" not in known:
        missing.append(
            "the storage: give its write bandwidth (write), a run of checkpoint-save, or faster "
            "and a baseline"
        )
    if wish is not None and wish.saves is not None and "useful_time" not in known:
        missing.append("the job that saves time: give its useful time (useful-time)")
    if missing:
        raise DefinitionError([f"missing is {line}" for line in missing])


def _of_claim(claim: Claim, known: Mapping[str, Input]) -> dict[str, Input]:
    """What ``claim`` assumes, in the place of what is not ``known``."""
    if claim.model is None or claim.model.name not in _MODELS:
        raise Refused(
            f"claim {claim.id} says nothing about the time of a cluster over that of a baseline; "
            "see aibench show " + claim.id
        )
    names = INPUTS | MORE
    skipped = _replaced(known)
    return {
        name: Input(
            name=name,
            range=_range(*ends),
            origin="assumed",
            source=f"assumed with claim {claim.id}",
            settled=True,
        )
        for name, ends in claim.model.assumed.items()
        if name in names and name not in skipped
    }


def _mixed(
    claim: Claim, assumed: Mapping[str, Input], known: Mapping[str, Input]
) -> Iterable[Finding]:
    """What was measured here is no better or worse than what a claim assumes of another system."""
    measured = any(each.origin == "measured" for each in known.values())
    if measured and {"baseline_write", "baseline_read"} & assumed.keys():
        yield Finding(
            code="mixed_systems",
            message=f"the baseline is what claim {claim.id} assumes, the candidate was measured "
            "here: two systems of different size; give a baseline of the size of this one "
            "(--baseline RUN, --baseline-write)",
        )


def _replaced(known: Mapping[str, Input]) -> set[str]:
    """Inputs that others stand for: a size, a rate of failures, a candidate told as it is."""
    found = set()
    if "candidate_write" in known or "candidate_read" in known:
        found |= {"faster", "candidate_write", "candidate_read"}
    if "baseline_write" in known or "baseline_read" in known:
        found |= {"baseline_write", "baseline_read"}
    if "candidate_load" in known:
        found |= {"load_faster"}
    if "checkpoint_bytes" in known:
        found |= {"parameters", "bytes_per_parameter"}
    if "parameters" in known:
        found |= {"checkpoint_bytes"}
    if "mtbf" in known:
        found |= {"nodes", "failures_per_node_day"}
    if {"nodes", "failures_per_node_day"} & set(known):
        found |= {"mtbf"}
    return found


def _range(low: float, high: float) -> Range:
    middle = math.sqrt(low * high) if low > 0 else (low + high) / 2
    return Range(low=low, typical=min(max(middle, low), high), high=high)


def _wish(claim: Claim) -> Wish | None:
    source = f"claim {claim.id}"
    for reading in claim.interpretations:
        if reading.value is None:
            continue
        if (reading.unit or claim.unit) == "1":
            return Wish(gain=float(reading.value), source=source)
        if (reading.unit or claim.unit) == "ns":
            return Wish(saves=reading.value * _NANOSECOND, source=source)
    return None


def _readings(claim: Claim, inputs: Mapping[str, Input]) -> Iterable[Reading]:
    for reading in claim.interpretations:
        found = None if reading.value is None else _claimed(claim, reading, reading.value)
        if found is None:
            continue
        model, value = found
        wanted = set(MODELS[model].inputs)
        if model == "saved_time" and "useful_time" not in inputs:
            continue
        if "baseline_write" not in inputs:
            continue
        ranges = {name: each.range for name, each in inputs.items() if name in wanted}
        projected = project(model, ranges)
        yield Reading(
            interpretation=reading.id,
            note=reading.note,
            value=value,
            unit=projected.unit,
            low=projected.low,
            high=projected.high,
            cap=projected.cap,
            status=relation(value, reading.direction or claim.direction, projected),
        )


def _claimed(claim: Claim, reading: Interpretation, value: float) -> tuple[str, float] | None:
    """The model that a reading is held against, and the value in its unit."""
    unit = reading.unit or claim.unit
    known = {
        "1": ("gain", value),
        "points": ("points", value / 100),
        "ns": ("saved_time", value * _NANOSECOND),
    }
    return known.get(unit)
