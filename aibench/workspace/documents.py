"""Small JSON files of the workspace: read with distrust, replaced durably."""

import errno
import json
import os
import stat
from contextlib import suppress
from typing import Any

_LARGEST = 4 * 2**20


def read_json(directory: int, name: str) -> Any:
    """The content of a small JSON file of ours; None when it is missing, damaged or a link.

    OSError where the storage can't tell.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        content = b""
        while len(content) < _LARGEST:
            piece = os.read(fd, _LARGEST - len(content))
            if not piece:
                break
            content += piece
        return json.loads(content)
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
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(json.dumps(value, indent=1, sort_keys=True).encode() + b"\n")
                file.flush()
                os.fsync(fd)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=directory)
            raise
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error
