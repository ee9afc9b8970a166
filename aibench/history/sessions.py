"""From a record to what it adds to each series, as plain rows that an index can keep."""

import hashlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aibench.identity import client_facts, identity, label, mount_facts, target_facts
from aibench.metrics import metrics, of_one_state
from aibench.model import READS, WRITES, Metric, Phase, RunRecord, Sample, Stage
from aibench.model.history import History, SeriesId, Session

#: The form of the rows; one more where they change. 2 has the plain key of the series, and nothing
#: of duels.
FORMAT = 2
#: The label of a run that was made to confirm another one.
CONFIRMS = "confirms"
#: The label of a run that belongs to a duel.
DUEL = "duel"


def rows(record: RunRecord) -> dict[str, Any]:
    """What ``record`` adds: ``run`` once, and a row for each series; none where it does not count.

    The runs of a duel, its warm-up too, add nothing: minutes apart, they are no sessions. Main
    figures above 0 only: others have no ratio. Everything in it can be written as JSON.
    """
    run = {
        "run_id": record.run_id,
        "started_at": record.started_at,
        "facts": facts(record),
        "confirms": record.labels.get(CONFIRMS, ""),
    }
    found = []
    if record.complete and not record.reasons and DUEL not in record.labels:
        for stage in record.plan.stages:
            for phase in stage.measured:
                found += _phase_rows(record, stage, phase)
    return {"run": run, "rows": found}


def facts(record: RunRecord) -> dict[str, str]:
    """What was true of client, mount, target and tools, as texts; what is unknown is absent."""
    parts: dict[str, Any] = {
        "aibench": record.aibench_version,
        "host": record.environment.metadata.get("hostname"),
        **{f"client {name}": value for name, value in _clients(record).items()},
        **{f"mount {name}": value for name, value in mount_facts(record.target).items()},
        **{f"engine {name}": value for name, value in record.engines.items()},
    }
    told = target_facts(record.target, record.system, record.environment)
    parts |= {"drives": told["drives"], "firmware": told["firmware"]}
    parts |= {f"system {name}": value for name, value in (told["system"] or {}).items()}
    return {
        name: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in parts.items()
        if value not in (None, "")
    }


def _clients(record: RunRecord) -> dict[str, Any]:
    return client_facts(record.environment, record.launch)


def histories(found: Iterable[Mapping[str, Any]]) -> tuple[History, ...]:
    """The series of all rows, in the order of their names; sessions oldest first."""
    ids: dict[str, SeriesId] = {}
    sessions: dict[str, list[Session]] = {}
    for each in found:
        for row in each["rows"]:
            series = ids.setdefault(row["id"]["key"], SeriesId(**row["id"]))
            session = Session(**each["run"], **row["session"])
            sessions.setdefault(series.key, []).append(session)
    ordered = sorted(ids.values(), key=lambda each: (each.target, each.name, each.key))
    return tuple(
        History(
            id=series,
            sessions=tuple(sorted(sessions[series.key], key=lambda s: (s.started_at, s.run_id))),
        )
        for series in ordered
    )


def _phase_rows(record: RunRecord, stage: Stage, phase: Phase) -> list[dict[str, Any]]:
    wanted = (stage.workload, phase.name)
    samples = [s for s in record.samples if (s.workload, s.phase) == wanted and not s.reasons]
    samples = list(of_one_state(samples))
    if not samples:
        return []
    evidence = samples[0].evidence
    state = evidence.state.value if evidence else None
    series = identity(record, stage, phase).series
    canary = _canary(phase, samples)
    found = []
    for metric, values in _values(phase, samples):
        about: dict[str, Any] = {
            "workload": stage.workload,
            "phase": phase.name,
            "metric": metric.name,
            "title": metric.title,
            "unit": metric.unit,
            "better": metric.better,
            "target": record.target.label,
            "state": state,
        }
        key = _sha256(series, metric.name, state or "")
        family = _sha256(label(record.target) or record.target.source, *map(str, about.values()))
        session = {"value": statistics.median(values), "n": len(values), "canary": canary}
        identified = asdict(SeriesId(key=key, family=family, series=series, **about))
        found.append({"id": identified, "session": session})
    return found


def _values(phase: Phase, samples: Sequence[Sample]) -> Iterable[tuple[Metric, list[float]]]:
    """Each main figure with its values, one for each sample that has it."""
    named: dict[str, Metric] = {}
    values: dict[str, list[float]] = {}
    for sample in samples:
        for metric in metrics(phase, sample):
            if metric.main and metric.value:
                named[metric.name] = metric
                values.setdefault(metric.name, []).append(metric.value)
    return [(named[name], each) for name, each in values.items()]


def _canary(phase: Phase, samples: Sequence[Sample]) -> float | None:
    """What the harness alone does, in the middle; None where it was not measured."""
    by_bytes = phase.operation in READS | WRITES
    found = [
        (s.ceiling.bytes if by_bytes else s.ceiling.operations) / s.ceiling.elapsed_ns * 1e9
        for s in samples
        if s.ceiling and s.ceiling.elapsed_ns
    ]
    return statistics.median(found) or None if found else None


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
