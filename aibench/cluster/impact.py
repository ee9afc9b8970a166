"""A projection with all that belongs to it: what a report of it is made from."""

from dataclasses import dataclass

from aibench.cluster.study import Study
from aibench.model import Claim, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading of a claim: its value, the projection that it is held against, and the word."""

    interpretation: str
    note: str
    value: float
    unit: str
    low: float
    high: float | None
    cap: float | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """A projection, what to know of what was measured, and what becomes of a claim."""

    study: Study
    claim: Claim | None
    readings: tuple[Reading, ...]
    remarks: tuple[Finding, ...]
