"""Latency over time: median, 99th percentile and longest of each interval, and NFS beside them."""

from collections.abc import Iterator, Sequence
from typing import Any

from aibench.reporters import wording
from aibench.reporters.figures import DASHES, MOST_POINTS, SECOND, Figure, decades, escape
from aibench.reporters.meanwhile import middles

_LINES = (("p50_ns", "p50"), ("p99_ns", "p99"), ("max_ns", "longest"))
#: So many types of NFS operation are shown, those that occurred most.
_MOST_OPERATIONS = 2


def overtime(phase: dict[str, Any]) -> Figure | None:
    """Latencies of the middle repeat, interval by interval, on a logarithmic axis of times.

    On an NFS mount the mean round trips of its commonest operations stand beside them. None
    without a series of at least two intervals in which something ended. A long series is drawn by
    the worst of neighbouring intervals, and says so: percentiles can't be averaged.
    """
    sample = next((s for s in phase["samples"] if s["repeat"] == phase["middle_repeat"]), None)
    if sample is None or sample["series"] is None:
        return None
    series, merged = sample["series"], 1
    while len(series["operations"]) > merged * MOST_POINTS:
        merged *= 2
    lines = list(_latencies(series, merged, sample["elapsed_ns"]))
    if max((sum(y is not None for y in line["y"]) for line in lines), default=0) < 2:
        return None
    lines += _round_trips(sample, len(lines))
    known = [y for line in lines for y in line["y"] if y]
    title = f"time since the start of repeat {sample['repeat'] + 1}, s"
    if merged > 1:
        title += f"; each point is the worst of {merged} intervals"
    return {
        "data": lines,
        "layout": {
            "xaxis": {"title": {"text": title}, "rangemode": "tozero"},
            "yaxis": {"type": "log", **decades(known)},
            "showlegend": True,
        },
    }  # fmt: skip


def _latencies(series: dict[str, Any], merged: int, elapsed_ns: int) -> Iterator[dict[str, Any]]:
    width = series["interval_ns"] * merged
    for number, (key, name) in enumerate(_LINES):
        values = series[key]
        if not any(values):
            continue
        parts = [values[n : n + merged] for n in range(0, len(values), merged)]
        yield _line(
            [_middle(n * width, (n + 1) * width, elapsed_ns) for n in range(len(parts))],
            [max((value for value in part if value), default=None) for part in parts],
            number, name,
        )  # fmt: skip


def _middle(begin: int, end: int, elapsed_ns: int) -> float:
    """The middle of an interval in seconds; the last one ends with the phase."""
    return round((begin + max(min(end, elapsed_ns), begin)) / 2 / SECOND, 6)


def _line(x: Sequence[float], y: Sequence[float | None], number: int, name: str) -> dict[str, Any]:
    return {
        "x": list(x),
        "y": list(y),
        "mode": "lines+markers" if len(x) <= 60 else "lines",
        "marker": {"size": 4},
        "line": {"dash": DASHES[number % len(DASHES)], "width": 2},
        "role": number,
        "name": escape(name),
        "hovertext": [f"{escape(name)}: {wording.duration(value)}" for value in y],
        "hoverinfo": "text+x",
    }  # fmt: skip


def _round_trips(sample: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """The mean round trip of the NFS operations that occurred most, as lines."""
    watched = sample["telemetry"]
    if watched is None:
        return []
    rates = {
        name.removesuffix(".operations_rate"): sum(filter(None, values))
        for name, values in watched["series"].items()
        if name.startswith("nfs.") and name.endswith(".operations_rate")
    }
    busiest = sorted((n for n in rates if rates[n]), key=lambda n: (-rates[n], n))
    lines: list[dict[str, Any]] = []
    for name in busiest[:_MOST_OPERATIONS]:
        seconds = watched["series"].get(f"{name}.round_trip_seconds", ())
        if any(seconds):
            trips = [round(value * SECOND) if value else None for value in seconds]
            label = f"NFS {name.removeprefix('nfs.')} round trip, mean"
            lines.append(_line(middles(sample), trips, number + len(lines), label))
    return lines
