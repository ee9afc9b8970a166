"""What forbids a verdict, and in which direction: the one-sided gates.

A cached run may be too fast, so it can't show that a figure is met; a client at its limit makes
storage look too slow, so it can't show that a figure is missed. Each gate says which of the two
it forbids, why, and what would open it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aibench.hosts import machines
from aibench.insight import why
from aibench.metrics import CLIENT_BOUND_BELOW, headroom
from aibench.model import (
    READS,
    WRITES,
    CacheState,
    Claim,
    Finding,
    Phase,
    RunRecord,
    Sample,
    SyncPolicy,
)
from aibench.remarks import steadiness_remarks
from aibench.stats.steady import steadiness
from aibench.units import format_size

#: From this on the ceiling proves that the harness was not the limit.
PROOF_FROM = 2.0
#: Writes that tell of what is behind the server's cache are so many times as large.
_CACHE_FACTOR = 2
#: What limits a phase that leaves storage idle: one operation at a time, or slots of the client.
_UNFILLED = frozenset({"latency", "slots"})
#: What one client can drive alone. Any other unit of a storage system takes several clients.
ONE_CLIENT_SCOPES = frozenset({"client", "device", "disk", "drive"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One thing that stands in the way of a verdict; ``remedy`` is what would remove it."""

    finding: Finding
    forbids_met: bool = False
    forbids_not_met: bool = False
    remedy: str = ""


#: Warnings that forbid verdicts: whether they forbid MET, NOT_MET, and what would remove them.
_WARNINGS = {
    "client_bound": (False, True, "measure from a faster client, or from more of them"),
    "busy_client": (False, True, "measure while nothing else uses the client's processors"),
    "io_limited": (False, True, "measure outside the control group that limits the device's I/O"),
    "run_queue": (False, True, "measure while nothing else uses the client's processors"),
    "packets_lost": (False, True, "find out why the network card loses packets"),
    "tcp_retransmits": (False, True, "find out where the network loses packets"),
    "retransmissions": (False, True, "find out whether the network or the server lost requests"),
    "memory_short": (False, True, "leave the client more memory"),
    "nic_bound": (False, True, "measure over a faster link, or from more clients"),
    "steal": (False, True, "measure where the hypervisor leaves the client its processors"),
    "swapping": (False, True, "leave the client more memory"),
    "cache_suspect": (True, False, "measure with --cache cold or --cache direct"),
    "names_cached": (True, False, "measure as root, who may evict names and attributes too"),
    "not_steady": (True, True, "run longer, until the rate is steady"),
    "short_run": (True, True, "run longer: 60 s or more for each run"),
    "start_spread": (False, True, "run longer, so that the start is no part of the time"),
    "too_short": (True, True, "run longer, so that the time is known exactly"),
    "counts_differ": (True, True, "find out why the tool contradicts itself"),
    "idle_jobs": (False, True, "run longer, or with fewer jobs"),
    "idle_workers": (False, True, "use more files, smaller batches or fewer workers"),
    "depth_not_kept": (False, True, "use an engine that keeps the queue depth"),
    "generated_while_writing": (False, True, "let each rank hold its shard in memory"),
    "environment_changed": (True, True, "repeat on an unchanged environment"),
    "interference": (True, True, "repeat while nothing else uses client and mount"),
    "impossible": (True, True, "find out why the figure is above what the hardware can do"),
}


def gates(
    record: RunRecord, phase: Phase, samples: Sequence[Sample], claim: Claim
) -> tuple[Gate, ...]:
    """All gates that these samples of ``phase`` close, those of the whole run first."""
    closed = [*_run(record), *_target(record)]
    closed += _cache(phase, samples) if phase.operation in READS else []
    closed += _durability(phase) if phase.operation in WRITES else []
    closed += _steady(phase, samples)
    closed += _server_cache(record, samples) if phase.operation in WRITES else []
    closed += _ceiling(samples, claim.unit)
    closed += _unfilled(record, phase, samples, claim)
    closed += _clients(record, samples, claim)
    closed += _warnings(record, samples, {gate.finding.code for gate in closed})
    return tuple(closed)


def hosts(samples: Sequence[Sample]) -> int:
    """From how many client machines the samples were measured; at least 1."""
    return max(len(machines(samples)), 1)


def _run(record: RunRecord) -> list[Gate]:
    found = list(record.reasons)
    if not record.complete and not found:
        found = [Finding(code="unfinished", message="the record has no end: the run was cut off")]
    remedy = "let a run of the same plan end well"
    return [
        Gate(finding=finding, forbids_met=True, forbids_not_met=True, remedy=remedy)
        for finding in found
    ]


def _target(record: RunRecord) -> list[Gate]:
    if not record.target.is_memory:
        return []
    message = f"{record.target.mount_point} is {record.target.fstype}: memory, not storage"
    return [
        Gate(
            finding=Finding(code="memory_target", message=message),
            forbids_met=True,
            forbids_not_met=True,
            remedy="measure a mount that has storage behind it",
        )
    ]


