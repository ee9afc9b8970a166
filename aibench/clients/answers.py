"""Which kind of answer a claim has, and the answer."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from aibench.clients.bounds import ALONE, accelerator_levels
from aibench.clients.growth import scaled
from aibench.clients.need import Answer, Need
from aibench.clients.rates import driven
from aibench.clients.rig import Client, Task
from aibench.model import BaselineSource, Claim, ClaimKind, Means, System
from aibench.stats.intervals import FEWEST_RUNS, runs_needed

#: Runs where nothing asks for more.
RUNS = 5
#: Pairs of a duel, the fewest of which all being better is no chance.
PAIRS = 6
#: The spreads from run to run of a quiet and of a noisy system.
QUIET, NOISY = 0.03, 0.05
#: Operations beyond a percentile that a claim on it takes.
_BEYOND = 100
_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_RATES = frozenset({"B/s", "op/s"})

Tasks = Mapping[tuple[str, str], Task]


def needs(
    claim: Claim,
    client: Client,
    tests: Tasks,
    catalogue: Sequence[Claim] = (),
    system: System | None = None,
) -> tuple[Need, ...]:
    """What it takes to test each reading of ``claim`` from clients like ``client``.

    ``tests`` are the workloads that test it, by kind and phase as the claim names them. Of the
    ``catalogue`` come the figures of one unit that a claim on scaling is about. Of a ``system``
    that counts by the claimed unit all units are driven at once. Nothing is measured.
    """
    found = []
    for reading in claim.interpretations:
        read = claim.under(reading)
        own = tuple(tests[place] for place in read.phases if place in tests)
        draft = Need(
            claim=read, reading=reading, answer=Answer.ONE, units=_units(read, system), tests=own
        )
        closed = _closed(draft, system)
        found.append(closed or _open(draft, client, catalogue, system))
    return tuple(found)


def _units(claim: Claim, system: System | None) -> int:
    """How many of the claimed unit serve the mount, as far as its description counts by them."""
    if system is None or claim.whole_system or claim.unit not in _RATES:
        return 1
    return system.units if claim.scope.casefold() == system.unit.casefold() else 1


def _closed(draft: Need, system: System | None) -> Need | None:
    """The answer where no number of clients is one; None where some is."""
    claim = draft.claim
    if claim.testability is Means.NEVER:
        return replace(draft, answer=Answer.NEVER, reasons=(claim.untestable or "not_storage",))
    if draft.reading.value is None:
        return replace(draft, answer=Answer.LACKING, reasons=(*claim.needs, "no_number"))
    if claim.model is not None:
        return replace(draft, answer=Answer.MODEL, reasons=("model_projection",))
    if missing := tuple(_lacking(claim, system)):
        return replace(draft, answer=Answer.LACKING, reasons=missing)
    return None


def _lacking(claim: Claim, system: System | None) -> Iterator[str]:
    """What the claim needs that neither clients bring nor the description says to be there."""
    words = system.extra.get("provides", "").split(",") if system else []
    there = {"needs_" + word.strip().replace(" ", "_") for word in words}
    there.add("needs_more_units")
    if claim.kind is ClaimKind.FUNCTIONAL:
        there.add("needs_second_protocol")
    yield from (code for code in claim.needs if code not in there)


def _open(draft: Need, client: Client, catalogue: Sequence[Claim], system: System | None) -> Need:
    """The answer where clients are a matter of it."""
    claim = draft.claim
    if claim.kind is ClaimKind.SCALING:
        return _repeated(scaled(draft, client, catalogue, system))
    if claim.kind is ClaimKind.RATIO:
        return _sides(draft)
    if claim.unit in _RATES:
        return _repeated(driven(draft, client, system))
    return _one(draft, client)


def _one(draft: Need, client: Client) -> Need:
    """One client, with what such a claim asks for besides."""
    claim = draft.claim
    one = replace(draft, clients=1, to_refute=1 if claim.scope.casefold() in ALONE else 2)
    if claim.kind is ClaimKind.FUNCTIONAL:
        return replace(one, to_refute=1, reasons=claim.needs,
                       runs=max(claim.smallest_n, FEWEST_RUNS))  # fmt: skip
    if claim.unit == "ns" and "latency" in claim.metric:
        never = ("maximum_not_provable",) if claim.metric.endswith("_max") else ()
        one = replace(one, operations=_operations(claim), reasons=never)
    elif draft.test is not None and draft.test.accelerators:
        levels = tuple(accelerator_levels(draft.test, client))
        one = replace(one, levels=levels, axis="accelerators")
    return _repeated(one)


def _operations(claim: Claim) -> int | None:
    """Operations of a run of which enough are slower than the percentile; None without one."""
    stated = claim.percentile / 100 if claim.percentile else None
    share = _PERCENTILES.get(claim.metric.rpartition("_")[2], stated)
    return None if share is None else round(_BEYOND / (1 - share))


def _sides(draft: Need) -> Need:
    """Two sides that are measured alike, from one client or from as many on both."""
    claim = draft.claim
    source = claim.baseline.source if claim.baseline else BaselineSource.RECORDS
    settings = ("epochs=3",) if source is BaselineSource.FIRST_EPOCH else ()
    reasons = ("no_baseline",) if source is BaselineSource.RECORDS else ()
    return replace(draft, answer=Answer.SIDES, clients=1, to_refute=1, settings=settings,
                   reasons=reasons, runs=max(claim.smallest_n, PAIRS))  # fmt: skip


def _repeated(made: Need) -> Need:
    """With the runs that decide a system that is exactly at the figure, quiet or noisy."""
    claim = made.claim
    sign = -1 if claim.direction == ">=" else 1
    gap = abs(math.log(max(1 + sign * claim.tolerance, 1e-3)))
    quiet, noisy = (runs_needed(spread, gap) for spread in (QUIET, NOISY))
    return replace(made, runs=max(claim.smallest_n, RUNS, quiet or 0), runs_if_noisy=noisy)
