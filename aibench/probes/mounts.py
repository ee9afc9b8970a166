"""Describes the mount that a directory is on, and says what is wrong with it as a target."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from aibench.errors import TargetError
from aibench.model import Target
from aibench.probes import devices, sysfs

_OCTAL = re.compile(rb"\\([0-7]{3})")
_MOUNT_ID = re.compile(rb"[0-9]{1,20}")
_NONSENSE_BYTES = 2**62
_NONSENSE_INODES = 2**60
_COLON_SOURCES = ("nfs", "nfs4", "ceph", "lustre", "glusterfs", "fuse.sshfs", "fuse.glusterfs",
                  "fuse.seaweedfs", "fuse.nfsfuse")  # fmt: skip
_NOT_PLACES = ("", "none", "swap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of mountinfo, escapes decoded. ``root`` is not ``/`` for a bind mount."""

    mount_id: int
    device_id: str
    root: str
    point: str
    options: tuple[str, ...]
    fstype: str
    source: str


def parse(content: bytes) -> tuple[Mount, ...]:
    """The mounts that the text of ``/proc/self/mountinfo`` lists; broken lines are left out."""
    mounts = (_mount(line) for line in content.split(b"\n"))
    return tuple(mount for mount in mounts if mount is not None)


def _mount(line: bytes) -> Mount | None:
    before, separator, after = line.partition(b" - ")
    head, tail = before.split(b" "), after.split(b" ", 2)
    if not separator or len(head) < 6 or len(tail) < 3 or not _MOUNT_ID.fullmatch(head[0]):
        return None
    return Mount(
        mount_id=int(head[0]),
        device_id=os.fsdecode(head[2]),
        root=decoded(head[3]),
        point=decoded(head[4]),
        options=_merged(os.fsdecode(head[5]), os.fsdecode(tail[2])),
        fstype=os.fsdecode(tail[0]),
        source=decoded(tail[1]),
    )


def decoded(field: bytes) -> str:
    """``field`` with the octal escapes of mountinfo, mountstats and fstab resolved."""
    return os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8) & 255]), field))


def _merged(mount: str, superblock: str) -> tuple[str, ...]:
    """The options of the mount, then those of the filesystem; read-only where either says so."""
    options = list(dict.fromkeys(f"{mount},{superblock}".rstrip(",").split(",")))
    if "ro" in options and "rw" in options:
        options.remove("rw")
    return tuple(options)


