"""Real mounts for tests: made in one call, taken down completely, also after a failure."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.labs.ledger import laboratory

MIB = 2**20
_CAP_SYS_ADMIN = 21
_V1 = Path("/sys/fs/cgroup/blkio")
_V2 = Path("/sys/fs/cgroup")
_MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
}
_SMALLEST_XFS = 300 * MIB


def missing() -> str:
    """What this machine lacks for real mounts, in a sentence; empty where it lacks nothing."""
    if os.geteuid() != 0:
        return "Real mounts need root."
    status = Path("/proc/self/status").read_text()
    capabilities = int(status.partition("CapEff:")[2].split()[0], 16)
    if not capabilities >> _CAP_SYS_ADMIN & 1:
        return "Real mounts need the capability SYS_ADMIN."
    programs = ("mount", "umount", "losetup", *(make[0] for make in _MAKE.values()))
    absent = [program for program in programs if shutil.which(program) is None]
    if absent:
        return f"Real mounts need {', '.join(absent)} (packages util-linux, e2fsprogs, xfsprogs)."
    if not Path("/dev/loop-control").exists():
        return "Real mounts need loop devices, and /dev/loop-control is missing."
    return ""


requires_mounts = pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")
"""Skips a test, with the sentence that says what is missing, where mounts can't be made."""


@dataclass(frozen=True)
class Mounted:
    """A filesystem of the lab: where it is, and on which loop device (``loop0``) it lies."""

    path: Path
    fstype: str
    device: str = ""

    @property
    def device_id(self) -> str:
        """Major and minor number of the loop device, as cgroups want them."""
        return Path(f"/sys/block/{self.device}/dev").read_text().strip()


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextlib.contextmanager
def loop_mount(
    directory: Path,
    fstype: str = "ext4",
    size: int = 256 * MIB,
    *,
    direct: bool = True,
    at: Path | None = None,
) -> Iterator[Mounted]:
    """An ext4 or xfs filesystem on a sparse image under ``directory``, on a loop device.

    ``direct`` keeps the image out of this host's page cache; without it, cold reads aren't cold.
    The mount point is made in ``at``, or beside the image.
    """
    if fstype == "xfs":
        size = max(size, _SMALLEST_XFS)
    image, point = directory / f"{fstype}.image", (at or directory) / f"{fstype} mount"
    with image.open("xb") as file:
        file.truncate(size)
    with laboratory() as ledger, contextlib.ExitStack() as undo:
        undo.callback(image.unlink)
        ledger.note("loop", image)
        _run(*_MAKE[fstype], image)
        device = _run("losetup", "-f", "--show", f"--direct-io={'on' if direct else 'off'}", image)
        undo.callback(_detach, device)
        with _mounted(point, "-t", fstype, device):
            yield Mounted(point, fstype, Path(device).name)


@contextlib.contextmanager
def tmpfs_mount(
    directory: Path,
    size: int = 64 * MIB,
    inodes: int | None = None,
    *,
    read_only: bool = False,
) -> Iterator[Mounted]:
    """A tmpfs under ``directory`` that is full after ``size`` bytes or ``inodes`` inodes."""
    point = directory / "tmpfs mount"
    options = f"size={size}" + (f",nr_inodes={inodes}" if inodes else "")
    options += ",ro" if read_only else ""
    with _mounted(point, "-t", "tmpfs", "-o", options, "tmpfs"):
        yield Mounted(point, "tmpfs")


@contextlib.contextmanager
def bind_mount(source: Path, point: Path) -> Iterator[Mounted]:
    """The directory ``source`` once more at ``point``."""
    with _mounted(point, "--bind", source):
        yield Mounted(point, "bind")


@contextlib.contextmanager
def bind_mount_file(source: Path, file: Path) -> Iterator[None]:
    """The file ``source`` once more, over ``file``."""
    with laboratory() as ledger, contextlib.ExitStack() as undo:
        ledger.note("mount", file)
        _run("mount", "--bind", source, file)
        undo.callback(_unmount, file)
        yield


