"""Records of sweeps: rates that follow from the levels, each repeat a little off."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from aibench.model import CachePolicy, Level, Operation, Phase, RunRecord
from tests import build
from tests.reporters import records

MB = 10**6


def levels_of(axes: Mapping[str, Sequence[int | str]]) -> list[tuple[Level, ...]]:
    """All combinations of the levels; text is a size in bytes."""
    each = [
        [Level(name=name, value=int(v), unit="B" if isinstance(v, str) else "") for v in values]
        for name, values in axes.items()
    ]
    return list(product(*each))


def phase_at(levels: Sequence[Level], name: str = "rand-read", **changes: Any) -> Phase:
    """A read in blocks at those levels, by as many processes as they say."""
    told = ",".join(map(str, levels))
    counts = {level.name: level.value for level in levels}
    parts: dict[str, Any] = {
        "name": f"{name}@{told}",
        "levels": tuple(levels),
        "operation": Operation.READ_BLOCKS,
        "cache": CachePolicy.DIRECT,
        "processes": counts.get("jobs", counts.get("workers", 2)),
        "io_size": counts.get("random_block", 4096),
        "runtime_ns": 60 * 10**9,
    }
    return build.phase(**parts | changes)


def swept(
    axes: Mapping[str, Sequence[int | str]],
    rate: Callable[..., float],
    *,
    repeats: int = 3,
    sigma: float = 0.01,
    name: str = "rand-read",
    **changes: Any,
) -> RunRecord:
    """A run at all levels, in B/s what ``rate`` makes of the values of one."""
    rng = np.random.default_rng(1)
    phases = tuple(phase_at(levels, name) for levels in levels_of(axes))
    stage = build.stage(
        workload="block", title="Bandwidth and IOPS", kind="block", engine="posix",
        imitates="Large files, read in blocks.", phases=phases, repeats=repeats,
    )  # fmt: skip
    samples = []
    for phase in phases:
        wanted = rate(*(level.value for level in phase.levels))
        for repeat in range(repeats):
            drawn = wanted * float(np.exp(rng.normal(0, sigma)))
            samples.append(
                records.sample(stage, phase, repeat, drawn, phase.io_size, 60.0, telemetry=None)
            )
    return build.record(*samples, **{"plan": build.plan(stage, name="block")} | changes)


def with_samples(run: RunRecord, chosen: Callable[[Any], bool], **changes: Any) -> RunRecord:
    """``run`` with some of its samples changed."""
    samples = (replace(s, **changes) if chosen(s) else s for s in run.samples)
    return replace(run, samples=tuple(samples))
