"""The plot of one phase's throughput with what the client and the storage did meanwhile."""

import re
from collections.abc import Iterator
from typing import Any

from aibench.reporters.figures import Figure, escape, rate_line

_SECOND = 10**9
#: Series of a client that are shares of what there is, and what a reader calls them.
_SHARES = {
    "cpu.busiest_core_share": "busiest core",
    "cpu.busy_share": "all cores",
    "pressure.io.some_share": "tasks waiting for I/O",
}
_DEVICE = re.compile(r"device\.(.+)\.utilisation_share")
#: So many cards and devices are drawn, of those that moved this share of the bytes at least.
_MOST_RATES = 2
_LEAST = 0.05
_DASHES = ("dash", "dot", "dashdot", "longdash", "longdashdot")


def meanwhile(phase: dict[str, Any]) -> Figure | None:
    """Throughput of the middle repeat, and over it how busy the client and the device were.

    What network cards and devices moved in the direction of the phase is drawn in the unit of the
    throughput.

    None where nothing was watched, or for one interval only.
    """
    sample = next((s for s in phase["samples"] if s["repeat"] == phase["middle_repeat"]), None)
    if sample is None or sample["telemetry"] is None or len(sample["telemetry"]["ends_ns"]) < 2:
        return None
    unit = "B" if phase["reads"] or phase["writes"] else "op"
    moved = list(_rate_lines(sample, phase)) if unit == "B" else []
    found = rate_line(sample, unit, moved)
    if found is None:
        return None
    line, printed = found
    shares = list(_share_lines(sample))
    if not shares:
        return None
    return {
        "data": [line, *moved, *shares],
        "layout": {
            "xaxis": {"title": {"text": f"time since start, s{_whose(sample)}"},
                      "rangemode": "tozero"},
            "yaxis": {"title": {"text": printed}, "rangemode": "tozero"},
            "yaxis2": {
                "title": {"text": "share of the time"}, "overlaying": "y", "side": "right",
                "range": [0, 1.05], "tickvals": [0, 0.25, 0.5, 0.75, 1], "tickformat": ".0%",
                "showgrid": False,
            },
            "showlegend": True,
        },
    }  # fmt: skip


def _whose(sample: dict[str, Any]) -> str:
    """Which of several hosts is drawn."""
    name, hosts = sample["telemetry_host"], len(sample["hosts"])
    return f"; client: {escape(name)}, the slowest of {hosts}" if name and hosts > 1 else ""


def middles(sample: dict[str, Any]) -> list[float]:
    """The middle of each interval of the watch, in seconds after the phase began."""
    ends = sample["telemetry"]["ends_ns"]
    late = max(sample["telemetry"]["watched_ns"] - sample["elapsed_ns"], 0)  # it began before
    return [
        round(((begin + end) / 2 - late) / _SECOND, 6)
        for begin, end in zip([0, *ends], ends, strict=False)
    ]


def _rate_lines(sample: dict[str, Any], phase: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Bytes that cards and devices moved, the busiest two; what hardly moved is left out."""
    series = sample["telemetry"]["series"]
    word = "received|read" if phase["reads"] else "sent|written"
    moved = re.compile(rf"(?:nic|device)\.(.+)\.({word})_bytes_rate")
    means = {
        key: sum(filter(None, values)) / len(values) for key, values in series.items() if values
    }
    least = _LEAST * sample["bytes"] * _SECOND / max(sample["elapsed_ns"], 1)
    busiest = sorted((k for k in means if means[k] > least), key=lambda k: (-means[k], k))
    found = [(key, match) for key in busiest if (match := moved.fullmatch(key))]
    for number, (key, match) in enumerate(found[:_MOST_RATES]):
        yield {
            "x": middles(sample),
            "y": series[key],
            "mode": "lines",
            "line": {"dash": "dot", "width": 1.5},
            "role": 5 + number,
            "name": escape(f"{match[1]} {match[2]}"),
        }


def _share_lines(sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
    watched = sample["telemetry"]
    for number, (name, values) in enumerate(_named(watched["series"]), start=1):
        yield {
            "x": middles(sample),
            "y": values,
            "yaxis": "y2",
            "mode": "lines",
            "line": {"dash": _DASHES[number % len(_DASHES)], "width": 1.5},
            "role": number,
            "name": escape(name),
            "hovertemplate": "%{y:.0%}<extra>" + escape(name) + "</extra>",
        }


def _named(series: dict[str, list[float | None]]) -> Iterator[tuple[str, list[float | None]]]:
    """The series that are drawn, with the names that a reader knows them by."""
    for key, name in _SHARES.items():
        if any(value is not None for value in series.get(key, ())):
            yield name, series[key]
    for key, values in series.items():
        device = _DEVICE.fullmatch(key)
        if device and any(value is not None for value in values):
            yield f"{device[1]} in use", values
