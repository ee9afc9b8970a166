"""Data sets are used again when they are equal, and completed when they are partial."""

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from aibench.errors import WorkspaceError
from aibench.formats.files import granule, path_of
from aibench.model import Population, Sizes
from aibench.workspace import NAME, Workspace, dataset
from aibench.workspace.root import make
from tests import build

POPULATION = build.population(files=2500)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return make(str(tmp_path))


def written(workspace: Workspace, population: Population = POPULATION) -> Path:
    """Writes a data set of empty blocks; where it lies."""
    with dataset.writing(workspace, population, dataset.state(workspace, population)) as path:
        for index in range(population.files):
            file = Path(path, path_of(population, index))
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(bytes(population.sizes.mean))
    return Path(path)


def interrupted(workspace: Workspace, *notes: str) -> Path:
    """A data set whose writing was broken off after ``notes``."""
    known = dataset.state(workspace, POPULATION)
    with suppress(KeyboardInterrupt), dataset.writing(workspace, POPULATION, known) as path:
        for number, note in enumerate(notes):
            Path(path, f"progress-{number:04d}").write_text(note)
        raise KeyboardInterrupt
    return Path(workspace.path(POPULATION.directory))


def test_nothing_is_there(workspace: Workspace) -> None:
    """Of a data set that was never begun all is missing, with a workspace and without."""
    for place in (workspace, None):
        state = dataset.state(place, POPULATION)
        assert (state.complete, state.known, list(state.missing)) == (False, False, [0, 1, 2])
    assert dataset.on_disk(workspace) == []


def test_complete(workspace: Workspace) -> None:
    """A data set that was written to its end is complete, and its notes are gone."""
    path = written(workspace)
    assert dataset.state(workspace, POPULATION).complete
    assert sorted(p.name for p in path.iterdir()) == [
        "d000000",
        "d000001",
        "d000002",
        "manifest.json",
    ]
    (found,) = dataset.on_disk(workspace)
    assert found.population == POPULATION
    assert found.complete


def test_written_over(workspace: Workspace) -> None:
    """The type of the filesystem that data was written over is kept; of two none is told."""
    everything = dataset.state(workspace, POPULATION)
    for first, second, told in (("ext4", "ext4", "ext4"), ("ext4", "nfs4", ""), ("", "nfs4", "")):
        with dataset.writing(workspace, POPULATION, everything, first) as path:
            Path(path, "progress-0000").write_text("0\n")
        rest = replace(everything, missing=(1, 2), known=True)
        with dataset.writing(workspace, POPULATION, rest, second):
            pass
        assert [found.through for found in dataset.on_disk(workspace)] == [told]
        with dataset.writing(workspace, POPULATION, everything, second):
            pass
        assert [found.through for found in dataset.on_disk(workspace)] == [second]


def test_another_population(workspace: Workspace) -> None:
    """What was written for other sizes, seeds or counts is not taken for this data set."""
    written(workspace)
    for change in ({"seed": 2}, {"files": 2501}, {"sizes": Sizes(distribution="fixed", mean=4097)}):
        state = dataset.state(workspace, build.population(**{"files": 2500} | change))
        assert not state.complete
        assert not state.known


def test_resumed(workspace: Workspace) -> None:
    """Only whole notes count; a note that was cut off, or is nonsense, does not."""
    path = interrupted(workspace, "0\n2", "nonsense\n1\n-3\n" + "9" * 5000 + "\n")
    assert list(dataset.state(workspace, POPULATION).missing) == [2]
    (found,) = dataset.on_disk(workspace)
    assert not found.complete
    (path / "progress-0000").unlink()
    os.mkfifo(path / "progress-0000")
    (path / "progress-0002").symlink_to(path / "progress-0001")
    assert list(dataset.state(workspace, POPULATION).missing) == [0, 2]


def test_notes_of_another_boot(workspace: Workspace) -> None:
    """After the machine was started anew no note counts: nothing had been synced."""
    path = interrupted(workspace, "0\n1\n2\n")
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | {"boot": "another"}))
    assert list(dataset.state(workspace, POPULATION).missing) == [0, 1, 2]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"population": {}}', '{"digest": 1}'])
def test_damaged_manifest(workspace: Workspace, content: str) -> None:
    """A damaged manifest makes the data unknown; it is named, and written anew."""
    path = written(workspace)
    (path / "manifest.json").write_text(content)
    assert not dataset.state(workspace, POPULATION).known
    (found,) = dataset.on_disk(workspace)
    assert (found.directory, found.population) == ("data/demo", None)


def test_edited_manifest(workspace: Workspace) -> None:
    """A manifest whose population was edited does not fit its digest any more."""
    path = written(workspace)
    text = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(text.replace('"files": 2500', '"files": 10'))
    (found,) = dataset.on_disk(workspace)
    assert found.population is None


@pytest.mark.parametrize("change", ["missing", "shorter", "longer"])
def test_changed_files(workspace: Workspace, change: str) -> None:
    """A complete data set whose files were changed is refused, and the file is named."""
    path = written(workspace)
    file = path / path_of(POPULATION, 0)
    if change == "missing":
        file.unlink()
    else:
        file.write_bytes(bytes(4095 if change == "shorter" else 4097))
    with pytest.raises(WorkspaceError, match="f0000000000 was changed or removed"):
        dataset.state(workspace, POPULATION)


@pytest.mark.parametrize("place", ["data", "data/demo", "data/demo/d000001"])
@pytest.mark.parametrize("kind", ["symlink", "file"])
def test_nothing_is_written_elsewhere(
    tmp_path: Path, workspace: Workspace, place: str, kind: str
) -> None:
    """Where a link or a file stands in the place of a directory, writing is refused."""
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tmp_path / NAME / place
    link.parent.mkdir(parents=True, exist_ok=True)
    if kind == "symlink":
        link.symlink_to(outside)
    else:
        link.write_text("mine")
    with pytest.raises(WorkspaceError, match=r"is a symbolic link|not a directory"):
        dataset.make_directories(workspace, POPULATION)
    assert list(outside.iterdir()) == []


def test_granules_cover_all() -> None:
    """The granules of a data set cover all of its files."""
    assert (dataset.granules(POPULATION) - 1) * granule(POPULATION) < POPULATION.files
    assert dataset.granules(POPULATION) * granule(POPULATION) >= POPULATION.files
