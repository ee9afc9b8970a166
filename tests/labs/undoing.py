"""Takes down what labs made: mounts, loop devices, network namespaces, control groups, daemons.

What goes is what a lab wrote down and whose maker is dead or asks for it; no name is ever guessed.
The guard of a process runs this file alone, so it imports nothing of the project.
"""

import contextlib
import ctypes
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LEDGER = "ledger"
_UMOUNT_NOFOLLOW, _MNT_DETACH = 8, 2
_LIBC = ctypes.CDLL(None, use_errno=True)
_GUARDED: set[int] = set()


def base() -> Path:
    """The directory that holds all labs of this machine."""
    return Path(tempfile.gettempdir()) / "aibench-labs"


def born(pid: int | str) -> str:
    """When a process began, in ticks since boot; empty where it is gone, or dead and not buried."""
    try:
        after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if after[0] in "ZX" else after[19]


def mount_points() -> list[str]:
    """Where something is mounted now, the oldest first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), s.split()[4]) for s in lines]


def loop_devices(image: str) -> list[str]:
    """The loop devices of an image."""
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if backing.read_text().rstrip("\n").removesuffix(" (deleted)") == image:
                found.append(backing.parts[3])
    return found


def listens(pid: int, port: int) -> bool:
    """Whether somebody listens at a TCP port in the network of the process ``pid``."""
    try:
        lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return False
    return any(s.split()[3] == "0A" and s.split()[1].endswith(f":{port:04X}") for s in lines)


def run(*command: str | Path) -> str:
    """What a command prints; RuntimeError with its words where it fails or hangs."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def soon(condition: Callable[[], object], limit_s: float = 5.0) -> bool:
    """Whether ``condition`` becomes true within the time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def unmount(point: str) -> None:
    """Unmounts all that is on ``point``; what holds it keeps it, invisibly, until it lets go."""
    for attempt in range(50):
        if point not in mount_points():
            return
        flags = _UMOUNT_NOFOLLOW | (_MNT_DETACH if attempt > 10 else 0)
        if _LIBC.umount2(os.fsencode(point), flags) != 0:
            time.sleep(0.05)


def _detach(image: str) -> None:
    for device in loop_devices(image):
        with contextlib.suppress(RuntimeError):
            run("losetup", "-d", f"/dev/{device}")
    soon(lambda: not loop_devices(image))


def _members(group: str) -> list[str]:
    try:
        return Path(group, "cgroup.procs").read_text().split()
    except OSError:
        return []


def _dissolve(group: str) -> None:
    """Kills all in a control group, whatever they did to get away, and removes it."""
    for _ in range(50):
        for pid in _members(group):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        if not _members(group):
            break
        time.sleep(0.02)
    with contextlib.suppress(FileNotFoundError):
        soon(lambda: _removed(group))


def _release(group: str) -> None:
    """Moves all in a control group to the one above, and removes it."""
    for pid in _members(group):
        with contextlib.suppress(OSError):
            Path(group).parent.joinpath("cgroup.procs").write_text(pid)
    with contextlib.suppress(FileNotFoundError):
        soon(lambda: _removed(group))


def _removed(group: str) -> bool:
    try:
        os.rmdir(group)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _end(process: str) -> None:
    """Ends the session of a daemon: SIGTERM first, SIGKILL half a second later."""
    pid, _, birth = process.partition(" ")
    for number in (signal.SIGTERM, signal.SIGKILL):
        if born(pid) != birth:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(pid), number)
        soon(lambda: born(pid) != birth, 0.5)


def _remove_network(name: str) -> None:
    if Path("/run/netns", name).exists():
        run("ip", "netns", "del", name)


def _is_alive(process: str) -> bool:
    pid, _, birth = process.partition(" ")
    return born(pid) == birth


#: For each kind of thing: how it goes, and whether it is there.
_KINDS: dict[str, tuple[Callable[[str], None], Callable[[str], object]]] = {
    "mount": (unmount, lambda point: point in mount_points()),
    "loop": (_detach, loop_devices),
    "network": (_remove_network, lambda name: Path("/run/netns", name).exists()),
    "group": (_dissolve, os.path.isdir),
    "borrowed group": (_release, os.path.isdir),
    "process": (_end, _is_alive),
}

Thing = tuple[str, str]


def standing(things: list[Thing]) -> list[Thing]:
    """Those of ``things`` that are still there."""
    return [(kind, name) for kind, name in things if _KINDS[kind][1](name)]


def traces(text: str) -> list[str]:
    """Everything of a lab on this machine whose name contains ``text``, however it was made."""
    backing = Path("/sys/block").glob("loop*/loop/backing_file")
    names = [
        *mount_points(),
        *(f"{path.parts[3]} {path.read_text().strip()}" for path in backing if path.exists()),
        *(path.name for path in Path("/run/netns").glob("*")),
        *map(str, Path("/sys/fs/cgroup").glob("**/aibench-lab-*")),
        *map(str, base().glob("*")),
    ]
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            names.append(f"{command.parts[2]} {command.read_bytes().decode(errors='replace')}")
    return [name for name in names if text in name]


def things(directory: Path) -> list[Thing]:
    """All that the lab of ``directory`` wrote down, the oldest first; half a line counts not."""
    found = []
    for line in (directory / LEDGER).read_text().splitlines():
        with contextlib.suppress(ValueError):
            kind, name = json.loads(line)
            found.append((kind, name))
    return found


def undo(directory: Path, bury: Callable[[], object] = lambda: None) -> None:
    """Takes down all that a lab made, the newest first, and removes its directory.

    RuntimeError names what would not go. ``bury`` is called after each thing.
    """
    listed = things(directory)
    for kind, name in reversed(listed):
        _KINDS[kind][0](name)
        bury()
    if left := standing(listed):
        raise RuntimeError(f"{directory.name} could not take down {left}")
    if any(Path(point).is_relative_to(directory) for point in mount_points()):
        raise RuntimeError(f"{directory} holds a mount that nobody wrote down")
    shutil.rmtree(directory, ignore_errors=True)


def sweep() -> list[str]:
    """Takes down what labs made whose makers are dead; what would not go, for the next sweep."""
    base().mkdir(mode=0o700, exist_ok=True)
    if base().is_symlink() or base().stat().st_uid != os.geteuid():
        raise RuntimeError(f"{base()} belongs to somebody else")
    problems = []
    for directory in sorted(base().glob("*-*-*"), key=_age):
        pid, birth, _ = directory.name.split("-")
        if born(pid) == birth:
            continue
        try:
            undo(directory)
        except FileNotFoundError:  # it never wrote anything, or another one sweeps too
            shutil.rmtree(directory, ignore_errors=True)
        except (OSError, RuntimeError) as error:
            problems.append(str(error))
    return problems


def _age(directory: Path) -> int:
    """Labs of one process lie in one another: the one that was made last goes first."""
    return -int(directory.name.rpartition("-")[2])


def guard(pid: int) -> None:
    """Leaves a process behind that sweeps when ``pid`` ends, and ends itself then."""
    if pid not in _GUARDED:
        _GUARDED.add(pid)
        words = ["setsid", "--fork", sys.executable, "-I", "-S", __file__, str(pid), born(pid)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _watch(pid: int, birth: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        watched = os.pidfd_open(pid)
        if born(pid) == birth:
            select.select([watched], [], [])
    sweep()


if __name__ == "__main__":
    _watch(int(sys.argv[1]), sys.argv[2])
