"""NumPy's archives, not compressed: the array ``x`` of one sample, and ``y``, its class.

What `numpy.savez` writes, byte for byte: a zip file of two ``.npy`` files. `numpy.load` reads it by
Python's `zipfile`, through Python's buffer; what comes twice, the second time from the page cache,
is counted once.
"""

import os
import struct
import zlib
from collections.abc import Iterator

from aibench.formats.draws import Sizes64, size_classes
from aibench.formats.format import Access, Contents, Format, Part, Payload, Reading, samples_in
from aibench.formats.npy import HEADER, header, one_sample
from aibench.formats.python import PythonFile
from aibench.formats.readers import FILE_READERS, FileReader
from aibench.formats.zipped import CENTRAL, END, EXTRA, LOCAL, Member, read_directory
from aibench.model import Population

_CLASSES = 1000
_VERSION, _NO_DATE, _NO_SIZE, _UNIX, _MODE = 45, 33, 0xFFFFFFFF, 3, 0o600 << 16
_NAMES = b"x.npy", b"y.npy"
_NAME = len(_NAMES[0])
_BEFORE = LOCAL.size + _NAME + EXTRA.size
_LABEL = 8
_DIRECTORY = 2 * (CENTRAL.size + _NAME)
_AROUND = 2 * (_BEFORE + HEADER) + _LABEL + _DIRECTORY + END.size
#: From here on `zipfile` writes a directory of another kind.
_LIMIT = 2**31 - 1

#: How `numpy` reads: the magic, the length of the header, the header, then pieces.
_HEADER_STEPS = 8, 2, HEADER - 10
_MAGIC, _PIECE = 6, 2**18


def _sizes(_population: Population, samples: Sizes64) -> Sizes64:
    return _AROUND + samples[:, 0]


def _refusal(population: Population) -> str | None:
    if int(size_classes(population.sizes).max()) + _AROUND > _LIMIT:
        return "samples of 2 GiB and more don't fit into the npz files that aibench writes"
    return one_sample(population)


def _local(name: bytes, size: int, crc: int) -> bytes:
    large = EXTRA.pack(1, 16, size, size)
    return (
        LOCAL.pack(
            b"PK\3\4", _VERSION, 0, 0, 0, _NO_DATE, crc, _NO_SIZE, _NO_SIZE, _NAME, EXTRA.size
        )
        + name
        + large
    )


def _entry(name: bytes, size: int, crc: int, offset: int) -> bytes:
    return (
        CENTRAL.pack(
            b"PK\1\2", _VERSION, _UNIX, _VERSION, 0, 0, 0, 0, _NO_DATE, crc, size, size,
            _NAME, 0, 0, 0, 0, _MODE, offset,
        )
        + name
    )  # fmt: skip


def _parts(population: Population, file: int, contents: Contents) -> Iterator[Part]:
    (payload,) = samples_in(population, file)
    before = header(payload.length, "|u1")
    crc = zlib.crc32(before)
    for piece in contents(payload):
        crc = zlib.crc32(piece, crc)
    size = HEADER + payload.length
    yield _local(_NAMES[0], size, crc) + before
    yield payload
    yield _rest(payload, crc, size)


def _rest(payload: Payload, crc: int, size: int) -> bytes:
    """What follows the first array: the second one and the directory."""
    label = header(1, "<i8") + struct.pack("<q", payload.sample % _CLASSES)
    second, at = zlib.crc32(label), _BEFORE + size
    directory = _entry(_NAMES[0], size, crc, 0) + _entry(_NAMES[1], len(label), second, at)
    start = at + _BEFORE + len(label)
    end = END.pack(b"PK\5\6", 0, 0, 2, 2, len(directory), start, 0)
    return _local(_NAMES[1], len(label), second) + label + directory + end


def _reader(access: Access, *, twice: bool) -> FileReader:
    file = PythonFile(access)

    def read(name: bytes, size: int) -> int:
        file.open(name)
        file.read(_MAGIC)
        file.seek(-_MAGIC, os.SEEK_CUR)
        read_directory(file, size, _DIRECTORY)
        array = size - _AROUND
        member = Member(file, 0, HEADER + array, _NAME, EXTRA.size)
        member.read(_MAGIC)
        if twice:
            member = Member(file, 0, HEADER + array, _NAME, EXTRA.size)
        else:
            member.rewind(_MAGIC)
        for count in _HEADER_STEPS:
            member.read(count)
        for done in range(0, array, _PIECE):
            member.read(min(_PIECE, array - done))
        file.close()
        return min(file.asked, size)

    return FileReader(access, read)


def read_numpy(access: Access) -> FileReader:
    """``numpy.load(path)["x"]`` since NumPy 2.3."""
    return _reader(access, twice=False)


def read_numpy_2_2(access: Access) -> FileReader:
    """The same up to NumPy 2.2, which opens the array twice: to see what it is, and to read it."""
    return _reader(access, twice=True)


FORMAT = Format(
    name="npz",
    summary="one NumPy archive a file: an array of bytes and its class, not compressed",
    file_sizes=_sizes,
    parts=_parts,
    refusal=_refusal,
    readers={
        "numpy": Reading(make=read_numpy, summary="numpy.load(path)['x']"),
        "numpy-2.2": Reading(make=read_numpy_2_2, summary="the same up to NumPy 2.2"),
        **FILE_READERS,
    },
)
