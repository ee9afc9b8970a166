"""What each run says of each figure: one value, from repeats that count and are of one state."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from aibench.metrics import decisive, metrics, of_one_state
from aibench.model import CacheState, Finding, Metric, Phase, RunRecord, Sample, Stage

#: A phase of a plan: names of workload and phase.
Place = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one run says of one phase, or why it says nothing.

    ``values`` has the figures by name, each the typical one of the run's repeats.
    """

    record: RunRecord
    stage: Stage
    phase: Phase
    samples: tuple[Sample, ...] = ()
    state: CacheState | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    why_none: str = ""


def places(records: Sequence[RunRecord]) -> tuple[Place, ...]:
    """The measured phases of all plans, in order."""
    found = (
        (stage.workload, phase.name)
        for record in records
        for stage in record.plan.stages
        for phase in stage.measured
    )
    return tuple(dict.fromkeys(found))


def reading(record: RunRecord, place: Place) -> Reading | None:
    """What ``record`` says of the phase at ``place``; None where its plan has none."""
    for stage in record.plan.stages:
        for phase in stage.measured:
            if (stage.workload, phase.name) == place:
                return _reading(record, stage, phase)
    return None


def _reading(record: RunRecord, stage: Stage, phase: Phase) -> Reading:
    if stage.refusal is not None:
        return Reading(record=record, stage=stage, phase=phase, why_none=stage.refusal)
    if record.reasons or not record.complete:
        why = record.reasons[0].message if record.reasons else "the run did not finish"
        return Reading(record=record, stage=stage, phase=phase, why_none=why)
    every = [s for s in record.samples if (s.workload, s.phase) == (stage.workload, phase.name)]
    counted = of_one_state([s for s in every if not s.reasons and not s.measurement.errors])
    if not counted:
        reasons = [r.message for s in every for r in s.reasons]
        why = reasons[0] if reasons else "not measured"
        return Reading(record=record, stage=stage, phase=phase, why_none=why)
    return Reading(
        record=record,
        stage=stage,
        phase=phase,
        samples=counted,
        state=counted[0].evidence.state if counted[0].evidence else None,
        metrics={metric.name: metric for metric in _typical(phase, counted)},
    )


def _typical(phase: Phase, samples: Sequence[Sample]) -> Iterator[Metric]:
    """The main figures of a run: sustained where a burst came before, the mean over repeats."""
    for metric in metrics(phase, samples[0]):
        if not metric.main or metric.name.startswith(("burst_", "sustained_")):
            continue
        found = [decisive(phase, sample, metric.name, metric.unit) for sample in samples]
        values = [each.value for each in found if each is not None and each.value is not None]
        if len(values) == len(samples):
            yield Metric(
                name=metric.name, title=metric.title, value=_mean(values), unit=metric.unit,
                better=metric.better, main=True,
            )  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    """The geometric mean; the arithmetic one where a value is 0."""
    if min(values) > 0:
        return math.exp(math.fsum(map(math.log, values)) / len(values))
    return math.fsum(values) / len(values)


def shared_state(readings: Sequence[Reading]) -> CacheState | None:
    """The state that a figure is made of: cold where there is any, else that of the first."""
    states = [each.state for each in readings]
    return CacheState.COLD if CacheState.COLD in states else next(iter(states), None)


def unlike_states(one: CacheState | None, other: CacheState | None) -> bool:
    """Whether it is known that bytes came from unlike places.

    What is unknown is not known to be unlike: it may look better than it is, and has a gate.
    """
    return one is not other and CacheState.UNKNOWN not in (one, other)


def named(record: RunRecord, why: str, code: str = "no_result") -> Finding:
    """Why a run is not among the results, with its name."""
    return Finding(code=code, message=f"{record.run_id} ({record.target.label}): {why}")
