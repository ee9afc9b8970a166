"""The programs that some workloads need, and how aibench itself was built."""

import shutil
import subprocess
from collections.abc import Iterator

from aibench import reading
from aibench.doctor.check import Check, ok, warning


def checks() -> Iterator[Check]:
    """Which tools are there and run."""
    yield _fio()
    yield loops(reading.MISSING)


def loops(missing: str) -> Check:
    """Whether the loop over plain files was compiled; ``missing`` says why it was not."""
    if not missing:
        return ok("loops", "compiled: plain files are read with no Python between system calls")
    advice = (
        "Small files cost a third more CPU time so. Where a C compiler and Python's headers are "
        "(apt install gcc python3-dev), install aibench again."
    )
    return warning("loops", f"in Python: {missing}", advice)


def _fio() -> Check:
    program = shutil.which("fio")
    if program is None:
        advice = "Workloads of kind 'block' need it: apt install fio, or dnf install fio."
        return warning("fio", "not installed", advice)
    try:
        run = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        found = f"{program} does not run: {error}"
        return warning("fio", found, "Install it again.")
    return ok("fio", f"{run.stdout.strip()} ({program})")
