"""What records tell of a storage in the terms of cluster models: bandwidths, times, utilisation."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aibench.cluster.inputs import Input
from aibench.cluster.ranges import Range
from aibench.errors import Refused
from aibench.hosts import machines
from aibench.metrics import CLIENT_BOUND_BELOW, decisive, headroom, of_one_state
from aibench.model import CacheState, Finding, Phase, RunRecord, Sample, SyncPolicy
from aibench.stats.intervals import estimate
from aibench.units import format_size

#: What says that the client and not the storage was the limit.
_CLIENT = frozenset({"client_bound", "busy_client", "nic_bound", "io_limited", "run_queue"})
_NANOSECOND = 1e-9
#: The usual bar for accelerators that are fed.
_BAR = 0.9


@dataclass(frozen=True, slots=True)
class _Source:
    """Which figure of which phase one input is measured by, and in what unit of it."""

    key: str
    kind: str
    phase: str
    metric: str
    unit: str
    factor: float = 1.0
    reads: bool = False


_SOURCES = (
    _Source("write", "checkpoint_save", "save", "write_bandwidth", "B/s"),
    _Source("read", "checkpoint_load", "load", "read_bandwidth", "B/s", reads=True),
    _Source("load", "train", "accelerators-", "first_batch_time", "ns", _NANOSECOND, reads=True),
    _Source("load", "load", "epoch", "first_batch_time", "ns", _NANOSECOND, reads=True),
    _Source("utilisation", "train", "accelerators-", "utilisation", "share", reads=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was measured, by the name of the input, and what to know of it."""

    inputs: tuple[Input, ...]
    remarks: tuple[Finding, ...]


def observed(records: Sequence[RunRecord], side: str) -> Observed:
    """The inputs of ``side`` (``baseline`` or ``candidate``) that ``records`` measured.

    Durable writes of checkpoints over all ranks, cold reads of them, the time to the first batch,
    and the utilisation of the largest number of accelerators that was fed. Where several records
    measured the same the last one counts. `Refused` for a record that does not count, and where
    none measured any of these.
    """
    inputs: dict[str, Input] = {}
    remarks: list[Finding] = []
    for record in records:
        if record.reasons or not record.complete:
            why = record.reasons[0].message if record.reasons else "it has no end"
            raise Refused(f"run {record.run_id} does not count: {why}")
        for source in _SOURCES:
            found = _measured(record, source, side)
            if found is not None:
                inputs[found[0].name] = found[0]
                remarks += found[1]
    if not any(name.endswith(("_write", "_read")) for name in inputs):
        raise Refused(
            "these runs measured no checkpoint: needed are runs of checkpoint-save and "
            "checkpoint-load (and of load or train workloads for loads and utilisation)"
        )
    return Observed(inputs=tuple(inputs.values()), remarks=tuple(dict.fromkeys(remarks)))


def _measured(record: RunRecord, source: _Source, side: str) -> tuple[Input, list[Finding]] | None:
    candidates = list(_phases(record, source))
    if not candidates:
        return None
    choose = _largest_fed if source.kind == "train" else _first
    phase, samples = choose(candidates)
    values = [
        metric.value * source.factor
        for sample in samples
        if (metric := decisive(phase, sample, source.metric, source.unit)) and metric.value
    ]
    if not values:
        return None
    better = "lower" if source.unit == "ns" else "higher"
    found = estimate(values, better)
    low, high = found.low or found.typical, found.high or found.typical
    if source.unit == "share":
        low, high = min(low, 1.0), min(high, 1.0)
    given = Input(
        name=f"{side}_{source.key}",
        range=Range(low=low, typical=min(found.typical, high), high=high),
        origin="measured",
        source=f"run {record.run_id}: {_workload(record, phase)}, phase {phase.name}, "
        f"{found.n} {'repeat' if found.n == 1 else 'repeats'}, {found.method}",
    )
    return given, list(_remarks(record, phase, samples, source, side))


