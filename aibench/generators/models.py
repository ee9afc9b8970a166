"""Large language models by formula: parameters, and the files that their checkpoints have.

Sizes and layouts are those that published checkpoint benchmarks use for models of 8 billion to one
trillion parameters: weights in 2 bytes, and three optimizer tensors in 4 bytes, 14 bytes a
parameter. What a rank writes follows from how the model is spread over ranks: by tensor, pipeline
and data parallelism, and by the stage of ZeRO (Rajbhandari et al. 2020).
"""

from collections.abc import Mapping
from dataclasses import dataclass

#: Bytes of one parameter among the weights, and in all optimizer tensors together.
WEIGHT_BYTES, OPTIMIZER_BYTES = 2, 12
#: Optimizer state besides the parameters' own: so many values of hidden size a rank, three tensors
#: in 4 bytes each.
_EXTRA_NORMS = 5
#: The stage of ZeRO that shards weights, gradients and optimizer; stage 1 only the latter.
_WHOLLY_SHARDED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A transformer with grouped attention and a gated feed-forward part."""

    hidden: int
    feed_forward: int
    heads: int
    kv_heads: int
    layers: int
    vocabulary: int

    @property
    def layer_tensors(self) -> tuple[int, ...]:
        """The parameters of each tensor of one layer, in the order in which they are stored."""
        kv = self.hidden // self.heads * self.kv_heads
        square, wide = self.hidden**2, self.hidden * self.feed_forward
        return (
            self.hidden, square, self.hidden * kv, self.hidden * kv, square,
            self.hidden, wide, wide, wide,
        )  # fmt: skip

    @property
    def layer_parameters(self) -> int:
        """The parameters of one layer."""
        return sum(self.layer_tensors)

    @property
    def parameters(self) -> int:
        """All parameters: embedding, layers, last norm, head."""
        ends = 2 * self.vocabulary * self.hidden + self.hidden
        return ends + self.layers * self.layer_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a model is spread: tensor, pipeline and data parallel ranks, and the stage of ZeRO."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    zero: int = 3

    def __post_init__(self) -> None:
        if min(self.tensor, self.pipeline, self.data) < 1 or self.zero not in (1, _WHOLLY_SHARDED):
            raise ValueError("a layout has at least one rank of each kind, and ZeRO stage 1 or 3")
        if self.zero == _WHOLLY_SHARDED and self.pipeline > 1:
            raise ValueError("ZeRO stage 3 is not combined with pipeline parallelism")

    @property
    def ranks(self) -> int:
        """All ranks."""
        return self.tensor * self.pipeline * self.data


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one rank writes: the sizes of its files with weights, and of that with its optimizer."""

    weights: tuple[int, ...]
    optimizer: int

    @property
    def files(self) -> tuple[int, ...]:
        """The sizes of all its files in bytes."""
        return (*self.weights, self.optimizer)


#: Models by the number of their parameters, with the layout of a published benchmark.
PRESETS: Mapping[str, tuple[Model, Layout]] = {
    "8b": (
        Model(hidden=4096, feed_forward=14336, heads=32, kv_heads=8, layers=32, vocabulary=128_256),
        Layout(data=8),
    ),
    "70b": (
        Model(
            hidden=8192, feed_forward=28672, heads=128, kv_heads=8, layers=80, vocabulary=128_256
        ),
        Layout(tensor=8, data=8),
    ),
    "405b": (
        Model(
            hidden=16384, feed_forward=53248, heads=128, kv_heads=8, layers=126, vocabulary=128_256
        ),
        Layout(tensor=8, pipeline=32, data=2, zero=1),
    ),
    "1t": (
        Model(
            hidden=25872, feed_forward=98304, heads=192, kv_heads=32, layers=128,
            vocabulary=128_256,
        ),
        Layout(tensor=8, pipeline=64, data=2, zero=1),
    ),
}  # fmt: skip


def shares(model: Model, layout: Layout) -> tuple[Share, ...]:
    """What each rank writes, in the order of ranks: data parallel, pipeline, tensor, inmost last.

    With ZeRO stage 3 every rank has its part of the weights in one file. With stage 1 the first
    data parallel ranks write a file for each of their layers; all have their part of the optimizer.
    """
    each = -(-model.parameters // layout.ranks) + _EXTRA_NORMS * model.hidden
    optimizer = OPTIMIZER_BYTES * each
    if layout.zero == _WHOLLY_SHARDED:
        held = sum(_stage_files(model, layout, 0))
        weights = -(-held // layout.data)
        return (Share(weights=(weights,), optimizer=optimizer),) * layout.ranks
    found = []
    for data in range(layout.data):
        for stage in range(layout.pipeline):
            files = _stage_files(model, layout, stage) if data == 0 else ()
            found += [Share(weights=files, optimizer=optimizer)] * layout.tensor
    return tuple(found)


def stage_parameters(model: Model, layout: Layout, stage: int) -> tuple[tuple[int, int], ...]:
    """The parameters in each file with weights of a stage, and how many of them are never split.

    The first stage has the embedding, the last one the last norm and the head. Matrices are split
    over tensor parallel ranks; norms are not, each of them holds them all.
    """
    ends, norms = model.vocabulary * model.hidden, model.hidden
    count, stages = model.layers, layout.pipeline
    layers = count * (stage + 1) // stages - count * stage // stages
    first = ((ends, 0),) if stage == 0 else ()
    last = ((norms, norms), (ends, 0)) if stage == stages - 1 else ()
    return (*first, *[(model.layer_parameters, 2 * norms)] * layers, *last)


def _stage_files(model: Model, layout: Layout, stage: int) -> tuple[int, ...]:
    """The sizes of the files with weights that one tensor parallel rank of a stage writes."""
    return tuple(
        WEIGHT_BYTES * (-(-(count - whole) // layout.tensor) + whole)
        for count, whole in stage_parameters(model, layout, stage)
    )


def tensor_sizes(model: Model, layout: Layout, scale: float = 1.0) -> tuple[int, ...]:
    """The sizes in bytes of the tensors that a rank writes of one layer: weights, split and scaled.

    With ZeRO stage 3 each tensor is split over all ranks, else its matrices over tensor parallel
    ones; scaled down none is smaller than 1 byte.
    """
    parts = layout.ranks if layout.zero == _WHOLLY_SHARDED else layout.tensor
    sizes = (WEIGHT_BYTES * size / parts * scale for size in model.layer_tensors)
    return tuple(max(int(size), 1) for size in sizes)


def tensor_rows(model: Model, layout: Layout, scale: float = 1.0) -> tuple[int, ...]:
    """The bytes of a row of each of these tensors, 0 where they are split by rows.

    Only the outputs of attention and feed-forward part are split by columns, and nothing is with
    ZeRO stage 3, which splits what is flat. Scaled down there are fewer rows of the same length.
    """
    if layout.zero == _WHOLLY_SHARDED:
        return ()
    wide = {4: model.hidden, 8: model.feed_forward}
    sizes = tensor_sizes(model, layout, scale)
    rows = (WEIGHT_BYTES * -(-wide.get(k, 0) // layout.tensor) for k in range(len(sizes)))
    return tuple(row if row <= size else 0 for row, size in zip(rows, sizes, strict=True))


def total_bytes(model: Model, layout: Layout) -> int:
    """The bytes of one checkpoint, all ranks together."""
    return sum(sum(share.files) for share in shares(model, layout))
