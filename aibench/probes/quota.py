"""How often the CPU quota of this process's control group (a container's) held it back.

A quota is a number of CPU seconds in each period, 100 ms long by default. Who has used it up waits
for the next period, although processors are idle: neither busy cores nor the CPU time of the
workers tell that the client was the limit.
"""

from aibench.probes import resources, sysfs
from aibench.probes.counters import Counters, Kind, Values


def path(root: str = "/") -> str | None:
    """The file that counts for the innermost group with a quota; None where none has one."""
    for directory in resources.control_groups("cpu", root):
        if _has_quota(directory):
            return f"{directory}/cpu.stat"
    return None


def _has_quota(directory: str) -> bool:
    words = (sysfs.text(f"{directory}/cpu.max") or "").split()[:1]  # version 2: "max" without one
    return (sysfs.integer(f"{directory}/cpu.cfs_quota_us") or 0) > 0 or "".join(words).isdigit()


def _periods(text: bytes) -> Counters:
    """``cpu.stat`` of either version: a name and a number on each line."""
    rows = [line.split() for line in text.split(b"\n")]
    known = (b"nr_periods", b"nr_throttled")
    return {
        row[0].decode(): int(row[1])
        for row in rows
        if len(row) == 2 and row[0] in known and row[1].isdigit() and len(row[1]) <= 20
    }


def _held(before: Counters, after: Counters, _elapsed_ns: int) -> Values:
    """The share of the periods, those in which nothing ran left out, that ended in waiting."""
    passed = {name: after[name] - before[name] for name in after if name in before}
    periods, held = passed.get("nr_periods", 0), passed.get("nr_throttled", -1)
    return {"held_share": round(held / periods, 4) if 0 <= held <= periods > 0 else None}


QUOTA = Kind(_periods, _held)
