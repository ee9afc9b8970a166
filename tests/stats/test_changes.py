"""Levels of a series: found where they change, and not where they don't."""

import math

import numpy as np
import pytest

from aibench.stats.changes import changes
from aibench.stats.prediction import predicted
from aibench.stats.trends import drift

CV = 0.03


def noise(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Rates of storage that does not change, 3 % from session to session."""
    return np.exp(random.normal(0, CV, shape))


def test_no_change_is_found_in_noise() -> None:
    """Of 200 series of 40 sessions that never changed, at most 1 in 50 shows a change."""
    random = np.random.default_rng(1)
    assert sum(bool(changes(list(noise(random, 40)))) for _ in range(200)) <= 4


def test_sessions_that_remember_seldom_look_like_a_change() -> None:
    """With a lag-1 autocorrelation of .3, at most 1 in 10 of 100 series shows a change."""
    random = np.random.default_rng(2)
    found = 0
    for _ in range(100):
        steps = random.normal(0, CV, 40)
        for place in range(1, 40):
            steps[place] += 0.3 * steps[place - 1]
        found += bool(changes(list(np.exp(steps))))
    assert found <= 10


@pytest.mark.parametrize("ratio", [0.9, 1.1])
def test_a_step_is_found_at_its_session(ratio: float) -> None:
    """A step of 10 % in 40 sessions is found in 56 of 60 series, one session off at most."""
    random, found = np.random.default_rng(3), 0
    for _ in range(60):
        values = noise(random, 40)
        values[25:] *= ratio
        told = changes(list(values))
        found += len(told) == 1 and abs(told[0].at - 25) <= 1
        if told:
            assert told[0].ratio == pytest.approx(ratio, rel=0.06)
    assert found >= 56


def test_down_and_up_again_are_two_changes() -> None:
    """A level that comes back is told of twice, with the medians on both sides."""
    high, low = np.linspace(1.0, 1.01, 20), np.linspace(0.7, 0.71, 20)
    values = [*high, *low, *high]
    down, up = changes(values)
    assert (down.at, up.at) == (20, 40)
    assert down.ratio == pytest.approx(0.705 / 1.005)
    assert up.before == down.after


def test_what_is_too_small_or_too_short_is_none() -> None:
    """A step below 5 %, and any step in fewer than ten sessions, is not told of."""
    assert changes([1.0, 1.001] * 10 + [0.96, 0.961] * 10) == ()
    assert changes([1.0, 1.001, 1.0, 1.0, 0.5, 0.501, 0.5, 0.5, 0.5]) == ()
    assert changes([]) == ()
    with pytest.raises(ValueError, match="above 0"):
        changes([1.0] * 20 + [0.0])


def test_order_is_all_that_counts() -> None:
    """The places of changes don't depend on the unit, and mirror when time runs backwards."""
    random = np.random.default_rng(4)
    values = list(noise(random, 30))
    values[12:] = [value * 0.8 for value in values[12:]]
    (forward,) = changes(values)
    (scaled,) = changes([value * 7e9 for value in values])
    (backward,) = changes(values[::-1])
    assert (forward.at, forward.p_value) == (scaled.at, scaled.p_value)
    assert backward.at == 30 - forward.at
    assert backward.ratio == pytest.approx(1 / forward.ratio)


@pytest.mark.parametrize(
    ("sessions", "loss", "power"),
    [(8, 0.1, 0.57), (12, 0.1, 0.68), (20, 0.1, 0.77), (8, 0.15, 0.95), (20, 0.05, 0.1)],
)
def test_power_of_the_gate(sessions: int, loss: float, power: float) -> None:
    """At 3 % from session to session a loss is flagged and confirmed as often as it should be."""
    random, n = np.random.default_rng(sessions), 1500
    assert confirmed(random, sessions, loss, n) / n == pytest.approx(power, abs=0.045)


@pytest.mark.parametrize("sessions", [8, 20])
def test_false_alarms_of_the_gate(sessions: int) -> None:
    """Of storage that never changed, at most 3 in 1000 sessions are flagged and confirmed."""
    assert confirmed(np.random.default_rng(5), sessions, 0.0, 3000) <= 9


def confirmed(random: np.random.Generator, sessions: int, loss: float, n: int) -> int:
    """How many of ``n`` sessions are flagged, and their median with two reruns as well."""
    count = 0
    for _ in range(n):
        limits = predicted([list(noise(random, sessions))])
        rates = noise(random, 3) * (1 - loss)
        count += all(
            value < limits.low and value < 0.95 * limits.center
            for value in (rates[0], np.median(rates))
        )
    return count


def test_limits_are_those_of_student() -> None:
    """Eight sessions: the limits are m ± 2.998 s √(1 + 1/8), in logarithms (t of 7, 1 %)."""
    values = [1.0, 1.1, 0.9, 1.05, 0.95, 1.02, 0.98, 1.0]
    logs = np.log(values)
    half = 2.99795 * logs.std(ddof=1) * math.sqrt(1 + 1 / 8)
    found = predicted([values])
    assert found.low == pytest.approx(math.exp(logs.mean() - half), rel=1e-5)
    assert found.high == pytest.approx(math.exp(logs.mean() + half), rel=1e-5)
    assert found.freedom == 7


def test_levels_share_their_spread_and_not_their_middle() -> None:
    """After a change the middle is that of the new level, and the old one still tells the noise."""
    old, new = [1.0, 1.02, 0.98, 1.01, 0.99], [0.5, 0.51, 0.49]
    found = predicted([old, new])
    assert found.center == pytest.approx(0.5, rel=0.01)
    assert found.freedom == 6
    with pytest.raises(ValueError, match="three sessions"):
        predicted([old, new[:2]])


def test_sessions_that_remember_widen_the_limits() -> None:
    """A slow wave is no noise of its own: limits are wider than independent sessions would have."""
    wave = [1 + 0.05 * math.sin(place / 3) for place in range(20)]
    alternating = sorted(wave)
    shuffled = [alternating[(7 * place) % 20] for place in range(20)]
    assert predicted([wave]).memory > 0.3
    assert predicted([wave]).low < predicted([shuffled]).low


def test_drift_is_told_with_its_size() -> None:
    """Half a per cent a night is -13.5 % in 30 nights; noise alone is no drift, nor is 2 %."""
    random = np.random.default_rng(6)
    falling = noise(random, 30) ** 0.3 * 0.995 ** np.arange(30)
    found = drift(list(falling))
    assert found is not None
    assert found.told
    assert found.total == pytest.approx(-0.135, abs=0.03)
    assert found.low < found.total < found.high < 0
    still = drift(list(1.0007 ** np.arange(30)))
    assert still is not None
    assert not still.told, "2 % is too small to matter"
    told = sum(bool((d := drift(list(noise(random, 30)))) and d.told) for _ in range(100))
    assert told <= 3
    assert drift([1.0] * 9) is None
    flat = drift([1.0] * 12)
    assert flat is not None
    assert (flat.total, flat.told) == (0.0, False)
