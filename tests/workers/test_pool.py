"""Worker processes start together, tell how they end, and never stay behind."""

import errno
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aibench.calls import real_calls
from aibench.errors import Interrupted, TargetFailed, WorkerFailed
from aibench.workers import pool
from aibench.workers.failure import failure
from aibench.workers.job import Job, Outcome, Prepare, Progress, Run
from tests import build

SECOND = 10**9
Body = Callable[[int, Progress], None]


def job(processes: int = 2, threads: int = 1) -> Job:
    """A job for that many workers; its phase doesn't matter here."""
    phase = build.phase(processes=processes, threads=threads)
    return Job(phase=phase, directory="/", seed=1, calls=real_calls)


def loop(body: Body) -> Prepare:
    """A loop that does ``body(slot, progress)`` once started."""

    def prepare(_job: Job, slot: int, progress: Progress) -> Run:
        def run(_start: int) -> Outcome:
            began = time.perf_counter_ns()
            body(slot, progress)
            return Outcome(
                slot=slot, operations=slot, bytes=0, start_ns=began, end_ns=time.perf_counter_ns()
            )

        return run

    return prepare


def forever(_slot: int, progress: Progress) -> None:
    """Makes progress and never ends."""
    while True:
        progress.cells[progress.base] += 1
        time.sleep(0.005)


def run(
    body: Body, report: Callable[[int, int], None] = lambda *_: None, **changes: int
) -> list[Outcome]:
    """Run a pool with ``body`` to its end."""
    patience = changes.pop("patience", 60 * SECOND)
    return pool.run_pool(job(**changes), loop(body), report, patience)[1]


def children() -> set[str]:
    """The processes that this one has started and that are not reaped yet."""
    listed = (p.read_text().split() for p in Path("/proc/self/task").glob("*/children"))
    return {pid for line in listed for pid in line}


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    before = children()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    yield
    assert children() == before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == mask


def test_outcomes_come_in_the_order_of_the_slots() -> None:
    """All threads of all processes answer, whoever ends first."""
    found = run(lambda slot, _: time.sleep(0.05 * (5 - slot) / 5), processes=3, threads=2)
    assert [outcome.slot for outcome in found] == list(range(6))
    assert [outcome.operations for outcome in found] == list(range(6))


def test_all_start_together() -> None:
    """Nobody begins before the slowest is ready, and nobody before the common start."""
    ready: list[int] = []

    def prepare(_job: Job, slot: int, progress: Progress) -> Run:
        time.sleep(0.1 * slot)
        ready.append(time.perf_counter_ns())
        own_ready = ready[-1]

        def body(start: int) -> Outcome:
            now = time.perf_counter_ns()
            return Outcome(slot=slot, operations=own_ready, bytes=start, start_ns=now, end_ns=now)

        return body

    start, found = pool.run_pool(job(processes=2, threads=2), prepare, lambda *_: None, SECOND * 60)
    assert {outcome.bytes for outcome in found} == {start}
    assert all(outcome.start_ns >= start for outcome in found)
    assert start > max(outcome.operations for outcome in found)


def test_progress_is_told_to_its_end() -> None:
    """What is reported never goes back, and the last report has everything."""
    told: list[tuple[int, int]] = []

    def body(slot: int, progress: Progress) -> None:
        for turn in range(20):
            progress.cells[progress.base] = turn + 1
            progress.cells[progress.base + 1] = 100 * (turn + 1)
            time.sleep(0.01)

    run(body, lambda *totals: told.append(totals), processes=2, threads=2)
    assert told == sorted(told)
    assert told[-1] == (4 * 20, 4 * 2000)
    assert len(told) > 2


def test_cpu_time_is_that_of_the_thread() -> None:
    """CPU time counts for the thread of control that spent it, after the start."""

    def body(slot: int, _progress: Progress) -> None:
        until = time.thread_time() + 0.3
        while slot == 0 and time.thread_time() < until:
            pass

    busy, idle = run(body, processes=1, threads=2)
    assert busy.user_ns + busy.system_ns > 10 * (idle.user_ns + idle.system_ns)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_killed_worker_is_named(threads: int) -> None:
    """A worker killed with SIGKILL ends the phase with its number, its pid and the signal."""

    def body(slot: int, progress: Progress) -> None:
        if slot == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        forever(slot, progress)

    with pytest.raises(WorkerFailed, match=r"worker process 0 \(pid \d+\) was killed by SIGKILL"):
        run(body, processes=3, threads=threads)


def test_a_worker_that_vanishes_is_named() -> None:
    """A worker that exits without an answer is a failure, not a missing result."""
    with pytest.raises(WorkerFailed, match=r"worker process 1 \(pid \d+\) died"):
        run(lambda slot, _: os._exit(3) if slot == 1 else None)


