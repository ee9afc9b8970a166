"""The programs that some workloads need."""

import shutil
import subprocess
from collections.abc import Iterator

from aibench.doctor.check import Check, ok, warning


def checks() -> Iterator[Check]:
    """Which tools are there and run."""
    yield _fio()


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
