"""Writes data in a format, and reads it in a process of its own, as one worker does."""

import json
import sys
from pathlib import Path
from typing import Any

from aibench.calls import real_calls
from aibench.model import Operation, Order, Population, Sizes
from aibench.workers.job import Job, Outcome, Progress
from aibench.workers.loops.read import prepare_read
from aibench.workers.loops.write import prepare_write
from tests import build
from tests.fidelity.tracing import Mix, trace

_PROGRAM = "from tests.fidelity.reading import main; main()"


def population(form: str, files: int, samples: int = 1, **sizes: Any) -> Population:
    """A few files of a format, with photographs as samples where no sizes are given."""
    drawn = {"distribution": "lognormal", "mean": 110_000, "sigma": 0.3, "largest": 2**20} | sizes
    return build.population(
        directory="data", files=files, samples_per_file=samples, format=form, sizes=Sizes(**drawn)
    )


def write(files: Population, directory: Path) -> None:
    """Write all files below ``directory``."""
    phase = build.phase(
        population=files, operation=Operation.WRITE_FILES, processes=1, io_size=2**18
    )
    directory.mkdir(exist_ok=True)
    _run(prepare_write, Job(phase=phase, directory=str(directory), seed=1, calls=real_calls))


def read(files: Population, directory: Path, reader: str, **changes: Any) -> Outcome:
    """Read all samples once in this process, in the order of their numbers."""
    phase = build.phase(
        population=files, processes=1, order=Order.SEQUENTIAL, reader=reader, **changes
    )
    job = Job(phase=phase, directory=str(directory), seed=1, calls=real_calls)
    return _run(prepare_read, job)


def traced(files: Population, directory: Path, reader: str, **changes: Any) -> Mix:
    """The system calls of `read` in a process of its own."""
    asked = {"files": [files.format, files.files, files.samples_per_file], "reader": reader}
    sizes = files.sizes
    asked["sizes"] = {name: getattr(sizes, name) for name in sizes.__slots__ if name != "listed"}
    asked |= {"directory": str(directory), "changes": changes}
    log = directory.parent / f"strace-{reader}.log"
    return trace([sys.executable, "-c", _PROGRAM, json.dumps(asked)], directory, log)


def main() -> None:
    """Read as the first argument says."""
    asked = json.loads(sys.argv[1])
    form, files, samples = asked["files"]
    found = population(form, files, samples, **asked["sizes"])
    read(found, Path(asked["directory"]), asked["reader"], **asked["changes"])


def _run(prepare: Any, job: Job) -> Outcome:
    outcome = prepare(job, 0, Progress(memoryview(bytearray(16)).cast("q"), 0))(
        real_calls().clock()
    )
    assert isinstance(outcome, Outcome)
    return outcome
