"""Templates as they were compiled for a report before: that takes longer than to fill them in.

What is kept is code, so it is taken from files of this user only that nobody else may write. It
can be deleted at any time, and where none can be kept templates are compiled each time.
"""

import hashlib
import os
import stat
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket

from aibench import caches

_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_READ_BY = ("autoescape", "trim_blocks", "lstrip_blocks", "keep_trailing_newline")
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Compiled(BytecodeCache):
    """A file for each template in the user's cache directory, for one Python and one jinja2.

    Environments that read templates in another way have files of their own.
    """

    def __init__(self, environment: Environment) -> None:
        read = [getattr(environment, name) for name in _READ_BY]
        told = repr((sys.version, version("jinja2"), read))
        self._name = hashlib.sha256(told.encode()).hexdigest()[:16]

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what was kept; a bucket that stays empty is compiled anew."""
        with suppress(OSError), open(os.open(self._path(bucket), _READING), "rb") as file:
            status = os.fstat(file.fileno())
            is_own = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
            if is_own and not status.st_mode & _OTHERS_WRITE:
                bucket.load_bytecode(file)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template, whole or not at all."""
        path = self._path(bucket)
        with suppress(OSError):
            os.makedirs(path.parent, mode=0o700, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent)
            try:
                with open(descriptor, "wb") as file:
                    bucket.write_bytecode(file)
                os.replace(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise

    def _path(self, bucket: Bucket) -> Path:
        key: Any = bucket.key
        return caches.directory() / f"template-{self._name}-{key[:16]}"
