"""At any moment a run may be hit by anything, and each time it ends well and can go on from there.

The moments are seeded. `AIBENCH_MOMENTS` asks for more of each kind than one.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aibench.model import RunRecord
from aibench.store import read
from tests import lab
from tests.integration.command import Done, Stand, children, codes, workers
from tests.labs import faults
from tests.labs.faults import Faulty, faultfs
from tests.labs.test_mounts_aibench import left_running
from tests.labs.tools import requires_fio, unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow(15)]
MOMENTS = int(os.environ.get("AIBENCH_MOMENTS", "1"))
FILES = (
    *("-w", "load-4k", "-w", "metadata", "-w", "checkpoint-save", "--repeats", "1"),
    *("--set", "load-4k.files=600", "--set", "load-4k.workers=2", "--set", "metadata.files=300"),
    *("--set", "metadata.workers=1"),
    *("--set", "directories=4", "--set", "ranks=2", "--set", "checkpoint-save.scale=1e-4"),
)
BLOCK = (
    *("-w", "checkpoint-load", "-w", "block", "--repeats", "1", "--set", "ranks=2"),
    *(
        "--set",
        "scale=1e-4",
        "--set",
        "jobs=1",
        "--set",
        "file_size=8MiB",
        "--set",
        "runtime=300ms",
    ),
)
LINES = {FILES: 9, BLOCK: 7}
"""How many lines of progress a run says: layouts, and measured phases."""
BOUND_S = 40
"""Patience, several times over for what watches whom and for tidying up, on a busy machine."""
PATIENCE = ("--patience", "2s")
MIB = lab.MIB


@dataclass
class Blow:
    """What hits a run, and how all is well again; ``codes`` are reasons that it may give.

    ``ends`` are the exit codes that it may have. Where it ``ends_commands`` it also ends one that
    has finished its record and reports.
    """

    stand: Stand
    strike: Callable[["subprocess.Popen[str]"], object]
    codes: set[str] = field(default_factory=set)
    heal: Callable[[], object] = lambda: None
    arguments: tuple[str, ...] = FILES
    ends: tuple[int, ...] = (4,)
    ends_commands: bool = False
    decoys: Path | None = None

    def __post_init__(self) -> None:
        self.decoys = self.decoys or self.stand.target
        (self.decoys / "mine").mkdir()
        (self.decoys / "mine" / "f0000000000").write_text("mine")
        (self.decoys / "aibench-data.bak").write_text("mine")
        (self.decoys / "link").symlink_to("mine")

    def foreign(self) -> list[tuple[str, int, int, int]]:
        """All beside the workspace, with kind, size and time of change."""
        assert self.decoys is not None
        found = []
        for path in sorted(self.decoys.rglob("*")):
            name = str(path.relative_to(self.decoys))
            if not name.startswith(("aibench-data/", "lost+found")) and name != "aibench-data":
                status = path.lstat()
                found.append((name, status.st_mode, status.st_size, status.st_mtime_ns))
        return found


def hit(blow: Blow, chance: random.Random) -> Done:
    """A run that is hit after some line of progress, and a moment more."""
    line, delay_s = chance.randrange(LINES[blow.arguments]) + 1, chance.uniform(0, 0.3)
    process = blow.stand.start("run", blow.stand.target, *blow.arguments, *PATIENCE)
    assert process.stderr is not None
    said = ""
    for text in process.stderr:
        said += text
        line -= "aibench: [" in text
        if not line:
            break
    time.sleep(delay_s)
    blow.strike(process)
    try:
        process.wait(timeout=BOUND_S)
    except subprocess.TimeoutExpired:
        blow.heal()
        process.kill()
        raise AssertionError(f"still there after {BOUND_S} s:\n{said}") from None
    blow.heal()
    out, err = process.communicate(timeout=BOUND_S)
    return Done(process.returncode, out, said + err)


def ended_well(blow: Blow, done: Done) -> RunRecord:
    """A code and a reason that fit, no bug, and a record that can be read and reported."""
    told = f"{done.code}: {done.err}"
    assert "Traceback" not in done.err, told
    (path,) = blow.stand.paths()
    record = read(path)
    if done.code != 0:
        assert done.code in blow.ends, told
    if done.code == 0 or (not record.reasons and blow.ends_commands):
        # the blow came when it did not matter any more, or when only the report was to come
        assert record.complete, told
        assert record.reasons == (), told
    else:
        assert len(codes(record)) == 1, told
        assert set(codes(record)) <= blow.codes, told
    if "the run failed" not in done.err:  # a run that says so has reported itself
        assert blow.stand.ask("report", path).code == 0
    assert left_running(blow.stand) == []
    return record


def goes_on(blow: Blow, before: RunRecord) -> None:
    """What is missing is measured, once, and what was there stands as it was."""
    stand = blow.stand
    done = stand.do("run", stand.target, "--resume", "last")
    assert done.code == 0, done.err
    after = stand.record()
    places = [(s.workload, s.phase, s.repeat) for s in after.samples]
    planned = [
        (stage.workload, phase.name, repeat)
        for stage in before.plan.stages
        for repeat in range(stage.repeats)
        for phase in stage.measured
    ]
    assert sorted(places) == sorted(planned)
    assert after.reasons == ()
    assert after.plan == before.plan
    if before.complete and not before.reasons:
        assert len(stand.paths()) == 1
    else:
        assert after.resumes == before.run_id
        assert "resumed" in {warning.code for warning in after.warnings}
        carried = [sample for sample in after.samples if sample in before.samples]
        assert f" {len(carried)} of {len(planned)} samples" in str(after.warnings)
    assert stand.ask("verify", stand.target).code == 0


def survived(blow: Blow, chance: random.Random) -> None:
    """All that has to be true of a run that something happened to."""
    foreign = blow.foreign()
    record = ended_well(blow, hit(blow, chance))
    assert blow.foreign() == foreign
    goes_on(blow, record)
    cleaned = blow.stand.ask("clean", blow.stand.target)
    assert cleaned.code == 0, cleaned.err
    assert blow.decoys is not None
    names = {entry.name for entry in blow.decoys.iterdir()} - {"lost+found"}
    assert names == {"mine", "aibench-data.bak", "link"}
    assert blow.foreign() == foreign


def each(*kinds: str) -> pytest.MarkDecorator:
    """Each kind of blow, at as many moments as are asked for."""
    return pytest.mark.parametrize(
        ("kind", "moment"), [(kind, moment) for kind in kinds for moment in range(MOMENTS)]
    )


def kill(victims: Callable[[int], list[int]], chance: random.Random) -> Callable[..., object]:
    """Kills one of the processes that ``victims`` tells, as soon as there is one."""

    def strike(process: "subprocess.Popen[str]") -> None:
        while process.poll() is None:
            if found := victims(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(found), signal.SIGKILL)
                    return
            time.sleep(0.01)

    return strike


def fios(pid: int) -> list[int]:
    """The fio processes of a command."""
    found = []
    for worker in workers(pid):
        with contextlib.suppress(OSError):
            if b"fio" in Path(f"/proc/{worker}/cmdline").read_bytes().split(b"\0")[0]:
                found.append(worker)
    return found


def ended_by(kind: str, stand: Stand, chance: random.Random) -> Blow:
    """A blow to a process."""
    if kind in ("SIGTERM", "SIGINT"):
        number = signal.Signals[kind]
        return Blow(stand, lambda p: p.send_signal(number), {"interrupted"}, ends_commands=True)
    if kind == "kill supervisor":
        ends = (-signal.SIGKILL,)
        return Blow(stand, subprocess.Popen.kill, {"unfinished"}, ends=ends, ends_commands=True)
    if kind == "kill child":
        return Blow(stand, kill(children, chance), {"killed", "unfinished"}, ends_commands=True)
    if kind == "kill fio":
        return Blow(stand, kill(fios, chance), {"worker_failed"}, arguments=BLOCK)
    return Blow(stand, kill(workers, chance), {"worker_failed"})


@requires_fio
@each("SIGTERM", "SIGINT", "kill supervisor", "kill child", "kill worker", "kill fio")
def test_processes(tmp_path: Path, kind: str, moment: int) -> None:
    """A signal to the command, or the death of any of its processes."""
    chance = random.Random(f"{kind} {moment}")
    survived(ended_by(kind, Stand(tmp_path), chance), chance)


def fill(path: Path) -> None:
    """Write until there is no space."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(MIB))


