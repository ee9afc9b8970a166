"""Which part of which file each rank needs, when a model is spread over other ranks than saved it.

What a rank holds is a stretch of the model, whose parameters are in the order of its layers, and a
part of each tensor there. Tensor parallel ranks have parts of tensors, pipeline stages have
stretches, and so have data parallel ranks, whose optimizers ZeRO stage 1 splits flat; stage 3
splits each tensor over them. What a new rank needs is where the two overlap: its layers, its part
of the tensors in them, and of the optimizer its stretch. Norms, which tensor parallel ranks all
hold, are split like the others here; they are less than a thousandth.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import gcd

from aibench.generators.models import Layout, Model, stage_parameters
from aibench.model import Slice

_STAGE_3 = 3


@dataclass(frozen=True, slots=True)
class Box:
    """The stretch from ``low`` to before ``high`` of a model, and part ``part`` of ``parts`` there.

    ``optimizer``: of its optimizer, not of its weights. Where it was saved it is ``size`` bytes of
    those of a rank, from ``at`` on.
    """

    low: int
    high: int
    part: int
    parts: int
    optimizer: bool = False
    at: int = 0
    size: int = 0


class _Stretches:
    """The ranks that saved something of each stretch of the weights, or of the optimizer.

    Stretches are looked up by their ends; those of one kind don't overlap.
    """

    def __init__(self, old: Sequence[Sequence[Box]], *, optimizer: bool) -> None:
        there: dict[tuple[int, int], list[tuple[int, Box]]] = {}
        for rank, boxes in enumerate(old):
            for box in boxes:
                if box.optimizer == optimizer:
                    there.setdefault((box.low, box.high), []).append((rank, box))
        self._ends = sorted(there)
        self._there = there

    def overlapping(self, need: Box) -> Iterator[tuple[int, Box]]:
        """(rank, what it saved) of all that has some of the stretch of ``need``."""
        begin = bisect_left(self._ends, need.low, key=lambda ends: ends[1] - 1)
        end = bisect_left(self._ends, need.high, key=lambda ends: ends[0])
        for ends in self._ends[begin:end]:
            yield from self._there[ends]


def _stretches(model: Model, layout: Layout, times: int) -> list[list[list[int]]]:
    """By stage the first and last place of each file with weights; ``times`` the parameters."""
    found, at = [], 0
    for stage in range(layout.pipeline):
        ends = [at]
        for count, _ in stage_parameters(model, layout, stage):
            ends.append(ends[-1] + count * times)
        at = ends[-1]
        found.append([ends[k : k + 2] for k in range(len(ends) - 1)])
    return found


def held(model: Model, layout: Layout, times: int = 1) -> list[list[Box]]:
    """What each rank holds, in the order of ranks and of the files that each of them saves.

    Places count parameters, ``times`` over, so that stretches can be split evenly.
    """
    if layout.zero == _STAGE_3:
        parts, end = layout.tensor * layout.data, model.parameters * times
        both = (False, True)
        return [
            [Box(0, end, tensor * layout.data + data, parts, optimizer) for optimizer in both]
            for data in range(layout.data)
            for tensor in range(layout.tensor)
        ]
    found = []
    for data in range(layout.data):
        for files in _stretches(model, layout, times):
            low, high = files[0][0], files[-1][1]
            begin, end = (low + (high - low) * k // layout.data for k in (data, data + 1))
            for tensor in range(layout.tensor):
                weights = [Box(a, b, tensor, layout.tensor) for a, b in files]
                found.append([*weights, Box(begin, end, tensor, layout.tensor, optimizer=True)])
    return found


def saved(boxes: Sequence[Sequence[Box]], sizes: Sequence[Sequence[int]]) -> list[list[Box]]:
    """What each rank saved, where its files have these sizes; who saves no weights has one file."""
    found = []
    for rank, files in zip(boxes, sizes, strict=True):
        at, kept = 0, []
        for box, size in zip(rank[-len(files) :], files, strict=True):
            kept.append(replace(box, at=at, size=size))
            at += size
        found.append(kept)
    return found


def slices(
    old: Sequence[Sequence[Box]],
    new: Iterable[Sequence[Box]],
    files: Sequence[Sequence[tuple[int, int]]],
) -> Iterator[tuple[Slice, ...]]:
    """What each new rank needs, in the order of files.

    ``files`` are the (number, size) of those that hold what each old rank saved, one after the
    other, in however many files.
    """
    weights, optimizer = _Stretches(old, optimizer=False), _Stretches(old, optimizer=True)
    for needs in new:
        found = (
            piece
            for need in needs
            for rank, box in (optimizer if need.optimizer else weights).overlapping(need)
            if (part := _overlap(box, need)) is not None
            for piece in _placed(part, files[rank])
        )
        yield tuple(sorted(found, key=lambda part: (part.file, part.begin, part.first)))


def _overlap(box: Box, need: Box) -> Slice | None:
    """What of ``box`` is needed: of the bytes of its rank, before they lie in files."""
    low, high = max(box.low, need.low), min(box.high, need.high)
    first = max(box.part * need.parts, need.part * box.parts) - box.part * need.parts
    last = min((box.part + 1) * need.parts, (need.part + 1) * box.parts) - box.part * need.parts
    if first >= last:
        return None
    begin, end = (
        box.at + box.size * (place - box.low) // (box.high - box.low) for place in (low, high)
    )
    each = gcd(first, last, need.parts)
    return Slice(
        file=0, begin=begin, end=end,
        first=first // each, last=last // each, parts=need.parts // each,
    )  # fmt: skip


def _placed(part: Slice, files: Sequence[tuple[int, int]]) -> Iterator[Slice]:
    """The same in the files that it lies in."""
    at = 0
    for file, size in files:
        begin, end = max(part.begin - at, 0), min(part.end - at, size)
        if begin < end:
            yield replace(part, file=file, begin=begin, end=end)
        at += size
