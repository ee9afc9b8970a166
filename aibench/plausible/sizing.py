"""From measured rates to what they would serve: by a guideline's tiers, and by formula.

The lower end of the interval decides. Neither is a verdict: a guideline says what to plan for, and
a formula knows no latency, no small files and no other load.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aibench.model import Estimate
from aibench.model.reference import Tier
from aibench.stats.intervals import SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFit:
    """How many times a tier's need fits into what was measured, and for how many accelerators.

    ``times`` is rounded down, so 0 means that the tier is not reached; ``limited_by`` is ``read``
    or ``write``, whichever fits less often. ``missing`` names the direction that was not measured:
    then the tier would be reached by the other one alone.
    """

    tier: Tier
    times: int
    limited_by: str
    missing: str = ""

    @property
    def nodes(self) -> int:
        """The nodes that it would serve as the tier asks."""
        return self.times * self.tier.nodes

    @property
    def accelerators(self) -> int:
        """The accelerators in these nodes."""
        return self.times * self.tier.accelerators


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one accelerator takes: batches of ``batch`` samples of ``sample_bytes`` each."""

    preset: str
    accelerator: str
    batch: int
    sample_bytes: int
    compute_ns: int

    @property
    def rate(self) -> float:
        """Bytes per second at most: batch x bytes / time of computing with the batch."""
        return self.batch * self.sample_bytes * 10**9 / self.compute_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds:
    """How many accelerators a measured rate feeds by formula, at its lower end and typically."""

    demand: Demand
    surely: int
    typically: int


def tier_fits(
    tiers: Sequence[Tier], read: Estimate | None, write: Estimate | None
) -> tuple[TierFit, ...]:
    """How often each tier fits into the measured bandwidths (bytes per second), in their order.

    Empty where neither direction was measured.
    """
    found = []
    for tier in tiers:
        shares = [
            (_lower(rate) / need, name)
            for rate, need, name in ((read, tier.read, "read"), (write, tier.write, "write"))
            if rate is not None
        ]
        if not shares:
            continue
        share, limited_by = min(shares)
        missing = "write" if write is None else "read" if read is None else ""
        found.append(
            TierFit(tier=tier, times=math.floor(share), limited_by=limited_by, missing=missing)
        )
    return tuple(found)


def feeds(demands: Sequence[Demand], read: Estimate) -> tuple[Feeds, ...]:
    """The accelerators of each kind that ``read`` (bytes per second) feeds, by formula.

    n = rate x compute time / (batch x bytes), rounded down: D = n x batch x bytes / t_c solved
    for n.
    """
    return tuple(
        Feeds(
            demand=demand,
            surely=math.floor(_lower(read) / demand.rate),
            typically=math.floor(read.typical / demand.rate),
        )
        for demand in demands
    )


def _lower(rate: Estimate) -> float:
    """The lower end of the interval; the worst run where there are too few for an interval.

    With the slack of a comparison, so that equal runs at exactly a need serve it.
    """
    return (rate.worst if rate.low is None else rate.low) * (1 + SLACK)
