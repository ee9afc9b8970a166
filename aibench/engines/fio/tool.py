"""fio as a program: where it is, what it can do, and one run of it."""

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache

from aibench import process
from aibench.engine import Site
from aibench.engines.fio import job, outcome
from aibench.engines.fio.output import Reading, Splitter
from aibench.errors import WorkerFailed
from aibench.model import Operation, Phase
from aibench.probes.patience import Patience

_SECOND = 10**9
_PROBE_SECONDS = 20
_ENVIRONMENT = {"LC_ALL": "C"}

INSTALL = (
    "fio is not installed; block workloads need it: apt-get install fio (Debian, Ubuntu), "
    "dnf install fio (Fedora, RHEL), zypper install fio (SUSE)"
)


def version(program: str) -> str | None:
    """What ``program --version`` says, such as ``3.33``; None where it is not installed."""
    path = shutil.which(program)
    return None if path is None else _version(path)


@cache
def _version(path: str) -> str | None:
    finished = process.run([path, "--version"], timeout_seconds=_PROBE_SECONDS)
    said = finished.output.decode(errors="replace").strip()
    return said.removeprefix("fio-") if finished.status == 0 and said else None


def works(program: str, ioengine: str) -> bool:
    """Whether this fio and this kernel have an engine, by trying it."""
    return _works(_found(program), ioengine)


def _found(program: str) -> str:
    """Its path; WorkerFailed where it is not installed."""
    path = shutil.which(program)
    if path is None:
        raise WorkerFailed(INSTALL)
    return path


@cache
def _works(path: str, ioengine: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="aibench-fio-") as directory:
        with open(os.path.join(directory, "probe"), "wb") as file:
            file.write(bytes(4096))
        command = [path, "--name=probe", "--filename=probe", "--rw=read", "--bs=4096"]
        command += ["--size=4096", "--thread", "--readonly", f"--ioengine={ioengine}"]
        finished = process.run(command, cwd=directory, timeout_seconds=_PROBE_SECONDS)
    return finished.status == 0


def run(
    program: str, phase: Phase, site: Site, text: str, take: Callable[[Reading], None], every: int
) -> process.Finished:
    """Run the job file ``text`` in the workspace; ``take`` gets a reading ``every`` so many ns.

    Raises unless fio ended well, and when it makes no progress for longer than the site allows.
    """
    last: list[Reading] = []
    patience = Patience(site.patience_ns, writes=phase.operation is Operation.WRITE_BLOCKS)

    def note(reading: Reading) -> None:
        last[:] = [reading]
        patience.note(reading.operations, reading.bytes)
        take(reading)

    def check() -> None:
        if patience.is_over():
            raise WorkerFailed(
                f"fio made no progress for {patience.limit_s:g} s in phase {phase.name!r}"
            )

    _found(program)
    splitter = Splitter(job.DIRECTIONS[phase.operation], note)
    finished = process.run(
        _command(program, phase, every),
        cwd=site.root,
        environment=_ENVIRONMENT,
        given=text.encode("ascii"),
        on_output=splitter.feed,
        poll=check,
    )
    error = outcome.failure(finished, last[0] if last else None, splitter.notes, phase.name)
    if error is not None:
        raise error
    return finished


def _command(program: str, phase: Phase, every: int) -> list[str]:
    """With the job on standard input: whoever is killed leaves no file of it."""
    safe = ["--readonly"] if phase.operation is Operation.READ_BLOCKS else []
    status = f"--status-interval={every // 10**6}ms"
    return [program, "--output-format=json+", status, "--eta=never", *safe, "-"]
