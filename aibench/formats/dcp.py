"""Shards of a distributed checkpoint of torch: an archive for each tensor, one after the other.

As of torch 2.13, by Python's files, each synced; what is where stands in a file of its own, here
the first one of each directory (``.metadata``, there), which is there when all is complete.
(``torch/distributed/checkpoint/filesystem.py``, and compared byte by byte.)
"""

import os
from collections.abc import Generator, Iterator, Sequence
from functools import partial

from aibench.formats.dcpmeta import Place, archive_of, metadata, places_of
from aibench.formats.draws import Sizes64, size_classes
from aibench.formats.format import Access, Contents, Format, Part, Reading, Saving, samples_in
from aibench.formats.python import PythonFile
from aibench.formats.readers import name_of
from aibench.formats.slicing import by_file, runs
from aibench.formats.tensors import cut, one_shard, sizes_by, tensors_in
from aibench.formats.torchread import begin, read_directory, read_pickle, read_record
from aibench.formats.torchzip import parts, tensor_pickle
from aibench.model import Population, Slice


def _size(population: Population, size: int) -> int:
    if size == 0:
        return len(metadata(population, 0))
    return sum(archive_of(length).size for length in cut(size, population.tensors))


def _parts(population: Population, file: int, contents: Contents) -> Iterator[Part]:
    (shard,) = samples_in(population, file)
    if shard.length == 0:
        yield metadata(population, file)
        return
    for tensor in tensors_in(file, shard.length, population.tensors):
        where = archive_of(tensor.length)
        yield from parts(where, tensor_pickle(tensor.length), [tensor], contents)
        yield b""


def _refusal(population: Population) -> str | None:
    if (why := one_shard(population)) is not None:
        return why
    each = population.files_per_directory
    listed = population.sizes.distribution == "listed"
    sizes = size_classes(population.sizes)
    if not listed or sizes[::each].any() or (sizes == 0).sum() != -(-len(sizes) // each):
        return "format 'dcp' is one of checkpoints, whose first file tells what is in the others"
    return None


class _Reader:
    """Reads what is where, then the tensors of each file; yields the bytes of each file.

    What comes twice, the second time from the page cache, is counted once.
    """

    def __init__(self, access: Access) -> None:
        self.file = 0
        self._access, self._known = access, -1
        self._python = PythonFile(access)
        self._places: dict[int, list[Place]] = {}

    def expect(self, files: range) -> None:
        """Work out beforehand where everything is in these files."""
        population = self._access.population
        for file in files:
            self._places[file] = list(places_of(population, file))
            metadata(population, file - file % population.files_per_directory)

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the files of these numbers; those that tell what is where are none of them."""
        each = self._access.population.files_per_directory
        for files in chunks:
            for self.file in files.tolist():
                size = self._looked_up(self.file)
                if self.file % each:
                    yield size + self._read(self.file)

    def slices(self, needed: Sequence[Slice]) -> Generator[int]:
        """Read the tensors that hold something that is needed, all of each: smaller is no unit."""
        for self.file, slices in by_file(needed):
            size = self._looked_up(self.file)
            found = (run for part in slices for run in runs(self._access.population, part))
            yield size + self._read(self.file, {run.tensor for run in found})

    def _looked_up(self, file: int) -> int:
        """Read what is where in the checkpoint of a file, where that was another one's before."""
        each = self._access.population.files_per_directory
        if self._known == file // each:
            return 0
        self._known = file // each
        return self._read_metadata(self._known * each)

    def _read_metadata(self, number: int) -> int:
        population, python = self._access.population, self._python
        name = name_of(population, number)
        self._access.calls.stat(os.path.dirname(name), dir_fd=self._access.root)
        python.open(name)
        python.read(1)
        size = 1 + python.read(len(metadata(population, number)) - 1)
        python.close()
        return size

    def _read(self, number: int, tensors: set[int] | None = None) -> int:
        python = self._python
        python.open(name_of(self._access.population, number))
        size = 0
        places = self._places.get(number) or places_of(self._access.population, number)
        for index, place in enumerate(places):
            if tensors is None or index in tensors:
                self._read_tensor(place)
                size += place.length
        python.close()
        return size

    def _read_tensor(self, place: Place) -> None:
        """``torch.load`` of a part of the file."""
        python, archive, first = self._python, archive_of(place.size), place.offset

        def read_at(offset: int, count: int) -> int:
            python.seek(first + offset)
            python.tell()
            return python.readinto(count)

        for _ in range(2):
            python.seek(first)
            python.tell()
        begin(python, first, place.offset + place.length)
        read_directory(read_at, archive)
        read_pickle(read_at, archive)
        read_record(read_at, archive.tensors[0])


FORMAT = Format(
    name="dcp",
    summary="torch's distributed checkpoints: an archive for each tensor",
    file_sizes=partial(sizes_by, _size),
    parts=_parts,
    readers={"dcp": Reading(make=_Reader, summary="torch.distributed.checkpoint.load")},
    refusal=_refusal,
    saving=Saving(buffer="python", synced=True),
)
