"""What stands around a claim while it is looked at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from aibench.model import Claim, ClaimKind, Interpretation, System
from aibench.model.reference import Reference

#: Between these are all sizes, times and rates that a claim can be about, FLOP included.
_LEAST, _MOST = 1e-12, 1e40


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The other claims by their id, public references, and the system under test if any."""

    claims: Mapping[str, Claim] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    system: System | None = None

    def related(self, claim: Claim) -> Iterator[Claim]:
        """The claims that ``claim`` names as related, and those that name it."""
        for other in self.claims.values():
            if other.id in claim.related or claim.id in other.related:
                yield other

    def beside(self, claim: Claim, kind: ClaimKind) -> Iterator[Claim]:
        """The claims of that kind for the same units of the same product."""
        for other in self.claims.values():
            if other.kind is kind and _subject(other) == _subject(claim):
                yield other


def _subject(claim: Claim) -> tuple[str, str, str, bool]:
    return claim.vendor, claim.product, claim.scope, claim.whole_system


def figures(claim: Claim, *units: str) -> Iterator[tuple[Interpretation, float]]:
    """The readings that have a value, and not next to 0, in one of these base units, with it."""
    for reading in claim.interpretations:
        value = reading.value or 0
        if value >= _LEAST and (reading.unit or claim.unit) in units:
            yield reading, value


def first(claim: Claim, *units: str) -> float | None:
    """The value of the first such reading; None where there is none."""
    return next((value for _, value in figures(claim, *units)), None)


def assumed(claim: Claim, *names: str) -> tuple[tuple[float, float], ...] | None:
    """The ranges that the claim's model assumes for these inputs.

    None where one is missing, or is no size that anything has.
    """
    told = claim.model.assumed if claim.model is not None else {}
    if any(name not in told for name in names):
        return None
    if any(not _LEAST <= end <= _MOST for name in names for end in told[name]):
        return None
    return tuple(told[name] for name in names)
