"""Builders of valid nouns: each takes only what a test is about."""

from typing import Any

import numpy as np

from aibench.model import (
    CachePolicy,
    CacheState,
    Environment,
    Evidence,
    Histogram,
    HostOf,
    Launch,
    Measurement,
    OnHost,
    Operation,
    Order,
    Phase,
    Plan,
    Population,
    RunRecord,
    Sample,
    Series,
    Sizes,
    Stage,
    System,
    Target,
    WorkerResult,
)
from aibench.stats.histogram import Recorder

SECOND = 10**9


def population(**changes: Any) -> Population:
    """A hundred files of 4 KiB."""
    parts: dict[str, Any] = {
        "directory": "data/demo",
        "files": 100,
        "sizes": Sizes(distribution="fixed", mean=4096),
        "seed": 1,
    }
    return Population(**parts | changes)


def phase(**changes: Any) -> Phase:
    """A measured, cold, shuffled read of small files by two processes."""
    parts: dict[str, Any] = {
        "name": "read",
        "operation": Operation.READ_FILES,
        "population": population(),
        "processes": 2,
        "order": Order.SHUFFLED,
        "cache": CachePolicy.COLD,
    }
    return Phase(**parts | changes)


def stage(**changes: Any) -> Stage:
    """A `load` stage with one measured phase and three repeats."""
    parts: dict[str, Any] = {
        "workload": "load-demo",
        "title": "Load small files",
        "kind": "load",
        "imitates": "A data loader that reads one file a sample.",
        "engine": "posix",
        "repeats": 3,
        "phases": (phase(),),
    }
    return Stage(**parts | changes)


def plan(*stages: Stage, **changes: Any) -> Plan:
    """A plan of ``stages``, or of one demo stage."""
    parts: dict[str, Any] = {
        "stages": stages or (stage(),),
        "seed": 1,
        "write_bytes": 409_600,
        "read_bytes": 1_228_800,
        "space_bytes": 409_600,
        "inodes": 101,
        "memory_bytes": 2**21,
        "estimated_ns": 5 * SECOND,
        "name": "demo",
    }
    return Plan(**parts | changes)


def histogram(*latencies: int) -> Histogram:
    """A histogram of latencies in ns."""
    recorder = Recorder()
    recorder.add(np.array(latencies, dtype=np.int64))
    return recorder.freeze()


def measurement(**changes: Any) -> Measurement:
    """One second: 1000 operations, 4,096,000 bytes, two workers, a four-point series."""
    latencies = tuple(range(1_000_000, 2_000_000, 1000))
    parts: dict[str, Any] = {
        "operations": 1000,
        "bytes": 4_096_000,
        "elapsed_ns": SECOND,
        "first_done_ns": 9 * SECOND // 10,
        "last_done_ns": SECOND,
        "start_spread_ns": 10_000,
        "histograms": {"whole": histogram(*latencies), "open": histogram(*latencies)},
        "series": Series(
            interval_ns=SECOND // 4,
            operations=(250, 250, 250, 250),
            bytes=(1_024_000,) * 4,
            p50_ns=(1_500_000,) * 4,
            p99_ns=(1_990_000,) * 4,
            max_ns=(1_999_000,) * 4,
        ),
        "workers": tuple(
            WorkerResult(
                host="client1", process=n, thread=0, operations=500, bytes=2_048_000,
                start_ns=0, end_ns=(9 + n) * SECOND // 10,
            )
            for n in range(2)
        ),
    }  # fmt: skip
    return Measurement(**parts | changes)


def evidence(**changes: Any) -> Evidence:
    """Cold: nothing resident, all bytes from the device."""
    parts: dict[str, Any] = {
        "state": CacheState.COLD,
        "reason": "0.0 % resident before, device delivered 101 % of the bytes asked for",
        "asked_bytes": 4_096_000,
        "resident_share": 0.0,
        "resident_files": 100,
        "files": 100,
        "resident_method": "cachestat",
        "delivered_bytes": 4_136_960,
        "delivered_source": "block device sda",
        "eviction": "sync, drop_caches",
    }
    return Evidence(**parts | changes)


def sample(repeat: int = 0, **changes: Any) -> Sample:
    """A cold repeat of the demo phase."""
    parts: dict[str, Any] = {
        "workload": "load-demo",
        "phase": "read",
        "repeat": repeat,
        "started_at": f"2026-11-21T12:00:{repeat:02d}Z",
        "measurement": measurement(),
        "evidence": evidence(),
    }
    return Sample(**parts | changes)


def on_host(host: str = "n0", **changes: Any) -> OnHost:
    """What a host with two ranks saw of a cold phase on a mount that it has to itself."""
    parts: dict[str, Any] = {
        "host": host,
        "ranks": 2,
        "evidence": evidence(),
        "boot": f"boot-{host}",
        "device_id": "0:53",
    }
    return OnHost(**parts | changes)


def launch(*hosts: HostOf, **changes: Any) -> Launch:
    """An Open MPI run on ``hosts``, or on two with two ranks each, whose clocks are known."""
    two = (
        HostOf(name="n0", ranks=2, cpus=8, memory_bytes=2**34),
        HostOf(
            name="n1", ranks=2, cpus=8, memory_bytes=2**34, clock_offset_ns=-81_000_000_000,
            clock_error_ns=21_000,
        ),
    )  # fmt: skip
    parts: dict[str, Any] = {"library": "Open MPI 4.1.4", "hosts": hosts or two}
    return Launch(**parts | changes)


def target(**changes: Any) -> Target:
    """An ext4 mount."""
    parts: dict[str, Any] = {
        "path": "/mnt/data",
        "label": "data",
        "mount_point": "/mnt/data",
        "fstype": "ext4",
        "source": "/dev/sda1",
        "options": ("rw", "relatime"),
        "device_id": "8:1",
        "device": "sda1",
        "block_size": 4096,
        "total_bytes": 10**12,
        "free_bytes": 5 * 10**11,
        "free_inodes": 10**7,
    }
    return Target(**parts | changes)


def system(**changes: Any) -> System:
    """One node of an H3C CX system."""
    parts: dict[str, Any] = {
        "vendor": "H3C",
        "product": "CX",
        "unit": "node",
        "units": 1,
        "digest": "0" * 64,
    }
    return System(**parts | changes)


def record(*samples: Sample, **changes: Any) -> RunRecord:
    """A complete run of the demo plan with ``samples``, or with three of them."""
    parts: dict[str, Any] = {
        "run_id": "20261121T120000Z-demo-abc123",
        "started_at": "2026-11-21T12:00:00Z",
        "finished_at": "2026-11-21T12:01:00Z",
        "aibench_version": "0.1.0",
        "command": ("aibench", "run", "/mnt/data"),
        "plan": plan(),
        "target": target(),
        "environment": Environment(
            key={"cpu": "Example CPU", "cores": 2, "memory_gib": 24, "kernel": "6.18"},
            metadata={"hostname": "client1"},
        ),
        "engines": {"posix": "0.1.0"},
        "samples": samples or tuple(sample(repeat) for repeat in range(3)),
        "complete": True,
    }
    return RunRecord(**parts | changes)
