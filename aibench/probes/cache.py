"""What the page cache holds of files, and how to make it let go.

Looking at a file opens it, and that brings its directory entry and inode back into memory.
After a check as root, `drop_caches` forgets them again before a cold phase begins.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

_CACHESTAT = 451
_PAGE = os.sysconf("SC_PAGE_SIZE")
_WINDOW = 2**30
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_DROP_CACHES = "/proc/sys/vm/drop_caches"
_UNSUPPORTED = (errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP, errno.EACCES)
_SHOWN_PROBLEMS = 3
_NEVER_REACHED = "the caches of a server, a FUSE process or the device itself"

Look = Callable[[int, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Residency:
    """How much of some files the page cache held: bytes, so large files weigh more.

    ``files`` were looked at, ``missed`` could not be; ``problems`` are the first of the reasons.
    ``population`` is how many files there are, where those looked at are a sample of them.
    """

    resident_bytes: int
    bytes: int
    files: int
    missed: int
    population: int
    method: str
    problems: tuple[str, ...] = ()

    @property
    def share(self) -> float | None:
        """Resident bytes over all bytes looked at; None where there was nothing to look at."""
        return self.resident_bytes / self.bytes if self.bytes else None


def together(first: Residency, second: Residency) -> Residency:
    """How much of the files of both."""
    return Residency(
        resident_bytes=first.resident_bytes + second.resident_bytes,
        bytes=first.bytes + second.bytes,
        files=first.files + second.files,
        missed=first.missed + second.missed,
        population=first.population + second.population,
        method=first.method,
        problems=(first.problems + second.problems)[:_SHOWN_PROBLEMS],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Eviction:
    """What was done to empty the caches: ``drop_caches`` or ``fadvise``, and what that can't reach.

    ``files`` were evicted one by one, ``missed`` could not be.
    """

    method: str
    files: int = 0
    missed: int = 0
    done: str
    beyond: str
    problems: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What was done and what is beyond its reach, for the record."""
        missed = f"; {self.missed} files missed ({self.problems[0]})" if self.problems else ""
        return f"{self.done}{missed}; can't reach {self.beyond}"


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_int64)
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    libc.syscall.restype = ctypes.c_long
    return libc


def _failure(call: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number).lower()}")


def cachestat(descriptor: int, size: int) -> int:
    """Bytes of an open file in the page cache, as Linux 6.5 and later count them."""
    whole = (ctypes.c_uint64 * 2)(0, 0)
    counts = (ctypes.c_uint64 * 5)()
    call = ctypes.c_long(_CACHESTAT)
    flags = ctypes.c_uint(0)
    if _libc().syscall(call, ctypes.c_int(descriptor), whole, counts, flags) != 0:
        raise _failure("cachestat")
    return min(int(counts[0]) * _PAGE, size)


def mincore(descriptor: int, size: int) -> int:
    """Bytes of an open file in the page cache, as a mapping of it shows them.

    PermissionError for a file of another user, for which Linux says that all is resident.
    """
    if os.geteuid() not in (0, os.fstat(descriptor).st_uid) and not _may_write(descriptor):
        raise PermissionError(errno.EPERM, "mincore: not told about files of other users")
    pages = sum(_mincore(descriptor, start, size) for start in range(0, size, _WINDOW))
    return min(pages * _PAGE, size)


def _may_write(descriptor: int) -> bool:
    return os.access(f"/proc/self/fd/{descriptor}", os.W_OK, effective_ids=True)


