"""What hosts and ranks did, and who of them held the others up."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibench import hosts
from aibench.model import Measurement, NfsFigures, NfsOperation, Series, WorkerResult
from tests import build
from tests.build import SECOND

MS = 10**6


def worker(host: str, rank: int, end_s: float, moved: int = 10**9, **changes: int) -> WorkerResult:
    """A thread of ``rank`` that moved a gigabyte until ``end_s`` after the start."""
    parts = {"operations": moved // 10**6, "start_ns": 0, "process": rank, "thread": 0}
    return WorkerResult(
        host=host, rank=rank, bytes=moved, end_ns=round(end_s * SECOND), **parts | changes
    )


def measured(workers: Iterable[WorkerResult], **changes: object) -> Measurement:
    """What these did together."""
    every = tuple(workers)
    return build.measurement(
        workers=every,
        operations=sum(each.operations for each in every),
        bytes=sum(each.bytes for each in every),
        elapsed_ns=max(each.end_ns for each in every),
        **changes,
    )


FOUR = [worker("n0", 0, 1.0), worker("n0", 1, 1.1), worker("n1", 2, 1.0), worker("n1", 3, 1.1)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 99)), min_size=1))
def test_parts_add_up(told: list[tuple[int, int, int]]) -> None:
    """Hosts and ranks hold all workers, operations and bytes, and their shares make one."""
    found = measured(
        worker(f"n{host}", 10 * host + rank, 1 + rank, moved * 10**6) for host, rank, moved in told
    )
    for parts in (hosts.by_host(found), hosts.by_rank(found)):
        assert sum(part.workers for part in parts) == len(told)
        assert sum(part.bytes for part in parts) == found.bytes
        assert sum(part.operations for part in parts) == found.operations
        shares = [hosts.share(part, found, "B/s") for part in parts]
        if found.bytes:
            assert sum(filter(None, shares)) == pytest.approx(1)
        assert max(part.end_ns for part in parts) == found.elapsed_ns
    assert hosts.rank_count(found) == len({(host, rank) for host, rank, _ in told})


def test_host_by_itself() -> None:
    """A host's rate is over its own time, from its first start to its last end."""
    late = worker("n1", 2, 3.0, start_ns=SECOND)
    idle = worker("n1", 3, 0.5, moved=0)
    _, part = hosts.by_host(measured([*FOUR[:2], late, idle]))
    assert (part.name, part.ranks, part.workers) == ("n1", (2, 3), 2)
    assert (part.start_ns, part.first_done_ns, part.end_ns) == (0, 3 * SECOND, 3 * SECOND)
    assert hosts.rate(part, "B/s") == pytest.approx(10**9 / 3)
    assert hosts.pace(part, "op/s") == 1000 / 2.5
    rank = hosts.by_rank(measured([late]))[0]
    assert (rank.name, hosts.rate(rank, "B/s")) == ("rank 2 on n1", 10**9 / 2)


def test_slow_host_is_the_straggler() -> None:
    """A host all of whose ranks are slow is named, with its pace and that of the others."""
    slow = [worker("n2", 4, 2.0), worker("n2", 5, 2.0)]
    found = hosts.straggler(measured([*FOUR, *slow]))
    assert found is not None
    assert (found.part.host, found.part.ranks) == ("n2", (4, 5))
    assert (found.pace, found.unit) == (5e8, "B/s")
    assert found.others == pytest.approx(1e9 / 1.05)


def test_slow_rank_is_the_straggler() -> None:
    """One slow rank among others on its host is named, and not the host."""
    for name, rank in (("n1", 3), ("n0", 0)):
        workers = [w for w in FOUR if w.rank != rank]
        found = hosts.straggler(measured([*workers, worker(name, rank, 2.5)]))
        assert found is not None
        assert found.part.name == f"rank {rank} on {name}"


def test_no_straggler() -> None:
    """Equal hosts have none, nor a single rank, nor one that had less to do and was done sooner."""
    assert hosts.straggler(measured(FOUR)) is None
    assert hosts.straggler(measured([worker("n0", 0, 1), worker("n0", 0, 9)])) is None
    short = worker("n2", 4, 0.1, moved=10**8)
    assert hosts.straggler(measured([*FOUR, short])) is None
    assert hosts.straggler(measured([*FOUR, worker("n2", 4, 0.1, moved=0)])) is None


