"""One repeat of one phase in the document: counts, evidence, ceiling, series and workers."""

from collections.abc import Sequence
from typing import Any

from aibench.hosts import nfs_together
from aibench.metrics import headroom
from aibench.model import Evidence, Finding, Phase, Sample, Telemetry
from aibench.remarks import steadiness_remarks
from aibench.reporters.hosts import hosts_part, stonewall_part
from aibench.reporters.values import number, plain
from aibench.stats.steady import steadiness

#: Of more workers a report tells what their hosts did; the record has all of them.
MOST_WORKERS = 4096


def sample_part(phase: Phase, sample: Sample, unit: str) -> dict[str, Any]:
    """What one repeat of ``phase`` counted, whether it counts, and its headroom in ``unit``.

    ``workers`` is empty where there were more than `MOST_WORKERS`.
    """
    measured, rows = sample.measurement, hosts_part(sample)
    whose, seen = _watched(sample, rows)
    return {
        "repeat": sample.repeat,
        "started_at": sample.started_at,
        "counts": not sample.reasons,
        "operations": measured.operations,
        "bytes": measured.bytes,
        "elapsed_ns": measured.elapsed_ns,
        "errors": measured.errors,
        "first_done_ns": measured.first_done_ns,
        "last_done_ns": measured.last_done_ns,
        "start_spread_ns": measured.start_spread_ns,
        "timers": plain(measured.timers),
        "evidence": _evidence(sample.evidence),
        "ceiling": plain(sample.ceiling),
        "headroom": number(headroom([sample], unit)),
        "series": plain(measured.series),
        "steadiness": plain(steadiness(phase, measured)),
        "telemetry": plain(seen),
        "telemetry_host": whose,
        "nfs": plain(nfs_together(sample.hosts) if sample.hosts else sample.nfs),
        "workers": plain(measured.workers) if len(measured.workers) <= MOST_WORKERS else [],
        "hosts": rows,
        "stonewall": stonewall_part(measured),
        "training": plain(measured.training),
        "slowest": _slowest(sample),
        "tool": plain(measured.tool),
        "warnings": plain(remarks(phase, sample)),
        "reasons": plain(sample.reasons),
    }


def _watched(sample: Sample, rows: Sequence[dict[str, Any]]) -> tuple[str | None, Telemetry | None]:
    """What is told of a client in full: of several hosts that with the slowest workers."""
    seen = {host.host: host.telemetry for host in sample.hosts if host.telemetry is not None}
    name = next((row["host"] for row in rows if row["host"] in seen), None)
    return (name, seen[name]) if name is not None else (None, sample.telemetry)


def remarks(phase: Phase, sample: Sample) -> tuple[Finding, ...]:
    """All that a reader has to know of one repeat: what was noted then, and what is derived now."""
    noted = (*sample.warnings, *sample.measurement.warnings)
    return (*noted, *steadiness_remarks(phase, sample))


def _evidence(evidence: Evidence | None) -> dict[str, Any] | None:
    if evidence is None:
        return None
    return {**plain(evidence), "delivered_share": number(evidence.delivered_share)}


def _slowest(sample: Sample) -> str | None:
    """The worker that ended last, as ``host, process 3, thread 0``; None without workers."""
    workers = sample.measurement.workers
    if not workers:
        return None
    last = max(workers, key=lambda worker: worker.end_ns)
    return f"{last.host}, process {last.process}, thread {last.thread}"
