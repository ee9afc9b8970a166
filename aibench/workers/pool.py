"""Worker processes: forked together, started together, watched, and never left behind.

A worker is forked before the parent has any thread, dies with its parent (also when that is
killed with -9), and ignores SIGINT: the parent alone decides how a run ends. Between parent and
workers there are two integers a thread of control in shared memory, and one pipe a process for
the end.
"""

import errno
import mmap
import multiprocessing
import os
import resource
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from aibench.engine import Report
from aibench.errors import AibenchError, WorkerFailed
from aibench.model import WRITES
from aibench.orphans import die_with
from aibench.probes.patience import Patience
from aibench.process import signals_held
from aibench.workers.coupling import Coupling
from aibench.workers.crews import Crew, commons_of, crews_of
from aibench.workers.failure import failure
from aibench.workers.job import Job, Outcome, Prepare, Progress
from aibench.world import Alone, World

_FORK = multiprocessing.get_context("fork")
_HEADER = 1  # the common start
_CELLS = 3  # ready, operations, bytes
_POLL_S = 0.05
_GRACE_S = 5.0


@dataclass(slots=True)
class _Worker:
    number: int
    process: BaseProcess
    pipe: Connection


class _Shared:
    """The integers that parent and workers share."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._map = mmap.mmap(-1, 8 * (_HEADER + _CELLS * slots))
        self.cells = memoryview(self._map).cast("q")

    def progress(self, cell: int) -> Progress:
        return Progress(self.cells, _HEADER + _CELLS * cell + 1)

    def ready(self, cell: int) -> None:
        self.cells[_HEADER + _CELLS * cell] = 1

    def all_ready(self) -> bool:
        return all(self.cells[_HEADER + _CELLS * cell] for cell in range(self.slots))

    def totals(self, slots: int | None = None) -> tuple[int, int]:
        count = self.slots if slots is None else slots
        places = [_HEADER + _CELLS * cell for cell in range(count)]
        return sum(self.cells[p + 1] for p in places), sum(self.cells[p + 2] for p in places)

    def start(self, at: int) -> None:
        self.cells[0] = at

    def wait_for_start(self) -> int:
        while not (start := self.cells[0]):
            time.sleep(0.0005)
        while (left := start - time.perf_counter_ns()) > 0:
            time.sleep(max(left - 50_000, 0) / 1e9)
        return start


def _one_slot(crew: Crew, slot: int, cell: int, shared: _Shared) -> Outcome:
    """Prepare, meet the others, run; CPU time is this thread's alone, after the start."""
    run = crew.prepare(crew.job, slot, shared.progress(cell))
    shared.ready(cell)
    start = shared.wait_for_start()
    before = resource.getrusage(resource.RUSAGE_THREAD)
    outcome = run(start)
    after = resource.getrusage(resource.RUSAGE_THREAD)
    return replace(
        outcome,
        slot=crew.first + slot,
        user_ns=int((after.ru_utime - before.ru_utime) * 1e9),
        system_ns=int((after.ru_stime - before.ru_stime) * 1e9),
    )


def _all_slots(crew: Crew, number: int, shared: _Shared) -> list[Outcome]:
    """Run the threads of one worker process; the first error ends it."""
    slots = crew.processes[number]
    if len(slots) == 1:
        return [_one_slot(crew, slots[0], crew.cell(number, 0), shared)]
    results: list[Outcome | BaseException] = []

    def body(slot: int, cell: int) -> None:
        try:
            results.append(_one_slot(crew, slot, cell, shared))
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            results.append(error)

    running = [
        threading.Thread(target=body, args=(slot, crew.cell(number, thread)), daemon=True)
        for thread, slot in enumerate(slots)
    ]
    for thread in running:
        thread.start()
    while any(thread.is_alive() for thread in running):
        _raise_first(results)
        time.sleep(0.002)
    _raise_first(results)
    return [result for result in results if isinstance(result, Outcome)]


def _raise_first(results: Sequence[Outcome | BaseException]) -> None:
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _child(crew: Crew, number: int, shared: _Shared, pipe: Connection, parent: int) -> None:
    """What a worker process does from fork to exit."""
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    answer: tuple[str, Any]
    try:
        answer = ("done", _all_slots(crew, number, shared))
    except OSError as error:
        answer = ("failed", failure(error))
    except AibenchError as error:
        answer = ("failed", error)
    except BaseException:  # noqa: BLE001 - the parent raises it as the bug it is
        answer = ("bug", traceback.format_exc())
    pipe.send(answer)
    pipe.close()
    os._exit(0)


