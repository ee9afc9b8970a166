"""The conditions of a claim beside those of the test, and where they differ.

A figure without its conditions can be reached by choosing them; what a source leaves out is
therefore listed with what was done here.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from aibench.model import Claim, System, Verdict
from aibench.reporters import asking
from aibench.units import format_duration, format_size_binary

#: How a reader is told, with a sign that is no colour.
WORDS = {
    "differs": "≠ differs",
    "same": "= the same",
    "unknown": "? to be read",
    "unstated": "– not stated",
}
_SYNC = {"none": "not asked for", "end": "fsync", "commit": "fsync, rename, fsync of the directory"}


def conditions(
    verdict: Verdict, workloads: Sequence[dict[str, Any]], system: System | None
) -> list[dict[str, str | None]]:
    """Each condition with what the source says (None: nothing) and what was tested.

    ``state`` is ``differs``, ``same``, ``unknown`` where only a reader can hold the two against
    each other, or ``unstated``; what differs stands first. Empty where no phase of ``workloads``
    (parts of a document) was the test.
    """
    phase = _phase(verdict, workloads)
    if phase is None:
        return []
    found = [
        *_product(verdict, system),
        *_access(verdict.claim, phase),
        *_scale(verdict.claim, phase, system),
        *(_condition("stated in words", text, None) for text in verdict.claim.stated),
    ]
    return sorted(found, key=lambda each: list(WORDS).index(str(each["state"])))


def _phase(verdict: Verdict, workloads: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    for workload in workloads:
        for phase in workload["phases"]:
            if (workload["name"], phase["name"]) == (verdict.workload, verdict.phase):
                known: dict[str, Any] = phase
                return known
    return None


def _condition(
    what: str, claimed: str, tested: str | None, same: bool | None = None
) -> dict[str, str | None]:
    state = {None: "unknown", True: "same", False: "differs"}[same] if claimed else "unstated"
    return {"what": what, "claimed": claimed or None, "tested": tested, "state": state}


def _product(verdict: Verdict, system: System | None) -> Iterator[dict[str, str | None]]:
    claim = verdict.claim
    named = f"{claim.vendor} {claim.product}".strip()
    ours = "not described"
    same = None
    if system is not None:
        ours = " ".join(filter(None, (system.vendor, system.product, system.version)))
        other = any(reason.code == "other_product" for reason in verdict.reasons)
        same = False if other else ours.casefold().startswith(named.casefold()) or None
    yield _condition("product", named, ours, same)
    if claim.configuration:
        yield _condition("configuration", claim.configuration, _configuration(system))


def _configuration(system: System | None) -> str:
    if system is None:
        return "not described"
    counts = ((system.nodes, "nodes"), (system.drives, "drives"), (system.nics, "network cards"))
    parts = [f"{number} {name}" for number, name in counts if number is not None]
    return ", ".join([*parts, *filter(None, (system.protection,))]) or "not described"


def _access(claim: Claim, phase: dict[str, Any]) -> Iterator[dict[str, str | None]]:
    stated, asked = claim.conditions, phase["asked"]
    kind = phase["operation"].replace("_", " ")
    direction = "read" if phase["reads"] else "write" if phase["writes"] else kind
    yield _condition("operation", stated.op, direction, _agree(stated.op, direction))
    order = _order(phase)
    yield _condition("access", stated.pattern, order, _agree(stated.pattern, order))
    if phase["reads"] or phase["writes"]:
        block = format_size_binary(stated.block) if stated.block else ""
        tested = f"{format_size_binary(asked['io_size'])} a call"
        yield _condition("block", block, tested, stated.block == asked["io_size"])
    if stated.mix:
        yield _condition("mix", stated.mix, direction)
    if phase["writes"]:
        sync = _SYNC[asked["sync"]]
        yield _condition("sync", stated.sync, sync, _agree(stated.sync, sync))
    if phase["reads"]:
        yield _condition("cache", "", phase["cache_state"] or "not checked")


def _order(phase: dict[str, Any]) -> str:
    shuffled = phase["asked"]["order"] == "shuffled"
    if phase["operation"].endswith("_blocks"):
        return "random" if shuffled else "sequential"
    return "files in shuffled order" if shuffled else "files in their order"


def _agree(claimed: str, tested: str) -> bool | None:
    """Whether two of the usual words are the same one; None for any other text."""
    usual = ("read", "write", "sequential", "random", "fsync")
    if claimed.casefold() == tested.casefold():
        return True
    return False if claimed.casefold() in usual and tested in usual else None


def _scale(
    claim: Claim, phase: dict[str, Any], system: System | None
) -> Iterator[dict[str, str | None]]:
    claimed = f"{claim.units_in_max_config} × {claim.scope}" if claim.units_in_max_config else ""
    if claim.whole_system or claimed:
        ours = f"{system.units} × {system.unit}" if system else "not described"
        same = system.units == claim.units_in_max_config if system and claimed else None
        yield _condition("units", claimed or "the whole system", ours, same)
    asked = phase["asked"]
    hosts = max((len(sample["hosts"]) for sample in phase["samples"]), default=0)
    clients = f"{hosts or 1} client{'s' if hosts > 1 else ''}"
    depth = f", queue depth {asked['depth']}" if asked["depth"] > 1 else ""
    told = f"{clients}, {asking.workers(asked)}{depth}"
    yield _condition("load", "", told)
    yield _condition("data", "", asking.population(asked))
    times = sorted(s["elapsed_ns"] for s in phase["samples"] if s["elapsed_ns"])
    if times:
        middle = format_duration(times[(len(times) - 1) // 2])
        yield _condition("duration", "", f"{middle}, {len(times)} times")
    if claim.percentile is not None:
        yield _condition("percentile", f"{100 * claim.percentile:g} %", claim.metric)


def summary(found: Sequence[dict[str, Any]]) -> str:
    """``Conditions: 1 differs, 8 not stated``; empty for none."""
    counts = {state: sum(each["state"] == state for each in found) for state in WORDS}
    parts = [f"{n} {WORDS[state][2:]}" for state, n in counts.items() if n]
    return f"Conditions: {', '.join(parts)}" if parts else ""
