"""However a mount fails, a run ends in bounded time, with the reason, and nothing keeps running."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import lab
from tests.integration.command import BLOCK, SMALL, Done, Stand, codes
from tests.lab import MIB
from tests.labs import faults, limits
from tests.labs.faults import Faulty, faultfs
from tests.labs.test_mounts_aibench import left_running
from tests.labs.tools import requires_fio, unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow(4), unless(faults.missing())]
MANY = ("-w", "load-4k", "--repeats", "200", "--set", "files=200", "--set", "workers=2")
LOAD = ("-w", "load-imagenet", "--repeats", "1", "--set", "workers=2")
SAVE = ("-w", "checkpoint-save", "--repeats", "1", "--set", "ranks=2", "--set", "scale=1e-4")
PATIENCE = ("--patience", "2s")
BOUND_S = 20
"""Patience, twice more for tidying up, and a busy machine."""


def struck(
    stand: Stand, faulty: Faulty, strike: Callable[[], object], *arguments: str, sign: str = "epoch"
) -> Done:
    """A run that is struck by a fault when it says ``sign``. It fails the test when it hangs."""
    process = stand.start("run", stand.target, *arguments, *PATIENCE)
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if sign in line:
            break
    strike()
    return ended(process, faulty, said)


def ended(process: "subprocess.Popen[str]", faulty: Faulty, said: str = "") -> Done:
    """How a process ended; a hanging one is released, and the test fails.

    What it started and had to leave to the kernel holds the pipes until the target answers.
    """
    try:
        process.wait(timeout=BOUND_S)
    except subprocess.TimeoutExpired:
        faulty.ask()
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still there after {BOUND_S} s:\n{said}{err}") from None
    faulty.ask()
    out, err = process.communicate(timeout=BOUND_S)
    return Done(process.returncode, out, said + err)


@pytest.mark.parametrize(
    ("operation", "name", "code"),
    [
        ("read", "EIO", "io_error"),
        ("open", "ESTALE", "stale"),
        ("read", "ETIMEDOUT", "target_lost"),
    ],
)
def test_error_in_the_middle(tmp_path: Path, operation: str, name: str, code: str) -> None:
    """An error in the middle of a run ends it with exit code 4 and its own reason."""
    with faultfs(direct_io=True) as faulty:
        stand = Stand(tmp_path, faulty.path)
        strike = {operation: {"errno": name, "after": 20}}
        done = struck(stand, faulty, lambda: faulty.ask(error=strike), *MANY)
        faulty.ask()
        assert done.code == 4, done.err
        assert codes(stand.record()) == [code]
        assert stand.record().complete
        assert left_running(stand) == []


@pytest.mark.parametrize(
    ("workload", "operation", "name", "code"),
    [
        (SMALL, "write", "ENOSPC", "no_space"),
        (SMALL, "write", "EDQUOT", "quota"),
        (SMALL, "create", "EROFS", "read_only"),
        (SAVE, "fsync", "EIO", "io_error"),
        (SAVE, "flush", "EIO", "io_error"),
        (SAVE, "rename", "EIO", "io_error"),
    ],
)
def test_error_while_writing(
    tmp_path: Path, workload: tuple[str, ...], operation: str, name: str, code: str
) -> None:
    """An error while data is written, synced, closed or renamed is never taken for success."""
    with faultfs(direct_io=True) as faulty:
        stand = Stand(tmp_path, faulty.path)
        fault = {operation: {"errno": name, "after": 2}}
        done = struck(stand, faulty, lambda: faulty.ask(error=fault), *workload, sign="[1/")
        faulty.ask()
        assert done.code == 4, done.err
        assert codes(stand.record()) == [code]
        assert left_running(stand) == []
        assert stand.scratch() == []


@requires_fio
def test_error_under_fio(tmp_path: Path) -> None:
    """What fio meets is told with fio's own words and the reason."""
    with faultfs(direct_io=True) as faulty:
        stand = Stand(tmp_path, faulty.path)
        fault = {"read": {"errno": "EIO", "after": 4}}
        words = (*BLOCK, "--repeats", "1", "--set", "runtime=1s")
        done = struck(stand, faulty, lambda: faulty.ask(error=fault), *words, sign="seq-read")
        faulty.ask()
        assert done.code == 4, done.err
        assert codes(stand.record()) == ["io_error"]
        assert left_running(stand) == []


def test_full_in_the_middle(tmp_path: Path) -> None:
    """A target that fills up in the middle ends the run, and clean makes room again."""
    with faultfs(direct_io=True) as faulty:
        stand = Stand(tmp_path, faulty.path)
        done = struck(stand, faulty, lambda: faulty.ask(space_bytes=10**6), *SMALL, sign="layout")
        assert done.code == 4, done.err
        assert codes(stand.record()) == ["no_space"]
        assert stand.do("clean", stand.target).code == 0
        assert list(faulty.source.iterdir()) == []


