"""Where the tensors of a distributed checkpoint of torch are, and how torch pickles that."""

import copyreg
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from aibench.formats.files import path_of
from aibench.formats.format import samples_in
from aibench.formats.tensors import cut, named, pickled, tensor_name
from aibench.formats.torchzip import Archive, layout, tensor_pickle
from aibench.model import Population

_METADATA, _FILES = (
    "torch.distributed.checkpoint.metadata",
    "torch.distributed.checkpoint.filesystem",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor of ``size`` bytes is: at ``offset`` of a file, ``length`` with all around."""

    name: str
    size: int
    file: str
    offset: int
    length: int


class _Built:
    """An object that is pickled as its class and its state."""

    def __init__(self, state: object) -> None:
        self.state = state

    def __reduce_ex__(self, _protocol: object) -> tuple[Any, ...]:
        return copyreg.__newobj__, (type(self),), self.state  # type: ignore[attr-defined]


class _Called:
    """An object that is pickled as a call."""

    def __init__(self, function: type, *arguments: object) -> None:
        self._call = function, arguments

    def __reduce_ex__(self, _protocol: object) -> tuple[Any, ...]:
        return self._call


def _built(name: str, module: str = _METADATA) -> type[_Built]:
    return type(name, (_Built,), {"__module__": module})


_Metadata, _Tensor, _Properties = (
    _built("Metadata"), _built("TensorStorageMetadata"), _built("TensorProperties"),
)  # fmt: skip
_Chunk, _Index, _Info = (
    _built("ChunkStorageMetadata"), _built("MetadataIndex"), _built("_StorageInfo", _FILES),
)  # fmt: skip
_Meta = _built("StorageMeta")
_Size, _uint8 = named("torch", "Size"), named("torch", "uint8")
_layout = _Called(named("torch.serialization", "_get_layout"), "torch.strided")
_memory = _Called(named(_METADATA, "_MEM_FORMAT_ENCODING"), 0)


def _size(length: int) -> _Called:
    return _Called(_Size, (length,))


def pickled_metadata(places: Iterable[Place]) -> bytes:
    """The metadata of a checkpoint with tensors of bytes in these places."""
    state, planned, stored = {}, {}, {}
    for place in places:
        chunk = _Chunk({"offsets": _size(0), "sizes": _size(place.size)})
        properties = _Properties((_uint8, _layout, False, _memory, False))
        state[place.name] = _Tensor(
            {"properties": properties, "size": _size(place.size), "chunks": [chunk]}
        )
        planned[place.name] = ("model", place.name.removeprefix("model."))
        index = _Index({"fqn": place.name, "index": 0, "offset": _size(0)})
        stored[index] = _Info(
            {"relative_path": place.file, "offset": place.offset, "length": place.length}
        )
    meta: dict[str, object] = {
        "checkpoint_id": None,
        "save_id": None,
        "load_id": None,
        "modules": [],
    }
    return pickled(
        _Metadata(
            {
                "state_dict_metadata": state,
                "planner_data": planned,
                "storage_data": stored,
                "storage_meta": _Meta(meta),
                "version": "1.0.0",
            }
        ),
        4,
    )


def archive_of(size: int) -> Archive:
    """Where everything is in the archive of one tensor."""
    return layout(b"archive", len(tensor_pickle(size)), (size,))


def places_of(population: Population, file: int) -> Iterator[Place]:
    """Where the tensors of a file are."""
    (shard,) = samples_in(population, file)
    at, name = 0, path_of(population, file).rpartition("/")[2]
    for number, size in enumerate(cut(shard.length, population.tensors)):
        length = archive_of(size).size
        yield Place(f"model.{name}.{tensor_name(number)}", size, name, at, length)
        at += length


@lru_cache(maxsize=8)
def metadata(population: Population, first: int) -> bytes:
    """What stands in the file ``first``: what is where in those after it in its directory."""
    last = min(first + population.files_per_directory, population.files)
    return pickled_metadata(
        place for file in range(first + 1, last) for place in places_of(population, file)
    )
