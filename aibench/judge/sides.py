"""The two sides of a ratio: which runs pair up, and whether both were asked the same question.

A ratio of unlike runs is the most common way to eight times as much. Both sides have to have the
same phase with the same settings and seeds, the same client, the same state of caches, and the same
mount options where they are mounts of the same type; what differs is named.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aibench.identity import client_facts, harness_version, normalised, workload_facts
from aibench.judge.gates import Gate, hosts
from aibench.judge.trials import Trial
from aibench.model import READS, Finding, RunRecord
from aibench.pipeline import per_second
from aibench.units import format_value

#: The pair of a duel that warms up, and is discarded.
_WARM_UP = "0"
#: Gates that say nothing about the other side of a ratio: equal clients measured both.
_OF_ONE_SIDE = frozenset({"single_client", "units_averaged", "sessions_pooled"})
#: Offered and achieved rate of an open loop may differ by this much.
_KEPT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The trials of one side, one for each record, that answer the same question."""

    trials: tuple[Trial, ...]

    @property
    def first(self) -> Trial:
        """One of them, for what all of them share."""
        return self.trials[0]

    @property
    def values(self) -> tuple[float, ...]:
        """The runs: sessions where there are three or more of them, else all repeats."""
        if len(self.trials) >= 3:
            return tuple(trial.typical for trial in self.trials)
        return tuple(value for trial in self.trials for value in trial.values)

    @property
    def dropped(self) -> tuple[Finding, ...]:
        """The runs that do not count."""
        return tuple(finding for trial in self.trials for finding in trial.dropped)


def counting(records: Sequence[RunRecord]) -> list[RunRecord]:
    """``records`` without those of a duel's pair that only warms up, unless there are no others."""
    found = [r for r in records if pair_of(r) is None or r.labels.get("pair") != _WARM_UP]
    return found or list(records)


def pair_of(record: RunRecord) -> tuple[str, str] | None:
    """The duel and the pair that a record belongs to; None where it was measured by itself."""
    duel, pair = record.labels.get("duel"), record.labels.get("pair")
    return (duel, pair) if duel and pair is not None else None


def complete(new: Side, base: Side) -> tuple[Side, Side, int] | None:
    """Both sides with the trials of complete pairs, in one order, and how many trials that drops.

    None where a run belongs to no pair, or there are fewer than two pairs.
    """
    held: list[dict[tuple[str, str], Trial]] = []
    for side in (new, base):
        found = {pair: t for t in side.trials if (pair := pair_of(t.record)) is not None}
        if len(found) < len(side.trials):
            return None
        held.append(found)
    both = [pair for pair in held[0] if pair in held[1]]
    if len(both) < 2:
        return None
    over, under = (Side(trials=tuple(found[pair] for pair in both)) for found in held)
    return over, under, len(held[0]) + len(held[1]) - 2 * len(both)


def gates_of(new: Side, base: Side) -> list[Gate]:
    """The gates of both sides for their ratio: what favours the baseline disfavours it."""
    closed: dict[str, Gate] = {}
    for trial in new.trials:
        for gate in trial.closed:
            closed.setdefault(gate.finding.code, gate)
    for trial in base.trials:
        for gate in trial.closed:
            if gate.finding.code in _OF_ONE_SIDE:
                continue
            message = f"baseline: {gate.finding.message}"
            turned = replace(
                gate,
                finding=replace(gate.finding, message=message),
                forbids_met=gate.forbids_not_met,
                forbids_not_met=gate.forbids_met,
            )
            closed.setdefault(f"baseline {gate.finding.code}", turned)
    return list(closed.values())


def mismatch(new: Side, base: Side, *, paired: bool) -> list[Gate]:
    """The gate that names everything in which the two sides were not measured alike.

    Where they are ``paired`` the seeds of each pair have to be equal, else those of all runs.
    """
    differing = [*dict.fromkeys(_differences(new, base, paired))]
    if not differing:
        return []
    message = f"the two sides differ in {'; '.join(differing)}"
    return [
        Gate(
            finding=Finding(code="baseline_mismatch", message=message),
            forbids_met=True,
            forbids_not_met=True,
            remedy="measure both sides with the same plan, seed, client and state of caches",
        )
    ]


