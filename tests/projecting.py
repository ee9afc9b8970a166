"""Builders of inputs and of runs that a projection starts from."""

from typing import Any

from aibench.cluster import Range, exactly
from aibench.cluster.inputs import Input
from aibench.model import (
    Accelerated,
    Accelerators,
    CachePolicy,
    Operation,
    RunRecord,
    Sample,
    SyncPolicy,
    Training,
)
from tests import build

SECOND = build.SECOND


def given(**values: float | Range) -> dict[str, Input]:
    """Inputs that a user gave."""
    return {
        name: Input(
            name=name,
            range=value if isinstance(value, Range) else exactly(value),
            origin="assumed",
            source="given in options",
        )
        for name, value in values.items()
    }


def cluster(**changes: float | Range) -> dict[str, Input]:
    """1,250 nodes that learn a trillion parameters; 20 GB/s, and 4 times as much."""
    parts: dict[str, float | Range] = {
        "nodes": 1250, "parameters": 1e12, "fixed_restart": 900, "baseline_write": 20e9,
        "baseline_load": 600, "faster": 4, "load_faster": 8,
    }  # fmt: skip
    return given(**parts | changes)


def saving(*seconds: float, **changes: Any) -> RunRecord:
    """A run that saved 10 GB durably, in so many ``seconds`` each time."""
    phase = build.phase(
        name="save", operation=Operation.SAVE_SHARDS, cache=CachePolicy.AS_FOUND,
        sync=SyncPolicy.COMMIT,
    )  # fmt: skip
    return _run("checkpoint_save", phase, seconds, evidence=None, **changes)


def loading(*seconds: float, **changes: Any) -> RunRecord:
    """A run that loaded 10 GB, cold, in so many ``seconds`` each time."""
    phase = build.phase(name="load", operation=Operation.LOAD_SHARDS)
    return _run("checkpoint_load", phase, seconds, **changes)


def feeding(**shares: float) -> RunRecord:
    """A run that fed accelerators: ``one=0.99, four=0.5`` by the number of them."""
    counts = {"one": 1, "two": 2, "four": 4}
    phases, samples = [], []
    for word, share in shares.items():
        count = counts[word]
        phase = build.phase(
            name=f"accelerators-{count}", processes=count,
            accelerators=Accelerators(count=count, loaders=1, compute_ns=10**6),
        )  # fmt: skip
        phases.append(phase)
        compute = round(share * 9 * SECOND)
        each = Accelerated(
            host="client1", number=0, steps=10, bytes=4096, first_batch_ns=SECOND // 2,
            first_step_ns=SECOND, end_ns=10 * SECOND, wait_ns=9 * SECOND - compute,
            compute_ns=compute, barrier_ns=0, stall_ns=9 * SECOND - compute,
        )  # fmt: skip
        measured = build.measurement(
            training=Training(batch=1, accelerators=(each,) * count),
            timers={"first_batch": SECOND // 2},
        )
        samples += [
            build.sample(r, workload="train-demo", phase=phase.name, measurement=measured)
            for r in range(3)
        ]
    stage = build.stage(workload="train-demo", kind="train", phases=tuple(phases))
    return build.record(*samples, plan=build.plan(stage))


def _run(kind: str, phase: Any, seconds: tuple[float, ...], **changes: Any) -> RunRecord:
    workload = kind.replace("_", "-")
    stage = build.stage(workload=workload, kind=kind, phases=(phase,))
    samples = [_sample(n, s, workload, phase.name, changes) for n, s in enumerate(seconds)]
    return build.record(*samples, plan=build.plan(stage))


def _sample(
    repeat: int, seconds: float, workload: str, phase: str, changes: dict[str, Any]
) -> Sample:
    measured = build.measurement(
        bytes=10**10, elapsed_ns=round(seconds * SECOND), last_done_ns=round(seconds * SECOND),
        series=None,
    )  # fmt: skip
    parts = {"workload": workload, "phase": phase, "measurement": measured} | changes
    return build.sample(repeat, **parts)
