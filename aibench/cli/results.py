"""Where records go, and how they are found again."""

import os
from collections.abc import Sequence
from pathlib import Path

from aibench.errors import RecordError, Refused
from aibench.model import Finding, RunRecord, Target
from aibench.probes import mounts
from aibench.store import SUFFIX, read

_DEFAULT = "results/runs"


def directory(given: str | None, target: Target | None = None) -> tuple[str, tuple[Finding, ...]]:
    """(directory for records, warnings). ``--results``, else ``$AIBENCH_RESULTS``, else default.

    `Refused` when the default lies on the mount under test: that has to be asked for. The root
    filesystem is let through with a warning, because there may be no other.
    """
    chosen = given or os.environ.get("AIBENCH_RESULTS") or None
    place = chosen or _DEFAULT
    if target is None or not _same_mount(place, target):
        return place, ()
    if chosen is None and target.mount_point != "/":
        raise Refused(
            f"the default directory for results, {os.path.abspath(place)}, is on the mount under "
            "test; give another one with --results DIR (or this one, if you mean it)"
        )
    message = f"records are written to {place}, on the filesystem under test, between the phases"
    return place, (Finding(code="results_on_target", message=message),)


def prepare(place: str) -> None:
    """Make the directory for records. `Refused` where none could be written there."""
    try:
        os.makedirs(place, exist_ok=True)
        why = mounts.writable_problem(place)
    except (FileExistsError, NotADirectoryError):
        why = "It is, or lies below, a file."
    except OSError as error:
        why = f"It can't be made: {(error.strerror or str(error)).lower()}."
    if why is not None:
        raise Refused(
            f"records can't be written to {os.path.abspath(place)}. {why} "
            "Give another directory with --results DIR."
        )


def _same_mount(place: str, target: Target) -> bool:
    path = Path(os.path.abspath(place))
    while not path.exists():
        path = path.parent
    number = os.stat(path).st_dev
    return f"{os.major(number)}:{os.minor(number)}" == target.device_id


def load(run: str, results: str | None) -> tuple[RunRecord, str]:
    """(record, path) of ``run``: a file, or the id of a run in the results directory, or ``last``.

    `RecordError` when there is none, or several.
    """
    if os.path.isfile(run):
        return read(run), run
    place, _ = directory(results)
    names = (
        sorted(n for n in os.listdir(place) if n.endswith(SUFFIX)) if os.path.isdir(place) else []
    )
    fitting = names[-1:] if run == "last" else _named(run, names)
    if len(fitting) != 1:
        what = "no record" if not fitting else f"{len(fitting)} records"
        of_that = "" if run == "last" else f" with {run!r} in its name"
        raise RecordError(
            f"{what}{of_that} in {os.path.abspath(place)}; give the path of a record (.jsonl), "
            "the id of a run, or 'last', and --results DIR where it is elsewhere"
        )
    path = os.path.join(place, fitting[0])
    return read(path), path


def load_all(
    runs: Sequence[str], results: str | None, taken: Sequence[RunRecord] = ()
) -> list[RunRecord]:
    """The records of ``runs`` as `load` finds them. `Refused` where one comes twice.

    ``taken`` are records that may not come again, because they stand on another side.
    """
    found: list[RunRecord] = []
    for run in runs:
        record, path = load(run, results)
        if any(record.run_id == other.run_id for other in found):
            raise Refused(f"{path} was given twice: a run counts once")
        if any(record.run_id == other.run_id for other in taken):
            raise Refused(f"{path} stands on both sides: a run is no baseline of itself")
        found.append(record)
    return found


def _named(run: str, names: list[str]) -> list[str]:
    exact = [name for name in names if run and name.removesuffix(SUFFIX) == run]
    return exact or [name for name in names if run and run in name]
