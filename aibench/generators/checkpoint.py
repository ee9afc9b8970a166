"""What saving and loading a checkpoint have in common: ranks, shards and their sizes."""

from collections.abc import Iterable
from itertools import groupby
from typing import Annotated

from pydantic import Field, model_validator

from aibench.definition.fields import Bytes, Count
from aibench.definition.source import Strict
from aibench.generators.models import (
    OPTIMIZER_BYTES,
    PRESETS,
    WEIGHT_BYTES,
    Layout,
    Share,
    shares,
)
from aibench.model import CachePolicy, Sizes

#: Weights in 2 bytes and three optimizer tensors in 4 bytes: 14 bytes a parameter, as published
#: checkpoint sizes of 8 to 405 billion parameters have it.
BYTES_PER_PARAMETER = WEIGHT_BYTES + OPTIMIZER_BYTES

_Ways = Annotated[int, Field(ge=0, le=4096, strict=True)]


class Settings(Strict):
    """The settings of a checkpoint, of a known ``model`` or of so many ``parameters``.

    Without a model, ``ranks`` have ``shards`` files each, and all files together hold
    ``parameters`` x ``bytes_per_parameter`` x ``scale``. With one, files and sizes follow from the
    model and from how it is spread (``tensor``, ``pipeline``, ``data`` parallel ranks, ``zero``;
    0 takes those of the preset). ``scale`` makes each file smaller, ``first_ranks`` keeps the sizes
    and leaves out all ranks but the first ones.
    """

    model: str = ""
    tensor: _Ways = 0
    pipeline: _Ways = 0
    data: _Ways = 0
    zero: Annotated[int, Field(ge=0, le=3, strict=True)] = 0
    first_ranks: Annotated[int, Field(ge=0, le=1024, strict=True)] = 0
    parameters: Count = 8_030_000_000
    bytes_per_parameter: Annotated[int, Field(ge=1, le=64, strict=True)] = BYTES_PER_PARAMETER
    scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    ranks: Annotated[int, Field(ge=1, le=1024, strict=True)] = 8
    shards: Annotated[int, Field(ge=1, le=4096, strict=True)] = 2
    io_size: Bytes = 16 * 2**20
    cache: CachePolicy = CachePolicy.COLD

    @model_validator(mode="after")
    def _is_known(self) -> "Settings":
        if self.model and self.model not in PRESETS:
            raise ValueError(f"no model {self.model!r}; known: {', '.join(PRESETS)}")
        spread = (self.tensor, self.pipeline, self.data, self.zero, self.first_ranks)
        if not self.model and any(spread):
            raise ValueError(
                "tensor, pipeline, data, zero and first_ranks say how a model is spread: name one, "
                f"{', '.join(PRESETS)}"
            )
        self.rank_sizes()  # a layout that can't be is refused here
        return self

    def layout(self) -> Layout:
        """How the model is spread over ranks."""
        preset = PRESETS[self.model][1]
        return Layout(
            tensor=self.tensor or preset.tensor,
            pipeline=self.pipeline or preset.pipeline,
            data=self.data or preset.data,
            zero=self.zero or preset.zero,
        )

    def rank_sizes(self) -> tuple[tuple[int, ...], ...]:
        """The sizes in bytes of the files of each rank."""
        if not self.model:
            total = int(self.parameters * self.bytes_per_parameter * self.scale)
            each = max(-(-total // (self.ranks * self.shards)), 1)
            return ((each,) * self.shards,) * self.ranks
        every = shares(PRESETS[self.model][0], self.layout())
        return tuple(self._scaled(share) for share in every[: self.first_ranks or None])

    def _scaled(self, share: Share) -> tuple[int, ...]:
        return tuple(max(int(size * self.scale), 1) for size in share.files)

    def shard_sizes(self) -> Sizes:
        """The sizes of all shards, rank by rank: one size, or a list."""
        return sizes_of_list([size for rank in self.rank_sizes() for size in rank])

    def shard_shares(self) -> tuple[int, ...]:
        """How many files each rank has; nothing where all have as many."""
        counts = tuple(len(rank) for rank in self.rank_sizes())
        return counts if len(set(counts)) > 1 else ()

    @property
    def files(self) -> int:
        """The number of shard files of one checkpoint."""
        return sum(len(rank) for rank in self.rank_sizes())

    @property
    def writers(self) -> int:
        """How many ranks there are."""
        return len(self.rank_sizes())


def sizes_of_list(sizes: Iterable[int]) -> Sizes:
    """The distribution of sizes given one by one."""
    every = list(sizes)
    if len(set(every)) == 1:
        return Sizes(distribution="fixed", mean=every[0])
    listed = tuple((len(list(group)), size) for size, group in groupby(every))
    return Sizes(distribution="listed", mean=sum(every) // len(every), listed=listed)
