"""The plots of a projection, as plain dictionaries that the page paints."""

from typing import Any

from aibench.reporters.figures import Figure, escape
from aibench.reporters.impact import words

_FACTORS = (("EB/s", 1e18), ("PB/s", 1e15), ("TB/s", 1e12), ("GB/s", 1e9), ("MB/s", 1e6),
            ("kB/s", 1e3), ("B/s", 1.0))  # fmt: skip
#: Colours by number, as for the repeats of a run.
_CURVE, _SOONEST, _CANDIDATE, _BASELINE = 0, 1, 2, 3
_MOST_SWINGS = 8


def goodput(document: dict[str, Any]) -> Figure:
    """Goodput over write bandwidth, with both storages and the knee."""
    points = document["curve"]
    typical, soonest = words.names_of_curve(document)
    traces = [
        _line(points, "goodput", typical, _CURVE, "solid"),
        _line(points, "soonest", soonest, _SOONEST, "dash"),
        _storage(document, "candidate", _CANDIDATE, "circle"),
    ]
    if document["baseline"]:
        traces.append(_storage(document, "baseline", _BASELINE, "diamond"))
    knee = document["knee"]
    return {
        "data": traces,
        "layout": {
            "height": 380,
            "xaxis": {
                "type": "log", "title": {"text": "durable write bandwidth"},
                **_ticks([point["bandwidth"] for point in points]),
            },
            "yaxis": {
                "title": {"text": "goodput"}, "range": [0, 102], "ticksuffix": " %",
            },
            "shapes": [
                {"type": "line", "role": "claim", "x0": knee["value"], "x1": knee["value"],
                 "yref": "paper", "y0": 0, "y1": 1}
            ] if knee else [],
            "showlegend": True,
        },
    }  # fmt: skip


def _line(points: list[dict[str, Any]], key: str, name: str, role: int, dash: str) -> Figure:
    return {
        "x": [point["bandwidth"] for point in points],
        "y": [None if point[key] is None else round(100 * point[key], 3) for point in points],
        "mode": "lines",
        "line": {"dash": dash, "width": 2.5},
        "role": role,
        "name": escape(name),
        "hovertemplate": "%{y:.1f} %<extra></extra>",
    }


def _storage(document: dict[str, Any], name: str, role: int, symbol: str) -> Figure:
    """One storage as a point, with the interval of its bandwidth where that has one."""
    side = document[name]
    write = next((one for one in document["inputs"] if one["name"] == f"{name}_write"), None)
    known = write["origin"] if write and write["origin"] != "solved" else "projected"
    shown = f"{known}: {words.printed(side['write'])}, goodput {words.figure(side, 'goodput')}"
    trace: Figure = {
        "x": [side["write"]["value"]],
        "y": [100 * side["goodput"]["value"]],
        "mode": "markers",
        "marker": {"size": 13, "symbol": symbol},
        "role": role,
        "name": f"{name} ({known})",
        "hovertext": [escape(shown)],
        "hoverinfo": "text",
    }
    if write and write["printed_range"] and write["low"] and write["high"]:
        trace["error_x"] = {
            "type": "data", "symmetric": False,
            "array": [write["high"] - write["typical"]],
            "arrayminus": [write["typical"] - write["low"]],
        }  # fmt: skip
    return trace


def _ticks(values: list[float]) -> dict[str, Any]:
    """One tick a decade, printed with its unit."""
    found = [(factor * step, f"{step:g} {unit}") for unit, factor in reversed(_FACTORS)
             for step in (1.0, 10.0, 100.0)]  # fmt: skip
    inside = [(at, text) for at, text in found if min(values) / 2 <= at <= 2 * max(values)]
    return {"tickvals": [at for at, _ in inside], "ticktext": [text for _, text in inside]}


def swings(document: dict[str, Any]) -> Figure | None:
    """What the result is at both ends of each input's range, the widest first; None without any."""
    rows = [
        row for row in document["sensitivity"]["inputs"] if row["at_low"] and row["at_high"]
    ][:_MOST_SWINGS]  # fmt: skip
    if not rows:
        return None
    share = document["sensitivity"]["of"] != "gain"
    factor, suffix = (100, " %") if share else (1, "×")
    return {
        "data": [_bar(row, place, factor, suffix) for place, row in enumerate(rows)],
        "layout": {
            "height": 90 + 38 * len(rows),
            "xaxis": {
                "title": {"text": "useful share of the time" if share else "gain"},
                "ticksuffix": suffix,
            },
            "yaxis": {
                "tickvals": list(range(len(rows))),
                "ticktext": [escape(row["title"]) for row in rows],
                "range": [len(rows) - 0.5, -0.5], "showgrid": False, "automargin": True,
            },
            "showlegend": False,
        },
    }  # fmt: skip


def _bar(row: dict[str, Any], place: int, factor: int, suffix: str) -> Figure:
    """A line from one end to the other; a dot for the input's low end, a diamond for the high."""
    ends = [factor * row["at_low"]["value"], factor * row["at_high"]["value"]]
    inputs = [words.printed(row["low"]), words.printed(row["high"])]
    return {
        "x": ends,
        "y": [place, place],
        "mode": "lines+markers",
        "line": {"width": 7},
        "marker": {"size": 13, "symbol": ["circle", "diamond"]},
        "role": 0,
        "name": escape(row["title"]),
        "hovertext": [
            escape(f"{given}: {end:.3g}{suffix}") for given, end in zip(inputs, ends, strict=True)
        ],
        "hoverinfo": "text",
    }
