"""Which files each thread of control gets, and in which order."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from aibench.formats.files import total_bytes
from aibench.formats.mixing import key
from aibench.formats.order import Identity, Permutation
from aibench.model import Order, Phase
from aibench.workers.log import CAPACITY

Indices = NDArray[np.int64]
#: Positions whose order is computed at once: more amortizes numpy's overhead.
_AHEAD = 8 * CAPACITY
#: What tells the seed of an order from the other seeds of a run.
_ORDER = 0x6F726465


def epoch_seed(seed: int, epoch: int) -> int:
    """What decides the order of an epoch, counted from 0; each has one of its own."""
    return key(seed, epoch) if epoch else seed


def dealt(phase: Phase, seed: int, slot: int, samples: int | None = None) -> Iterator[Indices]:
    """The sample numbers of ``slot`` for one epoch, in chunks of whole batches, at most `CAPACITY`.

    Batch ``b`` of the epoch goes to slot ``b mod slots``, as a data loader deals them to its
    workers. The order is the identity or a permutation that ``seed`` decides. ``samples`` is how
    many there are, where those that are read are not those of the population.
    """
    samples, batch = samples or phase.population.samples, phase.batch
    if batch > CAPACITY:
        raise ValueError(f"a batch of {batch} samples is more than the {CAPACITY} of a chunk")
    shuffled = phase.order is Order.SHUFFLED
    order = Permutation(samples, key(seed, _ORDER)) if shuffled else Identity()
    within = np.arange(batch, dtype=np.int64)
    chunk = max(CAPACITY // batch, 1) * batch
    stride = phase.slots * max(_AHEAD // batch, 1)
    for first in range(slot, -(-samples // batch), stride):
        batches = np.arange(first, first + stride, phase.slots, dtype=np.int64)
        positions = (batches[:, None] * batch + within).ravel()
        indices = order.at(positions[positions < samples])
        for start in range(0, len(indices), chunk):
            yield indices[start : start + chunk]


def dealt_files(phase: Phase, seed: int, slot: int) -> Iterator[Indices]:
    """The file numbers of ``slot`` for one epoch, in chunks of at most `CAPACITY`.

    File ``s`` of the order goes to slot ``s mod slots``, as loaders of shards split them by worker.
    """
    files = phase.population.files
    shuffled = phase.order is Order.SHUFFLED
    order = Permutation(files, key(seed, _ORDER)) if shuffled else Identity()
    stride = phase.slots * CAPACITY
    for first in range(slot, files, stride):
        stop = min(first + stride, files)
        yield order.at(np.arange(first, stop, phase.slots, dtype=np.int64))


def part_of(phase: Phase, slot: int) -> range:
    """The contiguous part of the files that is the share of ``slot``, shifted as the phase says.

    Of several checkpoints it is that of the first one.
    """
    files, slots = phase.population.files // phase.checkpoints, phase.slots
    if not phase.shares:
        return block_of(files, slots, slot, phase.shift)
    owner = (slot + phase.shift) % slots
    start = sum(phase.shares[:owner])
    return range(start, start + phase.shares[owner])


def block_of(count: int, slots: int, slot: int, shift: int = 0) -> range:
    """The contiguous part of ``range(count)`` that is the share of ``slot``, moved by ``shift``."""
    owner = (slot + shift) % slots
    return range(count * owner // slots, count * (owner + 1) // slots)


def share_of_checkpoints(phase: Phase) -> float:
    """Which share of the bytes of its files ``phase`` writes or needs: what changes, and slices."""
    if phase.changed < 1:
        return (1 + (phase.checkpoints - 1) * phase.changed) / phase.checkpoints
    if phase.reads:
        return sum(stop - start for start, stop in phase.reads) / phase.population.files
    if phase.resume and phase.resume.slices:
        return phase.resume.needed_bytes / max(total_bytes(phase.population), 1)
    return 1.0


def chunks_of(part: range) -> Iterator[Indices]:
    """A contiguous part in chunks of at most `CAPACITY`."""
    for start in range(part.start, part.stop, CAPACITY):
        yield np.arange(start, min(start + CAPACITY, part.stop), dtype=np.int64)


def rounds_of(part: range) -> Iterator[Indices]:
    """A contiguous part over and over, in chunks of `CAPACITY`; nothing where it is empty."""
    start = 0
    while part:
        yield part.start + np.arange(start, start + CAPACITY, dtype=np.int64) % len(part)
        start = (start + CAPACITY) % len(part)
