"""Plots as plain dictionaries that plotly draws; colours and fonts are the page's affair.

Traces carry a ``role`` (a repeat's number, or a status) from which the page picks the colour, so
that light, dark and print share one figure. Texts are escaped: plotly reads markup in them.
"""

import math
from collections.abc import Iterable, Sequence
from html import escape as html_escape
from typing import Any

from aibench.reporters import wording
from aibench.reporters.steadiness import marks
from aibench.units import format_duration, format_value

#: More points than this are summed in pairs: a screen has no room for them.
MOST_POINTS = 1500
SECOND = 10**9
_TAIL = 0.25
#: One minus the share, from 1 to 10 in a million, is the axis of a latency curve.
_SHARES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)
_FACTORS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")

#: A longer label would leave no room for its plot.
_LONGEST_LABEL = 40

#: What plotly takes for the begin of a template (``%{x}``) or of a formula (``$x$``).
_OBEYED = {ord(character): f"&#{ord(character)};" for character in "{$"}

Figure = dict[str, Any]


def escape(text: str) -> str:
    """``text`` cut to a label's length, with no markup in it for plotly to obey."""
    short = text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"
    return html_escape(short, quote=False).translate(_OBEYED)


def margins(rows: Iterable[dict[str, Any]]) -> Figure | None:
    """Measured over claimed with its interval, one line a claim; None where nothing is known."""
    shown = [row for row in rows if row["measured"] and row["claimed"] and row["claimed"]["value"]]
    if not shown:
        return None
    traces = [_margin(row, place) for place, row in enumerate(shown)]
    names = [f"{escape(row['claim'])} {row['word']}" for row in shown]
    ratios = [trace["x"][0] for trace in traces]
    return {
        "data": traces,
        "layout": {
            "height": 76 + 34 * len(shown),
            "xaxis": _ratio_axis(ratios),
            "yaxis": {
                "tickvals": list(range(len(shown))), "ticktext": names,
                "range": [len(shown) - 0.4, -0.6], "showgrid": False, "automargin": True,
            },
            "shapes": [
                _claim_line(),
                *(_tolerance(row, place) for place, row in enumerate(shown) if row["bound"]),
            ],
            "showlegend": False,
        },
    }  # fmt: skip


def _ratio_axis(ratios: Sequence[float]) -> dict[str, Any]:
    """From zero on; logarithmic where a linear axis would push small ratios into its corner."""
    low, high = min(*ratios, 1), max(*ratios, 1)
    if low <= 0 or high / low < 8:
        return {"rangemode": "tozero", "ticksuffix": "×"}
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first < 3 else (1,)
    ticks = [step * 10.0**power for power in range(first - 1, last + 1) for step in steps]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}×" for tick in ticks]}


def _margin(row: dict[str, Any], place: int) -> dict[str, Any]:
    claimed, measured = row["claimed"]["value"], row["measured"]
    trace: dict[str, Any] = {
        "x": [measured["typical"] / claimed],
        "y": [place],
        "mode": "markers",
        "role": row["status"],
        "marker": {"size": 11},
        "hovertext": [f"{escape(row['title'])}: {wording.typical(measured)}"],
        "hoverinfo": "text",
    }
    if measured["low"] is not None and measured["high"] is not None:
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [(measured["high"] - measured["typical"]) / claimed],
            "arrayminus": [(measured["typical"] - measured["low"]) / claimed],
        }
    return trace


def _claim_line() -> dict[str, Any]:
    return {"type": "line", "role": "claim", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1}


def _tolerance(row: dict[str, Any], place: int) -> dict[str, Any]:
    """The band between the claim and what is still enough for it."""
    bound = row["bound"]["value"] / row["claimed"]["value"]
    return {
        "type": "rect", "role": "tolerance", "x0": bound, "x1": 1, "yref": "y",
        "y0": place - 0.42, "y1": place + 0.42,
    }  # fmt: skip


def throughput(phase: dict[str, Any]) -> Figure | None:
    """Rate over time, one line a repeat; None where no repeat has a series.

    The time that was judged to be steady or not is shaded, and the end of a burst marked.
    """
    unit = "B" if phase["reads"] or phase["writes"] else "op"
    traces = [
        _repeat_line(sample, points)
        for sample in phase["samples"]
        if sample["series"] and (points := _rates(sample, unit))
    ]
    if not traces:
        return None
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": "time since start, s"}, "rangemode": "tozero"},
            "yaxis": {"title": {"text": scaled(traces, "y", unit)}, "rangemode": "tozero"},
            "showlegend": True,
            **marks(phase),
        },
    }


