"""The words and the chart of a sweep over one setting: how a rate grows, and up to where."""

import math
from collections.abc import Iterator
from typing import Any

from aibench.reporters import wording
from aibench.reporters.figures import Figure, escape, scaled
from aibench.reporters.levels import KNEE
from aibench.stats.usl import Usl

#: Where the largest value is less than so many times the smallest, ticks stand evenly.
_NARROW = 10
#: Points of a fitted line.
_STEPS = 40


def leading(workload: dict[str, Any], axes: int) -> list[dict[str, Any]]:
    """The curve that leads in each question that was swept over so many settings."""
    found = workload.get("sweep")
    curves = found["curves"] if found else []
    return [curve for curve in curves if curve["leads"] and len(curve["axes"]) == axes]


def sentences(workload: dict[str, Any]) -> Iterator[str]:
    """How each leading rate grows over its setting, and what to know of that."""
    for curve in leading(workload, 1):
        name = f"{curve['question']}, {curve['title']} over {curve['axes'][0]['name']}"
        if curve["scaling"] is None:
            if curve["why_missing"]:
                yield f"{name}: {curve['why_missing']}."
            continue
        yield f"{name}: {'; '.join(_grows(curve))}."
    if any(curve["scaling"] for curve in leading(workload, 1)):
        yield "Nothing is said of what lies beyond the levels that were measured."
    about: dict[str, list[str]] = {}
    for curve in leading(workload, 1):
        for note in curve["notes"]:
            about.setdefault(note["message"], []).append(curve["question"])
    for message, questions in about.items():
        yield f"{', '.join(questions)}: {message}."


def _grows(curve: dict[str, Any]) -> Iterator[str]:
    found, axis = curve["scaling"], curve["axes"][0]
    first, last = found["smallest"]["printed"], found["largest"]["printed"]
    if axis["name"] == "hosts":
        weak = len({point["slots"] for point in curve["points"]}) > 1
        yield (
            "each host brings workers of its own, so the load grows with them (weak scaling)"
            if weak
            else "the same load is spread over more hosts (strong scaling)"
        )
    verb = "grows" if found["low"] > 0 else "falls" if found["high"] < 0 else "changes"
    yield (
        f"from {first} to {last} it {verb} as {axis['name']} to the power {_exponent(found)}"
        + (", and bends: one power does not describe it" if found["bends"] else "")
    )
    if found["efficiency"] is None:
        return
    told = [f"{_share(step)} at {step['level']}" for step in found["efficiency"][1:]]
    yield f"efficiency against {first}: {', '.join(told)}"
    surely, at_most = found["surely"], found["at_most"]
    open_ = f" (by the intervals up to somewhere from {surely} to {at_most})"
    yield _knee(found) + ("" if surely == at_most else open_)


def _knee(found: dict[str, Any]) -> str:
    """Up to where so much is kept."""
    knee, first = found["knee"], found["smallest"]["value"]
    bar = f"{100 * KNEE:.0f} % or more"
    if knee == first:
        return f"{bar} is not kept beyond {first}"
    whole = knee == found["largest"]["value"]
    return f"{bar} is kept throughout" if whole else f"{bar} is kept up to {knee}, the knee"


def _exponent(found: dict[str, Any]) -> str:
    return f"{found['exponent']:.3g} [{found['low']:.3g}, {found['high']:.3g}]"


def _share(step: dict[str, Any]) -> str:
    """``91.2 % [89.0, 93.5]``."""
    ends = [step[end]["printed"].removesuffix(" %") for end in ("low", "high")]
    return f"{step['efficiency']['printed']} [{ends[0]}, {ends[1]}]"


