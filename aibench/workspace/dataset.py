"""Data sets on the target: what is there, what is missing, and when one may be used again.

A manifest lies beside the data. While a data set is being written, each worker notes the granules
it has finished; these notes count only within the same boot of the machine, because nothing was
synced yet. The manifest says *complete* only after the filesystem was synced.
"""

import ctypes
import os
from contextlib import suppress
from dataclasses import asdict, dataclass

from aibench.errors import WorkspaceError
from aibench.formats.files import granule, path_of, size_of
from aibench.model import Population, Sizes
from aibench.workspace.root import Workspace, read_json, write_json

MANIFEST = "manifest.json"
_FORMAT = 1
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOKED_AT = 64
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What of a data set is there: ``missing`` granules, or none when it is ``complete``."""

    complete: bool
    missing: tuple[int, ...]
    known: bool


def granules(population: Population) -> int:
    """How many granules a data set has."""
    return -(-population.files // granule(population))


def state(workspace: Workspace | None, population: Population) -> State:
    """What of ``population`` is on the target; touches nothing.

    `WorkspaceError` when a complete data set does not look as its manifest says.
    """
    everything = State(complete=False, missing=tuple(range(granules(population))), known=False)
    if workspace is None:
        return everything
    try:
        fd = os.open(workspace.path(population.directory), _DIRECTORY)
    except OSError:
        return everything
    try:
        manifest = read_json(fd, MANIFEST)
        if not isinstance(manifest, dict) or manifest.get("digest") != population.digest:
            return everything
        if manifest.get("complete") is True:
            _look(fd, population, workspace)
            return State(complete=True, missing=(), known=True)
        done = _noted(fd) if manifest.get("boot") == _boot() else set()
        missing = tuple(n for n in range(granules(population)) if n not in done)
        return State(complete=False, missing=missing, known=True)
    finally:
        os.close(fd)


def begin(workspace: Workspace, population: Population, known: State) -> str:
    """Make the directory and its manifest for writing; returns its absolute path."""
    path = make_directories(workspace, population)
    fd = os.open(path, _DIRECTORY)
    try:
        if not known.known or len(known.missing) == granules(population):
            for name in os.listdir(fd):
                if name.startswith("progress-"):
                    os.unlink(name, dir_fd=fd)
        write_json(fd, MANIFEST, _manifest(population, complete=False))
    finally:
        os.close(fd)
    return path


def finish(workspace: Workspace, population: Population) -> None:
    """Sync the filesystem and mark the data set complete. OSError when the sync fails."""
    fd = os.open(workspace.path(population.directory), _DIRECTORY)
    try:
        if _LIBC.syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), workspace.path(population.directory))
        write_json(fd, MANIFEST, _manifest(population, complete=True))
        for name in os.listdir(fd):
            if name.startswith("progress-"):
                os.unlink(name, dir_fd=fd)
    finally:
        os.close(fd)


def make_directories(workspace: Workspace, population: Population) -> str:
    """Make the population's directory in the workspace; returns its absolute path."""
    path = workspace.root
    for part in population.directory.split("/"):
        path = f"{path}/{part}"
        with suppress(FileExistsError):
            os.mkdir(path, 0o755)
        if os.path.islink(path):
            raise WorkspaceError(f"{path} is a symbolic link; aibench follows none")
    return path


def on_disk(workspace: Workspace) -> list[tuple[Population, bool]]:
    """The data sets that have a readable manifest, and whether each is complete."""
    base = workspace.path("data")
    found = []
    for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        try:
            fd = os.open(f"{base}/{name}", _DIRECTORY)
        except OSError:
            continue
        try:
            population = _population(f"data/{name}", read_json(fd, MANIFEST))
        finally:
            os.close(fd)
        if population is not None:
            found.append(population)
    return found


def _population(directory: str, manifest: object) -> tuple[Population, bool] | None:
    if not isinstance(manifest, dict):
        return None
    try:
        parts = dict(manifest["population"])
        sizes = Sizes(**parts.pop("sizes"))
        population = Population(directory=directory, sizes=sizes, **parts)
    except (KeyError, TypeError, ValueError):
        return None
    if population.digest != manifest.get("digest"):
        return None
    return population, manifest.get("complete") is True


def _manifest(population: Population, *, complete: bool) -> dict[str, object]:
    parts = asdict(population)
    del parts["directory"], parts["persistent"]
    return {
        "format": _FORMAT,
        "digest": population.digest,
        "population": parts,
        "complete": complete,
        "boot": _boot(),
    }


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def _noted(fd: int) -> set[int]:
    """The granules that workers noted as written, whole lines only."""
    done: set[int] = set()
    for name in os.listdir(fd):
        if not name.startswith("progress-"):
            continue
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        with os.fdopen(file, "rb") as lines:
            done |= {int(line) for line in lines if line.endswith(b"\n") and line[:-1].isdigit()}
    return done


def _look(fd: int, population: Population, workspace: Workspace) -> None:
    """Refuse a data set whose files are not as its manifest says; a few are looked at."""
    step = max(population.files // _LOOKED_AT, 1)
    for index in range(0, population.files, step):
        name = path_of(population, index)
        try:
            size = os.stat(name, dir_fd=fd, follow_symlinks=False).st_size
        except FileNotFoundError:
            size = -1
        if size != size_of(population, index):
            raise WorkspaceError(
                f"{workspace.path(population.directory)}/{name} was changed or removed since it "
                "was written; remove the data with 'aibench clean' and run again"
            )
