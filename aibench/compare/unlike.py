"""What keeps runs from being answers to one question, told precisely."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aibench.compare.readings import Place, places, reading, shared_state, unlike_states
from aibench.compare.rules import Entrant
from aibench.identity import (
    client_facts,
    harness_version,
    mount_facts,
    target_facts,
    workload_facts,
)
from aibench.model import CacheState, Finding, RunRecord

#: Differences that can be shown all the same, by name; what they mean.
NAMES = {
    "plan": "what the phases do: files, sizes, workers, reader, cache policy, ...",
    "cache": "where the bytes of a read came from, by evidence",
    "client": "processors, memory, kernel, network cards and number of client hosts",
    "engine": "the version of what did the work",
    "harness": "the version of aibench, as far as it decides",
    "target": "the storage, or its mount options, among the runs of one side",
}
_SHOWN = 60


def unlike(entrants: Sequence[Entrant], *, paired: bool) -> tuple[Finding, ...]:
    """Every difference that forbids to compare, each once with two runs that show it.

    The code is its name in `NAMES`. Pairs whose caches differ are left out, one by one.
    """
    every = [record for entrant in entrants for record in entrant.runs]
    found = list(_against_first(every))
    for entrant in entrants:
        found += _within(entrant)
    found += _seeds(entrants) if paired else _caches(entrants)
    once: dict[str, Finding] = {}
    for finding in found:
        once.setdefault(finding.message.rpartition(" (")[0], finding)
    return tuple(once.values())


def told_apart(entrants: Sequence[Entrant]) -> tuple[Finding, ...]:
    """What differs between the sides and is what is compared: mount, options, product."""
    firsts = [entrant.runs[0] for entrant in entrants if entrant.runs]
    found = []
    for key, record in zip((e.key for e in entrants), firsts, strict=False):
        facts = [mount_facts(each.target) for each in (firsts[0], record)]
        for name, values in _differences(facts[0], facts[1]):
            if name == "alias":  # the sides are shown by their names
                continue
            message = f"{name}: {values[0]} on {entrants[0].key}, {values[1]} on {key}"
            found.append(Finding(code="mount", message=message))
    return tuple(dict.fromkeys(found))


def _against_first(every: Sequence[RunRecord]) -> Iterator[Finding]:
    first = every[0]
    for record in every[1:]:
        runs = (first, record)
        clients = [_clients(each) for each in runs]
        yield from _pair("client", clients, runs)
        versions = [{"aibench": harness_version(each.aibench_version)} for each in runs]
        yield from _pair("harness", versions, runs)
        shared = sorted(first.engines.keys() & record.engines.keys())
        yield from _pair("engine", [{e: each.engines[e] for e in shared} for each in runs], runs)
    for where in places(every):
        yield from _plans(every, where)


def _clients(record: RunRecord) -> dict[str, Any]:
    """What makes clients equal, with the number of hosts also where it is one."""
    return {"hosts": 1} | client_facts(record.environment, record.launch)


def _plans(every: Sequence[RunRecord], where: Place) -> Iterator[Finding]:
    found = [(record, read) for record in every if (read := reading(record, where)) is not None]
    first, seen = found[0]
    for record, read in found[1:]:
        facts = [_seedless(workload_facts(each.stage, each.phase)) for each in (seen, read)]
        yield from _pair("plan", facts, (first, record), " ".join(where))


def _within(entrant: Entrant) -> Iterator[Finding]:
    first = entrant.runs[0]
    for record in entrant.runs[1:]:
        facts = [
            mount_facts(each.target) | target_facts(each.target, each.system, each.environment)
            for each in (first, record)
        ]
        yield from _pair("target", facts, (first, record))


def _seeds(entrants: Sequence[Entrant]) -> Iterator[Finding]:
    """Where the runs of one pair did not do the same in the same order."""
    for runs in zip(*(entrant.runs for entrant in entrants), strict=True):
        for record in runs[1:]:
            facts = [{"seed": each.plan.seed} for each in (runs[0], record)]
            yield from _pair("plan", facts, (runs[0], record), "pair")


def _caches(entrants: Sequence[Entrant]) -> Iterator[Finding]:
    """Where the sides of a phase have no state of the cache in common."""
    first = entrants[0]
    for where in places([record for entrant in entrants for record in entrant.runs]):
        states = [side_state(entrant, where) for entrant in entrants]
        for entrant, state in zip(entrants[1:], states[1:], strict=True):
            if not unlike_states(states[0], state):
                continue
            facts = [{"state": None if each is None else each.value} for each in (states[0], state)]
            yield from _pair("cache", facts, (first.runs[0], entrant.runs[0]), " ".join(where))


def side_state(entrant: Entrant, where: Place) -> CacheState | None:
    """Where the bytes of a side came from in the phase at ``where``."""
    found = [reading(record, where) for record in entrant.runs]
    return shared_state([read for read in found if read is not None and read.metrics])


def _pair(
    name: str,
    facts: Sequence[Mapping[str, Any]],
    runs: tuple[RunRecord, RunRecord],
    place: str = "",
) -> Iterator[Finding]:
    for key, values in _differences(facts[0], facts[1]):
        what = f"{place} {key}".strip()
        shown = f"{runs[0].run_id} and {runs[1].run_id}"
        message = f"{name}: {what} is {values[0]} and {values[1]} ({shown})"
        yield Finding(code=name, message=message)


def _differences(
    one: Mapping[str, Any], other: Mapping[str, Any], inside: str = ""
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each key, dotted, whose values are not the same, with both."""
    for key in [*one, *(key for key in other if key not in one)]:
        mine, others = one.get(key), other.get(key)
        if isinstance(mine, Mapping) and isinstance(others, Mapping):
            yield from _differences(mine, others, f"{inside}{key}.")
        elif mine != others:
            yield f"{inside}{key}", (_text(mine), _text(others))


def _text(value: object) -> str:
    if value is None:
        return "not told"
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _seedless(value: Any) -> Any:
    """``value`` without the seeds and places of data, however deep they lie."""
    if isinstance(value, Mapping):
        return {k: _seedless(v) for k, v in value.items() if k not in ("seed", "directory")}
    return value


def codes(findings: Iterable[Finding]) -> list[str]:
    """The names of the differences, once each."""
    return list(dict.fromkeys(finding.code for finding in findings))