def rows(curve: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Level, typical value with interval, n, and efficiency, for a table."""
    name = curve["axes"][0]["name"]
    steps = (curve["scaling"] or {}).get("efficiency") or []
    shares = {step["level"]: _share(step) for step in steps[1:]}
    points = sorted(curve["points"], key=lambda point: point["levels"][name])
    return [
        (
            point["printed"][name],
            wording.typical(point["estimate"]),
            str(point["estimate"]["n"] if point["estimate"] else 0),
            shares.get(point["levels"][name], wording.MISSING),
        )
        for point in points
    ]


def chart(curve: dict[str, Any]) -> Figure | None:
    """Points with intervals on logarithmic axes, in proportion, the power, and the law.

    Shaded is what was tested; no line goes beyond it. None for fewer than two levels.
    """
    axis = curve["axes"][0]
    points = [p for p in curve["points"] if p["estimate"] and p["estimate"]["typical"]]
    points.sort(key=lambda point: point["levels"][axis["name"]])
    if len(points) < 2 or curve["unit"] not in ("B/s", "op/s"):
        return None
    measured, ends = _measured(points, axis["name"])
    lines = [measured, *_lines(curve, measured)]
    unit = scaled([*lines, *ends], "y", curve["unit"].removesuffix("/s"))
    measured["error_y"] = {
        "type": "data",
        "symmetric": False,
        "array": [high - y for high, y in zip(ends[1]["y"], measured["y"], strict=True)],
        "arrayminus": [y - low for low, y in zip(ends[0]["y"], measured["y"], strict=True)],
    }
    first, last = measured["x"][0], measured["x"][-1]
    return {
        "data": lines,
        "layout": {
            "xaxis": {
                "type": "log", "title": {"text": escape(axis["name"])}, "tickvals": measured["x"],
                "ticktext": [point["printed"][axis["name"]] for point in points],
            },
            "yaxis": {"type": "log", "title": {"text": unit}, **_ticks(lines)},
            "shapes": [{"type": "rect", "role": "window", "x0": first, "x1": last, "yref": "paper",
                        "y0": 0, "y1": 1}],
            "showlegend": True,
        },
    }  # fmt: skip


def _measured(points: list[dict[str, Any]], name: str) -> tuple[Figure, list[Figure]]:
    """The points, and the ends of their intervals."""
    x = [point["levels"][name] for point in points]
    found = [point["estimate"] for point in points]
    trace: Figure = {
        "x": x, "y": [each["typical"] for each in found], "mode": "markers", "role": 0,
        "name": "typical, 95 %", "marker": {"size": 9},
    }  # fmt: skip
    ends = [
        {"y": [each["typical"] if each[end] is None else each[end] for each in found], "name": ""}
        for end in ("low", "high")
    ]
    return trace, ends


def _lines(curve: dict[str, Any], measured: Figure) -> Iterator[Figure]:
    x, y, axis, found = measured["x"], measured["y"], curve["axes"][0], curve["scaling"]
    grid = [x[0] * (x[-1] / x[0]) ** (n / _STEPS) for n in range(_STEPS + 1)]
    if axis["parallel"] and curve["unit"] in ("B/s", "op/s"):
        yield _line("in proportion", "quiet", "dot", x, [y[0] * n / x[0] for n in x])
    if found is None:
        return
    power = found["exponent"]
    level = 1.0
    for n, rate in zip(x, y, strict=True):
        level *= (rate / n**power) ** (1 / len(x))
    name = f"power {_exponent(found)}"
    yield _line(name, 1, "dash", [x[0], x[-1]], [level * n**power for n in (x[0], x[-1])])
    if curve["usl"]:
        law = Usl(**{key: curve["usl"][key] for key in ("rate", "contention", "coherence")})
        told = f"scalability law, σ {law.contention:.3g}, κ {law.coherence:.2g}"
        yield _line(told, 2, "solid", grid, [law.at(n) for n in grid])


def _ticks(lines: list[Figure]) -> dict[str, Any]:
    """Round values on a logarithmic axis, few enough to be read."""
    values = [y for line in lines for y in line["y"] if y]
    least, most = min(values), max(values)
    if most < _NARROW * least:
        step = _round((most - least) / 3 or most)
        ticks = [n * step for n in range(math.floor(least / step), math.ceil(most / step) + 1)]
    else:
        low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
        steps = (1, 2, 5) if high - low <= 3 else (1,)
        ticks = [step * 10.0**power for power in range(low, high + 1) for step in steps]
    return {"tickvals": ticks, "ticktext": [f"{tick:.6g}" for tick in ticks]}


def _round(step: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is no larger."""
    power = 10.0 ** math.floor(math.log10(step))
    return power * next(factor for factor in (5, 2, 1) if factor * power <= step or factor == 1)


def _line(name: str, role: int | str, dash: str, x: list[float], y: list[float]) -> Figure:
    return {
        "x": [float(f"{value:.6g}") for value in x], "y": y, "mode": "lines", "role": role,
        "name": name, "line": {"dash": dash, "width": 2},
    }  # fmt: skip
