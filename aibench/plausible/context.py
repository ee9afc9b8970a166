"""Which public figures stand beside a claim."""

from collections.abc import Sequence

from aibench.model import Claim, ClaimKind
from aibench.model.reference import Reference


def context(claim: Claim, references: Sequence[Reference]) -> tuple[Reference, ...]:
    """The references that tell something about ``claim``: those that either names first.

    Beside a bandwidth or IOPS then come figures of the same quantity for the same kind of unit.
    They are context: some are not comparable at all, which their notes say, and none makes a
    verdict.
    """
    named = [each for each in references if each.id in claim.references or claim.id in each.claims]
    if claim.kind not in (ClaimKind.BANDWIDTH, ClaimKind.IOPS) or claim.scope == "system":
        return tuple(named)
    quantities = {claim.metric, *(reading.metric for reading in claim.interpretations)}
    alike = [
        each
        for each in references
        if each not in named and each.scope == claim.scope and each.quantity in quantities
    ]
    return (*named, *alike)
