"""Whether a phase ran at one rate: warm-up, burst and sustained plateau, and drift.

Derived from the series of a measurement whenever it is asked for, and stored nowhere, so that old
records are judged by the same rules. The rules and their limits are those of SNIA's Performance
Test Specification (range and slope of five rounds) and of batch means; a run that is only watched
second by second finds trends where there are none.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np

from aibench.model import READS, WRITES, CachePolicy, Measurement, Operation, Phase, Series
from aibench.stats.batches import Values, autocorrelation_time, equal_means, warm_up
from aibench.stats.plateaus import level_shift

SECOND = 10**9
#: A rate that was seen for less time than this is not called steady.
FLOOR_NS = 60 * SECOND
#: The drift from end to end that still counts as steady.
LIMIT = 0.1
BATCHES = 10
#: SNIA looks at so many rounds.
_ROUNDS = 5
#: A batch is at least so many autocorrelation times long, and holds so many operations a worker.
_TIMES = 10
_OPERATIONS = 3
_CONFIDENCE = 0.9


class State(StrEnum):
    """What the drift over ten batches says of a rate."""

    STEADY = "steady"
    DRIFTING = "drifting"
    UNDECIDED = "undecided"
    TOO_SHORT = "too_short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plateau:
    """What was done while the rate stayed on one level; times in ns from the start."""

    begin_ns: int
    end_ns: int
    operations: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cliff:
    """The place where a burst ended, ``at_ns`` from the start and after ``bytes``, all counted.

    The plateaus leave out the intervals in which the change came. ``p_value`` is the chance that
    noise alone looks like this.
    """

    at_ns: int
    bytes: int
    operations: int
    burst: Plateau
    sustained: Plateau
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """Whether the rate between ``begin_ns`` and ``end_ns`` was steady, and why it is said.

    ``drift`` is the fitted change from end to end over the mean, with its 90 % interval;
    ``snia_range`` and ``snia_slope`` are those of the last five batches over their mean. None where
    there are too few intervals. ``warm_up_ns`` was left out before, and before it the burst, if
    there was a cliff.
    """

    state: State
    reason: str
    begin_ns: int
    end_ns: int
    warm_up_ns: int = 0
    drift: float | None = None
    drift_low: float | None = None
    drift_high: float | None = None
    snia_range: float | None = None
    snia_slope: float | None = None
    cliff: Cliff | None = None

    @property
    def heading(self) -> int:
        """-1 where the rate was falling, or seems to have been, 1 where it was rising, else 0."""
        if self.state not in (State.DRIFTING, State.UNDECIDED) or self.drift is None:
            return 0
        return (self.drift > LIMIT) - (self.drift < -LIMIT)

    @property
    def unproven(self) -> bool:
        """Whether the rate after a burst was seen for too short a time to be called sustained."""
        return self.cliff is not None and self.state is State.TOO_SHORT

    @property
    def falling(self) -> bool:
        """Whether the rate may go on to fall, so that it shows no claim to be met."""
        return self.unproven or self.heading < 0


def hidden(phase: Phase) -> bool:
    """Whether the page cache hides when the storage took the bytes of ``phase``.

    So it is for writes that go through it and are synced at the end: their series tells when the
    client's memory took them. A file that is written and synced as one operation is not hidden.
    """
    if phase.operation not in WRITES or phase.cache is CachePolicy.DIRECT:
        return False
    return phase.operation is not Operation.WRITE_FILES


def steadiness(phase: Phase, measured: Measurement) -> Steadiness | None:
    """How steady the rate of ``phase`` was: bytes where it moves bytes, else operations.

    None without a series, and where the page cache hides the rate of the storage (`hidden`).
    """
    if measured.series is None or hidden(phase):
        return None
    workers = sum(worker.operations > 0 for worker in measured.workers)
    times = (measured.elapsed_ns, measured.first_done_ns, measured.start_spread_ns)
    return _judged(measured.series, phase.operation in READS | WRITES, max(workers, 1), *times)


@lru_cache(maxsize=256)
def _judged(
    series: Series,
    moves_bytes: bool,
    workers: int,
    elapsed_ns: int,
    first_done_ns: int,
    start_spread_ns: int,
) -> Steadiness:
    counts = series.bytes if moves_bytes else series.operations
    width = series.interval_ns
    begin, end = _window(series, workers, first_done_ns, start_spread_ns)
    values = np.array(counts[begin:end], dtype=np.float64)
    cliff = _cliff(series, begin, values)
    watched_ns = elapsed_ns - (cliff.at_ns if cliff else 0)
    if cliff is not None:
        values = values[cliff.sustained.begin_ns // width - begin :]
    warming = warm_up(values)
    values = values[warming:]
    begin = end - len(values)
    length = len(values) // BATCHES
    figures = _figures(values) if length and values.any() else {}
    each = sum(series.operations[begin:end]) // BATCHES
    reason = _too_short(values, length, watched_ns, each, workers)
    state = State.TOO_SHORT if reason else _state(figures["drift_low"], figures["drift_high"])
    return Steadiness(
        state=state,
        reason=reason,
        begin_ns=begin * width,
        end_ns=end * width,
        warm_up_ns=warming * width,
        cliff=cliff,
        **figures,
    )


def _window(
    series: Series, workers: int, first_done_ns: int, start_spread_ns: int
) -> tuple[int, int]:
    """(first, end) of the whole intervals in which all workers were at work.

    As near as a record tells: from when as many operations had ended as there are workers, to
    when the first worker had done all. The last interval of a series may be cut short.
    """
    ended = np.cumsum(series.operations)
    begun = int(np.searchsorted(ended, workers)) + 1
    begin = max(begun, math.ceil(start_spread_ns / series.interval_ns))
    end = min(first_done_ns // series.interval_ns, len(series.operations) - 1)
    return min(begin, max(end, 0)), max(end, 0)


def _cliff(series: Series, begin: int, values: Values) -> Cliff | None:
    """Where the rate fell for good; a rate that rose warmed up."""
    shift = level_shift(values)
    if shift is None or shift.after >= shift.before:
        return None
    at, end = begin + shift.at, begin + len(values)
    return Cliff(
        at_ns=at * series.interval_ns,
        bytes=sum(series.bytes[:at]),
        operations=sum(series.operations[:at]),
        burst=_plateau(series, begin, max(at - 1, begin + 1)),
        sustained=_plateau(series, min(at + 1, end - 1), end),
        p_value=shift.p_value,
    )


def _plateau(series: Series, begin: int, end: int) -> Plateau:
    return Plateau(
        begin_ns=begin * series.interval_ns,
        end_ns=end * series.interval_ns,
        operations=sum(series.operations[begin:end]),
        bytes=sum(series.bytes[begin:end]),
    )


def _too_short(values: Values, length: int, watched_ns: int, each: int, workers: int) -> str:
    """Why nothing can be said of the drift; empty where something can."""
    if watched_ns < FLOOR_NS:
        return f"seen for {watched_ns / SECOND:.3g} s, and it takes {FLOOR_NS // SECOND} s"
    if not length or not values.any():
        return f"only {len(values)} intervals"
    if each < _OPERATIONS * workers:
        return f"only {each} operations in a tenth of the time, by {workers} workers"
    needed = _TIMES * autocorrelation_time(values)
    if length < needed:
        times = needed / length
        return f"it varies so slowly that it would take {times:.2g} times as long to tell"
    return ""


def _figures(values: Values) -> dict[str, float]:
    """Drift from end to end with its interval, and SNIA's range and slope."""
    means = equal_means(values, BATCHES)
    mean = float(means.mean())
    slope, error = _line(means)
    drift, half = slope * BATCHES / mean, _quantile() * error * BATCHES / mean
    last = means[-_ROUNDS:]
    average = float(last.mean()) or 1.0
    return {
        "drift": drift,
        "drift_low": drift - half,
        "drift_high": drift + half,
        "snia_range": float(last.max() - last.min()) / average,
        "snia_slope": abs(_line(last)[0]) * (_ROUNDS - 1) / average,
    }


def _line(means: Values) -> tuple[float, float]:
    """Slope of the fitted line for each step, and its standard error."""
    place = np.arange(len(means)) - (len(means) - 1) / 2
    power = float(place @ place)
    slope = float(place @ means) / power
    rest = means - means.mean() - slope * place
    return slope, math.sqrt(float(rest @ rest) / (len(means) - 2) / power)


def _quantile() -> float:
    from scipy.special import stdtrit  # half of the start-up time of every command

    return float(stdtrit(BATCHES - 2, (1 + _CONFIDENCE) / 2))


def _state(low: float, high: float) -> State:
    if low >= -LIMIT and high <= LIMIT:
        return State.STEADY
    return State.DRIFTING if low > LIMIT or high < -LIMIT else State.UNDECIDED
