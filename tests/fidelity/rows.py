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
#: A format, how many files, samples in each, bytes of a sample.
Shape = tuple[str, int, int, int]


def population(form: str, files: int, samples: int, length: int) -> Population:
    """A few files of a format, with samples of one length."""
    return reading.population(
        form, files, samples, distribution="fixed", mean=length, sigma=0.0, largest=length
    )


def written(shape: Shape, directory: Path, place: str = "") -> list[str]:
    """Write such files at a place below ``directory / "data"``; their paths."""
    data = directory / "data" / place
    data.parent.mkdir(exist_ok=True)
    reading.write(population(*shape), data)
    return [str(path) for path in sorted(data.glob("d*/f*"))]


def all_written(form: str, shapes: Sequence[tuple[int, int]], directory: Path) -> list[str]:
    """Write two files of each shape (samples of a file, their length) by number; their paths."""
    paths = []
    for number, (samples, length) in enumerate(shapes):
        paths += written((form, 2, samples, length), directory, str(number))
    return paths


def all_files(
    form: str, shapes: Sequence[tuple[int, int]]
) -> list[tuple[Shape, str, Sequence[int]]]:
    """What `ours` is to read of `all_written`: both files of each shape, whole."""
    return [((form, 2, *shape), str(number), range(2)) for number, shape in enumerate(shapes)]


def ours(reader: str, directory: Path, *wanted: tuple[Shape, str, Sequence[int]]) -> Mix:
    """The calls of our reader on what `written` wrote there, for these samples or files of each."""
    asked = [(shape, str(directory / "data" / place), list(n)) for shape, place, n in wanted]
    log = directory / f"strace-{reader}.log"
    words = [sys.executable, "-c", _PROGRAM, json.dumps([reader, asked])]
    return trace(words, directory / "data", log)


def real(program: str, directory: Path, *arguments: str) -> Mix:
    """The calls of a program that reads what `written` wrote."""
    return trace_python(program, *arguments, data=directory / "data", log=directory / "real.log")


def by_file(mix: Mix, *without: str) -> dict[str, Steps]:
    """The steps on each file, in order; none on a directory."""
    found: dict[str, Steps] = {}
    for step in mix.of(*(call for call in _COMPARED if call not in without)):
        if not os.path.isdir(step.path):
            found.setdefault(step.path, []).append((step.call, step.asked, step.came, step.offset))
    return found


def main() -> None:
    """Read as the first argument says."""
    reader, wanted = json.loads(sys.argv[1])
    for shape, directory, numbers in wanted:
        files = population(*shape)
        root = os.open(directory, os.O_RDONLY)
        made = format_of(files).readers[reader].make(Access(real_calls(), root, files))
        for _ in made.samples(iter([np.array(numbers, dtype=np.int64)])):
            pass
        os.close(root)
