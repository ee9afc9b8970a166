"""What lies below a filesystem's device is found, and each layer of it is counted."""

import os
from pathlib import Path

import pytest

from aibench.probes import cache, delivered, devices, layers, mounts
from aibench.probes.layers import Stack
from aibench.probes.mounts import Mount
from tests import build, lab
from tests.labs import stacked
from tests.labs.tools import unless

MIB = 2**20


class Machine:
    """A recorded ``/sys``: block devices that have read a number of sectors."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.listed: list[Mount] = []
        (root / "class/block").mkdir(parents=True)
        (root / "dev/block").mkdir(parents=True)

    def device(self, name: str, sectors: int, *below: str, **files: str) -> Path:
        """A whole device on ``below``; ``files`` are of its directory, ``__`` being a slash."""
        return self._add(
            self.root / "devices" / name, sectors, below, {"queue__iostats": "1"} | files
        )

    def partition(self, disk: str, name: str, sectors: int) -> Path:
        """A partition."""
        return self._add(self.root / "devices" / disk / name, sectors, (), {"partition": "1"})

    def _add(
        self, place: Path, sectors: int, below: tuple[str, ...], files: dict[str, str]
    ) -> Path:
        statistics = {"stat": f"1 0 {sectors} 5 1 0 {2 * sectors} 5 0 5 10"}
        for file, content in (statistics | files).items():
            path = place / file.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        for lower in below:
            (place / "slaves" / lower).mkdir(parents=True)
        (self.root / "class/block" / place.name).symlink_to(place)
        return place

    def mounted(self, point: str, fstype: str, device: str = "", source: str = "none") -> None:
        """A mount at ``point``, of that device or of that source."""
        number = f"8:{len(self.listed)}" if device else "0:40"
        if device:
            place = (self.root / "class/block" / device).resolve()
            (self.root / "dev/block" / number).symlink_to(place)
        self.listed.append(
            Mount(
                mount_id=len(self.listed), device_id=number, root="/", point=point, options=(),
                fstype=fstype, source=source,
            )
        )  # fmt: skip

    def stack(self, device: str) -> Stack:
        """What lies below a device."""
        return layers.below(device, str(self.root), self.listed)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without devices."""
    return Machine(tmp_path / "sys")


