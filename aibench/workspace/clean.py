"""Removes what aibench made, by the names that it gives, and nothing else.

Every step is relative to a directory descriptor and follows no link; mount points inside are left
alone, and so is every name that aibench does not give. A file that is removed while it is open gets
another name from NFS or FUSE; where its reader is gone by now, that one goes too.
"""

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from aibench.workspace.documents import read_json, write_json
from aibench.workspace.root import (
    DIRECTORY,
    LOCK,
    MARKER,
    NAME,
    UNFINISHED,
    Workspace,
    mount_of,
)

_Mount = tuple[int, int | None]


def _pattern(expression: str) -> Callable[[str], bool]:
    compiled = re.compile(expression, re.ASCII)
    return lambda name: compiled.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class _Level:
    """The names that aibench gives at one depth: files, and directories with what is in them."""

    files: Callable[[str], bool]
    directories: Callable[[str], bool]
    inside: "_Level | None" = None


#: What the NFS client and libfuse call a file that was removed while it was open.
_REMOVED = r"\.nfs[0-9a-f]{24}|\.fuse_hidden[0-9a-f]{16,24}"
_nothing = _pattern(r"(?!)")
#: What the libraries of engine torch call the files of a checkpoint, and those not yet complete.
_LIBRARIES = r"\.metadata(\.tmp)?|__\d+_\d+\.distcp|\.tmp[0-9A-Za-z]{6}"
#: What the hosts of a run leave for each other.
_HOSTS = r"rank-\d+(\.new)?|\.aibench-ranks"
_OURS = r"[fr]\d{10}(\.tmp|\.idx|(\.json)?(\.__lock)?)?"
_FILES = _Level(_pattern(rf"{_OURS}|{_LIBRARIES}|{_REMOVED}"), _nothing)
_SET = _Level(
    _pattern(rf"manifest\.json(\.new)?|progress-\d{{4,}}|{_HOSTS}|{_REMOVED}"),
    _pattern(r"d\d{6,}"),
    _FILES,
)
_SETS = _Level(_nothing, _pattern(r"[a-z0-9][a-z0-9-]*"), _SET)
_ROOT = _Level(
    _pattern(rf"\.aibench-probe-[0-9a-f]{{12}}|{_REMOVED}"), _pattern("data|scratch|hosts"), _SETS
)
_HALF_MADE = _Level(_pattern(rf"{re.escape(LOCK)}|{re.escape(MARKER)}(\.new)?"), _nothing)


@dataclass(slots=True)
class Cleaned:
    """What was removed, and the paths that were left because aibench did not make them.

    ``busy`` are directories in which a removed file has another name as long as it is open.
    """

    files: int = 0
    directories: int = 0
    bytes: int = 0
    left: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)

    @property
    def removed(self) -> bool:
        """Whether anything was removed."""
        return bool(self.files or self.directories)


def clean(workspace: Workspace) -> Cleaned:
    """Remove the whole workspace; it stays, with its marker, where anything foreign is in it."""
    cleaned = Cleaned()
    mount = mount_of(workspace.fd)
    _empty(workspace.fd, workspace.root, _ROOT, mount, cleaned, keep=(MARKER, LOCK))
    if not cleaned.left and not cleaned.busy:
        _remove_root(workspace, cleaned)
    return cleaned


def _remove_root(workspace: Workspace, cleaned: Cleaned) -> None:
    """Remove the empty workspace under a name that tells what it is, should this be cut short."""
    parent = os.open(os.path.dirname(workspace.root), DIRECTORY)
    temporary = f"{UNFINISHED}{secrets.token_hex(4)}"
    marker = read_json(workspace.fd, MARKER)
    try:
        os.rename(NAME, temporary, src_dir_fd=parent, dst_dir_fd=parent)
        workspace.unlock()  # an open file that is removed leaves another name on some filesystems
        try:
            for name in (LOCK, MARKER):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=workspace.fd)
            os.rmdir(temporary, dir_fd=parent)
        except OSError:
            write_json(workspace.fd, MARKER, marker)
            os.rename(temporary, NAME, src_dir_fd=parent, dst_dir_fd=parent)
            raise
        cleaned.directories += 1
    finally:
        os.close(parent)


