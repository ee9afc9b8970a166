"""What rank 0 asks all ranks for: data sets, the ceiling of the harness, a phase measured."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from aibench.crew.member import Member
from aibench.engine import Report
from aibench.engines.null import NullEngine
from aibench.engines.posix import PosixEngine
from aibench.model import (
    Ceiling,
    Finding,
    Measurement,
    OnHost,
    Phase,
    Training,
)
from aibench.probes.delivered import growth, own_read_bytes
from aibench.probes.together import condensed
from aibench.surroundings import Meanwhile, Watch, evaluated_bytes
from aibench.workers.loops import LOOPS
from aibench.workspace import dataset
from aibench.world import Place

#: Steps of accelerators that are enough to see whether the harness holds them up, and their time.
_STEPS, _SHORTEST_NS, _LONGEST_NS = 20, 150_000_000, 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """Write the ``missing`` granules of a data set, and have every host bring them to storage."""

    phase: Phase
    seed: int
    missing: Sequence[int]
    journal: str

    def done_by(self, member: Member, report: Report) -> None:
        """Write this rank's part of them."""
        directory = self.phase.population.directory
        if not member.alone:
            member.await_directory(directory)
        PosixEngine().generate(
            self.phase, member.site(self.seed), report, self.missing, self.journal
        )
        if not member.alone:
            if member.world.place.leads:
                dataset.synced(member.workspace, directory)
            member.together()


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Read once what is to be found in the caches; nothing of it counts."""

    engine: str
    phase: Phase
    seed: int

    def done_by(self, member: Member, report: Report) -> None:
        """Read this rank's part."""
        os.sync()
        member.engines[self.engine].run(self.phase, member.site(self.seed), report)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrate:
    """Find what the harness does in a phase with no I/O behind it, on all ranks at once."""

    engine: str
    phase: Phase
    seed: int
    runtime_ns: int

    def done_by(self, member: Member, report: Report) -> Ceiling | None:
        """This rank's part; None where it can't be told."""
        del report
        site, phase = member.site(self.seed), self.phase
        calibrate = getattr(member.engines[self.engine], "ceiling", None)
        if calibrate is not None:
            measured = calibrate(phase, site, self.runtime_ns)
        elif phase.operation in LOOPS:
            unhindered = _unhindered(phase, self.runtime_ns)
            measured = NullEngine().run(unhindered, site, lambda *_: None)
        else:
            return None
        training = self._kept_busy(member)
        if measured is None or measured.operations == 0 or measured.elapsed_ns == 0:
            return None
        return Ceiling(
            operations=measured.operations,
            bytes=measured.bytes,
            elapsed_ns=measured.elapsed_ns,
            training=training,
        )

    def _kept_busy(self, member: Member) -> Training | None:
        """How busy the harness keeps the accelerators of this phase with no I/O behind it."""
        phase, asked = self.phase, self.phase.accelerators
        if asked is None:
            return None
        long = min(max(_STEPS * asked.compute_ns, _SHORTEST_NS), _LONGEST_NS)
        bounded = _without_stops(replace(phase, accelerators=replace(asked, steps=0)))
        long_enough = replace(bounded, runtime_ns=long)
        training = NullEngine().run(long_enough, member.site(self.seed), lambda *_: None).training
        return training and replace(training, series=None)


def _unhindered(phase: Phase, runtime_ns: int) -> Phase:
    """``phase`` for so long, as fast as it can be."""
    asked = phase.accelerators
    if asked:
        asked = replace(asked, compute_ns=0, distribution="fixed", listed=(), steps=0)
    alone = _without_stops(replace(phase, accelerators=asked))
    return replace(alone, runtime_ns=runtime_ns, rate=0.0)


def _without_stops(phase: Phase) -> Phase:
    """``phase`` with nothing that is done beside loading, or that its accelerators stop for.

    Its epochs follow each other at once, for as long as it is to go on.
    """
    asked = phase.accelerators
    if asked:
        asked = replace(asked, save_every=0, evaluate_every=0, epochs=1, persistent=True)
    return replace(phase, accelerators=asked, saving=None, evaluation=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a phase was measured as, what each host saw meanwhile, and what is to be doubted."""

    measured: Measurement
    hosts: tuple[OnHost, ...]
    doubts: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Set the caches of all hosts, begin together, and gather what the result is worth.

    ``seed`` decides the order of access of this repeat, ``looked`` which files are looked at.
    """

    engine: str
    phase: Phase
    seed: int
    looked: int

    def done_by(self, member: Member, report: Report) -> Found | None:
        """This rank's part; what all found on rank 0, None elsewhere."""
        world, place, target = member.world, member.world.place, member.target
        for directory in () if member.alone else _directories(self.phase):
            member.await_directory(directory)
        watch = None
        if place.leads:
            watch = Watch.begin(
                member.workspace, target, self.phase, self.looked, allow_drop=member.allow_drop
            )
        member.together()
        meanwhile, before = Meanwhile(target) if watch else None, own_read_bytes()
        with meanwhile or nullcontext():
            measured = member.engines[self.engine].run(self.phase, member.site(self.seed), report)
        own = world.gather(growth(before, own_read_bytes()))
        told = (_asked(self.phase, measured, place), _by_host(own, place)) if own else None
        asked, caused = world.share(told)
        mine = None
        if watch and meanwhile:
            mine = OnHost(
                host=place.host,
                ranks=place.beside,
                evidence=watch.end(asked.get(place.host, 0), caused[place.host]),
                telemetry=meanwhile.telemetry and condensed(meanwhile.telemetry, place.host_count),
                nfs=meanwhile.nfs,
                boot=dataset.boot() or None,
                device_id=target.device_id,
            )
        found = world.gather((mine, watch.doubts() if watch else ()))
        if not found:
            return None
        return Found(
            measured=measured,
            hosts=tuple(host for host, _ in found if host is not None),
            doubts=tuple(dict.fromkeys(doubt for _, doubts in found for doubt in doubts)),
        )


def _directories(phase: Phase) -> set[str]:
    """The directories that a phase works in."""
    populations = [phase.population]
    populations += [phase.saving.population] if phase.saving else []
    populations += [phase.transform.output] if phase.transform else []
    return {population.directory for population in populations}


def _asked(phase: Phase, measured: Measurement, place: Place) -> dict[str, int]:
    """How many bytes each host asked for; those of no worker are shared out as the others are."""
    whole = measured.bytes + evaluated_bytes(phase, measured)
    if place.size == 1:
        return {place.host: whole}
    moved = Counter[str]()
    for worker in measured.workers:
        moved[worker.host] += worker.bytes
    known = moved.total()
    return {host: whole * count // known for host, count in moved.items()} if known else {}


def _by_host(own: Sequence[int | None], place: Place) -> dict[str, int | None]:
    """What the ranks of each host caused to be read; None where one of them does not know."""
    found: dict[str, int | None] = dict.fromkeys(place.names, 0)
    for host, read in zip(place.hosts, own, strict=True):
        before = found[host]
        found[host] = None if before is None or read is None else before + read
    return found
