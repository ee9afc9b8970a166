"""Formats whose own library writes one file of a population; all others differ in payload only.

The library writes a file of zeros, of which the disk holds next to nothing; what is not payload in
it is kept and put around the payload of every file.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from errno import EIO
from importlib.util import find_spec
from mmap import MADV_RANDOM, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, mmap
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from aibench.formats.draws import Sizes64
from aibench.formats.format import Access, Contents, Part, samples_in
from aibench.model import Population

#: What a template may hold: its pieces are kept in memory.
_MOST_SAMPLES = 2**16
#: The libraries count the bytes of binary values in 32 bits.
_LIMIT = 2**31 - 2**16
_BLOCK = 4096
#: Files that a reader of single samples keeps open; of more, those that it used last.
_KEPT = 256

Kept_ = TypeVar("Kept_")


@dataclass(frozen=True, slots=True)
class Template:
    """A file with gaps: ``literals`` lie before, between and after payloads of ``length`` bytes.

    ``offsets`` is where each payload begins; ``size`` that of the file in bytes.
    """

    size: int
    length: int
    offsets: tuple[int, ...]
    literals: tuple[bytes, ...]

    def parts(self, population: Population, file: int) -> Iterator[Part]:
        """What is in one file."""
        for literal, payload in zip(self.literals, samples_in(population, file), strict=False):
            yield literal
            yield payload
        yield self.literals[-1]


def cut(path: Path, offsets: Sequence[int], length: int) -> Template:
    """The template that a file is, with payloads of ``length`` bytes at ``offsets``."""
    size = path.stat().st_size
    begins = [0, *(offset + length for offset in offsets)]
    spans = list(zip(begins, [*offsets, size], strict=True))
    if any(begin > end for begin, end in spans):
        raise ValueError(f"payloads don't follow each other in {path.name}")
    with path.open("rb") as file, mmap(file.fileno(), 0, prot=PROT_READ) as whole:
        whole.madvise(MADV_RANDOM)  # only the pages that have literals
        literals = tuple(whole[begin:end] for begin, end in spans)
    return Template(size, length, tuple(offsets), literals)


class SparseFile:
    """A file that a library writes to, in which blocks of zeros take no space."""

    closed = False

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._at = 0

    def write(self, data: bytes) -> int:
        """Append ``data``."""
        whole = np.frombuffer(data, dtype=np.uint8)
        blocks = len(whole) // _BLOCK
        words = whole[: blocks * _BLOCK].view(np.uint64).reshape(blocks, _BLOCK // 8)
        used = np.append(words.any(axis=1), [bool(whole[blocks * _BLOCK :].any()), False])
        edges = np.flatnonzero(np.diff(used, prepend=False)).tolist()
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            part = whole[start * _BLOCK : stop * _BLOCK]
            os.pwrite(self._fd, part.data, self._at + start * _BLOCK)
        self._at += len(whole)
        return len(whole)

    def tell(self) -> int:
        """The bytes written so far."""
        return self._at

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Give the file its size."""
        os.ftruncate(self._fd, self._at)
        os.close(self._fd)
        self.closed = True


def zeros(count: int) -> memoryview:
    """``count`` bytes that take no memory as long as they are only read."""
    return memoryview(mmap(-1, max(count, 1), flags=MAP_PRIVATE | MAP_ANONYMOUS))[:count]


def refusal(population: Population, package: str) -> str | None:
    """Why ``population`` can't have a format that ``package`` writes."""
    name, sizes = population.format, population.sizes
    if find_spec(package) is None:
        return f"format {name!r} needs the package {package}: pip install 'aibench[formats]'"
    if sizes.distribution != "fixed":
        return f"samples of format {name!r} have one size: set sizes = 'fixed'"
    if sizes.mean > _LIMIT:
        return f"samples of 2 GiB and more don't fit into the files of format {name!r}"
    if population.samples_per_file > _MOST_SAMPLES:
        return (
            f"a file of format {name!r} holds at most {_MOST_SAMPLES} samples, not "
            f"samples_per_file = {population.samples_per_file}"
        )
    return None


def functions_of(
    template_of: Callable[[int, int], Template],
) -> tuple[
    Callable[[Population, Sizes64], Sizes64],
    Callable[[Population, int, Contents], Iterator[Part]],
]:
    """``file_sizes`` and ``parts`` of a format, from its template for (samples, length)."""

    def of(population: Population) -> Template:
        return template_of(population.samples_per_file, population.sizes.mean)

    def file_sizes(population: Population, samples: Sizes64) -> Sizes64:
        return np.full(len(samples), of(population).size, dtype=np.int64)

    def parts(population: Population, file: int, _contents: Contents) -> Iterator[Part]:
        return of(population).parts(population, file)

    return file_sizes, parts


def read_at(access: Access, fd: int, offset: int, length: int) -> None:
    """Read ``length`` bytes from ``offset`` on. OSError where there are less."""
    while length:
        came = access.calls.pread(fd, [access.view(length)], offset)
        if came == 0:
            raise OSError(EIO, "the file is shorter than it was when it was written")
        offset, length = offset + came, length - came


class Kept(Generic[Kept_]):
    """Files that stay open when they were opened once, as many as a process may have at ease."""

    def __init__(self, opening: Callable[[int], Kept_], closing: Callable[[Kept_], None]) -> None:
        self._opening, self._closing = opening, closing
        self._files: OrderedDict[int, Kept_] = OrderedDict()

    def __getitem__(self, number: int) -> Kept_:
        """File ``number``, opened if it is not yet."""
        if number not in self._files:
            if len(self._files) == _KEPT:
                self._closing(self._files.popitem(last=False)[1])
            self._files[number] = self._opening(number)
        self._files.move_to_end(number)
        return self._files[number]

    def close(self) -> None:
        """Close all."""
        while self._files:
            self._closing(self._files.popitem()[1])
