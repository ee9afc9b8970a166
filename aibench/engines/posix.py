"""The default engine for files: worker processes and plain system calls."""

import errno
import os
import platform

from aibench.engine import Report, Site
from aibench.engines.pooled import measure
from aibench.model import CachePolicy, Measurement, Operation, Phase, Target
from aibench.workers.calls import real_calls
from aibench.workers.loops import LOOPS

_HAS_DIRECT = frozenset(
    {Operation.READ_FILES, Operation.LOAD_SHARDS, Operation.SAVE_SHARDS, Operation.WRITE_FILES}
)


class PosixEngine:
    """Files and namespace operations by system calls, one after the other in each thread."""

    name = "posix"

    def version(self) -> str | None:
        """The Python that makes the system calls."""
        return f"{platform.python_implementation()} {platform.python_version()}"

    def refusal(self, phase: Phase, target: Target) -> str | None:
        """Why this engine can't do ``phase``: a queue depth, or O_DIRECT where there is none."""
        if phase.operation not in LOOPS:
            return (
                f"engine posix can't do {phase.operation.value}: it has no queue depth; "
                "engine fio can"
            )
        if phase.cache is not CachePolicy.DIRECT:
            return None
        if phase.operation not in _HAS_DIRECT:
            return f"cache policy direct means nothing for {phase.operation.value}"
        return direct_problem(target)

    def run(self, phase: Phase, site: Site, report: Report) -> Measurement:
        """Do ``phase`` with the kernel's system calls."""
        return measure(phase, site, report, real_calls)

    def generate(
        self, phase: Phase, site: Site, report: Report, granules: tuple[int, ...], journal: str
    ) -> Measurement:
        """Write some granules of a data set and note each in the journal."""
        return measure(phase, site, report, real_calls, only=granules, journal=journal)


def direct_problem(target: Target) -> str | None:
    """Why ``O_DIRECT`` means nothing on ``target``, or None.

    A filesystem that lacks it says so when a file is opened (`TMPDIR`-like unnamed files where
    there are any, so that nothing is left behind).
    """
    if target.is_memory:
        return f"cache policy direct: {target.fstype} is memory; there is no device to go to"
    flags = os.O_RDWR | os.O_DIRECT | os.O_TMPFILE
    try:
        os.close(os.open(target.path, flags, 0o600))
    except OSError as error:
        if error.errno == errno.EINVAL:
            return f"cache policy direct: {target.fstype} has no O_DIRECT"
    return None
