"""What of the records tests a claim: one trial for each phase that does, and why others do not.

Runs of the same question on the same client, mount and target make one trial, from however many
records they come. The unit of analysis is the session where there are enough of them, else the
repeat.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from aibench.identity import identity
from aibench.judge.conditions import unlike
from aibench.judge.gates import Gate, gates
from aibench.metrics import decisive, metrics, of_one_state
from aibench.model import Claim, Finding, Metric, Phase, RunRecord, Sample, Stage, System
from aibench.stats.intervals import FEWEST_RUNS

#: Operations beyond a percentile that a claim on it takes; the text of a report needs fewer.
_BEYOND = 100
#: Percentiles that take a number of operations, as shares.
_SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What tests a claim: one phase, the values of its runs that count, the closed gates.

    ``values`` are those of the whole mount, in the claim's base unit (or the metric's, ``unit``).
    ``dropped`` says which runs do not count, and why. ``record`` is one of those that the runs
    came from, ``counted`` are their samples; ``system`` is what it was measured on.
    """

    workload: str
    phase: Phase
    values: tuple[float, ...]
    unit: str
    better: str
    record: RunRecord
    stage: Stage
    counted: tuple[Sample, ...]
    closed: tuple[Gate, ...] = ()
    dropped: tuple[Finding, ...] = ()

    @property
    def system(self) -> System | None:
        """What the runs were measured on, as the user describes it."""
        return self.record.system

    @property
    def typical(self) -> float:
        """The middle of the runs: geometric where all are above 0."""
        return middle(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A place where a record could test a claim and does not."""

    finding: Finding
    workload: str | None = None
    phase: str | None = None


def middle(values: Sequence[float]) -> float:
    """The geometric mean, or the arithmetic one where a value is 0."""
    if min(values) > 0:
        return math.exp(math.fsum(map(math.log, values)) / len(values))
    return math.fsum(values) / len(values)


def trials(records: Sequence[RunRecord], claim: Claim) -> list[Trial | Absent]:
    """All places of ``records`` where ``claim`` is or could be tested, equal ones made one."""
    found = [place for record in records for place in single(record, claim)]
    alike: dict[str, list[Trial]] = {}
    for trial in found:
        if isinstance(trial, Trial):
            key = identity(trial.record, trial.stage, trial.phase).series
            alike.setdefault(key, []).append(trial)
    merged: list[Trial | Absent] = [_merged(each) for each in alike.values()]
    return [*merged, *(place for place in found if isinstance(place, Absent))]


def single(record: RunRecord, claim: Claim) -> Iterator[Trial | Absent]:
    """The places of one record where ``claim`` is or could be tested, one for each phase."""
    for kind, name in claim.phases:
        stages = [stage for stage in record.plan.stages if stage.kind == kind]
        if not stages:
            message = f"the run has no workload of the kind {kind}"
            yield Absent(finding=Finding(code="workload_missing", message=message))
        for stage in stages:
            yield from _stage(record, claim, stage, name)


def _merged(alike: Sequence[Trial]) -> Trial:
    """One trial from all of ``alike``; sessions are its runs where there are enough of them."""
    first = alike[0]
    if len(alike) == 1:
        return first
    closed: dict[str, Gate] = {}
    for trial in alike:
        for gate in trial.closed:
            closed.setdefault(gate.finding.code, gate)
    dropped = [finding for trial in alike for finding in trial.dropped]
    alike, others = _of_one_state(alike)
    dropped += others
    if len(alike) >= FEWEST_RUNS:
        values = tuple(trial.typical for trial in alike)
    else:
        values = tuple(value for trial in alike for value in trial.values)
        message = f"the repeats of {len(alike)} sessions stand for sessions: it takes {FEWEST_RUNS}"
        finding = Finding(code="sessions_pooled", message=message)
        closed["sessions_pooled"] = Gate(finding=finding)
    return replace(
        alike[0],
        values=values,
        counted=tuple(sample for trial in alike for sample in trial.counted),
        closed=tuple(closed.values()),
        dropped=tuple(dropped),
    )


def _of_one_state(alike: Sequence[Trial]) -> tuple[Sequence[Trial], list[Finding]]:
    """The trials whose bytes came from one place, and which others are left out."""
    kept = of_one_state([trial.counted[0] for trial in alike])
    same = [trial for trial in alike if trial.counted[0] in kept]
    message = f"run {{}} does not count: its cache was not {_state(kept)}"
    return same, [
        Finding(code="cache_state_differs", message=message.format(trial.record.run_id))
        for trial in alike
        if trial not in same
    ]


def _stage(record: RunRecord, claim: Claim, stage: Stage, name: str) -> Iterator[Trial | Absent]:
    phases = [phase for phase in stage.measured if fits(name, phase.question)]
    if stage.refusal is not None:
        message = f"{stage.workload} was refused: {stage.refusal}"
        finding = Finding(code="workload_refused", message=message)
        yield Absent(finding=finding, workload=stage.workload, phase=name if phases else None)
    elif not phases:
        message = f"{stage.workload} measures no phase {name}"
        finding = Finding(code="phase_missing", message=message)
        yield Absent(finding=finding, workload=stage.workload)
    else:
        for phase in phases:
            yield trial_of(record, claim, stage, phase)


def fits(pattern: str, name: str) -> bool:
    """Whether a phase's name is the one that a claim names, or begins as it says."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def trial_of(
    record: RunRecord,
    claim: Claim,
    stage: Stage,
    phase: Phase,
    measure: Callable[[Sample], float] | None = None,
) -> Trial | Absent:
    """What one phase of one record says about ``claim``; ``measure`` replaces its metric."""
    samples = [s for s in record.samples if (s.workload, s.phase) == (stage.workload, phase.name)]
    pooled = of_one_state([sample for sample in samples if not sample.reasons])
    read = [(sample, _value(phase, sample, claim, pooled)) for sample in samples]
    dropped = tuple(value for _, value in read if isinstance(value, Finding))
    kept = [(sample, value) for sample, value in read if isinstance(value, Metric)]
    if not kept:
        finding = _none_counts(stage, phase.name, dropped)
        return Absent(finding=finding, workload=stage.workload, phase=phase.name)
    counted = [sample for sample, _ in kept]
    held = [sample for sample in samples if sample in counted or not sample.reasons]
    figures = [value.value for _, value in kept if value.value is not None]
    return Trial(
        workload=stage.workload,
        phase=phase,
        values=tuple(map(measure, counted)) if measure else tuple(figures),
        unit=kept[0][1].unit,
        better=kept[0][1].better,
        record=record,
        stage=stage,
        counted=tuple(counted),
        closed=(*unlike(claim, phase), *gates(record, phase, held, claim)),
        dropped=dropped,
    )


