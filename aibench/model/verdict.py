"""What becomes of a claim: the answer, what it rests on, and what would change it."""

from dataclasses import dataclass
from enum import StrEnum

from aibench.model.claim import Claim, Interpretation
from aibench.model.sample import Finding


class Status(StrEnum):
    """What can be said of a claim on this rig.

    The last three are for claims that only a model can test: the claim lies inside what the model
    projects from measurements, outside of it, or above what ideal storage would give. They are
    never called met or not met.
    """

    MET = "MET"
    NOT_MET = "NOT_MET"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_TESTABLE_HERE = "NOT_TESTABLE_HERE"
    NOT_TESTABLE = "NOT_TESTABLE"
    REFERENCE_ONLY = "REFERENCE_ONLY"
    CONSISTENT = "CONSISTENT"
    INCONSISTENT = "INCONSISTENT"
    INCONSISTENT_BOUND = "INCONSISTENT_BOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A typical value with its 95 % interval, from ``n`` runs, in the base unit.

    ``low`` and ``high`` are None where there are too few runs for an interval. ``worst`` is the
    worst single run. ``method`` names the interval.
    """

    typical: float
    low: float | None
    high: float | None
    n: int
    worst: float
    best: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One claim, one interpretation, one answer.

    ``claim`` is as the interpretation reads it (`Claim.under`). ``measured`` is per unit of the
    claim's scope, for ratios the ratio itself; ``aggregate`` is that of the whole mount and
    ``baseline`` that of the other side of a ratio, in ``aggregate_unit`` where that is not the
    claim's. ``bound`` is the value after the tolerance, ``margin`` is typical over claimed.
    ``reasons`` have stable codes; ``next_step`` says what would change the verdict.
    """

    claim: Claim
    interpretation: Interpretation
    status: Status
    reasons: tuple[Finding, ...] = ()
    workload: str | None = None
    phase: str | None = None
    measured: Estimate | None = None
    aggregate: Estimate | None = None
    baseline: Estimate | None = None
    aggregate_unit: str = ""
    bound: float | None = None
    margin: float | None = None
    next_step: str = ""