def test_operations_tell_where_no_bytes_move() -> None:
    """Where only names are asked for, stragglers are told by operations."""
    workers = [worker(f"n{n}", n, 1 + 2 * (n == 2), moved=0, operations=100) for n in range(3)]
    found = hosts.straggler(measured(workers))
    assert found is not None
    assert (found.part.host, found.unit, found.others) == ("n2", "op/s", 100)


def test_stonewall() -> None:
    """What all had done when the first rank was done, up to its last whole interval."""
    series = Series(interval_ns=400 * MS, operations=(9, 8, 7, 3), bytes=(900, 800, 700, 300))
    found = hosts.stonewall(measured(FOUR, series=series))
    assert found is not None
    assert (found.first.name, found.at_ns) == ("rank 0 on n0", SECOND)
    assert (found.operations, found.bytes, found.elapsed_ns) == (17, 1700, 800 * MS)
    early = [worker("n0", 0, 0.3), worker("n1", 1, 2.0)]
    cut = hosts.stonewall(measured(early, series=series))
    assert cut is not None
    assert (cut.bytes, cut.elapsed_ns) == (0, 0)
    idle = [worker("n0", 0, 0.1, moved=0), *FOUR[2:]]
    known = hosts.stonewall(measured(idle, series=series))
    assert known is not None
    assert known.first.name == "rank 2 on n1"
    assert hosts.stonewall(measured(FOUR, series=None)) is None
    assert hosts.stonewall(measured([worker("n0", 0, 1)], series=series)) is None


@given(st.lists(st.integers(1, 4000), min_size=2, max_size=6), st.integers(1, 999))
def test_stonewall_is_a_part(ends_ms: list[int], interval_ms: int) -> None:
    """It never has more than all ranks did, nor a time after the first of them was done."""
    counts = tuple(range(max(ends_ms) // interval_ms + 1))
    series = Series(interval_ns=interval_ms * MS, operations=counts, bytes=counts)
    found = hosts.stonewall(
        measured([worker("n", rank, end / 1000) for rank, end in enumerate(ends_ms)], series=series)
    )
    assert found is not None
    assert found.elapsed_ns <= found.at_ns == min(ends_ms) * MS
    assert found.at_ns - found.elapsed_ns < series.interval_ns
    assert found.bytes <= sum(counts)


def nfs(operations: int, **changes: object) -> NfsFigures:
    """So many reads of a mount."""
    read = NfsOperation(
        name="READ", operations=operations, transmissions=operations + 1, timeouts=1, sent_bytes=2,
        received_bytes=3, queue_ns=4, round_trip_ns=5, execute_ns=6, errors=0,
    )  # fmt: skip
    parts: dict[str, object] = {"operations": (read,), "asked_bytes": (10, 20)}
    return NfsFigures(**parts | changes)  # type: ignore[arg-type]


def test_nfs_of_all_hosts() -> None:
    """NFS counts add up over hosts, shared counters once; one that is silent makes them unknown."""
    seen = [build.on_host(f"n{n}", nfs=nfs(10 + n, backlog_mean=n / 2)) for n in range(3)]
    whole = hosts.nfs_together(seen)
    assert whole is not None
    assert whole.operation("READ") == NfsOperation(
        name="READ", operations=33, transmissions=36, timeouts=3, sent_bytes=6, received_bytes=9,
        queue_ns=12, round_trip_ns=15, execute_ns=18, errors=0,
    )  # fmt: skip
    assert (whole.asked_bytes, whole.backlog_mean) == ((30, 60), 1.0)
    shared = [build.on_host(f"n{n}", nfs=nfs(10 + n), boot="b") for n in range(3)]
    assert hosts.nfs_together(shared) == nfs(12)
    assert hosts.nfs_together([*seen, build.on_host("n3")]) is None
    assert hosts.nfs_together([]) is None
