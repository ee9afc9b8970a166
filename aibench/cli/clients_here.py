"""What one client like this machine can do, and which shipped workloads test claims."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from aibench.ceilings import FINE_NS
from aibench.clients import Ceiling, Client, Link, Task
from aibench.clients.rig import ASSUMED_OPERATIONS
from aibench.definition.workloads import WorkloadFile, shipped_workloads
from aibench.engine import Site
from aibench.engines.fio import FioEngine
from aibench.engines.null import NullEngine
from aibench.errors import RunFailed, UnitError
from aibench.generators.kind import Request
from aibench.generators.settings import given, kind_of, settings
from aibench.judge.trials import fits
from aibench.model import (
    WRITES,
    Claim,
    ClaimKind,
    Operation,
    Phase,
    Target,
)
from aibench.probes import cards, mounts, resources
from aibench.units import parse_rate

Place = tuple[str, str]

_SUITE = "full"
_SEED = 1
#: Which of several workloads of a kind stands for it.
_FIRST = ("load-imagenet", "train-segmentation-3d", "ingest", "serve-start")
_BLOCKS = frozenset({Operation.READ_BLOCKS, Operation.WRITE_BLOCKS})
#: From so many bytes an operation on links are the limit, long before processors are.
_LARGE = 128 * 2**10
_MEGABIT = 10**6 // 8


def link(place: Target | None, told: Sequence[str], root: str = "/") -> Link:
    """What the data of one client come over: as ``told``, else as the way to ``place`` is known.

    Several rates that are told add up. What only software makes has a speed that somebody wrote
    down, and is left out. ``root`` is where ``sys`` and ``proc`` are. `UnitError` for a rate that
    is none, or 0.
    """
    if told:
        rates = [parse_rate(text) for text in told]
        if min(rates) == 0:
            raise UnitError(f"--nic {told[rates.index(0)]}: a link carries more than nothing")
        return Link(rate=sum(rates), source="--nic")
    remote = place if place is not None and place.is_remote else None
    found = cards.on_the_way(remote, root)
    if remote is not None and not found:
        return Link(rate=None, source=f"the server of {remote.label} is this machine itself")
    known = [card for card in found if card.mbits and (card.hardware or " over " in card.model)]
    if not known:
        names = ", ".join(card.name for card in found) or "no network card"
        return Link(rate=None, source=f"{names}: the speed is not told")
    best = max(known, key=lambda card: card.mbits or 0)
    leads = remote is not None and len(found) == 1
    why = "on the way to the server" if leads else f"the fastest of {len(found)} cards that are up"
    return Link(rate=(best.mbits or 0) * _MEGABIT, source=f"{best.name}, {why}")


def tested(claims: Iterable[Claim]) -> dict[Place, tuple[Task, Phase]]:
    """The workload that tests each place which ``claims`` name, as one client would do it."""
    wanted = {
        place
        for claim in claims
        for reading in claim.interpretations
        for place in claim.under(reading).phases
    }
    files = sorted(shipped_workloads(), key=lambda file: file.workload.name not in _FIRST)
    found: dict[Place, tuple[Task, Phase]] = {}
    for file in files:
        places = {each for each in wanted if each[0] == file.workload.kind and each not in found}
        for place in places:
            if made := _test(file, place):
                found[place] = made
    return found


def _test(file: WorkloadFile, place: Place) -> tuple[Task, Phase] | None:
    """The phase of ``file`` that has the name of ``place``, and the test that it is."""
    phases = [p for p in _phases(file, place[1]) if p.measured and fits(place[1], p.name)]
    if not phases:
        return None
    phase, population = phases[0], phases[0].population
    taken = phase.accelerators
    blocks = phase.operation in _BLOCKS
    test = Task(
        workload=file.workload.name,
        kind=place[0],
        phase=place[1],
        operation_bytes=phase.io_size if blocks else phase.sample_bytes,
        files=population.files,
        file_bytes=population.sizes.mean * population.samples_per_file,
        writes=phase.operation in WRITES,
        each_client=blocks,
        runtime_ns=phase.runtime_ns,
        accelerator_rate=phase.batch * phase.sample_bytes * 10**9 / taken.compute_ns
        if taken
        else None,
        accelerators=tuple(p.accelerators.count for p in phases if p.accelerators),
    )
    return test, phase


def _phases(file: WorkloadFile, name: str) -> tuple[Phase, ...]:
    """All phases of ``file`` in the suite for large mounts; at a rate where the name asks for."""
    kind = kind_of(file)
    chosen, _ = given(file, kind, _SUITE)
    more = {"rates": ["1000op/s"]} if "rate-" in name else {}
    if more and "rates" not in kind.settings.model_fields:
        return ()
    checked = settings(file, kind, chosen, 1.0, {file.workload.name: more})
    cpus = resources.usable_cpus()
    return kind.phases(checked, Request(workload=file.workload.name, seed=_SEED, cpus=cpus))


def client(
    way: Link,
    claims: Sequence[Claim],
    tests: Mapping[Place, tuple[Task, Phase]],
    rate: float | None,
) -> Client:
    """This machine as one of many clients; ``rate`` is what it starts a second where that is told.

    Else the harness is measured with no I/O behind it, where ``claims`` ask for small operations.
    """
    cores = resources.usable_cpus()
    ceilings: dict[Place, Ceiling] = {}
    for place in _small(claims, tests):
        if rate is not None:
            ceilings[place] = Ceiling(operations=rate, source="given")
            continue
        measured = _calibrated(tests[place][1])
        if measured is None:
            ceilings[place] = Ceiling(operations=ASSUMED_OPERATIONS * cores, source="assumed")
        else:
            ceilings[place] = Ceiling(operations=measured, source="measured")
    return Client(link=way, cores=cores, memory_bytes=resources.total_memory(), ceilings=ceilings)


def _small(claims: Sequence[Claim], tests: Mapping[Place, tuple[Task, Phase]]) -> Iterator[Place]:
    """The places of rates of small operations, whose number processors bound."""
    for place, (test, _) in sorted(tests.items()):
        small = 0 < test.operation_bytes < _LARGE and not test.accelerators
        if small and any(_rated(claim, place) for claim in claims):
            yield place


def _rated(claim: Claim, place: Place) -> bool:
    """Whether a number of clients follows from a rate of ``claim`` at ``place``."""
    grows = claim.kind is ClaimKind.SCALING
    reads = (claim.under(reading) for reading in claim.interpretations)
    return any(place in read.phases and (grows or read.unit in ("B/s", "op/s")) for read in reads)


def _calibrated(phase: Phase) -> float | None:
    """Operations a second of the harness alone; None where its tool is missing or fails."""
    with tempfile.TemporaryDirectory(prefix="aibench-plan-") as directory:
        site = Site(root=directory, target=mounts.describe(directory), seed=_SEED, host="")
        try:
            if phase.operation not in _BLOCKS:
                unhindered = replace(phase, runtime_ns=FINE_NS, rate=0.0)
                measured = NullEngine().run(unhindered, site, lambda *_: None)
            elif (fio := FioEngine()).version() is None:
                return None
            else:
                measured = fio.ceiling(phase, site, FINE_NS)
        except RunFailed:
            return None
    if not (measured.operations and measured.elapsed_ns):
        return None
    return measured.operations * 10**9 / measured.elapsed_ns
