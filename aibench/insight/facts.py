"""What a sample's figures say about its client, its cards and its target, each None if unknown."""

from dataclasses import dataclass, replace

from aibench.errors import UnitError
from aibench.insight.thresholds import BEFORE, BESIDE
from aibench.model import (
    READS,
    CacheState,
    Environment,
    NfsFigures,
    Phase,
    Sample,
    SyncPolicy,
    Target,
)
from aibench.units import parse_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One sample with what it was measured on. Shares are between 0 and 1.

    ``client`` is what sentences call the client. Where hosts measured together each has facts of
    its own in ``parts``, of a phase that took ``whole_ns`` for all of them.
    """

    phase: Phase
    sample: Sample
    target: Target
    environment: Environment
    client: str = "the client"
    whole_ns: int | None = None
    parts: tuple["Facts", ...] = ()

    @property
    def each(self) -> tuple["Facts", ...]:
        """The facts of each client: those of all hosts, or these alone."""
        return self.parts or (self,)

    @property
    def here(self) -> str:
        """The client as one of those that may be meant: ``this client``, or ``host n1``."""
        return self.client if self.whole_ns is not None else "this client"

    @property
    def workers(self) -> int:
        """How many threads of control there were."""
        return len(self.sample.measurement.workers) or self.phase.slots

    @property
    def worked_ns(self) -> int:
        """The time of all workers together."""
        return self.sample.measurement.elapsed_ns * self.workers

    @property
    def hosts(self) -> int:
        """On how many clients the workers ran."""
        return max(len({worker.host for worker in self.sample.measurement.workers}), 1)

    @property
    def cache_state(self) -> CacheState | None:
        """Where the bytes came from; None where nothing is read."""
        if self.phase.operation not in READS:
            return None
        return self.sample.evidence.state if self.sample.evidence else CacheState.UNKNOWN

    def mean(self, series: str) -> float | None:
        """The mean of a series of the telemetry over the phase itself.

        Watching begins before the workers are started, and that is left out where there are
        intervals without it; of the long intervals of many hosts it may be a share of `BEFORE`.
        """
        watched = self.sample.telemetry
        if watched is None:
            return None
        alone = self.whole_ns is None
        late = watched.watched_ns - (self.whole_ns or self.sample.measurement.elapsed_ns)
        intervals = zip((0, *watched.ends_ns), watched.ends_ns, strict=False)
        clear = (late - b <= (0 if alone else BEFORE * (e - b)) for b, e in intervals)
        first = next((n for n, is_clear in enumerate(clear) if is_clear), 0)
        cut = {series: (None,) * first + watched.series.get(series, ())[first:]}
        return replace(watched, series=cut).mean(series) if series in watched.series else None

    def total(self, series: str) -> float | None:
        """What a rate of the telemetry adds up to over the time that was watched."""
        watched = self.sample.telemetry
        mean = watched.mean(series) if watched else None
        return None if mean is None or watched is None else mean * watched.watched_ns / 10**9

    def names(self, start: str, end: str) -> list[str]:
        """What stands between ``start`` and ``end`` in the names of series."""
        series = self.sample.telemetry.series if self.sample.telemetry else ()
        return [
            name[len(start) : -len(end)]
            for name in series
            if name.startswith(start) and name.endswith(end)
        ]


def own_cpu_share(facts: Facts) -> float | None:
    """CPU time of the workers over their time; None where a worker's is not known."""
    spent = 0
    for worker in facts.sample.measurement.workers:
        if worker.user_ns is None or worker.system_ns is None:
            return None
        spent += worker.user_ns + worker.system_ns
    return spent / facts.worked_ns if facts.sample.measurement.workers and facts.worked_ns else None


def cpu_share(facts: Facts) -> float | None:
    """How busy the workers were, or the cores where the workers don't tell.

    Of several hosts that of the busiest; None where one of them is not known.
    """
    if facts.parts:
        found = [cpu_share(part) for part in facts.parts]
        return None if None in found else max(share for share in found if share is not None)
    own = own_cpu_share(facts)
    return own if own is not None else facts.mean("cpu.busy_share")


def busiest_core(facts: Facts) -> str:
    """The name of the core that was busiest, where cores are told one by one."""
    means = {
        name: facts.mean(f"cpu.core.{name}.busy_share") or 0.0
        for name in facts.names("cpu.core.", ".busy_share")
    }
    return f"core {max(means, key=lambda name: means[name])}" if means else "the busiest core"


def operations_share(facts: Facts) -> float | None:
    """The workers' time inside operations over all their time."""
    whole = facts.sample.measurement.histograms.get("whole")
    return whole.total_ns / facts.worked_ns if whole and whole.count and facts.worked_ns else None


def nic_speeds(environment: Environment) -> dict[str, float | None]:
    """Line rates in bytes per second of the cards of the client; None where one is not known."""
    return {
        name.removeprefix("nic_"): _speed(value)
        for name, value in environment.metadata.items()
        if name.startswith("nic_")
    }


