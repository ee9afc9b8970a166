"""Shards as `torch.save` writes them, given a path or an open file, and as `torch.load` reads them.

As of torch 2.13, by Python's file or, with a path, by a C++ stream; nothing is synced or renamed.
"""

from collections.abc import Iterator
from functools import partial

from aibench.formats.draws import Sizes64
from aibench.formats.format import Contents, Format, Part, Reading, Saving, samples_in
from aibench.formats.tensors import cut, one_shard, sizes_by, tensors_in
from aibench.formats.torchread import read_torch, read_torch_mmap
from aibench.formats.torchzip import Archive, layout, parts, state_pickle
from aibench.model import Population


def archive(population: Population, size: int, *, file: int | None = 0) -> Archive:
    """Where everything is in the file of a shard of ``size`` bytes; named after it, or not."""
    stem = b"archive" if file is None else b"f%010d" % file
    tensors = cut(size, population.tensors)
    return layout(stem, len(state_pickle(tensors)), tensors)


def _parts(population: Population, file: int, contents: Contents, *, named: bool) -> Iterator[Part]:
    (shard,) = samples_in(population, file)
    tensors = tensors_in(file, shard.length, population.tensors)
    where = archive(population, shard.length, file=file if named else None)
    return parts(where, state_pickle(cut(shard.length, population.tensors)), tensors, contents)


def _sizes(population: Population, samples: Sizes64, *, file: int | None) -> Sizes64:
    return sizes_by(lambda files, size: archive(files, size, file=file).size, population, samples)


def _format(name: str, summary: str, *, named: bool, saving: Saving) -> Format:
    file = 0 if named else None
    find = partial(_archive_of, named=named)
    return Format(
        name=name,
        summary=summary,
        file_sizes=partial(_sizes, file=file),
        parts=partial(_parts, named=named),
        readers={
            "torch": Reading(
                make=partial(read_torch, find=find), summary="torch.load: a storage at a time"
            ),
            "torch_mmap": Reading(
                make=partial(read_torch_mmap, find=find),
                summary="torch.load(mmap=True), then every page used",
            ),
        },
        refusal=one_shard,
        saving=saving,
    )


def _archive_of(population: Population, file: int, *, named: bool) -> Archive:
    (shard,) = samples_in(population, file)
    return archive(population, shard.length, file=file if named else None)


FORMAT = _format(
    "torch",
    "torch.save to a path: a zip file of storages, by a C++ stream",
    named=True,
    saving=Saving(buffer="stream"),
)
STREAM = _format(
    "torch_stream",
    "torch.save to an open file: the same, by Python's buffer",
    named=False,
    saving=Saving(buffer="python"),
)