def _value(
    phase: Phase, sample: Sample, claim: Claim, pooled: Sequence[Sample]
) -> Metric | Finding:
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
    return _figure(phase, sample, claim, place)


def _figure(phase: Phase, sample: Sample, claim: Claim, place: str) -> Metric | Finding:
    relative = claim.unit in ("1", "points")
    metric = decisive(phase, sample, claim.metric, _unit(phase, sample, claim.metric))
    if metric is None or not (relative or metric.unit == claim.unit):
        unit = "" if relative else f" in {claim.unit}"
        message = f"{phase.name} gives no {claim.metric}{unit}"
        return Finding(code="metric_missing", message=message)
    if (few := _too_few_operations(sample, claim.metric)) is not None:
        return Finding(code="too_few_operations", message=f"{place}: {few}")
    least_is_best = metric.better == "lower" and metric.unit != "ns"
    if metric.value or (metric.value == 0 and least_is_best and claim.unit != "1"):
        return metric
    message = f"{place}: {metric.why_missing or 'nothing was measured'}"
    return Finding(code="nothing_measured", message=message)


def _unit(phase: Phase, sample: Sample, name: str) -> str:
    return next((m.unit for m in metrics(phase, sample) if m.name == name), "")


def _too_few_operations(sample: Sample, name: str) -> str | None:
    """Why a percentile decides nothing: too few operations were slower than it."""
    stem, _, which = name.rpartition("_")
    of = "whole" if stem == "latency" else stem.removesuffix("_latency")
    histogram, share = sample.measurement.histograms.get(of), _SHARES.get(which)
    if share is None or histogram is None:
        return None
    needed = round(_BEYOND / (1 - share))
    if histogram.count >= needed:
        return None
    return f"{histogram.count} operations; {which} takes at least {needed} in each run"


def _state(samples: Sequence[Sample]) -> str:
    evidence = samples[0].evidence
    return evidence.state.value if evidence else "as unknown as that of others"


def _none_counts(stage: Stage, name: str, dropped: Sequence[Finding]) -> Finding:
    if not dropped:
        message = f"{stage.workload}, {name}: planned, but not measured"
        return Finding(code="not_measured", message=message)
    if all(finding.code == "metric_missing" for finding in dropped):
        return dropped[0]
    if all(finding.code == "too_few_operations" for finding in dropped):
        return dropped[0]
    told = "; ".join(f"{finding.message} ({finding.code})" for finding in dropped)
    return Finding(code="no_run_counts", message=f"{stage.workload}, {name}: {told}")
