"""Shards in the format of safetensors: a header that says where each tensor is, then the tensors.

As of safetensors 0.8: written under another name, with its size first, through a buffer of 1 MiB,
and renamed; nothing is synced. Read by mapping it: once for the header, and once more by torch.
"""

import json
import os
from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache, partial
from itertools import zip_longest

from aibench.formats.draws import Sizes64
from aibench.formats.format import Access, Contents, Format, Part, Reading, Saving, samples_in
from aibench.formats.readers import FILE_READERS, name_of
from aibench.formats.slicing import Pages, by_file, rows, runs, touched
from aibench.formats.tensors import cut, one_shard, sizes_by, tensor_name, tensors_in
from aibench.formats.torchread import map_whole
from aibench.model import Population, Slice

#: Tensors begin at a multiple of this.
_ALIGNMENT = 8


@lru_cache(maxsize=16)
def header(sizes: tuple[int, ...], widths: tuple[int, ...] = ()) -> bytes:
    """The length of the header, and the header, of tensors of bytes of these sizes.

    ``widths`` are the bytes of their rows, and 0 where a tensor has one dimension.
    """
    found, at = {}, 0
    for number, (size, width) in enumerate(zip_longest(sizes, widths, fillvalue=0)):
        shape = [size // width, width] if width else [size]
        place = {"dtype": "U8", "shape": shape, "data_offsets": [at, at + size]}
        found[tensor_name(number)] = place
        at += size
    text = json.dumps(found, separators=(",", ":")).encode()
    padded = text + b" " * (-len(text) % _ALIGNMENT)
    return len(padded).to_bytes(8, "little") + padded


def _header(population: Population, size: int) -> bytes:
    """The header of a shard of ``size`` bytes."""
    sizes = cut(size, population.tensors)
    if not population.columns:
        return header(sizes)
    return header(sizes, tuple(rows(population, each, k) for k, each in enumerate(sizes)))


def _size(population: Population, size: int) -> int:
    return len(_header(population, size)) + size


def _parts(population: Population, file: int, _contents: Contents) -> Iterator[Part]:
    (shard,) = samples_in(population, file)
    whole = _header(population, shard.length)
    yield whole[:8]
    yield whole[8:]
    yield from tensors_in(file, shard.length, population.tensors)


class _Reader:
    """Maps files and uses every page of their tensors, or of parts of them."""

    def __init__(self, access: Access, *, torch: bool) -> None:
        self.file = 0
        self._access, self._torch = access, torch
        self._known: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._fd, self._mappings = -1, list[object]()

    def expect(self, files: range) -> None:
        """Work out beforehand where everything is in these files."""
        for file in files:
            self._known[file] = self._tensors(file)

    def _tensors(self, file: int) -> tuple[int, tuple[int, ...]]:
        """Where the tensors of a file begin, and their sizes."""
        population = self._access.population
        (shard,) = samples_in(population, file)
        return len(_header(population, shard.length)), cut(shard.length, population.tensors)

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the files of these numbers."""
        for files in chunks:
            for self.file in files.tolist():
                yield self._read(self.file)

    def slices(self, needed: Sequence[Slice]) -> Generator[int]:
        """``get_slice`` of tensors; yields the bytes of the pages of each file that are used."""
        population, touch = self._access.population, self._access.calls.touch
        for self.file, parts in by_file(needed):
            mapped, at = self._map(self.file)
            used = Pages()
            used.add(0, at)
            for run in (run for part in parts for run in runs(population, part)):
                for offset, length in touched(run, at):
                    touch(mapped, offset, length)
                    used.add(offset, length)
            self._close()
            yield used.bytes

    def _read(self, number: int) -> int:
        mapped, at = self._map(number)
        _, sizes = self._known.get(number) or self._tensors(number)
        for length in sizes:
            self._access.calls.touch(mapped, at, length)
            at += length
        self._close()
        return at

    def _map(self, number: int) -> tuple[object, int]:
        """Open a file and read its header: (mapping, where tensors begin)."""
        access, calls = self._access, self._access.calls
        at, sizes = self._known.get(number) or self._tensors(number)
        name, size = name_of(access.population, number), at + sum(sizes)
        self._fd = calls.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=access.root)
        calls.fstat(self._fd)
        first = calls.map(self._fd, size, False)
        self._mappings = [first]
        calls.touch(first, 0, at)
        if self._torch:
            self._mappings.insert(0, map_whole(access, name, size, looked=False))
        return self._mappings[0], at

    def _close(self) -> None:
        calls = self._access.calls
        for mapping in self._mappings:
            calls.unmap(mapping)
        calls.close(self._fd)


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
