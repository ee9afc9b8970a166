"""Real files of real populations, written and checked by the tests."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aibench.engine import Site
from aibench.engines.posix import PosixEngine
from aibench.formats.content import BLOCK, Content
from aibench.formats.files import path_of, size_of
from aibench.model import Measurement, Operation, Phase, Population, Sizes
from tests import build

#: Sizes around and across blocks and buffers, hardly one of them even.
ODD = Sizes(distribution="lognormal", mean=20_000, sigma=1.2, smallest=1, largest=200_000)


def population(files: int = 50, **changes: Any) -> Population:
    """``files`` files of odd sizes in directories of twenty."""
    parts: dict[str, Any] = {"sizes": ODD, "files_per_directory": 20}
    return build.population(files=files, **parts | changes)


def site(root: Path, seed: int = 1) -> Site:
    """A site below ``root``."""
    return Site(root=str(root), target=build.target(), seed=seed, host="client1")


def run(phase: Phase, root: Path, seed: int = 1) -> Measurement:
    """Do ``phase`` on real files below ``root``."""
    (root / phase.population.directory).mkdir(parents=True, exist_ok=True)
    return PosixEngine().run(phase, site(root, seed), lambda *_: None)


def write(root: Path, files: Population) -> Path:
    """Write all of ``files`` and return their directory."""
    run(build.phase(operation=Operation.WRITE_FILES, population=files), root)
    return root / files.directory


def content(files: Population, index: int) -> bytes:
    """What file ``index`` has to hold."""
    size = size_of(files, index)
    buffer = np.zeros(max(-(-size // BLOCK), 1) * BLOCK, dtype=np.uint8)
    Content(files.seed).fill(buffer, index, 0)
    return buffer[:size].tobytes()


def assert_written(directory: Path, files: Population) -> None:
    """Exactly the files of the population are there, byte for byte."""
    names = {path_of(files, index) for index in range(files.files)}
    assert set(present(directory)) == names
    for index in range(files.files):
        assert (directory / path_of(files, index)).read_bytes() == content(files, index)


def present(directory: Path) -> Iterator[str]:
    """All files below ``directory``, by their relative paths."""
    for base, _, found in os.walk(directory):
        yield from (os.path.relpath(os.path.join(base, name), directory) for name in found)
