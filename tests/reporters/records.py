"""Records and verdicts for the reporters' tests: one builder for each thing a report must show."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from aibench.model import (
    CachePolicy,
    CacheState,
    Ceiling,
    Environment,
    Finding,
    Histogram,
    Measurement,
    Operation,
    Phase,
    RunRecord,
    Sample,
    Series,
    Sizes,
    Stage,
    SyncPolicy,
    Telemetry,
    ToolRun,
    WorkerResult,
)
from aibench.stats.histogram import Recorder
from tests import build, flow

SECOND = 10**9


def histogram(seed: int, median_ns: float, count: int, sigma: float = 0.35) -> Histogram:
    """A log-normal histogram of latencies, the same for the same seed."""
    grid = (np.arange(count) + 0.5) / count
    normal = np.sqrt(2) * _erfinv(2 * grid - 1)
    latencies = median_ns * (1 + 0.01 * seed) * np.exp(sigma * normal)
    recorder = Recorder()
    recorder.add(latencies.astype(np.int64))
    return recorder.freeze()


def _erfinv(x: Any) -> Any:
    """The inverse error function within 0.4 %, with no random numbers and no scipy."""
    a = 0.147
    log = np.log(1 - x**2)
    first = 2 / (math.pi * a) + log / 2
    return np.sign(x) * np.sqrt(np.sqrt(first**2 - log / a) - first)


def busy(phase: Phase, repeat: int, rate: float, size: int, seconds: float) -> Measurement:
    """``seconds`` of work at about ``rate`` B/s in operations of ``size``, with a slow start."""
    bins = math.ceil(seconds)
    shape = [
        rate * (1 + 0.06 * math.sin(1.7 * t + repeat) - 0.3 * math.exp(-t)) for t in range(bins)
    ]
    shape[-1] *= seconds - (bins - 1)
    moved = tuple(int(part) // size * size for part in shape)
    operations = tuple(part // size for part in moved)
    total, elapsed = sum(moved), int(seconds * SECOND)
    slots = phase.slots
    median = slots * elapsed / max(sum(operations), 1)
    latencies = histogram(repeat, median * 0.9, min(sum(operations), 20_000))
    return Measurement(
        operations=sum(operations),
        bytes=total,
        elapsed_ns=elapsed,
        first_done_ns=int(elapsed * 0.96),
        last_done_ns=elapsed,
        start_spread_ns=40_000,
        histograms={"whole": latencies, "open": histogram(repeat, median * 0.2, 5000)},
        series=Series(
            interval_ns=SECOND,
            operations=operations,
            bytes=moved,
            p50_ns=(int(median),) * bins,
            p99_ns=(int(median * 2.3),) * bins,
            max_ns=(int(median * 4),) * bins,
        ),
        workers=tuple(
            WorkerResult(
                host="client1", process=n // phase.threads, thread=n % phase.threads,
                operations=sum(operations) // slots, bytes=total // slots, start_ns=n * 5000,
                end_ns=int(elapsed * (0.96 + 0.04 * (n + 1) / slots)),
                user_ns=SECOND // 5, system_ns=SECOND // 2,
            )
            for n in range(slots)
        ),
    )  # fmt: skip


def watched(repeat: int, seconds: float) -> Telemetry:
    """A client that is watched once a second, and gets busier in the middle."""
    ends = [SECOND * n for n in range(1, math.floor(seconds) + 1)] + [int(seconds * SECOND)]
    busy_shares = [round(0.42 + 0.2 * math.sin(n / 3 + repeat), 4) for n in range(len(ends))]
    return Telemetry(
        ends_ns=tuple(ends),
        series={
            "cpu.busy_share": tuple(busy_shares),
            "cpu.busiest_core_share": tuple(min(share + 0.3, 1.0) for share in busy_shares),
            "pressure.io.some_share": tuple(round(share / 4, 4) for share in busy_shares),
            "memory.dirty_bytes": (None, *(2.0**20 for _ in ends[1:])),
            "nic.eth0.received_bytes_rate": (9e8,) * len(ends),
        },
        cost_ns=int(seconds * 2e6),
        watched_ns=int(seconds * SECOND),
    )


def sample(
    stage: Stage, phase: Phase, repeat: int, rate: float, size: int, seconds: float, **changes: Any
) -> Sample:
    """A repeat of ``phase`` with evidence, ceiling and a fio-like tool where the engine is fio."""
    measured = busy(phase, repeat, rate, size, seconds)
    if stage.engine == "fio":
        tool = ToolRun(
            name="fio", version="fio-3.33", job="[global]\nioengine=libaio\n[job]\nrw=read\n",
            command=("fio", "--output-format=json+", "job.fio"),
        )  # fmt: skip
        measured = replace(measured, tool=tool)
    if phase.operation is Operation.SAVE_SHARDS:
        blocked = int(measured.elapsed_ns * 0.7)
        timers = {"blocked": blocked, "durable": measured.elapsed_ns}
        measured = replace(measured, timers=timers)
    evidence = build.evidence(
        asked_bytes=measured.bytes, delivered_bytes=int(measured.bytes * 1.01), files=50_000,
        resident_files=1000,
    )  # fmt: skip
    parts: dict[str, Any] = {
        "workload": stage.workload,
        "phase": phase.name,
        "repeat": repeat,
        "started_at": f"2026-11-21T12:{repeat:02d}:00Z",
        "measurement": measured,
        "evidence": evidence if phase.operation.value.startswith(("read", "load")) else None,
        "ceiling": Ceiling(
            operations=measured.operations * 6, bytes=measured.bytes * 6,
            elapsed_ns=measured.elapsed_ns,
        ),
        "telemetry": watched(repeat, seconds),
    }  # fmt: skip
    return Sample(**parts | changes)


def _load() -> Stage:
    sizes = Sizes(distribution="lognormal", mean=114_660, sigma=0.6)
    files = build.population(directory="data/load", files=50_000, sizes=sizes)
    return build.stage(
        workload="load-imagenet",
        title="Load a dataset of small images",
        imitates="A data loader that reads ImageNet as one JPEG file a sample.",
        phases=(
            build.phase(name="generate", operation=Operation.WRITE_FILES, measured=False),
            build.phase(name="epoch", population=files, processes=4, threads=2, batch=64),
        ),
    )


def _checkpoint() -> Stage:
    sizes = Sizes(distribution="fixed", mean=875 * 10**6)
    shards = build.population(directory="ckpt", files=4, sizes=sizes)
    save = build.phase(
        name="save", operation=Operation.SAVE_SHARDS, population=shards, processes=4,
        sync=SyncPolicy.COMMIT, cache=CachePolicy.AS_FOUND,
    )  # fmt: skip
    load = build.phase(
        name="resume", operation=Operation.LOAD_SHARDS, population=shards, processes=4, shift=1
    )
    return build.stage(
        workload="checkpoint-1b",
        title="Save and resume a checkpoint of a 250 M parameter model",
        kind="checkpoint_save",
        imitates="Four ranks that each write a shard, fsync it and rename it.",
        phases=(save, load),
    )


def _block() -> Stage:
    files = build.population(files=2, sizes=Sizes(distribution="fixed", mean=2 * 2**30))
    parts: dict[str, Any] = {"population": files, "depth": 16, "runtime_ns": 30 * SECOND}
    return build.stage(
        workload="block",
        title="Bandwidth and IOPS",
        kind="block",
        imitates="Large sequential and small random access, as storage data sheets state it.",
        engine="fio",
        phases=(
            build.phase(
                name="sequential_read", operation=Operation.READ_BLOCKS, cache=CachePolicy.DIRECT,
                **parts,
            ),
            build.phase(
                name="random_read_4k", operation=Operation.READ_BLOCKS, io_size=4096,
                cache=CachePolicy.DIRECT, **parts,
            ),
        ),
    )  # fmt: skip


def _metadata(names: tuple[str, ...]) -> Stage:
    return build.stage(
        workload="metadata",
        title="Create, look up and remove many files",
        kind="metadata",
        imitates="Unpacking a dataset and walking through it.",
        phases=tuple(build.phase(name=n, operation=Operation(n), processes=4) for n in names),
    )


def _samples(stage: Stage, rates: dict[str, tuple[float, int, float]]) -> list[Sample]:
    return [
        sample(stage, phase, repeat, rate * (1 + 0.01 * math.sin(2 * repeat)), size, seconds)
        for phase in stage.measured
        for repeat in range(3)
        for rate, size, seconds in (rates[phase.name],)
    ]


def _spoil(samples: list[Sample]) -> None:
    """One repeat gets a warning, and another a reason why it does not count."""
    samples[0] = replace(
        samples[0],
        warnings=(Finding(code="client_bound", message="a worker used 97 % of its core"),),
    )
    samples[7] = replace(
        samples[7],
        evidence=build.evidence(
            state=CacheState.MIXED, resident_share=0.31, reason="31.0 % resident before"
        ),
        reasons=(Finding(code="not_cold", message="31 % of the data was in the page cache"),),
    )


def many() -> RunRecord:
    """A full run: five workloads, one of them refused, with one repeat that does not count."""
    names = ("create", "stat", "open_close", "list", "rename", "delete")
    load, checkpoint, block, metadata = _load(), _checkpoint(), _block(), _metadata(names)
    refused = build.stage(
        workload="block-write", title="Write bandwidth", engine="fio", phases=block.phases,
        refusal="fio is not installed; install it with: apt-get install fio",
    )  # fmt: skip
    samples = [
        *_samples(load, {"epoch": (1.9e9, 114_660, 12.4)}),
        *_samples(checkpoint, {"save": (1.1e9, 875_000_000, 9.6), "resume": (2.8e9, 8750000, 7.2)}),
        *_samples(
            block, {"sequential_read": (42e9, 2**20, 30), "random_read_4k": (8.7e8, 4096, 30)}
        ),
        *_samples(metadata, dict.fromkeys(names, (40_000, 1, 5.5))),
    ]
    _spoil(samples)
    key = {"cpu": "Example CPU 9654", "cores": 96, "memory_gib": 768, "kernel": "6.18"}
    metadata_of_client = {"hostname": "client1", "governor": "performance", "load": None}
    return build.record(
        *samples,
        plan=build.plan(load, checkpoint, block, metadata, refused, name="standard"),
        system=build.system(units=2, nodes=2, nics=4),
        engines={"posix": "0.1.0", "fio": "fio-3.33"},
        environment=Environment(key=key, metadata=metadata_of_client),
        warnings=(Finding(code="governor", message="the CPU governor is powersave"),),
        target=build.target(
            fstype="nfs4", source="nas:/export", server="nas", device=None, device_id="0:52",
            options=("rw", "vers=4.2", "nconnect=8", "rsize=1048576"),
        ),
        finished_at="2026-11-21T12:11:05Z",
    )  # fmt: skip


def long() -> RunRecord:
    """A run of twenty phases of three repeats, each with a series, workers and latencies."""
    names = tuple(f"stat-{number}" for number in range(20))
    phases = tuple(build.phase(name=n, operation=Operation.READ_FILES, processes=4) for n in names)
    stage = build.stage(workload="load-many", phases=phases)
    samples = _samples(stage, dict.fromkeys(names, (4e7, 4096, 60.0)))
    return build.record(*samples, plan=build.plan(stage))


def missing() -> RunRecord:
    """A run in which nothing is known that may be unknown."""
    bare = build.measurement(histograms={}, series=None, workers=(), elapsed_ns=0)
    samples = [build.sample(n, measurement=bare, evidence=None) for n in range(2)]
    target = build.target(total_bytes=None, free_bytes=None, free_inodes=None, block_size=None)
    return build.record(*samples, target=target, environment=Environment(), finished_at=None)


def interrupted() -> RunRecord:
    """A run that a signal ended in its second repeat."""
    stages = (build.stage(), _metadata(("create", "delete")))
    return build.record(
        build.sample(0),
        plan=build.plan(*stages),
        complete=False,
        finished_at=None,
        reasons=(Finding(code="interrupted", message="SIGINT ended the run in repeat 2 of 3"),),
    )


def refused() -> RunRecord:
    """A run whose only workload can't be done here."""
    stage = build.stage(refusal="no O_DIRECT on tmpfs; choose another cache policy")
    return replace(build.record(plan=build.plan(stage)), samples=())


def burst() -> RunRecord:
    """A run of direct writes in which a cache took the first 8 GB, and one of reads that drift."""
    writing = flow.writing(sync=SyncPolicy.END)
    reading = build.phase(
        name="seq-read", operation=Operation.READ_BLOCKS, cache=CachePolicy.DIRECT,
        runtime_ns=120 * SECOND,
    )  # fmt: skip
    stage = build.stage(
        workload="block", title="Bandwidth", imitates="Large files.", phases=(writing, reading)
    )
    samples = [
        build.sample(repeat, workload="block", phase=phase.name, measurement=flow.flow(rates))
        for repeat in range(3)
        for phase, rates in (
            (writing, flow.cliff(4e8, 1e8, 20, 120, seed=repeat)),
            (reading, flow.noise(repeat, 120, 0.02, 0.0, drift=-0.4, mean=5e8)),
        )
    ]
    return build.record(*samples, plan=build.plan(stage))
