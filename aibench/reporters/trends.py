"""Series over time, once, for terminal, HTML and JSON."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from aibench.history import Trend
from aibench.reporters.clean import cleaned
from aibench.reporters.console import laid_out
from aibench.units import format_value

FORMAT = 1
_BARS = "▁▂▃▄▅▆▇█"
#: Sessions in a line of bars.
_WIDEST = 40
_NEVER = "nothing that is recorded"


def document(trends: Sequence[Trend], place: str) -> dict[str, Any]:
    """All that is known of ``trends``, those with a change or a drift first."""
    ranked = sorted(trends, key=lambda each: -_weight(each))
    return {
        "format": FORMAT,
        "kind": "history",
        "place": place,
        "series": [_part(each) for each in ranked],
    }


def _weight(each: Trend) -> int:
    drifts = each.drift is not None and each.drift.told
    return 4 * bool(each.turns) + 2 * drifts + each.unstable


def _part(each: Trend) -> dict[str, Any]:
    series, sessions = each.history.id, each.history.sessions
    expected = each.expected
    return {
        **asdict(series),
        "name": series.name,
        "short": series.short,
        "sessions": [
            {
                "run": s.run_id,
                "at": s.started_at,
                "value": s.value,
                "printed": format_value(s.value, series.unit),
                "n": s.n,
                "confirms": s.confirms,
            }
            for s in sessions
        ],
        "levels": [_level(each, number) for number in range(len(each.levels))],
        "changes": [_turn(each, number) for number in range(len(each.turns))],
        "drift": None if each.drift is None else asdict(each.drift) | {"told": each.drift.told},
        "expected": None
        if expected is None
        else asdict(expected)
        | {
            "detectable": expected.detectable,
            "printed": [format_value(v, series.unit) for v in (expected.low, expected.high)],
        },
        "unstable": each.unstable,
        "missing": each.missing,
        "events": [asdict(event) for event in each.events],
        "predecessors": [
            {
                "short": other.id.short,
                "sessions": len(other.sessions),
                "last_at": other.sessions[-1].started_at,
                "value": other.sessions[-1].value,
                "printed": format_value(other.sessions[-1].value, series.unit),
                "differences": _differences(changed),
            }
            for other, changed in each.predecessors
        ],
    }


def _level(each: Trend, number: int) -> dict[str, Any]:
    level = each.levels[number]
    values = sorted(session.value for session in level.sessions)
    middle = values[len(values) // 2]
    return {
        "first": level.sessions[0].started_at,
        "last": level.sessions[-1].started_at,
        "sessions": len(values),
        "median": middle,
        "printed": format_value(middle, each.history.id.unit),
        "low": values[0],
        "high": values[-1],
    }


def _turn(each: Trend, number: int) -> dict[str, Any]:
    turn, unit = each.turns[number], each.history.id.unit
    worse = (turn.change.ratio < 1) is (each.history.id.better == "higher")
    return {
        "run": turn.session.run_id,
        "at": turn.session.started_at,
        "after_run": turn.before.run_id,
        "ratio": turn.change.ratio,
        "before": format_value(turn.change.before, unit),
        "after": format_value(turn.change.after, unit),
        "p": turn.change.p_value,
        "worse": worse,
        "differences": _differences(turn.facts),
    }


def _differences(changed: Any) -> list[dict[str, str | None]]:
    return [{"what": name, "before": a, "after": b} for name, (a, b) in changed.items()]


def terminal(shown: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """The document as text: a block for each series."""
    return laid_out(_lines(cleaned(shown)), width=width, color=color)


def _lines(shown: dict[str, Any]) -> Iterator[RenderableType]:
    if not shown["series"]:
        yield Text(f"no record that counts in {shown['place']}")
    for each in shown["series"]:
        yield Text.assemble((each["short"], "cyan"), "  ", (each["name"], "bold"))
        yield Text(f"            {each['target']}, {line(each)}", style="dim")
        yield Text(f"            {bars(each)}")
        for sentence in sentences(each):
            yield Text(f"            {sentence}")


def line(each: dict[str, Any]) -> str:
    """How many sessions, the last one, and where the next one is expected."""
    sessions = each["sessions"]
    told = (
        f"{len(sessions)} session{'s' if len(sessions) > 1 else ''}, last {sessions[-1]['printed']}"
    )
    if each["expected"] is None:
        return told
    low, high = each["expected"]["printed"]
    return f"{told}, next expected {low} to {high}"


def bars(each: dict[str, Any]) -> str:
    """The latest sessions as bars that begin at zero, so that equal heights are equal shares."""
    values = [session["value"] for session in each["sessions"][-_WIDEST:]]
    most = max(values)
    return "".join(_BARS[min(round(value / most * 8), 8) - 1 if value / most > 1 / 16 else 0]
                   for value in values)  # fmt: skip


def sentences(each: dict[str, Any]) -> Iterator[str]:
    """What is to be known of a series: changes, drift, and what it can't show."""
    for change in each["changes"]:
        sign = "✗" if change["worse"] else "✓"
        yield (
            f"{sign} {change['at'][:10]}: {change['before']} to {change['after']} "
            f"({change['ratio'] - 1:+.1%}, p {change['p']:.2g}) from {change['run']} on; "
            f"what changed with it: {told(change['differences'])}"
        )
    if each["drift"] and each["drift"]["told"]:
        drift = each["drift"]
        yield (
            f"~ drift: {drift['total']:+.1%} [{drift['low']:+.1%}, {drift['high']:+.1%}] over "
            f"{drift['sessions']} sessions (p {drift['p_value']:.2g})"
        )
    if each["unstable"]:
        yield f"? unstable: a loss below {each['expected']['detectable']:.1%} would not be told"
    if each["missing"]:
        yield f"? {each['missing']} sessions seem to be missing in its rhythm"
    for event in each["events"]:
        reason = f": {event['reason']}" if event["reason"] else ""
        word = "accepted" if event["kind"] == "bless" else "baseline begins"
        yield f"· {event['at'][:10]} {event['by']}: {word} from {event['run_id']} on{reason}"
    for other in each["predecessors"]:
        yield (
            f"· before: {other['short']}, {other['sessions']} sessions, last {other['printed']}; "
            f"another series because of {told(other['differences'])}"
        )


def told(differences: Iterable[dict[str, Any]]) -> str:
    """``client kernel 6.1 to 6.8, firmware 1.2 to 1.3``."""
    parts = [
        f"{each['what']} {each['before'] or 'unknown'} to {each['after'] or 'unknown'}"
        for each in differences
    ]
    return ", ".join(parts) or _NEVER
