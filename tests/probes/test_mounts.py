"""Targets are described as they are, also where the mount is odd."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from aibench.errors import TargetError
from aibench.probes import mounts
from tests import lab

RECORDED = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 8:17 / /mnt/my\040data rw,noatime shared:5 master:3 - xfs /dev/sdb1 rw,attr2
31 27 0:40 / /mnt/nas ro,relatime shared:9 - nfs4 [fd00::1]:/exports/a\040b rw,vers=4.2,nconnect=8
32 27 254:0 /srv/real /mnt/bind rw - ext4 /dev/vda rw,discard
33 27 0:41 / /mnt/mfs rw - fuse mfs\04310.99.0.1:9421 rw,user_id=0
34 31 0:42 / /mnt/nas rw,relatime - tmpfs  rw,size=4k
35 27 0:43 / /mnt/back\134slash rw - cifs \134\134server\134share rw
36 27 0:44 / /mnt/db rw - overlay overlay rw,lowerdir=/a b:/c,upperdir=/u
not a mount
37 27 0:45
"""


def recorded(path: str) -> mounts.Mount:
    """The recorded mount that ``path`` is on."""
    found = mounts.covering(mounts.parse(RECORDED), path)
    assert found is not None
    return found


def test_escapes() -> None:
    """Spaces, backslashes and hashes in mountinfo are decoded."""
    assert recorded("/mnt/my data/x").source == "/dev/sdb1"
    assert recorded("/mnt/back\\slash").source == "\\\\server\\share"
    assert recorded("/mnt/mfs").source == "mfs#10.99.0.1:9421"


def test_last_mount_wins() -> None:
    """Of two mounts on one point the last is the one that is seen."""
    assert recorded("/mnt/nas/dir").fstype == "tmpfs"
    assert recorded("/mnt/nas").source == ""


def test_whole_components() -> None:
    """A mount covers whole path components only."""
    assert recorded("/mnt/mfs2").point == "/"
    assert recorded("/mnt/my data").point == "/mnt/my data"
    assert recorded("/").point == "/"


def test_bind_mount_line() -> None:
    """A bind mount has its own point and the root of what it shows."""
    assert (recorded("/mnt/bind/x").root, recorded("/mnt/bind/x").point) == (
        "/srv/real",
        "/mnt/bind",
    )


def test_options_merged() -> None:
    """Options of mount and filesystem come together, read-only where either is."""
    nas = next(mount for mount in mounts.parse(RECORDED) if mount.fstype == "nfs4")
    assert nas.options == ("ro", "relatime", "vers=4.2", "nconnect=8")
    assert "lowerdir=/a b:/c" in recorded("/mnt/db").options


def test_broken_lines() -> None:
    """Lines that are not mounts are left out."""
    assert len(mounts.parse(RECORDED)) == 9
    assert mounts.parse(b"") == ()


@pytest.mark.parametrize(
    ("fstype", "source", "server"),
    [
        ("nfs", "nas:/exports/data", "nas"),
        ("nfs4", "10.99.0.1:/", "10.99.0.1"),
        ("nfs4", "[fd00::1]:/exports", "fd00::1"),
        ("cifs", "//filer/share/dir", "filer"),
        ("cifs", "\\\\filer\\share", "filer"),
        ("fuse.sshfs", "root@127.0.0.1:/path", "127.0.0.1"),
        ("fuse.sshfs", "box:", "box"),
        ("fuse.glusterfs", "10.99.0.1:/lab", "10.99.0.1"),
        ("fuse.seaweedfs", "127.0.0.1:8888:/", "127.0.0.1"),
        ("fuse", "mfs#10.99.0.1:9421", "10.99.0.1"),
        ("lustre", "10.0.0.1@tcp:10.0.0.2@tcp:/fs", "10.0.0.1"),
        ("ceph", "10.0.0.1:6789,10.0.0.2:6789:/", "10.0.0.1"),
        ("fuse.juicefs", "JuiceFS:lab", None),
        ("fuse.rclone", ":local:/path", None),
        ("ext4", "/dev/sda1", None),
        ("overlay", "overlay", None),
    ],
)
def test_server(fstype: str, source: str, server: str | None) -> None:
    """The server is read from the source of a network mount, and from no other."""
    assert mounts.server_of(fstype, source) == server


def statvfs(**changes: int) -> SimpleNamespace:
    """A filesystem of a hundred blocks of 4096 bytes, half free."""
    parts = {"f_frsize": 4096, "f_bsize": 4096, "f_blocks": 100, "f_bavail": 50}
    return SimpleNamespace(**parts | {"f_files": 1000, "f_favail": 900} | changes)


@pytest.mark.parametrize(
    ("changes", "total", "free", "inodes"),
    [
        ({}, 409_600, 204_800, 900),
        ({"f_bavail": 0, "f_favail": 0}, 409_600, 0, 0),
        ({"f_blocks": 0, "f_bavail": 0}, None, None, 900),
        ({"f_blocks": 2**52, "f_bavail": 2**52, "f_files": 0}, None, None, None),
        ({"f_files": 2**60, "f_favail": 2**60}, 409_600, 204_800, None),
        ({"f_bavail": 2**51}, 409_600, None, 900),
        ({"f_favail": 1001}, 409_600, 204_800, None),
    ],
)
def test_capacity(
    changes: dict[str, int], total: int | None, free: int | None, inodes: int | None
) -> None:
    """What statvfs says is kept, and what is 0 in total or nonsense is missing."""
    figures = mounts.capacity(statvfs(**changes))  # type: ignore[arg-type]
    assert (figures["total_bytes"], figures["free_bytes"], figures["free_inodes"]) == (
        total,
        free,
        inodes,
    )


