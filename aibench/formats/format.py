"""What a format is: how samples lie in files, and with which system calls they are read.

A file is a sequence of parts: bytes that the format puts there, and payload, which is the content
of a sample (`formats.content`). Writing, verifying and sizing need nothing else; whatever a file
holds follows from the population and the file's number.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from aibench.calls import Calls
from aibench.formats.draws import Sizes64, sample_sizes
from aibench.model import Population
from aibench.registry import plugin


@dataclass(frozen=True, slots=True)
class Payload:
    """The content of sample ``sample``, ``length`` bytes from its beginning."""

    sample: int
    length: int


#: Bytes of the format's own, or the content of a sample.
Part = bytes | Payload
#: The content of a sample, piece by piece: for checksums over it.
Contents = Callable[[Payload], Iterator[memoryview]]


class Access:
    """What a reader works with: system calls, the data, and how its real counterpart buffers.

    Paths are relative to the directory descriptor ``root``. ``block`` is the ``st_blksize`` that
    files are to have, 0 for what each one says; ``python`` is the version of Python that is
    emulated, ``io_size`` the largest number of bytes of one call of those readers that choose it
    themselves, ``window`` the tokens of a sample of those that read windows of tokens.
    """

    def __init__(
        self,
        calls: Calls,
        root: int,
        population: Population,
        *,
        io_size: int = 2**20,
        block: int = 0,
        python: tuple[int, int] = (3, 11),
        window: int = 0,
    ) -> None:
        self.calls, self.root, self.population = calls, root, population
        self.io_size, self.block, self.python, self.window = io_size, block, python, window
        self._whole = memoryview(bytearray(max(io_size, block)))

    def view(self, count: int) -> memoryview:
        """A buffer of ``count`` bytes: always the same one, which grows where it has to."""
        if count > len(self._whole):
            self._whole = memoryview(bytearray(count))
        return self._whole[:count]


class SampleReader(Protocol):
    """Reads samples with the system calls of something real.

    ``file`` is the number of the file that it read last, to be blamed for an error.
    """

    file: int

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """Read the samples, or all samples of the files, of these numbers.

        Yields after each sample the bytes that were asked of the storage for it. Ends with
        everything closed, also when it is closed early.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read a format. ``streams``: whole files in order, instead of single samples."""

    make: Callable[[Access], SampleReader]
    streams: bool = False
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """A small file beside each file, such as an index: its sizes, and what is in it.

    ``sizes`` is to it what ``file_sizes`` is to the files of a `Format`; no content is in it.
    """

    sizes: Callable[[Population, Sizes64], Sizes64]
    parts: Callable[[Population, int], Iterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """How a library writes a file of a checkpoint.

    ``buffer`` is what stands between it and the kernel: that of Python's files, of C++ streams, or
    of Rust's `BufWriter`. ``mode`` is that of new files. ``temporary`` means written under another
    name and renamed; ``sized`` that the file gets its size first; ``synced`` that it is synced
    before it is closed; ``locked`` that it is written with one call under a lock, synced, renamed,
    and its directory synced.
    """

    buffer: str
    mode: int = 0o666
    temporary: bool = False
    sized: bool = False
    synced: bool = False
    locked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How samples lie in files.

    ``file_sizes`` gives the sizes of files from those of their samples, one file a row. ``parts``
    gives what is in a file. ``refusal`` says why a population can't have this format, such as a
    library that is not installed. The first of ``readers`` is the default. ``sidecars`` lie beside
    each file, under its name and their suffix.

    ``saving`` is there where a library saves checkpoints in this format; then each of ``parts`` is
    one write of the library, and an empty one is where it flushes its buffer.

    Where files hold documents of tokens, ``windows`` tells how many windows of so many tokens there
    are: those are what is read. Then all files have the same size, and ``file_sizes`` looks only at
    how many there are.

    ``sizes_at`` gives the sizes of files by their numbers, where they follow not only from those of
    their samples. ``library`` is the module without which there is a ``refusal``.
    """

    name: str
    summary: str
    file_sizes: Callable[[Population, Sizes64], Sizes64]
    parts: Callable[[Population, int, Contents], Iterator[Part]]
    readers: Mapping[str, Reading]
    refusal: Callable[[Population], str | None] = field(default=lambda _population: None)
    sidecars: Mapping[str, Sidecar] = field(default_factory=dict)
    windows: Callable[[Population, int], int] | None = None
    saving: Saving | None = None
    sizes_at: Callable[[Population, Sizes64], Sizes64] | None = None
    library: str = ""


def format_named(name: str) -> Format:
    """The format of that name. `errors.Refused` where there is none."""
    found: Format = plugin("formats", name)
    return found


def format_of(population: Population) -> Format:
    """The format of ``population``."""
    return format_named(population.format)


def sizes_in(population: Population, files: Sizes64) -> Sizes64:
    """The sizes in bytes of the samples in ``files``, one row a file."""
    each = population.samples_per_file
    indices = files[:, None] * each + np.arange(each, dtype=np.int64)
    return sample_sizes(population, indices.ravel()).reshape(-1, each)


def samples_in(population: Population, file: int) -> list[Payload]:
    """The samples in one file, in their order."""
    sizes = sizes_in(population, np.array([file], dtype=np.int64))[0].tolist()
    return list(map(Payload, range(file * len(sizes), (file + 1) * len(sizes)), sizes))