@contextlib.contextmanager
def taken_away(kind: str, directory: Path) -> Iterator[Blow]:
    """A blow to the target, which is an ext4."""
    with lab.loop_mount(directory, size=128 * MIB) as mounted:
        stand = Stand(directory, mounted.path)
        gone = {"vanished", "workspace", "io_error", "stale", "target_failed"}
        if kind == "filled":
            full = mounted.path / "lost+found" / "filling"
            yield Blow(stand, lambda _: fill(full), {"no_space"}, full.unlink)
        elif kind == "unmounted":
            device = f"/dev/{mounted.device}"
            yield Blow(
                stand,
                lambda _: subprocess.run(["umount", "-l", mounted.path], check=True),
                gone,
                lambda: subprocess.run(["mount", device, mounted.path], check=True),
            )
        else:
            yield Blow(stand, lambda _: shutil.rmtree(stand.workspace, ignore_errors=True), gone)


@unless(lab.missing())
@each("filled", "unmounted", "removed")
def test_target(tmp_path: Path, kind: str, moment: int) -> None:
    """The target fills up, is unmounted lazily, or loses all that aibench wrote."""
    chance = random.Random(f"{kind} {moment}")
    with taken_away(kind, tmp_path) as blow:
        survived(blow, chance)


ERRORS = {"EIO": "io_error", "ENOSPC": "no_space", "ESTALE": "stale", "EDQUOT": "quota"}
REQUESTS = ["open", "create", "read", "write", "fsync", "flush", "rename", "unlink", "mkdir"]


def faulted(kind: str, directory: Path, faulty: Faulty, chance: random.Random) -> Blow:
    """A blow by a filesystem's answers."""
    stand = Stand(directory, faulty.path)
    if kind in ERRORS:
        requests = chance.sample(REQUESTS, 3)
        error = {request: {"errno": kind, "after": chance.randrange(20)} for request in requests}
        reasons, fault = {ERRORS[kind]}, {"error": error}
    elif kind == "short reads":
        reasons, fault = set(), {"short_read": 0.5}
    else:
        reasons = {"worker_failed", "target_hangs"}
        fault = {"hang": chance.sample([*REQUESTS, "getattr", "readdir"], 3)}
    return Blow(stand, lambda _: faulty.ask(**fault), reasons, faulty.ask, decoys=faulty.source)


@unless(faults.missing())
@each(*ERRORS, "short reads", "hang")
def test_answers(tmp_path: Path, kind: str, moment: int) -> None:
    """The filesystem begins to answer with errors, with half of what was asked for, or never."""
    chance = random.Random(f"{kind} {moment}")
    with faultfs(direct_io=True) as faulty:
        survived(faulted(kind, tmp_path, faulty, chance), chance)
