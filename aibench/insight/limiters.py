"""Decides what limited a phase, in an order of certainty: what is proven first comes first."""

from collections.abc import Callable

from aibench.insight.client import busy_client
from aibench.insight.each import as_well, facts_of
from aibench.insight.facts import (
    Facts,
    RpcTotals,
    cpu_share,
    device,
    fullest_nic,
    operations_share,
    rpc_totals,
    served_here,
)
from aibench.insight.thresholds import ALL, FULL, LOW, MOST, NEAR, QUEUE
from aibench.insight.wording import common, percent
from aibench.metrics import CLIENT_BOUND_BELOW, headroom
from aibench.model import CacheState, Environment, Launch, Operation, Phase, Sample, Target, Why
from aibench.pipeline import SOURCE_BOUND, source_share
from aibench.training import stalled
from aibench.units import format_count, format_duration, format_rate

#: Operations of so many bytes that their time is that of the bytes.
_LARGE = (Operation.SAVE_SHARDS, Operation.LOAD_SHARDS, Operation.WRITE_FILES)
#: Accelerators that lose no more than this share of their time to late batches are fed.
_FED = 0.02


def why(
    phase: Phase,
    sample: Sample,
    target: Target,
    environment: Environment,
    launch: Launch | None = None,
) -> Why:
    """What limited ``sample``, as far as its figures tell; a pure function of the record.

    Of several hosts the one that was nearest to a limit counts, and is named.

    The first of ``harness``, ``client_cpu``, ``source``, ``cache``, ``accelerators``, ``network``,
    ``slots``, ``latency``, ``server`` and ``device`` whose figures are there and say so; else
    ``unknown``, with what is missing.
    """
    facts = facts_of(phase, sample, target, environment, launch)
    for rule in _RULES:
        found = rule(facts)
        if found is not None:
            return found
    return _unknown(facts)


def _answer(facts: Facts, limiter: str, sentence: str, next_step: str, *figures: str) -> Why:
    return Why(
        limiter=limiter,
        sentence=sentence,
        figures=(*figures, *common(facts)),
        next_step=next_step,
    )


def _harness(facts: Facts) -> Why | None:
    room = headroom([facts.sample], "op/s")
    if room is None or room >= CLIENT_BOUND_BELOW:
        return None
    return _answer(
        facts,
        "harness",
        f"the harness was the limit: with no I/O behind it, it does only {room:.2f} times this "
        "rate",
        "measure with more processes, a faster client or several clients",
        f"ceiling {room:.2f} times the measured rate; {CLIENT_BOUND_BELOW} is needed",
    )


def _source(facts: Facts) -> Why | None:
    share = source_share(facts.sample.measurement)
    if share is None or share <= SOURCE_BOUND:
        return None
    return _answer(
        facts,
        "source",
        f"the source was the limit: reading it took {percent(share)} of the time",
        "copy from a faster source, or leave the source out: then the data is made in memory",
    )


def _client_cpu(facts: Facts) -> Why | None:
    found = [(busy, part) for part in facts.each if (busy := busy_client(part))]
    if not found:
        return None
    busy, client = max(found, key=lambda each: each[0].share)
    step = "measure from a client with more or faster cores, or from several clients"
    clause = busy.clause
    if busy.by_others is not None:
        clause += f", though the workers computed only {percent(busy.by_others)} of theirs"
        step = "see whether a card's interrupts or another program take that core, and spread them"
    elif busy.by_quota:
        step = "raise the CPU quota of the control group (container) that aibench runs in"
    others = as_well([part.client for _, part in found if part is not client])
    sentence = f"{client.client}'s CPU was the limit: {clause}{others}"
    return _answer(facts, "client_cpu", sentence, step)


def _cache(facts: Facts) -> Why | None:
    evidence = facts.sample.evidence
    if evidence is None or facts.cache_state not in (CacheState.WARM, CacheState.MIXED):
        return None
    part = "all" if facts.cache_state is CacheState.WARM else "a part"
    return _answer(
        facts,
        "cache",
        f"the page cache served {part} of the data, so this says nothing about storage "
        f"({evidence.reason})",
        "measure with --cache cold or --cache direct, or with more data than memory",
    )


def _accelerators(facts: Facts) -> Why | None:
    training = facts.sample.measurement.training
    lost = stalled(training) if training else None
    if lost is None or lost > _FED:
        return None
    return _answer(
        facts,
        "accelerators",
        f"the accelerators were the limit: late batches cost {percent(lost)} of their time, so the "
        "target gave all that they asked for",
        "try more accelerators, to see how many of them it can feed",
    )


def _network(facts: Facts) -> Why | None:
    card = fullest_nic(facts)
    if card is None or card[2] <= FULL:
        return None
    name, rate, share = card
    return _answer(
        facts,
        "network",
        f"network card {name} was the limit: {format_rate(rate)} is {percent(share)} of its line "
        "rate",
        "measure with a faster card or several of them, or from several clients",
    )


def _rpc(facts: Facts) -> RpcTotals | None:
    """The NFS totals where requests took most of the workers' time; None otherwise."""
    nfs = facts.sample.nfs
    totals = rpc_totals(nfs) if nfs else None
    if not totals or not totals.execute_ns or totals.execute_ns < MOST * facts.worked_ns:
        return None
    return totals


