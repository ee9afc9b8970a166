"""The facts of one sample, and where several hosts measured it together those of each of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from aibench.hosts import by_host, nfs_together
from aibench.insight.facts import Facts
from aibench.model import Environment, Launch, OnHost, Phase, Sample, Target, WorkerResult

#: So many hosts are named where a sentence is about several.
_NAMED = 3


def facts_of(
    phase: Phase, sample: Sample, target: Target, environment: Environment, launch: Launch | None
) -> Facts:
    """What is known of ``sample``: of all hosts together, with those of each as its parts.

    ``environment`` is that of rank 0's host. A single host is the client, with MPI as without.
    """
    facts = Facts(phase=phase, sample=sample, target=target, environment=environment)
    if not sample.hosts:
        return facts
    whole = replace(sample, nfs=nfs_together(sample.hosts))
    if len(sample.hosts) == 1:
        alone = replace(whole, telemetry=sample.hosts[0].telemetry)
        return replace(facts, sample=alone)
    return replace(facts, sample=whole, parts=tuple(_parts(facts, launch)))


def _parts(facts: Facts, launch: Launch | None) -> Iterable[Facts]:
    sample = facts.sample
    measured = sample.measurement
    done = {part.host: part for part in by_host(measured)}
    own: dict[str, list[WorkerResult]] = {}
    for worker in measured.workers:
        own.setdefault(worker.host, []).append(worker)
    for host in sample.hosts:
        part = done.get(host.host)
        counted = replace(
            measured,
            workers=tuple(own.get(host.host, ())),
            operations=part.operations if part else 0,
            bytes=part.bytes if part else 0,
            elapsed_ns=part.elapsed_ns if part else measured.elapsed_ns,
        )
        seen = replace(
            sample, measurement=counted, evidence=host.evidence, telemetry=host.telemetry,
            nfs=host.nfs, hosts=(),
        )  # fmt: skip
        yield replace(
            facts,
            sample=seen,
            environment=_environment(facts, host, launch),
            client=f"host {host.host}",
            whole_ns=measured.elapsed_ns,
        )


def _environment(facts: Facts, host: OnHost, launch: Launch | None) -> Environment:
    """That of rank 0's host as far as it is that of ``host`` too."""
    told = facts.environment
    first = facts.sample.hosts[0]
    if host is first or (host.boot is not None and host.boot == first.boot):
        return told
    differs = _differs(host, launch)
    cards = {n: value for n, value in told.metadata.items() if n.startswith("nic_")}
    alike = differs is not None and "nic" not in differs
    return Environment(
        key={**told.key, **(differs or {})},
        metadata={"hostname": host.host, **(cards if alike else {})},
    )


def _differs(host: OnHost, launch: Launch | None) -> Mapping[str, str | int | float | None] | None:
    """What of the client's key is not as on rank 0's host; None where that is not known."""
    known = launch.hosts if launch else ()
    return next((each.differs for each in known if each.name == host.host), None)


def as_well(clients: Sequence[str]) -> str:
    """What a sentence on the worst host says of others; empty for none."""
    shown = ", ".join(clients[:_NAMED])
    left = len(clients) - _NAMED
    more = f" and {left} more hosts" if left > 0 else ""
    return f" (as well as {shown}{more})" if clients else ""