def clean_scratch(workspace: Workspace) -> Cleaned:
    """Remove what only lives during a run."""
    return _clean_part(workspace, "scratch", _SETS)


def clean_hosts(workspace: Workspace) -> Cleaned:
    """Remove what the hosts of a run left for each other."""
    return _clean_part(workspace, "hosts", _SETS)


def clean_population(workspace: Workspace, directory: str) -> Cleaned:
    """Remove one population's files, such as the last checkpoint."""
    return _clean_part(workspace, directory, _SET)


def _clean_part(workspace: Workspace, directory: str, level: _Level) -> Cleaned:
    cleaned = Cleaned()
    above, _, name = directory.rpartition("/")
    try:
        with workspace.opened(above or ".") as parent:
            path, mount = workspace.path(directory), mount_of(workspace.fd)
            _enter(parent, name, path, level, mount, cleaned)
    except (FileNotFoundError, NotADirectoryError):
        pass
    return cleaned


def clean_unfinished(target: str) -> Cleaned:
    """Remove workspaces under ``target`` that a killed run began to make, or to remove."""
    cleaned = Cleaned()
    base = os.open(target, DIRECTORY & ~os.O_NOFOLLOW)
    is_ours = _pattern(rf"{re.escape(UNFINISHED)}[0-9a-f]{{8}}")
    try:
        for name in sorted(os.listdir(base)):
            if is_ours(name):
                _enter(base, name, f"{target}/{name}", _HALF_MADE, mount_of(base), cleaned)
    finally:
        os.close(base)
    return cleaned


def _empty(
    fd: int, path: str, level: _Level, mount: _Mount, cleaned: Cleaned, keep: tuple[str, ...] = ()
) -> None:
    """Remove from the directory ``fd`` every name that ``level`` knows.

    Files go first: a manifest that says *complete* never outlives a file of its data.
    """
    for name in sorted(os.listdir(fd), key=lambda name: (level.directories(name), name)):
        if name in keep:
            continue
        entry = os.stat(name, dir_fd=fd, follow_symlinks=False)
        where = f"{path}/{name}"
        if stat.S_ISREG(entry.st_mode) and level.files(name):
            try:
                os.unlink(name, dir_fd=fd)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                if _is_mounted_on(fd, name, mount):
                    cleaned.left.append(where)
                continue  # a file that was removed before and is still open; its directory tells
            cleaned.files += 1
            cleaned.bytes += entry.st_size
        elif stat.S_ISDIR(entry.st_mode) and level.directories(name) and level.inside:
            _enter(fd, name, where, level.inside, mount, cleaned)
        else:
            cleaned.left.append(where)


def _is_mounted_on(parent: int, name: str, mount: _Mount) -> bool:
    """Whether something is mounted on the file ``name``."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        return mount_of(fd) != mount
    finally:
        os.close(fd)


def _enter(
    parent: int, name: str, path: str, level: _Level, mount: _Mount, cleaned: Cleaned
) -> None:
    """Empty a directory and remove it, unless it is another mount, a link, or something stays."""
    try:
        fd = os.open(name, DIRECTORY, dir_fd=parent)
    except NotADirectoryError:
        cleaned.left.append(path)
        return
    try:
        if mount_of(fd) != mount:
            cleaned.left.append(path)
            return
        before = len(cleaned.left) + len(cleaned.busy)
        _empty(fd, path, level, mount, cleaned)
    finally:
        os.close(fd)
    if len(cleaned.left) + len(cleaned.busy) > before:
        return
    try:
        os.rmdir(name, dir_fd=parent)
        cleaned.directories += 1
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        cleaned.busy.append(path)
