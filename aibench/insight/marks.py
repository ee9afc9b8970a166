"""Warnings from what was seen around a phase: limits of the client, and the impossible."""

from collections.abc import Iterator

from aibench.insight.facts import (
    Facts,
    fullest_nic,
    nic_sum,
    rpc_totals,
    storage_rate,
)
from aibench.insight.limiters import FULL, processor
from aibench.insight.wording import STOLEN_FROM, percent
from aibench.model import Environment, Finding, Phase, Sample, Target
from aibench.units import format_count, format_rate

#: From this share of the time on that tasks waited for memory, the client is short of it.
_SHORT_FROM = 0.05


def limits(
    phase: Phase, sample: Sample, target: Target, environment: Environment
) -> tuple[Finding, ...]:
    """What a reader has to know about limits of client, network and links in this sample.

    Codes: ``client_bound``, ``nic_bound``, ``impossible``, ``retransmissions``, ``steal`` and
    ``swapping``. What is not known gives no warning.
    """
    facts = Facts(phase=phase, sample=sample, target=target, environment=environment)
    rules = (_client, _card, _impossible, _again, _stolen, _swapping)
    return tuple(finding for rule in rules for finding in rule(facts))


def _client(facts: Facts) -> Iterator[Finding]:
    busy = processor(facts)
    if busy:
        message = f"{busy}: the storage may be faster than it could show here"
        yield Finding(code="client_bound", message=message)


def _card(facts: Facts) -> Iterator[Finding]:
    card = fullest_nic(facts)
    if card and card[2] > FULL:
        name, rate, share = card
        yield Finding(
            code="nic_bound",
            message=f"network card {name} carried {format_rate(rate)}, {percent(share)} of its "
            "line rate: the storage may be faster than it could show here",
        )


def _impossible(facts: Facts) -> Iterator[Finding]:
    rate = storage_rate(facts)
    if rate is None:
        return
    cards = nic_sum(facts)
    if cards is not None and rate > cards:
        message = (
            f"{format_rate(rate)} is more than the {format_rate(cards)} that all network cards "
            "carry together: something nearer than the server held the data"
        )
        yield Finding(code="impossible", message=message)
    link = facts.environment.metadata.get(f"link_{facts.target.device}")
    if isinstance(link, int | float) and 0 < link < rate and not facts.remote:
        message = (
            f"{format_rate(rate)} is more than the {format_rate(link)} of the link to "
            f"{facts.target.device}: something nearer than the device held the data"
        )
        yield Finding(code="impossible", message=message)


def _again(facts: Facts) -> Iterator[Finding]:
    totals = rpc_totals(facts.sample.nfs) if facts.sample.nfs else None
    if totals and totals.again:
        message = (
            f"{format_count(totals.again)} of {format_count(totals.operations)} NFS requests were "
            f"sent again ({percent(totals.again / totals.operations)}): network or server lost them"
        )
        yield Finding(code="retransmissions", message=message)


def _stolen(facts: Facts) -> Iterator[Finding]:
    stolen = facts.mean("cpu.steal_share")
    if stolen is not None and stolen > STOLEN_FROM:
        message = f"the hypervisor took {percent(stolen)} of this client's CPU time"
        yield Finding(code="steal", message=message)


def _swapping(facts: Facts) -> Iterator[Finding]:
    swapped, waited = facts.mean("memory.swap_bytes_rate"), facts.mean("pressure.memory.some_share")
    if swapped:
        message = f"the client swapped {format_rate(swapped)} while it measured"
        yield Finding(code="swapping", message=message)
    elif waited is not None and waited > _SHORT_FROM:
        message = (
            f"tasks waited for memory {percent(waited)} of the time: the client is short of it"
        )
        yield Finding(code="swapping", message=message)
