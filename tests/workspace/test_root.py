"""The directory on the target: made, recognized, held, and nothing else taken for it."""

import json
import os
from multiprocessing import Queue, get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from aibench.errors import WorkspaceError
from aibench.workspace import MARKER, NAME, find
from aibench.workspace.documents import read_json, write_json
from aibench.workspace.root import LOCK, make


def test_make_and_find(tmp_path: Path) -> None:
    """A workspace that was made is found again, and made only once."""
    made = make(str(tmp_path))
    marker = (tmp_path / NAME / MARKER).read_bytes()
    again = make(str(tmp_path))
    found = find(str(tmp_path))
    assert found is not None
    assert found.root == made.root == again.root == str(tmp_path / NAME)
    assert (tmp_path / NAME / MARKER).read_bytes() == marker
    assert os.listdir(tmp_path) == [NAME]
    for workspace in (made, again, found):
        workspace.close()


def test_nothing_is_there(tmp_path: Path) -> None:
    """Where there is no workspace, and where there is no target, none is found."""
    assert find(str(tmp_path)) is None
    assert find(str(tmp_path / "nowhere")) is None


@pytest.mark.parametrize(
    "marker",
    [
        None, "", "{", "[]", "null", '{"made_by": "x", "format": 1}', '{"made_by": ["aibench"]}',
        '{"format": 1}', "[" * 30_000, '"aibench"', "\xff" * 70_000,
    ],
)  # fmt: skip
def test_unmarked(tmp_path: Path, marker: str | None) -> None:
    """A directory without a valid marker is not aibench's."""
    (tmp_path / NAME).mkdir()
    if marker is not None:
        (tmp_path / NAME / MARKER).write_text(marker)
    with pytest.raises(WorkspaceError, match="aibench did not make it"):
        find(str(tmp_path))


def test_other_format(tmp_path: Path) -> None:
    """A workspace of a later aibench is refused, and its data stays."""
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / MARKER).write_text(json.dumps({"made_by": "aibench", "format": 2}))
    with pytest.raises(WorkspaceError, match="another version"):
        find(str(tmp_path))


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory"])
def test_marker_is_no_file(tmp_path: Path, kind: str) -> None:
    """A marker that is not a plain file marks nothing, and nobody waits for it."""
    (tmp_path / NAME).mkdir()
    marker = tmp_path / NAME / MARKER
    valid = tmp_path / "valid"
    valid.write_text('{"made_by": "aibench", "format": 1}')
    if kind == "symlink":
        marker.symlink_to(valid)
    elif kind == "fifo":
        os.mkfifo(marker)
    else:
        marker.mkdir()
    with pytest.raises(WorkspaceError, match="aibench did not make it"):
        find(str(tmp_path))


def test_lock(tmp_path: Path) -> None:
    """One holds a workspace; another is told who, and gets it after it was let go of."""
    first, second = make(str(tmp_path)), make(str(tmp_path))
    first.lock()
    with pytest.raises(WorkspaceError, match=f"another run .pid {os.getpid()} on "):
        second.lock()
    first.close()
    second.close()
    third = make(str(tmp_path))
    third.lock()
    assert third.locked
    third.close()


def test_lock_tells_no_nonsense(tmp_path: Path) -> None:
    """What a lock file says about its holder is shown only where it is plain text."""
    first, second = make(str(tmp_path)), make(str(tmp_path))
    first.lock()
    (tmp_path / NAME / LOCK).write_text("\x1b[31mred")
    with pytest.raises(WorkspaceError, match=r"another run \(unknown\)"):
        second.lock()
    first.close()
    second.close()


@pytest.mark.parametrize("kind", ["symlink", "directory", "fifo"])
def test_lock_is_no_file(tmp_path: Path, kind: str) -> None:
    """A lock that is not a plain file is refused, and what a link leads to stays as it is."""
    workspace = make(str(tmp_path))
    outside = tmp_path / "outside"
    outside.write_text("mine")
    lock = tmp_path / NAME / LOCK
    if kind == "symlink":
        lock.symlink_to(outside)
    elif kind == "fifo":
        os.mkfifo(lock)
    else:
        lock.mkdir()
    with pytest.raises(WorkspaceError, match=LOCK):
        workspace.lock()
    workspace.close()
    assert outside.read_text() == "mine"


def test_lock_of_a_removed_workspace(tmp_path: Path) -> None:
    """Who waited while the workspace was removed does not work on in what is no longer there."""
    workspace = make(str(tmp_path))
    (tmp_path / NAME / MARKER).unlink()
    (tmp_path / NAME).rmdir()
    with pytest.raises(WorkspaceError):
        workspace.lock()
    workspace.close()


def test_opened_follows_no_link(tmp_path: Path) -> None:
    """A directory of the workspace is never reached through a symbolic link."""
    (tmp_path / "outside" / "inner").mkdir(parents=True)
    workspace = make(str(tmp_path))
    (tmp_path / NAME / "data").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="Not a directory"), workspace.opened("data/inner"):
        pass
    workspace.close()


def test_small_json_files(tmp_path: Path) -> None:
    """Small files are replaced whole; what can't be read is None."""
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        write_json(fd, "a", {"one": 1})
        write_json(fd, "a", {"two": 2})
        assert read_json(fd, "a") == {"two": 2}
        assert read_json(fd, "b") is None
        assert os.listdir(tmp_path) == ["a"]
    finally:
        os.close(fd)


def _make_and_tell(target: Path, gate: Barrier, told: "Queue[str]") -> None:
    gate.wait(20)
    try:
        told.put(str(read_json(make(str(target)).fd, MARKER)["id"]))
    except Exception as error:  # noqa: BLE001 - the parent compares it with an id
        told.put(repr(error))


@pytest.mark.parametrize("turn", range(10))
def test_made_by_many_at_once(tmp_path: Path, turn: int) -> None:
    """Of runs that begin at one moment, one makes the workspace and all find it."""
    fork = get_context("fork")
    gate, told = fork.Barrier(6), fork.Queue()
    target = tmp_path / str(turn)
    target.mkdir()
    makers = [fork.Process(target=_make_and_tell, args=(target, gate, told)) for _ in range(6)]
    for maker in makers:
        maker.start()
    found = {told.get(timeout=30) for _ in makers}
    for maker in makers:
        maker.join(30)
    assert found == {read_json(make(str(target)).fd, MARKER)["id"]}
    assert [entry.name for entry in target.iterdir()] == [NAME]
