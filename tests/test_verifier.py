"""Verification finds every kind of wrong data, and says where it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from aibench.engine import Site
from aibench.engines.posix import PosixEngine
from aibench.formats.files import path_of
from aibench.model import Operation, Population
from aibench.verifier import Verified, verify
from aibench.workspace import Workspace, dataset
from aibench.workspace.root import make
from tests import build

POPULATION = build.population(files=40)
PATIENCE = 30 * 10**9


def generate(workspace: Workspace, population: Population = POPULATION) -> Path:
    """Writes a data set as a run does; where it lies."""
    phase = build.phase(operation=Operation.WRITE_FILES, population=population, measured=False)
    site = Site(root=workspace.root, target=build.target(), seed=1, host="here")
    known = dataset.state(workspace, population)
    with dataset.writing(workspace, population, known) as path:
        PosixEngine().generate(phase, site, lambda *_: None, known.missing, path)
    return Path(path)


def checked(workspace: Workspace) -> list[Verified]:
    """What verification says."""
    return list(verify(workspace, 2, PATIENCE, lambda *_: None))


def flip(path: Path) -> None:
    """Change one bit in the middle of the file."""
    content = bytearray(path.read_bytes())
    content[1234] ^= 1
    path.write_bytes(content)


def test_all_is_well(tmp_path: Path) -> None:
    """Data that is as it was written is complete, all of it was compared, and nothing is wrong."""
    workspace = make(str(tmp_path))
    generate(workspace)
    (one,) = checked(workspace)
    assert (one.directory, one.files, one.bytes) == ("data/demo", 40, 40 * 4096)
    assert one.complete
    assert one.wrong is None


@pytest.mark.parametrize(
    ("change", "offset", "what"),
    [
        (flip, 1234, "the byte at offset 1234 is wrong"),
        (Path.unlink, 0, "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), 1000, "ends after 1000 bytes"),
        (lambda path: path.write_bytes(b""), 0, "ends after 0 bytes"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), 4096, "goes on after the 4096"),
    ],
    ids=["flipped", "missing", "shorter", "empty", "longer"],
)
def test_wrong(tmp_path: Path, change: Callable[[Path], object], offset: int, what: str) -> None:
    """The first wrong byte is named, with its file, its offset, and what is wrong in words."""
    workspace = make(str(tmp_path))
    path = generate(workspace)
    for index in (17, 39):
        change(path / path_of(POPULATION, index))
    (one,) = checked(workspace)
    assert one.wrong == str(path / path_of(POPULATION, 17))
    assert one.offset == offset
    assert what in one.what
    assert one.what.startswith(one.wrong)


def test_not_compared(tmp_path: Path) -> None:
    """Data that is not complete, or whose manifest is damaged, is not called right or wrong."""
    workspace = make(str(tmp_path))
    path = generate(workspace)
    (path / "manifest.json").write_text("{}")
    (one,) = checked(workspace)
    assert not one.complete
    assert one.wrong is None
    assert "manifest.json" in one.what


def test_every_data_set(tmp_path: Path) -> None:
    """All data sets are compared, in the order of their names."""
    workspace = make(str(tmp_path))
    for name in ("b", "a"):
        generate(workspace, build.population(files=3, directory=f"data/{name}"))
    assert [one.directory for one in checked(workspace)] == ["data/a", "data/b"]
