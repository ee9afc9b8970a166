"""The checks that need no measurement: units, arithmetic between claims, hardware, public results.

Each takes a claim and what is known around it, and tells what follows, with the figures.
"""

from collections.abc import Callable, Iterator, Sequence

from aibench.model import Claim, System
from aibench.model.reference import Reference
from aibench.plausible import across, alone
from aibench.plausible.implication import Implication
from aibench.plausible.known import Known

_CHECKS: tuple[Callable[[Claim, Known], Iterator[Implication]], ...] = (
    alone.unit,
    alone.each_unit,
    alone.links,
    alone.time_removed,
    alone.data_rate,
    alone.checkpoint,
    alone.compute,
    alone.failures,
    across.block,
    across.total,
    across.ratios,
    across.shares,
    across.stage,
    across.whole_time,
    across.saved,
    across.hardware,
    across.verified,
)


def implications(
    claim: Claim,
    catalogue: Sequence[Claim] = (),
    references: Sequence[Reference] = (),
    system: System | None = None,
) -> tuple[Implication, ...]:
    """What ``claim`` implies by itself, with its ``related`` ones of ``catalogue`` and in view of
    ``references``; on the hardware of ``system`` where that is the same product.

    Figures are bytes, nanoseconds, bytes per second or plain numbers; nothing is measured.
    """
    known = Known(
        claims={each.id: each for each in catalogue},
        references=tuple(references),
        system=system,
    )
    return tuple(found for check in _CHECKS for found in check(claim, known))