def mounted() -> tuple[Mount, ...]:
    """What is mounted now in this process's namespace; nothing where the kernel does not tell."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return parse(file.read())
    except OSError:
        return ()


def covers(point: str, path: str) -> bool:
    """Whether ``path`` is ``point`` or lies below it."""
    return path == point or path.startswith(point.rstrip("/") + "/")


def covering(mounts: Iterable[Mount], path: str) -> Mount | None:
    """The mount that absolute ``path`` is on: the last that covers it, for it hides the others."""
    found = None
    for mount in mounts:
        if covers(mount.point, path):
            found = mount
    return found


def mount_of(path: str) -> Mount | None:
    """The mount that ``path`` is on, as the kernel names it for an open file.

    An automount is triggered. Where the kernel doesn't name the mount, paths decide.
    """
    flag = os.O_DIRECTORY if os.path.isdir(path) else 0
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | flag)
    try:
        mount_id = sysfs.fields(f"/proc/self/fdinfo/{descriptor}").get("mnt_id")
        mounts = mounted()
    finally:
        os.close(descriptor)
    for mount in mounts:
        if mount.mount_id == mount_id:
            return mount
    return covering(mounts, os.path.realpath(path))


def describe(path: str, label: str | None = None) -> Target:
    """The directory ``path`` as a target. `TargetError` where it is missing or can't be looked at.

    Symbolic links are followed. The label is ``path`` where none is given.
    """
    real = os.path.realpath(path)
    try:
        mount = mount_of(real)
        status = os.stat(real)
        space = os.statvfs(real)
    except OSError as error:
        raise TargetError(f"{path}: {_lower(error)}") from error
    if mount is None:
        raise TargetError(f"{path}: /proc/self/mountinfo does not tell which mount this is on")
    device_id = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    return Target(
        path=real,
        label=label or os.path.abspath(path),
        mount_point=mount.point,
        fstype=mount.fstype,
        source=mount.source,
        options=mount.options,
        device_id=device_id,
        device=devices.name_of(device_id) or devices.name_of_source(mount.source),
        server=server_of(mount.fstype, mount.source),
        **capacity(space),
    )


def capacity(space: os.statvfs_result) -> dict[str, int | None]:
    """Block size, bytes and inodes of statvfs, with None for what is 0 or nonsense.

    s3fs says 16 EiB and no inodes, ceph-fuse says 0, btrfs has no limit of inodes.
    """
    unit = space.f_frsize or space.f_bsize
    total: int | None = space.f_blocks * unit
    free: int | None = space.f_bavail * unit
    if not 0 < (total or 0) < _NONSENSE_BYTES:
        total = free = None
    elif (free or 0) > (total or 0):
        free = None
    inodes = space.f_favail if 0 < space.f_files < _NONSENSE_INODES else None
    if inodes is not None and inodes > space.f_files:
        inodes = None
    return {
        "block_size": unit or None,
        "total_bytes": total,
        "free_bytes": free,
        "free_inodes": inodes,
    }


def server_of(fstype: str, source: str) -> str | None:
    """The host that ``source`` names for a network filesystem; None where it names none."""
    if fstype in ("cifs", "smb3"):
        return source.replace("\\", "/").lstrip("/").partition("/")[0] or None
    if fstype == "fuse" and source.startswith("mfs#"):
        return _host(source.removeprefix("mfs#").partition("/")[0])
    if fstype not in _COLON_SOURCES or ":" not in source:
        return None
    head = source.partition(":/")[0] if ":/" in source else source.rpartition(":")[0]
    if fstype == "lustre":
        return head.partition("@")[0] or None
    return _host(head.partition(",")[0].rpartition("@")[2])


def _host(address: str) -> str | None:
    if address.startswith("["):
        return address[1:].partition("]")[0] or None
    host, colon, port = address.rpartition(":")
    return (host if colon and port.isdigit() and ":" not in host else address) or None


def unmounted_entry(path: str, fstab: str = "/etc/fstab") -> str | None:
    """The mount point in fstab that covers ``path`` but is not mounted now; None where none is.

    A benchmark of an empty mount point would measure the disk below it.
    """
    places = [os.path.abspath(path), os.path.realpath(path)]
    points = [p for p in _fstab_points(fstab) if any(covers(p, place) for place in places)]
    if not points:
        return None
    point = max(points, key=len)
    _trigger_automount(point)
    real = os.path.realpath(path)
    on = covering(mounted(), real) if not os.path.exists(real) else mount_of(real)
    if on is None or (on.fstype != "autofs" and covers(os.path.realpath(point), on.point)):
        return None
    return point


def _fstab_points(fstab: str) -> list[str]:
    try:
        with open(fstab, "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return []
    parts = (line.split() for line in lines if not line.lstrip().startswith(b"#"))
    points = (decoded(part[1]) for part in parts if len(part) >= 3 and part[2] != b"swap")
    return [os.path.normpath(point) for point in points if point not in _NOT_PLACES]


def _trigger_automount(point: str) -> None:
    try:
        os.close(os.open(point, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError:
        return


def writable_problem(path: str) -> str | None:
    """Why nothing can be written in the directory ``path``, in a sentence; None where it can."""
    try:
        if not os.path.isdir(path):
            os.stat(path)
            return f"{path} is a file; a directory on the mount to be measured is needed."
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            return f"{path} is on a read-only mount; mount it read-write (mount -o remount,rw)."
        if not os.access(path, os.W_OK | os.X_OK, effective_ids=True):
            return f"No permission to write in {path}; change its mode or owner, or the user."
    except FileNotFoundError:
        return f"{path} does not exist; create it, or mount what should be there."
    except OSError as error:
        return f"{path} can't be looked at: {_lower(error)}."
    return None


def _lower(error: OSError) -> str:
    return (error.strerror or "unreadable").lower()
