"""The files that fio works on: are they what the phase says, and inside the workspace?"""

import os
import stat
from collections.abc import Sequence

from aibench.engines.fio.outcome import target_failed
from aibench.errors import RunFailed

_STAT_BLOCK = 512
#: Filesystems that compress or count in large units may report a little less than the size.
_ALLOCATED_SHARE = 0.95


def check_files(root: str, paths: Sequence[str], size: int) -> None:
    """`RunFailed` unless all ``paths`` are regular files of at least ``size`` bytes."""
    for path in paths:
        check_directories(root, path)
        found = _stat(root, path)
        if found is None:
            raise RunFailed(f"{path} is missing in the workspace; its data was not laid out")
        if found.st_size < size:
            raise RunFailed(f"{path} holds {found.st_size} bytes where {size} are expected")


def unfit_files(root: str, paths: Sequence[str], size: int) -> list[str]:
    """Those of ``paths`` that have to be laid out: missing, of another size, or with holes.

    Makes their directories and removes what is unfit, so that no more space is held than asked.
    """
    unfit = []
    for path in paths:
        check_directories(root, path)
        found = _stat(root, path)
        if found is not None and _is_fit(found, size):
            continue
        full = os.path.join(root, path)
        try:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            if found is not None:
                os.unlink(full)
        except OSError as error:
            raise target_failed(error.errno or 0, path) from error
        unfit.append(path)
    return unfit


def _is_fit(found: os.stat_result, size: int) -> bool:
    allocated = found.st_blocks * _STAT_BLOCK
    return found.st_size == size and allocated >= size * _ALLOCATED_SHARE


def check_directories(root: str, path: str) -> None:
    """`RunFailed` when a directory of ``path`` is a symbolic link, which could lead out."""
    inside = root
    for part in path.split("/")[:-1]:
        inside = os.path.join(inside, part)
        if os.path.islink(inside):
            raise RunFailed(f"{path} in the workspace passes through a symbolic link")


def _stat(root: str, path: str) -> os.stat_result | None:
    try:
        found = os.lstat(os.path.join(root, path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise target_failed(error.errno or 0, path) from error
    if not stat.S_ISREG(found.st_mode):
        raise RunFailed(f"{path} in the workspace is not a regular file")
    return found
