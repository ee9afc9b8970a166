"""Renders documents to where they belong: standard output for results, the rest to the side."""

import os
import shutil
import sys
from typing import Any

import click

from aibench.model import Status, Verdict
from aibench.registry import plugin


def use_color() -> bool:
    """Whether standard output wants colour: a terminal, and no ``NO_COLOR``."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def terminal_width() -> int:
    """The width of the terminal, 80 where there is none, never less than 60."""
    return max(shutil.get_terminal_size((80, 24)).columns, 60)


def render(document: dict[str, Any], form: str, *, color: bool = False) -> str:
    """``document`` in the report format ``form``."""
    text: str = plugin("reporters", form)(document, width=min(terminal_width(), 120), color=color)
    return text


def write_file(path: str, text: str) -> None:
    """Replace the file ``path`` by ``text``, never half written."""
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def say(text: str) -> None:
    """A message to the user, beside the results."""
    click.echo(f"aibench: {text}", err=True)


def exit_code(verdicts: tuple[Verdict, ...]) -> int:
    """1 when a claim is not met, else 3 when one is inconclusive, else 0."""
    statuses = {verdict.status for verdict in verdicts}
    if Status.NOT_MET in statuses:
        return 1
    return 3 if Status.INCONCLUSIVE in statuses else 0
