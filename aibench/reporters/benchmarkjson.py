"""The JSON of pytest-benchmark, so that its tools read our series: one benchmark for each phase."""

import json
import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from aibench.reporters.clean import cleaned

_SECOND = 10**9
#: The version of the form that this imitates.
_VERSION = "5.0.0"


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """The times of all repeats that count, in seconds, as pytest-benchmark would have stored them.

    ``extra_info`` has the main figures in base units. ``width`` and ``color`` have no meaning here.
    """
    del width, color
    shown = cleaned(document)
    return json.dumps(
        {
            "machine_info": {
                "node": shown["environment"]["metadata"].get("hostname") or "unknown",
                "system": "Linux",
                "cpu": {"brand_raw": shown["environment"]["key"].get("cpu")},
            },
            "commit_info": {"id": "unknown", "dirty": False, "project": "aibench"},
            "benchmarks": list(_benchmarks(shown)),
            "datetime": shown["run"]["started_at"],
            "version": _VERSION,
        },
        indent=1,
    )


def _benchmarks(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    label = document["target"]["label"]
    for workload in document["workloads"]:
        for phase in workload["phases"]:
            samples = [s for s in phase["samples"] if s["counts"]]
            times = [s["elapsed_ns"] / _SECOND for s in samples if s["elapsed_ns"]]
            if not (times and document["run"]["counts"]):
                continue
            name = f"{workload['name']}[{phase['name']}]"
            yield {
                "group": label,
                "name": name,
                "fullname": f"{label}::{name}",
                "params": None,
                "param": None,
                "extra_info": {
                    f"{each['name']} [{each['unit']}]": each["estimate"]["typical"]
                    for each in phase["metrics"]
                    if each["main"] and each["estimate"]
                }
                | {"run": document["run"]["id"], "cache_state": phase["cache_state"]},
                "options": {"disable_gc": False, "timer": "perf_counter", "min_rounds": 1,
                            "max_time": 1.0, "min_time": 0.0, "warmup": False},
                "stats": _stats(times),
            }  # fmt: skip


def _stats(times: Sequence[float]) -> dict[str, Any]:
    """The figures that pytest-benchmark derives from the times of rounds."""
    ordered = sorted(times)
    mean, median = statistics.fmean(times), statistics.median(times)
    deviation = statistics.stdev(times) if len(times) > 1 else 0.0
    q1, _, q3 = statistics.quantiles(times, method="inclusive") if len(times) > 1 else [median] * 3
    fence = 1.5 * (q3 - q1)
    inside = [t for t in ordered if q1 - fence <= t <= q3 + fence]
    far = sum(abs(t - mean) > deviation for t in times)
    outside = len(times) - len(inside)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": deviation,
        "rounds": len(times),
        "median": median,
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": outside,
        "stddev_outliers": far,
        "outliers": f"{far};{outside}",
        "ld15iqr": inside[0],
        "hd15iqr": inside[-1],
        "ops": 1 / mean,
        "total": math.fsum(times),
        "data": list(times),
        "iterations": 1,
    }
