"""Whatever stands in the workspace, clean removes what aibench made and changes nothing else.

Killed at any of its steps, each way of making and removing leaves what clean then removes.
"""

import json
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.cli import commands
from aibench.errors import AibenchError, WorkspaceError
from aibench.workspace import MARKER, NAME, dataset, find
from aibench.workspace.clean import clean, clean_population, clean_scratch
from aibench.workspace.root import UNFINISHED, make
from tests import build

#: The directories in which things are put, and what kind of directory each is.
PLACES = {
    "": "root",
    "data": "home", "scratch": "home",
    "data/demo": "set", "scratch/metadata": "set",
    "data/demo/d000000": "files", "scratch/metadata/d000001": "files",
}  # fmt: skip
#: The names of files that aibench gives in each kind of directory.
FILES = {
    "root": [".aibench-probe-0123456789ab"],
    "home": [],
    "set": ["manifest.json", "manifest.json.new", "progress-0000", "progress-12345"],
    "files": ["f0000000000", "r0000000001", "f0000000002.tmp", "f9999999999"],
}
#: What NFS and FUSE call a removed file; in the directories that hold only directories none was.
REMOVED = [".nfs000000000000a1b2c3d4e5f6", ".fuse_hidden0000002a00000001"]
DIRECTORIES = {"root": ["data", "scratch"], "set": ["d000000", "d000001", "d1234567"], "files": []}
NAMES = ["demo", "load-4k-0123456789ab", *sum([*FILES.values(), *DIRECTORIES.values()], REMOVED)]
STRANGE = [
    "notes", "f000000000", "f00000000000", "f٠٠٠٠٠٠٠٠٠٠", "F0000000000", "f0000000000 ",
    "progress-1",
    "manifest.json.new.new", ".nfs1", "Data", "d00000", "lock.new", "aibench.json.bak", "\n", "-rf",
    "\udcff", "aibench-data", f"{UNFINISHED}01234567", ".aibench-probe-0123456789AB", "data ", "é",
]  # fmt: skip
KINDS = (
    "file",
    "directory",
    "symlink",
    "dangling",
    "link to a directory",
    "fifo",
    "socket",
    "hard link",
)


@dataclass(frozen=True)
class Thing:
    """Something in the workspace: in which of aibench's directories, of which name and kind."""

    directory: str
    name: str
    kind: str

    @property
    def own(self) -> bool:
        """Whether it is what aibench gives this name to; a hard link is a name like any other."""
        place = PLACES[self.directory]
        if self.kind in ("file", "hard link"):
            return self.name in FILES[place] or (self.name in REMOVED and place != "home")
        if place == "home":  # workloads have such names
            named = set(self.name) <= set(ascii_lowercase + digits + "-") and self.name[0] != "-"
        else:
            named = self.name in DIRECTORIES[place]
        return self.kind == "directory" and named


THINGS = st.builds(
    Thing, st.sampled_from(sorted(PLACES)), st.sampled_from(NAMES + STRANGE), st.sampled_from(KINDS)
)


def put(thing: Thing, root: Path, outside: Path) -> bool:
    """Make it, with its directories; False where something stands there."""
    path = root / thing.directory / thing.name
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    inside = path.parent.is_dir() and path.parent.resolve().is_relative_to(root)
    if os.path.lexists(path) or not inside:
        return False
    if thing.kind == "file":
        path.write_text("x")
    elif thing.kind == "directory":
        path.mkdir()
        if not thing.own:
            (path / "f0000000000").write_text("mine")
    elif thing.kind == "fifo":
        os.mkfifo(path)
    elif thing.kind == "socket":
        listening(path)
    elif thing.kind == "hard link":
        path.hardlink_to(outside / "f0000000000")
    else:
        targets = {"symlink": outside / "f0000000000", "dangling": outside / "none"}
        path.symlink_to(targets.get(thing.kind, outside))
    return True


