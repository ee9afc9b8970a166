"""What a claim on scaling takes: sizes, and clients that keep up with each of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from aibench.clients.bounds import accelerator_levels, bounds, most
from aibench.clients.need import Answer, Level, Need
from aibench.clients.rig import Client
from aibench.model import Claim, ClaimKind, System
from aibench.stats.scaling import FEWEST_LEVELS

#: The sizes that are measured where nothing says how many there are.
_SIZES = (1, 2, 4, 8)


def scaled(draft: Need, client: Client, catalogue: Sequence[Claim], system: System | None) -> Need:
    """The sizes of a claim on scaling, smallest first, with the clients of each."""
    claim = draft.claim
    if claim.axis == "accelerators" and draft.test is not None:
        levels = tuple(accelerator_levels(draft.test, client))
    elif claim.axis == "clients":
        levels = tuple(Level(size=n, clients=n) for n in _SIZES)
    elif claim.axis == "workers":
        levels = tuple(Level(size=n, clients=1) for n in _SIZES)
    else:
        sizes = _sizes(claim, system)
        levels = tuple(_level(draft, client, catalogue, n) for n in sizes)
    largest = levels[-1].clients if levels else None
    refute = max(largest, 2) if largest and claim.axis == "units" else largest
    short = () if len(levels) >= FEWEST_LEVELS else ("level_not_tested",)
    return replace(
        draft, answer=Answer.LEVELS, clients=largest, to_refute=refute, levels=levels,
        axis=claim.axis, reasons=(*claim.needs, *short),
    )  # fmt: skip


def _sizes(claim: Claim, system: System | None) -> tuple[int, ...]:
    """1, 2, 4 and 8 units; of a described system powers of two up to all that it has."""
    if system is None or system.unit.casefold() != claim.scope.casefold():
        return _SIZES
    powers = [2**n for n in range(system.units.bit_length()) if 2**n < system.units]
    return (*powers, system.units)


def _level(draft: Need, client: Client, catalogue: Sequence[Claim], size: int) -> Level:
    """The clients for ``size`` units, by the figure that is claimed of one of them."""
    for figure, unit in _figures(draft.claim, catalogue):
        found = most(bounds(figure * size, unit, draft.test, client), client.link)
        return Level(size=size, clients=found)
    return Level(size=size, clients=None)


def _figures(claim: Claim, catalogue: Sequence[Claim]) -> Iterator[tuple[float, str]]:
    """(figure, unit) of one unit: of related claims on the same metric of the same product."""
    for other in catalogue:
        if other.id not in claim.related and claim.id not in other.related:
            continue
        if other.kind not in (ClaimKind.BANDWIDTH, ClaimKind.IOPS) or other.whole_system:
            continue
        for reading in other.interpretations:
            read = other.under(reading)
            if reading.value and (read.metric, read.scope) == (claim.metric, claim.scope):
                yield reading.value, read.unit
