"""Data in a format: written, compared and read in this process, call by call."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from aibench.calls import Calls, real_calls
from aibench.engines.null import NullEngine
from aibench.formats.files import all_paths_of
from aibench.formats.format import Access, format_of
from aibench.formats.packing import Packer
from aibench.model import Measurement, Operation, Order, Population, Sizes
from aibench.workers.job import Job, Outcome, Progress
from aibench.workers.loops.verify import prepare_verify
from aibench.workers.loops.write import prepare_write
from tests import build
from tests.engines.files import site


def population(form: str, files: int, samples: int, mean: int, **changes: Any) -> Population:
    """Samples of spread sizes in a few files."""
    sizes = Sizes(distribution="lognormal", mean=mean, sigma=0.8, smallest=0, largest=20 * mean)
    parts: dict[str, Any] = {"directory": "data", "sizes": sizes, "files_per_directory": 2}
    return build.population(files=files, samples_per_file=samples, format=form, **parts | changes)


def packed(files: Population, number: int, suffix: str = "") -> bytes:
    """What is in a file, or in the one beside it."""
    into = memoryview(bytearray(2**16))
    return b"".join(map(bytes, Packer(files).pack(number, into, suffix)))


def write(files: Population, directory: Path, only: tuple[int, ...] | None = None) -> Outcome:
    """Write all granules of ``files``, or ``only`` some."""
    directory.mkdir(exist_ok=True)
    phase = build.phase(
        population=files, operation=Operation.WRITE_FILES, processes=1, io_size=2**18
    )
    return _run(prepare_write, phase, directory, only)


def verify(files: Population, directory: Path) -> Outcome:
    """Compare all of ``files`` with what they have to be."""
    phase = build.phase(population=files, processes=1)
    return _run(prepare_verify, phase, directory)


def everything(files: Population, directory: Path) -> dict[str, bytes]:
    """All files by their paths."""
    paths = [path for number in range(files.files) for path in all_paths_of(files, number)]
    return {path: (directory / path).read_bytes() for path in paths}


def without_io(files: Population, reader: str, **changes: Any) -> Measurement:
    """One epoch by the null engine."""
    phase = build.phase(population=files, reader=reader, order=Order.SEQUENTIAL, **changes)
    return NullEngine().run(phase, site(Path("/")), lambda *_: None)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a reader. ``asked`` and ``came`` are bytes, 0 where there are none."""

    name: str
    path: str
    asked: int = 0
    came: int = 0


class Spy:
    """Real system calls, written down."""

    def __init__(self) -> None:
        self.steps: list[Call] = []
        self.directory = -1
        self._paths: dict[int, str] = {}

    def named(self, *names: str) -> list[Call]:
        """The calls of these names."""
        return [step for step in self.steps if step.name in names]

    def calls(self) -> Calls:
        """The calls for a reader."""
        real = real_calls()
        return replace(
            real, open=self._open, stat=self._stat, readv=self._data("readv"),
            pread=self._data("pread"), touch=self._touch,
            **{name: self._other(name) for name in ("close", "fstat", "isatty", "lseek", "map")},
        )  # fmt: skip

    def _open(self, path: bytes, *arguments: Any, **named: Any) -> int:
        fd = os.open(path, *arguments, **named)
        self._paths[fd] = path.decode()
        if path.startswith(b"/"):
            self.directory = fd
        self.steps.append(Call("open", path.decode()))
        return fd

    def _stat(self, path: bytes, **named: Any) -> os.stat_result:
        self.steps.append(Call("stat", path.decode()))
        return os.stat(path, **named)

    def _data(self, name: str) -> Any:
        real = getattr(real_calls(), name)

        def call(fd: int, buffers: Sequence[memoryview], *rest: int) -> int:
            came: int = real(fd, buffers, *rest)
            self.steps.append(Call(name, self._paths[fd], sum(map(len, buffers)), came))
            return came

        return call

    def _touch(self, mapped: memoryview, offset: int, length: int) -> None:
        assert 0 <= offset <= offset + length <= len(mapped)
        self.steps.append(Call("touch", "", length, length))
        real_calls().touch(mapped, offset, length)

    def _other(self, name: str) -> Any:
        real = getattr(real_calls(), name)

        def call(fd: int, *rest: Any) -> Any:
            self.steps.append(Call(name, self._paths[fd]))
            return real(fd, *rest)

        return call


@contextmanager
def reading(
    files: Population, directory: Path, reader: str, numbers: Sequence[int], **access: Any
) -> Iterator[tuple[Spy, Iterator[int]]]:
    """What a reader does, and the bytes of its samples as they come. Leaves no descriptor open."""
    spy, root = Spy(), os.open(directory, os.O_RDONLY)
    before = len(os.listdir("/proc/self/fd"))
    made = format_of(files).readers[reader].make(Access(spy.calls(), root, files, **access))
    samples = made.samples(iter([np.array(numbers, dtype=np.int64)]))
    try:
        yield spy, samples
    finally:
        samples.close()
        left = len(os.listdir("/proc/self/fd"))
        os.close(root)
        assert left == before


def _run(prepare: Any, phase: Any, directory: Path, only: tuple[int, ...] | None = None) -> Outcome:
    spy = Spy()  # a loop leaves the directory open, as its process ends anyway
    job = Job(phase=phase, directory=str(directory), seed=1, calls=spy.calls, only=only)
    outcome = prepare(job, 0, Progress(memoryview(bytearray(16)).cast("q"), 0))(
        real_calls().clock()
    )
    os.close(spy.directory)
    assert isinstance(outcome, Outcome)
    return outcome