def sectors(stack: Stack) -> list[tuple[str, int]]:
    """What each layer is and how many sectors it has delivered."""
    return [(each.source, (each.traffic() or (0, 0))[0] // 512) for each in stack.layers]


def quiet(stack: Stack) -> bool:
    """Whether nothing is said of a cache or of something that was not seen."""
    return stack[1:] == ("", "", "", "")


def test_disk(machine: Machine) -> None:
    """A disk, or a partition of one, is its only layer."""
    machine.device("sda", 100)
    machine.partition("sda", "sda1", 60)
    for name, count in (("sda", 100), ("sda1", 60)):
        found = machine.stack(name)
        assert sectors(found) == [(f"block device {name}", count)]
        assert quiet(found)


def test_written(machine: Machine) -> None:
    """What was written is counted beside what was read."""
    machine.device("sda", 100)
    (layer,) = machine.stack("sda").layers
    assert layer.traffic() == (100 * 512, 200 * 512)


def test_volume_on_a_partition(machine: Machine) -> None:
    """Below a volume the partition counts that it lies on, not the whole disk."""
    machine.device("sda", 100)
    machine.partition("sda", "sda1", 60)
    machine.device("dm-0", 50, "sda1")
    found = machine.stack("dm-0")
    assert sectors(found) == [("block device dm-0", 50), ("block device sda1 below dm-0", 60)]
    assert quiet(found)


def test_volume_on_an_array(machine: Machine) -> None:
    """LVM on md on two disks has three layers; a disk counts once, however it is reached."""
    machine.device("sda", 30)
    machine.device("sdb", 40)
    machine.device("md0", 60, "sda", "sdb")
    machine.device("dm-1", 55, "md0", "sdb")
    assert sectors(machine.stack("dm-1")) == [
        ("block device dm-1", 55),
        ("block devices md0, sdb below dm-1", 100),
        ("block devices sda, sdb below dm-1", 70),
    ]


def test_btrfs_on_unlike_devices(machine: Machine) -> None:
    """A filesystem on several devices is counted on all, those with layers below and the others."""
    machine.device("sda", 30)
    machine.device("sdb", 40)
    machine.device("dm-0", 9, "sda")
    (machine.root / "fs/btrfs/1234/devices").mkdir(parents=True)
    for name in ("dm-0", "sdb"):
        (machine.root / "fs/btrfs/1234/devices" / name).symlink_to(machine.root)
    assert sectors(machine.stack("sdb")) == [
        ("block devices dm-0, sdb", 49),
        ("block devices sda, sdb below dm-0, sdb", 70),
    ]


def test_multipath(machine: Machine) -> None:
    """Below dm-multipath all paths count together."""
    machine.device("sda", 20)
    machine.device("sdb", 31)
    machine.device("dm-0", 51, "sda", "sdb")
    assert sectors(machine.stack("dm-0"))[1] == ("block devices sda, sdb below dm-0", 51)


def test_hidden_paths_of_nvme(machine: Machine) -> None:
    """An NVMe namespace with several paths is counted on them: some kernels count nowhere else."""
    machine.device("nvme0n1", 0)
    machine.partition("nvme0n1", "nvme0n1p1", 0)
    machine.device("nvme0n12", 999)
    machine.device("nvme0c0n1", 20)
    machine.device("nvme0c1n1", 30)
    machine.device("nvme1c0n1", 7000)
    for name in ("nvme0n1", "nvme0n1p1"):
        assert sectors(machine.stack(name)) == [("block devices nvme0c0n1, nvme0c1n1", 50)]
    assert sectors(machine.stack("nvme0n12")) == [("block device nvme0n12", 999)]
    machine.device("dm-0", 49, "nvme0n1")
    assert sectors(machine.stack("dm-0"))[1][1] == 50


def test_bcache(machine: Machine) -> None:
    """Below bcache the disk counts that is cached; its cache device holds copies."""
    disk = machine.device("sdb", 500)
    backing = machine.partition("sdb", "sdb1", 5)
    machine.device("nvme0n1", 95)
    cached = machine.device("bcache0", 100, "nvme0n1", "sdb1")
    (backing / "bcache").mkdir()
    (cached / "bcache").symlink_to(backing / "bcache")
    found = machine.stack("bcache0")
    assert disk.exists()
    assert sectors(found) == [
        ("block device bcache0", 100),
        ("block device sdb1 below bcache0", 5),
    ]
    assert found.cache == "bcache0 keeps copies of parts of sdb1 on nvme0n1"


@pytest.mark.parametrize("origin", ["vg-data_corig", "vg-data_wcorig"])
def test_dm_cache(machine: Machine, origin: str) -> None:
    """Below LVM's caches the origin counts, and what it lies on."""
    machine.device("sda", 6)
    machine.device("nvme0n1", 95)
    machine.device("dm-1", 94, "nvme0n1", dm__name="vg-pool_cdata")
    machine.device("dm-2", 1, "nvme0n1", dm__name="vg-pool_cmeta")
    machine.device("dm-3", 5, "sda", dm__name=origin)
    machine.device("dm-4", 100, "dm-1", "dm-2", "dm-3", dm__name="vg-data")
    found = machine.stack("dm-4")
    assert [count for _, count in sectors(found)] == [100, 5, 6]
    assert found.cache == "dm-4 keeps copies of parts of dm-3 on dm-1, dm-2"


@pytest.mark.parametrize("deleted", ["", " (deleted)"])
def test_loop_device(machine: Machine, tmp_path: Path, deleted: str) -> None:
    """Below a loop device is the disk with its image; a partition of it lies on the same."""
    image = tmp_path / "image"
    image.touch()
    machine.device("sda", 100)
    machine.partition("sda", "sda1", 60)
    files = {"loop__backing_file": f"{image}{deleted}", "loop__dio": "0"}
    machine.device("loop7", 55, **files)
    machine.partition("loop7", "loop7p1", 50)
    machine.mounted("/", "ext4", "sda1")
    found = machine.stack("loop7p1")
    assert sectors(found) == [
        ("block device loop7p1", 50),
        ("block device sda1 below loop7p1", 60),
    ]
    assert found == Stack(layers=found.layers, cached_loop="loop7")


def test_direct_loop_device(machine: Machine, tmp_path: Path) -> None:
    """A loop device past the page cache is no cache; one on another's filesystem may be."""
    (tmp_path / "image").touch()
    machine.device("sda", 100)
    machine.device("loop0", 90, loop__backing_file=str(tmp_path / "image"), loop__dio="1")
    machine.mounted("/", "ext4", "sda")
    assert quiet(machine.stack("loop0"))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/image").touch()
    machine.device("loop1", 80, loop__backing_file=str(tmp_path / "inner/image"), loop__dio="0")
    machine.mounted(str(tmp_path / "inner"), "ext4", "loop0")
    found = machine.stack("loop1")
    assert [count for _, count in sectors(found)] == [80, 90, 100]
    assert found.cached_loop == "loop1"


@pytest.mark.parametrize(
    ("fstype", "dio", "uncounted"),
    [
        ("overlay", "1", ""),
        ("overlay", "0", "nothing counts what loop0 reads of its image"),
        ("fuse.sshfs", "1", "the image of loop0 lies on fuse.sshfs, served by a process"),
        ("fuse.sshfs", "0", "the image of loop0 lies on fuse.sshfs, served by a process"),
    ],
)
def test_image_that_is_not_counted(
    machine: Machine, tmp_path: Path, fstype: str, dio: str, uncounted: str
) -> None:
    """Where nothing counts below an image that may be cached, that is said."""
    (tmp_path / "image").touch()
    machine.device("loop0", 90, loop__backing_file=str(tmp_path / "image"), loop__dio=dio)
    machine.mounted("/", fstype)
    found = machine.stack("loop0")
    assert sectors(found) == [("block device loop0", 90)]
    assert found.uncounted.startswith(uncounted)
    assert bool(found.uncounted) is bool(uncounted)


def test_image_out_of_sight(machine: Machine) -> None:
    """An image whose path leads nowhere here, as in another mount namespace, tells no layer."""
    machine.device("sda", 100)
    machine.device("loop0", 90, loop__backing_file="/nowhere/image", loop__dio="0")
    machine.mounted("/", "ext4", "sda")
    found = machine.stack("loop0")
    assert sectors(found) == [("block device loop0", 90)]
    assert found.uncounted == "nothing counts what loop0 reads of its image"


def test_image_on_nfs(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a loop device with its image on NFS, the mount's own bytes count."""
    (tmp_path / "image").touch()
    machine.device("loop0", 90, loop__backing_file=str(tmp_path / "image"), loop__dio="0")
    machine.mounted(str(tmp_path), "nfs4", source="nas:/data")
    stats = tmp_path / "proc/self/mountstats"
    stats.parent.mkdir(parents=True)
    stats.write_text(
        f"device nas:/data mounted on {tmp_path} with fstype nfs4 statvers=1.1\n"
        "\tbytes:\t11 12 13 14 51200 1600 17 18\n"
    )
    monkeypatch.setattr(layers.nfsstats, "MOUNTSTATS", str(stats))
    found = machine.stack("loop0")
    assert sectors(found)[1] == (f"NFS mount {tmp_path} below loop0", 100)
    assert found.uncounted == ""


@pytest.mark.parametrize("name", ["ram0", "zram1"])
def test_memory_at_the_bottom(machine: Machine, name: str) -> None:
    """A RAM disk below any layers is memory."""
    machine.device(name, 1)
    machine.device("dm-0", 7, name)
    assert machine.stack("dm-0").memory == f"block device {name} is memory"


def test_image_in_memory(machine: Machine, tmp_path: Path) -> None:
    """An image on a tmpfs is memory, also below a volume."""
    (tmp_path / "image").touch()
    machine.device("loop0", 90, loop__backing_file=str(tmp_path / "image"), loop__dio="0")
    machine.device("dm-0", 7, "loop0")
    machine.mounted("/", "tmpfs")
    found = machine.stack("dm-0").memory
    assert found == "loop0 is a loop device whose image lies in memory (tmpfs)"


@pytest.mark.parametrize("name", ["nbd0", "ublkb3"])
def test_served_device(machine: Machine, name: str) -> None:
    """A device that a process serves may be a cache, also below a volume."""
    machine.device(name, 90)
    machine.device("dm-0", 90, name)
    assert machine.stack("dm-0").uncounted == f"{name} is served by a process that may cache"


def test_uncounted_devices(machine: Machine) -> None:
    """A layer that the kernel does not count is left out; of the lowest, or of all, it is told."""
    place = machine.device("sda", 100)
    volume = machine.device("dm-0", 90, "sda")
    why = "the kernel does not count block device {} (queue/iostats is 0)"
    (volume / "queue/iostats").write_text("0\n")
    found = machine.stack("dm-0")
    assert sectors(found) == [("block device sda below dm-0", 100)]
    assert found.uncounted == ""
    (place / "queue/iostats").write_text("0\n")
    found = machine.stack("dm-0")
    assert (found.layers, found.uncounted) == ((), why.format("dm-0"))
    (volume / "queue/iostats").write_text("1\n")
    found = machine.stack("dm-0")
    assert [count for _, count in sectors(found)] == [90]
    assert found.uncounted == why.format("sda")
    assert "no statistics of block device sdz" in machine.stack("sdz").uncounted


def test_vanished_device(machine: Machine) -> None:
    """A layer whose device has gone tells nothing any more."""
    place = machine.device("sda", 100)
    (layer,) = machine.stack("sda").layers
    (place / "stat").unlink()
    assert layer.traffic() is None


def test_endless_layers(machine: Machine) -> None:
    """Devices that lie below themselves, which can't be, end the search all the same."""
    machine.device("dm-0", 1, "dm-1")
    machine.device("dm-1", 2, "dm-0")
    assert len(machine.stack("dm-0").layers) == 8


def test_counter_of_layers(machine: Machine) -> None:
    """A target's counter has the layers of its device, and says what none of them has."""
    machine.device("sda", 60)
    machine.device("dm-0", 50, "sda")
    counter = delivered.counter(build.target(device="dm-0"), str(machine.root))
    assert counter.source == "block device dm-0"
    assert counter.readings().layers == (50 * 512, 60 * 512)
    assert (counter.read_bytes(), counter.written_bytes()) == (50 * 512, 100 * 512)
    nothing = delivered.counter(build.target(device="sdz"), str(machine.root))
    assert (nothing.source, nothing.layers, nothing.read_bytes()) == ("", (), None)
    assert "no statistics" in nothing.reason


def read_cold(directory: Path, name: str = "file", size: int = 16 * MIB) -> delivered.Passed:
    """What the layers below ``directory`` deliver of a new file that is written and read cold."""
    (directory / name).write_bytes(os.urandom(size))
    counter = delivered.counter(mounts.describe(str(directory)))
    root = os.open(directory, os.O_RDONLY)
    cache.evict(root, [name], allow_drop=False)
    os.close(root)
    before = counter.readings()
    (directory / name).read_bytes()
    return counter.since(before)


@pytest.mark.mounts
@pytest.mark.alone
@unless(stacked.missing_partitions())
def test_real_partition() -> None:
    """On a partition of a loop device the partition is counted, and the disk of the image."""
    with stacked.partition() as mounted:
        first, *below = read_cold(mounted.path).layers
    assert first.source == f"block device {mounted.device}"
    assert first.bytes == pytest.approx(16 * MIB, rel=0.05)
    assert [each.source.endswith(f" below {mounted.device}") for each in below] in ([], [True])
    assert all((each.bytes or 0) >= 15 * MIB for each in below)


@pytest.mark.mounts
@pytest.mark.alone
@unless(stacked.missing_btrfs())
def test_real_btrfs() -> None:
    """All devices of a btrfs together deliver a file that was written over them."""
    with stacked.btrfs() as mounted:
        counter = delivered.counter(mounts.describe(str(mounted.path)))
        before = [devices.traffic(name) for name in mounted.devices]
        first = read_cold(mounted.path).layers[0]
        after = [devices.traffic(name) for name in mounted.devices]
    assert counter.source == f"block devices {', '.join(sorted(mounted.devices))}"
    assert first.bytes == pytest.approx(16 * MIB, rel=0.05)
    moved = [b.read - a.read for a, b in zip(before, after, strict=True) if a and b]
    assert min(moved) > 4 * MIB


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
def test_real_image_in_the_page_cache(tmp_path: Path) -> None:
    """Of an image that the page cache holds, the loop device delivers all and its disk nothing."""
    with stacked.cached_image(tmp_path) as (below, above):
        first, second, *_ = read_cold(above.path).layers
    assert first.source == f"block device {above.device}"
    assert first.bytes == pytest.approx(16 * MIB, rel=0.05)
    assert second.source == f"block device {below.device} below {above.device}"
    assert (second.bytes or 0) < MIB
