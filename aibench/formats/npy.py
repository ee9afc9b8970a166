"""NumPy's files of one array: a header of 128 bytes, then the bytes of one sample.

`numpy.load` goes through Python's buffer for the header and through C's for the rest. What it reads
twice is counted once: the second time it comes from the page cache.
"""

import os
from collections.abc import Iterator

from aibench.formats.draws import Sizes64
from aibench.formats.format import Access, Contents, Format, Part, Reading, samples_in
from aibench.formats.python import PythonFile
from aibench.formats.readers import FILE_READERS, FileReader
from aibench.model import Population

#: All headers here have this size: NumPy leaves room for the longest shape.
HEADER = 128
_MAGIC, _VERSION = b"\x93NUMPY", b"\x01\x00"
#: The digits that NumPy leaves room for (``GROWTH_AXIS_MAX_DIGITS``).
_DIGITS = 21
#: C's buffer is ``st_blksize`` up to ``BUFSIZ`` (glibc, ``filedoalloc.c``).
_BUFSIZ = 8192


def header(count: int, dtype: str) -> bytes:
    """What `numpy.save` writes before an array of ``count`` elements of ``dtype``."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({count},), }}"
    text += " " * (_DIGITS - len(str(count)))
    body = text.encode().ljust(HEADER - len(_MAGIC) - len(_VERSION) - 3) + b"\n"
    return _MAGIC + _VERSION + len(body).to_bytes(2, "little") + body


def one_sample(population: Population) -> str | None:
    """Why ``population`` can't have one array, or one image, in each file."""
    if population.samples_per_file != 1:
        return f"a file of format {population.format!r} holds one sample"
    return None


def _sizes(_population: Population, samples: Sizes64) -> Sizes64:
    return HEADER + samples[:, 0]


def _parts(population: Population, file: int, _contents: Contents) -> Iterator[Part]:
    for payload in samples_in(population, file):
        yield header(payload.length, "|u1")
        yield payload


def read_numpy(access: Access) -> FileReader:
    """``numpy.load(path)``: the header by Python's buffer, all of it again by C's `fread`."""
    calls, file = access.calls, PythonFile(access)

    def raw(count: int) -> int:
        came: int = calls.readv(file.fd, [access.view(count)])
        return came

    def read(name: bytes, size: int) -> int:
        file.open(name)
        file.read(HEADER)
        calls.lseek(file.fd, 0, os.SEEK_CUR)
        file.tell()
        calls.fstat(file.fd)  # C allocates its buffer
        calls.lseek(file.fd, 0, os.SEEK_SET)
        raw(HEADER)  # what precedes the place that C goes to in its block
        calls.lseek(file.fd, 0, os.SEEK_SET)
        unit = min(file.block, _BUFSIZ)
        done = raw(unit)
        while size - done >= unit and (came := raw((size - done) // unit * unit)):
            done += came
        if done < size:
            done += raw(unit)
        for _ in range(2):  # C's file is closed, Python's goes there
            calls.lseek(file.fd, size, os.SEEK_SET)
        file.close()
        return done

    return FileReader(access, read)


def read_mapped(access: Access) -> FileReader:
    """``numpy.load(path, mmap_mode="r")``, and all pages touched: two headers, then one mapping."""
    calls = access.calls
    file, again = PythonFile(access), PythonFile(access)

    def read(name: bytes, size: int) -> int:
        file.open(name)
        file.read(len(_MAGIC))
        again.open(name)
        again.read(HEADER)
        again.tell()
        again.close()
        again.open(name)
        again.seek(0, os.SEEK_END)
        again.tell()
        length = min(again.position, size)
        mapped = calls.map(again.fd, length, True)
        again.close()
        file.close()
        calls.touch(mapped, HEADER, length - HEADER)
        calls.unmap(mapped)
        return length

    return FileReader(access, read)


FORMAT = Format(
    name="npy",
    summary="one NumPy array of bytes a file",
    file_sizes=_sizes,
    parts=_parts,
    refusal=one_sample,
    readers={
        "numpy": Reading(make=read_numpy, summary="numpy.load(path)"),
        "mmap": Reading(make=read_mapped, summary="numpy.load(path, mmap_mode='r'), all touched"),
        **FILE_READERS,
    },
)
