"""Rates above what card and link carry are called impossible, in runs on real mounts.

The rates of card and link are made up, in a mount namespace that only the run sees: no link of a
machine for tests is slower than its memory.
"""

import os
import sys
from pathlib import Path

import pytest

from aibench.model import RunRecord
from tests import lab
from tests.integration.command import Stand
from tests.lab import Mounted
from tests.labs import faults, limits, truths
from tests.labs.tools import tool, unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow, pytest.mark.paced, lab.requires_mounts]
LOAD = ("-w", "load-imagenet", "--repeats", "1", "--set", "workers=2", "--set", "files=100")


def measured(tmp_path: Path, target: Path, *before: str) -> RunRecord:
    """The record of a run for which these shell commands have changed what it sees of ``/sys``."""
    stand = Stand(tmp_path, target)
    script = "; ".join(["set -e", *before, 'exec "$@"'])
    aibench = (sys.executable, "-m", "aibench", "run", str(target), *LOAD)
    hidden = ("unshare", "--mount", "sh", "-c", script, "sh")
    done = tool(*hidden, *aibench, "--results", str(stand.results))
    assert done.returncode == 0, done.stderr
    return stand.record()


def in_use(card: str) -> bool:
    """Whether a network card other than the loopback is in use."""
    state = Path(f"/sys/class/net/{card}/operstate").read_text().strip()
    return card != "lo" and state != "down"


@unless(faults.missing())
@pytest.mark.parametrize(("mbit", "expected"), [(1, True), (800_000, False)])
def test_faster_than_the_card(tmp_path: Path, mbit: int, expected: bool) -> None:
    """More bytes from a server than the card to it carries are impossible; fewer are not."""
    cards = [name for name in os.listdir("/sys/class/net") if in_use(name)]
    if not cards:
        pytest.skip("This needs a network card that is up.")
    speed = tmp_path / "speed"
    speed.write_text(f"{mbit}\n")
    told = [f"mount --bind {speed} /sys/class/net/{card}/speed" for card in cards]
    source, options = "user@10.98.7.6:/export", ("subtype=sshfs",)
    with faults.faultfs(direct_io=True, name=source, options=options) as faulty:
        record = measured(tmp_path, faulty.path, *told)
    assert record.target.server == "10.98.7.6"
    assert ("impossible" in truths.warned(record)) is expected


def nvme(mounted: Mounted, transfers: str) -> list[str]:
    """Commands that make a loop device look like an NVMe drive with one PCIe lane of this speed."""
    name, real = "/sys/class/block/nvme0n1", f"/sys/devices/virtual/block/{mounted.device}"
    pcie = f"{name}/device/device"
    return [
        "mount -t tmpfs aibench-lab /sys/class/block",
        "mount -t tmpfs aibench-lab /sys/dev/block",
        f"mkdir -p {pcie}",
        f"ln -s ../../class/block/nvme0n1 /sys/dev/block/{mounted.device_id}",
        *(f"ln -s {real}/{part} {name}/{part}" for part in ("stat", "queue", "dev", "size")),
        f"echo '{transfers} GT/s PCIe' >{pcie}/current_link_speed",
        f"echo 1 >{pcie}/current_link_width",
    ]


@pytest.mark.parametrize(("transfers", "expected"), [("0.1", True), ("64.0", False)])
def test_faster_than_the_link(tmp_path: Path, transfers: str, expected: bool) -> None:
    """More bytes from a drive than its PCIe link carries are impossible; fewer are not."""
    with limits.throttled() as mounted:
        record = measured(tmp_path, mounted.path, *nvme(mounted, transfers))
    assert record.target.device == "nvme0n1"
    assert "link_nvme0n1" in record.environment.metadata
    assert ("impossible" in truths.warned(record)) is expected
