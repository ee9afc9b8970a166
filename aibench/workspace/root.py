"""Makes, recognizes and holds the directory on the target that aibench writes in.

It is made under a temporary name with its marker inside and then renamed, so that a directory
without a marker is never ours, and one with a marker always is.
"""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from aibench.errors import WorkspaceError
from aibench.probes import sysfs
from aibench.workspace.documents import read_json, write_json

NAME = "aibench-data"
MARKER = "aibench.json"
LOCK = "lock"
#: A workspace in the making is called ``aibench-data.new-`` and eight hex digits.
UNFINISHED = f"{NAME}.new-"
_MAKER = "aibench"
_FORMAT = 1
#: How a directory is opened: never through a symbolic link.
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


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

    def lock(self) -> None:
        """Keep other runs out until `close`. `WorkspaceError` names the run that is in.

        Where nobody can write (a read-only mount) there is nothing to keep out.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._lock_fd = os.open(LOCK, flags, 0o644, dir_fd=self.fd)
        except OSError as error:
            if error.errno == errno.EROFS:
                self.lock_problem = "the filesystem is read-only"
                return
            raise WorkspaceError(f"{self.root}/{LOCK} can't be opened: {_lower(error)}") from error
        if not stat.S_ISREG(os.fstat(self._lock_fd).st_mode):
            raise WorkspaceError(f"{self.root}/{LOCK} is not a file that aibench made; remove it")
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkspaceError(
                f"{self.root} is in use by another run ({self._holder()}); "
                "wait for it, or give another directory"
            ) from None
        except OSError as error:
            self.lock_problem = f"the filesystem can't lock ({error.strerror})"
            return
        self._refuse_removed()
        self.locked = True
        with suppress(OSError):  # a full filesystem can't be told who holds the lock
            os.ftruncate(self._lock_fd, 0)
            os.pwrite(self._lock_fd, f"pid {os.getpid()} on {os.uname().nodename}\n".encode(), 0)
            os.fsync(self._lock_fd)  # other clients of a network mount read it

    def _holder(self) -> str:
        said = os.pread(self._lock_fd, 200, 0).decode(errors="replace").strip()
        return said if said and said.isprintable() else "unknown"

    def _refuse_removed(self) -> None:
        """Refuse where 'aibench clean' removed the lock while this process waited at its door."""
        try:
            now = os.stat(LOCK, dir_fd=self.fd, follow_symlinks=False)
            if os.path.samestat(now, os.fstat(self._lock_fd)):
                return
        except FileNotFoundError:
            pass
        raise WorkspaceError(f"{self.root} was removed just now by 'aibench clean'; run it again")

    def close(self) -> None:
        """Let others in, and let go of the directory."""
        self.unlock()
        if self.fd >= 0:
            with suppress(OSError):  # nothing was written through it
                os.close(self.fd)
        self.fd = -1

    def unlock(self) -> None:
        """Let others in."""
        if self._lock_fd >= 0:
            with suppress(OSError):  # a target that went away has told so before
                os.close(self._lock_fd)
        self._lock_fd = -1
        self.locked = False

    @property
    def token(self) -> str:
        """What its marker is known by: equal through every mount of the same directory."""
        marker = read_json(self.fd, MARKER)
        return str(marker.get("id", "")) if isinstance(marker, dict) else ""

    def path(self, directory: str) -> str:
        """The absolute path of a directory of the workspace."""
        return f"{self.root}/{directory}"

    @contextmanager
    def opened(self, directory: str) -> Iterator[int]:
        """A descriptor of a directory of the workspace. OSError where a link is on the way."""
        fd = os.dup(self.fd)
        try:
            for part in directory.split("/"):
                inner = os.open(part, DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)


def mount_of(fd: int) -> tuple[int, int | None]:
    """What tells one mount from another: the device, and the kernel's number of the mount.

    A bind mount of the same filesystem differs only in the latter.
    """
    return os.fstat(fd).st_dev, sysfs.fields(f"/proc/self/fdinfo/{fd}").get("mnt_id")


def find(target: str) -> Workspace | None:
    """The workspace under ``target``, or None. `WorkspaceError` where its name is taken."""
    base = os.path.realpath(target)
    root = os.path.join(base, NAME)
    parent = fd = -1
    try:
        parent = os.open(base, DIRECTORY)
        fd = os.open(NAME, DIRECTORY, dir_fd=parent)
        _check(fd, root, parent)
        found, fd = fd, -1
        return Workspace(root, found)
    except FileNotFoundError:
        return None
    except OSError as error:
        if (what := _what(root)) is not None:
            raise WorkspaceError(
                f"{root} is not a directory that aibench made (it is {what}); "
                "move it away, or give another directory"
            ) from None
        raise WorkspaceError(f"{root} can't be opened: {_lower(error)}") from error
    finally:
        for each in (parent, fd):
            if each >= 0:
                os.close(each)


def _lower(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _what(path: str) -> str | None:
    """What ``path`` is, where it is no directory."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return None
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return None if stat.S_ISDIR(mode) else "a file"


def _check(fd: int, root: str, parent: int) -> None:
    """Refuse a directory that is not marked as aibench's own, or is another mount."""
    if mount_of(fd) != mount_of(parent):
        raise WorkspaceError(
            f"{root} is a mount point of its own, and aibench did not make it; "
            "give another directory"
        )
    marker = read_json(fd, MARKER)
    if not isinstance(marker, dict) or marker.get("made_by") != _MAKER:
        raise WorkspaceError(
            f"{root} exists and aibench did not make it: it has no valid {MARKER}; "
            "move it away, or give another directory"
        )
    if marker.get("format") != _FORMAT:
        raise WorkspaceError(f"{root} was made by another version of aibench; clean it with that")


def make(target: str) -> Workspace:
    """The workspace under ``target``, made now unless it exists.

    Another client may have made it: a network mount goes on for a while without its name, and only
    renaming meets it.
    """
    if (known := find(target)) is not None:
        return known
    parent = os.open(os.path.realpath(target), DIRECTORY)
    try:
        _make_in(parent, f"{UNFINISHED}{secrets.token_hex(4)}")
        os.fsync(parent)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    finally:
        os.close(parent)
    workspace = find(target)
    if workspace is None:
        raise WorkspaceError(f"{target}/{NAME} comes and goes: something else removes it")
    return workspace


def _make_in(parent: int, temporary: str) -> None:
    """Make a marked directory under a temporary name, and give it its own."""
    fd = -1
    try:
        os.mkdir(temporary, 0o755, dir_fd=parent)
        fd = os.open(temporary, DIRECTORY, dir_fd=parent)
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
        if fd >= 0:
            os.close(fd)


def make_directory(workspace: Workspace, directory: str) -> str:
    """Make a directory of the workspace; returns its absolute path.

    `WorkspaceError` where something of that name is no directory, or leads elsewhere.
    """
    path = workspace.root
    for part in directory.split("/"):
        path = f"{path}/{part}"
        with suppress(FileExistsError):
            os.mkdir(path, 0o755)
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            raise WorkspaceError(f"{path} is a symbolic link; aibench follows none")
        if not stat.S_ISDIR(mode):
            raise WorkspaceError(f"{path} is not a directory, and aibench needs one of that name")
    return path
