"""What is gathered around a measurement: caches set and looked at, counters, the client watched."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from aibench.formats.files import all_paths_of, file_count
from aibench.model import (
    READS,
    CachePolicy,
    Evidence,
    Finding,
    Measurement,
    NfsFigures,
    Operation,
    Phase,
    Population,
    Target,
    Telemetry,
)
from aibench.probes import cache, delivered, nfsstats, telemetry
from aibench.probes.evidence import classify
from aibench.workers.loops.feed import samples_of
from aibench.workspace import Workspace

#: How many files are looked at for residency: all of a small set, a random sample of a large one.
LOOKED_AT = 2000
#: Operations that only ask for names and attributes.
_LOOKUPS = frozenset({Operation.STAT, Operation.OPEN_CLOSE, Operation.LIST})
#: Below this mean size, opening a file takes a share of the time that matters.
_SMALL = 2**20


class Meanwhile:
    """What the client, and an NFS mount's own counters, say while a phase runs."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.telemetry: Telemetry | None = None
        self.nfs: NfsFigures | None = None

    def __enter__(self) -> None:
        self._before = self._counters()
        self._watch = telemetry.Watch.begin(self._target)

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        if kind is not None:
            self._watch.abandon()
            return
        self.telemetry = self._watch.end()
        after = self._counters()
        if self._before is not None and after is not None:
            self.nfs = nfsstats.between(self._before, after)

    def _counters(self) -> nfsstats.NfsCounters | None:
        if not self._target.is_nfs:
            return None
        return nfsstats.snapshot(self._target.mount_point)


@dataclass(slots=True)
class Watch:
    """What the caches and counters said before a phase, to be held against what they say after."""

    target: Target
    phase: Phase
    counter: delivered.DeliveryCounter
    residency: cache.Residency | None
    eviction: cache.Eviction | None
    before: delivered.Readings

    @classmethod
    def begin(
        cls, workspace: Workspace, target: Target, phase: Phase, seed: int, *, allow_drop: bool
    ) -> "Watch":
        """Empty the caches where the policy wants it, and look at what they hold."""
        population = phase.population
        reads = phase.operation in READS
        eviction = residency = None
        with workspace.opened(population.directory) as fd:
            if phase.cache is CachePolicy.COLD or (reads and phase.cache is CachePolicy.DIRECT):
                eviction = cache.evict(fd, _names(population), allow_drop=allow_drop)
            else:
                os.sync()
            if reads:
                residency = _looked_at(fd, population, seed)
        for more in _beside(phase):
            with workspace.opened(more.directory) as fd:
                if eviction is not None and eviction.method != "drop_caches":
                    cache.evict(fd, _names(more), allow_drop=False)
                looked = _looked_at(fd, more, seed)
                residency = residency and cache.together(residency, looked)
        if eviction is not None and eviction.method == "drop_caches":
            cache.drop_caches()  # looking brought directory entries and attributes back
        counter = delivered.counter(target, direct=phase.cache is CachePolicy.DIRECT)
        return cls(
            target, phase, counter, residency, eviction,
            counter.readings() if reads else delivered.Readings(),
        )  # fmt: skip

    def doubts(self) -> tuple[Finding, ...]:
        """What was to be cold and may not have been, besides the bytes of files."""
        phase, eviction = self.phase, self.eviction
        small = phase.operation in READS and phase.population.sizes.mean < _SMALL
        wanted = phase.cache is CachePolicy.COLD and (small or phase.operation in _LOOKUPS)
        if not wanted or eviction is None or eviction.method == "drop_caches":
            return ()
        message = f"opening files may be too fast: eviction here can't reach {eviction.beyond}"
        return (Finding(code="names_cached", message=message),)

    def end(self, asked_bytes: int, own_bytes: int | None) -> Evidence | None:
        """The evidence of a read phase that asked for so many bytes here; None for the others.

        ``own_bytes`` are those that the workload's own processes on this host, of all its ranks,
        caused to be read from block devices.
        """
        if self.phase.operation not in READS:
            return None
        passed = self.counter.since(self.before)
        return classify(
            policy=self.phase.cache,
            target=self.target,
            asked_bytes=asked_bytes,
            residency=self.residency,
            passed=passed._replace(own=own_bytes),
            counter=self.counter,
            eviction=self.eviction,
        )


def _looked_at(fd: int, population: Population, seed: int) -> cache.Residency:
    """What the page cache holds of some files below the directory ``fd``, or of all."""
    looked = cache.sample(population.files, LOOKED_AT, seed)
    names = (path for index in looked for path in all_paths_of(population, index))
    return cache.residency(fd, names, population=file_count(population))


def _beside(phase: Phase) -> tuple[Population, ...]:
    """What a phase reads besides its own files: for evaluations, or what a resume goes on with."""
    others = (phase.evaluation, phase.resume.dataset if phase.resume else None)
    return tuple(other.population for other in others if other)


def evaluated_bytes(phase: Phase, measured: Measurement) -> int:
    """The bytes that storage has to deliver for evaluations.

    Each evaluation reads the same, so what the caches keep of the first is there for the next. That
    of all counts where training data were read again too: else one could hide the other.
    """
    training = measured.training
    if training is None or not training.evaluations:
        return 0
    once = measured.operations <= samples_of(phase)
    return training.evaluated_bytes // (training.evaluations if once else 1)


def _names(population: Population) -> Iterator[str]:
    everything = range(population.files)
    return (path for index in everything for path in all_paths_of(population, index))
