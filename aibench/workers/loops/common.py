"""What the loops share: buffers, directory descriptors, and whom to blame."""

import mmap
import os
from contextlib import suppress
from stat import S_ISDIR

import numpy as np
from numpy.typing import NDArray

from aibench.calls import Calls
from aibench.errors import TargetFailed, WorkspaceError
from aibench.model import CachePolicy, Phase
from aibench.workers.job import Job

#: O_DIRECT wants memory, offsets and lengths aligned to the device's logical block at least.
ALIGNMENT = 4096
_HUGE_PAGE = 2 * 2**20
#: Later than any clock reading.
FOREVER = 2**63 - 1
#: How often a loop tells its progress.
TELL_NS = 20_000_000


def aligned_buffer(size: int) -> NDArray[np.uint8]:
    """``size`` bytes, rounded up to `ALIGNMENT`, page-aligned and already backed by memory."""
    rounded = max(-(-size // ALIGNMENT), 1) * ALIGNMENT
    # Private: the huge pages of shared memory are off nearly everywhere.
    memory = mmap.mmap(-1, rounded, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if rounded >= _HUGE_PAGE:
        with suppress(OSError):  # a kernel without huge pages says EINVAL
            memory.madvise(mmap.MADV_HUGEPAGE)
    buffer = np.frombuffer(memory, dtype=np.uint8)
    buffer[:] = 1
    return buffer


def aligned_view(size: int) -> memoryview:
    """`aligned_buffer` as the system calls want it."""
    return memoryview(aligned_buffer(size).data)


def direct_flag(phase: Phase) -> int:
    """``O_DIRECT`` where the phase asks to pass the page cache by, else 0."""
    return os.O_DIRECT if phase.cache is CachePolicy.DIRECT else 0


def deadline_of(phase: Phase, start_ns: int) -> int:
    """When a phase that began at ``start_ns`` has to end; `FOREVER` where time is no bound."""
    return start_ns + phase.runtime_ns if phase.runtime_ns else FOREVER


def open_directory(calls: Calls, job: Job) -> int:
    """A descriptor of the population's directory, to which all paths are relative."""
    descriptor: int = calls.open(os.fsencode(job.directory), os.O_RDONLY | os.O_DIRECTORY)
    return descriptor


def make_directory(calls: Calls, job: Job, root: int, name: bytes) -> None:
    """Make a directory of the data, or find it there. `WorkspaceError` for a link or a file."""
    try:
        calls.mkdir(name, 0o755, dir_fd=root)
    except FileExistsError:
        if not S_ISDIR(calls.stat(name, dir_fd=root, follow_symlinks=False).st_mode):
            raise WorkspaceError(
                f"{job.directory}/{name.decode()} is not a directory; aibench follows no link"
            ) from None
    except OSError as error:
        raise blame(error, job, name) from error


def blame(error: OSError, job: Job, name: bytes) -> OSError:
    """``error`` with the path it happened at, which errors on descriptors don't know."""
    return OSError(error.errno, error.strerror, f"{job.directory}/{name.decode()}")


def wrong_length(job: Job, name: bytes, read: int, expected: int) -> TargetFailed:
    """The error for a file that is shorter or longer than it was written."""
    path = f"{job.directory}/{name.decode()}"
    return TargetFailed(
        f"{path}: read {read} bytes where {expected} were written; "
        "verify the data, or remove it with 'aibench clean'",
        code="wrong_length",
    )
