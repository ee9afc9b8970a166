"""What others do, and what changes while a run measures, is in its record and in its verdicts."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from aibench.model import Finding
from tests import lab
from tests.integration.command import (
    LARGE,
    SMALL,
    Stand,
    children,
    eventually,
    finished,
)
from tests.machines import burners

pytestmark = pytest.mark.alone


def about(code: str, findings: Sequence[Finding]) -> list[str]:
    """The messages of the findings with ``code``."""
    return [finding.message for finding in findings if finding.code == code]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that waits meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_other_programs(tmp_path: Path) -> None:
    """Programs that compute beside aibench are in doctor's and the record's warnings."""
    stand = Stand(tmp_path)
    with burners():
        told = stand.do("doctor", stand.target, "--json").json["checks"]
        done = stand.run(*SMALL)
    assert done.code in (0, 3), done.err
    (work,) = (check for check in told if check["name"] == "other work")
    assert (work["status"], work["code"]) == ("warning", "busy_client")
    messages = about("busy_client", stand.record().warnings)
    assert any("of the client's processors while aibench waited" in each for each in messages)


@pytest.mark.mounts
@lab.requires_mounts
def test_remounted_in_the_middle(tmp_path: Path) -> None:
    """A mount whose options change during the run is told with both, and forbids any verdict."""
    with lab.loop_mount(tmp_path) as mounted:
        stand = Stand(tmp_path, mounted.path)
        with stand.start("run", stand.target, *LARGE) as process:
            assert eventually(stand.paths)
            (runner,) = children(process.pid)
            with stopped(runner):
                subprocess.run(
                    ["mount", "-o", "remount,noatime", mounted.path], check=True, timeout=60
                )
            done = finished(process)
        record = stand.record()
    assert done.code in (0, 3), done.err
    assert record.complete
    (message,) = about("environment_changed", record.warnings)
    assert "relatime" in message.partition(", now ")[0]
    assert "noatime" in message.partition(", now ")[2]
    assert "environment_changed" in done.out or "not as it was when the run began" in done.out
