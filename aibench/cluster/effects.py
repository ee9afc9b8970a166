"""What a faster part makes of the whole: caches, stages, starts, hours. Times are in seconds."""

import math

from aibench.cluster.checks import above_zero, not_negative, shares
from aibench.errors import Refused


def checkpoint_bytes(parameters: float, bytes_per_parameter: float) -> float:
    """The bytes of one checkpoint."""
    above_zero(parameters=parameters, bytes_per_parameter=bytes_per_parameter)
    return parameters * bytes_per_parameter


def demand(accelerators: float, batch: float, sample_bytes: float, compute: float) -> float:
    """Bytes per second that accelerators take at most, each ``batch`` samples in ``compute`` s."""
    above_zero(accelerators=accelerators, batch=batch, sample_bytes=sample_bytes, compute=compute)
    return accelerators * batch * sample_bytes / compute


def fed(delivered: float, demand: float) -> float:
    """The utilisation that ``delivered`` bytes per second allow at most: at most 1."""
    above_zero(demand=demand)
    not_negative(delivered=delivered)
    return min(1.0, delivered / demand)


def cache_speedup(cold: float, warm: float = 1.0, epochs: float = math.inf) -> float:
    """How much faster ``epochs`` epochs are, the first cold, than if all were cold.

    ``cold`` and ``warm`` are the accelerators' utilisation. Without a number of epochs it is
    warm/cold, and never more than 1/cold.
    """
    shares(cold=cold, warm=warm)
    if math.isinf(epochs):
        return warm / cold
    if not epochs >= 1:
        raise Refused(f"epochs has to be 1 or more, not {epochs}")
    return epochs / (1 + (epochs - 1) * cold / warm)


def amdahl(share: float, speedup: float) -> float:
    """How much faster the whole is when ``share`` of its time is ``speedup`` times as fast.

    Amdahl 1967. ``speedup`` may be infinite.
    """
    shares(share=share)
    if not speedup > 0:
        raise Refused(f"speedup has to be above 0, not {speedup}")
    rest = 1 - share + share / speedup
    return 1 / rest if rest else math.inf


def step_stall(batch: float, parallel: float, compute: float) -> float:
    """How long an accelerator waits in each step for its batch, which takes ``batch`` s to read.

    ``parallel`` batches are read ahead at once, while it computes for ``compute`` s.
    """
    above_zero(parallel=parallel)
    not_negative(batch=batch, compute=compute)
    return max(0.0, batch / parallel - compute)


def elapsed_utilisation(flop: float, accelerators: float, peak: float, elapsed: float) -> float:
    """The share of what accelerators of ``peak`` FLOP/s could compute that a run of ``flop`` did.

    Over all its time: goodput times the utilisation within a step.
    """
    above_zero(flop=flop, accelerators=accelerators, peak=peak, elapsed=elapsed)
    return flop / (accelerators * peak * elapsed)


def pooled(*duties: float) -> float:
    """The utilisation of accelerators that jobs share, each busy for its share: at most 1."""
    not_negative(**{f"duty {n}": duty for n, duty in enumerate(duties)})
    return min(1.0, sum(duties))


def start_saving(load: float, faster: float, restarts: float, wall: float) -> float:
    """The share of ``wall`` that loads ``faster`` times as fast save, over all starts of a job."""
    above_zero(faster=faster, wall=wall)
    not_negative(load=load, restarts=restarts)
    return load * (1 - 1 / faster) * (restarts + 1) / wall


def saved(useful: float, before: float, after: float) -> float:
    """The time that a job of ``useful`` seconds of work saves when its utilisation rises."""
    above_zero(useful=useful)
    shares(before=before, after=after)
    return useful * (1 / before - 1 / after)


def utilisation_for(saved: float, useful: float, before: float) -> float | None:
    """The utilisation that saves ``saved`` seconds of a job; None where none up to 1 does."""
    above_zero(useful=useful)
    not_negative(saved=saved)
    shares(before=before)
    left = 1 / before - saved / useful
    return 1 / left if left >= 1 else None
