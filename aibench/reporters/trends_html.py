"""Series over time as one HTML file: a plot for each, with its levels, changes and decisions."""

from functools import cache
from typing import Any

from jinja2 import Environment

from aibench.reporters import trends
from aibench.reporters.clean import cleaned
from aibench.reporters.figures import Figure, escape
from aibench.reporters.html import page, templates

#: Plots beyond this many make a page slow; the other series are listed.
_MOST_PLOTS = 40
#: Units of an axis, from the largest on.
_TIMES = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))
_PREFIXES = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"), (1, ""))


def render(document: dict[str, Any]) -> str:
    """``document`` as one page that opens with no network; the same bytes each time."""
    shown = cleaned(document)
    plotted = [each for each in shown["series"] if len(each["sessions"]) > 1][:_MOST_PLOTS]
    figures = {f"series-{each['short']}": figure(each) for each in plotted}
    return page(
        _environment().get_template("history.html.j2"),
        figures,
        document=shown,
        plots=set(figures),
    )  # fmt: skip


def figure(each: dict[str, Any]) -> Figure:
    """Sessions as points from zero on, each level as a line, the expected range as a band."""
    factor, unit = _scale(max(s["value"] for s in each["sessions"]), each["unit"])
    own = [s for s in each["sessions"] if not s["confirms"]]
    again = [s for s in each["sessions"] if s["confirms"]]
    data = [_points(own, factor, 0, "session", "circle")]
    if again:
        data.append(_points(again, factor, 1, "made to confirm", "circle-open"))
    for number, level in enumerate(each["levels"]):
        data.append(
            {
                "x": [level["first"], level["last"]],
                "y": [level["median"] / factor] * 2,
                "mode": "lines",
                "line": {"width": 2, "dash": "dash"},
                "role": 2,
                "name": "level",
                "showlegend": number == 0,
                "hovertext": [f"level {escape(level['printed'])}"] * 2,
                "hoverinfo": "text",
            }
        )
    top = max(s["value"] for s in each["sessions"]) / factor
    return {
        "data": data,
        "layout": {
            "height": 260,
            "yaxis": {"range": [0, top * 1.12], "title": {"text": unit}},
            "xaxis": {"type": "date"},
            "shapes": [*_expected(each, factor), *_changes(each, top * 1.12)],
        },
    }


def _scale(top: float, unit: str) -> tuple[int, str]:
    """By what an axis that ends at ``top`` is divided, and its unit then."""
    if unit not in ("B/s", "B", "op/s", "ns"):
        return 1, unit
    for factor, name in _TIMES if unit == "ns" else _PREFIXES:
        if top >= factor:
            return factor, name if unit == "ns" else name + unit
    return 1, unit


def _points(
    sessions: list[dict[str, Any]], factor: float, role: int, name: str, symbol: str
) -> dict[str, Any]:
    return {
        "x": [s["at"] for s in sessions],
        "y": [s["value"] / factor for s in sessions],
        "mode": "markers",
        "marker": {"size": 8, "symbol": symbol},
        "role": role,
        "name": name,
        "hovertext": [f"{escape(s['run'])}: {escape(s['printed'])}, n {s['n']}" for s in sessions],
        "hoverinfo": "text",
    }


def _expected(each: dict[str, Any], factor: float) -> list[dict[str, Any]]:
    """The range in which the next session is expected, over the level that it comes from."""
    if each["expected"] is None:
        return []
    level = each["levels"][-1]
    return [
        {
            "type": "rect", "role": "tolerance", "x0": level["first"], "x1": level["last"],
            "y0": each["expected"]["low"] / factor, "y1": each["expected"]["high"] / factor,
        }
    ]  # fmt: skip


def _changes(each: dict[str, Any], top: float) -> list[dict[str, Any]]:
    lines = [(change["at"], "cliff") for change in each["changes"]]
    runs = {s["run"]: s["at"] for s in each["sessions"]}
    lines += [(runs[e["run_id"]], "claim") for e in each["events"] if e["run_id"] in runs]
    return [
        {"type": "line", "role": role, "x0": at, "x1": at, "y0": 0, "y1": top} for at, role in lines
    ]


@cache
def _environment() -> Environment:
    environment = templates()
    environment.globals |= {"line": trends.line, "sentences": trends.sentences}
    return environment
