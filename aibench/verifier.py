"""Reads the data sets on a target back, and compares every byte with what was to be written."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from aibench.calls import real_calls
from aibench.formats.files import path_of, size_of
from aibench.model import Operation, Phase, Population
from aibench.workers.job import Job
from aibench.workers.loops.verify import prepare_verify
from aibench.workers.pool import run_pool
from aibench.workspace import Workspace, dataset

#: Told of the population that is compared, and of the operations and bytes done in it.
Listener = Callable[[Population, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """One data set: how much was compared, and the first wrong byte if there is one.

    ``wrong`` names the file, ``offset`` the byte in it, and ``what`` says in words what is wrong.
    A data set that is not ``complete`` is not compared, and ``what`` says why.
    """

    directory: str
    files: int
    bytes: int
    complete: bool
    wrong: str | None = None
    offset: int | None = None
    what: str = ""


def verify(
    workspace: Workspace, processes: int, patience_ns: int, listen: Listener
) -> Iterator[Verified]:
    """Compare every data set of ``workspace``. `errors.RunFailed` when the target fails."""
    for found in dataset.on_disk(workspace):
        if found.population is not None and found.complete:
            yield _verify_one(workspace, found.population, processes, patience_ns, listen)
            continue
        what = (
            "its manifest.json is missing, damaged or was edited"
            if found.population is None
            else "it was never written to its end; the next run completes it"
        )
        yield Verified(directory=found.directory, files=0, bytes=0, complete=False, what=what)


def _verify_one(
    workspace: Workspace,
    population: Population,
    processes: int,
    patience_ns: int,
    listen: Listener,
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
        lambda operations, moved: listen(population, operations, moved),
        patience_ns,
    )
    first = min(((*o.wrong, o.suffix) for o in outcomes if o.wrong is not None), default=None)
    verified = Verified(
        directory=population.directory,
        files=sum(outcome.operations for outcome in outcomes),
        bytes=sum(outcome.bytes for outcome in outcomes),
        complete=True,
    )
    return verified if first is None else _blamed(verified, directory, population, *first)


def _blamed(
    verified: Verified,
    directory: str,
    population: Population,
    index: int,
    offset: int,
    suffix: str,
) -> Verified:
    """``verified`` with what is wrong with the file ``index``, first at ``offset``."""
    path = f"{directory}/{path_of(population, index)}{suffix}"
    expected = size_of(population, index, suffix)
    try:
        actual = os.stat(path, follow_symlinks=False).st_size
    except OSError:
        actual = None
    if actual is None:
        what = f"{path} is missing"
    elif offset == actual < expected:
        what = f"{path} ends after {actual} bytes, and {expected} were written"
    elif offset == expected < actual:
        what = f"{path} goes on after the {expected} bytes that were written, to {actual}"
    else:
        what = f"{path}: the byte at offset {offset} is wrong, the first one"
    return replace(verified, wrong=path, offset=offset, what=what)
