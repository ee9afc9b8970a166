"""What saving and loading a checkpoint have in common: ranks, shards and their sizes."""

from typing import Annotated

from pydantic import Field

from aibench.definition.fields import Bytes, Count
from aibench.definition.source import Strict
from aibench.model import CachePolicy, Sizes

#: Weights in 2 bytes and three optimizer tensors in 4 bytes: 14 bytes a parameter, as published
#: checkpoint sizes of 8 to 405 billion parameters have it.
BYTES_PER_PARAMETER = 14


class Settings(Strict):
    """The settings of a checkpoint: ``ranks`` with ``shards`` files each.

    All files together hold ``parameters`` x ``bytes_per_parameter`` x ``scale``.
    """

    parameters: Count = 8_030_000_000
    bytes_per_parameter: Annotated[int, Field(ge=1, le=64, strict=True)] = BYTES_PER_PARAMETER
    scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    ranks: Annotated[int, Field(ge=1, le=1024, strict=True)] = 8
    shards: Annotated[int, Field(ge=1, le=4096, strict=True)] = 2
    io_size: Bytes = 16 * 2**20
    cache: CachePolicy = CachePolicy.COLD

    @property
    def files(self) -> int:
        """The number of shard files of one checkpoint."""
        return self.ranks * self.shards

    def shard_sizes(self) -> Sizes:
        """All shards have one size: the whole checkpoint over all files, rounded up."""
        total = int(self.parameters * self.bytes_per_parameter * self.scale)
        return Sizes(distribution="fixed", mean=max(-(-total // self.files), 1))
