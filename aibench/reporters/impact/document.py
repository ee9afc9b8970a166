"""All that a report of a projection says, once, in base units (B/s, B, ns), printed beside."""

from collections.abc import Sequence
from typing import Any

from aibench import __version__
from aibench.cluster.impact import Impact, Reading
from aibench.cluster.inputs import Input
from aibench.cluster.need import Needed
from aibench.cluster.ranges import Range, Swing
from aibench.cluster.study import ASSUMPTIONS, UNBOUNDED, Side, Study
from aibench.reporters.values import plain, quantity
from aibench.units import format_count

#: History: 1 is the first.
FORMAT = 1
_NANOSECONDS = 1e9
#: Plain numbers between these are printed whole where they are, larger ones with a prefix.
_LARGE, _LARGER = 1000, 100_000
#: Printed for an end that has no bound, because only one storage lets the job progress.
UNBOUNDED_WORD = "without bound"


def document(impact: Impact) -> dict[str, Any]:
    """The projection as dictionaries, lists, strings, numbers and None.

    Each number has its unit. ``basis`` says what it comes from: ``assumed`` inputs only, or
    ``measured`` ones as well; inputs say so each for itself. What is missing is None.
    """
    study = impact.study
    compared = study.baseline is not None
    return {
        "format": FORMAT,
        "kind": "impact",
        "aibench_version": __version__,
        "basis": basis(study.inputs),
        "inputs": [_input(each) for each in study.inputs],
        "job": {
            "mtbf": _number(study.job.mtbf, "s"),
            "checkpoint": _number(study.job.checkpoint_bytes, "B"),
            "ideal_goodput": _number(study.job.ideal, "share"),
        },
        "candidate": _side(study.candidate, study.inputs),
        "baseline": _side(study.baseline, study.inputs) if study.baseline else None,
        "gain": spread(study.gain, "1"),
        "cap": spread(study.cap, "1"),
        "saved": _number(study.saved, "s"),
        "wish": _wish(study),
        "sensitivity": {
            "of": "gain" if compared else "useful",
            "inputs": [_swing(each, study) for each in study.swings],
        },
        "curve": [plain(point) for point in study.curve],
        "knee": _number(study.knee, "B/s"),
        "claim": _claim(impact) if impact.claim else None,
        "remarks": plain((*impact.remarks, *study.remarks)),
        "assumptions": list(ASSUMPTIONS),
    }


def basis(inputs: Sequence[Input]) -> str:
    """``measured and assumed``, or ``assumed`` where nothing was measured."""
    measured = any(each.origin == "measured" for each in inputs)
    return "measured and assumed" if measured else "assumed"


def spread(found: Range | None, unit: str) -> dict[str, Any] | None:
    """A value with both ends; an end without bound is None and printed as such."""
    if found is None:
        return None
    ends = {name: _number(getattr(found, name), unit) for name in ("low", "typical", "high")}
    printed = [_printed(end) for end in ends.values()]
    return {
        "unit": "ns" if unit == "s" else unit,
        **{name: end and end["value"] for name, end in ends.items()},
        "printed": _printed(ends["typical"]),
        "printed_range": _interval(*printed) if len(set(printed)) > 1 else None,
    }


def _interval(low: str, typical: str, high: str) -> str:
    """``[17.9, 18.6]`` in the unit of the typical value; other units are written out."""
    unit = typical.partition(" ")[2]
    if unit and " " not in unit and all(end.partition(" ")[2] == unit for end in (low, high)):
        low, high = low.partition(" ")[0], high.partition(" ")[0]
    return f"[{low}, {high}]"


def _printed(end: dict[str, Any] | None) -> str:
    return UNBOUNDED_WORD if end is None else str(end["printed"])


def _number(value: float | None, unit: str) -> dict[str, Any] | None:
    if value is None or value >= UNBOUNDED:
        return None
    if unit == "s":
        found = quantity(value * _NANOSECONDS, "ns")
        return found and found | ({} if value else {"printed": "0 s"})
    found = quantity(value, unit)
    if found is not None and unit == "1" and value >= _LARGE:
        whole = value < _LARGER and value == int(value)
        found["printed"] = str(int(value)) if whole else format_count(value)
    return found


def _input(each: Input) -> dict[str, Any]:
    return {
        "name": each.name,
        "title": each.title,
        **(spread(each.range, each.unit) or {}),
        "origin": each.origin,
        "source": each.source,
    }