def test_describe_follows_links(tmp_path: Path) -> None:
    """A target is where a symbolic link leads, labelled as it was named unless told otherwise."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    link = str(tmp_path / "link")
    assert mounts.describe(link).path == str(tmp_path / "real")
    assert mounts.describe(link).label == link
    assert mounts.describe(link, "mine").label == "mine"


def test_describe_missing(tmp_path: Path) -> None:
    """A directory that is missing is refused with its name."""
    with pytest.raises(TargetError, match="nowhere: no such file"):
        mounts.describe(str(tmp_path / "nowhere"))


@pytest.mark.mounts
@lab.requires_mounts
@pytest.mark.parametrize("fstype", ["ext4", "xfs"])
def test_describe_loop_mount(tmp_path: Path, fstype: str) -> None:
    """A real filesystem is described with its device, capacity and options, also with spaces."""
    with lab.loop_mount(tmp_path, fstype) as mounted:
        (mounted.path / "dir").mkdir()
        target = mounts.describe(str(mounted.path / "dir"))
        assert (target.fstype, target.device) == (fstype, mounted.device)
        assert (target.mount_point, target.device_id) == (str(mounted.path), mounted.device_id)
        assert target.source == f"/dev/{mounted.device}"
        assert "rw" in target.options
        assert target.total_bytes is not None
        assert target.free_bytes is not None
        assert 0 < target.free_bytes <= target.total_bytes


@pytest.mark.mounts
@lab.requires_mounts
def test_describe_stacked(tmp_path: Path) -> None:
    """A bind mount and a mount on top of a mount are described as what is seen there."""
    (tmp_path / "source").mkdir()
    below = mounts.describe(str(tmp_path))
    with lab.bind_mount(tmp_path / "source", tmp_path / "point"):
        bound = mounts.describe(str(tmp_path / "point"))
        assert bound.mount_point == str(tmp_path / "point")
        assert (bound.device_id, bound.fstype) == (below.device_id, below.fstype)
        with lab.tmpfs_mount(tmp_path / "point", inodes=100):
            target = mounts.describe(str(tmp_path / "point" / "tmpfs mount"))
            assert (target.fstype, target.device, target.is_memory) == ("tmpfs", None, True)
            assert target.total_bytes == 64 * lab.MIB


def fstab(directory: Path, *points: str) -> str:
    """An fstab with a swap line, a comment and mounts at ``points``."""
    lines = ["# comment", "/dev/sda2 none swap sw 0 0", "proc /proc proc defaults 0 0"]
    lines += [f"nas:/x {point} nfs4 noauto,hard 0 0" for point in points]
    file = directory / "fstab"
    file.write_text("\n".join(lines))
    return str(file)


def test_unmounted_entry(tmp_path: Path) -> None:
    """An entry of fstab that should be mounted above the target, and is not, is named."""
    point = tmp_path / "my nas"
    (point / "dir").mkdir(parents=True)
    table = fstab(tmp_path, "/", str(point).replace(" ", "\\040"))
    assert mounts.unmounted_entry(str(point / "dir"), table) == str(point)
    assert mounts.unmounted_entry(str(point / "not yet"), table) == str(point)
    assert mounts.unmounted_entry(str(tmp_path), table) is None
    assert mounts.unmounted_entry(str(point), str(tmp_path / "no fstab")) is None


@pytest.mark.mounts
@lab.requires_mounts
def test_mounted_entry(tmp_path: Path) -> None:
    """An entry of fstab that is mounted is no problem, also when named through a link."""
    with lab.tmpfs_mount(tmp_path) as mounted:
        (tmp_path / "link").symlink_to(mounted.path)
        table = fstab(tmp_path, str(tmp_path / "link"), str(mounted.path).replace(" ", "\\040"))
        assert mounts.unmounted_entry(str(mounted.path), table) is None
        assert mounts.unmounted_entry(str(tmp_path / "link"), table) is None


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Runs the block with the rights of nobody."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_writable(tmp_path: Path) -> None:
    """A directory that can be written has no problem; a missing one and a file have."""
    (tmp_path / "file").touch()
    assert mounts.writable_problem(str(tmp_path)) is None
    assert "does not exist" in (mounts.writable_problem(str(tmp_path / "missing")) or "")
    assert "is a file" in (mounts.writable_problem(str(tmp_path / "file")) or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="Becoming another user needs root.")
def test_not_permitted(tmp_path: Path) -> None:
    """A directory of another user is a problem of permission, not of existence."""
    with nobody():
        assert "No permission" in (mounts.writable_problem("/usr") or "")


@pytest.mark.mounts
@lab.requires_mounts
def test_read_only_mount(tmp_path: Path) -> None:
    """A read-only mount is named as such."""
    with lab.tmpfs_mount(tmp_path, read_only=True) as mounted:
        assert "read-only mount" in (mounts.writable_problem(str(mounted.path)) or "")
        assert "ro" in mounts.describe(str(mounted.path)).options
