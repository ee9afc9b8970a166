"""The derived document of a comparison: everything that a report of one says, once.

Ratios are first over second, whatever is better; ``advantage`` is above 1 where the first is
better.
"""

import math
from typing import Any

from aibench.model import Finding
from aibench.model.comparison import Comparison, Difference, Figure, Outcome, PerUnit, Side
from aibench.reporters.values import number, plain, spread
from aibench.units import format_count

#: History: 1 is the first.
FORMAT = 1


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """All that a reporter may show of ``comparison``: plain values, base units, printed beside."""
    sides = comparison.sides
    return {
        "format": FORMAT,
        "kind": "comparison",
        "design": comparison.design.value,
        "duel": comparison.duel,
        "itself": comparison.itself,
        "delta": comparison.delta,
        "confidence": comparison.confidence,
        "adjustment": comparison.adjustment,
        "decided": comparison.decided,
        "pairs": {
            "declared": comparison.declared,
            "complete": comparison.complete,
            "extended": comparison.extended,
        },
        "sides": [_side(side) for side in sides],
        "summary": _summary(comparison),
        "figures": [_figure(figure, comparison) for figure in comparison.figures],
        "overall": [
            {
                "first": sides[each.first].key,
                "second": sides[each.second].key,
                "advantage": ratio(each.log_advantage),
                "printed": printed_ratio(each.log_advantage),
                "figures": each.figures,
                "outcomes": {outcome.value: n for outcome, n in each.outcomes.items()},
            }
            for each in comparison.overall
        ],
        "notes": plain((*comparison.notes, _alone(comparison))),
        "differs": plain(comparison.differs),
        "missing": plain(comparison.missing),
    }


def ratio(logarithm: float | None) -> float | None:
    """The ratio whose logarithm this is."""
    return None if logarithm is None else number(math.exp(logarithm))


def printed_ratio(logarithm: float | None) -> str | None:
    """``1.102``: a ratio with four digits, so that 0.1 % shows."""
    return None if logarithm is None else f"{math.exp(logarithm):#.4g}".removesuffix(".")


def printed_share(logarithm: float | None) -> str | None:
    """``3.4 %``, or ``2.7×`` for what is more than twice: how far a ratio is away from 1."""
    if logarithm is None:
        return None
    if abs(logarithm) > math.log(2):
        return f"{math.exp(min(abs(logarithm), 50)):.2g}×"
    return f"{100 * math.expm1(abs(logarithm)):.2g} %"


def _alone(comparison: Comparison) -> Finding:
    """How far an answer reaches: to these mounts, and no further."""
    if comparison.itself:
        message = "compares a mount with itself: what differs is noise"
        return Finding(code="itself", message=message)
    many = len(comparison.sides)
    message = f"compares these {many} units only: one of each says nothing about others of its kind"
    return Finding(code="these_units_only", message=message)


def _side(side: Side) -> dict[str, Any]:
    return {
        "key": side.key,
        "name": side.name,
        "target": plain(side.target),
        "system": plain(side.system),
        "runs": list(side.runs),
    }


def _summary(comparison: Comparison) -> dict[str, int]:
    found = {outcome.value: 0 for outcome in Outcome}
    for figure in comparison.figures:
        for difference in figure.differences:
            found[difference.outcome.value] += 1
    return {name: count for name, count in found.items() if count}


def _figure(figure: Figure, comparison: Comparison) -> dict[str, Any]:
    return {
        "workload": figure.workload,
        "phase": figure.phase,
        "metric": figure.metric,
        "title": figure.title,
        "unit": figure.unit,
        "better": figure.better,
        "state": figure.state,
        "must_have": figure.must_have,
        "estimates": {
            side.key: _estimate(figure, n) for n, side in enumerate(comparison.sides)
        },
        "differences": [
            _difference(each, comparison, figure.better) for each in figure.differences
        ],
    }  # fmt: skip


def _estimate(figure: Figure, place: int) -> dict[str, Any] | None:
    found = figure.estimates[place]
    shown = spread(found, figure.unit)
    if shown is None or found is None:
        return None
    half = None
    if found.low is not None and found.high is not None and found.typical > 0:
        half = (found.high - found.low) / 2 / found.typical
    return {**shown, "half_width": number(half), "printed_half": _plus_minus(half)}


def _plus_minus(half: float | None) -> str | None:
    return None if half is None else f"±{format_count(float(f'{100 * half:.1g}'))}%"


def _difference(found: Difference, comparison: Comparison, better: str) -> dict[str, Any]:
    first, second = (comparison.sides[n].key for n in (found.first, found.second))
    sign = 1 if better == "higher" else -1
    return {
        "first": first,
        "second": second,
        "n": found.n,
        "outcome": found.outcome.value,
        "word": word(found.outcome, first, second, strong=found.strong),
        "strong": found.strong,
        "ratio": ratio(found.log_ratio),
        "low": ratio(found.log_low),
        "high": ratio(found.log_high),
        "advantage": ratio(None if found.log_ratio is None else sign * found.log_ratio),
        "told_apart": found.p_adjusted is not None
        and found.p_adjusted <= 1 - comparison.confidence,
        "printed_ratio": printed_ratio(found.log_ratio),
        "printed_interval": _interval(found.log_low, found.log_high),
        "p": number(found.p),
        "p_adjusted": number(found.p_adjusted),
        "p_signs": number(found.p_signs),
        "detectable": ratio(found.detectable),
        "printed_detectable": printed_share(found.detectable),
        "floor": ratio(found.floor),
        "printed_floor": printed_share(found.floor),
        "runs_needed": found.runs_needed,
        "reasons": plain(found.reasons),
        "caveats": plain(found.caveats),
        "dropped": plain(found.dropped),
        "per_unit": [_per_unit(each) for each in found.per_unit],
    }


def _told_apart(found: Difference, level: float) -> bool:
    return found.p_adjusted is not None and found.p_adjusted <= level


def word(outcome: Outcome, first: str, second: str, *, strong: bool) -> str:
    """The answer in words, with the letter of the side: ``a clearly better``."""
    if outcome in (Outcome.FIRST_BETTER, Outcome.SECOND_BETTER):
        ahead = first if outcome is Outcome.FIRST_BETTER else second
        return f"{ahead} {'clearly ' if strong else ''}better"
    return outcome.value.lower().replace("_", " ")


def _interval(low: float | None, high: float | None) -> str | None:
    if low is None or high is None:
        return None
    return f"[{printed_ratio(low)}, {printed_ratio(high)}]"


def _per_unit(found: PerUnit) -> dict[str, Any]:
    return {
        "what": found.what,
        "first": number(found.first),
        "second": number(found.second),
        "ratio": ratio(found.log_ratio),
        "low": ratio(found.log_low),
        "high": ratio(found.log_high),
        "printed": f"{printed_ratio(found.log_ratio)} {_interval(found.log_low, found.log_high)}",
    }
