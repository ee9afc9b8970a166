"""Namespace operations on real files."""

from pathlib import Path

from aibench.formats.files import path_of
from aibench.model import Operation, Sizes
from tests import build
from tests.engines.files import assert_written, population, present, run


def test_names_live_and_die(tmp_path: Path) -> None:
    """Names are created, looked at, opened, listed, renamed and deleted, each exactly once."""
    files = population(130, sizes=Sizes(distribution="fixed", mean=0, smallest=0))
    directory = tmp_path / files.directory
    counts = {}
    for operation in (Operation.CREATE, Operation.STAT, Operation.OPEN_CLOSE, Operation.LIST,
                      Operation.RENAME):  # fmt: skip
        shift = 0 if operation is Operation.CREATE else 1
        phase = build.phase(operation=operation, population=files, processes=3, shift=shift)
        counts[operation] = run(phase, tmp_path).operations
        if operation is Operation.CREATE:
            assert_written(directory, files)
    assert counts == dict.fromkeys(counts, 130) | {Operation.LIST: 7}
    renamed = {path_of(files, index).replace("/f", "/r") for index in range(130)}
    assert set(present(directory)) == renamed
    phase = build.phase(operation=Operation.DELETE, population=files, processes=3, shift=1)
    assert run(phase, tmp_path).operations == 130
    assert list(present(directory)) == []
