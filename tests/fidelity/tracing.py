"""What a program does to the files below a directory, by strace: the mix of its system calls."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

requires_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="Comparing system calls needs strace (package strace)."
)
_TRACED = (
    "openat,open,creat,close,read,readv,pread64,preadv,preadv2,mmap,write,writev,pwrite64,pwritev,"
    "fsync,fdatasync,sync_file_range,rename,renameat,renameat2,unlink,unlinkat,ftruncate,fadvise64,"
    "flock,sendfile,copy_file_range"
)
_CALL = re.compile(r"^\d+ +(?P<call>\w+)\((?P<args>.*)\) += (?P<result>-?\d+|0x[0-9a-f]+|\?)")
_PATH = re.compile(r"<(/[^>]*)>")
_SIZES = re.compile(r"iov_len=(\d+)")
#: One name for the calls that do the same.
_KINDS = {
    "open": "open", "openat": "open", "creat": "open",
    "read": "read", "readv": "read",
    "pread64": "pread", "preadv": "pread", "preadv2": "pread",
    "write": "write", "writev": "write",
    "pwrite64": "pwrite", "pwritev": "pwrite",
    "rename": "rename", "renameat": "rename", "renameat2": "rename",
    "unlink": "unlink", "unlinkat": "unlink",
}  # fmt: skip
_DATA = ("read", "pread", "write", "pwrite")


@dataclass(frozen=True, slots=True)
class Step:
    """One system call on a file of the data: what was asked for, and what came."""

    call: str
    path: str
    asked: int
    came: int
    offset: int = -1
    detail: str = ""


@dataclass(slots=True)
class Mix:
    """The calls of one program on the data, in the order in which they ended."""

    steps: list[Step] = field(default_factory=list)

    def of(self, *calls: str) -> list[Step]:
        """The steps of these kinds."""
        return [step for step in self.steps if step.call in calls]

    def count(self, call: str) -> int:
        """How many calls of a kind there were."""
        return len(self.of(call))

    def moved(self) -> int:
        """All bytes that calls moved."""
        return sum(step.came for step in self.of(*_DATA))

    def sizes(self) -> Counter[tuple[str, int, int]]:
        """How often each (call, bytes asked for, bytes that came) occurred."""
        return Counter((step.call, step.asked, step.came) for step in self.of(*_DATA))

    def flags(self) -> set[str]:
        """With which flags files were opened."""
        return {step.detail for step in self.of("open")}

    def by_file(self) -> dict[str, list[tuple[str, int, int]]]:
        """For each file the (call, bytes asked for, bytes that came) on it, in order."""
        found: dict[str, list[tuple[str, int, int]]] = {}
        for step in self.steps:
            if step.call in (*_DATA, "open", "close", "mmap", "fsync", "rename"):
                found.setdefault(step.path, []).append((step.call, step.asked, step.came))
        return found


def trace(command: Sequence[str], data: Path, log: Path) -> Mix:
    """The mix of ``command`` on what lies below ``data``. AssertionError when it fails."""
    strace = [
        "strace",
        "-f",
        "-y",
        "-qq",
        "-s",
        "1",
        "-e",
        "abbrev=none",
        "--seccomp-bpf",
        "-e",
        f"trace={_TRACED}",
    ]
    done = subprocess.run(
        [*strace, "-o", str(log), *command], capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return parse(log.read_text(), str(data))


def trace_python(program: str, *arguments: str, data: Path, log: Path) -> Mix:
    """`trace` of a Python program given as text."""
    return trace([sys.executable, "-c", program, *arguments], data, log)


def parse(text: str, below: str) -> Mix:
    """The mix in the output of ``strace -f -y``."""
    mix = Mix()
    unfinished: dict[str, str] = {}
    for raw in text.splitlines():
        line = raw
        pid = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            unfinished[pid] = line.removesuffix("<unfinished ...>")
            continue
        if (resumed := re.match(r"^\d+ +<\.\.\. \w+ resumed>", line)) is not None:
            line = unfinished.pop(pid, "") + line[resumed.end() :]
        if (found := _CALL.match(line)) is not None and below in line:
            step = _step(found["call"], found["args"], found["result"], line)
            if step is not None and step.path.startswith(below) and step.path != below:
                mix.steps.append(step)
    return mix


def _step(name: str, arguments: str, result: str, line: str) -> Step | None:
    call = _KINDS.get(name, name)
    paths = _PATH.findall(line)
    if not paths or result == "?" or result.startswith("-"):
        return None
    came = int(result, 16) if result.startswith("0x") else int(result)
    if call == "open":
        flags = next((word for word in arguments.split(", ") if word.startswith("O_")), "")
        return Step("open", paths[-1], 0, 0, detail=flags)
    words = arguments.split(", ")
    if call in _DATA:
        sizes = [int(size) for size in _SIZES.findall(arguments)]
        positional = call in ("pread", "pwrite")
        asked = sum(sizes) if sizes else int(words[-2 if positional else -1])
        place = -2 if name == "preadv2" else -1  # flags come last
        return Step(call, paths[0], asked, came, int(words[place]) if positional else -1)
    if call == "mmap":
        return Step(call, paths[0], int(words[1]), 0, detail=words[3])
    return Step(call, paths[0], 0, 0, detail=words[-1])
