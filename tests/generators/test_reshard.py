"""Which bytes of a checkpoint each rank needs when a model is spread over other ranks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import DataObject, data, integers, lists, sampled_from, tuples

from aibench.formats.slicing import needed_bytes, runs
from aibench.formats.tensors import cut
from aibench.generators import resuming
from aibench.generators.models import PRESETS, Layout, Model, shares, tensor_rows, tensor_sizes
from aibench.model import Population, Sizes, Slice
from tests import build

MODEL = Model(hidden=64, feed_forward=160, heads=8, kv_heads=4, layers=12, vocabulary=1000)


def checkpoint(model: Model, layout: Layout, **changes: Any) -> Population:
    """The files that the ranks of ``layout`` save of ``model``."""
    sizes = tuple((1, size) for rank in shares(model, layout) for size in rank.files)
    parts: dict[str, Any] = {
        "files": len(sizes),
        "sizes": Sizes(distribution="listed", mean=sizes[0][1], smallest=0, listed=sizes),
        "tensors": tensor_sizes(model, layout),
        "columns": resuming.columns(model, layout, 1.0),
        "format": "safetensors",
    }
    return build.population(**parts | changes)


def needs(
    model: Model, old: Layout, new: Layout, *, weights_only: bool = False
) -> tuple[tuple[Slice, ...], ...]:
    """What each rank of ``new`` needs of what those of ``old`` saved."""
    sizes = [rank.weights if weights_only else rank.files for rank in shares(model, old)]
    held = [files for files in sizes if files]
    return resuming.of_model(model, old, new, held, held, 0, weights_only=weights_only)


def taken(population: Population, parts: tuple[Slice, ...], counts: list[np.ndarray]) -> None:
    """Count each byte of each file that these need."""
    for part in parts:
        for run in runs(population, part):
            for piece in range(run.count):
                start = run.start + piece * run.stride
                counts[part.file][start : start + run.length] += 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1, 1, 4, 3), (1, 1, 4, 3)),
        ((1, 1, 4, 3), (1, 1, 6, 3)),
        ((2, 1, 4, 3), (4, 1, 1, 3)),
        ((4, 3, 2, 1), (4, 3, 2, 1)),
        ((2, 2, 3, 1), (4, 3, 2, 1)),
        ((4, 4, 1, 1), (2, 1, 5, 1)),
        ((1, 5, 2, 1), (3, 2, 1, 1)),
    ],
)
def test_all_ranks_together_need_everything_once(
    before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    """Of the optimizer every byte goes to one rank; weights to one of each data parallel copy."""
    ways = ("tensor", "pipeline", "data", "zero")
    old, new = (Layout(**dict(zip(ways, each, strict=True))) for each in (before, after))
    population = checkpoint(MODEL, old)
    sizes = [rank.files for rank in shares(MODEL, old)]
    counts = [np.zeros(size, dtype=np.int64) for files in sizes for size in files]
    ranks = needs(MODEL, old, new)
    assert len(ranks) == new.ranks
    for parts in ranks:
        taken(population, parts, counts)
        assert list(parts) == sorted(parts, key=lambda part: (part.file, part.begin))
    copies = 1 if old.zero == 3 else new.data
    at = 0
    for files in sizes:
        for place, count in enumerate(counts[at : at + len(files)]):
            expected = 1 if place == len(files) - 1 else copies
            assert (count == expected).all()
        at += len(files)
    assert resuming.needed(population, ranks) == sum(int(count.sum()) for count in counts)


def test_the_same_layout_needs_whole_files() -> None:
    """Who goes on as it was needs its own files whole, and weights from those who saved them."""
    layout = Layout(tensor=2, pipeline=2, data=2, zero=1)
    sizes = [rank.files for rank in shares(MODEL, layout)]
    ranks = needs(MODEL, layout, layout)
    for number, parts in enumerate(ranks):
        every = [size for files in sizes for size in files]
        assert all(part == Slice(file=part.file, begin=0, end=every[part.file]) for part in parts)
        own = range(sum(map(len, sizes[:number])), sum(map(len, sizes[: number + 1])))
        weights = [part.file for part in parts[:-1]]
        if number < 4:
            assert weights == list(own[:-1])
        assert parts[-1].file == own[-1]
    assert [part.file for part in ranks[4][:-1]] == [part.file for part in ranks[0][:-1]]


def test_pipeline_stages_are_regrouped_by_whole_layers() -> None:
    """With half the stages, a rank needs the layers of two old ones and no part of a tensor."""
    old, new = (Layout(tensor=1, pipeline=stages, data=1, zero=1) for stages in (4, 2))
    first, second = needs(MODEL, old, new, weights_only=True)
    assert {(part.first, part.last, part.parts) for part in (*first, *second)} == {(0, 1, 1)}
    assert (len(first), len(second)) == (1 + 6, 6 + 2)  # embedding; norm and head


def test_parts_of_tensors_split_by_columns_are_strided() -> None:
    """Of outputs of attention and feed-forward a part of each row is needed, else some rows."""
    old, new = Layout(tensor=2, zero=1), Layout(tensor=4, zero=1)
    population = checkpoint(MODEL, old)
    part = next(p for p in needs(MODEL, old, new)[1] if p.file == 1)  # its first layer
    assert (part.first, part.last, part.parts) == (1, 2, 2)
    found = {run.tensor: run for run in runs(population, part)}
    rows = {k: run for k, run in found.items() if run.count > 1}
    assert sorted(rows) == [4, 8]
    assert (rows[4].length, rows[4].stride, rows[4].count) == (64 // 4 * 2, 64 // 2 * 2, 64)
    assert (rows[8].length, rows[8].stride, rows[8].count) == (160 // 4 * 2, 160 // 2 * 2, 64)
    sizes = cut(shares(MODEL, old)[0].files[1], population.tensors)
    assert found[1].length == sizes[1] // 2
    assert needed_bytes(population, part) == sum(run.bytes for run in found.values())


@given(data())
def test_the_size_of_a_slice_is_that_of_its_runs(data: DataObject) -> None:
    """However a shard is cut into tensors and rows, and however many parts they are split into."""
    shard = data.draw(integers(1, 2**40))
    cut_by = data.draw(lists(tuples(integers(0, 2**20), integers(1, 2**20)), max_size=5))
    tensors = tuple(max(row, 1) * (count + shard // (500 * max(row, 1))) for row, count in cut_by)
    population = build.population(
        directory="shard", files=1, format="safetensors",
        tensors=tensors,
        columns=data.draw(sampled_from(((), tuple(row for row, _ in cut_by)))),
        sizes=Sizes(distribution="fixed", mean=shard),
    )  # fmt: skip
    parts = data.draw(integers(1, 2**40))
    first = data.draw(integers(0, parts - 1))
    last = data.draw(integers(first + 1, parts))
    begin, end = sorted(data.draw(tuples(integers(0, shard), integers(0, shard))))
    part = Slice(file=0, begin=begin, end=end, first=first, last=last, parts=parts)
    assert needed_bytes(population, part) == sum(run.bytes for run in runs(population, part))


@pytest.mark.parametrize("name", PRESETS)
def test_large_models_are_regrouped(name: str) -> None:
    """Half as many tensor parallel ranks need, each, twice as much of the weights."""
    model, old = PRESETS[name]
    new = replace(old, tensor=max(old.tensor // 2, 1), data=old.data * min(old.tensor, 2))
    ranks = needs(model, old, new)
    every = sum(sum(rank.files) for rank in shares(model, old))
    weights = sum(sum(rank.weights) for rank in shares(model, old))
    spans = sum(
        (part.end - part.begin) * (part.last - part.first) / part.parts
        for parts in ranks
        for part in parts
    )
    copies = 1 if old.zero == 3 else new.data
    assert spans == pytest.approx(every + (copies - 1) * weights, rel=1e-6)


def test_scaled_tensors_keep_the_length_of_their_rows() -> None:
    """A smaller tensor has fewer rows; one smaller than a row is split by rows."""
    model, layout = PRESETS["405b"]
    whole, half, none = (tensor_rows(model, layout, scale) for scale in (1.0, 0.5, 1e-9))
    assert whole == half == (0, 0, 0, 0, 2 * 16384 // 8, 0, 0, 0, 2 * 53248 // 8)
    assert none == (0,) * 9
    assert resuming.columns(model, layout, 1e-9) == ()
    assert resuming.columns(*PRESETS["70b"], 1.0) == ()
