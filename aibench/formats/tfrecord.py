"""TFRecord files, read as TensorFlow does or as the package tfrecord does.

TensorFlow reads whole buffers by ``pread64``, 256 KiB where nothing else is asked for, and no seek
or look at the file is among them. The package goes through Python's buffer by ``readinto``.
"""

import os
from collections.abc import Iterator
from functools import partial

from aibench.formats.format import Access, Format, Reading, Sidecar
from aibench.formats.python import PythonFile
from aibench.formats.readers import StreamReader, name_of
from aibench.formats.records import (
    AROUND,
    HEADER,
    file_sizes,
    index,
    index_sizes,
    parts,
    record_sizes,
    refusal,
)

#: What ``TFRecordDataset`` reads at once where no ``buffer_size`` is given, and what image
#: pipelines give it for remote storage.
_BUFFER, _LARGE_BUFFER = 256 * 1024, 8 * 2**20


def read_tensorflow(access: Access, buffer: int) -> StreamReader:
    """``TFRecordDataset(file, buffer_size=buffer)``: whole buffers up to the end of the file.

    0 is no buffer: the header of a record, then the rest of it.
    """
    calls = access.calls

    def pieces(lengths: list[int]) -> Iterator[int]:
        """The bytes to ask for, one call after the other, until one comes short."""
        for length in lengths if buffer == 0 else ():
            yield from (HEADER, length - HEADER)
        while True:
            yield buffer or HEADER

    def read(number: int) -> Iterator[int]:
        lengths = record_sizes(access.population, number).tolist()
        asking, want, done, counted, came = pieces(lengths), 0, 0, 0, 1

        def step() -> int:
            nonlocal want, done
            want = want or next(asking)
            came: int = calls.pread(fd, [access.view(want)], done)
            want, done = want - came, done + came  # what came short is asked for once more
            return came

        fd = calls.open(name_of(access.population, number), os.O_RDONLY, dir_fd=access.root)
        try:
            end = 0
            for length in lengths:
                end += length
                while done < end and came:
                    came = step()
                yield done - counted
                counted = done
            while came:
                came = step()
        finally:
            calls.close(fd)

    return StreamReader(read)


def read_tfrecord(access: Access) -> StreamReader:
    """``tfrecord_loader(file, None)``: length, checksum, message, checksum by ``readinto``."""
    file = PythonFile(access)

    def read(number: int) -> Iterator[int]:
        name, counted = name_of(access.population, number), 0
        file.open(name)
        try:
            access.calls.stat(name, dir_fd=access.root)
            for length in record_sizes(access.population, number).tolist():
                file.tell()
                for count in (8, 4, length - AROUND, 4):
                    file.readinto(count)
                yield file.asked - counted
                counted = file.asked
            file.tell()
        finally:
            file.close()

    return StreamReader(read)


def _tensorflow(buffer: int, summary: str) -> Reading:
    return Reading(make=partial(read_tensorflow, buffer=buffer), streams=True, summary=summary)


FORMAT = Format(
    name="tfrecord",
    summary="TFRecord files of images with their classes, read as a stream",
    file_sizes=file_sizes,
    parts=parts,
    readers={
        "tensorflow": _tensorflow(_BUFFER, "tf.data.TFRecordDataset: 256 KiB at once"),
        "tensorflow-8m": _tensorflow(_LARGE_BUFFER, "the same with buffer_size=8 MiB"),
        "tensorflow-unbuffered": _tensorflow(0, "the same with buffer_size=0: two reads a record"),
        "tfrecord": Reading(
            make=read_tfrecord, streams=True, summary="the package tfrecord, Python's buffer"
        ),
    },
    refusal=refusal,
    library="google_crc32c",
    sidecars={".idx": Sidecar(sizes=index_sizes, parts=index)},
)
