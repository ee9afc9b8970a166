"""Checkpoints in OCDBT, the database of tensorstore that Orbax saves arrays of zarr in.

A directory has a manifest, its first file (``manifest.ocdbt``, there), data files with the values
of many keys, and last the file with the root of the tree (``d/<32 digits>``, there). A rank's data
file holds, of each tensor, its one chunk and its ``zarr.json``, and at the end the leaf of the tree
that tells where they are. As tensorstore 0.1.86 writes it, without compression.
"""

from collections.abc import Generator, Iterator
from functools import lru_cache

import numpy as np

from aibench.formats.btree import Node, Value, common, leaf, manifest, root
from aibench.formats.draws import Sizes64, sample_sizes, size_classes
from aibench.formats.files import path_of
from aibench.formats.format import Access, Contents, Format, Part, Reading, Saving, samples_in
from aibench.formats.readers import name_of
from aibench.formats.tensors import cut, one_shard, sizes_by, tensor_name, tensors_in
from aibench.formats.zarr3 import array_metadata, read_value
from aibench.model import Population

#: When the tree was written, for all: data follow from the seed alone. 2026-01-01 in ns.
_WRITTEN_NS = 1_767_225_600 * 10**9
_HEIGHT = 1


def _file_name(population: Population, file: int) -> str:
    return path_of(population, file).rpartition("/")[2]


def _values(population: Population, file: int) -> list[Value]:
    """What a data file holds, in the order of the keys, which is that of the bytes."""
    (shard,) = samples_in(population, file)
    found, at, name = [], 0, _file_name(population, file)
    for number, size in enumerate(cut(shard.length, population.tensors)):
        array = f"{name}.{tensor_name(number)}"
        described = len(array_metadata(size))
        found.append(Value(f"{array}/c/0", name, at, size))
        found.append(Value(f"{array}/zarr.json", name, at + size, described))
        at += size + described
    return found


@lru_cache(maxsize=64)
def _leaf(population: Population, file: int) -> tuple[Node, bytes]:
    """The leaf at the end of a data file: what stands above it of it, and its bytes."""
    values = _values(population, file)
    first, last = values[0].key, values[-1].key
    block = leaf(values, common(first, last))
    at = values[-1].offset + values[-1].length
    node = Node(first, last, values[0].file, at, len(block), len(values), len(block), at)
    return node, block


def _shards(population: Population, file: int) -> range:
    """The data files of the checkpoint that ``file`` belongs to."""
    each = population.files_per_directory
    first = file - file % each
    return range(first + 1, min(first + each, population.files) - 1)


@lru_cache(maxsize=8)
def _root(population: Population, file: int) -> tuple[Node, bytes]:
    """The root of the tree, the last file of a checkpoint."""
    nodes = [_leaf(population, shard)[0] for shard in _shards(population, file)]
    block = root(nodes)
    name = _file_name(population, file)
    keys, values = sum(node.keys for node in nodes), sum(node.value_bytes for node in nodes)
    trees = sum(node.tree_bytes for node in nodes) + len(block)
    return Node("", "", name, 0, len(block), keys, trees, values), block


def _is_manifest(population: Population, file: int) -> bool:
    return file % population.files_per_directory == 0


def _manifest(population: Population, file: int) -> bytes:
    node, _ = _root(population, _shards(population, file).stop)
    uuid = population.seed.to_bytes(16, "little", signed=True)
    return manifest(uuid, node, _HEIGHT, _WRITTEN_NS)


def _data_size(population: Population, size: int) -> int:
    """The size of a data file: names have the same length in all, so its number is of no matter."""
    arrays = cut(size, population.tensors)
    at, values = 0, []
    for number, length in enumerate(arrays):
        name = f"f0000000000.{tensor_name(number)}"
        described = len(array_metadata(length))
        values += [Value(f"{name}/c/0", "f0000000000", at, length)]
        values += [Value(f"{name}/zarr.json", "f0000000000", at + length, described)]
        at += length + described
    return at + len(leaf(values, common(values[0].key, values[-1].key)))


