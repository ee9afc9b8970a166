"""``aibench doctor``: whether this machine is fit to measure this mount."""

import json
import textwrap
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

import click

from aibench.cli import results
from aibench.cli.output import show, use_color
from aibench.reporters.clean import clean

if TYPE_CHECKING:
    from aibench.doctor import Check, Examination

_MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "fails": ("FAILS", "red")}
_WIDTH = 78
_MARGIN = 9
#: History: 1 is the first; it got ``subject`` and ``code`` of a check, ``status``, ``target`` and
#: ``environment`` later.
_FORMAT = 1


@click.command("doctor")
@click.argument("target", type=click.Path())
@click.option("--results", "results_dir", metavar="DIR", help="Where records would go.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(target: str, results_dir: str | None, as_json: bool) -> None:
    """Look whether this machine is fit to measure the mount that TARGET is on.

    Takes seconds; writes one small file on the mount and removes it. Exit code 1 when something
    fails.
    """
    from aibench.doctor import examine

    found = examine(target, results.directory(results_dir)[0])
    show(json.dumps(_document(found), indent=2) if as_json else _text(found))
    raise SystemExit(1 if found.status == "fails" else 0)


def _document(found: "Examination") -> dict[str, object]:
    return {
        "format": _FORMAT,
        "status": found.status,
        "checks": [asdict(check) for check in found.checks],
        "target": asdict(found.target) if found.target else None,
        "environment": asdict(found.environment),
    }


def _text(found: "Examination") -> str:
    """The checks of each subject below its name, and how many of them there are."""
    lines: list[str] = []
    for subject, checks in groupby(found.checks, key=lambda check: check.subject):
        lines += [_bold(subject.capitalize()), *(line for c in checks for line in _lines(c)), ""]
    counts = [sum(check.status == status for check in found.checks) for status in _MARKS]
    lines.append("{} ok, {} to look at, {} failing".format(*counts))
    return "\n".join(lines)


def _bold(text: str) -> str:
    return click.style(text, bold=True) if use_color() else text


def _lines(check: "Check") -> list[str]:
    word, color = _MARKS[check.status]
    mark = click.style(f"{word:<8}", fg=color) if use_color() else f"{word:<8}"
    lines = _wrapped(mark, f"{check.name}: {check.found}")
    if check.advice and check.status != "ok":
        lines += _wrapped(" " * 8, check.advice)
    return lines


def _wrapped(mark: str, text: str) -> list[str]:
    first, *more = textwrap.wrap(clean(text), _WIDTH - _MARGIN, break_on_hyphens=False) or [""]
    return [f"{mark} {first}", *(" " * _MARGIN + line for line in more)]
