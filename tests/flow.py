"""Builders of phases whose rate over time a test knows: flat, sloping, noisy, or with a cliff."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from aibench.model import CachePolicy, Measurement, Operation, Phase, Series, WorkerResult
from tests.build import SECOND, measurement, phase

#: One operation of the flows here, in bytes.
SIZE = 100_000


def writing(**changes: Any) -> Phase:
    """Blocks written past the page cache."""
    parts: dict[str, Any] = {
        "name": "seq-write",
        "operation": Operation.WRITE_BLOCKS,
        "cache": CachePolicy.DIRECT,
        "runtime_ns": 120 * SECOND,
    }
    return phase(**parts | changes)


def flow(rates: Sequence[float], interval_ns: int = SECOND, **changes: Any) -> Measurement:
    """What two workers did who moved ``rates`` bytes a second in each interval."""
    operations = tuple(round(rate * interval_ns / SECOND / SIZE) for rate in rates)
    moved = tuple(count * SIZE for count in operations)
    elapsed = len(rates) * interval_ns
    workers = tuple(
        WorkerResult(host="client1", process=n, thread=0, operations=sum(operations) // 2,
                     bytes=sum(moved) // 2, start_ns=0, end_ns=elapsed)
        for n in range(2)
    )  # fmt: skip
    parts: dict[str, Any] = {
        "operations": sum(operations),
        "bytes": sum(moved),
        "elapsed_ns": elapsed,
        "first_done_ns": elapsed,
        "last_done_ns": elapsed,
        "start_spread_ns": 0,
        "series": Series(interval_ns=interval_ns, operations=operations, bytes=moved),
        "workers": workers,
        "histograms": {},
    }
    return measurement(**parts | changes)


def noise(
    seed: int, count: int, cv: float, memory: float, *, drift: float = 0.0, mean: float = 1.0
) -> list[float]:
    """``count`` values around ``mean``, each like the one before to the degree of ``memory``.

    First-order autoregressive, with the coefficient of variation ``cv``, and ``drift`` from end to
    end as a share of the mean.
    """
    fresh = np.random.default_rng(seed).normal(size=count)
    found = np.empty(count)
    found[0] = fresh[0]
    for n in range(1, count):
        found[n] = memory * found[n - 1] + np.sqrt(1 - memory**2) * fresh[n]
    slope = 1 + drift * ((np.arange(count) + 0.5) / count - 0.5)
    values: list[float] = np.maximum(mean * (1 + cv * found) * slope, 0).tolist()
    return values


def cliff(
    first: float, then: float, at: int, count: int, *, cv: float = 0.02, seed: int = 1
) -> list[float]:
    """``count`` rates of which those before ``at`` are about ``first``, the others ``then``."""
    levels = [first] * at + [then] * (count - at)
    return [level * wave for level, wave in zip(levels, noise(seed, count, cv, 0.0), strict=True)]
