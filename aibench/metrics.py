"""From counts to rates: the metrics of one sample, in base units, with their direction.

With `pipeline` the only place that divides. The judge and the reporters read the same values from
here.
"""

from collections.abc import Sequence
from dataclasses import replace

from aibench.hosts import rank_count, stonewall
from aibench.model import (
    READS,
    WRITES,
    CacheState,
    Ceiling,
    Measurement,
    Metric,
    Operation,
    Phase,
    Sample,
)
from aibench.pipeline import collected, compared, offloaded, per_second, resharded, transformed
from aibench.stats.histogram import enough_for, mean, percentile
from aibench.stats.steady import Cliff, Plateau, steadiness
from aibench.training import fed

#: Under this ceiling over measured rate the client is the limit.
CLIENT_BOUND_BELOW = 1.25
_PERCENTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999))
#: What one operation of a phase is called.
_NOUNS = {
    Operation.READ_FILES: "files",
    Operation.WRITE_FILES: "files",
    Operation.READ_BLOCKS: "iops",
    Operation.WRITE_BLOCKS: "iops",
    Operation.SAVE_SHARDS: "shards",
    Operation.LOAD_SHARDS: "shards",
    Operation.INGEST: "files",
    Operation.COMPARE: "files",
    Operation.SERVE_BLOCKS: "blocks",
    Operation.PREPROCESS: "samples",
    Operation.SOAK: "files",
    Operation.SEARCH_INDEX: "queries",
}


def metrics(phase: Phase, sample: Sample) -> tuple[Metric, ...]:
    """All figures of ``sample``, the main ones first.

    Throughput is all bytes over the time from the first start to the last end, including fsync
    and close. Percentiles need enough operations (`stats.histogram.enough_for`). Where the rate
    fell from one level to another (`stats.steady`), burst and sustained rate are figures as well.
    """
    measured = sample.measurement
    return (
        *fed(phase, measured),
        *compared(measured),
        *collected(phase, measured),
        *_rates(phase, measured.operations, measured.bytes, measured.elapsed_ns),
        *_plateaus(phase, measured),
        *offloaded(phase, measured),
        *resharded(phase, measured),
        *transformed(phase, measured),
        *_timers(phase, measured),
        *_stonewall(phase, measured),
        *_latencies(measured),
    )