def rate_line(
    sample: dict[str, Any], unit: str, others: Sequence[dict[str, Any]] = ()
) -> tuple[dict[str, Any], str] | None:
    """The throughput of one repeat as a line, and the unit it is in; None without a series.

    ``others`` are traces of rates on the same axis; they are brought to its unit in place.
    """
    points = _rates(sample, unit) if sample["series"] else []
    if not points:
        return None
    line = _repeat_line(sample, points) | {"name": "throughput"}
    line["role"], line["line"] = 0, {"dash": "solid", "width": 2.5}
    return line, scaled([line, *others], "y", unit)


def scaled(traces: Sequence[dict[str, Any]], axis: str, unit: str) -> str:
    """Divides the rates of ``traces`` by one prefix that suits the largest; the unit with it."""
    peak = max((rate for t in traces for rate in t[axis] if rate is not None), default=0)
    printed = format_value(peak, f"{unit}/s").partition(" ")[2]
    factor = _FACTORS.get(printed.removesuffix(f"{unit}/s"), 1)
    for trace in traces:
        trace[axis] = [
            None if rate is None else float(f"{rate / factor:.6g}") for rate in trace[axis]
        ]
        trace["hovertemplate"] = f"%{{{axis}:.3~g}} {printed}<extra>{trace['name']}</extra>"
    return printed


def _rates(sample: dict[str, Any], unit: str) -> list[tuple[float, float]]:
    """(middle of the interval in s, rate) pairs; a short last interval joins the one before."""
    series = sample["series"]
    counts, width = list(series["bytes" if unit == "B" else "operations"]), series["interval_ns"]
    while len(counts) > MOST_POINTS:
        counts = [sum(counts[n : n + 2]) for n in range(0, len(counts), 2)]
        width *= 2
    ends = [width * (n + 1) for n in range(len(counts))]
    if ends and sample["elapsed_ns"] > ends[-1] - width:
        ends[-1] = min(ends[-1], sample["elapsed_ns"])
    if len(counts) > 1 and ends[-1] - ends[-2] < _TAIL * width:
        counts[-2:], ends[-2:] = [counts[-2] + counts[-1]], [ends[-1]]
    points, start = [], 0
    for count, end in zip(counts, ends, strict=True):
        points.append((round((start + end) / 2 / SECOND, 6), count * SECOND / (end - start)))
        start = end
    return points


def _repeat_line(sample: dict[str, Any], points: list[tuple[float, float]]) -> dict[str, Any]:
    return {
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "mode": "lines" if len(points) > 1 else "markers",
        "line": {"dash": DASHES[sample["repeat"] % len(DASHES)], "width": 2},
        "role": sample["repeat"],
        "name": repeat_name(sample),
    }


def repeat_name(sample: dict[str, Any]) -> str:
    """``repeat 2``, with a remark where it does not count."""
    return f"repeat {sample['repeat'] + 1}{'' if sample['counts'] else ', does not count'}"


def latency(phase: dict[str, Any]) -> Figure | None:
    """Latency over the share of operations, one line a type of operation, all repeats merged."""
    curves = {kind: c for kind, c in phase["percentiles"].items() if c["points"]}
    if not curves:
        return None
    traces = [_curve(kind, curve, number) for number, (kind, curve) in enumerate(curves.items())]
    return {
        "data": traces,
        "layout": {
            "xaxis": {
                "type": "log", "title": {"text": "share of operations that were as fast"},
                "tickvals": [round(1 / (1 - share), 6) for share in _SHARES],
                "ticktext": [f"{100 * share:.6g} %" for share in _SHARES],
            },
            "yaxis": {"type": "log", **decades([ns for t in traces for ns in t["y"]])},
            "showlegend": True,
        },
    }  # fmt: skip


def _curve(kind: str, curve: dict[str, Any], number: int) -> dict[str, Any]:
    points = [(share, ns) for share, ns in curve["points"] if ns]
    return {
        "x": [round(1 / (1 - share), 6) for share, _ in points],
        "y": [ns for _, ns in points],
        "mode": "lines",
        "line": {"dash": DASHES[number % len(DASHES)], "width": 2},
        "role": number,
        "name": escape("whole operation" if kind == "whole" else kind),
        "hovertext": [f"{100 * share:.6g} %: {wording.duration(ns)}" for share, ns in points],
        "hoverinfo": "text+name",
    }


def decades(values: Sequence[float]) -> dict[str, Any]:
    """Ticks of a logarithmic axis of times, printed; few enough to be read."""
    low, high = math.log10(min(values)), math.log10(max(values))
    steps = (1, 2, 5) if high - low < 2 else (1, 3) if high - low < 3 else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks = [step * 10**power for power in powers for step in steps]
    return {
        "tickvals": ticks,
        "ticktext": [_tick(tick) for tick in ticks],
        "range": [low - 0.1, high + 0.1],
    }


def _tick(nanoseconds: int) -> str:
    """``200 µs``: as printed, without the zeros of a round number."""
    number, _, unit = format_duration(nanoseconds).partition(" ")
    return f"{float(number):g} {unit}" if " " not in unit else f"{number} {unit}"
