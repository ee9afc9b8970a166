#!/usr/bin/env python3
"""faultfs: a directory once more, through FUSE, with faults that change while it is mounted.

    faultfs.py SOURCE MOUNT CONTROL [--direct-io] [--source NAME] [-o FUSE_OPTION=VALUE ...]

CONTROL is a JSON file that is read again whenever it was replaced:

    {"delay_ms": {"read": 10, "fsync": 25},     each such request waits
     "read_bps": 20e6, "write_bps": 20e6,       bytes per second, all requests together
     "slack_ms": 200,                           what no request came for in so long comes after that
     "write_burst": {"bytes": 1e9, "bps": 80e6},
                                                so much goes at that rate first, as into a cache
     "error": {"read": {"errno": "EIO", "rate": 0.1, "after": 100}},
                                                that share of them fails, after so many good ones
     "hang": ["write"],                         they wait until this is taken back
     "short_read": 0.5,                         that share of reads returns half of what it should
     "stale_listing": true,                     a directory lists as it did when first asked since
     "space_bytes": 10000000,                   so much fits in, and statfs says so
     "statfs": {"f_blocks": 0}}                 what statfs says instead of the truth

Requests are those of FUSE: getattr, readdir, open, create, read, write, truncate, fsync, flush,
unlink, rename, mkdir, rmdir, link, symlink, statfs. With --direct-io each read(2) and write(2) is
at least one of them; without it the kernel caches, reads ahead and hides some faults. With
-o negative_timeout=5 names that another mount of SOURCE creates appear late.

Needs mfusepy (PyPI) and libfuse3 (Debian: fuse3).
"""

# ruff: noqa: ARG002, D102 - the methods are those of mfusepy.Operations

import argparse
import errno
import json
import os
import random
import threading
import time
from typing import Any

import mfusepy  # type: ignore[import-untyped]

_SLACK_MS = 20
"""So long a program takes at most from one answer to its next request, while it goes on."""
_POLL_S = 0.01
_STAT = ("mode", "nlink", "uid", "gid", "size", "blocks", "ino")
_STATFS = ("bavail", "bfree", "blocks", "bsize", "favail", "ffree", "files", "frsize", "namemax")


