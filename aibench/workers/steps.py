"""Steps of emulated accelerators: how long each computes, and how they are written down."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from aibench.formats.mixing import key
from aibench.model import Accelerators, Histogram
from aibench.workers.log import CAPACITY, Intervals, Log

Floats = NDArray[np.float64]

_NORMAL = NormalDist()
#: What tells the seed of compute times from the other seeds of a run.
_COMPUTE = 0x636F6D70
#: Equally likely times of a distribution: the middle of each 4096th part of it.
_CLASSES = 4096


def compute_times(asked: Accelerators) -> list[int]:
    """Equally likely times in ns that computing with a batch takes; their mean is ``compute_ns``.

    Of a list they are the list itself, of a distribution the quantiles at (i + 1/2) / 4096.
    """
    if asked.distribution == "listed":
        return list(asked.listed)
    if not asked.varies:
        return [asked.compute_ns]
    shape = _SHAPES[asked.distribution](asked.sigma)
    times: list[int] = np.rint(asked.compute_ns * shape / shape.mean()).astype(np.int64).tolist()
    return times


def _places(low: float = 0.0, high: float = 1.0) -> Floats:
    """The middles of equal parts between two probabilities."""
    middles: Floats = np.linspace(low, high, _CLASSES, endpoint=False)
    return middles + (high - low) / (2 * _CLASSES)


def _lognormal(sigma: float) -> Floats:
    return np.exp(sigma * np.array([_NORMAL.inv_cdf(place) for place in _places().tolist()]))


def _normal(sigma: float) -> Floats:
    places = _places(_NORMAL.cdf(-1 / sigma), _NORMAL.cdf(1 / sigma)).tolist()
    return 1 + sigma * np.array([_NORMAL.inv_cdf(place) for place in places])


def _gamma(sigma: float) -> Floats:
    from scipy.special import gammaincinv

    found: Floats = gammaincinv(sigma**-2, _places())
    return found


_SHAPES = {"lognormal": _lognormal, "normal": _normal, "gamma": _gamma}


def compute_time(asked: Accelerators, seed: int) -> Callable[[int, int], int]:
    """(accelerator, step) -> how long it computes, in ns: always equal, or drawn for each."""
    times = compute_times(asked)
    if len(set(times)) == 1:
        always = times[0]
        return lambda _accelerator, _step: always
    start, count = key(seed, _COMPUTE), len(times)
    return lambda accelerator, step: times[key(start, accelerator, step) * count >> 64]


@dataclass(slots=True)
class Steps:
    """What one process wrote down of the steps that it computed.

    ``sums`` holds (steps, time of all, time of computing) of those while a checkpoint was being
    written, and of the others.
    """

    histograms: dict[str, Histogram]
    intervals: Intervals
    sums: tuple[tuple[int, ...], ...]


#: From when until when each checkpoint was written, as far as is known.
Windows = Callable[[], list[tuple[int, int]]]


class StepLog:
    """Steps by their parts, binned now and then; the first step of each accelerator is left out.

    With ``windows`` the steps that overlap one are told apart from the others.
    """

    def __init__(self, windows: Windows | None = None) -> None:
        self._log = Log("wait", "compute", "barrier")
        self._sizes = np.zeros(CAPACITY, dtype=np.int64)
        self._count = 0
        self._windows = windows
        self._sums = np.zeros((2, 3), dtype=np.int64)
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

    def note(self, kind: str, nanoseconds: int) -> None:
        """Count something rare."""
        self._log.note(kind, [nanoseconds])

    def _flush(self) -> None:
        self._log.flush(self._sizes[: self._count], self.start_ns)
        if self._windows is not None and self._count:
            self._tell_apart(self._windows())
        self._count = 0

    def _tell_apart(self, windows: list[tuple[int, int]]) -> None:
        """Sum the steps within windows and the others, and bin how long they waited."""
        freed, began, ended, all_ended = (
            np.frombuffer(stamps, dtype=np.int64)[: self._count] for stamps in self._log.stamps
        )
        within = np.zeros(self._count, dtype=bool)
        if windows:
            begins, ends = (np.array(times, dtype=np.int64) for times in zip(*windows, strict=True))
            latest = np.searchsorted(begins, all_ended, side="left") - 1
            within = (latest >= 0) & (ends[latest] > freed)
        for row, (name, part) in enumerate((("saving", within), ("not_saving", ~within))):
            if part.any():
                self._log.note(f"wait_{name}", (began - freed)[part])
                whole, computed = (all_ended - freed)[part], (ended - began)[part]
                self._sums[row] += (len(whole), whole.sum(), computed.sum())

    def freeze(self) -> Steps:
        """Everything that was counted."""
        self._flush()
        found = {**self._log.histograms()}
        if "whole" in found:
            found["step"] = found.pop("whole")
        return Steps(found, self._log.intervals, tuple(map(tuple, self._sums.tolist())))
