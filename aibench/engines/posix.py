"""The default engine for files: worker processes and plain system calls."""

import platform
from collections.abc import Sequence

from aibench.calls import real_calls
from aibench.engine import Report, Site
from aibench.engines.pooled import measure
from aibench.model import WRITES, CachePolicy, Measurement, Operation, Phase, Target
from aibench.reading import with_loops
from aibench.workers.log import CAPACITY
from aibench.workers.loops import LOOPS

#: Readers that imitate nothing which opens its files in a way of its own.
_CHOOSES_FLAGS = ("lean", "stat")
_HAS_DIRECT = frozenset(
    {
        Operation.READ_FILES,
        Operation.LOAD_SHARDS,
        Operation.SAVE_SHARDS,
        Operation.SERVE_BLOCKS,
        Operation.SEARCH_INDEX,
    }
)
#: What changes the target can't be done to the same files again.
_ONCE = frozenset({Operation.CREATE, Operation.RENAME, Operation.DELETE}) | WRITES


def _not_direct(phase: Phase) -> str:
    """Why ``phase`` can't pass the page cache by; empty where it can."""
    what = phase.operation.value
    if phase.operation is Operation.WRITE_FILES:
        return f": engine posix does {what} through the page cache"
    if phase.operation not in _HAS_DIRECT:
        return f" means nothing for {what}"
    if phase.accelerators or phase.rate or phase.population.format != "files":
        return f": format {phase.population.format} is read through the page cache here"
    if phase.reader not in _CHOOSES_FLAGS:
        return f": what reader {phase.reader!r} imitates goes through the page cache"
    return ""


class PosixEngine:
    """Files and namespace operations by system calls, one after the other in each thread."""

    name = "posix"

    def version(self) -> str | None:
        """The Python that makes the system calls, and whether loops were compiled."""
        return with_loops(f"{platform.python_implementation()} {platform.python_version()}")

    def refusal(self, phase: Phase, target: Target) -> str | None:
        """Why this engine can't do ``phase``: it has no queue depth, and O_DIRECT not for all."""
        what = phase.operation.value
        if phase.operation not in LOOPS:
            return f"engine posix can't do {what}: it has no queue depth; engine fio can"
        if phase.cache is CachePolicy.DIRECT and (why := _not_direct(phase)):
            return f"cache policy direct{why}"
        if phase.runtime_ns and phase.operation in _ONCE:
            return f"{what} ends when all is done once: it can't be bounded in time"
        others = (other for other in (phase.saving, phase.evaluation) if other)
        if found := list(filter(None, (self.refusal(other, target) for other in others))):
            return found[0]
        if phase.batch > CAPACITY:
            return f"a batch of {phase.batch} files is more than the {CAPACITY} that fit"
        return None

    def run(self, phase: Phase, site: Site, report: Report) -> Measurement:
        """Do ``phase`` with the kernel's system calls."""
        return measure(phase, site, report, real_calls)

    def generate(
        self, phase: Phase, site: Site, report: Report, granules: Sequence[int], journal: str
    ) -> Measurement:
        """Write some granules of a data set and note each in the journal."""
        return measure(phase, site, report, real_calls, only=granules, journal=journal)
