"""Inputs that are known within a range, and what a result then lies within."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

from aibench.errors import Refused

#: What a model takes: its inputs by name.
Values = Mapping[str, float]

#: Looked at along the range of one input, ends included: the result may bend between them.
_POINTS = 9
#: With more ranges than this not all their corners are looked at.
_MOST_CORNERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A number, and between which two it may lie."""

    low: float
    typical: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.typical <= self.high:
            raise Refused(
                f"a range goes from low over typical to high, not "
                f"{self.low}, {self.typical}, {self.high}"
            )

    @property
    def is_open(self) -> bool:
        """Whether it is more than one number."""
        return self.low < self.high


def exactly(value: float) -> Range:
    """The range of a number that is taken to be known."""
    return Range(low=value, typical=value, high=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """What a result is at both ends of one input, all others at their typical values."""

    name: str
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        """The distance between both."""
        return abs(self.at_high - self.at_low)


def band(result: Callable[[Values], float], inputs: Mapping[str, Range]) -> Range:
    """The smallest and the largest ``result`` over the ranges of ``inputs``.

    Looked at in all corners of up to ten ranges, the ones that matter most, and along each range
    by itself.
    """
    typical = {name: each.typical for name, each in inputs.items()}
    at_typical = result(typical)
    found = [at_typical]
    for name, each in inputs.items():
        if each.is_open:
            found += [result(typical | {name: value}) for value in _along(each)]
    wide = [swing.name for swing in swings(result, inputs)][:_MOST_CORNERS]
    ends = [(inputs[name].low, inputs[name].high) for name in wide]
    found += [result(typical | dict(zip(wide, c, strict=True))) for c in product(*ends)]
    return Range(low=min(found), typical=at_typical, high=max(found))


def swings(result: Callable[[Values], float], inputs: Mapping[str, Range]) -> tuple[Swing, ...]:
    """What each input that has a range does to the ``result``, the one that matters most first."""
    typical = {name: each.typical for name, each in inputs.items()}
    found = [
        Swing(
            name=name,
            at_low=result(typical | {name: each.low}),
            at_high=result(typical | {name: each.high}),
        )
        for name, each in inputs.items()
        if each.is_open
    ]
    return tuple(sorted(found, key=lambda swing: (-swing.width, swing.name)))


def _along(each: Range) -> list[float]:
    step = (each.high - each.low) / (_POINTS - 1)
    return [min(each.low + step * n, each.high) for n in range(_POINTS)]
