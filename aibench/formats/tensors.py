"""How a shard of a checkpoint is cut into tensors, and how Python pickles what describes them.

The sizes of tensors repeat (`Population.tensors`), as the layers of a model do; the last one takes
what is left. Tensors are of bytes, with one dimension: only their sizes matter to the storage. Each
has a content of its own.
"""

import io
import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import cycle
from typing import Any, ClassVar

import numpy as np

from aibench.formats.draws import Sizes64
from aibench.formats.format import Payload
from aibench.model import Population

#: A file has fewer tensors; content of the tensor ``k`` of a file has the number file × this + k.
MOST_TENSORS = 2**20
#: From this protocol on names are pickled as strings.
_STACKED = 4


@lru_cache(maxsize=256)
def cut(size: int, pattern: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of the tensors of a shard with ``size`` bytes. ValueError for too many."""
    if not pattern or size == 0:
        return (size,)
    whole, left = divmod(size, sum(pattern))
    if whole * len(pattern) >= MOST_TENSORS:
        raise ValueError(f"a shard of {size} bytes has more than {MOST_TENSORS - 1} tensors")
    found = list(pattern) * whole
    for length in cycle(pattern):
        if left == 0:
            return tuple(found)
        found.append(min(length, left))
        left -= found[-1]
    raise AssertionError


def tensors_in(file: int, size: int, pattern: tuple[int, ...]) -> list[Payload]:
    """The tensors of a file whose shard has ``size`` bytes, in their order."""
    first = (file + 1) * MOST_TENSORS
    return [Payload(first + k, length) for k, length in enumerate(cut(size, pattern))]


def tensor_name(number: int) -> str:
    """What a tensor is called."""
    return f"tensor.{number:06d}"


def sizes_by(
    size_of_shard: Callable[[Population, int], int], population: Population, samples: Sizes64
) -> Sizes64:
    """The sizes of files, worked out once for each size of a shard; ``samples`` has one a row."""
    sizes, places = np.unique(samples[:, 0], return_inverse=True)
    found = [size_of_shard(population, size) for size in sizes.tolist()]
    return np.array(found, dtype=np.int64)[places.reshape(-1)]


def one_shard(population: Population) -> str | None:
    """Why a population can't hold shards: each is a file of its own."""
    if population.samples_per_file > 1:
        return f"format {population.format!r} holds one sample a file"
    return None


def named(module: str, name: str) -> type:
    """A class or function of another library, which need not be installed, to be pickled."""
    return type(name, (), {"__module__": module})


#: The one in Python: the one in C insists on importing what it names.
_Python = pickle._Pickler  # noqa: SLF001


class _Pickler(_Python):
    """Pickles references as they are; storages are left out, as ``persistent_id`` has it."""

    def persistent_id(self, obj: object) -> object:
        return obj.ident if isinstance(obj, Storage) else None

    def save_global(self, obj: Any, name: str | None = None) -> None:
        pickler: Any = self  # typeshed knows little of it
        where, what = obj.__module__, name or obj.__qualname__
        if pickler.proto < _STACKED:
            pickler.write(pickle.GLOBAL + f"{where}\n{what}\n".encode())
        else:
            pickler.save(where)
            pickler.save(what)
            pickler.write(pickle.STACK_GLOBAL)
        pickler.memoize(obj)

    dispatch: ClassVar[dict[type, Any]] = {**_Python.dispatch, type: save_global}


class Storage:
    """What a tensor lies in; its bytes are elsewhere."""

    def __init__(self, *ident: object) -> None:
        self.ident = ident


def pickled(what: object, protocol: int) -> bytes:
    """``what`` as Python pickles it."""
    file = io.BytesIO()
    _Pickler(file, protocol).dump(what)
    return file.getvalue()


def lengths(parts: Iterator[bytes | Payload] | Sequence[bytes | Payload]) -> int:
    """How many bytes some parts are."""
    return sum(part.length if isinstance(part, Payload) else len(part) for part in parts)
