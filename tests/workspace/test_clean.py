"""Clean removes what aibench made, by the names that it gives, and nothing else."""

import os
from pathlib import Path

import pytest

from aibench.errors import WorkspaceError
from aibench.workspace import MARKER, NAME, Workspace, dataset, find
from aibench.workspace.clean import clean, clean_population, clean_scratch, clean_unfinished
from aibench.workspace.root import UNFINISHED, make
from tests import build, lab


def furnished(target: Path) -> Workspace:
    """A workspace with a data set, scratch files, a lock and a forgotten probe."""
    workspace = make(str(target))
    workspace.lock()
    population = build.population(files=3)
    with dataset.writing(workspace, population, dataset.state(workspace, population)) as path:
        os.mkdir(f"{path}/d000000")
        for number in range(3):
            Path(f"{path}/d000000/f{number:010d}").write_bytes(bytes(4096))
    scratch = Path(workspace.path("scratch/checkpoint-save/d000000"))
    scratch.mkdir(parents=True)
    (scratch / "f0000000000").write_text("x")
    (scratch / "f0000000001.tmp").write_text("x")
    (scratch / "r0000000002").write_text("x")
    (target / NAME / ".aibench-probe-0123456789ab").write_text("x")
    return workspace


def test_clean(tmp_path: Path) -> None:
    """All that aibench made goes, and the target is as it was found."""
    (tmp_path / "mine").write_text("mine")
    workspace = furnished(tmp_path)
    cleaned = clean(workspace)
    workspace.close()
    assert cleaned.left == []
    assert cleaned.bytes >= 3 * 4096
    assert os.listdir(tmp_path) == ["mine"]


@pytest.mark.parametrize("place", ["", "data/demo/", "data/demo/d000000/", "scratch/x/d000000/"])
@pytest.mark.parametrize("name", [".nfs000000000000a1b2c3d4e5f6", ".fuse_hidden0000002a00000001"])
def test_names_of_removed_files(tmp_path: Path, place: str, name: str) -> None:
    """A file of ours that was removed while a client had it open goes when that client is gone."""
    workspace = furnished(tmp_path)
    path = tmp_path / NAME / place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    cleaned = clean(workspace)
    workspace.close()
    assert cleaned.left == cleaned.busy == []
    assert os.listdir(tmp_path) == []


#: Foreign things, by their place in the workspace.
FOREIGN = [
    ".nfs1", "data/demo/.nfs000000000000a1b2c3d4e5f6.bak", "data/.nfs000000000000a1b2c3d4e5f6",
    "notes.txt", "data/notes.txt", "data/demo/notes.txt", "data/demo/d000000/notes.txt",
    "data/demo/d000000/f123", "data/demo/d000000/f0000000000.bak", "scratch/x.tar",
    "data/demo/f0000000000", "data/demo/d000000/d000000/f0000000000", "data/My Data/x",
    "aibench.json.bak", "lock2",
]  # fmt: skip


@pytest.mark.parametrize("place", FOREIGN)
def test_foreign_files_stay(tmp_path: Path, place: str) -> None:
    """What has another name is left alone and named, and so are the directories above it."""
    workspace = furnished(tmp_path)
    foreign = tmp_path / NAME / place
    foreign.parent.mkdir(parents=True, exist_ok=True)
    foreign.write_text("mine")
    left = clean(workspace).left
    workspace.close()
    assert foreign.read_text() == "mine"
    assert len(left) == 1
    assert str(foreign).startswith(left[0])
    ours = [p for p in (tmp_path / NAME).rglob("*") if p.is_file() and p != foreign]
    assert {p.name for p in ours} == {MARKER, "lock"}
    foreign.unlink()
    again = find(str(tmp_path))
    assert again is not None


@pytest.mark.parametrize("place", ["data", "data/demo", "data/demo/d000000", "scratch"])
def test_links_are_not_followed(tmp_path: Path, place: str) -> None:
    """A symbolic link in the place of a directory is left, and so is what it leads to."""
    outside = tmp_path / "outside"
    inner = outside / "demo" / "d000000"
    inner.mkdir(parents=True)
    for directory in (outside, outside / "demo", inner):
        (directory / "f0000000000").write_text("mine")
        (directory / "manifest.json").write_text("mine")
    target = tmp_path / "target"
    target.mkdir()
    workspace = make(str(target))
    link = target / NAME / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    before = sorted(outside.rglob("*"))
    assert clean_scratch(workspace).files == 0
    clean_population(workspace, "data/demo")
    assert str(link) in clean(workspace).left
    workspace.close()
    assert sorted(outside.rglob("*")) == before
    assert link.is_symlink()


