"""What follows from a printed claim by arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Implication:
    """One thing that a claim implies. ``code`` is stable, ``figures`` are in base units.

    ``against`` where it speaks against the claim as it is printed: a unit that is not one of a
    rate, figures that contradict one another, more than hardware can do. It is never a verdict.
    """

    code: str
    message: str
    figures: Mapping[str, float] = field(default_factory=dict)
    against: bool = False
