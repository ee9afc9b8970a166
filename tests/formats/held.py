"""What holds for every format: files are what they are said to be, and a wrong byte is found."""

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aibench.calls import Calls, real_calls
from aibench.engines.null import NullEngine
from aibench.formats.files import sizes_of, total_bytes
from aibench.formats.format import format_named
from aibench.formats.packing import Packer
from aibench.model import Operation, Phase, Population
from aibench.workers.job import Job, Outcome, Progress
from aibench.workers.loops.verify import prepare_verify
from aibench.workers.loops.write import prepare_write
from tests import build
from tests.engines.by_hand import site
from tests.fidelity import edges


def packed(files: Population, number: int, room: int = 2**18) -> bytes:
    """The bytes of a file, put together by way of a buffer of ``room`` bytes."""
    buffer = memoryview(bytearray(room))
    return b"".join(bytes(piece) for piece in Packer(files).pack(number, buffer))


def assert_exact(form: str, sizes: Sequence[int]) -> None:
    """Every file has the size that it is said to have, with any buffer the same bytes."""
    files = edges.population(form, sizes)
    said = sizes_of(files, np.arange(files.files, dtype=np.int64)).tolist()
    for number, size in enumerate(said):
        data = packed(files, number)
        assert len(data) == size
        assert packed(files, number, 4097) == data


def assert_verified(form: str, sizes: Sequence[int], directory: Path) -> None:
    """Files verify as written; a byte that is turned, missing or surplus is named."""
    paths = [Path(path) for path in edges.write(form, sizes, directory)]
    files = edges.population(form, sizes)
    assert _first_wrong(files, directory) is None
    choice = random.Random(1)
    for number, path in enumerate(paths):
        data = path.read_bytes()
        length = len(data)
        places = {0, length // 2, length - 1, *choice.choices(range(min(length, 700)), k=6)}
        places |= {max(length - back, 0) for back in choice.choices(range(1, 300), k=6)}
        for place in sorted(places):
            turned = bytearray(data)
            turned[place] ^= 1 << choice.randrange(8)
            path.write_bytes(turned)
            assert _first_wrong(files, directory) == (number, place)
        path.write_bytes(data[:-1])
        assert _first_wrong(files, directory) == (number, length - 1)
        path.write_bytes(data + b"\0")
        assert _first_wrong(files, directory) == (number, length)
        path.write_bytes(data)


def assert_resumed(form: str, sizes: Sequence[int], directory: Path) -> None:
    """Files that were lost, or left in the middle, are written again as they were."""
    paths = [Path(path) for path in edges.write(form, sizes, directory)]
    files = edges.population(form, sizes)
    before = [path.read_bytes() for path in paths]
    paths[0].unlink()
    os.truncate(paths[-1], len(before[-1]) // 2)
    phase = build.phase(
        population=files, operation=Operation.WRITE_FILES, processes=1, io_size=8192
    )
    _run(prepare_write, phase, directory, only=(0,))
    assert [path.read_bytes() for path in paths] == before


def assert_null_reads_all(form: str, sizes: Sequence[int], readers: Sequence[str]) -> None:
    """With the null engine every reader tells as many bytes as the files have."""
    files = edges.population(form, sizes)
    for reader in readers:
        phase = build.phase(population=files, reader=reader, io_size=2**18)
        measured = NullEngine().run(phase, site(), lambda *_: None)
        assert (measured.operations, measured.bytes) == (files.files, total_bytes(files)), reader


def assert_refused(form: str, sizes: Sequence[int], why: str) -> None:
    """A population of these sizes can't have this format, for a reason that is named."""
    refused = format_named(form).refusal(edges.population(form, sizes))
    assert refused is not None
    assert why in refused


def _run(prepare: Any, phase: Phase, directory: Path, **changes: Any) -> Outcome:
    """Run a loop in this process; what a worker leaves open until it ends is closed."""
    opened: list[int] = []

    def calls() -> Calls:
        real = real_calls()

        def noted(path: bytes, flags: int, *arguments: Any, **named: Any) -> int:
            descriptor: int = real.open(path, flags, *arguments, **named)
            if flags & os.O_DIRECTORY:
                opened.append(descriptor)
            return descriptor

        return replace(real, open=noted)

    job = Job(phase=phase, directory=str(directory), seed=1, calls=calls, **changes)
    try:
        outcome: Outcome = prepare(job, 0, Progress(memoryview(bytearray(16)).cast("q"), 0))(
            real_calls().clock()
        )
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return outcome


def _first_wrong(files: Population, directory: Path) -> tuple[int, int] | None:
    phase = build.phase(population=files, processes=1)
    return _run(prepare_verify, phase, directory).wrong
