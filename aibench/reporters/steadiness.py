"""How steady the rate of a phase was, in words and in its plot."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from aibench.reporters import wording
from aibench.units import format_duration

_SECOND = 10**9
_WORDS = {
    "steady": "steady",
    "drifting": "drifting",
    "undecided": "not known to be steady",
    "too_short": "too short to be called steady",
}


def sentences(phases: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One for each phase that was long enough; what was too short has warnings that say so.

    Levels of a sweep that were steady throughout have one together.
    """
    phases = list(phases)
    steady: list[str] = []
    for phase in phases:
        states = {s["steadiness"]["state"] for s in phase["samples"] if s["steadiness"]}
        if phase.get("levels") and states == {"steady"}:
            steady.append(phase["name"])
        elif states - {"too_short"}:
            yield f"{phase['name']}: {sentence(phase)}"
    if steady:
        yield f"{wording.listed(steady, phases)}: steady in all repeats."


def sentence(phase: dict[str, Any]) -> str:
    """``steady in 3 of 3 repeats: drift +0.4 % …``, with the figures of the middle repeat.

    Empty where no repeat has a series of its own rate.
    """
    found = [s["steadiness"] for s in phase["samples"] if s["steadiness"]]
    if not found:
        return ""
    counts = Counter(each["state"] for each in found)
    told = ", ".join(f"{_WORDS[state]} in {n}" for state, n in counts.items())
    middle = _middle(phase) or found[0]
    after = " after the burst" if middle["cliff"] else ""
    return (
        f"{told} of {wording.counted(len(phase['samples']), 'repeat')}{after}: {_figures(middle)}."
    )


def _figures(found: dict[str, Any]) -> str:
    """Drift and SNIA's figures, or why there are none."""
    if found["drift"] is None or found["reason"]:
        return str(found["reason"])
    low, high = (100 * found[f"drift_{end}"] for end in ("low", "high"))
    over = format_duration(found["end_ns"] - found["begin_ns"])
    return (
        f"drift {100 * found['drift']:+.1f} % [{low:+.1f}, {high:+.1f}] over {over}, "
        f"SNIA range {100 * found['snia_range']:.1f} %, slope {100 * found['snia_slope']:.1f} %"
    )


def _middle(phase: dict[str, Any]) -> dict[str, Any] | None:
    """What is known of the middle repeat."""
    for sample in phase["samples"]:
        if sample["repeat"] == phase["middle_repeat"]:
            found: dict[str, Any] | None = sample["steadiness"]
            return found
    return None


def marks(phase: dict[str, Any]) -> dict[str, Any]:
    """Shapes and labels for the plot: the time that was judged, and where a burst ended.

    Both are those of the middle repeat. Empty where there is neither.
    """
    found = _middle(phase)
    if found is None:
        return {}
    shapes, labels = [], []
    if found["state"] != "too_short":
        begin, end = found["begin_ns"] / _SECOND, found["end_ns"] / _SECOND
        shapes.append({"type": "rect", "role": "window", "x0": begin, "x1": end} | _FULL_HEIGHT)
        labels.append(_label(end, "right", _WORDS[found["state"]], phase))
    if found["cliff"]:
        at = found["cliff"]["at_ns"] / _SECOND
        shapes.append({"type": "line", "role": "cliff", "x0": at, "x1": at} | _FULL_HEIGHT)
        labels.append(_label(at, "left", "end of the burst", phase))
    return {"shapes": shapes, "annotations": labels} if shapes else {}


_FULL_HEIGHT = {"yref": "paper", "y0": 0, "y1": 1}


def _label(x: float, side: str, text: str, phase: dict[str, Any]) -> dict[str, Any]:
    return {
        "x": x, "xanchor": side, "y": 0.02 if side == "right" else 0.12, "yref": "paper",
        "yanchor": "bottom", "showarrow": False,
        "text": f"{text}, repeat {phase['middle_repeat'] + 1}",
    }  # fmt: skip
