"""Saves and loads checkpoints of one rank in a process of its own, as a trainer does."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aibench.calls import real_calls
from aibench.engines.posix import PosixEngine
from aibench.formats.format import Access, format_of
from aibench.formats.slicing import Slicing
from aibench.generators.checkpoint import TOLD
from aibench.model import Measurement, Operation, Population, Sizes, Slice, SyncPolicy
from tests import build
from tests.engines.files import site
from tests.fidelity.tracing import Mix, trace

_PROGRAM = "from tests.fidelity.saving import main; main()"


def population(
    form: str,
    shards: Sequence[int],
    tensors: Sequence[int] = (),
    columns: Sequence[int] = (),
) -> Population:
    """One checkpoint of these shards; in formats dcp and ocdbt other files tell what is where."""
    sizes = [0, *shards] if form in TOLD else list(shards)
    sizes += [0] if form == "ocdbt" else []
    return build.population(
        directory="data", files=len(sizes), format=form, tensors=tuple(tensors),
        columns=tuple(columns), files_per_directory=len(sizes),
        sizes=Sizes(
            distribution="listed", mean=max(sizes), smallest=0,
            listed=tuple((1, size) for size in sizes),
        ),
    )  # fmt: skip


def save(files: Population, root: Path, **changes: Any) -> Measurement:
    """Save a checkpoint below ``root``, in this process' children."""
    asked: dict[str, Any] = {
        "processes": 1,
        "sync": SyncPolicy.NONE,
        "marked": files.format in TOLD,
    }
    phase = build.phase(population=files, operation=Operation.SAVE_SHARDS, **asked | changes)
    (root / files.directory).mkdir(parents=True, exist_ok=True)
    return PosixEngine().run(phase, site(root), lambda *_: None)


def load(
    files: Population, root: Path, reader: str, needed: Sequence[Slice] = (), **access: Any
) -> list[int]:
    """Load all shards of a checkpoint once, or what is ``needed``; the bytes asked for each."""
    fd = os.open(root / files.directory, os.O_RDONLY)
    try:
        made = format_of(files).readers[reader].make(Access(real_calls(), fd, files, **access))
        if needed:
            assert isinstance(made, Slicing)
            return list(made.slices(needed))
        return list(made.samples(iter([np.arange(files.files, dtype=np.int64)])))
    finally:
        os.close(fd)


def traced(asked: dict[str, Any], root: Path) -> Mix:
    """The system calls of `save`, or of `load` with a ``reader``, in a process of its own.

    ``asked`` has the ``format``, the ``shards`` and the ``tensors``.
    """
    what = json.dumps(asked | {"root": str(root)})
    log = root / f"ours-{asked.get('reader', 'save')}.log"
    return trace([sys.executable, "-c", _PROGRAM, what], root / "data", log)


def main() -> None:
    """Do as the first argument says."""
    asked = json.loads(sys.argv[1])
    files = population(asked["format"], asked["shards"], asked["tensors"], asked.get("columns", ()))
    if "reader" in asked:
        needed = [Slice(**part) for part in asked.get("needed", ())]
        load(files, Path(asked["root"]), asked["reader"], needed, block=asked["block"])
    else:
        save(files, Path(asked["root"]), sync=SyncPolicy(asked["sync"]))