class Control:
    """What the control file says now."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._faults: dict[str, Any] = {}
        self._requests: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, fault: str, default: Any = None) -> Any:
        """What is asked of ``fault``; a control file that is missing or broken changes nothing."""
        with self._lock:
            try:
                status = os.stat(self._path)
                seen = (status.st_ino, status.st_mtime_ns, status.st_size)
                if seen != self._seen:
                    with open(self._path) as file:
                        self._faults = json.load(file)
                    self._seen = seen
                    self._requests = {}
            except (OSError, ValueError):
                pass
            return self._faults.get(fault, default)

    def count(self, operation: str, more: int = 1) -> int:
        """How many requests, or bytes, of this sort came before, since the faults were changed."""
        with self._lock:
            before = self._requests.get(operation, 0)
            self._requests[operation] = before + more
            return before


class Link:
    """A line that carries so many bytes per second, one after the other.

    What it could not carry because an answer left too late, or the next request came too late, it
    carries after that.
    """

    def __init__(self) -> None:
        self._free_at = self._late_s = 0.0
        self._lock = threading.Lock()

    def carry(self, count: int, rate: float | None, slack_s: float) -> None:
        """Wait until ``count`` bytes are through; who is later than the slack finds it idle."""
        if not rate:
            return
        with self._lock:
            now = time.monotonic()
            was_idle = now - self._free_at > self._late_s + slack_s
            self._free_at = (now if was_idle else self._free_at) + count / rate
            wait = self._free_at - now
        if wait > 0:
            time.sleep(wait)
            self._late_s = time.monotonic() - now - wait


class FaultFS(mfusepy.Operations):  # type: ignore[misc]
    """Each request passes the gate, and then goes to the source directory."""

    use_ns = True

    def __init__(self, source: str, control: Control) -> None:
        self._source = source
        self._control = control
        self._reading, self._writing = Link(), Link()
        self._listed: dict[str, list[tuple[str, dict[str, int], int]]] = {}
        self._random = random.Random(1)
        self._lock = threading.Lock()
        self._used = sum(
            os.lstat(os.path.join(place, name)).st_size
            for place, _, names in os.walk(source)
            for name in names
        )

    def _path(self, path: str) -> str:
        return self._source + path

    def _gate(self, operation: str) -> None:
        """Wait and fail as the control file wants it."""
        while operation in self._control("hang", ()):
            time.sleep(_POLL_S)
        before = self._control.count(operation)
        if delay := self._control("delay_ms", {}).get(operation):
            time.sleep(delay / 1e3)
        fault = self._control("error", {}).get(operation)
        if fault is None or before < fault.get("after", 0):
            return
        if self._random.random() < fault.get("rate", 1):
            raise OSError(getattr(errno, fault["errno"]), "asked for")

    def _write_rate(self, count: int) -> float | None:
        """The bytes per second that a write of ``count`` goes at: those of the burst come first."""
        burst: dict[str, float] = self._control("write_burst", {"bytes": 0})
        within = self._control.count("bytes written", count) < burst["bytes"]
        rate: float | None = burst["bps"] if within else self._control("write_bps")
        return rate

    def _slack_s(self) -> float:
        """How long a line waits for the next request before it counts as idle."""
        return float(self._control("slack_ms", _SLACK_MS)) / 1e3

    def _grow(self, more: int) -> None:
        """Account for ``more`` bytes; ENOSPC where they don't fit in."""
        with self._lock:
            limit = self._control("space_bytes")
            if limit and more > 0 and self._used + more > limit:
                raise OSError(errno.ENOSPC, "asked for")
            self._used += more

    def _freed_by_removing(self, path: str) -> int:
        try:
            status = os.lstat(self._path(path))
        except FileNotFoundError:
            return 0
        return status.st_size if status.st_nlink == 1 else 0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        self._gate("getattr")
        status = os.lstat(self._path(path)) if fh is None else os.fstat(fh)
        fields = {f"st_{name}": getattr(status, f"st_{name}") for name in _STAT}
        times = {f"st_{which}time": getattr(status, f"st_{which}time_ns") for which in "amc"}
        return fields | times

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
        self._gate("readdir")
        with os.scandir(self._path(path)) as entries:
            listed = [(entry.name, {"st_ino": entry.inode(), "st_mode": 0}, 0) for entry in entries]
        if not self._control("stale_listing", False):
            self._listed.clear()
            return listed
        return self._listed.setdefault(path, listed)

    def open(self, path: str, flags: int) -> int:
        self._gate("open")
        return os.open(self._path(path), flags & ~os.O_DIRECT)

    def create(self, path: str, mode: int, flags: int) -> int:
        self._gate("create")
        wanted = flags & (os.O_EXCL | os.O_TRUNC) | os.O_RDWR | os.O_CREAT
        return os.open(self._path(path), wanted, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._gate("read")
        data = os.pread(fh, size, offset)
        self._reading.carry(len(data), self._control("read_bps"), self._slack_s())
        if len(data) > 1 and self._random.random() < self._control("short_read", 0):
            return data[: len(data) // 2]
        return data

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._gate("write")
        self._grow(max(0, offset + len(data) - os.fstat(fh).st_size))
        self._writing.carry(len(data), self._write_rate(len(data)), self._slack_s())
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        self._gate("truncate")
        place = self._path(path) if fh is None else fh
        self._grow(length - os.stat(place).st_size)
        os.truncate(place, length)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        self._gate("fsync")
        os.fsync(fh)

    def fsyncdir(self, path: str, datasync: int, fh: int) -> None:
        self._gate("fsync")

    def flush(self, path: str, fh: int) -> None:
        self._gate("flush")

    def release(self, path: str, fh: int) -> None:
        os.close(fh)

    def unlink(self, path: str) -> None:
        self._gate("unlink")
        freed = self._freed_by_removing(path)
        os.unlink(self._path(path))
        self._grow(-freed)

    def rename(self, old: str, new: str) -> None:
        self._gate("rename")
        freed = self._freed_by_removing(new)
        os.rename(self._path(old), self._path(new))
        self._grow(-freed)

    def mkdir(self, path: str, mode: int) -> None:
        self._gate("mkdir")
        os.mkdir(self._path(path), mode)

    def rmdir(self, path: str) -> None:
        self._gate("rmdir")
        os.rmdir(self._path(path))

    def link(self, target: str, source: str) -> None:
        self._gate("link")
        os.link(self._path(source), self._path(target))

    def symlink(self, target: str, source: str) -> None:
        self._gate("symlink")
        os.symlink(source, self._path(target))

    def readlink(self, path: str) -> str:
        return os.readlink(self._path(path))

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self._path(path), mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        os.chown(self._path(path), uid, gid, follow_symlinks=False)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        moment: dict[str, Any] = {} if times is None else {"ns": times}
        os.utime(self._path(path), **moment, follow_symlinks=False)

    def statfs(self, path: str) -> dict[str, int]:
        self._gate("statfs")
        space = os.statvfs(self._path(path))
        fields: dict[str, int] = {f"f_{name}": getattr(space, f"f_{name}") for name in _STATFS}
        if limit := self._control("space_bytes"):
            unit = space.f_frsize
            fields["f_blocks"] = limit // unit
            fields["f_bfree"] = fields["f_bavail"] = max(0, limit - self._used) // unit
        fields |= self._control("statfs", {})
        return fields


def main() -> None:
    """Mount, and serve until it is unmounted."""
    parser = argparse.ArgumentParser(prog="faultfs.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("source")
    parser.add_argument("mount")
    parser.add_argument("control")
    parser.add_argument("--direct-io", action="store_true", help="no page cache in between")
    parser.add_argument("--source", dest="name", default="faultfs", help="named by mountinfo")
    parser.add_argument("-o", dest="options", action="append", default=[], metavar="OPTION=VALUE")
    given = parser.parse_args()
    options = {"attr_timeout": 0, "entry_timeout": 0, "subtype": "faultfs"}
    options |= dict(option.split("=", 1) for option in given.options)
    mfusepy.FUSE(
        FaultFS(os.path.abspath(given.source), Control(os.path.abspath(given.control))),
        os.path.abspath(given.mount),
        foreground=True,
        nothreads=False,
        allow_other=True,
        default_permissions=True,
        fsname=given.name.replace("\\", "\\\\").replace(",", "\\,"),
        hard_remove=True,
        use_ino=True,
        direct_io=given.direct_io,
        **options,
    )


if __name__ == "__main__":
    main()