def _fork(crew: Crew, shared: _Shared, workers: list[_Worker], *, parents: bool) -> None:
    """Start the processes of a crew; no signal handler of ours runs between fork and list."""
    try:
        for number in range(len(crew.processes)):
            here, there = _FORK.Pipe(duplex=False)
            process = _FORK.Process(
                target=_child,
                args=(crew, number, shared, there, os.getpid()),
                daemon=not parents,  # a daemon may have no children
            )
            with signals_held():
                process.start()
                workers.append(_Worker(number, process, here))
            there.close()
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "?")
        raise WorkerFailed(
            f"worker process {len(workers)} can't start: {error.strerror} ({name})"
        ) from error


def _answer(worker: _Worker) -> list[Outcome]:
    """What a worker that has spoken or died leaves: its outcomes, or an error."""
    try:
        kind, payload = worker.pipe.recv()
    except (EOFError, OSError):  # it ended before its answer, or in the middle of it
        worker.process.join(_GRACE_S)
        code = worker.process.exitcode
        how = f"was killed by {signal.Signals(-code).name}" if code and code < 0 else "died"
        message = f"worker process {worker.number} (pid {worker.process.pid}) {how}"
        raise WorkerFailed(message) from None
    if kind == "failed":
        raise payload
    if kind == "bug":
        raise RuntimeError(f"a bug in a worker of aibench:\n{payload}")
    outcomes: list[Outcome] = payload
    return outcomes


def run_pool(
    job: Job,
    prepare: Prepare,
    report: Report,
    patience_ns: int,
    *,
    parents: bool = False,
    beside: Sequence[tuple[Job, Prepare]] = (),
    world: World | None = None,
) -> tuple[int, list[Outcome]]:
    """(common start, outcomes of all threads of control here); no worker is left when it returns.

    ``parents`` may have child processes of their own, which have to die with them. Who does one of
    the jobs ``beside`` starts together with the others, has slots after theirs, is not reported.
    Of a ``world`` of many ranks this one has its part of the slots, which all start together.
    `TargetFailed` or `WorkerFailed` when any of them fails; any exception kills them all.
    """
    world = world or Alone("")
    crews = crews_of([(job, prepare), *beside], world)
    shared = _Shared(sum(crew.size for crew in crews))
    workers: list[_Worker] = []
    coupling = Coupling(commons_of(crews, world), world)
    patience = Patience(patience_ns, writes=job.phase.operation in WRITES)

    def look(is_over: bool) -> None:
        """See whether anything moves, and tell how far it has come."""
        waits_for_others = is_over or coupling.is_held
        patience.note(*shared.totals(), time.monotonic_ns() if waits_for_others else 0)
        if patience.is_over():
            raise WorkerFailed(
                f"no operation ended within {patience.limit_s:g} s: the target hangs, or its "
                "server is gone"
            )
        if shared.cells[0]:
            report(*shared.totals(crews[0].size))

    try:
        for crew in crews:
            _fork(crew, shared, workers, parents=parents)
        outcomes = _watch(workers, shared, coupling, world, look)
        return shared.cells[0], sorted(outcomes, key=lambda outcome: outcome.slot)
    finally:
        _end(workers)
        coupling.close()


def _watch(
    workers: Sequence[_Worker],
    shared: _Shared,
    coupling: Coupling,
    world: World,
    look: Callable[[bool], None],
) -> list[Outcome]:
    """Have all start, and take what they answer until nobody is left and no rank waits for us.

    ``look`` is called now and then, with whether all workers of this rank have ended.
    """
    waiting: dict[object, _Worker] = {worker.pipe: worker for worker in workers}
    outcomes: list[Outcome] = []
    started, looked = False, 0.0
    while waiting or not started or coupling.is_needed:
        sources = coupling.sources if started else ()
        pipes = [worker.pipe for worker in waiting.values()]
        for ready in wait([*pipes, *sources], timeout=_POLL_S if started else 0.001):
            if ready in waiting:
                outcomes += _answer(waiting.pop(ready))
        if not started and shared.all_ready():
            shared.start(coupling.begin(world.meet()))
            started = True
        now = time.monotonic()
        if not sources or not waiting or now > looked + _POLL_S:
            looked = now
            look(not waiting)
        if started:
            coupling.turn(is_over=not waiting)
    return coupling.complete(outcomes)


def _end(workers: Sequence[_Worker]) -> None:
    """Kill what still runs and reap it; a process stuck in the kernel is left to the kernel."""
    for worker in workers:
        if worker.process.is_alive():
            worker.process.kill()
    deadline = time.monotonic() + _GRACE_S
    for worker in workers:
        worker.process.join(max(deadline - time.monotonic(), 0.01))
        worker.pipe.close()
