"""The figures of a phase in words: what an NFS mount did, and what else is worth saying."""

from collections.abc import Iterator

from aibench.insight.facts import Facts, device, fullest_nic, own_cpu_share, rpc_totals
from aibench.insight.thresholds import STOLEN_FROM
from aibench.model import NfsFigures, NfsOperation, Operation
from aibench.units import format_count, format_duration, format_rate, format_size

#: So many types of operation are told, those that took longest first.
_TOLD = 6
_GB = 10**9
_NOUNS = {
    Operation.READ_FILES: "file",
    Operation.WRITE_FILES: "file",
    Operation.SAVE_SHARDS: "shard",
    Operation.LOAD_SHARDS: "shard",
    Operation.INGEST: "file",
    Operation.COMPARE: "file",
    Operation.SERVE_BLOCKS: "block",
    Operation.PREPROCESS: "sample",
    Operation.SOAK: "file",
    Operation.SEARCH_INDEX: "query",
    Operation.READ_BLOCKS: "block",
    Operation.WRITE_BLOCKS: "block",
}


def percent(share: float) -> str:
    """``0.947`` as ``94.7 %``."""
    return f"{100 * share:.3g} %" if share < 9.995 else f"{100 * share:.0f} %"


def common(facts: Facts) -> tuple[str, ...]:
    """The figures that belong to every answer: CPU, stolen time, cards, device, NFS."""
    return (*_client(facts), *_around(facts), *nfs_figures(facts))


def _client(facts: Facts) -> Iterator[str]:
    own = own_cpu_share(facts)
    busy, stolen = (_most(facts, f"cpu.{name}_share") for name in ("busy", "steal"))
    if own is not None:
        yield f"the workers computed {percent(own)} of their time"
    if busy is not None:
        yield f"{busy[1].client}'s cores were busy {percent(busy[0])} of the time"
    if stolen is not None and stolen[0] > STOLEN_FROM:
        whose = f" of {stolen[1].client}" if facts.parts else ""
        yield f"{percent(stolen[0])} of CPU time{whose} was stolen by the hypervisor"


def _most(facts: Facts, series: str) -> tuple[float, Facts] | None:
    """The largest mean of a series over all clients, and whose it is."""
    found = [(mean, part) for part in facts.each if (mean := part.mean(series)) is not None]
    return max(found, key=lambda each: each[0], default=None)


def _around(facts: Facts) -> Iterator[str]:
    card, drive = fullest_nic(facts), device(facts)
    if card:
        name, rate, share = card
        yield f"network card {name} carried {format_rate(rate)}, {percent(share)} of its line rate"
    if drive:
        name, share, queue = drive
        waiting = "" if queue is None else f", {queue:.3g} requests under way on the average"
        yield f"block device {name} busy {percent(share)} of the time{waiting}"


def nfs_figures(facts: Facts) -> tuple[str, ...]:
    """What the NFS mount did for this phase, a phrase for each figure; empty without NFS."""
    nfs = facts.sample.nfs
    if nfs is None or not nfs.operations:
        return ()
    return (*_requests(facts, nfs), *_wire(nfs), *_times(nfs), *_again(nfs), *_cached(nfs))


def _requests(facts: Facts, nfs: NfsFigures) -> Iterator[str]:
    measured, total = facts.sample.measurement, rpc_totals(nfs).operations
    noun = _NOUNS.get(facts.phase.operation, "operation")
    parts = []
    if measured.operations:
        parts.append(f"{total / measured.operations:.3g} a {noun}")
    if measured.bytes:
        parts.append(f"{format_count(round(total * _GB / measured.bytes))} a GB")
    yield f"{format_count(total)} NFS requests" + (f": {', '.join(parts)}" if parts else "")


def _wire(nfs: NfsFigures) -> Iterator[str]:
    wire = sum(each.sent_bytes + each.received_bytes for each in nfs.operations)
    asked = sum(nfs.asked_bytes)
    if asked:
        ratio = f"{wire / asked:.3g} times"
        yield f"{format_size(wire)} on the wire for {format_size(asked)} asked for, {ratio}"


def _times(nfs: NfsFigures) -> Iterator[str]:
    longest = sorted(nfs.operations, key=lambda each: each.execute_ns, reverse=True)
    for each in longest[:_TOLD]:
        yield (
            f"{each.name} ×{format_count(each.operations)}: mean round trip "
            f"{_mean(each, each.round_trip_ns)}, mean execution {_mean(each, each.execute_ns)}"
        )


def _mean(each: NfsOperation, total_ns: int) -> str:
    return format_duration(total_ns / each.operations)


def _again(nfs: NfsFigures) -> Iterator[str]:
    totals = rpc_totals(nfs)
    share = f", {percent(totals.again / totals.operations)}" if totals.again else ""
    yield f"{format_count(totals.again)} retransmissions{share}"
    if nfs.backlog_mean is not None:
        yield f"{nfs.backlog_mean:.3g} requests waited for a slot on the average"


def _cached(nfs: NfsFigures) -> Iterator[str]:
    """The share of buffered reads for which the server was not asked."""
    buffered = nfs.asked_bytes[0] - nfs.direct_bytes[0]
    if buffered > 0:
        fetched = max(nfs.served_bytes[0] - nfs.direct_bytes[0], 0)
        yield f"the page cache served {percent(max(1 - fetched / buffered, 0))} of buffered reads"
