"""Warnings from what was seen around a phase: limits of the client, and the impossible."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from aibench.insight.client import busy_client
from aibench.insight.each import as_well, facts_of
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
from aibench.model import Environment, Finding, Launch, Phase, Sample, Target
from aibench.units import format_count, format_rate, format_size


class _Mark(NamedTuple):
    """A finding, and how far it goes beyond what is normal: of several hosts the worst is told."""

    code: str
    message: str
    worst: float


def limits(
    phase: Phase,
    sample: Sample,
    target: Target,
    environment: Environment,
    launch: Launch | None = None,
) -> tuple[Finding, ...]:
    """What a reader has to know about limits of client, network and links in this sample.

    Codes: ``client_bound``, ``run_queue``, ``nic_bound``, ``packets_lost``, ``tcp_retransmits``,
    ``impossible``, ``retransmissions``, ``steal``, ``swapping`` and ``memory_short``. What is not
    known gives no warning. Of several hosts the worst one is named, and the others with it.
    """
    facts = facts_of(phase, sample, target, environment, launch)
    return tuple(finding for rule in _RULES for finding in _told(facts, rule))


def _told(facts: Facts, rule: Callable[[Facts], Iterator[_Mark]]) -> Iterator[Finding]:
    found: dict[str, list[tuple[_Mark, Facts]]] = {}
    for number, part in enumerate(facts.each):
        for mark in rule(part):
            key = mark.code if facts.parts else f"{number} {len(found)}"
            found.setdefault(key, []).append((mark, part))
    for marks in found.values():
        worst, whose = max(marks, key=lambda each: each[0].worst)
        others = dict.fromkeys(part.client for _, part in marks if part is not whose)
        yield Finding(code=worst.code, message=worst.message + as_well(list(others)))


def _client(facts: Facts) -> Iterator[_Mark]:
    busy = busy_client(facts)
    if busy is not None:
        message = f"{busy.clause}: the storage may be faster than it could show here"
        yield _Mark("client_bound", message, busy.share)


def _waiting(facts: Facts) -> Iterator[_Mark]:
    waiting, watched = facts.mean("cpu.waiting_count"), facts.sample.telemetry
    if waiting is None or watched is None or len(watched.ends_ns) < FEWEST_LOOKS:
        return
    if waiting >= WAITING_FROM:
        message = (
            f"{waiting:.3g} threads{_of(facts)}, on the average, could run and had no processor: "
            "the storage may be faster than it could show here"
        )
        yield _Mark("run_queue", message, waiting)


def _card(facts: Facts) -> Iterator[_Mark]:
    card = fullest_nic(facts)
    if card and card[2] > FULL:
        name, rate, share = card
        message = (
            f"network card {name}{_of(facts)} carried {format_rate(rate)}, {percent(share)} of its "
            "line rate: the storage may be faster than it could show here"
        )
        yield _Mark("nic_bound", message, share)


def _lost(facts: Facts) -> Iterator[_Mark]:
    """Packets that a card on the way dropped, or that came damaged."""
    if not facts.target.is_remote or past_cards(facts):
        return
    for name in facts.names("nic.", ".packets_rate"):
        packets = facts.total(f"nic.{name}.packets_rate")
        lost = [facts.total(f"nic.{name}.{what}_rate") for what in ("drops", "errors")]
        many = sum(count or 0 for count in lost)
        told = _too_many(many, packets)
        if told and carried(facts, name):
            message = f"network card {name}{_of(facts)} dropped or damaged {told} packets"
            yield _Mark("packets_lost", message, many / (packets or 1))


def _segments(facts: Facts) -> Iterator[_Mark]:
    """What this client sent again; for what servers send again nothing here counts."""
    if not facts.target.is_remote or past_cards(facts):
        return
    again, sent = facts.total("tcp.retransmits_rate"), facts.total("tcp.segments_rate")
    whole = None if again is None or sent is None else again + sent
    if told := _too_many(again, whole):
        message = f"{facts.here} sent {told} TCP segments again: the network loses packets"
        yield _Mark("tcp_retransmits", message, (again or 0) / (whole or 1))


def _too_many(lost: float | None, whole: float | None) -> str:
    """``12 of 1.00 k (1.2 %)``; empty where it is too little to say anything, or not known."""
    if not lost or not whole or lost < LOST_AT_LEAST or lost / whole < LOST_FROM:
        return ""
    return f"{format_count(round(lost))} of {format_count(round(whole))} ({percent(lost / whole)})"


def _impossible(facts: Facts) -> Iterator[_Mark]:
    rate = storage_rate(facts)
    if rate is None:
        return
    cards = nic_sum(facts)
    if cards is not None and rate > cards:
        message = (
            f"{format_rate(rate)} is more than the {format_rate(cards)} that all network cards"
            f"{_of(facts)} carry together: something nearer than the server held the data"
        )
        yield _Mark("impossible", message, rate / cards)
    link = facts.environment.metadata.get(f"link_{facts.target.device}")
    if isinstance(link, int | float) and 0 < link < rate and not facts.target.is_remote:
        message = (
            f"{format_rate(rate)} is more than the {format_rate(link)} of the link to "
            f"{facts.target.device}: something nearer than the device held the data"
        )
        yield _Mark("impossible", message, rate / link)


def _again(facts: Facts) -> Iterator[_Mark]:
    totals = rpc_totals(facts.sample.nfs) if facts.sample.nfs else None
    if totals and totals.again:
        message = (
            f"{format_count(totals.again)} of {format_count(totals.operations)} NFS requests"
            f"{_of(facts)} were sent again ({percent(totals.again / totals.operations)}): network "
            "or server lost them"
        )
        yield _Mark("retransmissions", message, totals.again / totals.operations)


def _stolen(facts: Facts) -> Iterator[_Mark]:
    stolen = facts.mean("cpu.steal_share")
    if stolen is not None and stolen > STOLEN_FROM:
        message = f"the hypervisor took {percent(stolen)} of {facts.here}'s CPU time"
        yield _Mark("steal", message, stolen)


def _swapping(facts: Facts) -> Iterator[_Mark]:
    swapped, waited = facts.mean("memory.swap_bytes_rate"), facts.mean("pressure.memory.some_share")
    if swapped:
        message = f"{facts.client} swapped {format_rate(swapped)} while it measured"
        yield _Mark("swapping", message, 1 + swapped)
    elif waited is not None and waited > STALLED_FROM:
        message = (
            f"tasks waited for memory {percent(waited)} of the time: {facts.client} is short of it"
        )
        yield _Mark("swapping", message, waited)


def _reclaiming(facts: Facts) -> Iterator[_Mark]:
    reclaimed, moved = facts.total("memory.reclaimed_bytes_rate"), facts.sample.measurement.bytes
    if reclaimed and moved and reclaimed > RECLAIMED_FROM * moved:
        message = (
            f"{format_size(reclaimed)} of memory were freed by the threads that needed it, "
            f"{percent(reclaimed / moved)} of the bytes of this phase: {facts.client} is short of "
            "it"
        )
        yield _Mark("memory_short", message, reclaimed / moved)


def _of(facts: Facts) -> str:
    """`` of host n1``; nothing where there is but one client."""
    return "" if facts.whole_ns is None else f" of {facts.client}"


_RULES = (
    *(_client, _waiting, _card, _lost, _segments, _impossible, _again),
    *(_stolen, _swapping, _reclaiming),
)
