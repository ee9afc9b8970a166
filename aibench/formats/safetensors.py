"""Shards in the format of safetensors: a header that says where each tensor is, then the tensors.

As of safetensors 0.8: written under another name, with its size first, through a buffer of 1 MiB,
and renamed; nothing is synced. Read by mapping it: once for the header, and once more by torch.
"""

import json
import os
from collections.abc import Generator, Iterator
from functools import lru_cache, partial

from aibench.formats.draws import Sizes64
from aibench.formats.format import Access, Contents, Format, Part, Reading, Saving, samples_in
from aibench.formats.readers import FILE_READERS, name_of
from aibench.formats.tensors import cut, one_shard, sizes_by, tensor_name, tensors_in
from aibench.formats.torchread import map_whole
from aibench.model import Population

#: Tensors begin at a multiple of this.
_ALIGNMENT = 8


@lru_cache(maxsize=16)
def header(sizes: tuple[int, ...]) -> bytes:
    """The length of the header, and the header, of tensors of bytes of these sizes."""
    found, at = {}, 0
    for number, size in enumerate(sizes):
        place = {"dtype": "U8", "shape": [size], "data_offsets": [at, at + size]}
        found[tensor_name(number)] = place
        at += size
    text = json.dumps(found, separators=(",", ":")).encode()
    padded = text + b" " * (-len(text) % _ALIGNMENT)
    return len(padded).to_bytes(8, "little") + padded


def _size(population: Population, size: int) -> int:
    return len(header(cut(size, population.tensors))) + size


def _parts(population: Population, file: int, _contents: Contents) -> Iterator[Part]:
    (shard,) = samples_in(population, file)
    whole = header(cut(shard.length, population.tensors))
    yield whole[:8]
    yield whole[8:]
    yield from tensors_in(file, shard.length, population.tensors)


class _Reader:
    """Maps files and uses every page of their tensors; yields the bytes of each file."""

    def __init__(self, access: Access, *, torch: bool) -> None:
        self.file = 0
        self._access, self._torch = access, torch
        self._known: dict[int, tuple[int, tuple[int, ...]]] = {}

    def expect(self, files: range) -> None:
        """Work out beforehand where everything is in these files."""
        for file in files:
            self._known[file] = self._tensors(file)

    def _tensors(self, file: int) -> tuple[int, tuple[int, ...]]:
        """Where the tensors of a file begin, and their sizes."""
        population = self._access.population
        (shard,) = samples_in(population, file)
        sizes = cut(shard.length, population.tensors)
        return len(header(sizes)), sizes

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the files of these numbers."""
        for files in chunks:
            for self.file in files.tolist():
                yield self._read(self.file)

    def _read(self, number: int) -> int:
        access, calls = self._access, self._access.calls
        at, sizes = self._known.get(number) or self._tensors(number)
        name, size = name_of(access.population, number), at + sum(sizes)
        fd = calls.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=access.root)
        calls.fstat(fd)
        first = used = calls.map(fd, size, False)
        calls.touch(first, 0, at)
        if self._torch:
            used = map_whole(access, name, size, looked=False)
        for length in sizes:
            calls.touch(used, at, length)
            at += length
        for mapping in (used, first) if self._torch else (first,):
            calls.unmap(mapping)
        calls.close(fd)
        return size


FORMAT = Format(
    name="safetensors",
    summary="safetensors: a header and tensors, mapped to be read",
    file_sizes=partial(sizes_by, _size),
    parts=_parts,
    readers={
        "safetensors": Reading(
            make=partial(_Reader, torch=True), summary="load_file for torch, then every page used"
        ),
        "safetensors_numpy": Reading(
            make=partial(_Reader, torch=False), summary="load_file for NumPy"
        ),
        "lean": FILE_READERS["lean"],
    },
    refusal=one_shard,
    saving=Saving(buffer="rust", mode=0o600, temporary=True, sized=True),
)
