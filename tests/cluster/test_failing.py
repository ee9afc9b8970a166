"""How much of its time a failing job computes: printed examples, simulation, properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import lambertw

from aibench.cluster import (
    Job,
    Storage,
    async_goodput,
    available_interval,
    best_interval,
    daly,
    ettr,
    first_order,
    goodput,
    least_loss,
    losses,
    mtbf,
    outcome,
    unbroken,
    young,
)
from aibench.errors import Refused

HOUR = 3600.0
LONG = st.floats(1e2, 1e7)
SHARE = st.floats(1e-6, 1.5)


@pytest.mark.parametrize(
    ("arguments", "exact", "simple", "closed"),
    [
        ((1800, 30, 3.09 * HOUR, 600), 0.8574, 0.8485, 0.851),
        ((3600, 140, 2.95 * HOUR, 1800), 0.6778, 0.622, 0.636),
    ],
)
def test_published_examples(
    arguments: tuple[float, ...], exact: float, simple: float, closed: float
) -> None:
    """Exact goodput, first order and closed form are those of worked examples, to each digit."""
    assert goodput(*arguments) == pytest.approx(exact, abs=5e-5)
    assert first_order(*arguments) == pytest.approx(simple, abs=0.5 * 10.0 ** -decimals(simple))
    assert ettr(*arguments) == pytest.approx(closed, abs=5e-4)


def decimals(number: float) -> int:
    """How many decimals ``number`` is printed with."""
    return len(repr(number).partition(".")[2])


def test_examples_with_unrounded_time_between_failures() -> None:
    """With the time between failures unrounded the same examples differ by less than 0.0005."""
    assert goodput(1800, 30, 11135.083, 600) == pytest.approx(0.8574, abs=5e-4)
    assert goodput(3600, 140, 10633.85, 1800) == pytest.approx(0.6778, abs=5e-4)


def test_intervals_and_times_between_failures() -> None:
    """Young's, Daly's and the exact interval, and the reciprocal of nodes times rate."""
    assert daly(140, 10633.85) / 60 == pytest.approx(27.224, abs=5e-4)
    assert best_interval(140, 10633.85) / 60 == pytest.approx(27.225, abs=5e-4)
    assert young(140, 10633.85) / 60 == pytest.approx(28.759, abs=5e-4)
    assert daly(200, 100) == 100
    for nodes, hours in ((1250, 2.9538), (125, 29.54), (2048, 1.803)):
        assert mtbf(nodes, 6.5e-3) / HOUR == pytest.approx(hours, abs=10.0 ** -decimals(hours) / 2)
    assert available_interval(0, 100) == 0
    assert available_interval(10, 45) == pytest.approx(10 + math.sqrt(1000))


@pytest.mark.parametrize(
    ("terabytes", "stall", "exact", "by_young", "good", "closed"),
    [
        (0.05, 113.6, 25.3, 26.5, 0.810, 0.807),
        (0.1, 56.8, 18.1, 18.7, 0.851, 0.848),
        (0.5, 11.4, 8.3, 8.4, 0.905, 0.902),
        (2, 2.8, 4.2, 4.2, 0.926, 0.924),
        (7, 0.8, 2.2, 2.2, 0.936, 0.934),
    ],
)
def test_a_model_of_405_billion_parameters(
    terabytes: float, stall: float, exact: float, by_young: float, good: float, closed: float
) -> None:
    """16,384 accelerators that fail every 3.09 h: bandwidth beyond 0.5 TB/s buys 3.5 %."""
    job = Job(mtbf=54 * 24 / 419 * HOUR, checkpoint_bytes=5.68e12, fixed_restart=600)
    found = outcome(job, Storage(write=terabytes * 1e12, read=terabytes * 1e12))
    assert found.stall == pytest.approx(stall, abs=0.05)
    assert found.interval / 60 == pytest.approx(exact, abs=0.051)
    assert found.young / 60 == pytest.approx(by_young, abs=0.051)
    assert found.goodput == pytest.approx(good, abs=6e-4)
    assert found.ettr == pytest.approx(closed, abs=6e-4)
    assert found.restart == pytest.approx(600 + stall, abs=0.05)


def test_restarts_by_people() -> None:
    """Automatic restarts instead of manual ones gain 10 to 42 %, with the same storage."""
    between, stall = 13.7 * HOUR, 60
    automatic = goodput(best_interval(stall, between), stall, between, 300)
    assert automatic == pytest.approx(0.946, abs=5e-4)
    for hours, good, gain in ((0.5, 0.857, 0.10), (2, 0.768, 0.23), (4, 0.664, 0.42)):
        manual = goodput(3 * HOUR, stall, between, hours * HOUR)
        assert manual == pytest.approx(good, abs=5e-4)
        assert automatic / manual - 1 == pytest.approx(gain, abs=6e-3)


@pytest.mark.parametrize(
    ("interval", "stall", "between", "restart", "durable"),
    [
        (1800, 30, 11135.083, 600, 0),
        (3600, 140, 10633.85, 1800, 0),
        (500, 250, 1000, 900, 0),
        (60, 5, 90000, 20, 0),
        (900, 4, 7200, 600, 850),
        (20000, 60, 10000, 3000, 0),
    ],
)
def test_goodput_agrees_with_a_simulation(
    interval: float, stall: float, between: float, restart: float, durable: float
) -> None:
    """Jobs that fail at random a million times compute for the predicted share, within 0.005.

    That holds as well where checkpoints become durable some time after they were taken.
    """
    gaps = np.random.default_rng(7).exponential(between, 1_000_000)
    kept = np.floor(np.maximum(gaps - restart - durable, 0) / (interval + stall))
    simulated = kept.sum() * interval / gaps.sum()
    assert goodput(interval, stall, between, restart + durable) == pytest.approx(
        simulated, abs=0.005
    )


def test_asynchronous_checkpoints() -> None:
    """They stall less and are older when they are needed, and no closer than they get durable."""
    job = Job(mtbf=10 * HOUR, checkpoint_bytes=1e12, fixed_restart=60)
    sync = outcome(job, Storage(write=2e9, read=2e9))
    behind = outcome(job, Storage(write=2e9, read=2e9, snapshot=2))
    assert sync.stall == sync.durable == behind.durable == 500
    assert behind.stall == 2
    assert behind.interval == 500
    assert behind.goodput > sync.goodput
    assert behind.first_order == pytest.approx(
        async_goodput(behind.interval, 2, 500, job.mtbf, behind.restart)
    )
    assert behind.goodput == pytest.approx(behind.first_order, abs=0.005)


@given(mtbf=LONG, stall=SHARE, restart=SHARE)
def test_the_best_interval_is_the_best(mtbf: float, stall: float, restart: float) -> None:
    """No other interval has more goodput, and it is the one of the closed solution."""
    stall, restart = stall * mtbf, restart * mtbf
    best = best_interval(stall, mtbf)
    good = goodput(best, stall, mtbf, restart)
    assert 0 < good < 1
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2):
        assert goodput(factor * best, stall, mtbf, restart) < good
    closed = mtbf * (1 + lambertw(-math.exp(-1 - stall / mtbf)).real)
    assert best == pytest.approx(closed, rel=1e-4)


@given(mtbf=LONG, stall=SHARE, restart=SHARE, interval=st.floats(1e-3, 5))
def test_useful_time_and_losses_make_one(
    mtbf: float, stall: float, restart: float, interval: float
) -> None:
    """Work, checkpoints, work done again and restarts are all the time there is, none negative."""
    arguments = (interval * mtbf, stall * mtbf, mtbf, restart * mtbf)
    parts = losses(*arguments)
    assert min(parts) >= 0
    assert goodput(*arguments) + sum(parts) == pytest.approx(1, abs=1e-9)


def test_losses_by_hand() -> None:
    """For rare failures the losses are those of first order: stall, half an interval, restart."""
    saving, rework, restarting = losses(1000, 1, 1e7, 100)
    assert saving == pytest.approx(1e-3, rel=1e-2)
    assert rework == pytest.approx(500 / 1e7, rel=1e-2)
    assert restarting == pytest.approx(100 / 1e7, rel=1e-2)
    assert least_loss(20, 1e5, 100) == pytest.approx(0.02 + 0.001)


def test_ends() -> None:
    """Free checkpoints leave restarts; hopeless restarts and endless intervals leave nothing."""
    assert best_interval(0, 100) == 0
    assert goodput(0, 0, 100, 50) == pytest.approx(math.exp(-0.5))
    assert goodput(0, 1, 100, 50) == 0
    assert goodput(10, 1, 100, 501) == 0
    assert goodput(1e9, 1, 100, 1) == 0
    assert best_interval(1e5, 1) == pytest.approx(1, rel=1e-3)
    assert unbroken(30 * 24 * HOUR, mtbf(125, 6.5e-3)) == pytest.approx(2.6e-11, rel=0.02)


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf, -math.inf])
def test_impossible_times_are_refused(wrong: float) -> None:
    """A negative, infinite or undefined time is refused by its name, as is no time at all."""
    with pytest.raises(Refused, match="mtbf has to be a finite number above 0"):
        goodput(1, 1, wrong, 1)
    with pytest.raises(Refused, match="restart"):
        goodput(1, 1, 1, wrong)
    with pytest.raises(Refused, match="stall"):
        young(wrong, 1)
    with pytest.raises(Refused, match="nodes"):
        mtbf(wrong, 1)
    with pytest.raises(Refused, match="mtbf"):
        goodput(1, 1, 0, 1)