def of_one_state(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """The samples that may make one figure: those whose bytes came from one place.

    What storage delivered and what a cache did are different things, however often each was
    measured. Where evidence differs the cold samples are taken; without any, those that are in the
    state of the first one. Who drops the others says so.
    """
    states = [sample.evidence.state if sample.evidence else None for sample in samples]
    wanted = CacheState.COLD if CacheState.COLD in states else next(iter(states), None)
    return tuple(s for s, state in zip(samples, states, strict=True) if state is wanted)


def decisive(phase: Phase, sample: Sample, name: str, unit: str) -> Metric | None:
    """The figure ``name`` as a claim means it: the sustained one where a burst came before it.

    None where ``sample`` has no such figure in ``unit``.
    """
    found = {metric.name: metric for metric in metrics(phase, sample) if metric.unit == unit}
    return found.get(f"sustained_{name}", found.get(name))


def _rates(phase: Phase, operations: int, moved: int, elapsed_ns: int) -> list[Metric]:
    found = []
    why_missing = "" if elapsed_ns else "it took no time"
    moves_bytes = phase.operation in READS | WRITES
    if moves_bytes:
        direction = "read" if phase.operation in READS else "write"
        found.append(
            Metric(
                name=f"{direction}_bandwidth",
                title=f"{direction} bandwidth",
                value=per_second(moved, elapsed_ns),
                unit="B/s",
                better="higher",
                main=True,
                why_missing=why_missing,
            )
        )
    if phase.accelerators:
        return found
    noun = _NOUNS.get(phase.operation, "operations")
    if phase.operation is Operation.READ_FILES and phase.population.samples_per_file > 1:
        noun = "samples"
    found.append(
        Metric(
            name="iops" if noun == "iops" else f"{noun}_per_second",
            title="IOPS" if noun == "iops" else f"{noun} per second",
            value=per_second(operations, elapsed_ns),
            unit="op/s",
            better="higher",
            main=not moves_bytes or noun in ("files", "samples", "iops", "queries"),
            why_missing=why_missing,
        )
    )
    return found


def _plateaus(phase: Phase, measured: Measurement) -> list[Metric]:
    """Where a burst ended: the rates before and after, and how much and how long it was."""
    found = steadiness(phase, measured)
    if found is None or found.cliff is None:
        return []
    cliff = found.cliff
    return [
        *_plateau(phase, "sustained", cliff.sustained),
        *_plateau(phase, "burst", cliff.burst),
        *_position(phase, cliff),
    ]


def _plateau(phase: Phase, which: str, part: Plateau) -> list[Metric]:
    """The rates of one plateau; of a burst the first is enough for a reader in a hurry.

    Shards are no figure here: the series of a save counts write calls.
    """
    rates = _rates(phase, part.operations, part.bytes, part.end_ns - part.begin_ns)
    return [
        replace(
            rate,
            name=f"{which}_{rate.name}",
            title=f"{which} {rate.title}",
            main=rate.main and (which == "sustained" or number == 0),
        )
        for number, rate in enumerate(rates)
        if not rate.name.startswith("shards")
    ]


def _position(phase: Phase, cliff: Cliff) -> list[Metric]:
    time = Metric(name="burst_time", title="burst lasted", value=cliff.at_ns, unit="ns",
                  better="higher", main=True)  # fmt: skip
    if phase.operation not in READS | WRITES:
        return [time]
    size = Metric(name="burst_bytes", title="burst size", value=cliff.bytes, unit="B",
                  better="higher", main=True)  # fmt: skip
    return [size, time]


def _stonewall(phase: Phase, measured: Measurement) -> list[Metric]:
    """What many ranks did until the first of them was done: never instead of the throughput."""
    found = stonewall(measured)
    if found is None:
        return []
    return [
        replace(
            each,
            name=f"stonewall_{each.name}",
            title=f"{each.title} until the first rank was done",
            main=False,
            why_missing="" if found.elapsed_ns else "the first rank was done too soon",
        )
        for each in _rates(phase, found.operations, found.bytes, found.elapsed_ns)
        if not each.name.startswith("shards")
    ]


def _timers(phase: Phase, measured: Measurement) -> list[Metric]:
    found = [
        Metric(name=f"{name}_time", title=f"{name.replace('_', ' ')} time", value=value, unit="ns",
               better="lower", main=True)
        for name, value in measured.timers.items()
    ]  # fmt: skip
    ranked = phase.operation in (Operation.SAVE_SHARDS, Operation.LOAD_SHARDS)
    if ranked or rank_count(measured) > 1:
        found.append(
            Metric(name="makespan", title="makespan, all ranks", value=measured.elapsed_ns,
                   unit="ns", better="lower", main=ranked)
        )  # fmt: skip
    found.append(
        Metric(name="first_done", title="first worker done after", value=measured.first_done_ns,
               unit="ns", better="lower")
    )  # fmt: skip
    return found


def _latencies(measured: Measurement) -> list[Metric]:
    found = []
    for kind, histogram in measured.histograms.items():
        label = "latency" if kind == "whole" else f"{kind} latency"
        stem = "latency" if kind == "whole" else f"{kind}_latency"
        why_missing = "" if histogram.count else "nothing was counted"
        found.append(
            Metric(name=f"{stem}_mean", title=f"{label}, mean", value=mean(histogram),
                   unit="ns", better="lower", why_missing=why_missing)
        )  # fmt: skip
        for name, share in _PERCENTILES:
            enough = enough_for(share, histogram.count)
            found.append(
                Metric(
                    name=f"{stem}_{name}",
                    title=f"{label}, {name}",
                    value=percentile(histogram, share) if enough else None,
                    unit="ns",
                    better="lower",
                    main=kind == "whole" and name in ("p50", "p99"),
                    why_missing="" if enough else f"only {histogram.count} operations",
                )
            )
        found.append(
            Metric(name=f"{stem}_max", title=f"{label}, max", value=histogram.max_ns, unit="ns",
                   better="lower", why_missing=why_missing)
        )  # fmt: skip
    return found


def headroom(samples: Sequence[Sample], unit: str) -> float | None:
    """The smallest ceiling over measured rate; None where a sample has no ceiling.

    Bytes are compared for ``B/s``, operations for every other unit.
    """
    smallest: float | None = None
    for sample in samples:
        limit = rate(sample.ceiling, unit) if sample.ceiling else None
        reached = rate(sample.measurement, unit)
        if not limit or not reached:
            return None
        smallest = limit / reached if smallest is None else min(smallest, limit / reached)
    return smallest


def rate(counted: Ceiling | Measurement, unit: str) -> float | None:
    """Bytes per ns for ``B/s``, operations per ns for every other unit; None of no time."""
    count = counted.bytes if unit == "B/s" else counted.operations
    return count / counted.elapsed_ns if counted.elapsed_ns else None
