"""The work of others is seen while this process waits, and bursts are not taken for it."""

from itertools import chain, repeat
from pathlib import Path

import pytest

from aibench.probes import activity, telemetry
from aibench.probes.noise import NOTABLE
from tests import build
from tests.machines import burners, tree

STAT = "cpu  {} {} {} {} 0 0 0 {} 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nprocs_running 1\n"


@pytest.mark.alone
def test_burners_are_seen() -> None:
    """Programs that compute on all processors are seen, as ones outside the kernel."""
    with burners():
        found = activity.activity(None)
    assert found.busy_share is not None
    assert found.user_share is not None
    assert found.busy_share > NOTABLE
    assert found.user_share > NOTABLE


def looks(monkeypatch: pytest.MonkeyPatch, root: Path, *contents: dict[str, object]) -> None:
    """Before each look but the first the files of ``root`` become the next of ``contents``."""
    tree(root, contents[0])
    coming = chain(iter(contents[1:]), repeat(contents[-1]))
    monkeypatch.setattr(
        activity.time, "sleep", lambda seconds: tree(root, next(coming)) if seconds else None
    )


def test_what_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two parts the lower share counts: 30 % of computing, 10 % of it outside the kernel."""
    looks(
        monkeypatch, tmp_path,
        {"proc/stat": STAT.format(0, 0, 0, 0, 0)},
        {"proc/stat": STAT.format(10, 0, 20, 60, 10)},
        {"proc/stat": STAT.format(60, 10, 30, 90, 10)},
    )  # fmt: skip
    found = activity.activity(None, str(tmp_path))
    assert found.user_share == 0.1
    assert found.busy_share == 0.4  # stolen time is not free
    assert found.steal_share == 0.0


def test_burst_at_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device with requests in one part only has no lasting work; in both it has."""
    disk = build.target(device="sda")
    name = "sys/class/block/sda/stat"
    line = "1 0 8 1 1 0 8 1 0 {} 0\n"
    looks(monkeypatch, tmp_path, *({name: line.format(active)} for active in (0, 10**6, 10**6)))
    found = activity.activity(disk, str(tmp_path))
    assert found.device_share == 0
    looks(monkeypatch, tmp_path, *({name: line.format(active)} for active in (0, 10**6, 2 * 10**6)))
    found = activity.activity(disk, str(tmp_path))
    assert found.device_share == 1


def test_nfs_requests_under_way() -> None:
    """Rate × time of each operation, added up, is how many requests were under way."""
    series: dict[str, tuple[float | None, ...]] = {
        "nfs.READ.operations_rate": (100.0, 50.0),
        "nfs.READ.execute_seconds": (0.02, 0.01),
        "nfs.WRITE.operations_rate": (10.0, 10.0),
        "nfs.WRITE.execute_seconds": (0.1, 0.1),
        "nfs.GETATTR.operations_rate": (0.0, 5.0),
        "nfs.GETATTR.execute_seconds": (None, 0.1),
    }
    seen = telemetry.Telemetry(ends_ns=(1, 2), series=series, cost_ns=0, watched_ns=2)
    assert activity._requests(seen) == pytest.approx(50 * 0.01 + 10 * 0.1)
    nothing = telemetry.Telemetry(ends_ns=(1, 2), series={}, cost_ns=0, watched_ns=2)
    assert activity._requests(nothing) is None


def test_machine_that_tells_nothing(tmp_path: Path) -> None:
    """Without files nothing is known, and nothing is raised."""
    assert activity.activity(build.target(), str(tmp_path), 0.001) == activity.Activity()