def listening(path: Path) -> None:
    """A socket; its path may be too long to bind, but not the name in its directory."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)
        os.close(here)


def seen(top: Path) -> dict[str, tuple[Any, ...]]:
    """All below a directory: a file's content and when it changed, and where a link leads."""
    found = {}
    for path in top.rglob("*"):
        status = path.lstat()
        what: tuple[Any, ...] = (status.st_ino, stat.S_IFMT(status.st_mode))
        if stat.S_ISREG(status.st_mode):
            what += (path.read_bytes(), status.st_mtime_ns)
        elif path.is_symlink():
            what += (os.readlink(path),)
        found[str(path.relative_to(top))] = what
    return found


@contextmanager
def place() -> Iterator[tuple[Path, Path]]:
    """A target, and a directory beside it that is foreign."""
    top = Path(tempfile.mkdtemp()).resolve()
    try:
        target, outside = top / "target", top / "outside"
        for directory in (target, outside, outside / "d000000"):
            directory.mkdir()
            (directory / "f0000000000").write_text("mine")
            (directory / "manifest.json").write_text("mine")
        yield target, outside
    finally:
        shutil.rmtree(top)


@settings(max_examples=150, deadline=None)
@given(things=st.lists(THINGS, max_size=25))
def test_any_tree(things: list[Thing]) -> None:
    """Every foreign thing is there unchanged, every own one is gone, and what is left is named."""
    with place() as (target, outside):
        workspace = make(str(target))
        root = Path(workspace.root)
        made = [thing for thing in things if put(thing, root, outside)]
        foreign = [root / thing.directory / thing.name for thing in made if not thing.own]
        before, beside = seen(root), (seen(outside), (target / "f0000000000").stat().st_mtime_ns)
        cleaned = clean(workspace)
        workspace.close()
        kept = {
            name
            for name in before
            if any((root / name).is_relative_to(path) or path.is_relative_to(root / name)
                   for path in foreign)
        }  # fmt: skip
        assert sorted(cleaned.left) == sorted(map(str, foreign))
        assert cleaned.busy == []
        if foreign:
            kept.add(MARKER)
            assert seen(root) == {name: before[name] for name in kept}
        else:
            assert not os.path.lexists(root)
        assert beside == (seen(outside), (target / "f0000000000").stat().st_mtime_ns)


@settings(max_examples=60, deadline=None)
@given(things=st.lists(THINGS, max_size=25))
def test_parts_of_any_tree(things: list[Thing]) -> None:
    """What a run removes for itself is of its own names, too, and nothing outside of that part."""
    with place() as (target, outside):
        workspace = make(str(target))
        root = Path(workspace.root)
        made = [thing for thing in things if put(thing, root, outside)]
        before, beside = seen(root), seen(outside)
        clean_scratch(workspace)
        clean_population(workspace, "data/demo")
        workspace.close()
        after = seen(root)
        for name, what in before.items():
            if not name.startswith(("scratch", "data/demo")):
                assert after[name] == what
        for thing in made:
            name = os.path.join(thing.directory, thing.name)
            if not thing.own:
                assert after[name] == before[name]
        assert seen(outside) == beside


#: The calls by which things are made and removed.
STEPS = ("open", "mkdir", "rename", "unlink", "rmdir", "write", "fsync", "ftruncate", "pwrite")


def killed_at(step: int, body: Callable[[], object]) -> bool:
    """Run ``body`` in a child that dies just before call number ``step``; False when it ends."""
    child = os.fork()
    if child == 0:
        left = step

        def dying(call: Callable[..., Any]) -> Callable[..., Any]:
            def instead(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)  # as by SIGKILL: nothing is tidied up
                return call(*arguments, **named)

            return instead

        for name in STEPS:
            setattr(os, name, dying(getattr(os, name)))
        with suppress(BaseException):
            body()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 9


def prepared(target: Path) -> None:
    """Make a workspace, and all of a data set."""
    workspace = make(str(target))
    workspace.lock()
    population = build.population(files=2)
    with dataset.writing(workspace, population, dataset.state(workspace, population)) as path:
        with suppress(FileExistsError):
            os.mkdir(f"{path}/d000000")
        for number in range(2):
            fd = os.open(f"{path}/d000000/f{number:010d}", os.O_CREAT | os.O_WRONLY)
            os.write(fd, bytes(4096))
            os.close(fd)
    dataset.make_directories(workspace, build.population(directory="scratch/x", persistent=False))
    workspace.close()


