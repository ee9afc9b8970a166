"""Emulated accelerators in virtual time: utilisation and stalls are those of the closed forms."""

import os
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.calls import Calls, real_calls
from aibench.engines.null import NullEngine, Pace
from aibench.engines.pooled import measure
from aibench.formats.draws import Sizes64
from aibench.formats.order import Permutation
from aibench.metrics import metrics
from aibench.model import (
    Accelerated,
    Accelerators,
    Measurement,
    Order,
    Phase,
    Sizes,
    Training,
)
from aibench.training import stalled, utilisation
from aibench.workers.job import Job
from aibench.workers.loops.feed import _Source, conductor_of, steps_asked, steps_of_epoch
from aibench.workers.share import key
from aibench.world import Place
from tests import build
from tests.engines.by_hand import site
from tests.engines.files import site as files_site
from tests.engines.files import write

SECOND = 10**9
ONE_READ = {"read": SECOND}


def fed(files: int = 60, **changes: Any) -> Phase:
    """Accelerators that take one file a step, in the order of the files."""
    asked: dict[str, Any] = {"count": 1, "loaders": 1, "prefetch": 2, "compute_ns": SECOND}
    names = Accelerators.__dataclass_fields__
    asked |= {name: changes.pop(name) for name in list(changes) if name in names}
    accelerators = Accelerators(**asked)
    sizes = changes.pop("sizes", Sizes(distribution="fixed", mean=1000))
    processes = changes.pop("processes", accelerators.seats)
    parts: dict[str, Any] = {
        "population": build.population(files=files, sizes=sizes), "reader": "lean",
        "order": Order.SEQUENTIAL, "batch": 1, "accelerators": accelerators,
        "processes": processes, "threads": accelerators.seats // processes,
    }  # fmt: skip
    return build.phase(**parts | changes)


def measured(phase: Phase, latency: dict[str, int] | None = None, **pace: Any) -> Measurement:
    """What the null engine measures at the given pace."""
    return NullEngine(Pace(latency_ns=latency or {}, **pace)).run(phase, site(), lambda *_: None)


def training(found: Measurement) -> Training:
    """What its accelerators did."""
    assert found.training is not None
    return found.training


def mean(found: Measurement) -> float:
    """Its utilisation."""
    value = utilisation(training(found))
    assert value is not None
    return value


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("loaders", [1, 3])
@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.9, 1.0, 1.7])
def test_utilisation_is_supply_over_demand(count: int, loaders: int, ratio: float) -> None:
    """Loaders that bring ``ratio`` of what accelerators take keep them busy for min(1, ratio).

    Loaders read at once, so that their batches come in bursts: of 60 steps the last burst ends
    20 s × ``loaders`` after the start, and the last of its steps is computed then.
    """
    compute = int(ratio * SECOND / loaders)
    bursts = 60 // loaders
    phase = fed(60 * count, count=count, loaders=loaders, compute_ns=compute, processes=1)
    found = measured(phase, ONE_READ)
    steps = 60 * compute
    whole = max(bursts * SECOND + loaders * compute, SECOND + steps) - SECOND - compute
    assert mean(found) == pytest.approx((steps - compute) / whole, rel=1e-12)
    assert mean(found) == pytest.approx(min(1, ratio), abs=0.02)
    assert stalled(training(found)) == pytest.approx(1 - mean(found), abs=1e-12)
    assert found.operations == 60 * count
    assert found.bytes == sum(each.bytes for each in training(found).accelerators) == 60_000 * count


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("ratio", [0.3, 0.8, 1.2])
def test_bandwidth_over_demand(count: int, ratio: float) -> None:
    """Where accelerators share a bandwidth, utilisation is min(1, BW / (n × D))."""
    each = 200_000  # bytes per second of each loader, as shares of BW
    bandwidth, batch = each * count, 4
    compute = int(ratio * batch * 1000 / each * SECOND)
    demand = batch * 1000 * SECOND / compute
    phase = fed(400 * count, count=count, compute_ns=compute, batch=batch, processes=1)
    found = measured(phase, bandwidth=each)
    assert mean(found) == pytest.approx(min(1, bandwidth / (count * demand)), abs=0.01)