def _side(side: Side, inputs: Sequence[Input]) -> dict[str, Any]:
    found = side.outcome
    own = [each for each in inputs if each.name.startswith(side.name)]
    return {
        "basis": basis(own),
        "progresses": found.progresses,
        "write": _number(side.write, "B/s"),
        "stall": _number(found.stall, "s"),
        "durable": _number(found.durable, "s"),
        "restart": _number(found.restart, "s"),
        "interval": _number(found.interval, "s"),
        "interval_best": _number(side.best_interval, "s"),
        "interval_young": _number(found.young, "s"),
        "interval_daly": _number(found.daly, "s"),
        "goodput": _number(found.goodput, "share"),
        "goodput_first_order": _number(found.first_order, "share"),
        "goodput_ettr": _number(found.ettr, "share"),
        "checkpoint_loss": _number(found.checkpoint_loss, "share"),
        "rework_loss": _number(found.rework_loss, "share"),
        "restart_loss": _number(found.restart_loss, "share"),
        "utilisation": _number(found.utilisation, "share"),
        "useful": spread(side.useful, "share"),
        "elapsed_utilisation": _number(side.elapsed, "share"),
        "strain": _number(found.strain, "1"),
    }


def _swing(each: Swing, study: Study) -> dict[str, Any]:
    unit = "1" if study.baseline else "share"
    given = next(one for one in study.inputs if one.name == each.name)
    return {
        "name": each.name,
        "title": given.title,
        "low": _number(given.range.low, given.unit),
        "high": _number(given.range.high, given.unit),
        "at_low": _number(each.at_low, unit),
        "at_high": _number(each.at_high, unit),
    }


def _wish(study: Study) -> dict[str, Any] | None:
    wish = study.wish
    if wish is None:
        return None
    return {
        "source": wish.source,
        "gain": _number(wish.gain, "1"),
        "saves": _number(wish.saves, "s"),
        "needed_baseline": _needed(study.needed),
        "needed_useful": _number(study.useful_needed, "share"),
        "sentence": _sentence(study),
    }


def _needed(needed: Needed | None) -> dict[str, Any] | None:
    if needed is None:
        return None
    return {
        "bandwidth": _number(needed.bandwidth, "B/s"),
        "stall": _number(needed.baseline.stall, "s"),
        "useful": _number(needed.baseline.useful, "share"),
        "slower_ones": needed.others,
    }


def _sentence(study: Study) -> str:
    """What the wish needs, and what there is instead."""
    wish = study.wish
    assert wish is not None
    if wish.gain is None:
        return _hours(study, wish.saves or 0.0)
    what = f"A gain of {wish.gain:.4g}×"
    if study.needed is None and study.gain and study.gain.typical > wish.gain:
        return f"{what} needs no slow baseline: the candidate gains more over one of any bandwidth."
    if study.needed is None:
        return (
            f"{what} needs a baseline that there is not: on none that lets the job progress does "
            "the candidate gain so much."
        )
    needed = study.needed
    text = (
        f"{what} needs a baseline that writes at {_printed(_number(needed.bandwidth, 'B/s'))}: "
        f"a checkpoint stalls the job for {_printed(_number(needed.baseline.stall, 's'))}."
    )
    if study.baseline is None or _is_solved(study):
        return text
    yours = study.baseline
    return (
        f"{text} This baseline writes at {_printed(_number(yours.write, 'B/s'))} and stalls it for "
        f"{_printed(_number(yours.outcome.stall, 's'))}."
    )


def _is_solved(study: Study) -> bool:
    return any(each.origin == "solved" for each in study.inputs)


def _hours(study: Study, saves: float) -> str:
    what = f"Saving {_printed(_number(saves, 's'))}"
    if study.useful_needed is None:
        return f"{what} is more than the baseline loses: no storage could."
    reached = study.candidate.outcome.useful
    return (
        f"{what} needs {_printed(_number(study.useful_needed, 'share'))} of the time for useful "
        f"work; the candidate leaves {_printed(_number(reached, 'share'))}."
    )


def _claim(impact: Impact) -> dict[str, Any]:
    claim = impact.claim
    assert claim is not None
    return {
        "id": claim.id,
        "title": claim.title,
        "vendor": claim.vendor,
        "quote": claim.quote,
        "readings": [_reading(each) for each in impact.readings],
    }


def _reading(each: Reading) -> dict[str, Any]:
    return {
        "interpretation": each.interpretation,
        "note": each.note,
        "status": each.status,
        "claimed": _number(each.value, each.unit),
        "low": _number(each.low, each.unit),
        "high": _number(each.high, each.unit),
        "cap": _number(each.cap, each.unit),
    }
