"""Memory that processes share by files: what is launched has its own, so that nothing of it stays.

MPI keeps segments in ``/dev/shm``, and files beside them where temporary ones belong. Ranks that
are killed leave both.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests import lab

SHARED = Path("/dev/shm")
_OWN = 'mount -t tmpfs -o mode=1777,nosuid,nodev shm "$0" && export TMPDIR="$0" && exec "$@"'
#: What MPICH, Open MPI 5 and Open MPI 4 call their segments.
_SEGMENT = re.compile(r"mpich_shm_|sm_segment\.|vader_segment\.")


def why_shared(directory: Path) -> str:
    """Why a launch that works in ``directory`` can't have memory of its own; empty where it can."""
    if directory.is_relative_to(SHARED):
        return f"{directory} lies in {SHARED}, and would not be seen."
    return lab.missing()


def own(directory: Path) -> tuple[str, ...]:
    """The words that give a command, and all that it starts, a ``/dev/shm`` that ends with them.

    Their temporary files are there too. No other mount is another one to them, and they have the
    same process numbers. Where that can't be (`why_shared`), temporary files are in ``directory``,
    and `remove_left` is to be called when all have ended.
    """
    if why_shared(directory):
        return ("env", f"TMPDIR={place(directory)}")
    return ("unshare", "--mount", "--propagation", "slave", "sh", "-c", _OWN, str(SHARED))


def place(directory: Path) -> Path:
    """Where the temporary files are of what `own` stands before."""
    return directory if why_shared(directory) else SHARED


def remove_left(since_s: float) -> None:
    """Remove this user's segments of MPI, made since then, that no process has any more.

    Who makes one has it open or mapped until others do, so none is taken from a launch that goes
    on. ``since_s`` is in seconds since the epoch.
    """
    made = [path for path in SHARED.iterdir() if _SEGMENT.match(path.name)]
    if not made:
        return
    held = {path for entry in Path("/proc").glob("[0-9]*") for path in _held(entry)}
    for path in made:
        with suppress(FileNotFoundError):
            status = path.stat()
            if status.st_uid == os.geteuid() and status.st_ctime >= since_s and path not in held:
                path.unlink()


@pytest.fixture(autouse=True)
def no_segments_left(tmp_path: Path) -> Iterator[None]:
    """After each test no memory is left of launches that could not have their own."""
    since_s = time.time()
    yield
    if why_shared(tmp_path):
        remove_left(since_s)


def mapped(pid: int) -> set[Path]:
    """The files that a process has mapped and that have a name still, as it names them."""
    found = set()
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and fields[5][0] == "/" and not fields[5].endswith(" (deleted)"):
                found.add(Path(fields[5]))
    return found


def _held(process: Path) -> Iterator[Path]:
    """What a process has open, then what it has mapped: so nothing is missed that it maps now."""
    with suppress(OSError):
        for entry in (process / "fd").iterdir():
            with suppress(OSError):
                yield entry.readlink()
    yield from mapped(int(process.name))
