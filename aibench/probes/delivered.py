"""How many bytes the storage delivered to this client, counted below the page cache.

A counter counts all traffic of its device or mount, so it says too much where others read from
the same one, never too little. `own_read_bytes` says what this process and its children caused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from aibench.model import Target
from aibench.probes import layers, nfsstats, sysfs
from aibench.probes.layers import Layer

_NO_COUNTER = {
    "overlay": "an overlay's files may lie in any of its layers",
    "zfs": "ZFS has no counter for one mount, and its own cache (ARC) in memory",
    "9p": "9p mounts have no byte counter",
    "virtiofs": "virtiofs mounts have no byte counter, and the host caches behind them",
}


class Delivered(NamedTuple):
    """How many bytes one layer delivered meanwhile; None where that is not known."""

    source: str
    bytes: int | None


class Readings(NamedTuple):
    """The bytes counted up to a moment: by each layer, by `own_read_bytes`, asked by all."""

    layers: tuple[int | None, ...] = ()
    own: int | None = None
    asked: int | None = None


class Passed(NamedTuple):
    """What passed between two moments.

    ``own`` is what the workload's own processes caused to be read from block devices: what a device
    delivered beyond that went to others. ``asked_by_all`` is what all programs asked of an NFS
    mount. Each is None where it is not known.
    """

    layers: tuple[Delivered, ...] = ()
    own: int | None = None
    asked_by_all: int | None = None


def _nothing() -> int | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryCounter:
    """Bytes that storage has delivered to this client, and taken from it, since some past moment.

    ``layers`` are what is counted, the uppermost first: the filesystem's own device, then what lies
    below it. Where nothing can be counted there are none and ``reason`` says why. ``memory`` says
    why what lies below is memory. ``cached_below`` names a loop device that reads its image through
    this host's page cache, above the medium and below the first layer; ``cache`` tells of a cache
    device. ``uncounted`` says why a cache can't be excluded below the last layer. ``asked`` gives
    the bytes that all programs have asked of an NFS mount.
    """

    layers: tuple[Layer, ...] = ()
    reason: str = ""
    memory: str = ""
    cached_below: str = ""
    cache: str = ""
    uncounted: str = ""
    asked: Callable[[], int | None] = _nothing

    @property
    def source(self) -> str:
        """What the uppermost layer counts; empty where nothing can be counted."""
        return self.layers[0].source if self.layers else ""

    def read_bytes(self) -> int | None:
        """Bytes read so far of the uppermost layer; None where they can't be counted (any more)."""
        traffic = self.layers[0].traffic() if self.layers else None
        return traffic.read if traffic else None

    def written_bytes(self) -> int | None:
        """Bytes written so far, as `read_bytes`."""
        traffic = self.layers[0].traffic() if self.layers else None
        return traffic.written if traffic else None

    def readings(self) -> Readings:
        """What has been read so far."""
        found = (layer.traffic() for layer in self.layers)
        return Readings(
            layers=tuple(traffic.read if traffic else None for traffic in found),
            own=own_read_bytes(),
            asked=self.asked(),
        )

    def since(self, before: Readings) -> Passed:
        """What passed since the `readings` were ``before``."""
        now = self.readings()
        places = zip(self.layers, before.layers, now.layers, strict=True)
        return Passed(
            layers=tuple(Delivered(each.source, growth(a, b)) for each, a, b in places),
            own=growth(before.own, now.own),
            asked_by_all=growth(before.asked, now.asked),
        )


def growth(before: int | None, after: int | None) -> int | None:
    """``after`` less ``before``; None where one is missing or the counter was reset."""
    if before is None or after is None or after < before:
        return None
    return after - before


def counter(target: Target, sys: str = "/sys", *, direct: bool = False) -> DeliveryCounter:
    """The counter for ``target``: of its block devices, or of its NFS mount.

    Where the workload itself passes the page cache by (``direct``), what is asked of an NFS mount
    counts the others' reads through the cache only.
    """
    if target.is_memory:
        return DeliveryCounter(
            reason=f"{target.fstype} has no storage to count",
            memory=f"{target.fstype} is memory: there is no storage behind it",
        )
    if target.fstype.partition(".")[0] in ("fuse", "fuseblk"):
        why = f"{target.fstype} is served by a process that may cache, and has no byte counter"
        return DeliveryCounter(reason=why)
    if target.is_nfs:
        return _nfs_counter(target, direct=direct)
    if target.fstype not in _NO_COUNTER and target.device:
        return _block_counter(target.device, sys)
    why = _NO_COUNTER.get(target.fstype, f"no byte counter is known for {target.fstype}")
    return DeliveryCounter(reason=why)


def _nfs_counter(target: Target, *, direct: bool) -> DeliveryCounter:
    point = target.mount_point
    traffic = partial(layers.nfs_traffic, point)
    if traffic() is None:
        return DeliveryCounter(reason=f"{nfsstats.MOUNTSTATS} does not list {point}")
    layer = Layer(f"NFS mount {point}", traffic)
    asked = partial(nfsstats.asked_bytes, point, direct=not direct)
    return DeliveryCounter(layers=(layer,), asked=asked)


def _block_counter(device: str, sys: str) -> DeliveryCounter:
    stack = layers.below(device, sys)
    return DeliveryCounter(
        layers=stack.layers,
        reason="" if stack.layers else stack.uncounted,
        memory=stack.memory,
        cached_below=stack.cached_loop,
        cache=stack.cache,
        uncounted=stack.uncounted,
    )


def own_read_bytes() -> int | None:
    """Bytes this process and its ended children have caused to be read from block devices.

    None where the kernel doesn't count them. Running children count when they are waited for;
    programs and libraries that they load from a disk count too.
    """
    return sysfs.fields("/proc/self/io").get("read_bytes")
