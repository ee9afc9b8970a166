"""However a run is ended, it ends soon, says so, and leaves nothing running and nothing foreign."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from aibench.store import read
from tests.integration.command import (
    LARGE,
    LIMIT_S,
    SMALL,
    Stand,
    codes,
    eventually,
    finished,
    workers,
)
from tests.labs.truths import ended

pytestmark = pytest.mark.slow
#: Generation, small files, a checkpoint and fio within a few seconds.
PHASES = (
    *("-w", "load-4k", "-w", "checkpoint-save", "-w", "block", "--repeats", "1"),
    *("--set", "files=3000", "--set", "workers=2", "--set", "ranks=2", "--set", "scale=1e-4"),
    *("--set", "jobs=1", "--set", "file_size=8MiB", "--set", "runtime=200ms"),
)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def generated(stand: Stand) -> bool:
    """Whether the generation of data is well under way."""
    return any((stand.workspace / "data").glob("*/d000002/f*"))


def tidy(stand: Stand) -> None:
    """Nothing runs, no scratch file is there, and clean leaves nothing."""
    assert stand.left_running() == []
    assert stand.scratch() == []


@pytest.mark.parametrize("seed", range(9))
def test_signals_at_random(tmp_path: Path, seed: int) -> None:
    """A signal at any moment ends a run: exit code 4, a readable record, nothing left behind."""
    chance = random.Random(seed)
    number, moment = SIGNALS[seed % 3], chance.uniform(0.3, 3.5)
    stand = Stand(tmp_path)
    with stand.start("run", stand.target, *PHASES) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        begun = any(path.read_bytes().count(b"\n") for path in stand.paths())  # with its header
        process.send_signal(number)
        done = finished(process)
    assert "Traceback" not in done.err, done.err
    if begun and "asked the run to end" in done.err:
        assert done.code == 4
        assert codes(stand.record()) in ([], ["interrupted"], ["unfinished"])
    for path in stand.paths():
        assert read(path).run_id == path.stem
    tidy(stand)
    assert stand.ask("clean", stand.target).code == 0
    assert list(stand.target.iterdir()) == []


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_in_generation(tmp_path: Path, number: signal.Signals) -> None:
    """A run that is asked to end says which signal did it, and the next one goes on from there."""
    stand = Stand(tmp_path)
    with stand.start("run", stand.target, *LARGE) as process:
        assert eventually(lambda: generated(stand))
        process.send_signal(number)
        done = finished(process)
    assert done.code == 4
    assert f"the run failed: {number.name} asked the run to end" in done.messages
    assert codes(stand.record()) == ["interrupted"]
    tidy(stand)


def test_resumed_generation(tmp_path: Path) -> None:
    """After an interruption the next run goes on from there, and the data verifies."""
    stand = Stand(tmp_path)
    with stand.start("run", stand.target, *LARGE) as process:
        assert eventually(lambda: generated(stand))
        process.send_signal(signal.SIGINT)
        finished(process)
    first = next((stand.workspace / "data").glob("*/d000000/f0000000000"))
    before = first.stat().st_mtime_ns
    assert stand.run(*LARGE).code == 0
    assert first.stat().st_mtime_ns == before
    assert stand.ask("verify", stand.target).code == 0


def test_impatience(tmp_path: Path) -> None:
    """Signals that follow the first change nothing: order is restored all the same."""
    stand = Stand(tmp_path)
    with stand.start("run", stand.target, *LARGE) as process:
        assert eventually(lambda: generated(stand))
        for _ in range(50):
            process.send_signal(signal.SIGINT)
            time.sleep(0.002)
        done = finished(process)
    assert done.code == 4
    assert codes(stand.record()) == ["interrupted"]
    tidy(stand)


def test_interrupted_verification(tmp_path: Path) -> None:
    """A verification that is interrupted ends with code 4 and lets go of the target."""
    stand = Stand(tmp_path)
    assert stand.run(*LARGE).code == 0
    with stand.start("verify", stand.target) as process:
        assert eventually(lambda: workers(process.pid))
        process.send_signal(signal.SIGTERM)
        done = finished(process)
    assert done.code == 4
    assert done.messages[-1] == "SIGTERM asked the run to end"
    tidy(stand)


def test_killed_worker(tmp_path: Path) -> None:
    """A worker that is killed ends the run; the message names it, and the others end too."""
    stand = Stand(tmp_path)
    with stand.start("run", stand.target, *LARGE) as process:
        assert eventually(lambda: generated(stand))
        victim = random.Random(1).choice(workers(process.pid))
        os.kill(victim, signal.SIGKILL)
        done = finished(process)
    assert done.code == 4
    assert f"(pid {victim}) was killed by SIGKILL" in done.err
    assert codes(stand.record()) == ["worker_failed"]
    tidy(stand)


FIO = ("-w", "block", "--repeats", "1", "--set", "jobs=1", "--set", "file_size=16MiB",
       "--set", "runtime=20s")  # fmt: skip


def measuring(stand: Stand) -> int | None:
    """The process id of the fio that measures; not of one that calibrates, or tries an engine."""
    for line in stand.processes():
        words = line.split()
        with suppress(OSError):
            if (
                words[1] == "fio"
                and "ioengine=null" not in Path(f"/proc/{words[0]}/fd/0").read_text()
            ):
                return int(words[0])
    return None


@pytest.fixture
def with_fio(tmp_path: Path) -> Iterator[tuple[Stand, "subprocess.Popen[str]", int]]:
    """A stand, a run in the middle of its fio phase, and the process id of that fio."""
    stand = Stand(tmp_path)
    with stand.start("run", stand.target, *FIO) as process, ended(process):
        assert eventually(lambda: measuring(stand))
        time.sleep(0.3)
        victim = measuring(stand)
        assert victim
        yield stand, process, victim


def test_killed_fio(with_fio: tuple[Stand, "subprocess.Popen[str]", int]) -> None:
    """A fio that is killed ends the run, and is named."""
    stand, process, victim = with_fio
    os.kill(victim, signal.SIGKILL)
    done = finished(process)
    assert done.code == 4, done.err
    assert "fio was killed by SIGKILL" in done.err
    assert codes(stand.record()) == ["worker_failed"]
    tidy(stand)


def test_signal_during_fio(with_fio: tuple[Stand, "subprocess.Popen[str]", int]) -> None:
    """A run that is interrupted while fio works takes fio along."""
    stand, process, _ = with_fio
    process.send_signal(signal.SIGTERM)
    assert finished(process).code == 4
    assert codes(stand.record()) == ["interrupted"]
    tidy(stand)


def test_killed_with_fio(with_fio: tuple[Stand, "subprocess.Popen[str]", int]) -> None:
    """No fio goes on when aibench itself is killed, and its job is in no file that would stay."""
    stand, process, _ = with_fio
    process.kill()
    finished(process)
    assert stand.left_running() == []
    assert list(stand.directory.glob("aibench-*")) == []
    assert codes(stand.record()) == ["unfinished"]


def test_killed(tmp_path: Path) -> None:
    """A run that is killed leaves no process, a record that reads as unfinished, and a clean way.

    The next run completes the data, which then verifies, and takes the scratch files away.
    """
    stand = Stand(tmp_path)
    with stand.start("run", stand.target, *LARGE) as process:
        assert eventually(lambda: generated(stand))
        process.kill()
        finished(process)
    assert stand.left_running() == []
    assert codes(stand.record()) == ["unfinished"]
    assert stand.ask("report", "last").code == 0
    partial = stand.do("verify", stand.target)
    assert partial.code == 3
    assert "not compared: it was never written to its end" in partial.out
    assert stand.run(*LARGE).code == 0
    assert stand.ask("verify", stand.target).code == 0


def test_killed_in_a_checkpoint(tmp_path: Path) -> None:
    """Scratch files of a run that was killed are removed by the next one, or by clean."""
    stand = Stand(tmp_path)
    arguments = ("-w", "checkpoint-save", "--set", "ranks=2", "--set", "scale=0.002")
    with stand.start("run", stand.target, *arguments) as process:
        assert eventually(lambda: [p for p in stand.scratch() if p.is_file()], LIMIT_S)
        process.kill()
        finished(process)
    assert stand.left_running() == []
    assert stand.scratch()
    assert stand.run(*SMALL).code == 0
    assert stand.scratch() == []
    assert stand.do("clean", stand.target).code == 0
    assert list(stand.target.iterdir()) == []
