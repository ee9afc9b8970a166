"""What real libraries did, as it was recorded, and what our readers do on files of those sizes."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from aibench.calls import Calls, real_calls
from aibench.formats.files import path_of, sizes_of
from aibench.formats.format import Access, format_of
from tests.fidelity import edges

_RECORDED = Path(__file__).parents[1] / "data" / "io_patterns"
_COUNTED = ("open", "close", "fstat", "isatty", "map", "unmap", "touch")


def figures(name: str) -> dict[str, Any]:
    """A recorded summary, cut to what tests need."""
    found: dict[str, Any] = json.loads((_RECORDED / f"{name}.json").read_text())
    return found


@dataclass(slots=True)
class Replay:
    """The system calls of one of our readers, and the bytes that it says."""

    bytes: int = 0
    reads: list[tuple[int, int]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def calls(self, *names: str) -> dict[str, int]:
        """How often each of these calls was made."""
        return {name: self.counts[name] for name in names}

    @property
    def asked(self) -> Counter[int]:
        """How many reads asked for so many bytes."""
        return Counter(asked for asked, _ in self.reads)

    @property
    def came(self) -> Counter[int]:
        """How many reads got so many bytes."""
        return Counter(came for _, came in self.reads)

    def watched(self, calls: Calls) -> Calls:
        """``calls``, each noted."""

        def readv(fd: int, buffers: list[memoryview]) -> int:
            came: int = calls.readv(fd, buffers)
            self.counts["read"] += 1
            self.reads.append((sum(map(len, buffers)), came))
            return came

        def counted(name: str) -> Any:
            call = getattr(calls, name)

            def counting(*arguments: Any, **named: Any) -> Any:
                self.counts[name] += 1
                return call(*arguments, **named)

            return counting

        names = (*_COUNTED, "lseek")
        return replace(calls, readv=readv, **{name: counted(name) for name in names})


def replay(directory: Path, form: str, sizes: Sequence[int], reader: str, **access: Any) -> Replay:
    """Read files with samples of these sizes, which hold nothing but zeros and take no space."""
    files = edges.population(form, sizes)
    numbers = np.arange(files.files, dtype=np.int64)
    for number, size in enumerate(sizes_of(files, numbers).tolist()):
        path = directory / path_of(files, number)
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.truncate(path, size)
    found = Replay()
    root = os.open(directory, os.O_RDONLY)
    try:
        made = (
            format_of(files)
            .readers[reader]
            .make(Access(found.watched(real_calls()), root, files, **access))
        )
        found.bytes = sum(made.samples(iter([numbers])))
    finally:
        os.close(root)
    return found
