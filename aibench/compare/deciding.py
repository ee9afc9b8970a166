"""From a contrast to an answer: better, equivalent, or inconclusive with the reason.

Better: the interval excludes 1, and the ratio is at least the smallest difference that matters.
Equivalent: an interval of twice the level lies within that difference either way (two one-sided
tests). Where several figures are asked about, both hold after adjustment.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aibench.compare.gates import Gate
from aibench.compare.rules import Rules
from aibench.model import Finding
from aibench.model.comparison import Outcome
from aibench.stats.intervals import FEWEST_RUNS, runs_needed
from aibench.stats.multiplicity import benjamini_hochberg, holm
from aibench.stats.paired import Contrast

#: Logarithms that agree to so many digits are the same figure in another unit.
_SAME_DIGITS = 9
_SEQUENTIAL = Finding(
    code="sequential",
    message="one side was measured after the other: drift would look like a difference",
)


def margin(share: float) -> float:
    """A share as a logarithm: a difference of 5 % is a ratio of 1.05, or of 1/1.05."""
    return math.log1p(share)


def share(logarithm: float) -> float:
    """A logarithm as a share: 0.05 for that of 1.05."""
    return math.expm1(abs(logarithm))


def percent(part: float) -> str:
    """``5 %``, as messages have it."""
    return f"{100 * part:.3g} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One figure of two sides: what was found, and what stands in the way.

    ``n`` is the number of pairs, or of runs of the side that has fewer. ``logs`` are the logarithms
    of the ratios, pair by pair, where there are pairs. ``floor`` is that of the noise.
    ``must_have`` decides by which family of questions p is adjusted.
    """

    contrast: Contrast | None
    better: str
    n: int
    logs: tuple[float, ...] = ()
    floor: float | None = None
    must_have: bool = True
    sequential: bool = False
    gates: tuple[tuple[Gate, ...], tuple[Gate, ...]] = ((), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What can be said: the outcome, its adjusted p, and why it is not more."""

    outcome: Outcome
    p_adjusted: float | None = None
    strong: bool = False
    reasons: tuple[Finding, ...] = ()
    caveats: tuple[Finding, ...] = ()
    runs_needed: int | None = None


def answers(questions: Sequence[Question], rules: Rules) -> tuple[Answer, ...]:
    """One answer for each question, with p adjusted over all that are asked together."""
    different = _adjusted(questions, rules, [_p_different(q) for q in questions])
    alike = _adjusted(questions, rules, [_p_equivalent(q, rules) for q in questions])
    return tuple(
        _answer(question, rules, *ps)
        for question, *ps in zip(questions, different, alike, strict=True)
    )


def _p_different(question: Question) -> float | None:
    return question.contrast.p_different() if question.contrast else None


def _p_equivalent(question: Question, rules: Rules) -> float | None:
    return question.contrast.p_equivalent(margin(rules.delta)) if question.contrast else None


def _adjusted(
    questions: Sequence[Question], rules: Rules, values: Sequence[float | None]
) -> list[float | None]:
    """Holm for what a purchase hangs on, Benjamini and Hochberg for the rest.

    Figures that follow from each other, as files/s from bytes/s where all runs move the same
    bytes, are one question.
    """
    found: list[float | None] = [None] * len(values)
    for decisive in (True, False):
        kinds: dict[object, list[int]] = {}
        for number, (question, value) in enumerate(zip(questions, values, strict=True)):
            if value is not None and _decisive(question, rules) is decisive:
                kinds.setdefault(_kind(question), []).append(number)
        adjust = holm if decisive else benjamini_hochberg
        ps = [max(values[n] or 0.0 for n in numbers) for numbers in kinds.values()]
        for numbers, p in zip(kinds.values(), adjust(ps), strict=True):
            for number in numbers:
                found[number] = p
    return found


def _decisive(question: Question, rules: Rules) -> bool:
    return question.must_have and not rules.screen


def _kind(question: Question) -> object:
    """Equal for questions of which one answers the other."""
    assert question.contrast is not None
    logs = question.logs or (question.contrast.center, question.contrast.error)
    signed = [round(value, _SAME_DIGITS) for value in logs]
    return tuple(signed) if next((v for v in signed if v), 1) > 0 else tuple(-v for v in signed)


def _answer(
    question: Question, rules: Rules, p_different: float | None, p_alike: float | None
) -> Answer:
    contrast = question.contrast
    if contrast is None or p_different is None or p_alike is None or contrast.n < FEWEST_RUNS:
        what = "runs of each side" if question.sequential else "complete pairs"
        message = f"at least {FEWEST_RUNS} {what} are needed, and there are {question.n}"
        reason = Finding(code="too_few_runs", message=message)
        return Answer(outcome=Outcome.INCONCLUSIVE, reasons=(reason,))
    level = 1 - rules.confidence
    outcome, reasons = _statistical(question, rules, p_different <= level, p_alike <= level)
    forbidden, caveats = _forbidding(question, rules, outcome)
    if forbidden:
        outcome, reasons = Outcome.INCONCLUSIVE, forbidden
    if question.sequential and "sequential" not in rules.accepted:
        outcome, reasons = Outcome.INCONCLUSIVE, (_SEQUENTIAL, *reasons)
    low, high = contrast.interval(rules.confidence)
    better = outcome in (Outcome.FIRST_BETTER, Outcome.SECOND_BETTER)
    return Answer(
        outcome=outcome,
        p_adjusted=p_different,
        strong=better and min(abs(low), abs(high)) >= margin(rules.delta),
        reasons=reasons,
        caveats=caveats,
        runs_needed=_needed(contrast, rules),
    )


def _statistical(
    question: Question, rules: Rules, differs: bool, alike: bool
) -> tuple[Outcome, tuple[Finding, ...]]:
    """The outcome by the figures alone, and why it is no answer where it is none."""
    contrast, floor = question.contrast, question.floor or 0.0
    assert contrast is not None
    delta = margin(rules.delta)
    if differs and abs(contrast.center) >= max(delta, floor):
        ahead = (contrast.center > 0) == (question.better == "higher")
        return (Outcome.FIRST_BETTER if ahead else Outcome.SECOND_BETTER), ()
    if alike and delta >= floor:
        return Outcome.EQUIVALENT, ()
    return Outcome.INCONCLUSIVE, tuple(_why(contrast, rules, floor, differs, alike))


def _why(
    contrast: Contrast, rules: Rules, floor: float, differs: bool, alike: bool
) -> Iterator[Finding]:
    """Why figures give no answer."""
    if floor > margin(rules.delta):
        least = math.ceil(share(floor) * 1000) / 10
        message = (
            f"this mount differs from itself by up to {percent(share(floor))}, so no two are shown "
            f"to be equivalent within {percent(rules.delta)}: use --delta {least:g}% or more"
        )
        yield Finding(code="below_noise_floor", message=message)
        if alike:
            return
    by_itself = contrast.p_different() <= 1 - rules.confidence
    if by_itself and not differs:
        message = "the interval excludes 1, but not for so many figures at once"
        yield Finding(code="multiplicity", message=message)
    elif differs:
        message = f"there is a difference; whether it reaches {percent(rules.delta)} is open"
        yield Finding(code="interval_straddles", message=message)
    else:
        message = "the interval holds 1, and more than the smallest difference that matters"
        yield Finding(code="interval_straddles", message=message)


def _needed(contrast: Contrast, rules: Rules) -> int | None:
    """How many pairs, or runs of each side, would show the smallest difference that matters."""
    spread = contrast.error * math.sqrt(contrast.n)
    return runs_needed(spread, margin(rules.delta), confidence=rules.confidence)


def _forbidding(
    question: Question, rules: Rules, outcome: Outcome
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """(what forbids ``outcome``, what else is to be known), with the letter of the side in front.

    The gates of a question carry that letter already.
    """
    first, second = question.gates
    shut: list[Finding] = []
    told: list[Finding] = []
    for gate, of_first in [*((g, True) for g in first), *((g, False) for g in second)]:
        closed = gate.finding.code not in rules.accepted and _forbids(gate, of_first, outcome)
        (shut if closed else told).append(gate.finding)
    if outcome is Outcome.INCONCLUSIVE:
        return (), tuple(dict.fromkeys((*shut, *told)))
    return tuple(dict.fromkeys(shut)), tuple(dict.fromkeys(told))


def _forbids(gate: Gate, of_first: bool, outcome: Outcome) -> bool:
    if outcome is Outcome.EQUIVALENT:
        return gate.is_closed
    if outcome is Outcome.INCONCLUSIVE:
        return False
    ahead = (outcome is Outcome.FIRST_BETTER) is of_first
    return gate.may_be_worse if ahead else gate.may_be_better