def _sizes_at(population: Population, files: Sizes64) -> Sizes64:
    shards = sample_sizes(population, files)
    found = np.zeros(len(files), dtype=np.int64)
    data = shards > 0
    found[data] = sizes_by(_data_size, population, shards[data][:, None])
    for place in np.flatnonzero(~data).tolist():
        found[place] = len(_special(population, int(files[place])))
    return found


def _special(population: Population, file: int) -> bytes:
    """The manifest, or the file with the root of the tree."""
    if _is_manifest(population, file):
        return _manifest(population, file)
    return _root(population, file)[1]


def _sizes(population: Population, samples: Sizes64) -> Sizes64:
    return sizes_by(_data_size, population, np.maximum(samples, 1))


def _parts(population: Population, file: int, _contents: Contents) -> Iterator[Part]:
    (shard,) = samples_in(population, file)
    if shard.length == 0:
        yield _special(population, file)
        return
    for tensor in tensors_in(file, shard.length, population.tensors):
        yield tensor
        yield array_metadata(tensor.length)
    yield _leaf(population, file)[1]


def _refusal(population: Population) -> str | None:
    if (why := one_shard(population)) is not None:
        return why
    each = population.files_per_directory
    if population.sizes.distribution == "listed" and population.files % each == 0:
        empty = size_classes(population.sizes).reshape(-1, each) == 0
        if each > 2 and empty[:, [0, -1]].all() and empty.sum() == empty[:, [0, -1]].size:
            return None
    return "format 'ocdbt' is one of checkpoints, whose first and last file tell what is where"


class _Reader:
    """Finds the leaf of each file by way of manifest and root, then reads every value.

    The manifest is looked at before the metadata of each array, as nobody else is to have changed
    it; nodes are read once. Yields the bytes of each file, and those of what led there with it.
    """

    def __init__(self, access: Access) -> None:
        self.file = 0
        self._access, self._known = access, -1
        self._leaves: dict[int, tuple[Node, list[Value]]] = {}

    def expect(self, files: range) -> None:
        """Work out beforehand where everything is in these files."""
        population = self._access.population
        for file in files:
            if file in _shards(population, file):
                self._leaves[file] = (_leaf(population, file)[0], _values(population, file))
                _root(population, _shards(population, file).stop)

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the files of these numbers; those that tell what is where are none of them."""
        population = self._access.population
        for files in chunks:
            for self.file in files.tolist():
                if self.file not in _shards(population, self.file):
                    continue
                size = 0
                first = self.file - self.file % population.files_per_directory
                if self._known != first:
                    self._known = first
                    size = self._begin(first)
                yield size + self._read(self.file)

    def _begin(self, first: int) -> int:
        population, access = self._access.population, self._access
        size = len(_manifest(population, first))
        done = read_value(access, name_of(population, first), 0, size)
        last = _shards(population, first).stop
        top, _ = _root(population, last)
        return done + read_value(access, name_of(population, last), 0, top.length)

    def _read(self, number: int) -> int:
        access, population = self._access, self._access.population
        name = name_of(population, number)
        node, values = self._leaves.get(number) or (
            _leaf(population, number)[0],
            _values(population, number),
        )
        size = read_value(access, name, node.offset, node.length)
        for chunk, described in zip(values[::2], values[1::2], strict=True):
            self._look(number - number % population.files_per_directory)
            size += read_value(access, name, described.offset, described.length)
            size += read_value(access, name, chunk.offset, chunk.length)
        return size

    def _look(self, first: int) -> None:
        """Whether the manifest is still the same."""
        read_value(self._access, name_of(self._access.population, first), 0, 0)


FORMAT = Format(
    name="ocdbt",
    summary="tensorstore's OCDBT, in which Orbax saves: values of many keys in a file, and a tree",
    file_sizes=_sizes,
    sizes_at=_sizes_at,
    parts=_parts,
    readers={"tensorstore": Reading(make=_Reader, summary="tensorstore: tree, then every value")},
    refusal=_refusal,
    saving=Saving(buffer="", synced=True, locked=True),
)
