"""The layers that bytes pass on their way from storage to a block device, each with its counter.

Redundancy and read-ahead only make lower layers deliver more. Where a lower one delivers less, a
cache in between gave the rest: a cache device, or the page cache above the image of a loop device.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from aibench.probes import devices, mounts, nfsstats
from aibench.probes.devices import Traffic
from aibench.probes.mounts import Mount

_DEEPEST = 8
_SERVER_READ, _SERVER_WRITTEN = 4, 5

Place = str | Mount
"""A block device by its name, or the NFS mount that holds an image."""


class Layer(NamedTuple):
    """One layer: what is counted, and its traffic so far; None where it can't be counted."""

    source: str
    traffic: Callable[[], Traffic | None]


class Stack(NamedTuple):
    """What lies below a device.

    ``layers`` are those that are counted, the uppermost first. ``uncounted`` says why the lowest
    layer, or the uppermost where none is counted, is not. ``memory`` says why a layer is memory,
    ``cached_loop`` names a loop device that reads through the page cache, ``cache`` says which
    device keeps copies of which on another.
    """

    layers: tuple[Layer, ...]
    uncounted: str = ""
    memory: str = ""
    cached_loop: str = ""
    cache: str = ""


def below(device: str, sys: str = "/sys", listed: Sequence[Mount] | None = None) -> Stack:
    """All layers from the filesystem on ``device`` down to what nothing is known to lie below.

    Images of loop devices are found through the mounts ``listed``; by default those of now.
    """
    known = mounts.mounted() if listed is None else listed
    cuts = [_reached(devices.members(device, sys), sys)]
    while len(cuts) < _DEEPEST:
        lower = dict.fromkeys(deep for place in cuts[-1] for deep in _lower(place, sys, known))
        if tuple(lower) == cuts[-1]:
            break
        cuts.append(tuple(lower))
    names = dict.fromkeys(
        devices.whole(place, sys) for cut in cuts for place in cut if isinstance(place, str)
    )
    problems = [_uncounted(cut, sys) for cut in cuts]
    counted = tuple(
        Layer(_title(cut, cuts[0] if depth else ()), partial(traffic, cut, sys))
        for depth, (cut, problem) in enumerate(zip(cuts, problems, strict=True))
        if not problem
    )
    return Stack(
        layers=counted,
        uncounted=(problems[-1] if counted else problems[0]) or _lost(names, sys, known),
        memory=next((why for name in names if (why := _memory(name, sys, known))), ""),
        cached_loop=next((name for name in names if devices.is_cached_loop(name, sys)), ""),
        cache=next((told for name in names if (told := _cache(name, sys))), ""),
    )


def _lower(place: Place, sys: str, listed: Sequence[Mount]) -> tuple[Place, ...]:
    """What is directly below ``place``; itself where nothing is, or nothing is known."""
    if isinstance(place, Mount):
        return (place,)
    if lower := devices.below(place, sys):
        return _reached(lower, sys)
    mount = _under_image(devices.whole(place, sys), sys, listed)
    if mount is None:
        return (place,)
    if mount.fstype in ("nfs", "nfs4"):
        return (mount,)
    device = devices.name_of(mount.device_id, sys) or devices.name_of_source(mount.source, sys)
    return _reached(devices.members(device, sys), sys) if device else (place,)


def _reached(names: Sequence[str], sys: str) -> tuple[Place, ...]:
    """``names``, with the paths of those that are reached by several."""
    return tuple(path for name in names for path in (devices.paths(name, sys) or (name,)))


def _under_image(name: str, sys: str, listed: Sequence[Mount]) -> Mount | None:
    """The mount that holds the image of loop device ``name``; None where it can't be found.

    A path of another mount namespace leads nowhere here, or to something else of that name: where
    nothing is there, nothing is concluded.
    """
    image = devices.image(name, sys) or ""
    kept = image.removesuffix(" (deleted)")
    here = os.path.isdir(os.path.dirname(kept)) if kept != image else os.path.exists(image)
    return mounts.covering(listed, kept) if image and here else None


def _memory(name: str, sys: str, listed: Sequence[Mount]) -> str:
    """Why device ``name`` is memory; empty where it is none."""
    if devices.is_memory(name):
        return f"block device {name} is memory"
    mount = _under_image(name, sys, listed)
    if mount is not None and mount.fstype in ("tmpfs", "ramfs"):
        return f"{name} is a loop device whose image lies in memory ({mount.fstype})"
    return ""


def _lost(names: Iterable[str], sys: str, listed: Sequence[Mount]) -> str:
    """Why what lies below one of the devices can't be followed, where it may be a cache."""
    for name in names:
        if devices.is_served(name):
            return f"{name} is served by a process that may cache"
        mount = _under_image(name, sys, listed)
        served = mount is not None and mount.fstype.partition(".")[0] in ("fuse", "fuseblk")
        if served and mount is not None:
            return f"the image of {name} lies on {mount.fstype}, served by a process that may cache"
        if devices.is_cached_loop(name, sys) and _lower(name, sys, listed) == (name,):
            return f"nothing counts what {name} reads of its image"
    return ""


def _cache(name: str, sys: str) -> str:
    fast = devices.copies(name, sys)
    slow = ", ".join(devices.below(name, sys))
    return f"{name} keeps copies of parts of {slow} on {', '.join(fast)}" if fast else ""


def _uncounted(cut: Sequence[Place], sys: str) -> str:
    """Why the traffic of ``cut`` is not known; empty where it is."""
    for place in cut:
        if isinstance(place, str) and not devices.counts(place, sys):
            return f"the kernel does not count block device {place} (queue/iostats is 0)"
        if traffic((place,), sys) is None:
            return f"{sys} has no statistics of {_title((place,))}"
    return ""


def _title(cut: Sequence[Place], above: Sequence[Place] = ()) -> str:
    """``block devices sda, sdb below dm-0``."""
    names = [place for place in cut if isinstance(place, str)]
    parts = [f"block device{'s' * (len(names) > 1)} {', '.join(names)}"] if names else []
    parts += [f"NFS mount {place.point}" for place in cut if isinstance(place, Mount)]
    upper = ", ".join(place for place in above if isinstance(place, str))
    return " and ".join(parts) + (f" below {upper}" if upper else "")


def traffic(cut: Sequence[Place], sys: str = "/sys") -> Traffic | None:
    """What the devices and mounts of ``cut`` have delivered and taken; None where one is silent."""
    read = written = 0
    for place in cut:
        found = _moved(place, sys)
        if found is None:
            return None
        read, written = read + found.read, written + found.written
    return Traffic(read, written)


def _moved(place: Place, sys: str) -> Traffic | None:
    return devices.traffic(place, sys) if isinstance(place, str) else nfs_traffic(place.point)


def nfs_traffic(mount_point: str, root: str = "/") -> Traffic | None:
    """What the NFS server of ``mount_point`` was asked for, buffered and direct, by this client.

    All mounts of one export share these counters. None where the mount is not listed. ``root`` is
    where ``proc`` is.
    """
    found = nfsstats.snapshot(mount_point, root)
    if found is None:
        return None
    return Traffic(found.data_bytes[_SERVER_READ], found.data_bytes[_SERVER_WRITTEN])
