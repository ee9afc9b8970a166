"""Ratios for each unit of what a side costs: its price, its watts, its rack units, its space."""

from collections.abc import Iterator
from math import log

from aibench.model.comparison import PerUnit, Side


def per_unit(
    first: Side, second: Side, center: float, low: float, high: float
) -> tuple[PerUnit, ...]:
    """The ratio of two rates, divided by all that both sides tell; the interval moves along."""
    return tuple(
        PerUnit(
            what=what, first=one, second=other, log_ratio=center - shift,
            log_low=low - shift, log_high=high - shift,
        )
        for what, one, other in _shared(first, second)
        for shift in (log(one) - log(other),)
    )  # fmt: skip


def _shared(first: Side, second: Side) -> Iterator[tuple[str, float, float]]:
    for (what, one), (_, other) in zip(_declared(first), _declared(second), strict=True):
        if one and other and what:
            yield what, one, other
    if not (first.system and second.system):
        return
    mine, others = first.system, second.system
    if mine.price and others.price and mine.currency == others.currency:
        yield mine.currency or "price", mine.price, others.price
    if mine.unit == others.unit:
        yield mine.unit, mine.units, others.units


def _declared(side: Side) -> tuple[tuple[str, float | None], ...]:
    system, space = side.system, side.target.total_bytes
    return (
        ("W", system.power_watts if system else None),
        ("rack unit", system.rack_units if system else None),
        ("TB", space / 1e12 if space and system else None),
    )
