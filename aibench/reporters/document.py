"""The derived document: everything that a report says, once, so that all formats say the same.

It is made of dictionaries, lists, strings, numbers and None, in base units (B/s, op/s, ns), with
each headline number also printed. What is missing is None: never 0, never NaN.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aibench.model import Finding, RunRecord, Verdict
from aibench.model.reference import Reference
from aibench.remarks import together_remarks
from aibench.reporters.beside import beside
from aibench.reporters.claims import counts_by_status, verdict_rows
from aibench.reporters.gaps import not_tested
from aibench.reporters.hosts import launch_part
from aibench.reporters.sizing import sizing
from aibench.reporters.values import plain
from aibench.reporters.workloads import workload_part

#: History: 1 is the first.
FORMAT = 1


def document(
    record: RunRecord,
    verdicts: Sequence[Verdict],
    references: Sequence[Reference] = (),
    runs: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """All that a reporter may show of ``record`` and of the ``verdicts`` that were reached on it.

    With ``references`` there is a context: what each claim implies, and which of them stand
    beside it.

    ``runs`` are those that the verdicts were reached on, where they are more than ``record``
    (`belonging.judged`).

    ``run.counts`` is False when the run as a whole counts for nothing; ``run.reasons`` say why.
    """
    workloads = [workload_part(record, stage) for stage in record.plan.stages]
    return {
        "format": FORMAT,
        "kind": "report",
        "run": _run(record),
        "judged": list(runs),
        "launch": launch_part(record.launch),
        "target": _target(record),
        "system": plain(record.system),
        "environment": plain(record.environment),
        "plan": _plan(record),
        "summary": counts_by_status(verdicts),
        "verdicts": verdict_rows(verdicts, workloads, record.system),
        "context": beside(verdicts, references, record.system) if references else {},
        "workloads": workloads,
        "sizing": sizing(workloads, record.system, record.target),
        "not_tested": not_tested(record, verdicts, workloads),
    }


def _run(record: RunRecord) -> dict[str, Any]:
    return {
        "id": record.run_id,
        "name": record.plan.name,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "elapsed_ns": _elapsed(record),
        "complete": record.complete,
        "counts": record.complete and not record.reasons,
        "aibench_version": record.aibench_version,
        "command": list(record.command),
        "engines": plain(record.engines),
        "labels": plain(record.labels),
        "warnings": plain((*record.warnings, *together_remarks(record), *_strays(record))),
        "reasons": plain(record.reasons or _unfinished(record)),
    }


def _unfinished(record: RunRecord) -> tuple[Finding, ...]:
    if record.complete:
        return ()
    return (Finding(code="unfinished", message="the record has no last line: the run did not end"),)


def _strays(record: RunRecord) -> tuple[Finding, ...]:
    """A warning where the record holds samples that its plan does not ask for."""
    planned = {(s.workload, p.name) for s in record.plan.stages for p in s.phases}
    strays = [s for s in record.samples if (s.workload, s.phase) not in planned]
    if not strays:
        return ()
    message = f"{len(strays)} samples belong to no phase of the plan and are left out"
    return (Finding(code="stray_samples", message=message),)


def _elapsed(record: RunRecord) -> int | None:
    try:
        began = datetime.fromisoformat(record.started_at)
        ended = datetime.fromisoformat(record.finished_at or "")
        return round((ended - began).total_seconds()) * 10**9
    except (ValueError, TypeError):
        return None


def _target(record: RunRecord) -> dict[str, Any]:
    target = record.target
    return {
        **plain(target),
        "is_memory": target.is_memory,
        "is_network": target.is_network,
    }


def _plan(record: RunRecord) -> dict[str, Any]:
    plan = record.plan
    return {
        "digest": plan.digest,
        "seed": plan.seed,
        "write_bytes": plan.write_bytes,
        "read_bytes": plan.read_bytes,
        "space_bytes": plan.space_bytes,
        "inodes": plan.inodes,
        "memory_bytes": plan.memory_bytes,
        "estimated_ns": plan.estimated_ns,
    }