def _cache(phase: Phase, samples: Sequence[Sample]) -> list[Gate]:
    states = {}
    for sample in samples:
        state = sample.evidence.state if sample.evidence else CacheState.UNKNOWN
        if state is not CacheState.COLD:
            states[state] = sample.evidence.reason if sample.evidence else "no evidence was taken"
    if not states:
        return []
    told = "; ".join(f"{state.value} ({reason})" for state, reason in states.items())
    message = f"the bytes may not have come from storage: cache {phase.cache.value}, found {told}"
    return [
        Gate(
            finding=Finding(code="cache_suspect", message=message),
            forbids_met=True,
            remedy="measure with --cache cold or --cache direct, where eviction can be checked",
        )
    ]


def _durability(phase: Phase) -> list[Gate]:
    if phase.sync is not SyncPolicy.NONE:
        return []
    message = "nothing asked for the data to be durable: part of it may lie in memory"
    return [
        Gate(
            finding=Finding(code="not_durable", message=message),
            forbids_met=True,
            remedy="measure with fsync inside the measured time",
        )
    ]


def _steady(phase: Phase, samples: Sequence[Sample]) -> list[Gate]:
    """A rate that was falling may go on to, one that was rising too; a burst is told of."""
    found: dict[tuple[str, bool, bool], Gate] = {}
    for sample in samples:
        seen = steadiness(phase, sample.measurement)
        for remark in steadiness_remarks(phase, sample):
            unsteady = remark.code == "not_steady"
            falls = unsteady and seen is not None and seen.falling
            rises = unsteady and not falls
            found.setdefault(
                (remark.code, falls, rises),
                Gate(
                    finding=remark,
                    forbids_met=falls,
                    forbids_not_met=rises,
                    remedy="run longer, until the rate is steady",
                ),
            )
    return list(found.values())


def _server_cache(record: RunRecord, samples: Sequence[Sample]) -> list[Gate]:
    """Less than twice what the server's cache holds may all have gone there."""
    cache = record.system.server_cache_bytes if record.system else None
    written = min((sample.measurement.bytes for sample in samples), default=0)
    if not cache or written >= _CACHE_FACTOR * cache:
        return []
    message = (
        f"{format_size(written)} were written, less than {_CACHE_FACTOR} times the server's cache "
        f"of {format_size(cache)}: it may have taken them all"
    )
    remedy = f"write at least {format_size(_CACHE_FACTOR * cache)} in each run"
    finding = Finding(code="server_cache", message=message)
    return [Gate(finding=finding, forbids_met=True, remedy=remedy)]


def _ceiling(samples: Sequence[Sample], unit: str) -> list[Gate]:
    room = headroom(samples, unit)
    if room is not None and room >= PROOF_FROM:
        return []
    if room is None:
        code, message = "rig_limited", "the harness's own ceiling was not measured in this run"
        remedy = "calibrate in the same run, to prove that the harness was not the limit"
    elif room < CLIENT_BOUND_BELOW:
        code, message = "client_bound", f"the harness alone does only {room:.2f} times this rate"
        remedy = "measure from a faster client, or from more of them"
    else:
        code, message = "rig_limited", f"the harness alone does {room:.2f} times this rate, not 2"
        remedy = "measure from a faster client, or from more of them"
    return [Gate(finding=Finding(code=code, message=message), forbids_not_met=True, remedy=remedy)]


def _unfilled(
    record: RunRecord, phase: Phase, samples: Sequence[Sample], claim: Claim
) -> list[Gate]:
    """A rate below a claim refutes nothing where too little was asked of the storage at once."""
    if not claim.unit.endswith("/s"):
        return []
    found = [
        why(phase, sample, record.target, record.environment, record.launch) for sample in samples
    ]
    waited = next((each for each in found if each.limiter in _UNFILLED), None)
    if waited is None:
        return []
    return [
        Gate(
            finding=Finding(code="not_filled", message=waited.sentence),
            forbids_not_met=True,
            remedy=waited.next_step or "ask for more at once",
        )
    ]


def _clients(record: RunRecord, samples: Sequence[Sample], claim: Claim) -> list[Gate]:
    one_suffices = claim.scope.casefold() in ONE_CLIENT_SCOPES and not record.target.is_network
    if one_suffices or hosts(samples) > 1:
        return []
    unit = claim.scope if "storage" in claim.scope else f"storage {claim.scope}"
    message = f"one client can't show that a {unit} is at its limit"
    return [
        Gate(
            finding=Finding(code="single_client", message=message),
            forbids_not_met=True,
            remedy="measure from several clients at once",
        )
    ]


def _warnings(record: RunRecord, samples: Sequence[Sample], known: set[str]) -> list[Gate]:
    every = [*record.warnings]
    for sample in samples:
        every += [*sample.warnings, *sample.measurement.warnings]
    found = []
    for warning in every:
        if warning.code not in _WARNINGS or warning.code in known:
            continue
        known.add(warning.code)
        forbids_met, forbids_not_met, remedy = _WARNINGS[warning.code]
        found.append(
            Gate(
                finding=warning,
                forbids_met=forbids_met,
                forbids_not_met=forbids_not_met,
                remedy=remedy,
            )
        )
    return found
