"""``aibench clean``: remove what aibench made on a target, and nothing else."""

import os

import click

from aibench.cli.output import say
from aibench.errors import AibenchError, TargetError, TargetFailed
from aibench.units import format_count, format_size
from aibench.workspace import find
from aibench.workspace.clean import Cleaned, clean, clean_unfinished


@click.command("clean")
@click.argument("target", type=click.Path())
def command(target: str) -> None:
    """Remove the data that aibench left under TARGET.

    Only names that aibench gives are removed; anything else is left alone and named, as is a
    directory with a file that is open, and then the exit code is 1.
    """
    if not os.path.isdir(target):
        raise TargetError(f"{target} is not a directory")
    try:
        cleaned, unfinished = _clean(target)
    except AibenchError:
        raise
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        where = f" at {error.filename}" if error.filename else ""
        raise TargetFailed(f"{target} could not be cleaned: {why}{where}") from error
    if unfinished.removed:
        say("removed what a killed run had begun to make or to remove")
    if cleaned is not None:
        say(f"removed {format_count(cleaned.files)} files, {format_size(cleaned.bytes)}")
    left = [*unfinished.left, *(cleaned.left if cleaned is not None else [])]
    for path in left:
        say(f"left alone, because aibench did not make it: {path}")
    busy = [*unfinished.busy, *(cleaned.busy if cleaned is not None else [])]
    for path in busy:
        say(f"a file in it is still open, clean again when it is closed: {path}")
    if cleaned is None and not unfinished.removed and not left:
        say(f"nothing of aibench's is under {target}")
    raise SystemExit(1 if left or busy else 0)


def _clean(target: str) -> tuple[Cleaned | None, Cleaned]:
    """What was removed of the workspace, where there is one, and of half-made ones."""
    workspace = find(target)
    if workspace is None:
        return None, clean_unfinished(os.path.realpath(target))
    try:
        workspace.lock()
        return clean(workspace), clean_unfinished(os.path.realpath(target))
    finally:
        workspace.close()
