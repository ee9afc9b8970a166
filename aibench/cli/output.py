"""Renders documents to where they belong: standard output for results, the rest to the side.

Nobody listening is no failure: where standard output or standard error was closed, or its reader
has gone (``| head``), what would be written there is dropped, and the command ends as it would
have.
"""

import errno
import os
import shutil
import sys
from contextlib import suppress
from typing import Any

import click

from aibench.errors import Refused, RunFailed
from aibench.model import Status, Verdict
from aibench.registry import plugin
from aibench.reporters.clean import clean
from aibench.world import library

#: What leaves a claim open; it is not met only where no reading of it is met.
_OPEN = frozenset({Status.INCONCLUSIVE, Status.NOT_MET})


def use_color() -> bool:
    """Whether standard output wants colour: a terminal, and no ``NO_COLOR``.

    The terminal that an MPI launcher gives its ranks is none: what it does with their output is not
    known.
    """
    if sys.stdout is None or library():
        return False
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def terminal_width() -> int:
    """The width of the terminal, 80 where there is none, never less than 60."""
    return max(shutil.get_terminal_size((80, 24)).columns, 60)


def render(document: dict[str, Any], form: str, *, color: bool = False, **more: Any) -> str:
    """``document`` in the report format ``form``, which is one of text."""
    text = rendered(document, form, color=color, **more)
    assert isinstance(text, str), f"{form} is no text"
    return text


def rendered(
    document: dict[str, Any], form: str, *, color: bool = False, **more: Any
) -> str | bytes:
    """``document`` in any report format; ``more`` goes to the reporter as it is."""
    width = min(terminal_width(), 120)
    made: str | bytes = plugin("reporters", form)(document, width=width, color=color, **more)
    return made


def deliver(made: str | bytes, form: str, path: str | None) -> None:
    """A report to ``path``, or to standard output. `Refused` for bytes without a path."""
    if path is not None:
        write_file(path, made)
        say(f"{form} report written to {path}")
    elif isinstance(made, str):
        show(made.rstrip("\n"))
    else:
        raise Refused(f"{form} is no text: give a file with -o FILE")


def summarize(document: dict[str, Any]) -> None:
    """Add the job summary of GitHub Actions, where it asks for one."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    from aibench.reporters.github import summary

    try:
        with open(path, "a", encoding="utf-8", errors="replace") as file:
            file.write(summary(document))
    except OSError as error:
        raise RunFailed(f"{path} can't be written: {(error.strerror or str(error)).lower()}") from (
            error
        )


def show(text: str) -> None:
    """A result on standard output. `RunFailed` where it can't be written, say on a full disk."""
    if sys.stdout is None:
        return
    try:
        click.echo(text)
        sys.stdout.flush()
    except OSError as error:
        with open(os.devnull, "wb") as nowhere:  # what is still buffered goes there at exit
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if error.errno not in (errno.EPIPE, errno.EIO):
            why = (error.strerror or str(error)).lower()
            raise RunFailed(f"standard output can't be written: {why}") from error


def say(text: str) -> None:
    """A message to the user, beside the results, with nothing that a terminal would obey."""
    for line in text.rstrip("\n").split("\n"):
        tell(f"aibench: {clean(line)}\n")


def tell(text: str) -> None:
    """``text`` as it is on standard error, where somebody may be reading."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def write_file(path: str, *made: str | bytes) -> None:
    """Replace the file ``path`` by what is ``made``, never half written, or raise `RunFailed`."""
    data = [m.encode("utf-8", errors="replace") if isinstance(m, str) else m for m in made]
    temporary = f"{path}.new"
    try:
        try:
            with open(temporary, "wb") as file:
                file.writelines(data)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise RunFailed(f"{path} can't be written: {(error.strerror or str(error)).lower()}") from (
            error
        )


def exit_code(verdicts: tuple[Verdict, ...]) -> int:
    """1 when a claim is not met, else 3 when one is inconclusive, else 0.

    A claim that is met as one reading and not met as another one is inconclusive.
    """
    statuses: dict[str, set[Status]] = {}
    for verdict in verdicts:
        statuses.setdefault(verdict.claim.id, set()).add(verdict.status)
    if any(Status.NOT_MET in found and Status.MET not in found for found in statuses.values()):
        return 1
    return 3 if any(_OPEN & found for found in statuses.values()) else 0
