"""How the filesystem is mounted, and what can be proven of it."""

from collections.abc import Iterator

from aibench.doctor.check import Check, Status, failure, ok, warning
from aibench.model import Target
from aibench.probes import delivered
from aibench.probes.direct import direct_problem

_COSTLY = {
    "sync": "every write waits for the storage, as with fsync after each",
    "dirsync": "creating, renaming and deleting wait for the storage",
    "noac": "attributes are never cached, so each open and stat asks the server",
    "actimeo=0": "attributes are never cached, so each open and stat asks the server",
    "lookupcache=none": "each open asks the server for every directory on the way",
    "soft": "the client gives up on a slow server and returns EIO",
    "strictatime": "each read also writes an access time",
    "nobarrier": "fsync does not wait for the medium, so durable times are too good",
    "fsc": "reads may come from a local disk cache (fscache) instead of the server",
}
_HARMLESS = {
    "noatime": "reading writes no access times",
    "relatime": "reading writes an access time at most once a day",
    "hard": "a server that is away is waited for without end",
}


def checks(target: Target, *, writable: bool) -> Iterator[Check]:
    """Options, evidence and O_DIRECT; for the last a small file is written where ``writable``."""
    yield mount_options(target)
    yield cache_evidence(target)
    if writable:
        yield _direct(target)


def mount_options(target: Target) -> Check:
    """What the mount options mean for a measurement; a warning where one costs or flatters."""
    costly = [f"{name}: {_COSTLY[name]}" for name in target.options if name in _COSTLY]
    meant = [f"{name}: {_HARMLESS[name]}" for name in target.options if name in _HARMLESS]
    if target.is_nfs:
        lines = [name.partition("=")[2] for name in target.options if name.startswith("nconnect=")]
        if lines:
            meant.append(f"nconnect={lines[0]}: that many connections carry the traffic")
        else:
            costly.append("no nconnect: one connection carries all traffic to the server")
    status: Status = "warning" if costly else "ok"
    advice = "; ".join(costly + meant)
    return Check(name="mount options", status=status, found=",".join(target.options), advice=advice)


def cache_evidence(target: Target) -> Check:
    """Whether a read phase here can be shown to be cold."""
    counter = delivered.counter(target)
    name = "cache evidence"
    if not counter.source:
        advice = "No read phase here can be shown to be cold."
        return warning(name, counter.reason, advice)
    if counter.memory:
        return warning(name, counter.memory)
    if counter.cached_below:
        found = f"{counter.cached_below} reads its image through this host's page cache"
        advice = f"losetup --direct-io=on /dev/{counter.cached_below}"
        return warning(name, found, advice)
    return ok(name, f"counted by {counter.source}")


def _direct(target: Target) -> Check:
    try:
        found = direct_problem(target.path)
    except OSError as error:
        found = f"a small file could not be written: {(error.strerror or str(error)).lower()}"
        return failure("small file", found, "Mend the mount first.")
    if found:
        advice = "--cache direct will be refused; use --cache cold."
        return warning("O_DIRECT", found, advice)
    return ok("O_DIRECT", "works")
