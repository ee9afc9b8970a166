"""The plots of the hosts of one phase: how fast each was, and when it was done."""

from collections.abc import Callable, Sequence
from typing import Any

from aibench.reporters import hosts
from aibench.reporters.figures import SECOND, Figure, escape, scaled

#: With more hosts their names have no room on an axis.
_NAMED = 16
#: So many points draw the quantiles of many hosts.
_POINTS = 65

Row = dict[str, Any]


def rates(phase: dict[str, Any]) -> Figure | None:
    """The rate of each host in the middle repeat, the slowest first; None for a single host.

    Of more than `hosts.MANY` hosts the quantiles are drawn.
    """
    rows = _rows(phase)
    if not rows:
        return None
    unit = rows[0]["unit"].removesuffix("/s")
    ranked = sorted(rows, key=lambda row: row["rate"] or 0.0)
    trace = _trace(ranked, lambda row: row["rate"], 0, "rate of a host")
    printed = scaled([trace], "y", unit)
    trace["hovertemplate"] = "%{hovertext}<extra></extra>"
    return _figure([trace], ranked, "slowest first", printed, legend=False)


def ends(phase: dict[str, Any]) -> Figure | None:
    """When the first worker of each host was done and when its last one was, the latest first.

    Of more than `hosts.MANY` hosts the quantiles of both are drawn; few hosts are in the spread of
    the workers.
    """
    rows = [row for row in _rows(phase) if row["end_ns"] is not None]
    if len(rows) <= hosts.FEW:
        return None
    ranked = sorted(rows, key=lambda row: -row["end_ns"])
    early = ranked
    if len(rows) > hosts.MANY:
        early = sorted(rows, key=lambda row: -row["first_done_ns"])
    traces = [
        _trace(ranked, lambda row: row["end_ns"] / SECOND, 0, "last done"),
        _trace(early, lambda row: row["first_done_ns"] / SECOND, 1, "first done"),
    ]
    for trace in traces:
        trace["hovertemplate"] = "%{hovertext}<extra></extra>"
    return _figure(traces, ranked, "last done first", "done after, s", legend=True)


def _rows(phase: dict[str, Any]) -> list[Row]:
    sample = hosts.middle(phase)
    return sample["hosts"] if sample else []


def _trace(
    rows: Sequence[Row], value: Callable[[Row], float | None], number: int, name: str
) -> dict[str, Any]:
    """A point a host, or the quantiles of many; hovering tells which host and what it did."""
    places = list(range(len(rows)))
    if len(rows) > hosts.MANY:
        last = len(rows) - 1
        places = [last * n // (_POINTS - 1) for n in range(_POINTS)]
    return {
        "x": [_place(rows, n) for n in places],
        "y": [value(rows[n]) for n in places],
        "mode": "markers" if len(rows) <= hosts.MANY else "lines+markers",
        "marker": {"size": 8 if number == 0 else 10,
                   "symbol": ("circle", "triangle-up-open")[number]},
        "line": {"width": 1.5, "dash": ("solid", "dot")[number]},
        "role": number,
        "name": name,
        "hovertext": [_told(rows[n], name) for n in places],
    }  # fmt: skip


def _place(rows: Sequence[Row], number: int) -> str | float:
    if len(rows) <= _NAMED:
        return escape(rows[number]["host"])
    if len(rows) <= hosts.MANY:
        return number + 1
    return round(100 * number / (len(rows) - 1), 2)


def _told(row: Row, name: str) -> str:
    shown = hosts.cells(row)
    return (
        f"{escape(row['host'])}, {name}: {shown['rate']}, first done {shown['first']}, "
        f"last done {shown['last']}"
    )


def _figure(
    traces: list[dict[str, Any]], rows: Sequence[Row], order: str, unit: str, *, legend: bool
) -> Figure:
    axis: dict[str, Any] = {"title": {"text": f"{len(rows)} hosts, {order}"}}
    if len(rows) <= _NAMED:
        axis |= {"type": "category"}
    elif len(rows) > hosts.MANY:
        axis |= {"title": {"text": f"share of {len(rows)} hosts, {order}"}, "ticksuffix": " %"}
    return {
        "data": traces,
        "layout": {
            "xaxis": axis,
            "yaxis": {"title": {"text": unit}, "rangemode": "tozero"},
            "showlegend": legend,
        },
    }
