"""A phase is called cold only where nothing speaks against it."""

import os
from pathlib import Path
from typing import Any

import pytest

from aibench.model import CachePolicy, CacheState, Evidence
from aibench.probes import cache, delivered, mounts
from aibench.probes.cache import Eviction, Residency
from aibench.probes.delivered import Delivered, DeliveryCounter, Passed
from aibench.probes.evidence import SMALLEST_COUNTED, classify
from aibench.probes.layers import Layer
from tests import build, lab
from tests.labs import stacked
from tests.labs.tools import unless

ASKED = 100_000_000
COLD, MIXED, WARM, UNKNOWN = CacheState.COLD, CacheState.MIXED, CacheState.WARM, CacheState.UNKNOWN


def counter(*sources: str, **changes: str) -> DeliveryCounter:
    """A counter of block devices, one below the other; it is told what passed, and never read."""
    layers = (Layer(f"block device {source}", lambda: None) for source in sources)
    return DeliveryCounter(layers=tuple(layers), **changes)


DISK = counter("sda")
BUFFERED_LOOP = counter("loop0", "sda below loop0", cached_below="loop0")
CACHED = counter("dm-4", "sda below dm-4", cache="dm-4 keeps copies of parts of sda on nvme0n1")
NFS = DeliveryCounter(layers=(Layer("NFS mount /mnt/data", lambda: None),))
NO_COUNTER = DeliveryCounter(reason="overlay has no counter")
MEMORY = counter("ram0", memory="block device ram0 is memory")
DROPPED = Eviction(method="drop_caches", done="dropped", beyond="the server's cache")
ADVISED = Eviction(method="fadvise", files=100, done="advised", beyond="attributes")


def residency(share: float = 0.0, **changes: Any) -> Residency:
    """A hundred files of 1 MB, of whose bytes ``share`` are resident."""
    parts: dict[str, Any] = {
        "resident_bytes": round(share * ASKED),
        "bytes": ASKED,
        "files": 100,
        "missed": 0,
        "population": 100,
        "method": "cachestat",
    }
    return Residency(**parts | changes)


def evidence(
    resident: float | None = 0.0,
    *delivered: float | None,
    own: float | None = None,
    asked_by_all: float | None = None,
    **changes: Any,
) -> Evidence:
    """The evidence of a cold phase on a disk, from shares of what was asked for, by layer."""
    asked = changes.get("asked_bytes", ASKED)
    found = changes.setdefault("counter", DISK)
    amounts = [None if d is None else round(d * asked) for d in delivered or (1.0,)]
    layers = zip(found.layers, amounts, strict=False)
    parts: dict[str, Any] = {
        "policy": CachePolicy.COLD,
        "target": build.target(),
        "asked_bytes": ASKED,
        "residency": None if resident is None else residency(resident),
        "passed": Passed(
            layers=tuple(Delivered(layer.source, amount) for layer, amount in layers),
            own=None if own is None else round(own * asked),
            asked_by_all=None if asked_by_all is None else round(asked_by_all * asked),
        ),
        "eviction": DROPPED,
    }
    return classify(**parts | changes)


@pytest.mark.parametrize(
    ("resident", "delivered", "state"),
    [
        (0.0, 1.0, COLD),
        (0.02, 0.95, COLD),
        (0.0, 1.5, COLD),
        (0.0, 4.0, COLD),
        (0.0201, 1.0, MIXED),
        (0.0, 0.9499, MIXED),
        (0.49, 1.0, MIXED),
        (0.0, 0.051, MIXED),
        (0.50, 0.5, WARM),
        (0.50, 0.51, MIXED),
        (1.0, 1.0, MIXED),
        (1.0, 0.0, WARM),
        (0.0, 0.05, WARM),
        (0.3, 0.0, WARM),
        (None, 1.0, UNKNOWN),
        (None, 0.5, MIXED),
        (None, 0.0, WARM),
        (0.0, None, UNKNOWN),
        (0.3, None, UNKNOWN),
        (0.6, None, WARM),
        (None, None, UNKNOWN),
    ],
)
@pytest.mark.parametrize("policy", [CachePolicy.COLD, CachePolicy.AS_FOUND, CachePolicy.WARM])
def test_shares(
    policy: CachePolicy, resident: float | None, delivered: float | None, state: CacheState
) -> None:
    """Resident and delivered shares decide, whatever was hoped for."""
    assert evidence(resident, delivered, policy=policy).state is state


@pytest.mark.parametrize(
    ("resident", "delivered", "state"),
    [
        (0.0, 1.0, COLD),
        (1.0, 1.0, COLD),
        (None, 0.95, COLD),
        (None, 0.94, MIXED),
        (1.0, 0.05, WARM),
        (None, None, UNKNOWN),
        (1.0, None, UNKNOWN),
    ],
)
def test_direct(resident: float | None, delivered: float | None, state: CacheState) -> None:
    """For O_DIRECT only what storage delivered counts, as the page cache is passed by."""
    assert evidence(resident, delivered, policy=CachePolicy.DIRECT).state is state