def _queued(facts: Facts) -> tuple[float, RpcTotals] | None:
    """The share of their time that requests waited to be sent, where that is a limit."""
    totals, nfs = _rpc(facts), facts.sample.nfs
    if totals is None or nfs is None:
        return None
    queued = totals.queue_ns / totals.execute_ns
    return (queued, totals) if queued > MOST or (nfs.backlog_mean or 0.0) >= QUEUE else None


def _slots(facts: Facts) -> Why | None:
    found = [(*told, part) for part in facts.each if (told := _queued(part))]
    if not found:
        return None
    queued, totals, client = max(found, key=lambda each: each[0])
    option = next((o for o in facts.target.options if o.startswith("nconnect=")), "no nconnect")
    return _answer(
        facts,
        "slots",
        f"NFS requests waited on {client.here} before they were sent: {percent(queued)} of their "
        "time, for a free slot or for the connection",
        f"mount with more connections (now {option}), or raise max_session_slots; if the rate "
        "stays, the server takes no more",
        f"mean time in the client's queue {format_duration(totals.queue_ns / totals.operations)}",
    )


def _latency(facts: Facts) -> Why | None:
    share, busy, card, drive = (
        operations_share(facts), cpu_share(facts), fullest_nic(facts), device(facts)
    )  # fmt: skip
    if facts.phase.operation in _LARGE or facts.phase.depth > 1:
        return None
    if share is None or share < ALL or busy is None or busy > LOW:
        return None
    if card is not None and card[2] >= LOW:
        return None
    if not facts.target.is_remote and facts.workers > 1 and (drive is None or _is_full(drive)):
        return None
    whole = facts.sample.measurement.histograms["whole"]
    each = format_duration(whole.total_ns / whole.count)
    waiting = "1 worker" if facts.workers == 1 else f"{facts.workers} workers"
    return _answer(
        facts,
        "latency",
        f"latency was the limit: {waiting} waited for one operation at a time, "
        f"{each} each, {percent(share)} of their time",
        f"try {2 * facts.workers} workers, or a larger queue depth, and see whether the rate rises",
        f"{format_count(whole.count)} operations, mean {each}",
    )


def _is_full(drive: tuple[str, float, float | None]) -> bool:
    return drive[1] > FULL and (drive[2] is None or drive[2] > 1)


def _server(facts: Facts) -> Why | None:
    totals, card, busy = _rpc(facts), fullest_nic(facts), cpu_share(facts)
    if totals is None or totals.round_trip_ns <= MOST * totals.execute_ns:
        return None
    if (card is not None and card[2] >= NEAR) or (busy is not None and busy >= NEAR):
        return None
    trip = format_duration(totals.round_trip_ns / totals.operations)
    share = percent(totals.round_trip_ns / totals.execute_ns)
    unknown = "" if card else "; how full the network was is not known"
    return _answer(
        facts,
        "server",
        f"the NFS server, or the way to it, was the limit: round trips of {trip} are {share} of "
        f"the time that requests took{unknown}",
        "compare a round trip with ping to the server, and look at the server's disks and threads",
    )


def _device(facts: Facts) -> Why | None:
    drive = device(facts)
    if drive is None or drive[2] is None or not _is_full(drive):
        return None
    name, share, queue = drive
    return _answer(
        facts,
        "device",
        f"requests queued at block device {name}, {queue:.3g} on the average, {percent(share)} of "
        "the time: the device or the way to it set the rate",
        "raise workers or queue depth: if the rate stays and latency rises, the device is at its "
        "limit; NVMe and virtio devices do many requests at once and look busy before that",
    )


def _unknown(facts: Facts) -> Why:
    missing = _missing(facts)
    if missing:
        sentence = f"what limited this phase is not known; not told: {', '.join(missing)}"
        step = "measure longer than a second, with calibration, where the client tells these"
    else:
        sentence = "nothing that was watched came to its limit"
        step = f"try {2 * facts.workers} workers and see whether the rate rises"
    return _answer(facts, "unknown", sentence, step)


def _missing(facts: Facts) -> list[str]:
    """The figures that another answer would have needed."""
    nfs = facts.target.is_nfs
    unknown = facts.cache_state is CacheState.UNKNOWN
    by_card = facts.target.is_remote and not served_here(facts)
    absent = {
        "the harness's ceiling": headroom([facts.sample], "op/s") is None,
        "the client's CPU use": cpu_share(facts) is None,
        "where the bytes came from": unknown,
        "the NFS mount's counters": nfs and facts.sample.nfs is None,
        "how full the network cards were": by_card and fullest_nic(facts) is None,
        "the block device's queue": not facts.target.is_remote and device(facts) is None,
    }
    return [name for name, is_absent in absent.items() if is_absent]


_RULES: tuple[Callable[[Facts], Why | None], ...] = (
    _harness,
    _client_cpu,
    _source,
    _cache,
    _accelerators,
    _network,
    _slots,
    _latency,
    _server,
    _device,
)
