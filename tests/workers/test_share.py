"""Who reads what: every file once, whole batches, in an order that the seed decides."""

from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.model import Order, Phase
from aibench.workers.log import CAPACITY
from aibench.workers.share import (
    block_of,
    chunks_of,
    dealt,
    dealt_files,
    epoch_seed,
    part_of,
    rounds_of,
)
from tests import build

SLOTS = st.tuples(st.integers(1, 6), st.integers(1, 4))


def epoch(files: int, **changes: object) -> Phase:
    """One epoch over ``files`` files."""
    return build.phase(population=build.population(files=files), **changes)


def share(phase: Phase, slot: int, seed: int = 1) -> list[int]:
    """All that ``slot`` reads, in its order."""
    return [int(index) for chunk in dealt(phase, seed, slot) for index in chunk]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 20_000), st.integers(1, CAPACITY), SLOTS, st.sampled_from(Order),
    st.integers(0, 2**60),
)  # fmt: skip
def test_each_file_is_dealt_once(
    files: int, batch: int, slots: tuple[int, int], order: Order, seed: int
) -> None:
    """Over all workers and threads, an epoch has each file exactly once."""
    processes, threads = slots
    phase = epoch(files, batch=batch, processes=processes, threads=threads, order=order)
    indices = [i for slot in range(phase.slots) for i in share(phase, slot, seed)]
    assert sorted(indices) == list(range(files))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30_000), st.integers(1, CAPACITY), SLOTS)
def test_batches_stay_whole(files: int, batch: int, slots: tuple[int, int]) -> None:
    """Chunks fit the log and hold whole batches; only the last batch of an epoch is shorter."""
    processes, threads = slots
    phase = epoch(files, batch=batch, processes=processes, threads=threads)
    last = (-(-files // batch) - 1) % phase.slots
    for slot in range(phase.slots):
        chunks = list(dealt(phase, 1, slot))
        assert all(0 < len(chunk) <= CAPACITY for chunk in chunks)
        partial = [len(chunk) % batch for chunk in chunks]
        assert not any(partial[:-1])
        assert sum(partial) == (files % batch if slot == last else 0)


@given(st.integers(1, 500), st.integers(1, 40), SLOTS)
def test_batches_go_round(files: int, batch: int, slots: tuple[int, int]) -> None:
    """Batch b goes to worker b mod workers, as a data loader deals them."""
    processes, threads = slots
    phase = epoch(files, batch=batch, processes=processes, threads=threads, order=Order.SEQUENTIAL)
    for slot in range(phase.slots):
        assert all((index // batch) % phase.slots == slot for index in share(phase, slot))
        assert share(phase, slot) == sorted(share(phase, slot))


def test_the_seed_shuffles_anew() -> None:
    """Equal seeds give the equal epoch; each repeat and each epoch with its own gets another."""
    phase = epoch(2000, processes=1)
    assert share(phase, 0, seed=5) == share(phase, 0, seed=5)
    assert len({tuple(share(phase, 0, seed)) for seed in range(20)}) == 20


def test_batches_are_the_same_for_any_number_of_workers() -> None:
    """How many workers share an epoch doesn't change which files make a batch."""

    def batches(processes: int) -> set[tuple[int, ...]]:
        phase = epoch(1000, processes=processes, batch=8)
        found = set()
        for slot in range(processes):
            own = share(phase, slot)
            found |= {tuple(own[start : start + 8]) for start in range(0, len(own), 8)}
        return found

    assert batches(1) == batches(3) == batches(7)


def test_a_batch_larger_than_the_log_is_a_mistake() -> None:
    """A batch that the log can't hold is refused, not cut silently."""
    with pytest.raises(ValueError, match="batch of 4097"):
        next(dealt(epoch(10_000, batch=CAPACITY + 1), 1, 0))


@given(st.integers(0, 10**12), st.integers(1, 1000), st.integers(0, 5))
def test_blocks_partition_the_files(count: int, slots: int, shift: int) -> None:
    """Contiguous shares cover everything without overlap, as evenly as possible."""
    parts = sorted(
        (block_of(count, slots, slot, shift) for slot in range(slots)),
        key=lambda part: (part.start, part.stop),
    )
    assert parts[0].start == 0
    assert parts[-1].stop == count
    assert all(a.stop == b.start for a, b in pairwise(parts))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= 1


def test_a_shifted_share_is_another_ones() -> None:
    """With a shift of one, each worker gets what the next one wrote."""
    for slot in range(5):
        assert block_of(100, 5, slot, 1) == block_of(100, 5, (slot + 1) % 5)


@given(st.integers(0, 10**6), st.integers(0, 3 * CAPACITY))
def test_chunks_are_the_whole_share(start: int, length: int) -> None:
    """A share comes in chunks that fit the log, in order and complete."""
    chunks = list(chunks_of(range(start, start + length)))
    assert all(0 < len(chunk) <= CAPACITY for chunk in chunks)
    joined = np.concatenate([np.empty(0, dtype=np.int64), *chunks])
    assert np.array_equal(joined, np.arange(start, start + length))


@given(st.integers(0, 10**6), st.integers(1, 3 * CAPACITY))
def test_a_share_can_be_gone_over_again(start: int, length: int) -> None:
    """Bounded in time, a share comes over and over, without a gap between its end and its start."""
    rounds = np.concatenate(list(islice(rounds_of(range(start, start + length)), 5)))
    assert np.array_equal(rounds, start + np.arange(5 * CAPACITY) % length)
    assert list(rounds_of(range(start, start))) == []


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 12))
def test_given_shares_are_kept_and_shifted(shares: list[int], shift: int) -> None:
    """Each thread has as many files as it was given; a shift hands whole shares on."""
    files = build.population(files=sum(shares))
    phase = build.phase(population=files, processes=len(shares), shares=tuple(shares), shift=shift)
    parts = [part_of(phase, slot) for slot in range(len(shares))]
    assert sorted(index for part in parts for index in part) == list(range(sum(shares)))
    assert [len(part) for part in parts] == [
        shares[(slot + shift) % len(shares)] for slot in range(len(shares))
    ]


@settings(deadline=None)
@given(st.integers(1, 500), SLOTS, st.sampled_from(Order))
def test_files_are_dealt_in_turn(files: int, slots: tuple[int, int], order: Order) -> None:
    """Every shard goes to one thread, and none has two more than another."""
    population = build.population(files=files, format="webdataset", samples_per_file=3)
    phase = build.phase(population=population, processes=slots[0], threads=slots[1], order=order)
    each = [
        [int(index) for chunk in dealt_files(phase, 5, slot) for index in chunk]
        for slot in range(phase.slots)
    ]
    assert sorted(index for part in each for index in part) == list(range(files))
    assert max(map(len, each)) - min(map(len, each)) <= 1


def test_samples_in_files_are_dealt_one_by_one() -> None:
    """Where a format holds many samples in a file, it is samples that batches are made of."""
    population = build.population(files=10, format="webdataset", samples_per_file=7)
    found = share(build.phase(population=population, processes=1, batch=4), 0)
    assert sorted(found) == list(range(70))


def test_each_epoch_has_its_order() -> None:
    """The first epoch is that of the seed itself; no two are alike."""
    assert epoch_seed(7, 0) == 7
    assert len({epoch_seed(7, number) for number in range(100)}) == 100
