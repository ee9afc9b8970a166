"""``aibench verify --written-through``: what went in over one protocol comes out over another."""

import os
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from aibench.cli import output, results
from aibench.cli.measuring import Asked, Session, possible
from aibench.cli.named import Engines
from aibench.cli.signals import interruptible
from aibench.crossing import comparable, crossing
from aibench.errors import Refused, RunFailed, TargetError
from aibench.formats.files import total_bytes
from aibench.judge.functional import WRITTEN_THROUGH
from aibench.model import RunRecord, System, Target
from aibench.planner import unfit
from aibench.probes import mounts, resources
from aibench.workers.failure import failure
from aibench.workspace import Workspace, dataset, find

#: As many as the judge asks for.
REPEATS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """One data set of ``bytes`` that was read ``times`` over.

    ``wrong_bytes`` in ``wrong_files`` are those of the reading with the most of them.
    """

    directory: str
    files: int
    bytes: int
    times: int
    wrong_bytes: int
    wrong_files: int


def crossed(
    target: str, written: str, system: System | None, repeats: int, results_dir: str | None,
    patience_ns: int,
) -> tuple[list[Crossed], list[str], str]:  # fmt: skip
    """(what came back through ``target``, what was not compared and why, path of the record).

    `Refused` where the two are not two protocols to the same data, `RunFailed` where the reading
    did not end well.
    """
    place, origin = _two(target, written)
    folder, remarks = results.directory(results_dir, place)
    results.prepare(folder)
    with ExitStack() as closing, interruptible():
        try:
            workspace = _shared(place, origin, closing)
            found = dataset.on_disk(workspace)
        except OSError as error:
            raise failure(error) from error
        good, left = comparable(found, origin.fstype)
        if not good:
            raise Refused(_nothing(place, origin, left))
        plan = crossing(good, repeats, resources.usable_cpus())
        roomy = replace(place, free_bytes=None, free_inodes=None)
        if problems := unfit(plan, roomy, resources.available_memory(), {}):
            raise Refused("\n".join(problems))
        labels = {WRITTEN_THROUGH: origin.fstype}
        asked = Asked(place, plan, Engines(), system, labels=labels)
        session = Session(possible(asked, workspace), folder, remarks)
        record, path = session.measure(workspace, patience_ns)
    if record.reasons:
        output.say(f"record  {shlex.quote(path)}")
        raise RunFailed(f"the run failed: {record.reasons[0].message}")
    return list(_counted(record)), left, path


def _two(target: str, written: str) -> tuple[Target, Target]:
    """The mount to read through and the one that was written through, told apart by their type."""
    for path in (target, written):
        if not os.path.isdir(path):
            raise TargetError(f"{path} is not a directory")
    place, origin = mounts.describe(target), mounts.describe(written)
    if place.fstype == origin.fstype:
        raise Refused(
            f"{target} and {written} are both {place.fstype}: that is one protocol; give a mount "
            "of the same storage over another one, such as nfs4 and cifs"
        )
    return place, origin


def _shared(place: Target, origin: Target, closing: ExitStack) -> Workspace:
    """The locked workspace of ``place``. `Refused` where ``origin`` shows another one.

    A run that holds it through either mount is met; both locks are never held at once, because a
    server may take them for each other's.
    """
    spaces = []
    for each in (origin, place):
        space = find(each.path)
        if space is None:
            raise Refused(f"there is no data of aibench's under {each.path}\n{_write_some(origin)}")
        closing.callback(space.close)
        spaces.append(space)
    first, second = spaces
    if not second.token or first.token != second.token:
        raise Refused(
            f"{origin.path} and {place.path} do not show the same data: {first.root} and "
            f"{second.root} were made apart; mount the same directory of the same storage"
        )
    first.lock()
    first.unlock()
    second.lock()
    return second


def _nothing(place: Target, origin: Target, left: Sequence[str]) -> str:
    what = f"nothing written over {origin.fstype} can be read back under {place.path}"
    return "\n".join([what, *(f"  {each}" for each in left), _write_some(origin)])


def _write_some(origin: Target) -> str:
    return f"to write some: aibench run {shlex.quote(origin.path)} -w load-imagenet"


def _counted(record: RunRecord) -> list[Crossed]:
    found = []
    for stage in record.plan.stages:
        population = stage.measured[0].population
        done = [s.measurement for s in record.samples if s.workload == stage.workload]
        found.append(
            Crossed(
                directory=population.directory,
                files=population.files,
                bytes=total_bytes(population),
                times=len(done),
                wrong_bytes=max((each.wrong_bytes or 0 for each in done), default=0),
                wrong_files=max((each.errors for each in done), default=0),
            )
        )
    return found
