"""What a run did not test: the part of a report that keeps the rest honest."""

from collections.abc import Sequence
from typing import Any

from aibench.hosts import machines
from aibench.model import READS, Claim, RunRecord, Status, Verdict
from aibench.stats.steady import hidden


def not_tested(
    record: RunRecord, verdicts: Sequence[Verdict], workloads: Sequence[dict[str, Any]]
) -> list[dict[str, str]]:
    """What was left out, each entry with what it is and why."""
    return [
        *_untested_phases(workloads),
        *_untested_claims(verdicts),
        *_hidden_rates(record),
        *_limits(record),
    ]


def _gap(what: str, why: str) -> dict[str, str]:
    return {"what": what, "why": why}


def _untested_phases(workloads: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    gaps = []
    for workload in workloads:
        if workload["refusal"] is not None:
            gaps.append(_gap(workload["name"], f"refused: {workload['refusal']}"))
            continue
        for phase in workload["phases"]:
            repeats = phase["repeats"]
            if repeats["done"] < repeats["planned"]:
                why = f"{repeats['done']} of {repeats['planned']} repeats were measured"
                gaps.append(_gap(f"{workload['name']}, {phase['name']}", why))
    return gaps


def _untested_claims(verdicts: Sequence[Verdict]) -> list[dict[str, str]]:
    absent: dict[str, list[Claim]] = {}
    parts: dict[str, list[Claim]] = {}
    for verdict in verdicts:
        claim = verdict.claim
        if verdict.status is Status.NOT_TESTABLE_HERE:
            why = "; ".join(reason.message for reason in verdict.reasons) or "not on this rig"
            absent.setdefault(why, []).append(claim)
        elif claim.untestable_part and verdict.status is not Status.NOT_TESTABLE:
            parts.setdefault(claim.untestable_part, []).append(claim)
    why = "no benchmark of one system can test this part of the claim"
    return [
        *(_gap(_named(claims), because) for because, claims in absent.items()),
        *(_gap(f"“{part}” ({_named(claims)})", why) for part, claims in parts.items()),
    ]


def _named(claims: Sequence[Claim]) -> str:
    """The title of one claim, the names of several."""
    names = tuple(dict.fromkeys(claim.id for claim in claims))
    return claims[0].title if len(names) == 1 else f"claims {', '.join(names)}"


def _hidden_rates(record: RunRecord) -> list[dict[str, str]]:
    """Writes through the page cache, whose burst and sustained rate nobody can tell apart."""
    told = {(s.workload, s.phase) for s in record.samples}
    names = [
        f"{stage.workload}, {phase.name}"
        for stage in record.plan.stages
        for phase in stage.measured
        if hidden(phase) and (stage.workload, phase.name) in told
    ]
    why = "the page cache hides when the storage took the bytes; --cache direct shows it"
    return [_gap(f"burst and sustained rate of {name}", why) for name in names]


def _limits(record: RunRecord) -> list[dict[str, str]]:
    gaps = []
    if len(machines(record.samples)) <= 1:
        why = "one client was measured; storage that serves many may deliver more to all of them"
        gaps.append(_gap("many clients at once", why))
    reads = any(p.operation in READS for s in record.plan.stages for p in s.measured)
    if record.target.is_network and reads:
        why = "cold means the caches of this client; what the server held is not visible from here"
        gaps.append(_gap("the server's own cache", why))
    if record.target.is_memory:
        why = f"{record.target.fstype} is memory: no figure here is a figure of storage"
        gaps.append(_gap("any storage device", why))
    return gaps
