"""What a resume needs beyond a checkpoint's own settings: slices of shards, and its data set."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from aibench.formats.format import format_named
from aibench.formats.slicing import needed_bytes
from aibench.generators.kind import Request
from aibench.generators.load import Data, reading
from aibench.generators.models import Layout, Model, tensor_rows
from aibench.generators.reshard import Box, held, saved, slices
from aibench.model import Dataset, Indexing, Order, Phase, Population, Slice
from aibench.workers.loops.feed import samples_of

_Slices = tuple[tuple[Slice, ...], ...]
_Sizes = Sequence[Sequence[int]]
#: Settings of a data set that follow from those of the checkpoint.
_SHARED = ("cache", "python")


def columns(model: Model, layout: Layout, scale: float) -> tuple[int, ...]:
    """The bytes of a row of each tensor; nothing where none is split by columns."""
    found = tensor_rows(model, layout, scale)
    return found if any(found) else ()


def of_model(
    model: Model,
    old: Layout,
    new: Layout,
    shards: _Sizes,
    sizes: _Sizes,
    first: int,
    *,
    weights_only: bool,
) -> _Slices:
    """What each rank of the layout ``new`` needs of what those of ``old`` saved.

    ``shards`` are the sizes of what each rank saved, ``sizes`` of the files that it saved that in,
    from the number ``first`` on.
    """
    times = old.data * new.data
    before, after = (
        [[box for box in rank if not (weights_only and box.optimizer)] for rank in ranks]
        for ranks in (held(model, old, times), held(model, new, times))
    )
    return tuple(slices(saved(before[: len(shards)], shards), after, _numbered(sizes, first)))


def of_parts(sizes: _Sizes, loaders: int, first: int) -> _Slices:
    """What each of so many ranks needs, where all have the same part of every tensor."""
    before = [
        [Box(0, 1, rank, len(sizes), at=0, size=sum(files))] for rank, files in enumerate(sizes)
    ]
    after = [[Box(0, 1, rank, loaders)] for rank in range(loaders)]
    return tuple(slices(before, after, _numbered(sizes, first)))


def _numbered(sizes: _Sizes, first: int) -> list[list[tuple[int, int]]]:
    """The number and the size of each file of each rank."""
    starts = accumulate((len(files) for files in sizes), initial=first)
    return [list(enumerate(files, start)) for files, start in zip(sizes, starts, strict=False)]


def needed(population: Population, ranks: _Slices) -> int:
    """The bytes that all ranks need together."""
    return sum(needed_bytes(population, part) for rank in ranks for part in rank)


def refuse_dataset(asked: Data, indexing: str) -> None:
    """ValueError where a resume can't have such a data set."""
    for name in _SHARED:
        if name in asked.model_fields_set:
            raise ValueError(f"dataset.{name}: it is that of the checkpoint, say it there")
    if indexing == "read" and not format_named(asked.format).sidecars:
        raise ValueError(f"format {asked.format!r} has no index beside its files: list or stat")


def dataset_of(asked: Data | None, indexing: str, request: Request, ranks: int) -> Dataset | None:
    """What each rank reads after its checkpoint. ValueError where there is not a batch for each."""
    if asked is None:
        return None
    named = replace(request, workload=f"{request.workload}-samples", cache=None)
    phase: Phase = reading(asked, named, ranks)
    count = phase.population.files if _streams(phase) else samples_of(phase)
    fewest = ranks if _streams(phase) else ranks * asked.batch
    if count < fewest:
        raise ValueError(
            f"dataset: {count} samples or shards are no batch for each of {ranks} ranks; make more "
            f"files ({fewest}), a smaller batch, or fewer ranks"
        )
    return Dataset(
        population=phase.population,
        indexing=Indexing(indexing),
        reader=phase.reader,
        batch=asked.batch,
        window=phase.window,
        shuffled=asked.order is Order.SHUFFLED,
    )


def _streams(phase: Phase) -> bool:
    return format_named(phase.population.format).readers[phase.reader].streams
