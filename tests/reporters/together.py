"""Records of runs under MPI, of as many hosts as a test needs, one of them slow."""

from dataclasses import replace
from typing import Any

from aibench.hosts import by_host
from aibench.model import (
    CachePolicy,
    HostOf,
    Launch,
    Measurement,
    OnHost,
    RunRecord,
    Sample,
    Series,
    WorkerResult,
)
from aibench.probes.together import condensed, together
from aibench.remarks import warnings
from tests import build
from tests.reporters.records import watched

SECOND = 10**9
#: What each rank reads, and by how much the ranks of the slow host are slower.
RANK_BYTES = 2 * 10**9
SLOW = 2.5


def _worker(host: int, rank: int, per_rank: int, thread: int, slow: int) -> WorkerResult:
    """One of ``per_rank`` threads that share the bytes of a rank."""
    took = (1 + 0.002 * (rank * 7 % 41)) * (SLOW if host == slow else 1)
    start = 20_000 * (rank % 50)
    return WorkerResult(
        host=f"n{host}", rank=rank, process=rank * per_rank + thread, thread=0,
        operations=2000 // per_rank, bytes=RANK_BYTES // per_rank, start_ns=start,
        end_ns=start + int(took * SECOND), user_ns=SECOND // 20, system_ns=SECOND // 5,
    )  # fmt: skip


def _series(workers: tuple[WorkerResult, ...]) -> Series:
    """What all had done in each quarter of a second, at an even rate each."""
    width = SECOND // 4
    count = max(worker.end_ns for worker in workers) // width + 1
    moved = [0.0] * count
    for worker in workers:
        for n in range(worker.end_ns // width + 1):
            within = min(worker.end_ns, (n + 1) * width) - max(worker.start_ns, n * width)
            moved[n] += worker.bytes * max(within, 0) / (worker.end_ns - worker.start_ns)
    files = tuple(int(part / 10**6) for part in moved)
    return Series(
        interval_ns=width, operations=files, bytes=tuple(map(int, moved)),
        p50_ns=(900_000,) * count, p99_ns=(2_000_000,) * count, max_ns=(4_000_000,) * count,
    )  # fmt: skip


def measured(hosts: int, ranks: int, per_rank: int, slow: int) -> Measurement:
    """``ranks`` ranks on each of ``hosts`` hosts, with so many threads each."""
    workers = tuple(
        _worker(host, host * ranks + rank, per_rank, thread, slow)
        for host in range(hosts)
        for rank in range(ranks)
        for thread in range(per_rank)
    )
    ends = [worker.end_ns for worker in workers]
    starts = [worker.start_ns for worker in workers]
    return build.measurement(
        workers=workers,
        operations=sum(worker.operations for worker in workers),
        bytes=sum(worker.bytes for worker in workers),
        elapsed_ns=max(ends) - min(starts),
        first_done_ns=min(ends),
        last_done_ns=max(ends),
        start_spread_ns=max(starts),
        series=_series(workers),
    )


def _seen(found: Measurement, slow: int) -> tuple[OnHost, ...]:
    parts = by_host(found)
    return tuple(
        build.on_host(
            part.host,
            ranks=len(part.ranks),
            telemetry=condensed(watched(n, part.elapsed_ns / SECOND), len(parts)),
            evidence=build.evidence(
                asked_bytes=part.bytes,
                delivered_bytes=int(part.bytes * (0.97 if n == slow else 1.01)),
                reason="cold as asked: 0.0 % resident before",
            ),
        )
        for n, part in enumerate(parts)
    )


def sample(repeat: int, hosts: int, ranks: int, per_rank: int, slow: int, **changes: Any) -> Sample:
    """A repeat of a cold phase that all of them did together."""
    found = measured(hosts, ranks, per_rank, slow)
    seen = _seen(found, slow)
    made = build.sample(
        repeat, measurement=found, hosts=seen, evidence=together(seen, CachePolicy.COLD),
        telemetry=seen[0].telemetry, **changes,
    )  # fmt: skip
    return replace(made, warnings=warnings(made))


def launch(hosts: int, ranks: int) -> Launch:
    """Open MPI on hosts whose clocks are unlike, the last of them with another kernel."""
    told = [
        HostOf(
            name=f"n{n}", ranks=ranks, cpus=64, memory_bytes=2**38, clock_offset_ns=-77_000_000 * n,
            clock_error_ns=15_000 * bool(n),
            differs={"kernel": "6.1"} if n == hosts - 1 > 0 else {},
        )
        for n in range(hosts)
    ]  # fmt: skip
    return build.launch(*told)


def run(
    hosts: int = 4, ranks: int = 2, per_rank: int = 2, slow: int = 2, repeats: int = 3
) -> RunRecord:
    """A run on an NFS mount; ``slow`` is the number of the slow host."""
    slots = hosts * ranks * per_rank
    stage = build.stage(phases=(build.phase(processes=slots, shift=ranks * per_rank),))
    target = build.target(
        fstype="nfs4", source="nas:/export", server="nas", device=None, device_id="0:52",
        options=("rw", "vers=4.2", "nconnect=8"),
    )  # fmt: skip
    return build.record(
        *(sample(n, hosts, ranks, per_rank, slow) for n in range(repeats)),
        plan=build.plan(replace(stage, repeats=repeats)),
        launch=launch(hosts, ranks),
        target=target,
    )
