"""A comparison as one HTML file: the answers, a forest plot of the ratios, and what to know."""

import math
from functools import cache
from typing import Any

from jinja2 import Environment

from aibench.reporters import comparison_terminal, comparison_wording, wording
from aibench.reporters.clean import cleaned
from aibench.reporters.figures import Figure, escape
from aibench.reporters.html import page, templates

#: The page knows verdicts; an answer is drawn as the one that reads alike.
_ROLES = {
    "FIRST_BETTER": "MET", "SECOND_BETTER": "MET", "EQUIVALENT": "REFERENCE_ONLY",
    "INCONCLUSIVE": "INCONCLUSIVE", "SIDE_BY_SIDE": "NOT_TESTABLE_HERE",
}  # fmt: skip
#: Ratios at which an axis may have a tick, beside their inverses.
_TICKS = (1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2, 3, 5, 10)
#: Ticks nearer to each other than this share of the axis can't be read.
_NEAREST = 0.13
#: A whisker longer than this leaves the plot: it would hide all others.
_WIDEST = math.log(12)


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` as one page that opens with no network; the same bytes each time.

    ``width`` and ``color`` are the reader's affair here.
    """
    del width, color
    shown = cleaned(document)
    forest = drawn(shown)
    return page(
        _environment().get_template("comparison.html.j2"),
        {"forest": forest} if forest else {},
        document=shown,
        forest=forest and {
            "id": "forest", "caption": "How much better the first is",
            "height": forest["layout"]["height"],
        },
    )  # fmt: skip


def drawn(document: dict[str, Any]) -> Figure | None:
    """One line a figure and pair of sides: how much better the first is, with its interval.

    The band holds the differences that don't matter. None where no ratio is known.
    """
    rows = [
        (figure, each)
        for figure in document["figures"]
        for each in figure["differences"]
        if each["advantage"] is not None
    ]
    if not rows:
        return None
    ends = [math.log(each[end]) for _, each in rows for end in ("low", "high")]
    delta = math.log1p(document["delta"])
    reach = min(max([1.6 * delta, *map(abs, ends)]) * 1.08, _WIDEST)
    return {
        "data": [_whisker(figure, each, place) for place, (figure, each) in enumerate(rows)],
        "layout": {
            "height": 96 + 34 * len(rows),
            "xaxis": {
                "range": [-reach, reach], "zeroline": False, **_ticks(reach),
                "title": {"text": "← second better   first better →"},
            },
            "yaxis": {
                "tickvals": list(range(len(rows))), "ticktext": [_name(*row) for row in rows],
                "range": [len(rows) - 0.4, -0.6], "showgrid": False, "zeroline": False,
                "automargin": True,
            },
            "shapes": [
                {"type": "rect", "role": "tolerance", "x0": -delta, "x1": delta, "yref": "paper",
                 "y0": 0, "y1": 1},
                {"type": "line", "role": "claim", "x0": 0, "x1": 0, "yref": "paper", "y0": 0,
                 "y1": 1},
            ],
            "showlegend": False,
        },
    }  # fmt: skip


def _name(figure: dict[str, Any], each: dict[str, Any]) -> str:
    """Two short lines beside a whisker: what, and which sides."""
    title = figure["title"].replace(" per second", "/s")
    sides = f"{each['first']} / {each['second']}"
    return f"{escape(title)}<br>{escape(figure['phase'])}, {sides}"


def _whisker(figure: dict[str, Any], each: dict[str, Any], place: int) -> dict[str, Any]:
    sign = 1 if figure["better"] == "higher" else -1
    center = math.log(each["advantage"])
    ends = sorted(sign * math.log(each[end]) for end in ("low", "high"))
    return {
        "x": [_digits(center)],
        "y": [place],
        "mode": "markers",
        "role": _ROLES[each["outcome"]],
        "marker": {"size": 11},
        "error_x": {
            "type": "data", "symmetric": False,
            "array": [_digits(ends[1] - center)], "arrayminus": [_digits(center - ends[0])],
        },
        "hovertext": [f"{escape(each['word'])}: {comparison_terminal.ratio(each)}"],
        "hoverinfo": "text",
    }  # fmt: skip


def _digits(value: float) -> float:
    return float(f"{value:.9g}")


def _ticks(reach: float) -> dict[str, Any]:
    """Ticks at round ratios and their inverses, far enough apart to be read."""
    kept: list[float] = []
    for ratio in reversed(_TICKS):
        place = math.log(ratio)
        near = _NEAREST * 2 * reach
        if near <= place <= reach and all(abs(place - other) >= near for other in kept):
            kept.append(place)
    ticks = [*(-place for place in kept), 0.0, *reversed(kept)]
    return {
        "tickvals": [_digits(tick) for tick in ticks],
        "ticktext": [f"{math.exp(tick):.3g}×" for tick in ticks],
    }


@cache
def _environment() -> Environment:
    environment = templates()
    environment.globals |= {
        "w": wording, "c": comparison_wording, "estimate": comparison_terminal.estimate,
        "ratio": comparison_terminal.ratio, "role": _role,
    }  # fmt: skip
    return environment


def _role(outcome: str) -> str:
    """The class of a row, by its outcome."""
    return _ROLES[outcome].lower().replace("_", "-")