def test_a_step_by_hand_with_a_barrier() -> None:
    """Batches of 1 s and of 3 s, computed in 1 s, for two accelerators that end steps together.

    The second has its batches at 3, 6, 9 and 12 s, as it reads on when one is taken. All steps end
    a second after that. The first waits at the barrier for 2 s of each.
    """
    sizes = Sizes(distribution="listed", mean=2, listed=((1, 1), (1, 3)) * 4)
    phase = fed(8, count=2, prefetch=1, sizes=sizes)
    first, second = training(measured(phase, bandwidth=1)).accelerators
    nine = 9 * SECOND
    assert (first.first_batch_ns, first.first_step_ns, first.end_ns) == (
        SECOND, 4 * SECOND, 13 * SECOND,
    )  # fmt: skip
    assert (first.wait_ns, first.compute_ns, first.barrier_ns) == (0, nine // 3, nine * 2 // 3)
    assert (second.first_batch_ns, second.end_ns) == (3 * SECOND, 13 * SECOND)
    assert (second.wait_ns, second.compute_ns, second.barrier_ns) == (nine * 2 // 3, nine // 3, 0)
    assert first.stall_ns == second.stall_ns == nine * 2 // 3
    alone = training(measured(fed(8, count=2, prefetch=1, sizes=sizes, barrier=False), bandwidth=1))
    assert [each.wait_ns for each in alone.accelerators] == [0, nine * 2 // 3]
    assert [each.end_ns for each in alone.accelerators] == [5 * SECOND, 13 * SECOND]


def test_prefetch_by_hand() -> None:
    """Batches of 3 s and 1 s in turn, computed in 2 s: two ahead are enough, and one is not.

    With one ahead, a loader begins with batch k+1 when batch k is taken: those of 3 s come 1 s too
    late, three times. With two ahead it never has to wait.
    """
    sizes = Sizes(distribution="listed", mean=2, listed=((1, 3), (1, 1)) * 4)
    one, two = (
        training(measured(fed(8, prefetch=ahead, sizes=sizes, compute_ns=2 * SECOND), bandwidth=1))
        for ahead in (1, 2)
    )
    assert [one.accelerators[0].wait_ns, two.accelerators[0].wait_ns] == [3 * SECOND, 0]
    assert [one.accelerators[0].end_ns, two.accelerators[0].end_ns] == [22 * SECOND, 19 * SECOND]


def test_decoding_takes_time_of_the_loaders() -> None:
    """What a loader spends on a sample delays its batch, and is not the storage's latency."""
    found = measured(fed(20, decode_ns=SECOND // 2, compute_ns=1), {"read": SECOND})
    assert training(found).accelerators[0].end_ns == 20 * SECOND * 3 // 2 + 1
    assert found.histograms["whole"].max_ns == SECOND


def recurrence(
    asked: Accelerators, reads: list[list[int]]
) -> tuple[list[tuple[int, int, int]], list[int]]:
    """((wait, compute, barrier) of each accelerator, their ends) from the times of all reads."""
    steps, ahead = len(reads[0]), asked.prefetch * asked.loaders
    ready: list[list[int]] = [[] for _ in reads]
    taken: list[list[int]] = [[] for _ in reads]
    free = [0] * asked.count
    sums = [[0, 0, 0] for _ in reads]
    for k in range(steps):
        ends = []
        for a in range(asked.count):
            begin = max(
                ready[a][k - asked.loaders] if k >= asked.loaders else 0,
                taken[a][k - ahead] if k >= ahead else 0,
            )
            ready[a].append(begin + reads[a][k])
            taken[a].append(max(ready[a][k], free[a]))
            ends.append(taken[a][k] + asked.compute_ns)
        for a in range(asked.count):
            over = max(ends) if asked.barrier else ends[a]
            parts = (taken[a][k] - free[a], asked.compute_ns, over - ends[a])
            free[a] = over
            if k:
                sums[a] = [one + more for one, more in zip(sums[a], parts, strict=True)]
    return [(wait, compute, barrier) for wait, compute, barrier in sums], free


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, 3), loaders=st.integers(1, 3), prefetch=st.integers(1, 3),
    barrier=st.booleans(), compute=st.integers(0, 30), data=st.data(),
)  # fmt: skip
def test_any_timeline(
    count: int, loaders: int, prefetch: int, barrier: bool, compute: int, data: st.DataObject
) -> None:
    """Whatever reads take, every accelerator waits, computes and stands as the recurrence says."""
    steps = data.draw(st.integers(1, 9))
    sizes = data.draw(st.lists(st.integers(1, 50), min_size=steps * count, max_size=steps * count))
    listed = Sizes(distribution="listed", mean=max(sizes), largest=max(sizes),
                   listed=tuple((1, size) for size in sizes))  # fmt: skip
    phase = fed(len(sizes), count=count, loaders=loaders, prefetch=prefetch, barrier=barrier,
                compute_ns=compute, sizes=listed, processes=1)  # fmt: skip
    assert phase.accelerators is not None
    found = training(measured(phase, bandwidth=SECOND)).accelerators
    reads = [[sizes[k * count + a] for k in range(steps)] for a in range(count)]
    parts, ends = recurrence(phase.accelerators, reads)
    assert [(one.wait_ns, one.compute_ns, one.barrier_ns) for one in found] == parts
    assert [one.end_ns for one in found] == ends


class _Noting:
    """A reader that reads nothing and notes the numbers of its samples."""

    def __init__(self) -> None:
        self.file = 0
        self.numbers: list[int] = []

    def samples(self, chunks: Iterator[Sizes64]) -> Generator[int]:
        """The numbers of all chunks."""
        for chunk in chunks:
            for number in chunk.tolist():
                self.numbers.append(number)
                yield 1


def noted(phase: Phase, batches: int) -> list[list[int]]:
    """The samples in the first batches of each loader."""
    conductor = conductor_of(phase, 1, Place(rank=0, hosts=("here",)))
    assert conductor is not None
    found = []
    for slot in range(phase.slots):
        reader = _Noting()
        job = Job(phase=phase, directory="/", seed=1, calls=lambda: None)  # type: ignore[arg-type, return-value]
        source = _Source(job, reader, conductor.seat(slot), lambda _until: None)
        for _, (batch, _) in zip(range(batches), source.batches(), strict=False):
            list(batch)
        found.append(reader.numbers)
    return found


def test_batches_are_those_of_a_distributed_sampler() -> None:
    """Batch k of accelerator a is batch k·n + a of the epoch's order, loaders taking turns."""
    phase = fed(103, count=2, loaders=3, batch=4, order=Order.SHUFFLED, processes=2)
    asked = phase.accelerators
    assert asked is not None
    assert steps_asked(phase, asked) == steps_of_epoch(phase, asked) == 12
    order = Permutation(103, key(1, 0x6F726465)).at(np.arange(103)).tolist()
    for slot, numbers in enumerate(noted(phase, 99)):
        accelerator, loader = slot % 2, slot // 2
        mine = [k * 2 + accelerator for k in range(loader, 12, 3)]
        assert numbers == [n for batch in mine for n in order[4 * batch : 4 * batch + 4]]


def test_epochs_follow_one_another_where_time_is_the_bound() -> None:
    """Each epoch has an order of its own, and no loader misses its turn between two."""
    phase = fed(70, count=2, loaders=3, batch=4, order=Order.SHUFFLED, processes=2,
                runtime_ns=SECOND)  # fmt: skip
    steps = 8  # of 70 samples, 64 fill a step of both
    found = noted(phase, 2 * steps)
    for epoch in range(2):
        seen: list[int] = []
        for slot, numbers in enumerate(found):
            batches = [numbers[n : n + 4] for n in range(0, len(numbers), 4)]
            turns = range(slot // 2, 10**6, 3)
            seen += [n for k, batch in zip(turns, batches, strict=False)
                     if k // steps == epoch for n in batch]  # fmt: skip
        assert len(seen) == len(set(seen)) == 64


def test_shards_are_streamed_by_the_loaders() -> None:
    """Where files are streamed, each loader makes batches of its own files, all as many."""
    shards = build.population(
        files=9, format="webdataset", samples_per_file=10,
        sizes=Sizes(distribution="fixed", mean=5000),
    )  # fmt: skip
    phase = replace(fed(9, count=2, loaders=2, batch=4, processes=2), population=shards,
                    reader="webdataset")  # fmt: skip
    assert phase.accelerators is not None
    assert steps_of_epoch(phase, phase.accelerators) == 2 * (2 * 10 // 4)
    found = measured(phase, {"read": 1000})
    assert [each.steps for each in training(found).accelerators] == [10, 10]
    assert found.operations == 2 * 10 * 4


def test_a_shuffle_buffer_is_filled_first() -> None:
    """With ten samples in a buffer the first batch comes after eleven, and the last ten at once.

    Reading takes 1 s a sample and is all done after 60 s; then eleven batches are computed in 0.5 s
    each. No byte is read twice, none is lost.
    """
    phase = fed(60, buffer=10, compute_ns=SECOND // 2)
    found = measured(phase, ONE_READ)
    (one,) = training(found).accelerators
    assert (one.steps, one.first_batch_ns, one.end_ns) == (
        60,
        11 * SECOND,
        65 * SECOND + SECOND // 2,
    )
    assert found.operations == 60
    assert found.bytes == one.bytes == 60_000
    assert found.histograms["whole"].max_ns == SECOND  # filling is no latency of a sample
    over = training(measured(fed(60, buffer=10**6), ONE_READ)).accelerators[0]
    assert (over.steps, over.first_batch_ns) == (60, 60 * SECOND)
    several = fed(90, buffer=6, loaders=3, batch=3, runtime_ns=200 * SECOND, processes=1)
    for each in training(measured(several, ONE_READ)).accelerators:
        assert each.first_batch_ns == 9 * SECOND  # two batches in the buffer of each, and one more


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("loaders", [1, 3])
def test_epochs_end_before_the_next_ones_begin(persistent: bool, loaders: int) -> None:
    """Nothing is read ahead over the end of an epoch: each has to wait for its first batch again.

    An epoch of ten samples, of 1 s to be read and 2 s to be computed, takes 1 s + 10 × 2 s.
    """
    phase = fed(10, epochs=3, persistent=persistent, loaders=loaders, compute_ns=2 * SECOND)
    found = measured(phase, ONE_READ)
    (one,) = training(found).accelerators
    assert (one.steps, one.end_ns) == (30, 3 * 21 * SECOND)
    assert one.wait_ns == 2 * SECOND
    assert (found.operations, found.bytes, one.bytes) == (30, 30_000, 30_000)
    assert found.histograms["epoch_first_batch"].count == 2
    assert found.histograms["epoch_first_batch"].total_ns == 2 * SECOND
    assert found.elapsed_ns == 63 * SECOND
    assert len(found.workers) == loaders
    few = training(
        measured(replace(phase, accelerators=replace(asked_of(phase), steps=14)), ONE_READ)
    )
    assert (few.accelerators[0].steps, few.accelerators[0].end_ns) == (14, (21 + 9) * SECOND)


def test_loaders_are_really_forked_anew(tmp_path: Path) -> None:
    """Who is not persistent is another process in each epoch; who is stays the same one."""
    for persistent, processes in ((True, 2), (False, 6)):
        phase = fed(8, epochs=3, persistent=persistent, loaders=2, compute_ns=1000)
        seen = tmp_path / str(persistent)

        def noting(seen: Path = seen) -> Calls:
            with seen.open("a") as file:
                file.write(f"{os.getpid()}\n")
            return real_calls()

        write(tmp_path, phase.population)
        found = measure(phase, files_site(tmp_path), lambda *_: None, noting)
        assert len(set(seen.read_text().split())) == processes
        assert (found.operations, found.bytes) == (24, 24_000)
        assert found.histograms["epoch_first_batch"].count == 2


def asked_of(phase: Phase) -> Accelerators:
    """The accelerators of a phase."""
    assert phase.accelerators is not None
    return phase.accelerators


def test_a_phase_bounded_in_time_ends() -> None:
    """No step begins when the time is over, and loaders stop; the last step is counted whole."""
    found = measured(fed(6, count=2, loaders=2, runtime_ns=30 * SECOND, processes=1), ONE_READ)
    for each in training(found).accelerators:
        assert (each.steps, each.end_ns) == (29, 30 * SECOND)
    starved = measured(fed(6, compute_ns=1, runtime_ns=30 * SECOND), ONE_READ)
    (one,) = training(starved).accelerators
    assert (one.steps, one.end_ns) == (29, 29 * SECOND + 1)
    few = measured(fed(60, steps=5, runtime_ns=30 * SECOND), ONE_READ)
    assert training(few).accelerators[0].steps == 5


def test_the_reported_figures() -> None:
    """Metrics say how busy accelerators were, and what they took."""
    phase = fed(60, loaders=2, compute_ns=SECOND // 4)
    found = measured(phase, ONE_READ)
    figures = {each.name: each for each in metrics(phase, build.sample(measurement=found))}
    assert figures["utilisation"].value == mean(found) == pytest.approx(0.5, abs=0.01)
    assert figures["stall_share"].value == pytest.approx(0.5, abs=0.01)
    assert figures["barrier_share"].value == 0
    assert found.elapsed_ns == 30 * SECOND + SECOND // 2
    assert figures["samples_per_second"].value == 60 / 30.5
    assert figures["nominal_bandwidth"].value == figures["read_bandwidth"].value == 60_000 / 30.5
    assert figures["first_batch_time"].value == SECOND
    assert "files_per_second" not in figures
    series = training(found).series
    assert series is not None
    assert sum(series.operations) == 59  # the first step is not among them
    assert set(found.histograms) == {"whole", "step", "wait"}


def test_a_single_step_has_no_utilisation() -> None:
    """The first step does not count, so that one step alone says nothing."""
    found = measured(fed(1), ONE_READ)
    assert utilisation(training(found)) is stalled(training(found)) is None


def test_what_an_accelerator_did_is_all_its_time() -> None:
    """A result whose parts don't make up its time is refused."""
    (found,) = training(measured(fed(5), ONE_READ)).accelerators
    with pytest.raises(ValueError, match="all the time"):
        Accelerated(**{name: getattr(found, name) for name in found.__dataclass_fields__
                       if name != "wait_ns"}, wait_ns=found.wait_ns + 1)  # fmt: skip
