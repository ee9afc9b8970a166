"""What becomes of the results of several targets when they are held against each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aibench.model.claim import System
from aibench.model.record import Target
from aibench.model.sample import Finding
from aibench.model.verdict import Estimate


class Outcome(StrEnum):
    """What can be said of two sides and one figure.

    ``SIDE_BY_SIDE``: the two are shown, and are not answers to the same question.
    """

    FIRST_BETTER = "FIRST_BETTER"
    SECOND_BETTER = "SECOND_BETTER"
    EQUIVALENT = "EQUIVALENT"
    INCONCLUSIVE = "INCONCLUSIVE"
    SIDE_BY_SIDE = "SIDE_BY_SIDE"


class Design(StrEnum):
    """How the runs lie in time: in complete pairs in random order, or one set after the other."""

    PAIRED = "paired"
    SEQUENTIAL = "sequential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of those that are compared: ``key`` is its letter, ``runs`` are the ids of its runs."""

    key: str
    target: Target
    runs: tuple[str, ...]
    system: System | None = None

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.target.label or self.target.path


@dataclass(frozen=True, slots=True, kw_only=True)
class PerUnit:
    """The ratio of two sides for each unit of ``what``: of their price, watts, rack units, ...

    ``first`` and ``second`` are what was divided by. Ratios are logarithms.
    """

    what: str
    first: float
    second: float
    log_ratio: float
    log_low: float
    log_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two sides, one figure, one answer. ``first`` and ``second`` are places among the sides.

    ``log_ratio`` is the natural logarithm of first over second, with its interval; all are None
    where there are too few runs. ``p`` is that of the t test, ``p_adjusted`` the same among all
    figures of its family, ``p_signs`` that of the exact sign-flip test. ``detectable`` is the
    logarithm of the smallest ratio that these runs would have shown with a chance of 80 %,
    ``floor`` that of the noise between a mount and itself, where it is known. ``strong``: the whole
    interval lies beyond the smallest difference that matters. ``runs_needed`` is how many pairs
    (or runs of each side) would show that difference.
    """

    first: int
    second: int
    n: int
    outcome: Outcome
    log_ratio: float | None = None
    log_low: float | None = None
    log_high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    p_signs: float | None = None
    detectable: float | None = None
    floor: float | None = None
    strong: bool = False
    runs_needed: int | None = None
    reasons: tuple[Finding, ...] = ()
    caveats: tuple[Finding, ...] = ()
    dropped: tuple[Finding, ...] = ()
    per_unit: tuple[PerUnit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One metric of one phase: what each side did, and what tells them apart.

    ``estimates`` has an entry for each side, None where it has none. ``state`` is where the bytes
    of a read came from, on all sides. ``must_have`` tells whether it belongs to what was asked for.
    """

    workload: str
    phase: str
    metric: str
    title: str
    unit: str
    better: str
    estimates: tuple[Estimate | None, ...]
    differences: tuple[Difference, ...]
    state: str | None = None
    must_have: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """All figures of two sides together: a geometric mean, which is no verdict, and counts.

    ``log_advantage`` is the mean logarithm of how much better the first is.
    """

    first: int
    second: int
    log_advantage: float | None
    figures: int
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseFloor:
    """By how much a figure of a mount differs from itself, at most, in one duel with itself.

    ``log_ratio`` is the end of the interval that lies further from 0, of ``pairs`` pairs.
    ``series`` is the key of what it holds for, the other texts say what that is.
    """

    series: str
    metric: str
    log_ratio: float
    pairs: int
    duel: str
    at: str
    target: str
    workload: str
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several targets, the same work, and which is better.

    ``delta`` is the smallest difference that matters, as a share. ``confidence`` is that of each
    look. ``declared`` is how many pairs were to be measured and ``complete`` how many were, both 0
    where nothing pairs. ``adjustment`` is ``holm`` or ``benjamini-hochberg``. ``differs`` lists
    what is not the same on all sides, ``missing`` the runs and phases that are not there.
    """

    design: Design
    sides: tuple[Side, ...]
    figures: tuple[Figure, ...]
    overall: tuple[Overall, ...]
    delta: float
    confidence: float
    adjustment: str
    duel: str | None = None
    declared: int = 0
    complete: int = 0
    extended: int = 0
    itself: bool = False
    notes: tuple[Finding, ...] = ()
    differs: tuple[Finding, ...] = ()
    missing: tuple[Finding, ...] = ()

    @property
    def asked(self) -> tuple[Figure, ...]:
        """The figures that were called a must; all, where none was."""
        return tuple(f for f in self.figures if f.must_have) or self.figures

    @property
    def decided(self) -> bool:
        """Whether every figure that was asked for has an answer."""
        decisive = {Outcome.FIRST_BETTER, Outcome.SECOND_BETTER, Outcome.EQUIVALENT}
        found = [d.outcome for f in self.asked for d in f.differences]
        return bool(found) and all(outcome in decisive for outcome in found)

    @property
    def is_settled(self) -> bool:
        """Whether more pairs would change no answer that was asked for: too few were not why."""
        lacking = {"interval_straddles", "multiplicity", "too_few_runs"}
        codes = {r.code for f in self.asked for d in f.differences for r in d.reasons}
        return not codes & lacking
