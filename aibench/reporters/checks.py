"""What the gate found, once, for terminal, Markdown and JSON."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from aibench.model import RunRecord
from aibench.model.history import Checked, Standing
from aibench.reporters.clean import cleaned
from aibench.reporters.console import laid_out
from aibench.units import format_value

FORMAT = 1
#: How a reader is told, the most serious first, with a sign that is no colour.
WORDS = {
    Standing.MISSED_BOUND: ("✗", "bound missed"),
    Standing.REGRESSED: ("✗", "regressed"),
    Standing.CLIENT_CHANGED: ("?", "client changed"),
    Standing.SUSPECT: ("?", "suspect, not confirmed"),
    Standing.UNDECIDED_BOUND: ("?", "bound not decided"),
    Standing.INSUFFICIENT: ("–", "insufficient history"),
    Standing.IMPROVED: ("✓", "improved"),
    Standing.MAYBE_IMPROVED: ("✓", "maybe improved, not confirmed"),
    Standing.OK: ("✓", "no regression"),
}
_STYLES = {"✗": "bold red", "?": "bold yellow", "–": "dim", "✓": "green"}
#: Two in a thousand series that did not change are flagged and confirmed (simulated, CV 3 %).
_FALSE_ALERTS = 0.002
_NIGHTS = 30


def document(record: RunRecord, found: Sequence[Checked]) -> dict[str, Any]:
    """All that the gate says of ``record``: counts by outcome, then each series with its steps.

    ``expected_false_alerts`` is how many alerts a month to expect of storage that does not change,
    where as many series are checked each night.
    """
    order = list(WORDS)
    ranked = sorted(found, key=lambda each: (order.index(each.standing), -_size(each)))
    return {
        "format": FORMAT,
        "kind": "check",
        "run": {"id": record.run_id, "started_at": record.started_at, "label": record.target.label},
        "counts": {
            each.value: sum(one.standing is each for one in found)
            for each in order
            if any(one.standing is each for one in found)
        },
        "expected_false_alerts": len(found) * _FALSE_ALERTS * _NIGHTS,
        "series": [_part(each) for each in ranked],
    }


def _size(each: Checked) -> float:
    return abs(each.ratio - 1) if each.ratio is not None else 0.0


def _part(each: Checked) -> dict[str, Any]:
    series, unit = each.id, each.id.unit
    sign, word = WORDS[each.standing]
    return {
        "key": series.key,
        "name": series.name,
        "title": series.title,
        "target": series.target,
        "unit": unit,
        "better": series.better,
        "standing": each.standing.value,
        "sign": sign,
        "word": word,
        "value": each.session.value,
        "printed": format_value(each.session.value, unit),
        "n": each.session.n,
        "ratio": each.ratio,
        "level": each.center,
        "printed_level": None if each.center is None else format_value(each.center, unit),
        "low": each.low,
        "high": each.high,
        "sessions": each.baseline,
        "detectable": each.detectable,
        "steps": [{"name": s.name, "fired": s.fired, "told": s.told} for s in each.steps],
        "next_step": each.next_step,
    }


def terminal(shown: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """The document as text: what needs a look in full, the rest counted."""
    return laid_out(_lines(cleaned(shown)), width=width, color=color)


def _lines(shown: dict[str, Any]) -> Iterator[RenderableType]:
    yield Text(f"{shown['run']['id']} on {shown['run']['label']}: {headline(shown)}", style="bold")
    for each in shown["series"]:
        if each["standing"] not in ("OK", "INSUFFICIENT"):
            yield from _series(each)
    yield from _quiet(shown["series"])
    alerts = shown["expected_false_alerts"]
    yield Text(
        f"\n{len(shown['series'])} series; if the storage never changed, expect {alerts:.2g} false "
        "alerts a month of nightly checks.",
        style="dim",
    )


def _series(each: dict[str, Any]) -> Iterator[RenderableType]:
    yield Text()
    yield Text(f"{each['sign']} {each['word']}: {each['name']}", style=_STYLES[each["sign"]])
    yield Text(f"  {sentence(each)}")
    for step in each["steps"]:
        yield Text(f"  {_mark(step)} {step['name']}: {step['told']}", style="dim")
    if each["next_step"]:
        yield Text(f"  Next: {each['next_step']}")


def _mark(step: dict[str, Any]) -> str:
    fired: bool | None = step["fired"]
    return {True: "!", False: "·", None: "?"}[fired]


def _quiet(series: Iterable[dict[str, Any]]) -> Iterator[RenderableType]:
    for standing in ("INSUFFICIENT", "OK"):
        some = [each for each in series if each["standing"] == standing]
        if some:
            yield Text()
            yield Text(f"{some[0]['sign']} {some[0]['word']}:", style=_STYLES[some[0]["sign"]])
        for each in some:
            yield Text(f"  {each['name']}: {sentence(each)}", style="dim")


def sentence(each: dict[str, Any]) -> str:
    """The figure against its level: ``1.02 GB/s, -7.8 % of 1.11 GB/s over 12 sessions``."""
    if each["level"] is None:
        told = each["steps"][0]["told"] if each["steps"] else ""
        return f"{each['printed']}; {told}" if told else each["printed"]
    if not each["sessions"]:
        told = each["steps"][0]["told"]
        return f"{each['printed']}; {told}"
    return (
        f"{each['printed']}, {change(each['ratio'])} of {each['printed_level']} over "
        f"{each['sessions']} sessions; a change of {each['detectable']:.1%} would be told"
    )


def change(ratio: float) -> str:
    """``-7.8%``; a change that rounds to nothing has no sign."""
    percent = f"{ratio - 1:+.1%}"
    return percent if percent.strip("+-") != "0.0%" else "0.0%"


def headline(shown: dict[str, Any]) -> str:
    """How many series are what: ``1 regressed, 12 no regression``."""
    words = {standing.value: word for standing, (_, word) in WORDS.items()}
    parts = [f"{count} {words[standing]}" for standing, count in shown["counts"].items()]
    return ", ".join(parts) or "nothing to check"


def markdown(shown: dict[str, Any]) -> str:
    """The document as a table for a pull request; what changed first."""
    clean = cleaned(shown)
    rows = [f"**aibench check: {headline(clean)}**", "", "| | series | now | level | change |",
            "|---|---|---|---|---|"]  # fmt: skip
    for each in clean["series"]:
        moved = "" if each["ratio"] is None else change(each["ratio"])
        cells = [f"{each['sign']} {each['word']}", each["name"], each["printed"],
                 each["printed_level"] or "", moved]  # fmt: skip
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"
