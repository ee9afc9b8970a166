"""Formulas that turn printed figures into what they imply. Base units in, base units out."""

import math

#: Bytes that a checkpoint holds for each parameter: weights in bfloat16, master weights and both
#: moments of Adam in float32.
CHECKPOINT_BYTES = 14
#: Sequential reads of one drive on four lanes of PCIe 5, bytes per second: a bound.
DRIVE_RATE = 14 * 10**9
#: Links of clients that show a rate need to carry so many times of it.
LINK_HEADROOM = 1.25


def block_size(bandwidth: float, iops: float) -> float:
    """Bytes of one operation where both figures hold at once; below it IOPS are the limit."""
    return bandwidth / iops


def removed_share(speedup: float) -> float:
    """The share of its time that a process loses when it becomes ``speedup`` times as fast."""
    return 1 - 1 / speedup


def amdahl(share: float, speedup: float) -> float:
    """How much faster the whole becomes when ``share`` of its time becomes ``speedup`` times so.

    1 / (1 - p + p/s), Amdahl 1967; an infinite ``speedup`` gives the most that is possible.
    """
    return 1 / (1 - share + share / speedup)


def compute_utilisation(flop: float, accelerators: float, peak: float, nanoseconds: float) -> float:
    """FLOP done over FLOP possible: ``peak`` is FLOP/s of one accelerator.

    The time is that on the clock, so it is utilisation within steps times goodput.
    """
    return flop / (accelerators * peak * nanoseconds / 10**9)


def no_failure(nanoseconds: float, nodes: float, failures_per_node_day: float) -> float:
    """The probability that ``nodes`` run so long without a failure, with Poisson failures."""
    return math.exp(-nodes * failures_per_node_day * nanoseconds / (86400 * 10**9))
