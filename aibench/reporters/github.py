"""Annotations and a job summary for GitHub Actions, within their limits."""

from collections.abc import Iterator
from typing import Any

from aibench.reporters import checks, markdown
from aibench.reporters.clean import cleaned

#: GitHub shows so many annotations of each kind of a step.
MOST = 10
#: The largest summary of a step that GitHub takes.
LARGEST_SUMMARY = 2**20
_LEVELS = {
    "NOT_MET": "error", "REGRESSED": "error", "MISSED_BOUND": "error",
    "INCONSISTENT_BOUND": "warning", "INCONSISTENT": "warning",
    "INCONCLUSIVE": "warning", "SUSPECT": "warning", "CLIENT_CHANGED": "warning",
    "UNDECIDED_BOUND": "warning", "IMPROVED": "notice", "MET": "notice",
}  # fmt: skip


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` (of a run, or of a check) as workflow commands, at most ten of each level.

    The most serious come first; `summary` holds all. ``width`` and ``color`` have no meaning here.
    """
    del width, color
    shown = cleaned(document)
    found = list(_checked(shown) if shown["kind"] == "check" else _reported(shown))
    lines = []
    for level in ("error", "warning", "notice"):
        some = [each for each in found if each[0] == level]
        lines += [_command(*each) for each in some[:MOST]]
    return "\n".join(lines) + "\n" if lines else ""


def summary(document: dict[str, Any]) -> str:
    """``document`` as Markdown for the summary of the step, cut where it would be too large."""
    made = checks.markdown(document) if document["kind"] == "check" else markdown.render(document)
    if len(made.encode()) <= LARGEST_SUMMARY:
        return made
    note = "\n\n(cut off: the whole is in the report)\n"
    room = LARGEST_SUMMARY - len(note.encode())
    whole = made.encode()[:room].decode(errors="ignore")
    return whole[: whole.rfind("\n")] + note


def _reported(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for reason in document["run"]["reasons"]:
        yield "error", "the run does not count", reason["message"]
    for row in document["verdicts"]:
        if (level := _LEVELS.get(row["status"])) is not None:
            why = "; ".join(reason["message"] for reason in row["reasons"])
            yield level, f"{row['word']}: {row['claim']} {row['title']}", why or row["next_step"]


def _checked(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for series in document["series"]:
        if (level := _LEVELS.get(series["standing"])) is not None:
            told = f"{checks.sentence(series)}. {series['next_step']}"
            yield level, f"{series['word']}: {series['name']}", told


def _command(level: str, title: str, message: str) -> str:
    return f"::{level} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
