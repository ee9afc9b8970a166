"""Accelerators of many ranks end their steps together, to the nanosecond, as those of one do."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aibench.calls import Calls
from aibench.engines.null import NullEngine, Pace, _instant_calls
from aibench.engines.pooled import measure
from aibench.errors import RankFailed
from aibench.model import Accelerators, Measurement, Phase, Sizes, Training
from aibench.training import goodput, utilisation, utilisation_without_barrier
from aibench.workers.part import accelerators_of
from aibench.world import Place
from tests.engines.by_hand import site
from tests.ranks import Piped, together
from tests.workers.loops.test_evaluate import evaluating, evaluation
from tests.workers.loops.test_feed import fed
from tests.workers.loops.test_periodic import saving, training

SECOND = 10**9


def uneven(files: int = 60, **changes: Any) -> Phase:
    """Accelerators whose batches take from one to five seconds."""
    listed = tuple((1, 1 + k * 7 % 5) for k in range(files))
    return fed(files, sizes=Sizes(distribution="listed", mean=2, listed=listed), **changes)


def measured(
    hosts: tuple[str, ...], phase: Phase, pace: Callable[[int], Pace] = lambda _: Pace(bandwidth=1)
) -> Measurement:
    """What the null engine measures on ranks of these hosts, each at a pace of its own."""

    def work(world: Piped) -> Measurement:
        here = replace(site(), world=world, host=world.place.host)
        return NullEngine(pace(world.place.rank)).run(phase, here, lambda *_: None)

    return together(hosts, work)[0]


def trained(found: Measurement) -> Training:
    """What accelerators did, wherever they were, but not how many of them were logged together."""
    assert found.training is not None
    each = tuple(replace(one, host="") for one in found.training.accelerators)
    return replace(found.training, accelerators=each)


def same(one: Measurement, other: Measurement, *, bounded: bool) -> None:
    """All that accelerators did is the same, and everything else that can be.

    Where time is the bound, loaders may read on until they hear that it is over.
    """
    assert trained(one) == trained(other)
    if bounded:
        return
    assert one.histograms == other.histograms
    assert one.timers == other.timers
    assert (one.elapsed_ns, one.operations, one.bytes) == (
        other.elapsed_ns, other.operations, other.bytes,
    )  # fmt: skip


PHASES = {
    "uneven": uneven(count=4, prefetch=1),
    "loaders": uneven(count=3, loaders=2, prefetch=2, compute_ns=3 * SECOND),
    "drawn": uneven(count=4, distribution="lognormal", sigma=0.5),
    "alone": uneven(count=4, barrier=False),
    "one": uneven(20, count=1),
    "epochs": uneven(24, count=4, epochs=3),
    "anew": uneven(24, count=4, epochs=3, persistent=False),
    "time": replace(uneven(count=4), runtime_ns=40 * SECOND),
    "saving": replace(training(saved=saving(3, 4), count=4), processes=4, threads=1),
    "snapshots": training(saved=saving(3, 3, writes=7, snapshot=True), count=2),
    "evaluating": evaluating(5, evaluation(6, loaders=2), saved=saving(3, 3)),
}


@pytest.mark.parametrize("name", PHASES)
def test_ranks_do_what_one_does(name: str) -> None:
    """However accelerators are spread over ranks, steps, stalls and stops are those of one rank.

    With more ranks than accelerators some have only those that save checkpoints, or nothing.
    """
    phase = PHASES[name]

    def pace(_rank: int) -> Pace:
        return Pace(latency_ns={"write": SECOND, "fsync": SECOND // 4}, bandwidth=1000)

    paces = {} if phase.saving is None else {"pace": pace}
    one = measured(("a",), phase, **paces)
    for hosts in (("a", "b"), ("a", "b", "b", "a", "c")):
        same(measured(hosts, phase, **paces), one, bounded=phase.runtime_ns > 0)


@pytest.mark.parametrize("prefetch", [1, 3])
def test_the_slower_rank_sets_the_pace(prefetch: int) -> None:
    """One rank's batches take 1 s, another's 4 s, computing 2 s: a step takes 4 s on both.

    A batch is ready every 4 s on the slower rank, which computes until 2 s later; the faster one
    has computed 2 s after each step began, and waits for 2 s. With one batch ahead, too: the slower
    one begins with the next batch when one is taken. Alone, the faster rank would always compute,
    the slower one half the time.
    """
    phase = fed(40, count=4, prefetch=prefetch, compute_ns=2 * SECOND)
    reads = {0: SECOND, 1: 4 * SECOND}
    found = measured(("a", "b"), phase, lambda rank: Pace(latency_ns={"read": reads[rank]}))
    did = trained(found)
    for one in did.accelerators:
        slow = one.number >= 2
        assert (one.first_batch_ns, one.first_step_ns) == (
            (4 if slow else 1) * SECOND, 6 * SECOND,
        )  # fmt: skip
        assert (one.steps, one.end_ns) == (10, (6 + 9 * 4) * SECOND)
        assert (one.compute_ns, one.stall_ns) == (9 * 2 * SECOND, 9 * 2 * SECOND)
        assert (one.wait_ns, one.barrier_ns) == (
            (9 * 2 * SECOND, 0) if slow else (0, 9 * 2 * SECOND)
        )
    assert utilisation(did) == 0.5
    assert utilisation_without_barrier(did) == pytest.approx((1 + 0.5) / 2)
    assert found.elapsed_ns == 42 * SECOND
    assert found.histograms["barrier"].count == found.histograms["wait"].count == 4 * 9


def test_all_wait_for_the_slowest_checkpoint() -> None:
    """Ranks of a checkpoint that write in 3 and 6 s, on two hosts, stop all accelerators for 6 s.

    So it is where all accelerators are on the other rank, and the last one to write on this one.
    """
    for count in (4, 1):
        phase = training(saved=saving(3, 4), count=count)
        phase = replace(phase, processes=count, threads=1)
        writes = {0: SECOND, 1: 2 * SECOND}

        def pace(rank: int, writes: dict[int, int] = writes) -> Pace:
            return Pace(latency_ns={"read": 1, "write": writes[rank], "fsync": SECOND // 4})

        did = trained(measured(("a", "b"), phase, pace))
        assert [one.checkpoint_ns for one in did.accelerators] == [3 * 6 * SECOND] * count
        assert goodput(did) == pytest.approx(19 / (19 + 3 * 6))
        for saved in did.checkpoints:
            assert saved.released_ns == saved.asked_ns + 6 * SECOND
            assert saved.ended_ns == saved.asked_ns + 6 * SECOND + SECOND // 2
        assert did.while_saving is not None
        assert did.while_saving.steps == 3 * count


def test_a_rank_whose_loaders_leave_ends_it_for_all() -> None:
    """When time is over on one rank, no accelerator anywhere makes another step, and all end."""
    phase = replace(fed(400, count=4, prefetch=1), runtime_ns=20 * SECOND)
    reads = {0: SECOND // 2, 1: 3 * SECOND}
    found = measured(("a", "b"), phase, lambda rank: Pace(latency_ns={"read": reads[rank]}))
    assert {one.steps for one in trained(found).accelerators} == {6}
    assert {one.end_ns for one in trained(found).accelerators} == {(3 * 6 + 1) * SECOND}


def test_a_rank_that_dies_at_the_barrier_ends_it() -> None:
    """Who waits at the barrier for a rank that was killed ends with an error that names it."""
    phase = replace(fed(4000, count=2, compute_ns=2_000_000), runtime_ns=60 * SECOND)

    def work(world: Piped) -> Measurement:
        def report(done: int, _bytes: int) -> None:
            if done > 20 and world.place.rank:
                os.kill(os.getpid(), signal.SIGKILL)

        return NullEngine().run(phase, replace(site(), world=world), report)

    with pytest.raises(RankFailed, match="rank 1: it died"):
        together(("a", "b"), work)


def test_real_clocks_agree() -> None:
    """In real time, too, all accelerators of all ranks end at one time, and lose no time twice."""
    phase = fed(240, count=4, compute_ns=3_000_000)
    phase = replace(phase, accelerators=replace(asked_of(phase), decode_ns=100_000))
    did = trained(measured(("a", "b"), phase, lambda _: Pace()))
    ends = {one.end_ns for one in did.accelerators}
    assert len(ends) == 1
    assert {one.steps for one in did.accelerators} == {60}
    assert all(one.end_ns >= 60 * 3_000_000 for one in did.accelerators)


def asked_of(phase: Phase) -> Accelerators:
    """Its accelerators."""
    assert phase.accelerators is not None
    return phase.accelerators


def _by_hand(phase: Phase, reads: list[int]) -> list[tuple[int, ...]]:
    """(wait, computing, barrier, stall, end) of each accelerator, batches of which take ``reads``.

    A loader begins with a batch when it has the one before, and when the one ``prefetch`` of its
    own before that was taken.
    """
    asked, steps = asked_of(phase), phase.population.files // asked_of(phase).count
    ahead, free = asked.loaders * asked.prefetch, 0
    ready = [[0] * steps for _ in reads]
    began = [[0] * steps for _ in reads]
    sums = [[0, 0, 0, 0, 0] for _ in reads]
    for k in range(steps):
        for number, read in enumerate(reads):
            before = ready[number][k - asked.loaders] if k >= asked.loaders else 0
            taken = began[number][k - ahead] if k >= ahead else 0
            ready[number][k] = max(before, taken) + read
            began[number][k] = max(ready[number][k], free)
        end = max(each[k] for each in began) + asked.compute_ns
        for number in range(len(reads)) if k else ():
            compute, late = asked.compute_ns, began[number][k] - free
            parts = (late, compute, end - free - late - compute, end - free - compute, 0)
            sums[number] = [a + b for a, b in zip(sums[number], parts, strict=True)]
        free = end
    return [(*each[:4], free) for each in sums]


@pytest.mark.parametrize("seed", range(4))
def test_any_paces_of_ranks_give_the_steps_by_hand(seed: int) -> None:
    """Ranks at random paces, accelerators and loaders: all parts of all steps are those by hand."""
    draw = random.Random(seed)
    count, loaders = draw.randint(2, 6), draw.randint(1, 3)
    hosts = tuple(draw.choice("ab") for _ in range(draw.randint(2, 4)))
    phase = fed(
        12 * count, count=count, loaders=loaders, prefetch=draw.randint(1, 3),
        compute_ns=draw.randint(1, 9) * SECOND,
    )  # fmt: skip
    paces = [draw.randint(1, 20) * SECOND for _ in hosts]
    places = [Place(rank=rank, hosts=hosts) for rank in range(len(hosts))]
    reads = [0] * count
    for place in places:
        for number in accelerators_of(phase, place):
            reads[number] = paces[place.rank]
    found = measured(hosts, phase, lambda rank: Pace(latency_ns={"read": paces[rank]}))
    assert [
        (one.wait_ns, one.compute_ns, one.barrier_ns, one.stall_ns, one.end_ns)
        for one in trained(found).accelerators
    ] == _by_hand(phase, reads)


def test_the_rank_whose_target_hangs_is_the_one_that_fails() -> None:
    """Where reads of one rank hang, it is named: the others wait for it and have patience."""
    phase = fed(400, count=2, compute_ns=SECOND // 1000)

    def hanging() -> Calls:
        return replace(_instant_calls(phase.population), open=lambda *_, **__: time.sleep(600))

    def work(world: Piped) -> Measurement:
        here = replace(site(), world=world, patience_ns=2 * SECOND)
        if world.place.rank == 0:
            return NullEngine().run(phase, here, lambda *_: None)
        here = replace(here, patience_ns=3 * SECOND)
        return measure(phase, here, lambda *_: None, hanging, directory="/")

    with pytest.raises(RankFailed, match="rank 1: no operation ended within 3 s"):
        together(("a", "b"), work)
