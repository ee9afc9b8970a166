"""Programs that are run: what comes back, and what is left of them (nothing)."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from aibench import process
from aibench.errors import Interrupted, WorkerFailed

_SLEEPER = ["sleep", "600"]


@pytest.fixture(autouse=True)
def _leaves_no_child() -> Iterator[None]:
    """After every test: no child of ours is left, not even a zombie."""
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


def python(code: str, *arguments: object) -> list[str]:
    """A command that runs ``code``."""
    return [sys.executable, "-c", code, *map(str, arguments)]


def waits_for(condition: Callable[[], bool]) -> bool:
    """Whether ``condition`` comes true before patience ends."""
    last = time.monotonic() + 20
    while not condition() and time.monotonic() < last:
        time.sleep(0.01)
    return condition()


def is_running(pid: int) -> bool:
    """Whether ``pid`` lives and is no zombie."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_returns_status_output_and_errors_apart() -> None:
    """A program's exit status, standard output and standard error come back apart."""
    finished = process.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (finished.status, finished.output, finished.errors) == (3, b"out\n", b"err\n")
    assert finished.command == ("sh", "-c", "echo out; echo err >&2; exit 3")
    assert finished.signal_name is None


@pytest.mark.parametrize("given", [b"", b"one\n", bytes(range(256)) * 2**12])
def test_reads_what_it_is_given(given: bytes) -> None:
    """A program's standard input is what it is given, whole, and then at its end."""
    assert process.run(["cat"], given=given, limit=2**21).output == given


def test_arguments_never_meet_a_shell() -> None:
    """What looks like shell code in an argument stays text."""
    text = "$(touch gone); `id` ${HOME} ' \" \n *"
    assert process.run(["printf", "%s", text]).output == text.encode()


def test_runs_where_it_is_told(tmp_path: Path) -> None:
    """The directory and the environment of a program are the caller's choice."""
    place = tmp_path / "a: b\n$c"
    place.mkdir()
    finished = process.run(["sh", "-c", 'pwd; echo "$MARK"'], cwd=str(place),
                           environment={"MARK": "yes"})  # fmt: skip
    assert finished.output.decode() == f"{place}\nyes\n"


def test_a_missing_program_or_directory_is_named() -> None:
    """A program that is not there is named in the error; a missing directory ends it."""
    with pytest.raises(WorkerFailed, match="no-such-program can't be started"):
        process.run(["no-such-program"])
    finished = process.run(["true"], cwd="/no/such/directory")
    assert finished.status == 127
    assert b"No such file or directory" in finished.errors


def test_full_pipes_block_neither_side() -> None:
    """A program may print megabytes on both pipes in any order without blocking."""
    code = "import sys\nfor i in range(40):\n for f in (sys.stderr, sys.stdout): f.write('x'*50000)"
    finished = process.run(python(code), limit=10**7)
    assert (len(finished.output), len(finished.errors)) == (2_000_000, 2_000_000)


def test_what_is_kept_is_bounded() -> None:
    """Of too much output the beginning and the end are kept, with a line on what is left out."""
    code = "import sys\nprint('first')\nfor i in range(100): print('x' * 99_999)\nprint('last')"
    kept = process.run(python(code), limit=1000).output
    assert len(kept) < 1100
    assert kept.startswith(b"first\n")
    assert kept.endswith(b"last\n")
    assert b"[9999011 bytes left out]" in kept


def test_output_can_be_followed_as_it_comes() -> None:
    """With a callback, output is handed on while the program runs, and not kept."""
    chunks: list[bytes] = []

    def stop_at_first(chunk: bytes) -> None:
        chunks.append(chunk)
        raise WorkerFailed("seen enough")

    with pytest.raises(WorkerFailed, match="seen enough"):
        process.run(["sh", "-c", "echo one; sleep 600"], on_output=stop_at_first)
    assert chunks == [b"one\n"]


def test_a_timeout_ends_the_program() -> None:
    """A program that takes too long is ended, and the error says after how long."""
    with pytest.raises(WorkerFailed, match=r"sleep did not end within 0\.2 s"):
        process.run(_SLEEPER, timeout_seconds=0.2)


def test_a_poll_callback_can_end_the_program() -> None:
    """The callback that watches progress is called again and again, and may end the program."""
    calls: list[int] = []

    def poll() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise WorkerFailed("no progress")

    with pytest.raises(WorkerFailed, match="no progress"):
        process.run(_SLEEPER, poll=poll)
    assert len(calls) == 3


def test_a_program_is_asked_before_it_is_killed(tmp_path: Path) -> None:
    """SIGTERM comes first, so that a program can tidy up."""
    code = "trap 'echo bye > bye; exit' TERM; echo ready; while :; do sleep 0.05; done"

    def stop(chunk: bytes) -> None:
        raise WorkerFailed(chunk.decode())

    with pytest.raises(WorkerFailed, match="ready"):
        process.run(["sh", "-c", code], cwd=str(tmp_path), on_output=stop)
    assert (tmp_path / "bye").read_text() == "bye\n"


def test_who_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ignores SIGTERM is killed with all its children after a grace period."""
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.3)
    pids: list[int] = []
    code = "trap '' TERM; sleep 600 & echo $$ $!; while :; do sleep 0.05; done"

    def stop(chunk: bytes) -> None:
        pids.extend(map(int, chunk.split()))
        raise WorkerFailed("enough")

    with pytest.raises(WorkerFailed, match="enough"):
        process.run(["sh", "-c", code], on_output=stop)
    assert len(pids) == 2
    assert waits_for(lambda: not any(is_running(pid) for pid in pids))


def test_a_grandchild_that_holds_the_pipes_is_not_waited_for() -> None:
    """What a program leaves running is ended with it, even if it holds the pipes open."""
    finished = process.run(["sh", "-c", "sleep 600 & echo $!"])
    assert finished.status == 0
    assert waits_for(lambda: not is_running(int(finished.output)))


def test_the_signal_that_killed_a_program_is_named() -> None:
    """A program that was killed has the signal's name, not only a number."""
    finished = process.run(["sh", "-c", "kill -KILL $$"])
    assert (finished.status, finished.signal_name) == (-9, "SIGKILL")


def is_interrupted_after(seconds: float) -> bool:
    """Whether a signal after ``seconds`` reaches us as an exception through `process.run`."""

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted("SIGTERM")

    before = signal.signal(signal.SIGTERM, interrupt)
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
    try:
        timer.start()
        process.run(_SLEEPER)
    except Interrupted:
        return True
    finally:
        timer.join()
        signal.signal(signal.SIGTERM, before)
    return False


def test_an_interrupt_ends_the_program_and_goes_on() -> None:
    """An exception from a signal handler ends the program and reaches the caller."""
    assert is_interrupted_after(0.3)


def test_interrupts_at_any_moment_leave_nothing() -> None:
    """Whenever a signal comes, between fork and the last byte, no program is left behind."""
    assert all(is_interrupted_after(0.001 + step * 0.004) for step in range(12))


def test_a_program_does_not_outlive_a_killed_parent() -> None:
    """When aibench itself is killed with SIGKILL, the program that it runs dies too."""
    code = (
        "from aibench import process\n"
        "def show(chunk): print(chunk.decode().strip(), flush=True)\n"
        "process.run(['sh', '-c', 'echo $$; exec sleep 600'], on_output=show)\n"
    )
    with subprocess.Popen(python(code), stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    assert waits_for(lambda: not is_running(pid))
