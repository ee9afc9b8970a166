"""Steps of emulated accelerators: how long each computes, and how they are written down."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from aibench.formats.mixing import key
from aibench.model import Accelerators, Histogram
from aibench.workers.log import CAPACITY, Intervals, Log

_NORMAL = NormalDist()
#: What tells the seed of compute times from the other seeds of a run.
_COMPUTE = 0x636F6D70


def compute_time(asked: Accelerators, seed: int) -> Callable[[int, int], int]:
    """(accelerator, step) -> how long it computes, in ns: always equal, or drawn for each."""
    if not asked.sigma:
        return lambda _accelerator, _step: asked.compute_ns
    median = asked.compute_ns * math.exp(-(asked.sigma**2) / 2)
    start = key(seed, _COMPUTE)

    def drawn(accelerator: int, step: int) -> int:
        place = ((key(start, accelerator, step) >> 12) + 0.5) / 2**52
        return int(median * math.exp(asked.sigma * _NORMAL.inv_cdf(place)))

    return drawn


@dataclass(slots=True)
class Steps:
    """What one loader wrote down of the steps that it computed."""

    histograms: dict[str, Histogram]
    intervals: Intervals


class StepLog:
    """Steps by their parts, binned now and then; the first step of each accelerator is left out."""

    def __init__(self) -> None:
        self._log = Log("wait", "compute", "barrier")
        self._sizes = np.zeros(CAPACITY, dtype=np.int64)
        self._count = 0
        self.start_ns = 0

    def add(self, freed: int, began: int, ended: int, all_ended: int, size: int) -> None:
        """Count a step: its three parts lie between four times."""
        k = self._count
        for stamps, time in zip(self._log.stamps, (freed, began, ended, all_ended), strict=True):
            stamps[k] = time
        self._sizes[k] = size
        self._count = k + 1
        if self._count == CAPACITY:
            self._flush()

    def _flush(self) -> None:
        self._log.flush(self._sizes[: self._count], self.start_ns)
        self._count = 0

    def freeze(self) -> Steps:
        """Everything that was counted."""
        self._flush()
        found = {**self._log.histograms()}
        if "whole" in found:
            found["step"] = found.pop("whole")
        return Steps(found, self._log.intervals)
