"""What loops that write a data set share: which granules are whose, and what was done of them."""

import os
from collections.abc import Iterator
from contextlib import suppress

from aibench.calls import Calls
from aibench.formats.files import granule
from aibench.workers.job import Job
from aibench.workers.share import block_of

#: After so many bytes of a file the storage begins with them, while the next ones are made.
_PUSHED = 8 * 2**20
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def create(calls: Calls, name: bytes, root: int, direct: int = 0) -> int:
    """Open a new file below ``root`` for writing; ``direct`` is ``O_DIRECT`` or 0.

    What had the name before loses it and keeps its bytes: it may be somebody's file with one more
    name. OSError where that is no file, or something else takes the name meanwhile.
    """
    flags = _FLAGS | direct
    try:
        fd: int = calls.open(name, flags, 0o644, dir_fd=root)
    except FileExistsError:
        with suppress(FileNotFoundError):
            calls.unlink(name, dir_fd=root)
        fd = calls.open(name, flags, 0o644, dir_fd=root)
    return fd


def write_all(calls: Calls, fd: int, data: memoryview) -> None:
    """Write ``data`` to its end, however short each write comes."""
    count = calls.write(fd, data)
    while count < len(data):
        data = data[count:]
        count = calls.write(fd, data)


def push(calls: Calls, fd: int, written: int) -> None:
    """Let the storage begin with what was written since the last time, when it is enough."""
    if written % _PUSHED == 0:
        calls.push(fd, written - _PUSHED, _PUSHED)


def granules_of(job: Job, slot: int) -> Iterator[tuple[int, range]]:
    """(number, file indices) of each granule that is this slot's to write.

    Shares are contiguous: workers keep out of each other's directories, and whoever reads with a
    shift reads what another one wrote.
    """
    population = job.phase.population
    each = granule(population)
    numbers = range(-(-population.files // each)) if job.only is None else job.only
    part = block_of(len(numbers), job.phase.slots, slot)
    for number in numbers[part.start : part.stop]:
        yield number, range(number * each, min((number + 1) * each, population.files))


def note(job: Job, slot: int, number: int) -> None:
    """Note in the journal that a granule was written."""
    if job.journal is None:
        return
    path = f"{job.journal}/progress-{slot:04d}"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    try:
        os.write(fd, b"%d\n" % number)
    finally:
        os.close(fd)