def test_filesystem_goes_away(tmp_path: Path) -> None:
    """A FUSE process that dies in the middle ends the run with exit code 4, and no traceback."""
    with faultfs(direct_io=True) as faulty:
        stand = Stand(tmp_path, faulty.path)
        done = struck(stand, faulty, faulty.kill, *MANY)
        assert "Traceback" not in done.err
        assert done.code == 4, done.err
        assert codes(stand.record()) == ["target_lost"]
        assert left_running(stand) == []


@pytest.mark.parametrize("operation", ["read", "getattr"])
def test_hang_in_the_middle(tmp_path: Path, operation: str) -> None:
    """A target that hangs in the middle of a phase ends the run soon after its patience."""
    with faultfs(direct_io=True) as faulty:
        stand = Stand(tmp_path, faulty.path)
        done = struck(stand, faulty, lambda: faulty.ask(hang=[operation]), *MANY)
        faulty.ask()
        assert done.code == 4, done.err
        assert codes(stand.record()) in (["worker_failed"], ["target_hangs"])
        assert left_running(stand) == []


@pytest.mark.parametrize("operation", ["statfs", "fsync", "readdir", "unlink"])
def test_hang_outside_of_a_phase(tmp_path: Path, operation: str) -> None:
    """A target that hangs before, between or after phases ends the command soon, too."""
    with faultfs(direct_io=True, hang=[operation]) as faulty:
        stand = Stand(tmp_path, faulty.path)
        done = ended(stand.start("run", stand.target, *SAVE, *PATIENCE), faulty)
        faulty.ask()
        assert done.code in (2, 4), done.err
        assert "Traceback" not in done.err
        assert left_running(stand) == []


def test_short_reads(tmp_path: Path) -> None:
    """Reads that return less than they could are read on, and every byte counts once."""
    with faultfs(direct_io=True, short_read=0.5) as faulty:
        stand = Stand(tmp_path, faulty.path)
        done = stand.run(*SMALL)
        assert done.code == 0, done.err
        (sample,) = stand.record().samples
        assert sample.measurement.bytes == 500 * 4096
        assert stand.do("verify", stand.target).code == 0


def test_stale_listing(tmp_path: Path) -> None:
    """Where a listing is stale clean says what is in the way; later it removes all of it."""
    with faultfs() as faulty:
        stand = Stand(tmp_path, faulty.path)
        assert stand.run(*SMALL).code == 0
        faulty.ask(stale_listing=True)
        assert stand.do("clean", stand.target).code in (0, 4)
        again = stand.do("clean", stand.target)
        assert "Traceback" not in again.err
        faulty.ask()
        assert stand.do("clean", stand.target).code == 0
        assert list(faulty.source.iterdir()) == []


def test_workspace_made_by_another_client(tmp_path: Path) -> None:
    """A workspace that another client made, and this one does not see yet, is no bug."""
    with faults.two_clients(negative_timeout_s=60) as (one, other):
        first, second = Stand(tmp_path, one.path), Stand(tmp_path, other.path)
        assert not first.workspace.exists()
        assert second.run(*SMALL).code == 0
        done = first.run(*SMALL)
        assert "Traceback" not in done.err
        assert done.code in (0, 2)


@unless(lab.missing())
def test_lost_writes(tmp_path: Path) -> None:
    """A data set whose writes were lost at fsync is not taken for complete."""
    with limits.lost_writes(size=300 * MIB) as mounted:
        stand = Stand(tmp_path, mounted.path)
        words = (*LOAD, "--set", "files=500")
        done = stand.run(*words)
        assert done.code == 4, done.err
        assert codes(stand.record())[0] in ("no_space", "io_error", "read_only")
        assert stand.record().samples == ()


@unless(lab.missing())
def test_cut_short(tmp_path: Path) -> None:
    """Where files or names can't be read any more, a run refuses or ends, and is never complete."""
    with limits.cut_short() as mounted:
        stand = Stand(tmp_path, mounted.path)
        words = (*LOAD, "--set", "files=400")
        assert stand.run(*words).code == 0
        mounted.cut(60 * MIB)
        done = stand.run(*words)
        assert done.code in (2, 4), done.err
        assert re.search("input/output error|EIO", done.err, re.IGNORECASE)
        assert "Traceback" not in done.err
        verified = stand.do("verify", stand.target)
        assert verified.code in (1, 2, 4)
        assert "Traceback" not in verified.err
        assert left_running(stand) == []
