"""Machines for tests: recorded ones, as trees of files, and this one while others work on it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aibench.probes import resources


def tree(root: Path, files: Mapping[str, object]) -> str:
    """A recorded machine of ``files``; the path that stands for its root directory."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(content))
    return str(root)


@contextmanager
def burners() -> Iterator[None]:
    """One process for each usable CPU that does nothing but compute, and ends with this one."""
    program = (
        "import os, sys, time\nprint(flush=True)\n"
        "while os.getppid() == int(sys.argv[1]):\n"
        "    end = time.monotonic() + 1\n    while time.monotonic() < end: pass"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(os.getpid())], stdout=subprocess.PIPE)
        for _ in range(resources.usable_cpus())
    ]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in started:
            process.kill()
            process.communicate()
