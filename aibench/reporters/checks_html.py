"""The gate as one HTML page: what needs a look with its ladder and history, then all the rest."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment

from aibench.history.trends import UNSTABLE_FROM
from aibench.reporters import checks, trends, trends_html, wording
from aibench.reporters.clean import cleaned
from aibench.reporters.figures import Figure, escape
from aibench.reporters.html import page, templates

#: What a reader is to do, the most urgent first, and for which outcomes.
_GROUPS = (
    ("Action required", ("MISSED_BOUND", "REGRESSED")),
    ("Not decided, look at it", ("CLIENT_CHANGED", "SUSPECT", "UNDECIDED_BOUND")),
    ("Better than before, for information", ("IMPROVED", "MAYBE_IMPROVED")),
)
_LOUD = frozenset(standing for _, standings in _GROUPS for standing in standings)
#: The page knows verdicts; an outcome is drawn and coloured as the one that has its sign.
_ROLES = {"✗": "NOT_MET", "?": "INCONCLUSIVE", "✓": "MET", "–": "NOT_TESTABLE_HERE"}
_ANSWERS = {True: "! speaks for a change", False: "· silent", None: "? not decided"}


def render(document: dict[str, Any], history: Mapping[str, dict[str, Any]]) -> str:
    """The document of `checks` as one page that opens with no network; the same bytes each time.

    ``history`` holds, by the key of a series, its part of the document of `trends`; series that
    are drawn (`drawn`) and are not in it have no plot.
    """
    shown = cleaned(document)
    known = {key: cleaned(part) for key, part in history.items()}
    figures = dict(_figures(shown, known))
    return page(
        _environment().get_template("check.html.j2"),
        figures,
        document=shown,
        groups=[(title, [e for e in shown["series"] if e["standing"] in which])
                for title, which in _GROUPS],
        unstable=[each for each in shown["series"] if _unstable(each)],
        unstable_from=UNSTABLE_FROM,
        short=_of(shown["series"], "INSUFFICIENT"),
        quiet=_of(shown["series"], "OK"),
        known=known,
        plots=set(figures),
    )  # fmt: skip


def drawn(document: dict[str, Any]) -> list[str]:
    """The keys of the series whose history is to be shown: flagged ones, and noisy ones."""
    found = (e["key"] for e in document["series"] if e["standing"] in _LOUD or _unstable(e))
    return [key for key in dict.fromkeys(found) if key]


def _unstable(each: dict[str, Any]) -> bool:
    return each["detectable"] is not None and each["detectable"] > UNSTABLE_FROM


def _of(series: Iterable[dict[str, Any]], standing: str) -> list[dict[str, Any]]:
    return [each for each in series if each["standing"] == standing]


def _figures(
    shown: dict[str, Any], known: Mapping[str, dict[str, Any]]
) -> Iterable[tuple[str, Figure]]:
    for key in drawn(shown):
        each = next(e for e in shown["series"] if e["key"] == key)
        if key in known and known[key]["sessions"]:
            yield f"series-{key[:10]}", _figure(each, known[key], shown["run"])


def _figure(each: dict[str, Any], part: dict[str, Any], run: dict[str, Any]) -> Figure:
    """The history of the series with this run marked in it, and what was expected of it."""
    own = {
        "run": run["id"], "at": run["started_at"], "value": each["value"],
        "printed": each["printed"], "n": each["n"], "confirms": "",
    }  # fmt: skip
    others = [session for session in part["sessions"] if session["run"] != run["id"]]
    sessions = sorted([*others, own], key=lambda session: str(session["at"]))
    limits = None if each["low"] is None else {"low": each["low"], "high": each["high"]}
    found = trends_html.figure(part | {"sessions": sessions, "expected": limits})
    place = found["data"][0]["x"].index(run["started_at"])
    mark = {
        "x": [run["started_at"]],
        "y": [found["data"][0]["y"][place]],
        "mode": "markers",
        "marker": {"size": 16},
        "role": _ROLES[each["sign"]],
        "name": f"this run: {escape(each['word'])}",
        "hovertext": [f"this run: {escape(each['printed'])}"],
        "hoverinfo": "text",
    }
    return found | {"data": [*found["data"], mark]}


def _told(part: dict[str, Any] | None) -> Sequence[str]:
    """What the history knows of a series: changes with what changed with them, decisions, drift."""
    # What the next session could show is no matter here: the gate says what this one could.
    return tuple(trends.sentences(part | {"unstable": False})) if part else ()


@cache
def _environment() -> Environment:
    environment = templates()
    environment.globals |= {"w": wording, "sentence": checks.sentence, "told": _told}
    environment.globals |= {
        "headline": checks.headline,
        "roles": _ROLES,
        "change": checks.change,
        "answers": _ANSWERS,
    }
    return environment
