"""When each worker was done, or how fast it was: by repeat, and by host where there are several."""

from collections.abc import Iterator, Sequence
from typing import Any

from aibench.reporters.figures import SECOND, Figure, escape, repeat_name, scaled

#: A plot has room for so many rows; what is left out is told.
_MOST_ROWS = 30


def spread(phase: dict[str, Any]) -> Figure | None:
    """One dot a worker: when it was done or, in phases bound in time, its rate.

    A row is a repeat; with several hosts, it is a host of the middle repeat, the slowest on top.
    The first and the last one are marked, and the last one of the middle repeat is named. None
    without workers.
    """
    unit = _unit(phase)
    rows, more = _rows(phase, unit)
    if not rows:
        return None
    traces = [_dots(*row, unit) for row in rows]
    marks = list(_marks(rows, phase, unit))
    printed = scaled([*traces, *marks], "x", unit) if unit else "s"
    for trace in (*traces, *marks):
        trace["hovertemplate"] = f"%{{hovertext}}: %{{x:.4~g}} {printed}<extra></extra>"
    what = f"rate of each worker, {printed}" if unit else "worker done after, s"
    return {
        "data": [*traces, *marks],
        "layout": {
            "height": 118 + 26 * len(rows),
            "xaxis": {"title": {"text": f"{what}{more}"}, "rangemode": "tozero", "nticks": 8},
            "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
            "showlegend": True,
        },
    }


Row = tuple[str, dict[str, Any], list[dict[str, Any]]]


def _unit(phase: dict[str, Any]) -> str | None:
    """The unit of a worker's rate where the phase is bound in time; None for times of the end."""
    if phase["asked"]["runtime_ns"] is None:
        return None
    return "B" if phase["reads"] or phase["writes"] else "op"


def _rows(phase: dict[str, Any], unit: str | None) -> tuple[list[Row], str]:
    """(name, repeat, workers) of each row, and a remark on rows that are left out."""
    samples = [sample for sample in phase["samples"] if sample["workers"]]
    middle = next((s for s in samples if s["repeat"] == phase["middle_repeat"]), None)
    rows: list[Row] = [(f"repeat {s['repeat'] + 1}", s, s["workers"]) for s in samples]
    kind = "repeats"
    if middle is not None and len(by_host := _by_host(middle)) > 1:
        found = sorted(by_host.items(), key=lambda each: _slowness(each[1], unit))
        rows, kind = [(escape(host), middle, workers) for host, workers in found], "hosts"
    left = len(rows) - _MOST_ROWS
    return rows[:_MOST_ROWS], f"; {left} more {kind}" if left > 0 else ""


def _by_host(sample: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for worker in sample["workers"]:
        found.setdefault(worker["host"], []).append(worker)
    return found


def _slowness(workers: Sequence[dict[str, Any]], unit: str | None) -> float:
    """Smaller for slower hosts: the one that ends last, or has the slowest worker, is first."""
    places = [place for place in (_place(w, unit) for w in workers) if place is not None]
    if not places:
        return 0.0
    return min(places) if unit else -max(places)


def _place(worker: dict[str, Any], unit: str | None) -> float | None:
    if unit is None:
        return float(worker["end_ns"]) / SECOND
    took = worker["end_ns"] - worker["start_ns"]
    count = worker["bytes" if unit == "B" else "operations"]
    return round(count * SECOND / took, 3) if took > 0 else None


def _dots(
    row: str, sample: dict[str, Any], workers: Sequence[dict[str, Any]], unit: str | None
) -> dict[str, Any]:
    return {
        "x": [_place(worker, unit) for worker in workers],
        "y": [row] * len(workers),
        "mode": "markers",
        "marker": {"size": 11, "symbol": "line-ns-open", "line": {"width": 2}},
        "role": sample["repeat"],
        "name": repeat_name(sample),
        "showlegend": False,
        "hovertext": [f"{escape(w['host'])}, {_who(w)}" for w in workers],
        "hoverinfo": "text+x",
    }


def _who(worker: dict[str, Any]) -> str:
    return f"process {worker['process']}, thread {worker['thread']}"


def _marks(rows: Sequence[Row], phase: dict[str, Any], unit: str | None) -> Iterator[Figure]:
    """The first and the last worker of each row, the last one of the middle repeat by name."""
    names = ("fastest", "slowest") if unit else ("first done", "last done")
    ends: list[list[tuple[float, str, dict[str, Any], int]]] = [[], []]
    for row, sample, workers in rows:
        known = [(p, w) for w in workers if (p := _place(w, unit)) is not None]
        known.sort(key=lambda each: each[0], reverse=unit is not None)
        for found, place in zip(ends, (0, -1), strict=True):
            if known:
                found.append((known[place][0], row, known[place][1], sample["repeat"]))
    for number, (name, found) in enumerate(zip(names, ends, strict=True)):
        yield {
            "x": [place for place, *_ in found],
            "y": [row for _, row, *_ in found],
            "mode": "markers",
            "marker": {"size": 10, "symbol": ("triangle-up-open", "diamond-open")[number]},
            "role": ("claim", "cliff")[number],
            "name": f"{name}{_named(found, phase) if number else ''}",
            "hovertext": [f"{name}: {escape(w['host'])}, {_who(w)}" for *_, w, _ in found],
            "hoverinfo": "text+x",
        }


def _named(found: Sequence[tuple[float, str, dict[str, Any], int]], phase: dict[str, Any]) -> str:
    """``: client1, process 3, thread 1 in repeat 2``."""
    of_middle = [each for each in found if each[3] == phase["middle_repeat"]]
    if not of_middle:
        return ""
    _, _, worker, repeat = of_middle[0]
    return f": {escape(worker['host'])}, {_who(worker)} in repeat {repeat + 1}"