@pytest.mark.parametrize("fstype", ["fuse", "fuse.juicefs", "fuse.sshfs", "fuseblk"])
@pytest.mark.parametrize("policy", list(CachePolicy))
def test_fuse_is_never_cold(fstype: str, policy: CachePolicy) -> None:
    """A FUSE filesystem has a cache of its own, so it is never cold, even if a counter says so."""
    found = evidence(policy=policy, target=build.target(fstype=fstype))
    assert found.state is UNKNOWN
    assert "a process that may cache" in found.reason


def test_fuse_can_be_warm() -> None:
    """A FUSE filesystem whose pages the kernel holds is warm."""
    found = evidence(0.9, None, target=build.target(fstype="fuse.juicefs"), counter=NO_COUNTER)
    assert found.state is WARM


@pytest.mark.parametrize(
    ("target", "counter"),
    [
        (build.target(fstype="tmpfs", device=None), NO_COUNTER),
        (build.target(device="ram0"), MEMORY),
    ],
)
@pytest.mark.parametrize("policy", list(CachePolicy))
def test_memory_is_warm(target: Any, counter: DeliveryCounter, policy: CachePolicy) -> None:
    """What lies in memory is warm under every policy, whatever was counted."""
    found = evidence(target=target, counter=counter, policy=policy)
    assert found.state is WARM
    assert "memory" in found.reason


def test_other_traffic_does_not_make_cold() -> None:
    """Bytes that the device delivered to others are not taken for the workload's."""
    found = evidence(0.0, 1.2, own=1 / 3)
    assert found.state is MIXED
    assert "own processes caused 33.3 MB (33.3 %)" in found.reason
    assert evidence(0.0, 1.2, own=0).state is WARM
    assert evidence(0.0, 1.2, own=1).state is COLD


def test_network_ignores_block_reads() -> None:
    """What processes read from block devices says nothing about a network mount."""
    target = build.target(fstype="nfs4", device=None, server="nas")
    found = evidence(0.0, 1.0, target=target, counter=NFS, own=0)
    assert found.state is COLD
    assert "the server's own cache is out of sight" in found.reason


@pytest.mark.parametrize(
    ("asked_by_all", "state"), [(None, COLD), (1.0, COLD), (1.05, COLD), (1.051, UNKNOWN)]
)
def test_others_on_a_network_mount(asked_by_all: float | None, state: CacheState) -> None:
    """Where other programs read from the same mount, what it served may have been for them."""
    target = build.target(fstype="nfs4", device=None, server="nas")
    found = evidence(0.0, 1.0, target=target, counter=NFS, asked_by_all=asked_by_all)
    assert found.state is state
    assert ("other programs read 5.10 MB of the same mount" in found.reason) is (state is UNKNOWN)
    least = evidence(0.0, 0.5, target=target, counter=NFS, asked_by_all=9)
    assert least.state is MIXED
    own = evidence(0.0, 1.0, target=target, counter=NFS, policy=CachePolicy.DIRECT, asked_by_all=0)
    assert own.state is COLD  # of direct reads only those of others count, through the cache
    others = evidence(
        0.0, 1.0, target=target, counter=NFS, policy=CachePolicy.DIRECT, asked_by_all=0.06
    )
    assert others.state is UNKNOWN


@pytest.mark.parametrize("policy", [CachePolicy.COLD, CachePolicy.DIRECT])
@pytest.mark.parametrize(
    ("eviction", "below", "state"),
    [
        (DROPPED, 1.0, COLD),
        (DROPPED, 1.5, COLD),
        (DROPPED, 1.51, UNKNOWN),
        (ADVISED, 1.0, UNKNOWN),
        (None, 1.0, UNKNOWN),
        (DROPPED, 0.94, MIXED),
        (ADVISED, 0.06, MIXED),
        (ADVISED, 0.05, WARM),
        (None, 0.0, WARM),
    ],
)
def test_image_in_the_page_cache(
    policy: CachePolicy, eviction: Eviction | None, below: float, state: CacheState
) -> None:
    """Over the page cache it is cold only where that was dropped and the disk below delivered."""
    found = evidence(0.0, 1.0, below, policy=policy, eviction=eviction, counter=BUFFERED_LOOP)
    assert found.state is state
    assert "loop0 reads its image through this host's page cache" in found.reason
    least = "block device loop0" if below >= 1 else "block device sda below loop0"
    assert found.delivered_source == least
    assert found.delivered_bytes == round(min(1.0, below) * ASKED)


