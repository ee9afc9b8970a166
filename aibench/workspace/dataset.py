"""Data sets on the target: what is there, what is missing, and when one may be used again.

A manifest lies beside the data. While a data set is being written, each worker notes the granules
it has finished; these notes count only within the same boot of the machine, because nothing was
synced yet. The manifest says *complete* only after the filesystem was synced.
"""

import ctypes
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import product

from aibench.errors import WorkspaceError
from aibench.formats.files import granule, path_of, size_of, suffixes_of
from aibench.model import Population, Sizes
from aibench.workspace.documents import read_json, write_json
from aibench.workspace.root import Workspace, make_directory
from aibench.workspace.spans import Spans

MANIFEST = "manifest.json"
_FORMAT = 1
_NOTES = "progress-"
_NOTE = re.compile(rb"\d{1,18}\n")
_NOTE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LOOKED_AT = 64
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What of a data set is there: ``missing`` granules, or none when it is ``complete``."""

    complete: bool
    missing: Sequence[int]
    known: bool


def granules(population: Population) -> int:
    """How many granules a data set has."""
    return -(-population.files // granule(population))


def state(workspace: Workspace | None, population: Population, boots: str = "") -> State:
    """What of ``population`` is on the target; touches nothing.

    ``boots`` tells when the hosts that write were started, where that is not this one alone.

    `WorkspaceError` when a complete data set does not look as its manifest says.
    """
    everything = State(complete=False, missing=Spans([range(granules(population))]), known=False)
    if workspace is None:
        return everything
    try:
        with workspace.opened(population.directory) as fd:
            return _state(fd, population, workspace, boots or boot()) or everything
    except (FileNotFoundError, NotADirectoryError):
        return everything


def _state(fd: int, population: Population, workspace: Workspace, boots: str) -> State | None:
    """What the manifest and the notes say; None where they say nothing about ``population``."""
    manifest = read_json(fd, MANIFEST)
    found = _found(population.directory, manifest)
    if found.population is None or found.population.digest != population.digest:
        return None
    if found.complete:
        _look(fd, population, workspace)
        return State(complete=True, missing=Spans([]), known=True)
    done = _noted(fd) if manifest.get("boot") == boots else set()
    missing = Spans.without(granules(population), done)
    return State(complete=False, missing=missing, known=True)


@contextmanager
def writing(
    workspace: Workspace, population: Population, known: State, through: str = "", boots: str = ""
) -> Iterator[str]:
    """Within, what is missing gets written; afterwards the data set is synced and complete.

    Gives the directory for the notes. The manifest keeps ``through``, the type of the filesystem
    that it is written over, unless a part was written over another one; ``boots`` as for `state`.
    OSError
    when the sync fails: then nothing that was noted can be relied on, and the next run writes all
    of it again.
    """
    path = make_directories(workspace, population)
    with workspace.opened(population.directory) as fd:
        if not known.known or len(known.missing) == granules(population):
            _forget_notes(fd)
        elif _through(read_json(fd, MANIFEST)) != through:
            through = ""
        write_json(fd, MANIFEST, _manifest(population, through, boots, complete=False))
        yield path
        try:
            _sync(fd, path)
        except OSError:
            _forget_notes(fd)
            raise
        write_json(fd, MANIFEST, _manifest(population, through, boots, complete=True))
        _forget_notes(fd)


def synced(workspace: Workspace, directory: str) -> None:
    """Bring all that this host wrote to the filesystem of ``directory`` to storage."""
    with workspace.opened(directory) as fd:
        _sync(fd, workspace.path(directory))


def _sync(fd: int, path: str) -> None:
    if _LIBC.syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


def _forget_notes(fd: int) -> None:
    for name in os.listdir(fd):
        if name.startswith(_NOTES):
            os.unlink(name, dir_fd=fd)


def make_directories(workspace: Workspace, population: Population) -> str:
    """Make the population's directory in the workspace; returns its absolute path."""
    path = make_directory(workspace, population.directory)
    _refuse_links(path)
    return path


