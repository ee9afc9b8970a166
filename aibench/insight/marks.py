"""Warnings from what was seen around a phase: limits of the client, and the impossible."""

from collections.abc import Iterator

from aibench.insight.client import busy_client
from aibench.insight.facts import (
    Facts,
    carried,
    fullest_nic,
    nic_sum,
    past_cards,
    rpc_totals,
    storage_rate,
)
from aibench.insight.thresholds import (
    FEWEST_LOOKS,
    FULL,
    LOST_AT_LEAST,
    LOST_FROM,
    RECLAIMED_FROM,
    STALLED_FROM,
    STOLEN_FROM,
    WAITING_FROM,
)
from aibench.insight.wording import percent
from aibench.model import Environment, Finding, Phase, Sample, Target
from aibench.units import format_count, format_rate, format_size


def limits(
    phase: Phase, sample: Sample, target: Target, environment: Environment
) -> tuple[Finding, ...]:
    """What a reader has to know about limits of client, network and links in this sample.

    Codes: ``client_bound``, ``run_queue``, ``nic_bound``, ``packets_lost``, ``tcp_retransmits``,
    ``impossible``, ``retransmissions``, ``steal``, ``swapping`` and ``memory_short``. What is not
    known gives no warning.
    """
    facts = Facts(phase=phase, sample=sample, target=target, environment=environment)
    rules = (
        *(_client, _waiting, _card, _lost, _segments, _impossible, _again),
        *(_stolen, _swapping, _reclaiming),
    )
    return tuple(finding for rule in rules for finding in rule(facts))


def _client(facts: Facts) -> Iterator[Finding]:
    busy = busy_client(facts)
    if busy is not None:
        message = f"{busy.clause}: the storage may be faster than it could show here"
        yield Finding(code="client_bound", message=message)


def _waiting(facts: Facts) -> Iterator[Finding]:
    waiting, watched = facts.mean("cpu.waiting_count"), facts.sample.telemetry
    if waiting is None or watched is None or len(watched.ends_ns) < FEWEST_LOOKS:
        return
    if waiting >= WAITING_FROM:
        message = (
            f"{waiting:.3g} threads, on the average, could run and had no processor: the storage "
            "may be faster than it could show here"
        )
        yield Finding(code="run_queue", message=message)


def _card(facts: Facts) -> Iterator[Finding]:
    card = fullest_nic(facts)
    if card and card[2] > FULL:
        name, rate, share = card
        yield Finding(
            code="nic_bound",
            message=f"network card {name} carried {format_rate(rate)}, {percent(share)} of its "
            "line rate: the storage may be faster than it could show here",
        )


def _lost(facts: Facts) -> Iterator[Finding]:
    """Packets that a card on the way dropped, or that came damaged."""
    if not facts.target.is_remote or past_cards(facts):
        return
    for name in facts.names("nic.", ".packets_rate"):
        packets = facts.total(f"nic.{name}.packets_rate")
        lost = [facts.total(f"nic.{name}.{what}_rate") for what in ("drops", "errors")]
        told = _too_many(sum(count or 0 for count in lost), packets)
        if told and carried(facts, name):
            message = f"network card {name} dropped or damaged {told} packets"
            yield Finding(code="packets_lost", message=message)


def _segments(facts: Facts) -> Iterator[Finding]:
    """What this client sent again; for what servers send again nothing here counts."""
    if not facts.target.is_remote or past_cards(facts):
        return
    again, sent = facts.total("tcp.retransmits_rate"), facts.total("tcp.segments_rate")
    if told := _too_many(again, None if again is None or sent is None else again + sent):
        message = f"this client sent {told} TCP segments again: the network loses packets"
        yield Finding(code="tcp_retransmits", message=message)


def _too_many(lost: float | None, whole: float | None) -> str:
    """``12 of 1.00 k (1.2 %)``; empty where it is too little to say anything, or not known."""
    if not lost or not whole or lost < LOST_AT_LEAST or lost / whole < LOST_FROM:
        return ""
    return f"{format_count(round(lost))} of {format_count(round(whole))} ({percent(lost / whole)})"


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
    if isinstance(link, int | float) and 0 < link < rate and not facts.target.is_remote:
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
    elif waited is not None and waited > STALLED_FROM:
        message = (
            f"tasks waited for memory {percent(waited)} of the time: the client is short of it"
        )
        yield Finding(code="swapping", message=message)


def _reclaiming(facts: Facts) -> Iterator[Finding]:
    reclaimed, moved = facts.total("memory.reclaimed_bytes_rate"), facts.sample.measurement.bytes
    if reclaimed and moved and reclaimed > RECLAIMED_FROM * moved:
        message = (
            f"{format_size(reclaimed)} of memory were freed by the threads that needed it, "
            f"{percent(reclaimed / moved)} of the bytes of this phase: the client is short of it"
        )
        yield Finding(code="memory_short", message=message)
