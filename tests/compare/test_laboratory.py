"""A simulated laboratory: how often duels are wrong, and how often they find what is there."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from aibench.compare.deciding import Question, answers, margin
from aibench.compare.pairing import order
from aibench.compare.rules import TWO_LOOKS, Rules
from aibench.model.comparison import Outcome
from aibench.stats.paired import logarithms, of_pairs, of_sets

Values = NDArray[np.float64]
BETTER = {Outcome.FIRST_BETTER, Outcome.SECOND_BETTER}
DUELS = 1000
#: So small that every difference matters: what is left is the error of the statistics.
ANY = Rules(delta=1e-9)


def at_most(level: float, count: int = DUELS) -> float:
    """A share that a true error of ``level`` exceeds by chance less than once in a hundred."""
    return level + 2.4 * math.sqrt(level * (1 - level) / count)


def outcome(first: Values, second: Values, rules: Rules = ANY) -> Outcome:
    """The answer of one duel."""
    question = Question(
        contrast=of_pairs(first, second),
        better="higher",
        n=len(first),
        logs=logarithms(first, second),
    )
    return answers([question], rules)[0].outcome


def one_after_the_other(first: Values, second: Values) -> Outcome:
    """The answer of runs that are not paired, where the user says that nothing drifted."""
    question = Question(
        contrast=of_sets(first, second), better="higher", n=len(first), sequential=True
    )
    return answers([question], Rules(delta=1e-9, accepted=frozenset({"sequential"})))[0].outcome


def remembering(seed: int, count: int, length: int, memory: float) -> Values:
    """``count`` series of noise of which each value resembles the one before."""
    fresh = np.random.default_rng(seed).normal(size=(count, length))
    found = np.empty_like(fresh)
    found[:, 0] = fresh[:, 0]
    for n in range(1, length):
        found[:, n] = memory * found[:, n - 1] + math.sqrt(1 - memory**2) * fresh[:, n]
    return found


def fought(series: Values, duel: str) -> tuple[Values, Values]:
    """Both sides of a duel whose runs fall on ``series`` in the order that its id tells."""
    pairs = len(series) // 2
    sides: list[list[float]] = [[], []]
    moments = iter(np.exp(series))
    for turn in order(duel, 2, pairs)[1:]:
        for side in turn:
            sides[side].append(next(moments))
    return np.array(sides[0]), np.array(sides[1])


@pytest.mark.parametrize("n", [3, 4, 6, 10, 20])
def test_equal_sides_are_seldom_told_apart(n: int) -> None:
    """Of a thousand duels of a mount with itself at most one in twenty finds a difference."""
    values = np.exp(np.random.default_rng(n).normal(0, 0.05, (DUELS, 2, n)))
    wrong = sum(outcome(first, second) in BETTER for first, second in values)
    assert wrong / DUELS <= at_most(0.05)


@pytest.mark.parametrize("world", ["drifts by 6 %", "remembers"])
def test_pairs_hold_their_level_where_one_after_the_other_does_not(world: str) -> None:
    """Under drift and memory pairs in random order stay at 5 %; A before B is wrong far oftener."""
    pairs = 6
    if world == "remembers":
        series = 0.03 * remembering(1, DUELS, 2 * pairs, 0.9)
    else:
        noise = np.random.default_rng(2).normal(0, 0.02, (DUELS, 2 * pairs))
        series = noise + 0.06 * np.linspace(-0.5, 0.5, 2 * pairs)
    paired = [outcome(*fought(each, f"{n:08x}")) for n, each in enumerate(series)]
    apart = [one_after_the_other(*np.exp(each.reshape(2, pairs))) for each in series]
    assert sum(each in BETTER for each in paired) / DUELS <= at_most(0.05)
    assert sum(each in BETTER for each in apart) / DUELS >= 0.2


def test_two_looks_at_97_5_percent_are_one_at_95() -> None:
    """A duel that may be extended once is wrong in at most 5 %; one that looks anew after every
    pair, each time at 95 %, is wrong three times as often.
    """
    values = np.exp(np.random.default_rng(3).normal(0, 0.05, (DUELS, 2, 12)))
    twice = Rules(delta=1e-9, confidence=TWO_LOOKS)
    extended = peeking = 0
    for first, second in values:
        looks = (outcome(first[:n], second[:n], twice) in BETTER for n in (6, 12))
        extended += any(looks)
        contrasts = (of_pairs(first[:n], second[:n]) for n in range(3, 13))
        peeking += any(c is not None and c.p_different() < 0.05 for c in contrasts)
    assert extended / DUELS <= at_most(0.05)
    assert peeking / DUELS >= 0.12


@pytest.mark.parametrize(
    ("spread", "pairs", "least"), [(0.02, 6, 0.99), (0.05, 6, 0.95), (0.05, 10, 0.99)]
)
def test_ten_percent_is_found(spread: float, pairs: int, least: float) -> None:
    """A side that does 10 % less is found: nearly always where pairs differ by 2 %."""
    ratios = np.exp(np.random.default_rng(pairs).normal(math.log(1 / 0.9), spread, (DUELS, pairs)))
    rules = Rules(delta=0.05)
    found = [outcome(row, np.ones(pairs), rules) for row in ratios]
    assert found.count(Outcome.FIRST_BETTER) / DUELS >= least
    assert Outcome.SECOND_BETTER not in found


@pytest.mark.parametrize("spread", [0.002, 0.01, 0.03, 0.1])
def test_one_percent_is_not_claimed_where_five_matter(spread: float) -> None:
    """A difference of 1 % is called better in one of twenty at most; of quiet pairs, equivalent."""
    ratios = np.exp(np.random.default_rng(7).normal(math.log(1.01), spread, (DUELS, 6)))
    found = [outcome(row, np.ones(6), Rules(delta=0.05)) for row in ratios]
    assert sum(each in BETTER for each in found) / DUELS <= at_most(0.05)
    if spread <= 0.01:
        assert found.count(Outcome.EQUIVALENT) / DUELS >= 0.99


@pytest.mark.parametrize("pairs", [3, 6, 12])
def test_sides_that_differ_as_much_as_matters_are_seldom_called_equivalent(pairs: int) -> None:
    """With a difference of just 5 % at most one duel in twenty says that there is none."""
    ratios = np.exp(np.random.default_rng(pairs).normal(margin(0.05), 0.02, (DUELS, pairs)))
    found = [outcome(row, np.ones(pairs), Rules(delta=0.05)) for row in ratios]
    assert found.count(Outcome.EQUIVALENT) / DUELS <= at_most(0.05)


def test_of_many_figures_at_once_hardly_any_is_wrong() -> None:
    """Five figures of equal sides: the chance that any of them is called better stays at 5 %."""
    values = np.exp(np.random.default_rng(11).normal(0, 0.05, (300, 5, 2, 6)))
    wrong = 0
    for figures in values:
        questions = [
            Question(contrast=of_pairs(*sides), better="higher", n=6, logs=logarithms(*sides))
            for sides in figures
        ]
        wrong += any(answer.outcome in BETTER for answer in answers(questions, ANY))
    assert wrong / 300 <= at_most(0.05, 300)


@pytest.mark.parametrize(("sides", "pairs"), [(2, 6), (2, 7), (3, 6), (4, 9)])
def test_the_order_is_random_and_can_be_told_again(sides: int, pairs: int) -> None:
    """Each pair has every side once, in an order that only the duel's id and the pair decide."""
    turns = order("d0e1", sides, pairs)
    assert len(turns) == pairs + 1
    assert all(sorted(turn) == list(range(sides)) for turn in turns)
    assert turns == order("d0e1", sides, pairs + 6)[: pairs + 1]
    many = [turn[0] for duel in range(300) for turn in order(f"{duel}", sides, pairs)]
    firsts = [many.count(side) / len(many) for side in range(sides)]
    assert firsts == pytest.approx([1 / sides] * sides, abs=0.05)
