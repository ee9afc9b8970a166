"""When a rate is called steady, drifting, undecided or too short, and what a burst was."""

from dataclasses import replace

import pytest

from aibench.model import CachePolicy, Operation, SyncPolicy
from aibench.stats.steady import State, Steadiness, hidden, steadiness
from tests.build import SECOND, measurement
from tests.flow import cliff, flow, noise, writing

MB = 10**6


def judged(rates: list[float], interval_ns: int = SECOND) -> Steadiness:
    """What is said of a direct write at these rates, in units of 100 MB/s."""
    found = steadiness(writing(), flow([100 * MB * rate for rate in rates], interval_ns))
    assert found is not None
    return found


def states(cv: float, memory: float, drift: float, count: int = 300) -> list[State]:
    """The states of 60 phases of ``count`` seconds."""
    return [judged(noise(seed, count, cv, memory, drift=drift)).state for seed in range(60)]


def test_flat_phases_are_steady() -> None:
    """Five minutes at 5 % from second to second and lag-1 memory of 0.5 are called steady."""
    assert states(0.05, 0.5, 0.0).count(State.STEADY) >= 57


def test_falling_phases_are_drifting() -> None:
    """The same with a fall of 20 % from end to end are never steady, and nearly all drifting."""
    found = states(0.05, 0.5, -0.2)
    assert found.count(State.STEADY) == 0
    assert found.count(State.DRIFTING) >= 54
    assert judged(noise(1, 300, 0.05, 0.5, drift=-0.2)).heading == -1
    assert judged(noise(1, 300, 0.05, 0.5, drift=0.3)).heading == 1


def test_wild_phases_need_a_longer_run() -> None:
    """At 20 % from second to second and a memory of 0.8 five minutes decide nothing."""
    found = states(0.2, 0.8, 0.0)
    assert found.count(State.UNDECIDED) + found.count(State.TOO_SHORT) >= 57


def test_a_flat_phase_is_hardly_ever_drifting() -> None:
    """Batches keep the memory of seconds from looking like a trend: at most 6 in 100."""
    for memory in (0.0, 0.5, 0.8):
        assert states(0.1, memory, 0.0).count(State.DRIFTING) <= 3


def test_snia_numbers_are_those_of_the_last_five_batches() -> None:
    """Of batches 1.0 ×5, then 1.0, 1.1, 1.0, 0.9, 1.0 the range is 20 % and the slope 8 %."""
    levels = [1.0] * 6 + [1.1, 1.0, 0.9, 1.0]
    rates = [1.0, *(level for level in levels for _ in range(10)), 1.0]
    found = judged(rates)
    assert found.snia_range == pytest.approx(0.2)
    assert found.snia_slope == pytest.approx(0.08)
    assert (found.begin_ns, found.end_ns) == (SECOND, 101 * SECOND)


@pytest.mark.parametrize(("cv", "passing"), [(0.02, 1.0), (0.05, 0.86), (0.08, 0.48)])
def test_snia_limits_pass_as_often_as_known(cv: float, passing: float) -> None:
    """Independent batches at 2, 5 and 8 % pass SNIA's 20 % and 10 % as often as simulated."""
    found = [judged([1.0, *noise(seed, 10, cv, 0.0), 1.0]) for seed in range(300)]
    passed = sum(f.snia_range <= 0.2 and f.snia_slope <= 0.1 for f in found)  # type: ignore[operator]
    assert passed / 300 == pytest.approx(passing, abs=0.08)


def test_drift_is_from_end_to_end() -> None:
    """A straight fall from 1.1 to 0.9 is a drift of -20 %, with an interval of no width."""
    found = judged([1.1 - 0.2 * (n + 0.5) / 100 for n in range(-1, 101)])
    assert found.drift == pytest.approx(-0.2, rel=1e-3)
    assert found.drift_low == pytest.approx(-0.2, rel=1e-3)
    assert found.drift_high == pytest.approx(-0.2, rel=1e-3)
    assert found.state is State.DRIFTING


def test_less_than_a_minute_is_too_short() -> None:
    """59 s at one rate are not called steady, 60 s are."""
    assert judged(noise(2, 59, 0.01, 0.0)).state is State.TOO_SHORT
    assert judged(noise(2, 60, 0.01, 0.0)).state is State.STEADY


def test_few_operations_are_too_few() -> None:
    """Where a tenth of the time holds less than three operations a worker nothing is said."""
    found = steadiness(writing(), flow([40_000.0, 60_000.0] * 50))
    assert found is not None
    assert found.state is State.TOO_SHORT
    assert "operations" in found.reason


