"""A load sweep: latency at the rates that were offered, and where it begins to rise for no gain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aibench.units import format_duration, format_value

#: A rate is kept when this share of it was done.
KEPT = 0.95
_LEAST_LEVELS = 2

Figure = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Level:
    """One offered rate in operations a second, and what was done; latencies in nanoseconds."""

    phase: str
    offered: float
    done: float
    mean_ns: float
    p50_ns: int
    p99_ns: int | None

    @property
    def kept(self) -> bool:
        """Whether the storage kept up."""
        return self.done >= KEPT * self.offered


def levels(phases: Sequence[dict[str, Any]]) -> list[Level]:
    """The levels of a sweep that were measured, by rising rates."""
    found = [level for phase in phases if (level := _level(phase)) is not None]
    return sorted(found, key=lambda level: level.offered)


def _level(phase: dict[str, Any]) -> Level | None:
    offered, curve = phase["asked"]["rate"], phase["percentiles"].get("whole")
    counted = [s for s in phase["samples"] if s["counts"] and s["elapsed_ns"]]
    if not offered or not curve or not curve["points"] or not counted or not phase["mean_ns"]:
        return None
    rates = sorted(s["operations"] * 1e9 / s["elapsed_ns"] for s in counted)
    at = {round(share, 4): ns for share, ns in curve["points"]}
    p50 = next((ns for share, ns in curve["points"] if share >= 0.5), curve["points"][-1][1])
    middle = rates[(len(rates) - 1) // 2]
    return Level(phase["name"], offered, middle, phase["mean_ns"], p50, at.get(0.99))


def knee(found: Sequence[Level]) -> Level | None:
    """Of the levels that were kept, the one with the most done for its mean latency.

    None where there are fewer than two levels, or none was kept.
    That is the greatest power, rate over delay, of Kleinrock (ICC 1979): beyond it latency rises
    by a larger share than the rate.
    """
    kept = [level for level in found if level.kept]
    if len(found) < _LEAST_LEVELS:
        return None
    return max(kept, key=lambda level: level.done / level.mean_ns, default=None)


def sentences(phases: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A line for each rate, and one that names the knee; nothing where no rate was offered."""
    for order in _groups(phases):
        found = levels(order)
        for level in found:
            tail = f", p99 {format_duration(level.p99_ns)}" if level.p99_ns else ""
            yield (
                f"{level.phase}: offered {format_value(level.offered, 'op/s')}, "
                f"done {format_value(level.done, 'op/s')}{'' if level.kept else ', not kept'}; "
                f"mean {format_duration(round(level.mean_ns))}, "
                f"p50 {format_duration(level.p50_ns)}{tail}"
            )
        if (best := knee(found)) is not None:
            where = "the lowest" if best is found[0] else "the highest" if best is found[-1] else ""
            bound = f" ({where} that was offered, so it may lie beyond)" if where else ""
            yield (
                f"the knee is at {best.phase}, {format_value(best.done, 'op/s')}{bound}: the most "
                "done for its mean latency"
            )


def _groups(phases: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Phases that differ in their rate alone, which is what their names end with.

    Those of each level of a sweep are a group of their own.
    """
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for phase in phases:
        if phase["asked"]["rate"]:
            name, _, levels = phase["name"].partition("@")
            found.setdefault((name.rpartition("rate-")[0], levels), []).append(phase)
    return list(found.values())


def curve(phases: Sequence[dict[str, Any]]) -> Figure | None:
    """Mean, median and p99 over the rate that was done; None for fewer than two levels."""
    traces = []
    for number, group in enumerate(_groups(phases)):
        found = levels(group)
        if len(found) < _LEAST_LEVELS:
            continue
        stem = group[0]["name"].rpartition("rate-")[0]
        for dash, name in (("solid", "mean"), ("dot", "p50"), ("dash", "p99")):
            points = [(f.done, getattr(f, f"{name}_ns")) for f in found]
            traces.append(
                {
                    "x": [float(f"{done:.6g}") for done, ns in points if ns],
                    "y": [float(f"{ns / 1e6:.6g}") for _, ns in points if ns],
                    "mode": "lines+markers", "role": number, "name": f"{stem}{name}",
                    "line": {"dash": dash, "width": 2},
                    "hovertemplate": "%{y:.3~g} ms at %{x:.3~g} op/s<extra></extra>",
                }
            )  # fmt: skip
    if not traces:
        return None
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": "op/s that were done"}, "rangemode": "tozero"},
            "yaxis": {"title": {"text": "latency, ms"}, "type": "log"},
            "showlegend": True,
        },
    }
