"""An error of a system call on the target, as an error with a stable code."""

import errno
import os

from aibench.errors import TargetFailed

_CODES = {
    errno.ENOSPC: ("no_space", "no space left on the target"),
    errno.EDQUOT: ("quota", "the quota on the target is used up"),
    errno.EROFS: ("read_only", "the target became read-only"),
    errno.EIO: ("io_error", "the target returned an I/O error"),
    errno.EUCLEAN: ("damaged", "the target's filesystem is damaged"),
    errno.EBADMSG: ("damaged", "the target's filesystem is damaged"),
    errno.ESTALE: ("stale", "what was here was removed or replaced on the server"),
    errno.ENOTCONN: ("target_lost", "the target's filesystem went away"),
    errno.ECONNABORTED: ("target_lost", "the target's filesystem went away"),
    errno.EHOSTDOWN: ("target_lost", "the target's server is gone"),
    errno.ENODEV: ("target_lost", "the target's device went away"),
    errno.ETIMEDOUT: ("target_lost", "the target's server did not answer in time"),
    errno.ENOENT: ("vanished", "a file or directory of aibench's vanished"),
}


def failure(error: OSError) -> TargetFailed:
    """An error of a system call on the target, as an error with a stable code."""
    known = _CODES.get(error.errno or 0)
    code, words = known or ("target_failed", error.strerror or "the target failed")
    name = errno.errorcode.get(error.errno or 0, "?")
    where = f" at {error.filename}" if error.filename else ""
    if isinstance(error.filename, bytes):
        where = f" at {os.fsdecode(error.filename)}"
    return TargetFailed(f"{words} ({name}){where}", code=code)
