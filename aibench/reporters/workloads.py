"""Workloads and phases of the document: what was asked, and every figure over the repeats."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aibench.capacity import searched
from aibench.formats.files import total_bytes
from aibench.identity import identity
from aibench.insight import why
from aibench.metrics import headroom, metrics, of_one_state
from aibench.model import (
    READS,
    WRITES,
    Estimate,
    Finding,
    Metric,
    Operation,
    Phase,
    RunRecord,
    Sample,
    Stage,
)
from aibench.probes.nfsoptions import meaning
from aibench.reporters.alternating import beside_part
from aibench.reporters.levels import family, levels_part, sweep_part
from aibench.reporters.samples import remarks, sample_part
from aibench.reporters.values import number, plain, spread
from aibench.stats.histogram import enough_for, merge, percentile
from aibench.stats.intervals import estimate
from aibench.training import demand
from aibench.workers.loops.feed import share_asked, steps_asked

#: Where the latency curve has its points; those with too few operations are left out.
_SHARES = (
    *(n / 100 for n in range(1, 99)),
    0.99, 0.9925, 0.995, 0.9975, 0.999, 0.9995, 0.9999, 0.99995, 0.99999,
)  # fmt: skip


def workload_part(record: RunRecord, stage: Stage) -> dict[str, Any]:
    """One workload: what it imitates, who did it, and its measured phases."""
    phases = [_phase_part(stage, phase, record) for phase in _measured(stage, record)]
    swept = sweep_part(stage, phases)
    return {
        "name": stage.workload,
        "title": stage.title,
        "kind": stage.kind,
        "imitates": stage.imitates,
        "engine": stage.engine,
        "engine_version": record.engines.get(stage.engine),
        "repeats": stage.repeats,
        "refusal": stage.refusal,
        "beside": beside_part(record, stage),
        "prepared": [{"name": p.name, "asked": _asked(p)} for p in stage.prepared],
        "phases": phases,
        **({"sweep": swept} if swept else {}),
    }


def _measured(stage: Stage, record: RunRecord) -> list[Phase]:
    """The phases that were to be measured: of a search those that it came to."""
    tried = {s.phase for s in record.samples if s.workload == stage.workload}
    return [p for p in stage.measured if p.name in tried or not searched(stage)]


def _phase_part(stage: Stage, phase: Phase, record: RunRecord) -> dict[str, Any]:
    wanted = (stage.workload, phase.name)
    samples = [s for s in record.samples if (s.workload, s.phase) == wanted]
    counted = of_one_state([s for s in samples if not s.reasons])
    basis = counted or samples
    known = [s for s in samples if not s.reasons] or samples
    unit = "B/s" if phase.operation in READS | WRITES else "op/s"
    middle = _middle(basis)
    about = (record.target, record.environment, record.launch)
    limited = middle and why(phase, middle, *about)
    return {
        "name": phase.name,
        **_level(phase),
        "operation": phase.operation.value,
        "reads": phase.operation in READS,
        "writes": phase.operation in WRITES,
        "asked": _asked(phase),
        "repeats": {"planned": stage.repeats, "done": len(samples), "counted": len(counted)},
        "counts": bool(counted),
        "cache_state": _cache_state(known),
        "cache_states": _cache_states(samples),
        "headroom": number(headroom(basis, unit)),
        "why": plain(limited),
        "mount_options": _options(phase, record),
        "series": identity(record, stage, phase).series,
        "middle_repeat": middle.repeat if middle else None,
        "errors": sum(s.measurement.errors for s in samples),
        "failed": _failed(samples) if phase.soak else {},
        "metrics": _figures(phase, samples, basis),
        "percentiles": _curves(basis),
        "mean_ns": _mean_ns(basis),
        "samples": [sample_part(phase, sample, unit) for sample in samples],
        "warnings": _grouped(samples, lambda s: (*remarks(phase, s), *_left_out(s, basis))),
        "reasons": _grouped(samples, lambda s: s.reasons),
    }


def _level(phase: Phase) -> dict[str, Any]:
    """What a phase is a level of, where it is one."""
    if not phase.levels:
        return {}
    return {"question": family(phase), "levels": levels_part(phase.levels)}


def _mean_ns(samples: Sequence[Sample]) -> float | None:
    """The mean latency of a whole operation over all ``samples``."""
    wholes = (s.measurement.histograms.get("whole") for s in samples)
    found = [each for each in wholes if each is not None]
    count = sum(each.count for each in found)
    return sum(each.total_ns for each in found) / count if count else None


def _failed(samples: Sequence[Sample]) -> dict[str, int]:
    """How many operations failed in which way, such as ``EIO read``, over all repeats."""
    found: Counter[str] = Counter()
    for sample in samples:
        for name, histogram in sample.measurement.histograms.items():
            if name.endswith((" read", " save")):
                found[name] += histogram.count
    return dict(found.most_common())


def _options(phase: Phase, record: RunRecord) -> list[str]:
    """What the options of an NFS mount mean for this phase."""
    nfs = record.target.is_nfs
    return list(meaning(record.target.options, phase)) if nfs else []


def _middle(samples: Sequence[Sample]) -> Sample | None:
    """The repeat whose rate is the middle one; the first of two. None where there is none."""
    timed = [s for s in samples if s.measurement.operations and s.measurement.elapsed_ns]
    timed.sort(key=lambda s: s.measurement.operations / s.measurement.elapsed_ns)
    return timed[(len(timed) - 1) // 2] if timed else None


def _asked(phase: Phase) -> dict[str, Any]:
    population = phase.population
    return {
        "processes": phase.processes,
        "threads": phase.threads,
        "depth": phase.depth,
        "files": population.files,
        "sizes": plain(population.sizes),
        "format": population.format,
        "samples_per_file": population.samples_per_file,
        "reader": phase.reader if phase.operation is Operation.READ_FILES else None,
        "rate": phase.rate or None,
        "files_per_directory": population.files_per_directory,
        "order": phase.order.value,
        "io_size": phase.io_size,
        "batch": phase.batch,
        "accelerators": _accelerators(phase),
        "shift": phase.shift,
        "cache": phase.cache.value,
        "sync": phase.sync.value,
        "runtime_ns": phase.runtime_ns or None,
        **({"hosts": phase.hosts} if phase.hosts else {}),
    }


def _accelerators(phase: Phase) -> dict[str, Any] | None:
    """The accelerators that a phase emulates, and the bytes per second that they take at most."""
    if phase.accelerators is None:
        return None
    saved = phase.saving
    saving = saved and {
        "checkpoints": saved.checkpoints,
        "bytes": total_bytes(saved.population) // saved.checkpoints,
        "ranks": saved.slots,
        "format": saved.population.format,
        "snapshot": saved.snapshot,
    }
    read, other = phase.evaluation, phase.evaluation and phase.evaluation.accelerators
    evaluation = read and other and {
        "batches": steps_asked(read, other),
        "batch": read.batch,
        "files": read.population.files,
        "bytes": int(total_bytes(read.population) * share_asked(read)),
        "compute_ns": other.compute_ns,
    }  # fmt: skip
    return {
        **plain(phase.accelerators),
        "demand": number(demand(phase)),
        "saving": saving,
        "evaluation": evaluation,
    }


def _cache_state(samples: Sequence[Sample]) -> str | None:
    """What the evidence of all repeats says: one state, ``varies``, or None without evidence."""
    states = {s.evidence.state.value if s.evidence else None for s in samples}
    return states.pop() if len(states) == 1 else "varies" if states else None


def _cache_states(samples: Sequence[Sample]) -> dict[str, list[int]]:
    """The repeats (from 0) in each state of the cache; empty where nothing is known of any."""
    found: dict[str, list[int]] = {}
    for sample in samples:
        if sample.evidence is not None:
            found.setdefault(sample.evidence.state.value, []).append(sample.repeat)
    return found


def _left_out(sample: Sample, pooled: Sequence[Sample]) -> tuple[Finding, ...]:
    """Why a sample that counts is in no figure: its bytes came from elsewhere."""
    other = pooled[0].evidence
    if sample in pooled or sample.reasons or sample.evidence is None or other is None:
        return ()
    states = f"{sample.evidence.state.value}, not {other.state.value}"
    message = f"the cache was {states}: such repeats are never averaged, and this is in no figure"
    return (Finding(code="cache_state_differs", message=message),)


def _figures(
    phase: Phase, samples: Sequence[Sample], pooled: Sequence[Sample]
) -> list[dict[str, Any]]:
    """Each metric once: its values by repeat and its estimate over the repeats that are pooled.

    Those are the ones that count and have one state of the cache. Where no repeat counts they are
    all, and ``counts`` of the phase is False: a reporter then says so beside the number.
    """
    by_sample = [{m.name: m for m in metrics(phase, sample)} for sample in samples]
    names = dict.fromkeys(name for found in by_sample for name in found)
    basis = [s in pooled for s in samples]
    return [_figure([found.get(name) for found in by_sample], basis) for name in names]


def _figure(found: Sequence[Metric | None], basis: Sequence[bool]) -> dict[str, Any]:
    first = next(metric for metric in found if metric is not None)
    values = [number(metric.value) if metric else None for metric in found]
    unit = _unit(first)
    usable = [v for v, use in zip(values, basis, strict=True) if use and v is not None]
    missing = next((m.why_missing for m in found if m and m.value is None and m.why_missing), "")
    return {
        "name": first.name,
        "title": first.title,
        "unit": first.unit,
        "better": first.better,
        "main": first.main,
        "values": values,
        "estimate": spread(_possible(estimate(usable, first.better), unit), unit)
        if usable
        else None,
        "why_missing": missing,
    }


def _possible(found: Estimate, unit: str) -> Estimate:
    """An interval of shares ends at 1: no statistics of a few repeats can make it more."""
    if unit != "share" or found.low is None or found.high is None:
        return found
    return replace(found, low=min(found.low, 1.0), high=min(found.high, 1.0))


def _curves(samples: Sequence[Sample]) -> dict[str, Any]:
    """For each type of operation, the latency in ns at each share, over all repeats merged."""
    kinds = dict.fromkeys(kind for s in samples for kind in s.measurement.histograms)
    return {kind: _curve([s.measurement.histograms for s in samples], kind) for kind in kinds}


def _curve(histograms: Iterable[Mapping[str, Any]], kind: str) -> dict[str, Any]:
    merged = merge(found[kind] for found in histograms if kind in found)
    shares = [share for share in _SHARES if enough_for(share, merged.count)]
    return {
        "count": merged.count,
        "min_ns": merged.min_ns,
        "max_ns": merged.max_ns,
        "points": [[share, percentile(merged, share)] for share in shares] if merged.count else [],
    }


def _grouped(samples: Sequence[Sample], findings: Any) -> list[dict[str, Any]]:
    """Each code once, with its first message and the repeats (from 0) in which it occurred."""
    groups: dict[str, dict[str, Any]] = {}
    for sample in samples:
        for finding in findings(sample):
            _note(groups, finding, sample.repeat)
    return list(groups.values())


def _note(groups: dict[str, dict[str, Any]], finding: Finding, repeat: int) -> None:
    group = groups.setdefault(
        finding.code, {"code": finding.code, "message": finding.message, "repeats": []}
    )
    if repeat not in group["repeats"]:
        group["repeats"].append(repeat)


def _unit(metric: Metric) -> str:
    """The unit as a reader wants it: operations that have a name of their own get it."""
    noun = metric.name.removesuffix("_per_second")
    return f"{noun}/s" if noun in ("files", "samples", "shards") else metric.unit
