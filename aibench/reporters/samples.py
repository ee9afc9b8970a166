"""One repeat of one phase in the document: counts, evidence, ceiling, series and workers."""

from typing import Any

from aibench.metrics import headroom
from aibench.model import Evidence, Finding, Phase, Sample
from aibench.remarks import steadiness_remarks
from aibench.reporters.values import number, plain
from aibench.stats.steady import steadiness


def sample_part(phase: Phase, sample: Sample, unit: str) -> dict[str, Any]:
    """What one repeat of ``phase`` counted, whether it counts, and its headroom in ``unit``."""
    measured = sample.measurement
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
        "telemetry": plain(sample.telemetry),
        "nfs": plain(sample.nfs),
        "workers": plain(measured.workers),
        "training": plain(measured.training),
        "slowest": _slowest(sample),
        "tool": plain(measured.tool),
        "warnings": plain(remarks(phase, sample)),
        "reasons": plain(sample.reasons),
    }


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
