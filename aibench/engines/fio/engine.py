"""Block-shaped phases by fio, in a subprocess whose every byte of output is accounted for."""

import re

from aibench.calls import wait_until
from aibench.engine import Report, Site
from aibench.engines.fio import ground, job, outcome, tool
from aibench.engines.fio.measure import Log, Part, measurement
from aibench.engines.fio.output import Reading
from aibench.engines.pooled import NOTHING
from aibench.formats.mixing import key
from aibench.model import (
    CachePolicy,
    Finding,
    Measurement,
    Operation,
    Phase,
    SyncPolicy,
    Target,
    ToolRun,
)
from aibench.workers.part import slots_of

_SECOND = 10**9
#: The first with total latencies beside the others in its record.
_OLDEST = (3, 16)
_SECTOR = 512
_LATE = (
    Finding(
        code="latency_from_submission",
        message="fio counts the latency of an offered request from when it was submitted, which a "
        "full queue delays: where the rate is not kept, latencies are too good to be true",
    ),
)


class FioEngine:
    """Reads and overwrites blocks of existing files with fio, one file a job.

    Writes go to files whose blocks are all there already: what is missing is laid out, with
    random data, before the time begins. So every measured write is an overwrite, never a first
    allocation, and no more space is used than the population says.
    """

    name = "fio"

    def __init__(self, program: str = "fio") -> None:
        self._program = program

    def version(self) -> str | None:
        """The version of fio itself, such as ``3.33``; None where it is not installed."""
        return tool.version(self._program)

    def refusal(self, phase: Phase, target: Target) -> str | None:  # noqa: ARG002
        """Why fio can't do ``phase``, or None; the same on every target."""
        if phase.operation not in job.DIRECTIONS:
            return f"fio does read_blocks and write_blocks, not {phase.operation}"
        if (version := self.version()) is None:
            return tool.INSTALL
        if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < _OLDEST:
            return f"fio {version} is too old; 3.16 and later record total latencies"
        return _misfit(phase)

    def run(self, phase: Phase, site: Site, report: Report) -> Measurement:
        """Do ``phase`` to its end; files that a write needs are laid out first, out of the time."""
        slots = slots_of(phase, site.meeting.place)
        paths = job.paths(phase, slots)
        size = phase.population.sizes.mean
        if phase.operation is Operation.WRITE_BLOCKS:
            self._lay_out(phase, site, ground.unfit_files(site.root, paths, size))
        ground.check_files(site.root, paths, size)
        ioengine, depth, findings = job.io_engine(phase, self._works)
        text = job.job_file(phase, _seed(site), ioengine, depth, slots) if slots else ""
        findings += _LATE if phase.rate else ()
        return self._measure(phase, site, text, report, findings)

    def ceiling(self, phase: Phase, site: Site, runtime_ns: int) -> Measurement:
        """What the same jobs do for a moment with fio's null engine: all but the I/O.

        Its clock counts milliseconds.
        """
        _, depth, _ = job.io_engine(phase, self._works)
        slots = slots_of(phase, site.meeting.place)
        text = job.ceiling_file(phase, _seed(site), depth, slots, runtime_ns) if slots else ""
        return self._measure(phase, site, text, _unheard, ())

    def _works(self, ioengine: str) -> bool:
        return tool.works(self._program, ioengine)

    def _measure(
        self, phase: Phase, site: Site, text: str, report: Report, findings: tuple[Finding, ...]
    ) -> Measurement:
        """Start together with the fio of every other rank; one measurement of all of them.

        A rank without jobs has an empty ``text``.
        """
        log, world = Log(), site.meeting

        def take(reading: Reading) -> None:
            log.add(reading)
            report(*world.tell(reading.operations, reading.bytes))

        every = _SECOND if phase.runtime_ns >= 30 * _SECOND else _SECOND // 2
        start = world.meet()
        wait_until(start)
        command: tuple[str, ...] = ()
        if text:
            finished = tool.run(self._program, phase, site, text, take, every)
            command = finished.command
            if said := outcome.last_words(finished):
                findings += (Finding(code="tool_said", message=said.strip(" ()")),)
        mine = Part(world.place.rank, site.host, start, log) if text else None
        parts = [part for part in world.gather(mine) if part is not None]
        if not parts:
            return NOTHING
        ran = ToolRun(name=self.name, version=self.version() or "", command=command, job=text)
        return measurement(parts, ran, every, findings)

    def _lay_out(self, phase: Phase, site: Site, missing: list[str]) -> None:
        if missing:
            text = job.layout_file(phase, site.seed, missing)
            tool.run(self._program, phase, site, text, _unheard, _SECOND)


def _seed(site: Site) -> int:
    """Ranks draw their offsets from seeds of their own."""
    rank = site.meeting.place.rank
    return key(site.seed, rank) if rank else site.seed


def _unheard(*counts: object) -> None:
    pass


def _misfit(phase: Phase) -> str | None:
    """What in the shape of ``phase`` fio can't do, or None."""
    population = phase.population
    size = population.sizes.mean
    doubts = (
        (
            population.sizes.distribution != "fixed",
            "fio works on files of one size; the population's sizes differ",
        ),
        (
            population.files != phase.processes or phase.threads != 1,
            f"{population.files} files, {phase.slots} jobs: fio does one file a job",
        ),
        (
            size == 0 or size % phase.io_size != 0,
            f"files of {size} bytes are not a whole number of blocks of {phase.io_size}",
        ),
        (
            phase.cache is CachePolicy.DIRECT and phase.io_size % _SECTOR != 0,
            f"direct I/O needs blocks of a multiple of {_SECTOR} bytes, not {phase.io_size}",
        ),
        (
            phase.sync is SyncPolicy.COMMIT,
            "fio renames no files: the sync policy commit is for save_shards",
        ),
        (
            not all(job.is_plain(path) for path in job.paths(phase, range(population.files))),
            f"fio takes plain file names only, not {population.directory!r}",
        ),
    )
    return next((sentence for applies, sentence in doubts if applies), None)
