"""What a claim says about itself before anything is measured, and what stands beside it.

Arithmetic on printed figures, public references of the same class, sizing by a guideline. All of
it is context: nothing here is a verdict.
"""

from aibench.plausible.checks import implications
from aibench.plausible.context import context
from aibench.plausible.implication import Implication
from aibench.plausible.sizing import Demand, Feeds, TierFit, feeds, tier_fits

__all__ = [
    "Demand",
    "Feeds",
    "Implication",
    "TierFit",
    "context",
    "feeds",
    "implications",
    "tier_fits",
]