def _refuse_links(path: str) -> None:
    """`WorkspaceError` where something that is no directory would lead writers elsewhere."""
    with os.scandir(path) as entries:
        for entry in entries:
            if _is_numbered(entry.name) and not entry.is_dir(follow_symlinks=False):
                raise WorkspaceError(f"{entry.path} is not a directory that aibench made")


def _is_numbered(name: str) -> bool:
    return name[:1] == "d" and name[1:].isdigit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A directory among the data sets; ``population`` is None where its manifest is damaged.

    ``through`` is the type of the filesystem that all of it was written over, empty where that is
    not known.
    """

    directory: str
    population: Population | None
    complete: bool = False
    through: str = ""


def on_disk(workspace: Workspace) -> list[Found]:
    """Every data set that is there, by name."""
    try:
        with workspace.opened("data") as base:
            names = sorted(os.listdir(base))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in names:
        directory = f"data/{name}"
        try:
            with workspace.opened(directory) as fd:
                found.append(_found(directory, read_json(fd, MANIFEST)))
        except (FileNotFoundError, NotADirectoryError):
            continue
    return found


def _found(directory: str, manifest: object) -> Found:
    unknown = Found(directory=directory, population=None)
    if not isinstance(manifest, dict):
        return unknown
    try:
        parts = dict(manifest["population"])
        drawn = dict(parts.pop("sizes"))
        listed = tuple((int(count), int(size)) for count, size in drawn.pop("listed", ()))
        sizes = Sizes(**drawn, listed=listed)
        tensors = tuple(int(size) for size in parts.pop("tensors", ()))
        columns = tuple(int(size) for size in parts.pop("columns", ()))
        population = Population(
            directory=directory, sizes=sizes, tensors=tensors, columns=columns, **parts
        )
        if population.digest != manifest.get("digest"):
            return unknown
    except (KeyError, TypeError, ValueError, RecursionError):
        return unknown
    complete = manifest.get("complete") is True
    through = _through(manifest)
    return Found(directory=directory, population=population, complete=complete, through=through)


def _through(manifest: object) -> str:
    """The type of the filesystem that a manifest names; empty where it names none."""
    told = manifest.get("through") if isinstance(manifest, dict) else None
    return told if isinstance(told, str) else ""


def _manifest(
    population: Population, through: str, boots: str, *, complete: bool
) -> dict[str, object]:
    parts = asdict(population)
    del parts["directory"], parts["persistent"]
    return {
        "format": _FORMAT,
        "digest": population.digest,
        "population": parts,
        "complete": complete,
        "boot": boots or boot(),
        "through": through,
    }


def boot() -> str:
    """What changes whenever this machine is started; empty where that can't be told."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def _noted(fd: int) -> set[int]:
    """The granules that workers noted as written, whole lines only."""
    done: set[int] = set()
    for name in os.listdir(fd):
        if not name.startswith(_NOTES):
            continue
        try:
            file = os.open(name, _NOTE_FLAGS, dir_fd=fd)
        except OSError:
            continue  # a link, or not ours: what it says is written again
        with os.fdopen(file, "rb") as lines:
            done |= {int(line) for line in lines if _NOTE.fullmatch(line)}
    return done


def _look(fd: int, population: Population, workspace: Workspace) -> None:
    """Refuse a data set whose files are not as its manifest says; a few are looked at."""
    _refuse_links(workspace.path(population.directory))
    step = max(population.files // _LOOKED_AT, 1)
    looked = product(range(0, population.files, step), suffixes_of(population))
    for index, suffix in looked:
        name = path_of(population, index) + suffix
        try:
            size = os.stat(name, dir_fd=fd, follow_symlinks=False).st_size
        except FileNotFoundError:
            size = -1
        if size != size_of(population, index, suffix):
            raise WorkspaceError(
                f"{workspace.path(population.directory)}/{name} was changed or removed since it "
                "was written; remove the data with 'aibench clean' and run again"
            )
