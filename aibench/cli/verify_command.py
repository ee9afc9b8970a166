"""``aibench verify``: read back and check what runs left on a target."""

import json
from dataclasses import asdict

import click

from aibench.cli.options import find_target
from aibench.cli.output import say
from aibench.cli.signals import interruptible
from aibench.units import format_count, format_size, parse_duration
from aibench.workspace import find


@click.command("verify")
@click.argument("target", type=click.Path())
@click.option(
    "--patience",
    default="120s",
    show_default=True,
    metavar="TIME",
    help="Give up when nothing happens for this long.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(target: str, patience: str, as_json: bool) -> None:
    """Read every data set under TARGET back and compare every byte.

    Exit code 1 when a byte is wrong; the first one is named.
    """
    from aibench.probes.resources import usable_cpus
    from aibench.verifier import verify

    place = find_target(target, None, None)
    workspace = find(place.path)
    checked = []
    if workspace is not None:
        with interruptible():
            try:
                workspace.lock()
                checked = list(
                    verify(workspace, usable_cpus(), parse_duration(patience), lambda *_: None)
                )
            finally:
                workspace.close()
    if as_json:
        click.echo(json.dumps({"format": 1, "data": [asdict(one) for one in checked]}, indent=2))
    elif not checked:
        say(f"there is no data of aibench's under {place.path}")
    for one in [] if as_json else checked:
        size = f"{format_count(one.files)} files, {format_size(one.bytes)}"
        if one.wrong is not None:
            click.echo(
                f"WRONG  {one.directory}: first wrong byte at offset {one.offset} of {one.wrong}"
            )
        elif one.complete:
            click.echo(f"ok     {one.directory}: {size}, every byte as written")
        else:
            click.echo(f"-      {one.directory}: not complete, so not compared")
    raise SystemExit(1 if any(one.wrong for one in checked) else 0)
