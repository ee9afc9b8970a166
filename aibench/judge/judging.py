"""Whether claims hold on what a record measured: a pure function, repeatable years later.

A figure whose conditions the source leaves open says that the system *can* do this. So where
several phases of a record test it, the one that supports it best gives the verdict, and it is
refuted only when all of them refute it; the intervals are widened (Šidák) for that choice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from aibench.judge.gates import gates
from aibench.judge.reasons import sentence
from aibench.judge.verdicts import Trial, better, decide
from aibench.metrics import decisive, of_one_state
from aibench.model import (
    Claim,
    Finding,
    Interpretation,
    Means,
    Phase,
    RunRecord,
    Sample,
    Stage,
    Status,
    System,
    Verdict,
)

_CONFIDENCE = 0.95
#: Which verdict stands for a claim that several phases test: the first of these that occurs.
_PREFERENCE = (Status.MET, Status.INCONCLUSIVE, Status.REFERENCE_ONLY, Status.NOT_MET)


def judge(record: RunRecord, claims: Sequence[Claim], system: System | None) -> tuple[Verdict, ...]:
    """One verdict for each interpretation of each claim, in the order of ``claims``.

    ``system`` says what the mount is; without it nothing is met or not met.
    """
    record = replace(record, system=system)
    return tuple(
        _verdict(record, claim.under(interpretation), interpretation, system)
        for claim in claims
        for interpretation in claim.interpretations
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Absent:
    """A place where the record could test a claim and does not."""

    finding: Finding
    workload: str | None = None
    phase: str | None = None


def _verdict(
    record: RunRecord, claim: Claim, interpretation: Interpretation, system: System | None
) -> Verdict:
    if claim.testability is Means.NEVER:
        return _never(claim, interpretation)
    found = list(_trials(record, claim))
    trials = [trial for trial in found if isinstance(trial, Trial)]
    if not trials:
        absent = [place for place in found if isinstance(place, _Absent)]
        return _not_testable(absent, claim, interpretation)
    confidence = _CONFIDENCE ** (1 / len(trials))
    verdicts = [decide(claim, interpretation, system, trial, confidence) for trial in trials]
    return min(verdicts, key=_rank)


def _never(claim: Claim, interpretation: Interpretation) -> Verdict:
    code = claim.untestable or "not_storage"
    return Verdict(
        claim=claim,
        interpretation=interpretation,
        status=Status.NOT_TESTABLE,
        reasons=(Finding(code=code, message=sentence(code)),),
        next_step=f"instead: {claim.proxy}" if claim.proxy else "",
    )


def _rank(verdict: Verdict) -> tuple[int, float]:
    margin = verdict.margin or 0.0
    signed = -margin if better(verdict.claim) == "higher" else margin
    return _PREFERENCE.index(verdict.status), signed


def _not_testable(
    absent: Sequence[_Absent], claim: Claim, interpretation: Interpretation
) -> Verdict:
    nearest = next((place for place in absent if place.phase), absent[0] if absent else None)
    wanted = " or ".join(f"{kind} with its phase {phase}" for kind, phase in claim.phases)
    return Verdict(
        claim=claim,
        interpretation=interpretation,
        status=Status.NOT_TESTABLE_HERE,
        reasons=tuple(dict.fromkeys(place.finding for place in absent)),
        workload=nearest.workload if nearest else None,
        phase=nearest.phase if nearest else None,
        next_step=f"measure a workload of the kind {wanted}, with runs that count",
    )


def _trials(record: RunRecord, claim: Claim) -> Iterator[Trial | _Absent]:
    for kind, name in claim.phases:
        stages = [stage for stage in record.plan.stages if stage.kind == kind]
        if not stages:
            message = f"the run has no workload of the kind {kind}"
            yield _Absent(finding=Finding(code="workload_missing", message=message))
        for stage in stages:
            yield _trial(record, claim, stage, name)


def _trial(record: RunRecord, claim: Claim, stage: Stage, name: str) -> Trial | _Absent:
    phase = next((phase for phase in stage.measured if phase.name == name), None)
    if stage.refusal is not None:
        message = f"{stage.workload} was refused: {stage.refusal}"
        finding = Finding(code="workload_refused", message=message)
        return _Absent(finding=finding, workload=stage.workload, phase=name if phase else None)
    if phase is None:
        message = f"{stage.workload} measures no phase {name}"
        finding = Finding(code="phase_missing", message=message)
        return _Absent(finding=finding, workload=stage.workload)
    samples = [s for s in record.samples if (s.workload, s.phase) == (stage.workload, name)]
    pooled = of_one_state([sample for sample in samples if not sample.reasons])
    read = [(sample, _value(phase, sample, claim, pooled)) for sample in samples]
    dropped = tuple(value for _, value in read if isinstance(value, Finding))
    counted = [sample for sample, value in read if not isinstance(value, Finding)]
    if not counted:
        finding = _none_counts(stage, name, dropped)
        return _Absent(finding=finding, workload=stage.workload, phase=name)
    return Trial(
        workload=stage.workload,
        phase=phase,
        values=tuple(value for _, value in read if not isinstance(value, Finding)),
        closed=gates(record, phase, [s for s in samples if s in counted or not s.reasons], claim),
        dropped=dropped,
    )


def _value(phase: Phase, sample: Sample, claim: Claim, pooled: Sequence[Sample]) -> float | Finding:
    """The claim's metric of one sample, or why the sample does not count."""
    place = f"repeat {sample.repeat + 1} does not count"
    if sample.reasons:
        first = sample.reasons[0]
        return replace(first, message=f"{place}: {first.message}")
    if sample.measurement.errors:
        message = f"{place}: {sample.measurement.errors} operations failed"
        return Finding(code="operations_failed", message=message)
    if sample not in pooled and sample.evidence is not None:
        states = f"{sample.evidence.state.value}, not {_state(pooled)}"
        return Finding(code="cache_state_differs", message=f"{place}: its cache was {states}")
    metric = decisive(phase, sample, claim.metric, claim.unit)
    if metric is None:
        message = f"{phase.name} gives no {claim.metric} in {claim.unit}"
        return Finding(code="metric_missing", message=message)
    if metric.value:
        return metric.value
    message = f"{place}: {metric.why_missing or 'nothing was measured'}"
    return Finding(code="nothing_measured", message=message)


def _state(samples: Sequence[Sample]) -> str:
    evidence = samples[0].evidence
    return evidence.state.value if evidence else "as unknown as that of others"


def _none_counts(stage: Stage, name: str, dropped: Sequence[Finding]) -> Finding:
    if not dropped:
        message = f"{stage.workload}, {name}: planned, but not measured"
        return Finding(code="not_measured", message=message)
    if all(finding.code == "metric_missing" for finding in dropped):
        return dropped[0]
    told = "; ".join(f"{finding.message} ({finding.code})" for finding in dropped)
    return Finding(code="no_run_counts", message=f"{stage.workload}, {name}: {told}")
