"""Checkpoints in zarr version 3: each array is a file with one chunk, and its metadata beside it.

As tensorstore 0.1.86 writes and reads them by its driver for files, and Orbax without OCDBT: each
of the two files is written under a lock with one call, synced and renamed, and so is the directory.
There an array has directories of its own (``NAME/zarr.json``, ``NAME/c/0``), here the two files
have a number (``f0000000001.json``, ``f0000000001``).
"""

import json
import os
from collections.abc import Generator, Iterator

import numpy as np

from aibench.formats.draws import Sizes64
from aibench.formats.format import (
    Access,
    Contents,
    Format,
    Part,
    Reading,
    Saving,
    Sidecar,
    samples_in,
)
from aibench.formats.readers import FILE_READERS, name_of
from aibench.formats.tensors import one_shard, tensors_in
from aibench.model import Population

#: What stands behind the name of an array for its metadata.
METADATA = ".json"
_FLAGS = os.O_RDONLY | os.O_CLOEXEC


def array_metadata(size: int) -> bytes:
    """What ``zarr.json`` says of an array of ``size`` bytes in one chunk, as tensorstore has it."""
    found = {
        "chunk_grid": {"configuration": {"chunk_shape": [size]}, "name": "regular"},
        "chunk_key_encoding": {"name": "default"},
        "codecs": [{"name": "bytes"}],
        "data_type": "uint8",
        "fill_value": 0,
        "node_type": "array",
        "shape": [size],
        "zarr_format": 3,
    }
    return json.dumps(found, separators=(",", ":")).encode()


def read_value(access: Access, name: bytes, offset: int, count: int) -> int:
    """What tensorstore does to read a value: open, fstat, pread of exactly that, close."""
    calls = access.calls
    fd = calls.open(name, _FLAGS, dir_fd=access.root)
    calls.fstat(fd)
    done = 0
    while done < count:
        came = calls.pread(fd, [access.view(count - done)], offset + done)
        if not came:
            break
        done += came
    calls.close(fd)
    return done


def _sizes(_population: Population, samples: Sizes64) -> Sizes64:
    return samples[:, 0]


def _parts(population: Population, file: int, _contents: Contents) -> Iterator[Part]:
    (array,) = samples_in(population, file)
    yield from tensors_in(file, array.length, ())


def _metadata_sizes(_population: Population, samples: Sizes64) -> Sizes64:
    return np.array([len(array_metadata(size)) for size in samples[:, 0].tolist()], dtype=np.int64)


def _metadata_parts(population: Population, file: int) -> Iterator[bytes]:
    (array,) = samples_in(population, file)
    yield array_metadata(array.length)


class _Reader:
    """Reads the metadata of each array, then its chunk; yields the bytes of both."""

    def __init__(self, access: Access) -> None:
        self.file = 0
        self._access = access

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the files of these numbers."""
        access = self._access
        for files in chunks:
            for self.file in files.tolist():
                name = name_of(access.population, self.file)
                (array,) = samples_in(access.population, self.file)
                size = len(array_metadata(array.length))
                read_value(access, name + METADATA.encode(), 0, size)
                yield size + read_value(access, name, 0, array.length)


FORMAT = Format(
    name="zarr3",
    summary="arrays of zarr version 3 as tensorstore saves them: one chunk, metadata beside it",
    file_sizes=_sizes,
    parts=_parts,
    readers={
        "tensorstore": Reading(make=_Reader, summary="tensorstore: metadata, then the chunk"),
        "lean": FILE_READERS["lean"],
    },
    refusal=one_shard,
    sidecars={METADATA: Sidecar(sizes=_metadata_sizes, parts=_metadata_parts)},
    saving=Saving(buffer="", synced=True, locked=True),
)