def test_half_an_answer_is_a_dead_worker() -> None:
    """A worker killed while it answers is named as such, not taken for an error of the target."""
    here, there = pool._FORK.Pipe(duplex=False)

    def speak() -> None:
        os.write(there.fileno(), b"\0\0\x10\0" + b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    process = pool._FORK.Process(target=speak)
    process.start()
    there.close()
    with pytest.raises(WorkerFailed, match=r"worker process 4 \(pid \d+\) was killed by SIGKILL"):
        pool._answer(pool._Worker(4, process, here))
    here.close()


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_the_target_is_told_with_its_place(threads: int) -> None:
    """An OSError in any thread of any worker ends the phase with a stable code and the path."""

    def body(slot: int, progress: Progress) -> None:
        if slot == 2 * threads - 1:
            raise OSError(errno.ENOSPC, "No space left on device", "/mnt/data/d000001/f7")
        forever(slot, progress)

    with pytest.raises(TargetFailed, match="no space left on the target") as failed:
        run(body, threads=threads)
    assert failed.value.code == "no_space"
    assert str(failed.value).endswith("(ENOSPC) at /mnt/data/d000001/f7")


def test_an_error_while_getting_ready_ends_the_phase() -> None:
    """A worker that fails before the start doesn't leave the others waiting for it."""

    def prepare(_job: Job, slot: int, _progress: Progress) -> Run:
        if slot == 3:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", b"/mnt/gone")
        return lambda _start: Outcome(slot=slot, operations=0, bytes=0, start_ns=0, end_ns=0)

    with pytest.raises(TargetFailed, match=r"vanished \(ENOENT\) at /mnt/gone") as failed:
        pool.run_pool(job(processes=2, threads=2), prepare, lambda *_: None, 60 * SECOND)
    assert failed.value.code == "vanished"


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "no_space"), (errno.EDQUOT, "quota"), (errno.EROFS, "read_only"),
     (errno.EIO, "io_error"), (errno.ESTALE, "stale"), (errno.ENOTCONN, "target_lost"),
     (errno.ETIMEDOUT, "target_lost"), (errno.ENOENT, "vanished"), (errno.EPERM, "target_failed")],
)  # fmt: skip
def test_errors_have_stable_codes(number: int, code: str) -> None:
    """Each error of the target has a code that stays, the errno's name and the path."""
    found = failure(OSError(number, os.strerror(number), b"/mnt/a b\xff"))
    assert found.code == code
    assert f"({errno.errorcode[number]}) at /mnt/a b" in str(found)


def test_an_expected_error_keeps_its_kind() -> None:
    """An error of ours crosses from worker to parent with its message and code."""

    def body(_slot: int, _progress: Progress) -> None:
        raise TargetFailed("read 5 bytes where 9 were written", code="wrong_length")

    with pytest.raises(TargetFailed, match="read 5 bytes") as failed:
        run(body)
    assert failed.value.code == "wrong_length"


@pytest.mark.parametrize("threads", [1, 2])
def test_a_bug_shows_its_traceback(threads: int) -> None:
    """Anything unexpected in a worker is a bug, and the parent shows where it is."""

    def body(slot: int, _progress: Progress) -> None:
        _ = 1 // (slot - slot)

    with pytest.raises(RuntimeError, match=r"(?s)a bug in a worker.*in body.*ZeroDivisionError"):
        run(body, threads=threads)


def test_an_exception_while_reporting_kills_all() -> None:
    """Whatever leaves the parent's loop takes the workers with it."""

    def report(*_totals: int) -> None:
        raise KeyError("progress")

    with pytest.raises(KeyError):
        run(forever, report, processes=3, threads=2)


def test_a_signal_ends_the_phase() -> None:
    """An exception from a signal handler leaves at once and leaves no worker."""

    def raise_interrupted(*_: object) -> None:
        raise Interrupted("interrupted by SIGUSR1")

    old = signal.signal(signal.SIGUSR1, raise_interrupted)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    try:
        with pytest.raises(Interrupted):
            run(forever, processes=2)
    finally:
        signal.signal(signal.SIGUSR1, old)


def test_workers_leave_ctrl_c_to_the_parent() -> None:
    """SIGINT in the workers, as a terminal sends it to all, doesn't end them."""

    def body(_slot: int, _progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    assert len(run(body, processes=2)) == 2


def test_patience_ends() -> None:
    """A phase in which nothing at all happens ends, and says that the target hangs."""
    with pytest.raises(WorkerFailed, match="no operation ended within 1 s: the target hangs"):
        run(lambda *_: time.sleep(600), patience=SECOND)


def test_a_stopped_worker_does_not_hang_the_run() -> None:
    """Workers that are stopped, or hang in the kernel, are given up and killed."""
    with pytest.raises(WorkerFailed, match="hangs"):
        run(lambda *_: os.kill(os.getpid(), signal.SIGSTOP), patience=SECOND)


def test_any_progress_renews_the_patience() -> None:
    """A slow target is not a dead one: a phase may take far longer than the patience."""

    def body(slot: int, progress: Progress) -> None:
        for _ in range(15):
            time.sleep(0.1)
            if slot == 0:
                progress.cells[progress.base + 1] += 1

    assert len(run(body, patience=SECOND)) == 2


def test_workers_that_cannot_start_are_named() -> None:
    """Running out of descriptors on the client is not blamed on the target."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, hard))
    try:
        with pytest.raises(WorkerFailed, match=r"worker process \d+ can't start: .*\(EMFILE\)"):
            run(forever, processes=60)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
