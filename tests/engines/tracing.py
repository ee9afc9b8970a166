"""The system calls that a program really makes, by strace."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_LINE = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?)")
_CALLS = (
    "openat,openat2,open,read,readv,pread64,preadv,write,writev,pwrite64,close,fsync,fdatasync,"
    "sync_file_range,ftruncate,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,lseek,"
    "ioctl,fcntl,fstat,stat,lstat,newfstatat,statx,getdents64,fadvise64,mmap"
)
_DATA = re.compile(r"(?<=[/\"])d\d{6}(/[fr]\d{10}(\.tmp)?)?(?=[>\"])")


def _missing() -> str:
    if shutil.which("strace") is None:
        return "Counting system calls needs strace."
    tried = subprocess.run(
        ["strace", "-o", "/dev/null", "true"], capture_output=True, timeout=60, check=False
    )
    return "" if tried.returncode == 0 else "Here strace is not allowed to trace."


_WHY = _missing()
requires_strace = pytest.mark.skipif(bool(_WHY), reason=_WHY or "nothing is missing")
"""Skips a test, with the sentence that says what is missing, where nothing can be traced."""


@dataclass(frozen=True)
class Call:
    """One system call: its name, its arguments as strace prints them, and its result."""

    name: str
    text: str
    result: str

    @property
    def data(self) -> str:
        """The file or directory of the data set that it is about, or nothing."""
        found = _DATA.search(self.text)
        return found.group() if found else ""


def traced(directory: Path, program: str, *arguments: str) -> list[list[Call]]:
    """The calls of each process of ``program`` that are about the data set, in order."""
    prefix = directory / "trace"
    command = ["strace", "-ff", "-y", "-s", "64", "-e", f"trace={_CALLS}", "-o", str(prefix)]
    done = subprocess.run(
        [*command, sys.executable, "-c", program, *arguments],
        cwd=_ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    processes = [_calls(path.read_text()) for path in sorted(directory.glob("trace.*"))]
    return [calls for calls in processes if calls]


def _calls(text: str) -> list[Call]:
    found = [Call(*match.groups()) for match in map(_LINE.match, text.splitlines()) if match]
    return [call for call in found if call.data]


def names(calls: Sequence[Call]) -> list[str]:
    """The names of calls, those that glibc may spell in several ways by one name."""
    return ["fstat" if "AT_EMPTY_PATH" in c.text else c.name for c in calls]
