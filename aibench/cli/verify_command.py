"""``aibench verify``: read back and check what runs left on a target."""

import json
import os
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn

import click

from aibench.cli.chosen import chosen_system
from aibench.cli.output import say, show
from aibench.cli.signals import interruptible
from aibench.cli.supervisor import tell_patience
from aibench.errors import Refused, TargetError
from aibench.probes import mounts
from aibench.reporters.wording import counted
from aibench.units import format_count, format_size, parse_duration
from aibench.workspace import find

if TYPE_CHECKING:
    from aibench.cli.crossed import Crossed
    from aibench.verifier import Verified


@click.command("verify")
@click.argument("target", type=click.Path())
@click.option(
    "--written-through",
    "written",
    type=click.Path(),
    metavar="MOUNT",
    help="Runs wrote it through this mount of the same storage, over another protocol.",
)
@click.option("--system", metavar="FILE", help="With --written-through: what the mount is (TOML).")
@click.option(
    "--repeats",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="With --written-through: read all of it N times.  [default: 3]",
)
@click.option(
    "--results",
    "results_dir",
    metavar="DIR",
    help="With --written-through: where the record goes.  [default: $AIBENCH_RESULTS, else "
    "results/runs]",
)
@click.option(
    "--patience",
    default="120s",
    show_default=True,
    metavar="TIME",
    help="Give up when nothing happens for this long.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(target: str, written: str | None, patience: str, as_json: bool, **given: Any) -> None:
    """Read every data set under TARGET back and compare every byte.

    With --written-through the data that 'aibench run MOUNT' left is read through TARGET, another
    mount of the same storage, past this client's caches, and a record of that is kept: 'aibench
    judge' holds it against claims on several protocols.

    Exit code 0 when every byte is as written; 1 when one is wrong, and the first one is named;
    3 when a data set could not be compared, and why is told.
    """
    patience_ns = parse_duration(patience)
    tell_patience(patience_ns)
    if written is not None:
        _cross(target, written, given, patience_ns, as_json=as_json)
    for name, value in given.items():
        if value is not None:
            option = name.removesuffix("_dir")
            raise Refused(f"--{option} goes with --written-through, which keeps a record")
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
    from aibench.workers.failure import failure

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


def _cross(
    target: str, written: str, given: dict[str, Any], patience_ns: int, *, as_json: bool
) -> NoReturn:
    """Read through another mount, tell what came back, and exit with what that means."""
    from aibench.cli.crossed import REPEATS, crossed

    system, repeats = chosen_system(given["system"]), given["repeats"] or REPEATS
    found, left, path = crossed(target, written, system, repeats, given["results_dir"], patience_ns)
    if as_json:
        told = {"format": 1, "data": [asdict(one) for one in found], "not_compared": left}
        show(json.dumps({**told, "record": path}, indent=2))
    else:
        for one in found:
            show(_crossed_line(one))
        for each in left:
            show(f"-      {each}")
    wrong = any(one.wrong_bytes for one in found)
    if wrong:
        say(f"to name the first wrong byte: aibench verify {shlex.quote(target)}")
    say(f"record  {shlex.quote(path)}")
    say(f"to judge claims by it: aibench judge {shlex.quote(path)}")
    raise SystemExit(1 if wrong else 3 if left else 0)


def _crossed_line(one: "Crossed") -> str:
    size = f"{format_count(one.files)} files, {format_size(one.bytes)}"
    readings = counted(one.times, "reading")
    if not one.wrong_bytes:
        return f"ok     {one.directory}: {size}, as written in {readings}"
    wrong = f"{counted(one.wrong_bytes, 'byte')} in {counted(one.wrong_files, 'file')}"
    return f"WRONG  {one.directory}: {wrong} wrong, of {size}"
