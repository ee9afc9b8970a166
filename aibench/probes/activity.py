"""What this client and the target do while aibench does nothing: the work of others.

Averages such as the load of a minute still hold what the last run of aibench did; looking on for
a moment does not.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from aibench.model import Target, Telemetry
from aibench.probes import cards, sysfs, telemetry

#: Twice so long is looked on, and what lasts through both parts counts: a burst, such as a journal
#: being written, does not. At 100 ticks a second these are 15 ticks of each processor.
PART_S = 0.15
_LOOKS = 3
#: Without a device or a server of its own: of it only the client is watched.
_NOWHERE = Target(
    path="/", label="/", mount_point="/", fstype="tmpfs", source="none", options=(), device_id="0:0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Work that went on while aibench waited; shares are between 0 and 1, None if not told.

    ``user_share`` is the part of ``busy_share`` outside the kernel. ``device_share`` is the share
    of the time in which the target's busiest block device had requests, ``requests`` how many
    requests of an NFS mount were under way on the average. ``network_rate`` is the busier
    direction of the cards on the way to the target, in bytes per second, all together.
    """

    busy_share: float | None = None
    user_share: float | None = None
    steal_share: float | None = None
    swap_rate: float | None = None
    device_share: float | None = None
    requests: float | None = None
    network_rate: float | None = None


def activity(target: Target | None, root: str = "/", part_s: float = PART_S) -> Activity:
    """What lasts through the next ``2 * part_s`` seconds, in which this process only waits.

    ``root`` is where ``proc`` and ``sys`` are. Without a target only the client is looked at.
    """
    files = telemetry.opened(telemetry.sources(target or _NOWHERE, root))
    snapshots: list[telemetry.Snapshot] = []
    ticks: list[tuple[int, int]] = []
    try:
        for look in range(_LOOKS):
            time.sleep(part_s if look else 0)
            snapshots.append(telemetry.snapshot(files))
            ticks.append(_ticks(root))
    finally:
        for descriptor in files:
            os.close(descriptor)
    seen = telemetry.developed(files.values(), snapshots, 0)
    way = [card.name for card in cards.on_the_way(target, root)]
    return _summary(seen, _user_share(ticks), way)


def _summary(seen: Telemetry, user_share: float | None, way: Sequence[str]) -> Activity:
    drives = [_lasting(seen, name) for name in seen.series if name.endswith(".utilisation_share")]
    directions = [
        [_lasting(seen, f"nic.{card}.{sense}_bytes_rate") for card in way]
        for sense in ("received", "sent")
    ]
    rates = [_sum(direction) for direction in directions]
    return Activity(
        busy_share=_lasting(seen, "cpu.busy_share"),
        user_share=user_share,
        steal_share=_lasting(seen, "cpu.steal_share"),
        swap_rate=_lasting(seen, "memory.swap_bytes_rate"),
        device_share=max((share for share in drives if share is not None), default=None),
        requests=_requests(seen),
        network_rate=max((rate for rate in rates if rate is not None), default=None),
    )


def _lasting(seen: Telemetry, name: str) -> float | None:
    """The lowest value of a series: what lasted all the time; None where one part is not known."""
    values = seen.series.get(name, ())
    known = [value for value in values if value is not None]
    return min(known) if known and len(known) == len(values) else None


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _requests(seen: Telemetry) -> float | None:
    """Rate × time of each type of NFS operation, added up (Little's law), where it lasted."""
    if not any(name.startswith("nfs.") for name in seen.series):
        return None
    total = 0.0
    for name in seen.series:
        if name.startswith("nfs.") and name.endswith(".operations_rate"):
            rate = _lasting(seen, name)
            each = _lasting(seen, name.replace(".operations_rate", ".execute_seconds"))
            total += (rate or 0.0) * (each or 0.0)
    return total


def _ticks(root: str) -> tuple[int, int]:
    """(ticks of all processors, those of programs outside the kernel) since boot."""
    words = (sysfs.text(f"{root}/proc/stat") or "").partition("\n")[0].split()[1:9]
    numbers = [ticks for word in words if (ticks := sysfs.whole(word)) is not None]
    return (sum(numbers), sum(numbers[:2])) if len(numbers) == 8 else (0, 0)


def _user_share(ticks: Sequence[tuple[int, int]]) -> float | None:
    shares = []
    for (before, user_before), (after, user_after) in pairwise(ticks):
        if after <= before or user_after < user_before:
            return None
        shares.append((user_after - user_before) / (after - before))
    return min(shares, default=None)
