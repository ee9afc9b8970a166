"""Removes what aibench made, by the names that it gives, and nothing else.

Every step is relative to a directory descriptor and follows no link; directories on another
device (a mount point inside) are left alone, and so is every name that aibench does not give.
"""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from aibench.workspace.root import LOCK, MARKER, UNFINISHED, Workspace

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _pattern(expression: str) -> Callable[[str], bool]:
    compiled = re.compile(expression, re.ASCII)
    return lambda name: compiled.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class _Level:
    """The names that aibench gives at one depth: files, and directories with what is in them."""

    files: Callable[[str], bool]
    directories: Callable[[str], bool]
    inside: "_Level | None" = None


_nothing = _pattern(r"(?!)")
_FILES = _Level(_pattern(r"[fr]\d{10}(\.tmp)?"), _nothing)
_SET = _Level(_pattern(r"manifest\.json(\.new)?|progress-\d{4,}"), _pattern(r"d\d{6,}"), _FILES)
_SETS = _Level(_nothing, _pattern(r"[a-z0-9][a-z0-9-]*"), _SET)
_ROOT = _Level(_pattern(rf"{re.escape(LOCK)}"), _pattern("data|scratch"), _SETS)


@dataclass(slots=True)
class Cleaned:
    """What was removed, and the paths that were left because aibench did not make them."""

    files: int = 0
    bytes: int = 0
    left: list[str] = field(default_factory=list)


def clean(workspace: Workspace) -> Cleaned:
    """Remove the whole workspace; it stays, with its marker, where anything foreign is in it."""
    cleaned = Cleaned()
    _empty(workspace.fd, workspace.root, _ROOT, workspace.device, cleaned, keep=(MARKER,))
    if not cleaned.left:
        os.unlink(MARKER, dir_fd=workspace.fd)
        os.rmdir(workspace.root)
    return cleaned


def clean_scratch(workspace: Workspace) -> Cleaned:
    """Remove what only lives during a run."""
    return _clean_part(workspace, "scratch", _SETS)


def clean_population(workspace: Workspace, directory: str) -> Cleaned:
    """Remove one population's files, such as the last checkpoint."""
    return _clean_part(workspace, directory, _SET)


def _clean_part(workspace: Workspace, directory: str, level: _Level) -> Cleaned:
    cleaned = Cleaned()
    try:
        fd = os.open(directory, _DIRECTORY, dir_fd=workspace.fd)
    except FileNotFoundError:
        return cleaned
    try:
        _empty(fd, workspace.path(directory), level, workspace.device, cleaned)
    finally:
        os.close(fd)
    if not cleaned.left:
        os.rmdir(directory, dir_fd=workspace.fd)
    return cleaned


def clean_unfinished(target: str) -> Cleaned:
    """Remove workspaces under ``target`` that a killed run began to make."""
    cleaned = Cleaned()
    base = os.open(target, _DIRECTORY & ~os.O_NOFOLLOW)
    is_ours = _pattern(rf"{re.escape(UNFINISHED)}[0-9a-f]{{8}}")
    level = _Level(_pattern(rf"{re.escape(MARKER)}(\.new)?"), _nothing)
    try:
        for name in sorted(os.listdir(base)):
            if is_ours(name):
                _enter(base, name, f"{target}/{name}", level, os.fstat(base).st_dev, cleaned)
    finally:
        os.close(base)
    return cleaned


def _empty(
    fd: int, path: str, level: _Level, device: int, cleaned: Cleaned, keep: tuple[str, ...] = ()
) -> None:
    """Remove from the directory ``fd`` every name that ``level`` knows."""
    for name in sorted(os.listdir(fd)):
        if name in keep:
            continue
        entry = os.stat(name, dir_fd=fd, follow_symlinks=False)
        where = f"{path}/{name}"
        if stat.S_ISREG(entry.st_mode) and level.files(name):
            os.unlink(name, dir_fd=fd)
            cleaned.files += 1
            cleaned.bytes += entry.st_size
        elif stat.S_ISDIR(entry.st_mode) and level.directories(name) and level.inside:
            _enter(fd, name, where, level.inside, device, cleaned)
        else:
            cleaned.left.append(where)


def _enter(parent: int, name: str, path: str, level: _Level, device: int, cleaned: Cleaned) -> None:
    """Empty a directory and remove it, unless it is another filesystem or something stays."""
    fd = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        if os.fstat(fd).st_dev != device:
            cleaned.left.append(path)
            return
        before = len(cleaned.left)
        _empty(fd, path, level, device, cleaned)
    finally:
        os.close(fd)
    if len(cleaned.left) == before:
        os.rmdir(name, dir_fd=parent)