@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo"])
def test_files_of_our_names(tmp_path: Path, kind: str) -> None:
    """Only plain files go; a hard link goes like any name, and its file stays where else it is."""
    workspace = furnished(tmp_path)
    outside = tmp_path / "outside"
    outside.write_text("mine")
    place = tmp_path / NAME / "data/demo/d000000/f0000000009"
    if kind == "symlink":
        place.symlink_to(outside)
    elif kind == "fifo":
        os.mkfifo(place)
    else:
        place.hardlink_to(outside)
    left = clean(workspace).left
    workspace.close()
    assert left == ([] if kind == "hard link" else [str(place)])
    assert outside.read_text() == "mine"


@pytest.mark.mounts
@lab.requires_mounts
@pytest.mark.parametrize("kind", ["other filesystem", "same filesystem"])
def test_mount_points_stay(tmp_path: Path, kind: str) -> None:
    """A mount point inside is left and named, also one of the same filesystem."""
    workspace = furnished(tmp_path)
    precious = tmp_path / "precious" / "d000000"
    precious.mkdir(parents=True)
    (precious / "f0000000000").write_text("mine")
    if kind == "other filesystem":
        inside = Path(workspace.path("data"))
        with lab.tmpfs_mount(inside, size=lab.MIB) as mount:
            (mount.path / "f0000000000").write_text("mine")
            assert clean(workspace).left == [str(mount.path)]
            assert (mount.path / "f0000000000").read_text() == "mine"
    else:
        point = Path(workspace.path("data/mounted"))
        with lab.bind_mount(precious.parent, point):
            assert clean(workspace).left == [str(point)]
    workspace.close()
    assert (precious / "f0000000000").read_text() == "mine"


@pytest.mark.mounts
@lab.requires_mounts
def test_mount_points_that_are_files_stay(tmp_path: Path) -> None:
    """A file that is mounted on one of ours is left and named, and so is what it covers."""
    workspace = furnished(tmp_path)
    foreign = tmp_path / "foreign"
    foreign.write_text("mine")
    covered = Path(workspace.path("data/demo/d000000/f0000000001"))
    with lab.bind_mount_file(foreign, covered):
        assert clean(workspace).left == [str(covered)]
        assert covered.read_text() == "mine"
    assert clean(workspace).left == []
    workspace.close()
    assert foreign.read_text() == "mine"
    assert os.listdir(tmp_path) == ["foreign"]


def test_half_made(tmp_path: Path) -> None:
    """What a killed run began to make is removed; names that only look like it are not."""
    half = tmp_path / f"{UNFINISHED}0123abcd"
    half.mkdir()
    (half / MARKER).write_text("{}")
    (half / f"{MARKER}.new").write_text("{}")
    (tmp_path / f"{UNFINISHED}ffffffff").mkdir()
    foreign = [f"{UNFINISHED}0123abcde", f"{UNFINISHED}XYZ", "aibench-data.new"]
    for name in foreign:
        (tmp_path / name).mkdir()
    cleaned = clean_unfinished(str(tmp_path))
    assert cleaned.removed
    assert cleaned.directories == 2
    assert cleaned.left == []
    assert sorted(os.listdir(tmp_path)) == sorted(foreign)


def test_half_made_with_something_foreign(tmp_path: Path) -> None:
    """Something foreign in a half-made directory keeps it, and is named."""
    half = tmp_path / f"{UNFINISHED}0123abcd"
    half.mkdir()
    (half / "mine").write_text("mine")
    (tmp_path / f"{UNFINISHED}0123abce").symlink_to(half)
    left = clean_unfinished(str(tmp_path)).left
    assert left == [str(half / "mine"), str(tmp_path / f"{UNFINISHED}0123abce")]
    assert (half / "mine").read_text() == "mine"


def test_held(tmp_path: Path) -> None:
    """A workspace that a run holds can't be locked for cleaning."""
    workspace = furnished(tmp_path)
    other = find(str(tmp_path))
    assert other is not None
    with pytest.raises(WorkspaceError, match="in use"):
        other.lock()
    other.close()
    workspace.close()
