"""One job on one storage: what its checkpoints, failures and restarts leave of its time.

Times are in seconds, sizes in bytes, bandwidths in bytes per second.
"""

import math
from dataclasses import dataclass

from aibench.cluster import failing as formulas
from aibench.cluster.checks import above_zero, not_negative, shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A training job that stops as a whole when one of its nodes fails.

    ``fixed_restart`` is what every restart takes whatever the storage: finding the failure,
    scheduling, initialising, warming up. ``fan_out`` is how many times a checkpoint is read from
    storage by one restart.
    """

    mtbf: float
    checkpoint_bytes: float
    fixed_restart: float
    fan_out: float = 1.0

    def __post_init__(self) -> None:
        above_zero(mtbf=self.mtbf, checkpoint_bytes=self.checkpoint_bytes, fan_out=self.fan_out)
        not_negative(fixed_restart=self.fixed_restart)

    @property
    def ideal(self) -> float:
        """The goodput on storage that takes no time at all: only `fixed_restart` is lost."""
        hopeless = self.fixed_restart > self.mtbf
        return 0.0 if hopeless else math.exp(-self.fixed_restart / self.mtbf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What a job gets of its storage: durable writes, cold reads, time to the first batch.

    ``utilisation`` is the share of the time between stops that accelerators don't wait for data.
    With ``snapshot`` checkpoints are asynchronous: the job stands still for so long, and they are
    durable when all is written. ``interval`` is the useful work between checkpoints, the best one
    where it is None. ``extra_restart`` is what a restart takes longer with this way of working,
    say because people do it.
    """

    write: float
    read: float
    load: float = 0.0
    utilisation: float = 1.0
    snapshot: float | None = None
    interval: float | None = None
    extra_restart: float = 0.0

    def __post_init__(self) -> None:
        above_zero(write=self.write, read=self.read)
        not_negative(load=self.load, extra_restart=self.extra_restart)
        shares(utilisation=self.utilisation)
        if self.snapshot is not None:
            not_negative(snapshot=self.snapshot)
        if self.interval is not None:
            above_zero(interval=self.interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of a job on a storage.

    ``durable`` is the time to write a checkpoint, ``stall`` the part of it that holds the job up.
    ``checkpoint_loss``, ``rework_loss`` and ``restart_loss`` are shares of the time and make 1
    with ``goodput``. ``useful`` is goodput times utilisation. Where ``progresses`` is False a
    restart takes longer than the job runs between failures, and goodput and useful are 0.
    ``first_order`` and ``ettr`` are simpler formulas for the same as goodput; ``strain`` is
    interval, stall and restart over the time between failures: they err where it is large.
    """

    stall: float
    durable: float
    restart: float
    interval: float
    young: float
    daly: float
    goodput: float
    first_order: float | None
    ettr: float | None
    checkpoint_loss: float
    rework_loss: float
    restart_loss: float
    utilisation: float
    useful: float
    strain: float
    progresses: bool


def outcome(job: Job, storage: Storage) -> Outcome:
    """What becomes of ``job`` on ``storage``, at its interval or at the best one.

    Asynchronous checkpoints are no closer than one takes to become durable. What is done again
    because the last one was not durable yet counts into the restart of the exact formula, which
    so agrees with `failing.async_goodput` in first order.
    """
    durable = job.checkpoint_bytes / storage.write
    stall, behind = (durable, 0.0) if storage.snapshot is None else (storage.snapshot, durable)
    restart = restart_time(job, storage)
    best = formulas.best_interval(stall, job.mtbf, at_least=behind)
    interval = max(storage.interval or best, behind)
    progresses = restart <= job.mtbf
    good = formulas.goodput(interval, stall, job.mtbf, restart + behind) if progresses else 0.0
    saving = good * stall / interval if interval else 0.0
    restarting = -math.expm1(-restart / job.mtbf)
    simple = (interval, stall, job.mtbf, restart + behind)
    return Outcome(
        stall=stall,
        durable=durable,
        restart=restart,
        interval=interval,
        young=formulas.young(stall, job.mtbf),
        daly=formulas.daly(stall, job.mtbf),
        goodput=good,
        first_order=formulas.first_order(*simple) if interval else None,
        ettr=formulas.ettr(*simple) if interval else None,
        checkpoint_loss=saving,
        rework_loss=max(1 - good - saving - restarting, 0.0),
        restart_loss=restarting,
        utilisation=storage.utilisation,
        useful=good * storage.utilisation,
        strain=(interval + stall + restart + behind) / job.mtbf,
        progresses=progresses,
    )


def restart_time(job: Job, storage: Storage) -> float:
    """Seconds from a failure until the job computes again."""
    reading = job.fan_out * job.checkpoint_bytes / storage.read
    return job.fixed_restart + storage.extra_restart + reading + storage.load
