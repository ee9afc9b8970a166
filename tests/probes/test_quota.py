"""A control group's CPU quota and how often it held processes back, by fabricated files."""

from pathlib import Path

import pytest

from aibench.probes import quota
from aibench.probes.counters import series
from aibench.probes.telemetry import Watch
from tests import build

SECOND = 10**9
MOUNTINFO = "30 1 0:26 / /cg rw - {0} {0} {1}\n"


def machine(root: Path, version: int, **files: str) -> str:
    """A machine whose group ``/box`` has these files; two underscores are a dot."""
    proc, group = root / "proc/self", root / "cg/box"
    for place in (proc, group):
        place.mkdir(parents=True, exist_ok=True)
    names = ("cgroup", "rw,cpu") if version == 1 else ("cgroup2", "rw")
    (proc / "mountinfo").write_text(MOUNTINFO.format(*names))
    (proc / "cgroup").write_text("4:cpu:/box\n" if version == 1 else "0::/box\n")
    for name, text in files.items():
        (group / name.replace("__", ".")).write_text(text)
    return str(root)


@pytest.mark.parametrize(
    ("version", "files", "found"),
    [
        (1, {"cpu__cfs_quota_us": "20000", "cpu__cfs_period_us": "100000"}, True),
        (1, {"cpu__cfs_quota_us": "-1", "cpu__cfs_period_us": "100000"}, False),
        (2, {"cpu__max": "150000 100000"}, True),
        (2, {"cpu__max": "max 100000"}, False),
        (2, {}, False),
    ],
)
def test_path(tmp_path: Path, version: int, files: dict[str, str], found: bool) -> None:
    """The innermost group with a quota is watched; without one nothing is."""
    place = quota.path(machine(tmp_path, version, **files))
    assert place == (f"{tmp_path}/cg/box/cpu.stat" if found else None)


def test_share_of_periods() -> None:
    """Of the periods that passed, the share in which the group was held back is told."""
    texts = [
        f"nr_periods {periods}\nnr_throttled {held}\nthrottled_usec 5\nx\n".encode()
        for periods, held in ((10, 1), (30, 6), (30, 6), (20, 2), (40, 22))
    ]
    times = [SECOND * number for number in range(5)]
    assert series(quota.QUOTA, texts, times) == {"held_share": (0.25, None, None, 1.0)}
    assert series(quota.QUOTA, [b"", b"nr_periods x\n"], [0, 1]) == {}


def test_watched(tmp_path: Path) -> None:
    """A watch of a machine with a quota has the share among its series."""
    root = machine(tmp_path, 2, cpu__max="1000 100000", cpu__stat="nr_periods 1\nnr_throttled 1\n")
    watch = Watch.begin(build.target(fstype="tmpfs", device=None), root=root)
    machine(tmp_path, 2, cpu__stat="nr_periods 11\nnr_throttled 6\n")
    seen = watch.end()
    assert seen is not None
    assert seen.series["cpu.quota.held_share"] == (0.5,)
