"""Tar shards as WebDataset has them: for each sample an image and its class, one after the other.

Read as `webdataset` does: a tar stream in records of 10240 bytes, through Python's buffer.
"""

import tarfile
from collections.abc import Iterator

import numpy as np

from aibench.formats.draws import Sizes64
from aibench.formats.format import (
    Access,
    Contents,
    Format,
    Part,
    Reading,
    samples_in,
    sizes_in,
)
from aibench.formats.python import PythonFile
from aibench.formats.readers import StreamReader, name_of
from aibench.model import Population

_BLOCK, _RECORD = tarfile.BLOCKSIZE, tarfile.RECORDSIZE
_CLASSES = 1000
#: The header of an image, the header of its class, and the class itself.
_AROUND = 3 * _BLOCK


def _ends(samples: Sizes64) -> Sizes64:
    """Where each sample of a file ends, header and padding included; one file a row."""
    return np.cumsum(_AROUND + -(-samples // _BLOCK) * _BLOCK, axis=1)


def _sizes(_population: Population, samples: Sizes64) -> Sizes64:
    return -(-(_ends(samples)[:, -1] + 2 * _BLOCK) // _RECORD) * _RECORD


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o444
    return info.tobuf(tarfile.USTAR_FORMAT)


def _parts(population: Population, file: int, _contents: Contents) -> Iterator[Part]:
    at = 0
    for payload in samples_in(population, file):
        yield _header(f"{payload.sample:010d}.jpg", payload.length)
        yield payload
        yield bytes(-payload.length % _BLOCK)
        label = b"%d" % (payload.sample % _CLASSES)
        yield _header(f"{payload.sample:010d}.cls", len(label)) + label.ljust(_BLOCK, b"\0")
        at += _AROUND + payload.length + -payload.length % _BLOCK
    yield bytes(-(at + 2 * _BLOCK) % _RECORD + 2 * _BLOCK)


def read_webdataset(access: Access) -> StreamReader:
    """``WebDataset(shard)``: Python's `tarfile` on a stream, a sample when it has come."""
    file = PythonFile(access)

    def read(number: int) -> Iterator[int]:
        samples = sizes_in(access.population, np.array([number], dtype=np.int64))
        file.open(name_of(access.population, number))
        came, counted = file.read(_BLOCK), 0  # looks whether the stream is compressed
        ends = _ends(samples)[0]
        ends[-1] += _BLOCK  # the empty block that ends an archive
        for end in ends.tolist():
            while came < end and (more := file.read(_RECORD)):
                came += more
            yield file.asked - counted
            counted = file.asked
        file.close()

    return StreamReader(read)


FORMAT = Format(
    name="webdataset",
    summary="tar shards of images with their classes, read as a stream",
    file_sizes=_sizes,
    parts=_parts,
    readers={
        "webdataset": Reading(
            make=read_webdataset, streams=True, summary="WebDataset: tar stream, Python's buffer"
        )
    },
)
