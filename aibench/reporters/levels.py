"""The part of the document about a sweep: each figure over its levels, and how it grows.

Growth is told over one axis of at least three levels: of rates and times the exponent with its
interval. Where the axis counts what works at the same time, rates have an efficiency at each level
as well, the level up to which it is kept, and from six levels on the law of scalability, for the
chart alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from aibench.model import Level, Phase, Stage
from aibench.reporters.values import number, quantity, spread
from aibench.stats import scaling, usl
from aibench.stats.intervals import estimate

#: Settings of which twice as many could do twice as much.
PARALLEL = frozenset(
    {"workers", "threads", "jobs", "loaders", "accelerators", "hosts", "ranks",
     "random_depth", "sequential_depth"}
)  # fmt: skip
#: Up to where this share of the smallest level's rate for each unit is kept, growth is worth it.
KNEE = 0.9
#: An exponent whose interval lies above this is more than growth in proportion.
SUPERLINEAR = 1.02
_RATES = ("B/s", "op/s")
_PERCENTILES = ("latency_p50", "latency_p99")
#: Warnings that say that the client was the limit, or may have been.
_CLIENT = frozenset({"client_bound", "nic_bound", "busy_client", "run_queue", "steal"})
_FEWEST_RUNS = 2
#: States of the cache that say nothing.
_UNKNOWN = (None, "unknown")

Part = dict[str, Any]


def sweep_part(stage: Stage, phases: Sequence[Part]) -> Part | None:
    """What a sweep over the levels of ``stage`` shows; None where it is no sweep.

    ``phases`` are the parts of its phases. A curve is one figure of one question; one in a question
    ``leads``: the first rate, else the first figure.
    """
    swept = [phase for phase in phases if phase.get("levels")]
    if not swept:
        return None
    questions: dict[tuple[str, ...], list[Part]] = {}
    for phase in swept:
        axes = (level["name"] for level in phase["levels"])
        questions.setdefault((phase["question"], *axes), []).append(phase)
    curves = [curve for asked, group in questions.items() for curve in _curves(asked[0], group)]
    return {"repeats": stage.repeats, "curves": curves}


def family(phase: Phase) -> str:
    """What phases of one question are called: ``accelerators`` for ``accelerators-4``."""
    found = phase.question
    for level in phase.levels:
        if found == f"{level.name}-{level.value}":
            return level.name
    return found


def levels_part(levels: Sequence[Level]) -> list[Part]:
    """The levels of one phase."""
    return [
        {"name": each.name, "value": each.value, "unit": each.unit, "printed": each.printed}
        for each in levels
    ]


def _curves(question: str, phases: Sequence[Part]) -> Iterator[Part]:
    """Each figure that a reader wants first, over all levels of a question."""
    shown: dict[str, Part] = {}
    for phase in phases:
        for metric in phase["metrics"]:
            if metric["main"] or metric["name"] in _PERCENTILES:
                shown.setdefault(metric["name"], metric)
    wanted = {name: m for name, m in shown.items() if not name.startswith(("burst_", "sustained_"))}
    rates = [name for name, metric in wanted.items() if metric["unit"] in _RATES]
    lead = next(iter([*rates, *wanted]), None)
    for name, metric in wanted.items():
        yield _curve(question, phases, metric, leads=name == lead)


def _curve(question: str, phases: Sequence[Part], metric: Part, *, leads: bool) -> Part:
    axes = _axes(phases)
    runs = {phase["name"]: _runs(phase, metric["name"]) for phase in phases}
    curve: Part = {
        "question": question,
        "axes": axes,
        "metric": metric["name"],
        "title": metric["title"],
        "unit": metric["unit"],
        "better": metric["better"],
        "leads": leads,
        "points": [_point(phase, runs[phase["name"]], metric) for phase in phases],
        "scaling": None,
        "why_missing": "",
        "usl": None,
        "notes": [],
    }
    if metric["unit"] in (*_RATES, "ns") and len(axes) == 1:
        by_level = {phase["levels"][0]["value"]: runs[phase["name"]] for phase in phases}
        curve["why_missing"] = _missing(curve, by_level)
        if not curve["why_missing"]:
            _grow(curve, dict(sorted(by_level.items())))
    return curve


def _axes(phases: Sequence[Part]) -> list[Part]:
    """What the levels of a question differ in, with the levels of each in ascending order."""
    known: dict[str, dict[int, Part]] = {}
    for phase in phases:
        for level in phase["levels"]:
            known.setdefault(level["name"], {})[level["value"]] = level
    return [
        {
            "name": name,
            "unit": next(iter(levels.values()))["unit"],
            "levels": [levels[value] for value in sorted(levels)],
            "parallel": name in PARALLEL,
        }
        for name, levels in known.items()
    ]


def _runs(phase: Part, name: str) -> list[float]:
    """The figure in each repeat that is pooled: after a burst the sustained one."""
    figures: Mapping[str, Any] = {metric["name"]: metric["values"] for metric in phase["metrics"]}
    plain, sustained = figures.get(name, []), figures.get(f"sustained_{name}", [])
    wanted = _state(phase)
    kept = [
        n for n, sample in enumerate(phase["samples"])
        if sample["counts"] and _state_of(sample) == wanted
    ]  # fmt: skip
    values = [
        sustained[n] if sustained and sustained[n] is not None else plain[n] for n in kept if plain
    ]
    return [value for value in values if value is not None]


def _state(phase: Part) -> str | None:
    """What the caches held in the repeats that are pooled (`metrics.of_one_state`)."""
    states = [_state_of(sample) for sample in phase["samples"] if sample["counts"]]
    return "cold" if "cold" in states else next(iter(states), None)


def _state_of(sample: Part) -> str | None:
    evidence = sample["evidence"]
    return str(evidence["state"]) if evidence else None


def _point(phase: Part, runs: Sequence[float], metric: Part) -> Part:
    found = spread(estimate(runs, metric["better"]), metric["unit"]) if runs else None
    codes = {warning["code"] for warning in phase["warnings"]}
    return {
        "phase": phase["name"],
        "levels": {level["name"]: level["value"] for level in phase["levels"]},
        "printed": {level["name"]: level["printed"] for level in phase["levels"]},
        "slots": phase["asked"]["processes"] * phase["asked"]["threads"],
        "estimate": found,
        "client_bound": bool(codes & _CLIENT),
        "cache_state": _state(phase) if phase["reads"] else None,
    }


def _missing(curve: Part, runs: Mapping[int, Sequence[float]]) -> str:
    """Why nothing is told about growth; empty where it is."""
    if len(runs) < scaling.FEWEST_LEVELS:
        return f"growth takes {scaling.FEWEST_LEVELS} levels, here are {len(runs)}"
    if min(map(len, runs.values())) < _FEWEST_RUNS:
        return f"growth takes {_FEWEST_RUNS} repeats that count at each level (--repeats)"
    if min(min(values) for values in runs.values()) <= 0:
        return "at a level nothing was done"
    found = dict.fromkeys(point["cache_state"] for point in curve["points"])
    states = [state for state in found if state not in _UNKNOWN]
    if len(states) > 1:
        return f"the caches were {' at some levels and '.join(states)} at others: not one curve"
    return ""


def _grow(curve: Part, runs: Mapping[int, Sequence[float]]) -> None:
    """Put into ``curve`` how it grows from level to level."""
    found = scaling.fit(runs)
    axis = curve["axes"][0]
    curve["scaling"] = {
        "exponent": number(found.exponent),
        "low": number(found.low),
        "high": number(found.high),
        "bends": found.bends,
        "smallest": axis["levels"][0],
        "largest": axis["levels"][-1],
        "efficiency": None,
        "knee": None,
        "surely": None,
        "at_most": None,
    }
    if axis["parallel"] and curve["unit"] in _RATES:
        curve["scaling"]["efficiency"] = [
            {"level": step.n, **{name: quantity(getattr(step, name), "share")
                                 for name in ("efficiency", "low", "high")}}
            for step in found.levels
        ]  # fmt: skip
        curve["scaling"]["knee"] = found.knee(KNEE)
        kept = takewhile(lambda step: step.low >= KNEE, found.levels)
        perhaps = takewhile(lambda step: step.high >= KNEE, found.levels)
        curve["scaling"]["surely"] = max(step.n for step in kept)
        curve["scaling"]["at_most"] = max(step.n for step in perhaps)
        curve["usl"] = _law(runs)
    curve["notes"] = list(_notes(curve, found))


def _law(runs: Mapping[int, Sequence[float]]) -> Part | None:
    found = usl.fit(runs)
    if found is None:
        return None
    names = ("rate", "contention", "coherence", "peak")
    return {name: number(getattr(found, name)) for name in names}


def _notes(curve: Part, found: scaling.Scaling) -> Iterator[Part]:
    """What makes a curve look steeper or flatter than the storage is."""
    name = curve["axes"][0]["name"]
    unknown = [p["printed"][name] for p in curve["points"] if p["cache_state"] == "unknown"]
    if 0 < len(unknown) < len(curve["points"]):
        yield {
            "code": "cache_unknown",
            "message": f"at {name}={', '.join(unknown)} it is not known what the caches held, and "
            "at other levels it is: these may not be of one curve",
        }
    bound = sorted(p["levels"][name] for p in curve["points"] if p["client_bound"])
    smallest = found.levels[0].n
    if len(bound) == len(curve["points"]):
        yield {
            "code": "client_bound_throughout",
            "message": "the client may have been the limit at all levels: this may be how the "
            "client grows, and not the storage",
        }
        bound = []
    if smallest in bound:
        yield {
            "code": "small_level_client_bound",
            "message": f"at {name}={_printed(curve, smallest)} the client may have been the limit: "
            "the growth from there looks better than that of the storage is",
        }
    if beyond := [_printed(curve, n) for n in bound if n != smallest]:
        yield {
            "code": "level_client_bound",
            "message": f"at {name}={', '.join(beyond)} the client may have been the limit, and not "
            "the storage: it may grow further",
        }
    if curve["scaling"]["efficiency"] and found.low > SUPERLINEAR:
        yield {
            "code": "superlinear",
            "message": "more than in proportion: something else held the small levels up",
        }


def _printed(curve: Part, value: int) -> str:
    return next(str(each["printed"]) for each in curve["axes"][0]["levels"]
                if each["value"] == value)  # fmt: skip
