"""Steps of emulated accelerators are those that one computes by hand from when batches came."""

import math
import threading
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from scipy import stats

from aibench.model import Accelerators
from aibench.workers.cells import Present
from aibench.workers.conductor import Conductor, Seat
from aibench.workers.steps import compute_time, compute_times

FOREVER = 2**63 - 1


def asked(**changes: Any) -> Accelerators:
    """One accelerator that computes for 10 ns, with one loader and one batch ahead."""
    parts: dict[str, Any] = {"count": 1, "loaders": 1, "prefetch": 1, "compute_ns": 10}
    return Accelerators(**parts | changes)


def seated(wanted: Accelerators, steps: int = 1000, start: int = 1) -> tuple[Conductor, list[Seat]]:
    """A timeline that begins at ``start``, and all its loaders."""
    conductor = Conductor(wanted, 1, unending=False, steps=steps)
    seats = [conductor.seat(number) for number in range(wanted.seats)]
    for seat in seats:
        seat.begin(start, FOREVER)
    return conductor, seats


def permits(conductor: Conductor) -> list[int]:
    """How many batches each loader may begin with beyond those it has ahead at first."""
    return [admission.get_value() for admission in conductor.admissions]


def test_one_accelerator_takes_what_is_there() -> None:
    """A step begins when its batch is there and the one before has ended."""
    conductor, (seat,) = seated(asked())
    for ready, size in ((101, 7), (105, 8), (131, 9)):
        seat.bring(ready, size)
    (found,) = conductor.results("here", 1)
    assert (found.steps, found.bytes) == (3, 24)
    assert (found.first_batch_ns, found.first_step_ns, found.end_ns) == (100, 110, 140)
    assert (found.wait_ns, found.compute_ns, found.barrier_ns, found.stall_ns) == (10, 20, 0, 10)


def test_a_barrier_lets_all_wait_for_the_last() -> None:
    """With a barrier each step ends with its slowest; without, everyone goes on alone."""
    times = [(0, 11), (1, 31), (0, 21), (1, 61)]  # (accelerator, when its next batch is there)
    conductor, seats = seated(asked(count=2))
    for accelerator, ready in times:
        seats[accelerator].bring(ready, 1)
    first, second = conductor.results("here", 1)
    assert (first.first_step_ns, first.end_ns) == (second.first_step_ns, second.end_ns) == (40, 70)
    assert (first.wait_ns, first.compute_ns, first.barrier_ns) == (0, 10, 20)
    assert (second.wait_ns, second.compute_ns, second.barrier_ns) == (20, 10, 0)
    assert first.stall_ns == second.stall_ns == 20
    conductor, seats = seated(asked(count=2, barrier=False))
    for accelerator, ready in times:
        seats[accelerator].bring(ready, 1)
    first, second = conductor.results("here", 1)
    assert (first.first_step_ns, first.end_ns, first.wait_ns, first.stall_ns) == (20, 30, 0, 0)
    assert (second.first_step_ns, second.end_ns, second.wait_ns) == (40, 70, 20)


def test_loaders_wait_when_their_queue_is_full() -> None:
    """A loader has at most so many batches ahead, whatever becomes of the other loaders."""
    conductor, (first, second) = seated(asked(loaders=2, prefetch=3))
    for ready in (5, 6, 7):
        second.bring(ready, 1)  # its queue is full, and nothing is taken before the first batch
    assert permits(conductor) == [0, 0]
    first.bring(20, 1)  # taken, and then the one of the other loader
    assert permits(conductor) == [1, 1]
    waited: list[int] = []
    assert second.admitted(waited.append)
    assert waited == [30]  # when the accelerator took it, after its first step
    assert permits(conductor) == [1, 0]


def test_nothing_is_wanted_after_the_last_step() -> None:
    """When all steps are made, loaders are done, at the time at which the accelerator is."""
    conductor, (seat,) = seated(asked(), steps=2)
    seat.bring(5, 1)
    assert seat.admitted(lambda _until: None)
    seat.bring(6, 1)
    assert not seat.admitted(lambda _until: None)
    waited: list[int] = []
    assert seat.leave(waited.append, 6) == 25
    assert waited == [25]
    assert conductor.results("here", 1)[0].steps == 2


