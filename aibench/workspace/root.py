"""Makes, recognizes and holds the directory on the target that aibench writes in.

It is made under a temporary name with its marker inside and then renamed, so that a directory
without a marker is never ours, and one with a marker always is.
"""

import fcntl
import json
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aibench.errors import WorkspaceError

NAME = "aibench-data"
MARKER = "aibench.json"
LOCK = "lock"
#: A workspace in the making is called ``aibench-data.new-`` and eight hex digits.
UNFINISHED = f"{NAME}.new-"
_MAKER = "aibench"
_FORMAT = 1
_LARGEST_MARKER = 65536
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Workspace:
    """A directory that aibench made. ``root`` is its absolute path, ``fd`` a descriptor of it.

    ``locked`` tells whether this process keeps others out; ``lock_problem`` says why the
    filesystem could not lock.
    """

    root: str
    fd: int
    locked: bool = False
    lock_problem: str | None = None
    _lock_fd: int = -1

    @property
    def device(self) -> int:
        """The device number of the filesystem the workspace lies on."""
        return os.fstat(self.fd).st_dev

    def lock(self) -> None:
        """Keep other runs out until `close`. `WorkspaceError` names the run that is in."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._lock_fd = os.open(LOCK, flags, 0o644, dir_fd=self.fd)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock_fd, 200, 0).decode(errors="replace").strip()
            raise WorkspaceError(
                f"{self.root} is in use by another run ({holder or 'unknown'}); "
                "wait for it, or give another directory"
            ) from None
        except OSError as error:
            self.lock_problem = f"the filesystem can't lock ({error.strerror})"
            return
        self.locked = True
        os.ftruncate(self._lock_fd, 0)
        os.pwrite(self._lock_fd, f"pid {os.getpid()} on {os.uname().nodename}\n".encode(), 0)

    def close(self) -> None:
        """Let others in, and let go of the directory."""
        for fd in (self._lock_fd, self.fd):
            if fd >= 0:
                os.close(fd)
        self._lock_fd = self.fd = -1
        self.locked = False

    def path(self, directory: str) -> str:
        """The absolute path of a directory of the workspace."""
        return f"{self.root}/{directory}"


def find(target: str) -> Workspace | None:
    """The workspace under ``target``, or None. `WorkspaceError` where its name is taken."""
    root = os.path.join(os.path.realpath(target), NAME)
    try:
        fd = os.open(root, _DIRECTORY)
    except FileNotFoundError:
        return None
    except OSError as error:
        if os.path.islink(root) or not os.path.isdir(root):
            raise WorkspaceError(
                f"{root} is not a directory that aibench made (it is {_what(root)}); "
                "move it away, or give another directory"
            ) from None
        raise WorkspaceError(f"{root}: {error.strerror}") from error
    try:
        _check(fd, root, os.stat(os.path.dirname(root)).st_dev)
    except BaseException:
        os.close(fd)
        raise
    return Workspace(root, fd)


def _what(path: str) -> str:
    mode = os.lstat(path).st_mode
    return "a symbolic link" if stat.S_ISLNK(mode) else "a file"


def _check(fd: int, root: str, device: int) -> None:
    """Refuse a directory that is not marked as aibench's own, or is another mount."""
    if os.fstat(fd).st_dev != device:
        raise WorkspaceError(f"{root} is a mount point of its own; aibench did not make it")
    marker = read_json(fd, MARKER)
    if not isinstance(marker, dict) or marker.get("made_by") != _MAKER:
        raise WorkspaceError(
            f"{root} exists and aibench did not make it: it has no valid {MARKER}; "
            "move it away, or give another directory"
        )
    if marker.get("format") != _FORMAT:
        raise WorkspaceError(f"{root} was made by another version of aibench; clean it with that")


def make(target: str) -> Workspace:
    """The workspace under ``target``, made now unless it exists."""
    if (known := find(target)) is not None:
        return known
    base = os.path.realpath(target)
    parent = os.open(base, _DIRECTORY)
    temporary = f"{UNFINISHED}{secrets.token_hex(4)}"
    try:
        os.mkdir(temporary, 0o755, dir_fd=parent)
        fd = os.open(temporary, _DIRECTORY, dir_fd=parent)
        try:
            marker = {"made_by": _MAKER, "format": _FORMAT, "id": secrets.token_hex(16)}
            write_json(fd, MARKER, marker)
            os.rename(temporary, NAME, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(MARKER, dir_fd=fd)
            with suppress(OSError):
                os.rmdir(temporary, dir_fd=parent)
            raise
        finally:
            os.close(fd)
        os.fsync(parent)
    finally:
        os.close(parent)
    workspace = find(target)
    assert workspace is not None
    return workspace


def read_json(directory: int, name: str) -> Any:
    """The content of a small JSON file of ours; None when it is missing, damaged or a link."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return json.loads(os.read(fd, _LARGEST_MARKER))
    except (ValueError, RecursionError):
        return None
    finally:
        os.close(fd)


def write_json(directory: int, name: str, value: Any) -> None:
    """Replace a small JSON file of ours, durably: never half written."""
    temporary = f"{name}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o644, dir_fd=directory)
    try:
        os.write(fd, json.dumps(value, indent=1, sort_keys=True).encode() + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
