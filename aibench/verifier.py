"""Reads the data sets on a target back, and compares every byte with what was to be written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aibench.formats.files import path_of
from aibench.model import Operation, Phase, Population
from aibench.workers.calls import real_calls
from aibench.workers.job import Job
from aibench.workers.loops.verify import prepare_verify
from aibench.workers.pool import run_pool
from aibench.workspace import Workspace, dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """One data set: how much was compared, and the first wrong byte if there is one.

    ``wrong`` names the file, and ``offset`` the byte in it. ``complete`` is False for a data set
    that was never written to its end; it is not compared.
    """

    directory: str
    files: int
    bytes: int
    complete: bool
    wrong: str | None = None
    offset: int | None = None


def verify(
    workspace: Workspace, processes: int, patience_ns: int, report: Callable[[str, int, int], None]
) -> Iterator[Verified]:
    """Compare every data set of ``workspace``. `errors.RunFailed` when the target fails."""
    for population, complete in dataset.on_disk(workspace):
        if not complete:
            yield Verified(directory=population.directory, files=0, bytes=0, complete=False)
            continue
        yield _verify_one(workspace, population, processes, patience_ns, report)


def _verify_one(
    workspace: Workspace,
    population: Population,
    processes: int,
    patience_ns: int,
    report: Callable[[str, int, int], None],
) -> Verified:
    phase = Phase(
        name="verify",
        operation=Operation.READ_FILES,
        population=population,
        processes=min(processes, population.files),
        measured=False,
    )
    directory = workspace.path(population.directory)
    job = Job(phase=phase, directory=directory, seed=0, calls=real_calls)
    _, outcomes = run_pool(
        job,
        prepare_verify,
        lambda operations, moved: report(population.directory, operations, moved),
        patience_ns,
    )
    wrong = min((o.wrong for o in outcomes if o.wrong is not None), default=None)
    return Verified(
        directory=population.directory,
        files=sum(outcome.operations for outcome in outcomes),
        bytes=sum(outcome.bytes for outcome in outcomes),
        complete=True,
        wrong=None if wrong is None else f"{directory}/{path_of(population, wrong[0])}",
        offset=None if wrong is None else wrong[1],
    )
