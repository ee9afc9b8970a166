"""Whole numbers in ranges: what is missing of a data set is long, and has few gaps."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import overload


class Spans(Sequence[int]):
    """Ascending whole numbers, kept as the ranges that they are."""

    def __init__(self, ranges: Iterable[range]) -> None:
        self.ranges = tuple(each for each in ranges if each)
        self._begins = [0, *accumulate(map(len, self.ranges))]

    @classmethod
    def without(cls, count: int, done: Iterable[int]) -> "Spans":
        """Those of ``range(count)`` that are not ``done``."""
        ends = [-1, *sorted({number for number in done if 0 <= number < count}), count]
        return cls(range(before + 1, after) for before, after in pairwise(ends))

    def __len__(self) -> int:
        return self._begins[-1]

    def __iter__(self) -> Iterator[int]:
        for each in self.ranges:
            yield from each

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> "Spans": ...

    def __getitem__(self, place: int | slice) -> "int | Spans":
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step != 1:
                raise ValueError("only neighbours can be taken out of spans")
            pairs = zip(self.ranges, self._begins, strict=False)
            return Spans(each[max(start - at, 0) : max(stop - at, 0)] for each, at in pairs)
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        place %= len(self)
        number = bisect_right(self._begins, place) - 1
        return self.ranges[number][place - self._begins[number]]

    def __reduce__(self) -> tuple[type["Spans"], tuple[tuple[range, ...]]]:
        return Spans, (self.ranges,)

    def __repr__(self) -> str:
        return f"Spans({list(self.ranges)!r})"