@contextlib.contextmanager
def _mounted(point: Path, *arguments: str | Path) -> Iterator[None]:
    with laboratory() as ledger, contextlib.ExitStack() as undo:
        point.mkdir()
        undo.callback(point.rmdir)
        ledger.note("mount", point)
        _run("mount", *arguments, point)
        undo.callback(_unmount, point)
        yield


def _unmount(point: Path) -> None:
    """Unmounts; what still holds the mount keeps it, invisibly, until it lets go."""
    for _ in range(10):
        with contextlib.suppress(RuntimeError):
            _run("umount", point)
            return
        time.sleep(0.1)
    _run("umount", "--lazy", point)


def _detach(device: str) -> None:
    """Frees a loop device and waits until the kernel has done so."""
    _run("losetup", "-d", device)
    backing = Path(f"/sys/block/{Path(device).name}/loop/backing_file")
    for _ in range(50):
        if not backing.exists():
            return
        time.sleep(0.1)


def leftovers(directory: Path) -> list[str]:
    """The mounts and loop devices under ``directory`` that are still there."""
    escaped = str(directory).replace(" ", "\\040")
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    found = [point for point in points if point.startswith(escaped)]
    for backing in sorted(Path("/sys/block").glob("loop*/loop/backing_file")):
        with contextlib.suppress(OSError):
            if backing.read_text().startswith(str(directory)):
                found.append(backing.parts[3])
    return found


def missing_throttle() -> str:
    """What the kernel lacks to throttle a device, in a sentence; empty where it lacks nothing."""
    if missing():
        return missing()
    if _v1() or "io" in _words(_V2 / "cgroup.controllers"):
        return ""
    return "Known limits need blkio throttling (cgroup v1) or the io controller (cgroup v2)."


def _v1() -> bool:
    return (_V1 / "cgroup.procs").exists()


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@contextlib.contextmanager
def throttle(
    device: Mounted, *, read_bps: int = 0, read_iops: int = 0, write_bps: int = 0
) -> Iterator[None]:
    """Limits what this process and those it starts do to the loop device; 0 is no limit.

    Under cgroup v1 (and v2 without the memory controller) delayed writing is not limited: a test
    of ``write_bps`` writes with O_DIRECT or fsync. Skips where the kernel can't throttle.
    """
    if lacking := missing_throttle():
        pytest.skip(lacking)
    version = 1 if _v1() else 2
    top = _V1 if version == 1 else _V2
    home = top / own_group("blkio" if version == 1 else "").lstrip("/")
    if version == 2 and "io" not in _words(top / "cgroup.subtree_control"):
        (top / "cgroup.subtree_control").write_text("+io")
    lines = _limits(version, device.device_id, read_bps, read_iops, write_bps)
    with in_group(top, home, list(lines)):
        yield


@contextlib.contextmanager
def in_group(top: Path, home: Path, lines: list[tuple[str, str]]) -> Iterator[Path]:
    """This process and those it starts in a new control group below ``top``, then in ``home``.

    ``lines`` are written into the group's files before.
    """
    with laboratory() as ledger:
        group = top / ledger.name
        ledger.note("borrowed group", group)
        group.mkdir()
        try:
            for name, line in lines:
                (group / name).write_text(line)
            (group / "cgroup.procs").write_text(str(os.getpid()))
            yield group
        finally:
            for process in _words(group / "cgroup.procs"):
                with contextlib.suppress(ProcessLookupError):
                    (home / "cgroup.procs").write_text(process)
            group.rmdir()


def _limits(
    version: int, device_id: str, read_bps: int, read_iops: int, write_bps: int
) -> Iterator[tuple[str, str]]:
    """The control files of a group and the lines to write into them."""
    names = ("read_bps", "read_iops", "write_bps")
    given = dict(zip(names, (read_bps, read_iops, write_bps), strict=True))
    for name, limit in given.items():
        if limit and version == 1:
            yield f"blkio.throttle.{name}_device", f"{device_id} {limit}"
        elif limit:
            yield "io.max", f"{device_id} {name[0]}{name.partition('_')[2]}={limit}"


def own_group(controller: str) -> str:
    """The control group that this process is in, as its controller names it."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return "/"