def _differences(new: Side, base: Side, paired: bool) -> Iterator[str]:
    over, under = new.first, base.first
    for name, (one, other) in _unequal(_asked(over), _asked(under)):
        yield f"{name} ({one} against {other})"
    versions = [harness_version(trial.record.aibench_version) for trial in (over, under)]
    if versions[0] != versions[1]:
        yield f"aibench itself ({versions[0]} against {versions[1]})"
    if _seeds(new) != _seeds(base) and (paired or set(_seeds(new)) != set(_seeds(base))):
        yield f"the seed ({_listed(_seeds(new))} against {_listed(_seeds(base))})"
    for name, (one, other) in _unequal(_client(over), _client(under)):
        yield f"the client's {name} ({one} against {other})"
    counts = hosts(over.counted), hosts(under.counted)
    if counts[0] != counts[1]:
        yield f"the number of clients ({counts[0]} against {counts[1]})"
    yield from _caches(new, base)
    yield from _mounts(over.record, under.record)


def _client(trial: Trial) -> dict[str, Any]:
    """What makes clients equal, but for their number."""
    facts = client_facts(trial.record.environment, trial.record.launch)
    return {"other_hosts": None} | {n: value for n, value in facts.items() if n != "hosts"}


def _asked(trial: Trial) -> dict[str, Any]:
    facts = workload_facts(trial.stage, trial.phase)
    return {name: value for name, value in facts.items() if name != "workload"}


def _unequal(
    one: Mapping[str, Any], other: Mapping[str, Any], inside: str = ""
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name in one:
        mine, theirs = one[name], other.get(name)
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            yield from _unequal(mine, theirs, f"{inside}{name}.")
        elif mine != theirs:
            yield f"{inside}{name}", (mine, theirs)


def _seeds(side: Side) -> list[int]:
    return [trial.record.plan.seed for trial in side.trials]


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, dict.fromkeys(seeds)))


def _caches(new: Side, base: Side) -> Iterator[str]:
    """Bytes of both sides have to come from one place, as far as the evidence goes."""
    if new.first.phase.operation not in READS:
        return
    states = [
        {
            s.evidence.state.value if s.evidence else "unknown"
            for t in side.trials
            for s in t.counted
        }
        for side in (new, base)
    ]
    if states[0] != states[1]:
        one, other = (", ".join(sorted(state)) for state in states)
        yield f"the state of caches ({one} against {other})"


def _mounts(one: RunRecord, other: RunRecord) -> Iterator[str]:
    """Options compare between mounts of one type; another type is what is being compared."""
    if one.target.fstype != other.target.fstype:
        return
    mine, theirs = set(normalised(one.target.options)), set(normalised(other.target.options))
    if mine != theirs:
        only = [", ".join(sorted(side)) or "none" for side in (mine - theirs, theirs - mine)]
        yield f"mount options ({only[0]} against {only[1]})"


def unequal_load(new: Side, base: Side, metric: str) -> list[Gate]:
    """The gate of latencies that were not taken at one load that both sides could bear.

    One operation at a time is the same load for both; beyond that it takes an open loop whose
    offered rate both sides kept.
    """
    phase = new.first.phase
    if "latency" not in metric or (not phase.rate and phase.slots * phase.depth == 1):
        return []
    message = _not_kept(new, base) if phase.rate else (
        "each side did as many operations as it could: the faster one had more to do at once"
    )  # fmt: skip
    if not message:
        return []
    return [
        Gate(
            finding=Finding(code="load_differs", message=message),
            forbids_met=True,
            forbids_not_met=True,
            remedy="measure both at one offered rate that both can bear, say half of what the "
            "weaker one does (--set 'rates=[\"500op/s\"]')",
        )
    ]


def _not_kept(new: Side, base: Side) -> str:
    for name, side in (("the candidate", new), ("the baseline", base)):
        for trial in side.trials:
            offered = trial.phase.rate
            for sample in trial.counted:
                did = per_second(sample.measurement.operations, sample.measurement.elapsed_ns)
                if did is not None and did < (1 - _KEPT) * offered:
                    rates = [format_value(rate, "op/s") for rate in (did, offered)]
                    return f"{name} did {rates[0]} of the {rates[1]} that were offered"
    return ""