def cleaned(target: Path) -> None:
    """``aibench clean``, in this process."""
    result = CliRunner().invoke(commands, ["clean", str(target)])
    assert result.exit_code == 0, (result.output, result.exception)


@pytest.mark.parametrize("what", ["making", "cleaning"])
def test_killed_at_every_step(tmp_path: Path, what: str) -> None:
    """Wherever it was killed, the next run is let in, and clean removes all of it and no more."""
    step = 0
    while True:
        target = tmp_path / str(step)
        (target / "mine").mkdir(parents=True)
        (target / "aibench-data.bak").write_text("mine")
        before = seen(target)
        if what == "making":
            died = killed_at(step, lambda place=target: prepared(place))
        else:
            prepared(target)
            died = killed_at(step, lambda place=target: cleaned(place))
        if step % 3 == 0:
            prepared(target)
        cleaned(target)
        assert seen(target) == before
        step += 1
        if not died:
            break
    assert step > 20


MARKED = {"made_by": "aibench", "format": 1}


@pytest.mark.parametrize(
    "marker",
    [
        {"id": "../../outside"}, {"id": "\0"}, {"id": 10**4000}, {"id": ["x"] * 1000},
        {"root": "/"},
        {"NAME": "/", "path": "/etc"}, {"id": None},
    ],
)  # fmt: skip
def test_edited_marker(tmp_path: Path, marker: dict[str, Any]) -> None:
    """What else the marker says decides nothing: no path is ever taken from it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f0000000000").write_text("mine")
    target = tmp_path / "target"
    target.mkdir()
    prepared(target)
    (target / NAME / MARKER).write_text(json.dumps(MARKED | marker))
    before = seen(outside)
    cleaned(target)
    assert os.listdir(target) == []
    assert seen(outside) == before


def test_huge_marker(tmp_path: Path) -> None:
    """A marker of a gigabyte marks nothing, and is not read into memory."""
    (tmp_path / NAME).mkdir()
    with (tmp_path / NAME / MARKER).open("wb") as file:
        file.write(json.dumps(MARKED).encode())
        file.truncate(2**30)
    with pytest.raises(WorkspaceError, match="aibench did not make it"):
        find(str(tmp_path))
    assert (tmp_path / NAME / MARKER).stat().st_size == 2**30


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["..", "\0", "fixed"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["files", "sizes", "seed", "files_per_directory", "format", "directory", "x"]
)


@settings(max_examples=150, deadline=None)
@given(changes=st.dictionaries(FIELDS, JSON, max_size=3), top=st.dictionaries(
    st.sampled_from(["population", "digest", "complete", "boot", "format"]), JSON, max_size=2
))  # fmt: skip
def test_edited_manifest(changes: dict[str, Any], top: dict[str, Any]) -> None:
    """However a manifest was edited, the data is unknown, or as it was; clean removes it."""
    with place() as (target, _):
        prepared(target)
        workspace = find(str(target))
        assert workspace is not None
        path = Path(workspace.path("data/demo/manifest.json"))
        content = json.loads(path.read_text())
        content["population"] |= changes
        path.write_text(json.dumps(content | top))
        (found,) = dataset.on_disk(workspace)
        assert found.population is None or found.population == build.population(files=2)
        with suppress(AibenchError):
            dataset.state(workspace, build.population(files=2))
        workspace.close()
        cleaned(target)
        assert not (target / NAME).exists()


def test_deep_manifest(tmp_path: Path) -> None:
    """A manifest as deep as JSON can be read is no bug but an unknown data set."""
    prepared(tmp_path)
    path = tmp_path / NAME / "data/demo/manifest.json"
    content = path.read_text()
    for depth in (100, 300, 900, 20_000):
        path.write_text(content.replace('"seed": 1', f'"seed": {"[" * depth}{"]" * depth}'))
        workspace = find(str(tmp_path))
        assert workspace is not None
        assert [found.population for found in dataset.on_disk(workspace)] == [None]
        workspace.close()
    cleaned(tmp_path)