def test_slow_swings_take_longer() -> None:
    """Where intervals remember each other for long, the reason says how much longer it takes."""
    found = judged(noise(3, 300, 0.05, 0.95))
    assert found.state is State.TOO_SHORT
    assert "times as long" in found.reason


def test_a_burst_is_told_from_what_lasts() -> None:
    """Rates, size and duration of a burst are those that were made; the rest is steady."""
    found = judged(cliff(4.0, 1.0, 20, 140))
    assert found.cliff is not None
    burst, sustained = found.cliff.burst, found.cliff.sustained
    assert found.cliff.at_ns == 20 * SECOND
    assert found.cliff.bytes == pytest.approx(8000 * MB, rel=0.02)
    assert burst.bytes / (burst.end_ns - burst.begin_ns) == pytest.approx(0.4, rel=0.02)
    assert sustained.bytes / (sustained.end_ns - sustained.begin_ns) == pytest.approx(0.1, rel=0.02)
    assert found.state is State.STEADY
    assert found.begin_ns >= 20 * SECOND
    assert not found.falling


def test_a_burst_is_seen_in_a_short_run_but_not_shown_to_be_over() -> None:
    """In 12 s of tenths of a second the cliff is found, and what follows is unproven."""
    found = judged(cliff(4.0, 1.0, 40, 120), SECOND // 10)
    assert found.cliff is not None
    assert found.cliff.at_ns == 4 * SECOND
    assert (found.state, found.unproven, found.falling) == (State.TOO_SHORT, True, True)


def test_a_rate_that_rises_has_no_cliff() -> None:
    """A slow start is warm-up, not a burst."""
    found = judged(cliff(0.3, 1.0, 40, 300))
    assert found.cliff is None
    assert found.warm_up_ns >= 38 * SECOND
    assert found.state is State.STEADY


def test_the_window_is_when_all_workers_are_at_work() -> None:
    """It begins when all have ended something, and ends when the first is done."""
    counts = measurement(
        start_spread_ns=2 * SECOND, first_done_ns=90 * SECOND, elapsed_ns=100 * SECOND,
        series=flow([100.0 * MB] * 100).series,
    )  # fmt: skip
    found = steadiness(writing(), counts)
    assert found is not None
    assert (found.begin_ns, found.end_ns) == (2 * SECOND, 90 * SECOND)


def test_stragglers_do_not_make_a_drift() -> None:
    """What comes after the first worker is done is no part of the rate of all."""
    counts = flow([100.0 * MB] * 100 + [10.0 * MB] * 50, first_done_ns=100 * SECOND)
    found = steadiness(writing(), counts)
    assert found is not None
    assert (found.state, found.cliff) == (State.STEADY, None)


def test_what_the_page_cache_takes_is_not_judged() -> None:
    """A synced write through the page cache has no rate of the storage second by second."""
    through = writing(cache=CachePolicy.AS_FOUND, sync=SyncPolicy.END)
    saving = replace(through, operation=Operation.SAVE_SHARDS)
    counts = flow(cliff(4.0 * MB, MB, 20, 140))
    for phase in (through, saving):
        assert hidden(phase)
        assert steadiness(phase, counts) is None
    for phase in (writing(), replace(through, operation=Operation.READ_BLOCKS)):
        assert not hidden(phase)
        assert steadiness(phase, counts) is not None
    assert not hidden(replace(through, operation=Operation.WRITE_FILES))


def test_metadata_is_judged_by_operations() -> None:
    """Where no bytes move, the operations are the rate."""
    counts = flow([100.0 * MB] * 100)
    assert counts.series is not None
    empty = replace(counts, series=replace(counts.series, bytes=(0,) * 100))
    found = steadiness(writing(operation=Operation.STAT), empty)
    assert found is not None
    assert found.state is State.STEADY


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_hardly_any_series_is_too_short(count: int) -> None:
    """No number of intervals breaks anything; neither does a phase in which nothing moved."""
    for rate in (0.0, 100.0 * MB):
        found = steadiness(writing(), flow([rate] * count))
        assert found is not None
        assert found.state is State.TOO_SHORT
    assert steadiness(writing(), measurement(series=None)) is None


def test_a_minute_of_nothing_is_too_short() -> None:
    """A rate of zero has no drift."""
    found = steadiness(writing(), flow([0.0] * 100, elapsed_ns=100 * SECOND))
    assert found is not None
    assert (found.state, found.drift) == (State.TOO_SHORT, None)
