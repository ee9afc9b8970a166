"""How much of its time a job computes that fails now and then and starts again from checkpoints.

Times are in seconds. ``mtbf`` is the mean time between failures of the whole job, ``stall`` the
time that a checkpoint holds it up, ``restart`` the time from a failure until it computes again,
``interval`` the useful work between two checkpoints. Failures are independent of each other and of
the time (Poisson), and each stops the whole job.
"""

import math

from aibench.cluster.checks import above_zero, not_negative

#: Restarts of so many times the time between failures succeed once in 148 times.
HOPELESS = 5.0
#: Above this share of the time between failures, interval, stall and restart together make the
#: first-order formulas wrong by several points.
FIRST_ORDER_UP_TO = 0.2
_DAY = 86_400.0
#: Newton's method stops at a step of this share of the interval; five steps are usual.
_CLOSE, _STEPS = 1e-12, 50
#: The exponential of more than this is beyond what a float holds.
_LARGEST_POWER = 700.0


def mtbf(nodes: float, failures_per_node_day: float) -> float:
    """The mean time between failures of a job on ``nodes`` nodes, each failing independently.

    Kokolis et al. 2025 (arXiv:2410.21680): the reciprocal of nodes times rate.
    """
    above_zero(nodes=nodes, failures_per_node_day=failures_per_node_day)
    return _DAY / (nodes * failures_per_node_day)


def young(stall: float, mtbf: float) -> float:
    """The interval between checkpoints by Young 1974 (CACM 17(9):530): √(2·stall·MTBF)."""
    _check(stall, mtbf)
    return math.sqrt(2 * stall * mtbf)


def daly(stall: float, mtbf: float) -> float:
    """The interval by the higher-order estimate of Daly 2006 (FGCS 22(3):303), useful work only."""
    _check(stall, mtbf)
    if stall >= 2 * mtbf:
        return mtbf
    half = stall / (2 * mtbf)
    return math.sqrt(2 * stall * mtbf) * (1 + math.sqrt(half) / 3 + half / 9) - stall


def available_interval(stall: float, failure_and_repair: float) -> float:
    """The interval of best availability by arXiv:2410.18124, stall included.

    ``failure_and_repair`` is the mean time from one start of computing to the next.
    """
    _check(stall, failure_and_repair)
    return stall + math.sqrt(2 * failure_and_repair * stall + stall**2)


def goodput(interval: float, stall: float, mtbf: float, restart: float) -> float:
    """The share of the time that is useful work which is never done again; exact, from 0 to 1.

    Daly 2006: a checkpoint and a restart can fail as well. 0 from a restart of `HOPELESS` times
    the time between failures on: the job makes no progress. An interval and a stall of 0 cost
    nothing but restarts.
    """
    _check(stall, mtbf)
    not_negative(interval=interval, restart=restart)
    return _exact(interval, stall, mtbf, restart)


def _exact(interval: float, stall: float, mtbf: float, restart: float) -> float:
    power = (interval + stall) / mtbf
    if restart / mtbf > HOPELESS or power > _LARGEST_POWER:
        return 0.0
    started = math.exp(-restart / mtbf)
    if interval == 0:
        return started if stall == 0 else 0.0
    return started * interval / (mtbf * math.expm1(power))


def best_interval(stall: float, mtbf: float, at_least: float = 0.0) -> float:
    """The interval with the highest `goodput`; 0 where nothing stalls.

    It does not depend on the restart. No shorter than ``at_least``: asynchronous checkpoints are
    not begun before the last one is durable. In units of the time between failures it is the root
    of x = 1 - e^-(x + stall), where the derivative of the exact goodput is 0.
    """
    _check(stall, mtbf)
    not_negative(at_least=at_least)
    if stall == 0:
        return at_least
    cost = stall / mtbf
    best = min(math.sqrt(2 * cost), 1.0)  # Young's, from where Newton's steps only go down
    for _ in range(_STEPS):
        lost = -math.expm1(-(best + cost))
        step = (best - lost) / lost
        best -= step
        if step <= _CLOSE * best:
            break
    return max(best * mtbf, at_least)


def losses(
    interval: float, stall: float, mtbf: float, restart: float
) -> tuple[float, float, float]:
    """The shares of the time that checkpoints, work done again, and restarts take.

    With `goodput` they make 1. Each failure begins one restart, which takes its time or ends at
    the next failure: 1 - e^(-restart/MTBF) of all time. A checkpoint counts when it was
    completed, else it is work done again.
    """
    useful = goodput(interval, stall, mtbf, restart)
    restarting = -math.expm1(-restart / mtbf)
    saving = useful * stall / interval if interval else 0.0
    return saving, max(1 - useful - saving - restarting, 0.0), restarting


def first_order(interval: float, stall: float, mtbf: float, restart: float) -> float:
    """`goodput` for small times only: 1 - (stall/interval + (interval/2 + restart)/MTBF).

    Below 0 where it no longer holds.
    """
    _check(stall, mtbf)
    not_negative(restart=restart)
    above_zero(interval=interval)
    return 1 - (stall / interval + (interval / 2 + restart) / mtbf)


def ettr(interval: float, stall: float, mtbf: float, restart: float) -> float:
    """The effective training time ratio of arXiv:2410.21680, in its closed form.

    Below 0 where it no longer holds.
    """
    _check(stall, mtbf)
    not_negative(restart=restart)
    above_zero(interval=interval)
    return (1 - (restart + interval / 2) / mtbf) / (1 + stall / interval)


def async_goodput(
    interval: float, stall: float, durable: float, mtbf: float, restart: float
) -> float:
    """`first_order` where checkpoints become durable ``durable`` seconds after they were begun.

    The newest one that is durable is older by that time, so that much more work is done again.
    """
    not_negative(durable=durable)
    return first_order(interval, stall, mtbf, restart + durable)


def least_loss(stall: float, mtbf: float, restart: float) -> float:
    """What is lost at Young's interval, in first order: √(2·stall/MTBF) + restart/MTBF."""
    _check(stall, mtbf)
    not_negative(restart=restart)
    return math.sqrt(2 * stall / mtbf) + restart / mtbf


def unbroken(duration: float, mtbf: float) -> float:
    """The chance that a job has no failure for ``duration``: e^(-duration/MTBF)."""
    above_zero(mtbf=mtbf)
    not_negative(duration=duration)
    return math.exp(-duration / mtbf)


def _check(stall: float, mtbf: float) -> None:
    above_zero(mtbf=mtbf)
    not_negative(stall=stall)
