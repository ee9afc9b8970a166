"""Whether a directory's filesystem reads with O_DIRECT, tried with one small file."""

import mmap
import os
import secrets

_BLOCK = 4096


def direct_problem(directory: str) -> str | None:
    """Why a block can't be read back with O_DIRECT in ``directory``; None where it can.

    Writes one file of 4096 bytes and removes it. OSError where that already fails.
    """
    name = os.path.join(directory, f".aibench-probe-{secrets.token_hex(6)}")
    written = secrets.token_bytes(_BLOCK)
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.write(descriptor, written)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return _read_back(name, written)
    finally:
        os.unlink(name)


def _read_back(name: str, written: bytes) -> str | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    except OSError as error:
        return f"open with O_DIRECT: {(error.strerror or str(error)).lower()}"
    try:
        with mmap.mmap(-1, _BLOCK) as buffer:
            count = os.readv(descriptor, [buffer])
            return None if buffer[:count] == written else "O_DIRECT read back something else"
    except OSError as error:
        return f"read with O_DIRECT: {(error.strerror or str(error)).lower()}"
    finally:
        os.close(descriptor)
