"""Checkpoints that several ranks save are complete when the last rank has saved its part."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aibench.calls import Calls
from aibench.engines.null import NullEngine, Pace, _instant_calls
from aibench.engines.pooled import measure
from aibench.engines.posix import PosixEngine
from aibench.errors import RankFailed
from aibench.model import Measurement, Operation, Order, Phase, Resume, Sizes, SyncPolicy
from tests import build
from tests.engines import files as real
from tests.engines.by_hand import site
from tests.ranks import Piped, together

SECOND = 10**9


def saving(slots: int = 4, number: int = 3, **changes: Any) -> Phase:
    """Checkpoints of a mark and of one file of 12 KiB for each slot, synced."""
    each = slots + 1
    mark = Sizes(distribution="listed", mean=12_288, listed=((1, 64), (slots, 12_288)) * number)
    population = build.population(
        directory="scratch/saved", files=each * number, files_per_directory=each,
        persistent=False, sizes=mark,
    )  # fmt: skip
    parts: dict[str, Any] = {
        "operation": Operation.SAVE_SHARDS, "population": population, "processes": slots,
        "io_size": 4096, "sync": SyncPolicy.COMMIT, "checkpoints": number, "marked": True,
        "shares": (2, *[1] * (slots - 1)), "order": Order.SEQUENTIAL,
    }  # fmt: skip
    return build.phase(**parts | changes)


def test_a_checkpoint_is_complete_when_the_slowest_rank_is() -> None:
    """Ranks that write a call in 1, 2 and 3 s: the mark follows the slowest, by the nanosecond.

    Each checkpoint takes the slowest rank 3 x 3 s and the mark 1 s. The first checkpoint of another
    rank is blocked for as long as its own calls take.
    """
    phase = saving(6)

    def work(world: Piped) -> tuple[Measurement, int]:
        pace = Pace(latency_ns={"write": (world.place.rank + 1) * SECOND})
        here = replace(site(), world=world)
        return NullEngine(pace).run(phase, here, _unheard), world.sent

    (found, sent), *others = together(("a", "a", "b"), work)
    assert found.elapsed_ns == 3 * 10 * SECOND
    assert found.timers["committed"] == 10 * SECOND
    assert found.timers["blocked"] == 9 * SECOND
    ends = {worker.end_ns for worker in found.workers}
    assert ends == {30 * SECOND}  # who saves less waits for the mark of the last one
    assert sent == 3 * 2 * 2  # two arrivals at each, of the first and of all
    assert [number for _, number in others] == [3 * 2 + 1] * 2


def test_the_mark_is_written_last(tmp_path: Path) -> None:
    """Of real files, no mark is older than any file of its checkpoint, whichever rank wrote it."""
    phase = saving(3, 4, keep=2)
    (tmp_path / "scratch/saved").mkdir(parents=True)

    def work(world: Piped) -> Measurement:
        return PosixEngine().run(phase, replace(real.site(tmp_path), world=world), _unheard)

    found, _ = together(("a", "b"), work)
    assert found.operations == 4 * 4
    assert len(found.workers) == 3
    kept = sorted({path.parent for path in (tmp_path / "scratch/saved").rglob("f*")})
    assert [directory.name for directory in kept] == ["d000002", "d000003"]
    for directory in kept:
        mark, *shards = (path.stat().st_mtime_ns for path in sorted(directory.iterdir()))
        assert len(shards) == 3
        assert mark >= max(shards)


def test_who_has_no_slots_holds_nobody_up() -> None:
    """With more ranks than slots, and one rank alone with all of them, checkpoints are the same."""
    phase = saving(2)

    def work(world: Piped) -> Measurement:
        here = replace(site(), world=world)
        return NullEngine(Pace(latency_ns={"write": SECOND})).run(phase, here, _unheard)

    every = [together(hosts, work)[0] for hosts in (("a",), ("a", "b"), ("a", "b", "c", "c"))]
    assert {found.elapsed_ns for found in every} == {3 * 4 * SECOND}
    assert {found.timers["committed"] for found in every} == {4 * SECOND}


LOADING = replace(
    saving(4, 1, operation=Operation.LOAD_SHARDS, marked=False, shares=(), sync=SyncPolicy.NONE),
    reads=((0, 5), (0, 0), (0, 0), (0, 0)), resume=Resume(passes_on=True),
)  # fmt: skip


def test_all_wait_for_the_one_that_reads_for_them() -> None:
    """Where one rank reads a checkpoint for all, those of other ranks wait for it too."""

    def work(world: Piped) -> Measurement:
        here = replace(site(), world=world)
        return NullEngine(Pace(latency_ns={"open": SECOND})).run(LOADING, here, _unheard)

    found, _ = together(("a", "b"), work)
    assert {worker.end_ns for worker in found.workers} == {found.elapsed_ns}
    assert found.timers["broadcast"] == found.elapsed_ns == 5 * SECOND


def test_a_rank_that_dies_ends_the_wait() -> None:
    """Who waits for a rank that was killed ends with an error that names it, in bounded time."""
    phase = saving(4, 1)

    def work(world: Piped) -> Measurement:
        here = replace(site(), world=world)
        calls = {"write": 1}
        if world.place.rank == 0:
            return NullEngine(Pace(latency_ns=calls)).run(phase, here, _unheard)

        def die(*_: int) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        return NullEngine(Pace(latency_ns=calls)).run(phase, here, die)

    began = time.monotonic()
    with pytest.raises(RankFailed, match="rank 1: it died"):
        together(("a", "b"), work)
    assert time.monotonic() - began < 60


def test_waiting_for_others_is_no_hang() -> None:
    """A rank whose slots all wait for another rank does not take its own target for dead."""

    def slow_calls() -> Calls:
        return replace(_instant_calls(LOADING.population), open=lambda *_, **__: time.sleep(0.5))

    def work(world: Piped) -> Measurement:
        here = replace(site(), world=world)
        if world.place.rank:
            return NullEngine().run(LOADING, replace(here, patience_ns=SECOND), _unheard)
        return measure(LOADING, here, _unheard, slow_calls, directory=os.sep)

    found, _ = together(("a", "b"), work)
    assert found.timers["broadcast"] > 2 * SECOND


def _unheard(*_: int) -> None:
    """Nobody listens."""
