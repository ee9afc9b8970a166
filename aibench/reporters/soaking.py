"""What a soak shows that no single round does: failures, the worst minute, and how it drifted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from statistics import median
from typing import Any

from aibench.units import format_count, format_duration, format_value

_SECOND = 10**9
_MINUTE = 60 * _SECOND
#: The first and the last quarter of the rounds are compared.
_PART = 4
#: A plot has room for so many points; of more, neighbours are one.
_MOST_POINTS = 1500

Figure = dict[str, Any]


def sentences(phases: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What failed, the worst minute and the drift of each soak; nothing for other phases."""
    for phase in phases:
        if phase["operation"] != "soak" or not phase["samples"]:
            continue
        yield f"{phase['name']}: {_failures(phase)}"
        if told := _over_nfs(phase["samples"]):
            yield f"{phase['name']}: {told}"
        if (worst := worst_minute(phase["samples"])) is not None:
            rate, number, at_ns = worst
            usual = median(_rate(sample) for sample in _timed(phase["samples"]))
            yield (
                f"{phase['name']}: the worst minute had {format_value(rate, 'B/s')}, "
                f"{rate / usual:.0%} of the rate of the middle round; it began "
                f"{format_duration(at_ns)} into round {number + 1}"
            )
        if len(_timed(phase["samples"])) >= 2:
            yield f"{phase['name']}: {_drift(_timed(phase['samples']))}"


def _failures(phase: dict[str, Any]) -> str:
    rounds = len(phase["samples"])
    over = f"{rounds} round{'s' if rounds > 1 else ''}"
    if not phase["errors"]:
        return f"no operation failed in {over}"
    kinds = ", ".join(f"{format_count(count)} {name}" for name, count in phase["failed"].items())
    return f"{format_count(phase['errors'])} operations failed in {over} ({kinds}), and were borne"


def _over_nfs(samples: Sequence[dict[str, Any]]) -> str:
    """What an NFS client sent again and was refused over all rounds; empty for other mounts."""
    known = [
        each for sample in samples if sample.get("nfs") for each in sample["nfs"]["operations"]
    ]
    if not known:
        return ""
    asked = sum(each["operations"] for each in known)
    again = sum(max(each["transmissions"] - each["operations"], 0) for each in known)
    late = sum(each["timeouts"] for each in known)
    told = (
        f"of {format_count(asked)} requests to the NFS server {format_count(again)} were sent "
        f"again and {format_count(late)} had no answer within the mount's time limit"
    )
    if all(each["errors"] is None for each in known):
        return f"{told}; this kernel does not count errors"
    errors: Counter[str] = Counter()
    for each in known:
        errors[each["name"]] += each["errors"] or 0
    kinds = ", ".join(f"{format_count(n)} {name}" for name, n in errors.most_common() if n)
    found = f" ({kinds}), 'no such file' among them" if kinds else ""
    return f"{told}; {format_count(errors.total())} were answered with an error{found}"


def _timed(samples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [sample for sample in samples if sample["elapsed_ns"] and sample["bytes"]]


def _rate(sample: dict[str, Any]) -> float:
    rate: float = sample["bytes"] * _SECOND / sample["elapsed_ns"]
    return rate


def worst_minute(samples: Sequence[dict[str, Any]]) -> tuple[float, int, int] | None:
    """(bytes/s, round, when in ns) of the slowest whole minute within a round; None without one."""
    found = []
    for sample in samples:
        series = sample["series"]
        if not series or _MINUTE % series["interval_ns"]:
            continue
        width, moved = _MINUTE // series["interval_ns"], series["bytes"]
        whole = min(len(moved), sample["elapsed_ns"] // series["interval_ns"])
        sums = [0, *accumulate(moved[:whole])]
        found += [
            ((sums[k + width] - sums[k]) / 60, sample["repeat"], k * series["interval_ns"])
            for k in range(whole - width + 1)
        ]
    return min(found, default=None)


def _drift(samples: Sequence[dict[str, Any]]) -> str:
    part = max(len(samples) // _PART, 1)
    first, last = samples[:part], samples[-part:]
    rates = [sum(s["bytes"] for s in p) * _SECOND / sum(s["elapsed_ns"] for s in p)
             for p in (first, last)]  # fmt: skip
    told = [f"rate {format_value(rates[0], 'B/s')} to {format_value(rates[1], 'B/s')}"]
    for key, name in (("p50_ns", "median latency"), ("p99_ns", "p99")):
        before, after = (_middle(each, key) for each in (first, last))
        if before is not None and after is not None:
            told.append(f"{name} {format_duration(before)} to {format_duration(after)}")
    words = "round" if part == 1 else f"{part} rounds"
    return f"from the first {words} to the last: {', '.join(told)}"


def _middle(samples: Sequence[dict[str, Any]], key: str) -> int | None:
    values = [v for s in samples if s["series"] for v in s["series"][key] if v is not None]
    return int(median(values)) if values else None


def whole(phase: dict[str, Any]) -> Figure | None:
    """The rate of a soak over all its rounds, by the clock; None for other phases."""
    if phase["operation"] != "soak":
        return None
    points = [point for sample in phase["samples"] if sample["series"] for point in _points(sample)]
    if not points:
        return None
    start = min(at for at, _ in points)
    step = -(-len(points) // _MOST_POINTS)
    chosen = [points[k : k + step] for k in range(0, len(points), step)]
    x = [round((group[0][0] - start) / 3600, 5) for group in chosen]
    y = [float(f"{sum(rate for _, rate in group) / len(group) / 1e6:.6g}") for group in chosen]
    trace = {
        "x": x, "y": y, "mode": "lines", "role": 0, "name": "rate",
        "line": {"width": 2}, "hovertemplate": "%{y:.3~g} MB/s<extra></extra>",
    }  # fmt: skip
    return {
        "data": [trace],
        "layout": {
            "xaxis": {"title": {"text": "time since the first round began, h"}},
            "yaxis": {"title": {"text": "MB/s"}, "rangemode": "tozero"},
            "showlegend": False,
        },
    }


def _points(sample: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """(seconds by the clock, bytes/s) of the whole intervals of one round."""
    began = datetime.fromisoformat(sample["started_at"]).timestamp()
    interval = sample["series"]["interval_ns"]
    kept = sample["elapsed_ns"] // interval
    for number, moved in enumerate(sample["series"]["bytes"][:kept]):
        yield began + number * interval / _SECOND, moved * _SECOND / interval