def _phases(record: RunRecord, source: _Source) -> Iterator[tuple[Phase, list[Sample]]]:
    """The measured phases that ``source`` is about, with the samples of them that may count."""
    for stage in record.plan.stages:
        for phase in stage.phases:
            named = re.fullmatch(rf"{re.escape(source.phase)}\d*", phase.name)
            if stage.kind != source.kind or not phase.measured or not named:
                continue
            samples = of_one_state(
                [
                    sample
                    for sample in record.samples
                    if (sample.workload, sample.phase) == (stage.workload, phase.name)
                    and not sample.reasons
                ]
            )
            if samples and _usable(phase, samples, source):
                yield phase, list(samples)


def _usable(phase: Phase, samples: Sequence[Sample], source: _Source) -> bool:
    """Whether it was storage that answered: writes were synced, reads not from the page cache."""
    if not source.reads:
        return phase.sync is not SyncPolicy.NONE
    state = samples[0].evidence.state if samples[0].evidence else CacheState.UNKNOWN
    return state not in (CacheState.WARM, CacheState.MIXED)


_Found = tuple[Phase, list[Sample]]


def _first(found: Sequence[_Found]) -> _Found:
    return found[0]


def _largest_fed(found: Sequence[_Found]) -> _Found:
    """The most accelerators at the usual bar, else the best fed ones."""
    fed = [each for each in found if _fed(each) >= _BAR]
    if fed:
        return max(fed, key=lambda each: each[0].accelerators.count if each[0].accelerators else 0)
    return max(found, key=_fed)


def _fed(found: _Found) -> float:
    phase, samples = found
    values = [decisive(phase, sample, "utilisation", "share") for sample in samples]
    known = [metric.value for metric in values if metric and metric.value is not None]
    return min(known, default=0.0)


def _workload(record: RunRecord, phase: Phase) -> str:
    return next(stage.workload for stage in record.plan.stages if phase in stage.phases)


def _remarks(
    record: RunRecord, phase: Phase, samples: Sequence[Sample], source: _Source, side: str
) -> Iterator[Finding]:
    what = f"{side} {source.key}"
    if phase.snapshot:
        yield Finding(
            code="snapshot",
            message=f"{what}: these checkpoints were asynchronous: say how long a snapshot holds "
            f"the job up ({side}.snapshot), else the whole write does",
        )
    if source.unit == "B/s":
        yield from _bandwidth_remarks(record, samples, what)
    if source.reads and (
        not samples[0].evidence or samples[0].evidence.state is CacheState.UNKNOWN
    ):
        yield Finding(
            code="cache_unknown",
            message=f"{what}: nothing tells whether the bytes came from storage or from a cache: "
            "resuming elsewhere may be slower",
        )
    if source.key == "read" and record.target.is_remote:
        yield Finding(
            code="server_cache",
            message=f"{what}: what the server had in its own cache can't be seen from here: a "
            "resume after other work may be slower",
        )
    if source.key == "load":
        yield Finding(
            code="load_of_this_data",
            message=f"{what}: the time for {phase.population.files} files; it grows with their "
            "number, not with their bytes",
        )
    if source.key == "utilisation" and phase.accelerators:
        yield Finding(
            code="utilisation_of_these",
            message=f"{what}: of {phase.accelerators.count} emulated accelerators on this mount; "
            "nothing is decoded unless asked for",
        )


def _bandwidth_remarks(
    record: RunRecord, samples: Sequence[Sample], what: str
) -> Iterator[Finding]:
    room = headroom(samples, "B/s")
    warned = {w.code for s in samples for w in (*s.warnings, *s.measurement.warnings)}
    warned |= {w.code for w in record.warnings}
    bound = warned & _CLIENT or (room is not None and room < CLIENT_BOUND_BELOW)
    if bound or (len(machines(samples)) <= 1 and record.target.is_remote):
        limit = "the client was the limit" if bound else "one client can't drive remote storage"
        yield Finding(
            code="lower_bound",
            message=f"{what}: {limit}: a lower bound on bandwidth, so an upper bound on loss",
        )
    moved = min(sample.measurement.bytes for sample in samples)
    for sample in samples:
        for warning in (*sample.warnings, *sample.measurement.warnings):
            if warning.code not in _CLIENT:
                yield Finding(code=warning.code, message=f"{what}: {warning.message}")
    yield Finding(
        code="scaled",
        message=f"{what}: measured over {format_size(moved)}; larger checkpoints take time in "
        "proportion only if this is the rate of the whole system",
    )