def _mincore(descriptor: int, start: int, size: int) -> int:
    libc, length = _libc(), min(_WINDOW, size - start)
    address = libc.mmap(None, length, 1, 1, descriptor, start)  # PROT_READ, MAP_SHARED
    if address == ctypes.c_void_p(-1).value:
        raise _failure("mmap")
    try:
        pages = -(-length // _PAGE)
        vector = (ctypes.c_ubyte * pages)()
        if libc.mincore(address, length, vector) != 0:
            raise _failure("mincore")
    finally:
        libc.munmap(address, length)
    return pages - bytes(vector).count(0)


class _Looker:
    """Sums up what is resident of files, by the first way to look that works for each."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self.looks = list(looks)
        self.resident = self.bytes = self.files = 0
        self.methods: dict[str, None] = {}

    def __call__(self, descriptor: int, size: int) -> None:
        """Adds one open file; OSError where no way to look can tell."""
        refusal = OSError(errno.ENOSYS, "no way to look into the page cache")
        for look in tuple(self.looks):
            try:
                resident = look(descriptor, size)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
                refusal = error
                if error.errno == errno.ENOSYS:
                    self.looks.remove(look)
                continue
            self.resident += resident
            self.bytes += size
            self.files += 1
            self.methods[look.__name__] = None
            return
        raise refusal


def _visit(
    root_fd: int, names: Iterable[str], act: Callable[[int, int], None]
) -> tuple[int, tuple[str, ...]]:
    """Calls ``act`` with a descriptor and the size of each file; how many failed, and first why."""
    missed = 0
    problems: list[str] = []
    for name in names:
        try:
            descriptor = os.open(name, _OPEN, dir_fd=root_fd)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(errno.EINVAL, "not a regular file")
                act(descriptor, status.st_size)
            finally:
                os.close(descriptor)
        except OSError as error:
            missed += 1
            if len(problems) < _SHOWN_PROBLEMS:
                problems.append(f"{name}: {(error.strerror or str(error)).lower()}")
    return missed, tuple(problems)


def residency(
    root_fd: int,
    names: Iterable[str],
    *,
    population: int | None = None,
    looks: Sequence[Look] = (cachestat, mincore),
) -> Residency:
    """How much of the files ``names`` under the directory ``root_fd`` is in the page cache.

    Each of ``looks`` is tried in order where the one before is not supported for a file. Files
    that have vanished or can't be opened are counted in ``missed``, never as not resident.
    """
    looker = _Looker(looks)
    missed, problems = _visit(root_fd, names, looker)
    return Residency(
        resident_bytes=looker.resident,
        bytes=looker.bytes,
        files=looker.files,
        missed=missed,
        population=looker.files + missed if population is None else population,
        method=" and ".join(looker.methods),
        problems=problems,
    )


def sample(count: int, largest: int, seed: int) -> Sequence[int]:
    """At most ``largest`` of the indices below ``count``, in order: all, or a seeded sample."""
    if count <= largest:
        return range(count)
    return sorted(Random(seed).sample(range(count), largest))


def may_drop_caches() -> bool:
    """Whether this process may empty the kernel's caches of the whole machine."""
    return os.access(_DROP_CACHES, os.W_OK, effective_ids=True)


def drop_caches() -> bool:
    """Empties the page cache of clean pages, and entries and inodes; False where it may not."""
    try:
        with open(_DROP_CACHES, "w") as file:
            file.write("3\n")
    except OSError:
        return False
    return True


def evict(root_fd: int, names: Iterable[str], *, allow_drop: bool = True) -> Eviction:
    """Writes the filesystem of ``root_fd`` back, then empties the caches of the files ``names``.

    As root (unless ``allow_drop`` is False) the whole machine's caches are dropped; otherwise each
    file is advised away. OSError where writing back fails: then data was lost. Whether the caches
    are empty afterwards is for `residency` to check.
    """
    _sync(root_fd)
    if allow_drop and drop_caches():
        return Eviction(
            method="drop_caches",
            done="synced, then dropped all caches (drop_caches=3)",
            beyond=_NEVER_REACHED,
        )
    advised = 0

    def advise(descriptor: int, _size: int) -> None:
        nonlocal advised
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        advised += 1

    missed, problems = _visit(root_fd, names, advise)
    return Eviction(
        method="fadvise",
        files=advised,
        missed=missed,
        done=f"synced, then advised {advised} files away (POSIX_FADV_DONTNEED)",
        beyond=f"directory entries and attributes, pages that a process maps, {_NEVER_REACHED}",
        problems=problems,
    )


def _sync(root_fd: int) -> None:
    """Writes back all dirty data of the filesystem, or of all where syncfs(2) is not allowed."""
    if _libc().syncfs(root_fd) == 0:
        return
    error = _failure("syncfs")
    if error.errno not in (errno.ENOSYS, errno.EPERM):
        raise error
    os.sync()
