"""The metrics of what surrounds training: data collected and preprocessed, a KV cache served."""

from aibench.model import Measurement, Metric, Operation, Phase

#: Where data comes from a source and that takes more of the time than this, it is the limit.
SOURCE_BOUND = 0.5
#: The stages of a transformation.
_STAGES = ("read", "compute", "write")


def per_second(count: int, elapsed_ns: int) -> float | None:
    """A rate; None where no time passed."""
    return count * 10**9 / elapsed_ns if elapsed_ns else None


def compared(measured: Measurement) -> list[Metric]:
    """How much of what was read back is not what was written."""
    if measured.wrong_bytes is None:
        return []
    return [Metric(name="wrong_bytes", title="wrong bytes", value=measured.wrong_bytes, unit="B",
                   better="lower", main=True)]  # fmt: skip


def source_share(measured: Measurement) -> float | None:
    """The share of their time that those who copied waited for the source; None without one."""
    source, whole = (measured.histograms.get(kind) for kind in ("source", "whole"))
    if source is None or whole is None or not whole.total_ns:
        return None
    return source.total_ns / whole.total_ns


def collected(phase: Phase, measured: Measurement) -> list[Metric]:
    """How fast the source was, while it was read by so many at once, and its part in the time."""
    if phase.operation is not Operation.INGEST or not phase.source:
        return []
    source = measured.histograms.get("source")
    rate = per_second(measured.bytes * phase.slots, source.total_ns) if source else None
    return [
        Metric(name="source_share", title="source share", value=source_share(measured),
               unit="share", better="lower", main=True),
        Metric(name="source_bandwidth", title="source bandwidth", value=rate, unit="B/s",
               better="higher"),
    ]  # fmt: skip


def resharded(phase: Phase, measured: Measurement) -> list[Metric]:
    """How much more ranks read of a checkpoint than they need, where others load than saved it."""
    if phase.resume is None or not phase.resume.needed_bytes:
        return []
    read = measured.bytes - measured.beside_bytes
    return [Metric(name="read_amplification", title="read over needed bytes", unit="1",
                   value=read / phase.resume.needed_bytes, better="lower", main=True)]  # fmt: skip


def offloaded(phase: Phase, measured: Measurement) -> list[Metric]:
    """What a KV cache was written meanwhile, and the share of blocks that were found in it."""
    if phase.serving is None:
        return []
    offloads = measured.histograms.get("offload")
    count = offloads.count if offloads else 0
    every = measured.operations + count
    rate = per_second(count * phase.sample_bytes, measured.elapsed_ns)
    return [
        Metric(name="offload_bandwidth", title="offload bandwidth", value=rate, unit="B/s",
               better="higher", main=True,
               why_missing="it took no time" if rate is None else ""),
        Metric(name="hit_share", title="hit share", unit="share", better="higher",
               value=measured.operations / every if every else None,
               why_missing="" if every else "nothing was asked for"),
    ]  # fmt: skip


def transformed(phase: Phase, measured: Measurement) -> list[Metric]:
    """Where the time of a transformation went, what it wrote, and how long 100 TB would take it."""
    if phase.transform is None:
        return []
    whole = sum(measured.histograms[s].total_ns for s in _STAGES if s in measured.histograms)
    written = measured.operations * phase.transform.sample_bytes
    rate, why_missing = per_second(measured.bytes, measured.elapsed_ns), "it took no time"
    return [
        *(
            Metric(name=f"{name}_share", title=f"{name} share", unit="share", better="lower",
                   value=measured.histograms[name].total_ns / whole if whole else None, main=True,
                   why_missing="" if whole else why_missing)
            for name in _STAGES if name in measured.histograms
        ),
        Metric(name="output_bandwidth", title="output bandwidth", unit="B/s", better="higher",
               value=per_second(written, measured.elapsed_ns),
               why_missing="" if rate is not None else why_missing),
        Metric(name="hundred_terabytes_time", title="time for 100 TB", unit="ns", better="lower",
               value=100e12 / rate * 1e9 if rate else None, main=True,
               why_missing="" if rate else why_missing),
    ]  # fmt: skip
