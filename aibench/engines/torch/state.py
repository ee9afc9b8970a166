"""What a rank has in memory, as torch has it: tensors by name, whose bytes are aibench's own.

So a shard that a library saved holds the bytes that `aibench verify` knows.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import torch

from aibench.formats.content import BLOCK, Content
from aibench.formats.files import path_of
from aibench.formats.format import samples_in
from aibench.formats.tensors import cut, tensor_name, tensors_in
from aibench.model import Population

Tensors = dict[str, torch.Tensor]
#: Bytes of a mapping that are used before progress is told.
_PART = 64 * 2**20
_PAGE = 4096


def tensors_of(population: Population, file: int) -> Tensors:
    """The tensors of one shard."""
    content, found = Content(population.seed), {}
    (shard,) = samples_in(population, file)
    each = tensors_in(file, shard.length, population.tensors)
    for number, payload in enumerate(each):
        buffer = np.empty(max(-(-payload.length // BLOCK), 1) * BLOCK, dtype=np.uint8)
        content.fill(buffer, payload.sample, 0)
        found[tensor_name(number)] = torch.from_numpy(buffer[: payload.length])
    return found


def sizes_of_tensors(population: Population, file: int) -> tuple[int, ...]:
    """The sizes of the tensors of one shard."""
    (shard,) = samples_in(population, file)
    return cut(shard.length, population.tensors)


def together(population: Population, shards: Mapping[int, Tensors]) -> dict[str, Tensors]:
    """The state of a rank for a distributed checkpoint: the tensors of all its shards."""
    return {
        "model": {
            f"{stem(population, file)}.{name}": tensor
            for file, tensors in shards.items()
            for name, tensor in tensors.items()
        }
    }


def stem(population: Population, file: int) -> str:
    """What tensors are called after: the file in which aibench itself would save them."""
    return path_of(population, file).rpartition("/")[2]


def copied(shards: Mapping[int, Tensors]) -> dict[int, Tensors]:
    """A snapshot: copies of all tensors."""
    return {
        file: {name: tensor.clone() for name, tensor in tensors.items()}
        for file, tensors in shards.items()
    }


class Used:
    """Uses every page of mapped tensors, and counts the bytes."""

    def __init__(self) -> None:
        self.bytes = 0

    def use(self, tensors: Iterable[torch.Tensor]) -> None:
        """Have the pages of these tensors read, each by a fault where it is not there."""
        for tensor in tensors:
            for part in tensor.view(torch.uint8).reshape(-1).split(_PART):
                part[::_PAGE].sum()
                self.bytes += len(part)
