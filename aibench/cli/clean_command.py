"""``aibench clean``: remove what aibench made on a target, and nothing else."""

import os

import click

from aibench.cli.output import say
from aibench.errors import TargetError
from aibench.units import format_count, format_size
from aibench.workspace import find
from aibench.workspace.clean import clean, clean_unfinished


@click.command("clean")
@click.argument("target", type=click.Path())
def command(target: str) -> None:
    """Remove the data that aibench left under TARGET.

    Only names that aibench gives are removed; anything else is left alone and named, and then
    the exit code is 1.
    """
    if not os.path.isdir(target):
        raise TargetError(f"{target} is not a directory")
    workspace = find(target)
    unfinished = clean_unfinished(os.path.realpath(target))
    if workspace is None:
        if unfinished.files:
            say("removed what a killed run had begun")
        else:
            say(f"nothing of aibench's is under {target}")
        raise SystemExit(0)
    try:
        workspace.lock()
        cleaned = clean(workspace)
    finally:
        workspace.close()
    say(f"removed {format_count(cleaned.files)} files, {format_size(cleaned.bytes)}")
    for path in cleaned.left:
        say(f"left alone, because aibench did not make it: {path}")
    raise SystemExit(1 if cleaned.left else 0)