def _speed(value: str | float | None) -> float | None:
    try:
        return parse_rate(value) or None if isinstance(value, str) else None
    except UnitError:
        return None


def nic_shares(facts: Facts) -> dict[str, tuple[float, float]]:
    """For each card: the mean rate in its busier direction in bytes per second, over line rate."""
    found = {}
    for name, speed in nic_speeds(facts.environment).items():
        directions = [facts.mean(f"nic.{name}.{way}_bytes_rate") for way in ("received", "sent")]
        known = [rate for rate in directions if rate is not None]
        if speed and known:
            found[name] = (max(known), max(known) / speed)
    return found


def fullest_nic(facts: Facts) -> tuple[str, float, float] | None:
    """Name, rate and share of line rate of the fullest card, for targets behind a network."""
    if facts.parts:
        every = [(f"{c[0]} of {p.client}", *c[1:]) for p in facts.parts if (c := fullest_nic(p))]
        return max(every, key=lambda card: card[2], default=None)
    shares = nic_shares(facts) if facts.target.is_remote else {}
    if not shares:
        return None
    name = max(shares, key=lambda name: shares[name][1])
    return name, *shares[name]


def nic_sum(facts: Facts) -> float | None:
    """The line rates of all cards that the data can have come over, together.

    None where one of them is not known, the server is this machine, the data goes past the cards
    (RDMA), or several clients measured.
    """
    speeds = nic_speeds(facts.environment)
    if not speeds or facts.hosts > 1 or past_cards(facts):
        return None
    if not facts.target.is_remote or facts.target.server is None or served_here(facts):
        return None
    if any(speed is None and carried(facts, name) for name, speed in speeds.items()):
        return None
    return sum(speed for speed in speeds.values() if speed) or None


def served_here(facts: Facts) -> bool:
    """Whether the server is this machine, by a loopback address or by its own name."""
    own = facts.environment.metadata.get("hostname")
    return facts.target.is_served_by(*([own] if isinstance(own, str) and own else []))


def past_cards(facts: Facts) -> bool:
    """Whether the data goes past the cards' own counters and the kernel's TCP (RDMA)."""
    options = ("proto=rdma", "proto=rdma6", "rdma")
    return any(o in facts.target.options for o in options) or "@o2ib" in facts.target.source


def carried(facts: Facts, name: str) -> bool:
    """Whether a card may have carried a part of the phase's bytes; True where nothing tells."""
    rates = [facts.mean(f"nic.{name}.{way}_bytes_rate") for way in ("received", "sent")]
    known = [rate for rate in rates if rate is not None]
    if not known:
        return facts.sample.telemetry is None or not facts.names("nic.", ".sent_bytes_rate")
    return max(known) > BESIDE * (storage_rate(facts) or 0)


def storage_rate(facts: Facts) -> float | None:
    """Bytes per second that went to or came from storage, as far as is known; never more.

    None where memory explains the rate: reads that a cache served, writes never asked to last.
    """
    measured, evidence = facts.sample.measurement, facts.sample.evidence
    moved = measured.bytes
    if evidence is not None and evidence.delivered_bytes is not None:
        moved = min(moved, evidence.delivered_bytes)
    elif _held_by_memory(facts):
        return None
    return moved * 10**9 / measured.elapsed_ns if measured.elapsed_ns else None


def _held_by_memory(facts: Facts) -> bool:
    """Whether memory may have taken or given the bytes, by the evidence or by the phase itself."""
    if facts.cache_state is None:
        return facts.phase.sync is SyncPolicy.NONE
    return facts.cache_state in (CacheState.WARM, CacheState.MIXED)


def device(facts: Facts) -> tuple[str, float, float | None] | None:
    """Name, utilisation and mean queue of the busiest block device that was watched."""
    if facts.parts:
        every = [(f"{d[0]} of {p.client}", *d[1:]) for p in facts.parts if (d := device(p))]
        return max(every, key=lambda drive: drive[1], default=None)
    if facts.target.is_remote:
        return None
    used = {
        name: share
        for name in facts.names("device.", ".utilisation_share")
        if (share := facts.mean(f"device.{name}.utilisation_share")) is not None
    }
    if not used:
        return None
    name = max(used, key=lambda name: used[name])
    return name, used[name], facts.mean(f"device.{name}.queue_count")


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcTotals:
    """All operations of an NFS mount together; times in nanoseconds."""

    operations: int
    again: int
    queue_ns: int
    round_trip_ns: int
    execute_ns: int


def rpc_totals(nfs: NfsFigures) -> RpcTotals:
    """The sums over all types of operation; ``again`` are requests that were sent once more."""
    return RpcTotals(
        operations=sum(each.operations for each in nfs.operations),
        again=sum(max(each.transmissions - each.operations, 0) for each in nfs.operations),
        queue_ns=sum(each.queue_ns for each in nfs.operations),
        round_trip_ns=sum(each.round_trip_ns for each in nfs.operations),
        execute_ns=sum(each.execute_ns for each in nfs.operations),
    )