def test_who_leaves_early_ends_it_for_all() -> None:
    """When a loader leaves whose batch is needed next, the others are told that it is over."""
    conductor, (first, second) = seated(asked(loaders=2, prefetch=1))
    second.bring(5, 1)
    first.leave(lambda _until: None, 7)
    assert not second.admitted(lambda _until: None)
    (found,) = conductor.results("here", 1)
    assert (found.steps, found.end_ns) == (0, 0)


def test_everyone_waits_for_the_last_rank_that_writes() -> None:
    """Who is done with its steps waits for all ranks, however many have heard of the first one."""
    conductor = Conductor(
        asked(count=4), 1, unending=False, steps=1, checkpoints=1,
        present=Present(accelerators=range(4), ranks=(0, 1, 2)),
    )  # fmt: skip
    waiting = [threading.Thread(target=conductor.await_ranks, daemon=True) for _ in range(7)]
    for each in waiting:
        each.start()
    for _ in range(2):
        conductor.end_rank()
        waiting[0].join(0.1)
        assert all(each.is_alive() for each in waiting)
    conductor.end_rank()
    for each in waiting:
        each.join(10)
        assert not each.is_alive()


def test_compute_times_are_drawn() -> None:
    """Drawn times have the wanted mean, are the same for the same seed, and differ elsewhere."""
    wanted = asked(compute_ns=10**6, sigma=0.5)
    drawn = compute_time(wanted, 1)
    times = [drawn(accelerator, step) for accelerator in range(20) for step in range(1000)]
    assert sum(times) / len(times) == pytest.approx(10**6, rel=0.02)
    assert len(set(times)) > 4000  # of 4096 that are equally likely
    assert drawn(3, 4) == compute_time(wanted, 1)(3, 4) != compute_time(wanted, 2)(3, 4)
    assert compute_time(asked(), 1)(3, 4) == 10
    assert compute_time(asked(distribution="fixed", sigma=0.5), 1)(3, 4) == 10


@pytest.mark.parametrize(
    ("distribution", "sigma", "law"),
    [
        ("lognormal", 0.3, stats.lognorm(s=0.3, scale=math.exp(-0.045))),
        ("normal", 0.2, stats.norm(1, 0.2)),
        ("normal", 0.8, stats.truncnorm(-1.25, 1.25, 1, 0.8)),
        ("gamma", 0.5, stats.gamma(4, scale=0.25)),
        ("gamma", 1.0, stats.expon()),
    ],
)
def test_compute_times_have_the_distribution(distribution: str, sigma: float, law: Any) -> None:
    """Four thousand times can't be told from the distribution that was asked for."""
    wanted = asked(compute_ns=10**9, distribution=distribution, sigma=sigma)
    assert sum(compute_times(wanted)) / 4096 == pytest.approx(10**9, rel=1e-9)
    drawn = compute_time(wanted, 7)
    times = [drawn(accelerator, step) / 1e9 for accelerator in range(4) for step in range(1000)]
    assert min(times) >= 0
    assert stats.kstest(times, law.cdf).pvalue > 0.01


def test_compute_times_of_a_list() -> None:
    """Each time of a list is as likely as the others, and no other comes."""
    wanted = asked(compute_ns=20, distribution="listed", listed=(10, 20, 30))
    drawn = compute_time(wanted, 3)
    times = Counter(drawn(0, step) for step in range(9000))
    assert set(times) == {10, 20, 30}
    assert stats.chisquare(list(times.values())).pvalue > 0.01
    with pytest.raises(ValueError, match="belongs to the distribution 'listed'"):
        asked(listed=(1, 2))


def test_memory_does_not_grow_with_steps() -> None:
    """Twenty thousand more steps take no more memory than the first five thousand."""
    _, (seat,) = seated(asked(), steps=FOREVER)

    def peak(steps: int, start: int) -> int:
        tracemalloc.reset_peak()
        for step in range(start, start + steps):
            seat.bring(step * 20, 100)
            seat.admitted(lambda _until: None)
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        early = peak(5_000, 1)
        late = peak(20_000, 5_001)
    finally:
        tracemalloc.stop()
    assert late < early + 20_000
