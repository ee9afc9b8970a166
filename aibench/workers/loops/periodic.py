"""Saves checkpoints while accelerators are fed: whenever they stop for one, and lets them go on.

Each rank writes its shards as `save` does. It lets the accelerators go on at the moment that they
wait for, and writes the rest while they compute; the next checkpoint waits for what is not written
by then.
"""

from aibench.workers.conductor import Saver
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.loops.common import blame
from aibench.workers.loops.save import Rank, allow_open


class _Periodic(Rank):
    """A rank that tells when its trainer may go on."""

    def __init__(self, job: Job, slot: int, progress: Progress, saver: Saver, until: str) -> None:
        super().__init__(job, slot, progress)
        self._saver, self._until = saver, until

    def _time(self, name: str, began: int) -> None:
        super()._time(name, began)
        if name == self._until:
            self._saver.release(self.calls.clock())

    def checkpoint(self, number: int) -> None:
        """Save one checkpoint, and have the next one ready."""
        self.save(number)
        self.log.note("checkpoint", [self._saver.written(self.calls.clock())])
        if number + 1 < self.job.phase.checkpoints:
            t0 = self.calls.clock()
            self.prepare(number + 1)
            self.log.note("generate", [self.calls.clock() - t0])


def prepare_periodic(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that saves this rank's shards of a checkpoint when one is due."""
    conductor = job.conductor
    if conductor is None:
        raise ValueError("checkpoints while accelerators are fed need their conductor")
    saver = conductor.saver(slot)
    rank = _Periodic(job, slot, progress, saver, conductor.asked.save_until)
    calls = rank.calls
    allow_open((len(rank.shards) + 1) * job.phase.threads)

    def run(start_ns: int) -> Outcome:
        rank.writes.start_ns = start_ns
        calls.begin(start_ns)
        saver.begin(start_ns)
        began = calls.clock()
        try:
            while (number := saver.asked(calls.wait)) is not None:
                rank.checkpoint(number)
        except OSError as error:
            raise blame(error, job, rank.name) from error
        end = calls.clock()
        rank.writes.bin()
        steps = saver.freeze()
        return Outcome(
            slot=slot, operations=rank.done, bytes=rank.writes.total, start_ns=began, end_ns=end,
            timers={f"checkpoint_{name}": value for name, value in rank.timers.items()},
            histograms={**rank.log.histograms(), **steps.histograms}, steps=steps.intervals,
            step_sums=steps.sums,
        )  # fmt: skip

    return run