@pytest.mark.parametrize(
    ("below", "state"),
    [(1.0, COLD), (1.51, UNKNOWN), (0.94, MIXED), (0.05, WARM)],
)
def test_cache_device(below: float, state: CacheState) -> None:
    """What a cache device gave in place of the disk below it did not come from that disk."""
    found = evidence(0.0, 1.0, below, counter=CACHED)
    assert found.state is state
    assert ("keeps copies of parts of sda on nvme0n1" in found.reason) is (state is not COLD)


def test_layers_without_a_cache() -> None:
    """Redundancy and others' reads make a lower layer deliver more, which changes nothing."""
    found = evidence(0.0, 1.0, 3.7, counter=counter("md0", "sda, sdb below md0"))
    assert (found.state, found.delivered_source) == (COLD, "block device md0")
    assert "asked for; block device sda, sdb below md0 370 MB" in found.reason
    own = evidence(0.0, 1.0, 3.7, counter=counter("md0", "sda"), own=0.3)
    assert own.state is MIXED


@pytest.mark.parametrize(
    ("changes", "below", "why"),
    [
        ({"uncounted": "the kernel does not count sda"}, 1.0, "does not count sda"),
        ({}, None, "block device sda could not be read any more"),
    ],
)
def test_layer_that_is_not_counted(changes: dict[str, str], below: float | None, why: str) -> None:
    """Where the lowest layer can't be counted a cache above it can't be excluded."""
    found = evidence(0.0, 1.0, below, counter=counter("dm-0", "sda", **changes))
    assert found.state is UNKNOWN
    assert why in found.reason
    assert evidence(0.0, 0.5, below, counter=counter("dm-0", "sda", **changes)).state is MIXED


@pytest.mark.parametrize(
    ("asked", "delivered", "state"),
    [
        (SMALLEST_COUNTED, SMALLEST_COUNTED, COLD),
        (SMALLEST_COUNTED - 1, SMALLEST_COUNTED - 1, UNKNOWN),
        (SMALLEST_COUNTED - 1, 10 * SMALLEST_COUNTED, UNKNOWN),
        (SMALLEST_COUNTED - 1, 0, WARM),
        (0, 0, UNKNOWN),
    ],
)
def test_small_phases(asked: int, delivered: int, state: CacheState) -> None:
    """A phase too small for its counter is not called cold; it can still be seen to be warm."""
    passed = Passed(layers=(Delivered("block device sda", delivered),))
    assert evidence(asked_bytes=asked, passed=passed).state is state


def test_unseen_files() -> None:
    """Files that could not be looked at might be resident: a few are noted, many leave doubt."""
    few = residency(files=98, missed=2, problems=("1: gone", "2: gone"))
    many = residency(files=97, missed=3, problems=("1: gone", "2: gone", "3: gone"))
    assert evidence(residency=few).state is COLD
    assert "2 files not looked at (1: gone)" in evidence(residency=few).reason
    assert evidence(residency=many).state is UNKNOWN
    assert "3.0 % of the files could not be looked at" in evidence(residency=many).reason


@pytest.mark.parametrize(
    ("delivered", "own", "note"),
    [
        (1.5, None, None),
        (1.51, None, "1.5× of what was asked for is read amplification or other traffic"),
        (3.0, 1.0, "3.0× of what was asked for is other traffic"),
        (3.0, 2.9, "3.0× of what was asked for is read amplification"),
    ],
)
def test_amplification(delivered: float, own: float | None, note: str | None) -> None:
    """Delivered far beyond what was asked for is noted, with its cause where that is known."""
    found = evidence(0.0, delivered, own=own)
    assert found.state is COLD
    if note is None:
        assert "amplification" not in found.reason
    else:
        assert found.reason.endswith(note)


@pytest.mark.parametrize(
    ("policy", "resident", "delivered", "begins"),
    [
        (CachePolicy.WARM, 1.0, 0.0, "warm as asked: "),
        (CachePolicy.WARM, 0.0, 1.0, "not warm as asked: "),
        (CachePolicy.COLD, 0.0, 1.0, "cold as asked: "),
        (CachePolicy.COLD, 1.0, 0.0, "not cold as asked: "),
        (CachePolicy.DIRECT, None, 0.0, "not cold as asked: "),
        (CachePolicy.AS_FOUND, 0.0, 1.0, "0.0 % resident before"),
    ],
)
def test_expectation(
    policy: CachePolicy, resident: float | None, delivered: float, begins: str
) -> None:
    """The reason begins with whether the phase was what its policy asked for."""
    assert evidence(resident, delivered, policy=policy).reason.startswith(begins)


