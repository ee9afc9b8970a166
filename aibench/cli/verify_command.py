"""``aibench verify``: read back and check what runs left on a target."""

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from aibench.cli.output import say, show
from aibench.cli.signals import interruptible
from aibench.cli.supervisor import tell_patience
from aibench.errors import TargetError
from aibench.probes import mounts
from aibench.units import format_count, format_size, parse_duration
from aibench.workspace import find

if TYPE_CHECKING:
    from aibench.verifier import Verified


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

    Exit code 0 when every byte is as written; 1 when one is wrong, and the first one is named;
    3 when a data set could not be compared, because it is not complete.
    """
    patience_ns = parse_duration(patience)
    tell_patience(patience_ns)
    place = mounts.describe(target)
    if not os.path.isdir(place.path):
        raise TargetError(f"{target} is not a directory")
    checked = _verify(place.path, patience_ns)
    if as_json:
        show(json.dumps({"format": 1, "data": [asdict(one) for one in checked]}, indent=2))
    elif not checked:
        say(f"there is no data of aibench's under {place.path}")
    for one in [] if as_json else checked:
        show(_line(one))
    raise SystemExit(_exit_code(checked))


def _verify(path: str, patience_ns: int) -> list["Verified"]:
    from aibench.cli.progress import Comparing
    from aibench.probes.resources import usable_cpus
    from aibench.verifier import verify
    from aibench.workers.pool import failure

    workspace = find(path)
    if workspace is None:
        return []
    progress = Comparing()
    with interruptible():
        try:
            workspace.lock()
            return list(verify(workspace, usable_cpus(), patience_ns, progress))
        except OSError as error:
            raise failure(error) from error
        finally:
            progress.finish()
            workspace.close()


def _line(one: "Verified") -> str:
    if one.wrong is not None:
        return f"WRONG  {one.what}"
    if not one.complete:
        return f"-      {one.directory}: not compared: {one.what}"
    size = f"{format_count(one.files)} files, {format_size(one.bytes)}"
    return f"ok     {one.directory}: {size}, every byte as written"


def _exit_code(checked: list["Verified"]) -> int:
    if any(one.wrong is not None for one in checked):
        return 1
    return 0 if all(one.complete for one in checked) else 3
