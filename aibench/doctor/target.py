"""The directory and the filesystem to be measured, and where the records go."""

import os
from collections.abc import Iterator

from aibench.doctor.check import Check, failure, ok, warning
from aibench.model import Target
from aibench.probes import mounts
from aibench.units import format_count, format_size

_FULL = 0.90
_FEW_INODES = 100_000


def checks(path: str, target: Target, problem: str | None, results: str | None) -> Iterator[Check]:
    """What there is to say of ``target``, which is at ``path`` and may have a ``problem``."""
    if problem:
        yield failure("target", problem)
    else:
        yield ok("target", f"{target.path}, on {target.mount_point}, writable")
    yield _fstab(path, target)
    yield filesystem(target)
    yield space(target)
    yield inodes(target)
    yield _results(target, results or os.environ.get("AIBENCH_RESULTS") or "results/runs")


def _fstab(path: str, target: Target) -> Check:
    point = mounts.unmounted_entry(path)
    if point is None:
        return ok("mounted", "no entry of /etc/fstab is missing here")
    found = f"/etc/fstab wants a mount at {point}, and there is none; this is {target.source}"
    return failure("mounted", found, f"mount {point}")


def filesystem(target: Target) -> Check:
    """Type, source and server; a warning where it is memory."""
    server = f", server {target.server}" if target.server else ""
    found = f"{target.fstype} from {target.source}{server}"
    if target.is_memory:
        advice = "This is memory: what is measured is the harness, not storage."
        return warning("filesystem", found, advice)
    return ok("filesystem", found)


def space(target: Target) -> Check:
    """How much room is left; a warning where there is little, or where it is not told."""
    if target.total_bytes is None or target.free_bytes is None:
        advice = "Make sure there is room; aibench can't check it."
        return warning("space", "not told", advice)
    fill = 1 - target.free_bytes / target.total_bytes
    found = f"{format_size(target.free_bytes)} free, {100 * fill:.0f} % full"
    if fill > _FULL:
        advice = "Nearly full storage is slower; free some, or say so with the result."
        return warning("space", found, advice)
    return ok("space", found)


def inodes(target: Target) -> Check:
    """How many files can be made; a warning where they are too few for small files."""
    if target.free_inodes is None:
        return ok("inodes", "no limit is told")
    found = f"{format_count(target.free_inodes)} free"
    if target.free_inodes < _FEW_INODES:
        advice = "Too few for millions of small files; use fewer (--scale)."
        return warning("inodes", found, advice)
    return ok("inodes", found)


def _results(target: Target, results: str) -> Check:
    place = os.path.abspath(results)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    found = f"records go to {os.path.abspath(results)}"
    device = os.stat(place).st_dev
    if f"{os.major(device)}:{os.minor(device)}" == target.device_id:
        advice = "That is on the filesystem to be measured; give another disk with --results."
        return warning("results", found, advice)
    return ok("results", found)