def test_whole_evidence() -> None:
    """The evidence holds every figure that it was decided from."""
    found = evidence(0.01, 1.01, residency=residency(0.01, population=5000))
    assert found == Evidence(
        state=COLD,
        reason="cold as asked: 1.0 % resident before (cachestat, a random sample, 100 of 5000 "
        "files); block device sda delivered 101 MB, 101 % of the 100 MB asked for",
        asked_bytes=ASKED,
        resident_share=0.01,
        resident_files=100,
        files=5000,
        resident_method="cachestat",
        delivered_bytes=101_000_000,
        delivered_source="block device sda",
        eviction="dropped; can't reach the server's cache",
    )


def measured(
    directory: Path, names: list[str], *, evict: bool, policy: CachePolicy, drop: bool = False
) -> Evidence:
    """The evidence of really reading the files ``names`` whole, evicted before or not."""
    target = mounts.describe(str(directory))
    counter = delivered.counter(target)
    root = os.open(directory, os.O_RDONLY)
    try:
        eviction = cache.evict(root, names, allow_drop=drop) if evict else None
        found = cache.residency(root, names)
    finally:
        os.close(root)
    before = counter.readings()
    asked = sum(len((directory / name).read_bytes()) for name in names)
    return classify(
        policy=policy,
        target=target,
        asked_bytes=asked,
        residency=found,
        passed=counter.since(before)._replace(own=None),
        counter=counter,
        eviction=eviction,
    )


def files(directory: Path, prefix: str) -> list[str]:
    """Twenty files of 400 kB in ``directory``; their names."""
    names = [f"{prefix}{n}" for n in range(20)]
    for name in names:
        (directory / name).write_bytes(os.urandom(400_000))
    return names


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
@pytest.mark.parametrize("fstype", ["ext4", "xfs"])
def test_real_disk(tmp_path: Path, fstype: str) -> None:
    """On a real disk evicted files are cold, files just read warm, and half of each mixed."""
    with lab.loop_mount(tmp_path, fstype) as mounted:
        first, second = files(mounted.path, "a"), files(mounted.path, "b")
        policy = CachePolicy.COLD
        assert measured(mounted.path, first, evict=True, policy=policy).state is COLD
        again = measured(mounted.path, first, evict=False, policy=policy)
        assert (again.state, again.resident_share) == (WARM, 1.0)
        assert again.reason.startswith("not cold as asked")
        assert measured(mounted.path, second, evict=True, policy=policy).state is COLD
        partly = measured(mounted.path, second[:8], evict=True, policy=policy)
        assert partly.state is COLD
        root = os.open(mounted.path, os.O_RDONLY)
        cache.evict(root, second[8:], allow_drop=False)
        os.close(root)
        mixed = measured(mounted.path, second, evict=False, policy=CachePolicy.AS_FOUND)
        assert (mixed.state, round(mixed.resident_share or 0, 2)) == (MIXED, 0.4)


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
def test_real_image_in_the_page_cache(tmp_path: Path) -> None:
    """A device whose image is cached delivers all bytes from memory, and that is seen below it."""
    with stacked.cached_image(tmp_path) as (_, mounted):
        names = files(mounted.path, "a")
        found = measured(mounted.path, names, evict=True, policy=CachePolicy.COLD)
        dropped = measured(mounted.path, names, evict=True, policy=CachePolicy.COLD, drop=True)
        again = measured(mounted.path, names, evict=True, policy=CachePolicy.COLD)
    for warm in (found, again):
        assert warm.state is WARM
        assert warm.delivered_source.endswith(f"below {mounted.device}")
        assert f"{mounted.device} reads its image through this host's page cache" in warm.reason
    assert dropped.state in (COLD, UNKNOWN), dropped.reason  # others read from the disk of /tmp
    assert (dropped.delivered_share or 0) > 0.95


@pytest.mark.mounts
@pytest.mark.alone
@unless(stacked.missing_btrfs())
def test_real_btrfs() -> None:
    """A btrfs on two devices is cold after eviction and warm when read again."""
    with stacked.btrfs() as mounted:
        names = files(mounted.path, "a")
        cold = measured(mounted.path, names, evict=True, policy=CachePolicy.COLD)
        again = measured(mounted.path, names, evict=False, policy=CachePolicy.AS_FOUND)
    assert (cold.state, again.state) == (COLD, WARM), (cold.reason, again.reason)
    assert cold.delivered_source == f"block devices {', '.join(sorted(mounted.devices))}"


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
def test_real_memory(tmp_path: Path) -> None:
    """A tmpfs is warm, also when cold was asked for and eviction was tried."""
    with lab.tmpfs_mount(tmp_path) as mounted:
        names = files(mounted.path, "a")
        found = measured(mounted.path, names, evict=True, policy=CachePolicy.COLD)
    assert found.state is WARM
