"""Reads given samples, or whole files, in a process of its own, and what it does to the files."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aibench.calls import real_calls
from aibench.formats.format import Access, format_of
from aibench.model import Population
from tests.fidelity import reading
from tests.fidelity.tracing import Mix, trace, trace_python

_PROGRAM = "from tests.fidelity.rows import main; main()"
#: What is not compared: it does not reach a device, or Python does it when it maps a file.
_COMPARED = ("open", "close", "read", "pread", "fadvise64", "flock", "mmap")

#: (call, bytes asked for, bytes that came, first byte) of one file, in order.
Steps = list[tuple[str, int, int, int]]


def population(form: str, files: int, samples: int, length: int) -> Population:
    """A few files of a format, with samples of one length."""
    return reading.population(
        form, files, samples, distribution="fixed", mean=length, sigma=0.0, largest=length
    )


def written(form: str, files: int, samples: int, length: int, directory: Path) -> list[str]:
    """Write such files below ``directory / "data"``; their paths."""
    reading.write(population(form, files, samples, length), directory / "data")
    return [str(path) for path in sorted((directory / "data").glob("d*/f*"))]


def ours(
    shape: tuple[str, int, int, int], directory: Path, reader: str, numbers: Sequence[int]
) -> Mix:
    """The calls of our reader on what `written` wrote, for these samples or files."""
    asked = json.dumps([shape, str(directory / "data"), reader, list(numbers)])
    log = directory / f"strace-{reader}.log"
    return trace([sys.executable, "-c", _PROGRAM, asked], directory / "data", log)


def real(program: str, directory: Path, *arguments: str) -> Mix:
    """The calls of a program that reads what `written` wrote."""
    return trace_python(program, *arguments, data=directory / "data", log=directory / "real.log")


def by_file(mix: Mix, *without: str) -> dict[str, Steps]:
    """The steps on each file, in order."""
    found: dict[str, Steps] = {}
    for step in mix.of(*(call for call in _COMPARED if call not in without)):
        found.setdefault(step.path, []).append((step.call, step.asked, step.came, step.offset))
    return found


def main() -> None:
    """Read as the first argument says."""
    shape, directory, reader, numbers = json.loads(sys.argv[1])
    files = population(*shape)
    access = Access(real_calls(), os.open(directory, os.O_RDONLY), files)
    for _ in (
        format_of(files)
        .readers[reader]
        .make(access)
        .samples(iter([np.array(numbers, dtype=np.int64)]))
    ):
        pass
