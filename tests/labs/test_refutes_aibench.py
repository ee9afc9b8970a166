"""A slow device refutes a claim from one client, where nothing else makes noise.

The machine is that of the NFS laboratory, which sees no work but its own; its second disk is an
image on a filesystem outside that reads no more than so many bytes a second.
"""

import json
import statistics
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.labs import faults, nfs, truths
from tests.labs.test_nfs_aibench import Session
from tests.labs.tools import unless

pytestmark = [
    pytest.mark.mounts,
    pytest.mark.slow(80),
    pytest.mark.machine,
    nfs.requires_nfs(),
    unless(faults.missing()),
]
RATE = 1_000_000
CLAIMED = {"above": "1.25MB/s", "below": "0.85MB/s"}
"""Figures that the device misses and keeps by more than what a busy host takes from the machine."""
IMAGE = 256 * 2**20
SLACK_MS = 200
"""So late the machine's next request may come on a busy host, and the disk makes up for it."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Three epochs of more than a minute each from a disk that reads at `RATE`."""
    results = tmp_path_factory.mktemp("refuted")
    truths.claim_files(results, **CLAIMED)
    with faults.faultfs(direct_io=True, read_bps=RATE, slack_ms=SLACK_MS) as slow:
        image = slow.source / "disk"
        with image.open("xb") as file:
            file.truncate(IMAGE)
        lazy = "lazy_itable_init=0,lazy_journal_init=0"
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", lazy, image], check=True)
        yield Session(results, "refuted", disk=slow.path / image.name, timeout=500)


def verdict(session: Session, name: str) -> Any:
    """The verdict on one of the two readings, of which one is met and the other is not."""
    run = session["run"]
    assert run["code"] == 3, run["err"]
    verdicts = json.loads(run["out"])["verdicts"]
    (found,) = (each for each in verdicts if each["interpretation"]["id"] == name)
    return found


def test_slow_device_refutes_a_claim(session: Session) -> None:
    """A figure above what the device does is not met: no gate closes in a quiet client."""
    found = verdict(session, "above")
    assert found["status"] == "NOT_MET", found["reasons"]


def test_slow_device_meets_a_claim(session: Session) -> None:
    """A figure below it is met by the same three epochs."""
    found = verdict(session, "below")
    assert found["status"] == "MET", found["reasons"]


def test_rate_is_that_of_the_device(session: Session) -> None:
    """The median epoch runs at the device's rate within 3 %, and the device is named as limit."""
    record = session.record("slow")
    samples = truths.read_samples(record)
    rates = [truths.rate(sample) for sample in samples]
    assert len(rates) == 3
    assert statistics.median(rates) == pytest.approx(RATE, rel=0.03)
    for sample in samples:
        answer = truths.limiter(record, sample)
        assert answer.limiter == "device", answer
