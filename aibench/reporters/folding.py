"""Which verdicts a reader sees in a table, and which as one line for many.

A catalogue holds many claims that a run says nothing about. Where they are more than a few they
would bury the ones that it does say something about. The JSON document has all of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aibench.reporters import wording

#: So many rows that say nothing are told one by one.
_FEW = 5
_SILENT = frozenset({"NOT_TESTABLE", "NOT_TESTABLE_HERE"})


def told(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows for a table: all of them, or those that are not `folded`."""
    aside = [id(row) for row in _aside(rows)]
    return [row for row in rows if id(row) not in aside]


def folded(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A line for each reason that leaves claims without a row, with their names."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in _aside(rows):
        names = groups.setdefault((wording.verdict(row), _why(row)), [])
        if row["claim"] not in names:
            names.append(row["claim"])
    for (verdict, why), names in groups.items():
        yield f"{verdict}, {why}: {', '.join(names)}"
    if groups:
        yield "`aibench show NAME` says what a claim rests on, and what would test it."


def _aside(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [row for row in rows if row["status"] in _SILENT or _distant(row) or _unfed(row)]
    return found if len(found) > _FEW else []


def _distant(row: dict[str, Any]) -> bool:
    """Of another system, and more than a figure that was measured beside one that was printed."""
    return bool(row["status"] == "REFERENCE_ONLY" and row["testability"] != "direct")


def _unfed(row: dict[str, Any]) -> bool:
    """Held against a model that was fed with assumptions alone."""
    return bool(row["testability"] == "model" and not row["n"])


def _why(row: dict[str, Any]) -> str:
    if _distant(row):
        return "of another or an unknown system, and not by one figure"
    if _unfed(row) and row["status"] not in _SILENT:
        return "with a model and assumptions alone, nothing of this run"
    return row["reasons"][0]["message"] if row["reasons"] else "for no stated reason"
