"""Reads batches for emulated accelerators, which hold their loaders up while they are fed."""

from collections.abc import Callable, Generator, Iterator
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from aibench.formats.files import path_of
from aibench.formats.format import SampleReader, format_of
from aibench.model import Accelerators, Phase
from aibench.workers.cells import Present
from aibench.workers.conductor import Conductor, Seat
from aibench.workers.job import Job, Outcome, Progress, Run
from aibench.workers.log import CAPACITY, Log
from aibench.workers.loops.common import FOREVER, TELL_NS, blame, deadline_of, open_directory
from aibench.workers.loops.samples import access_of, reading_of
from aibench.workers.part import accelerators_of, slots_of
from aibench.workers.share import dealt, dealt_files, epoch_seed, share_of_checkpoints
from aibench.world import Place


def samples_of(phase: Phase) -> int:
    """How many samples there are to be read: windows where the data are documents of tokens."""
    windows = format_of(phase.population).windows
    return windows(phase.population, phase.window) if windows else phase.population.samples


def steps_of_epoch(phase: Phase, asked: Accelerators) -> int:
    """How many steps an epoch has for each accelerator; what does not fill a step of all is left.

    Where whole files are streamed, each loader makes batches of its own files only, and all as many
    as the one with the fewest files.
    """
    if not reading_of(phase).streams:
        return samples_of(phase) // (phase.batch * asked.count)
    fewest = phase.population.files // phase.slots * phase.population.samples_per_file
    return fewest // phase.batch * asked.loaders


def steps_asked(phase: Phase, asked: Accelerators) -> int:
    """How many steps each accelerator makes where time does not end it: as asked, or all epochs."""
    every = steps_of_epoch(phase, asked) * asked.epochs
    return min(asked.steps, every) if asked.steps else every


def evaluations_asked(phase: Phase) -> int:
    """How often the accelerators of ``phase`` stop to evaluate, where time does not end it."""
    asked = phase.accelerators
    if asked is None or not asked.evaluate_every:
        return 0
    return max(steps_asked(phase, asked) - 1, 0) // asked.evaluate_every


def share_asked(phase: Phase) -> float:
    """Which share of its data ``phase`` asks for: all, or what its accelerators or ranks take."""
    asked = phase.accelerators
    if asked is None:
        return share_of_checkpoints(phase)
    return steps_asked(phase, asked) * asked.count * phase.batch / samples_of(phase)


def conductor_of(phase: Phase, seed: int, place: Place) -> Conductor | None:
    """The timeline that the loaders of ``phase`` here share; None where none are emulated."""
    asked = phase.accelerators
    if asked is None:
        return None
    unending = phase.runtime_ns > 0
    steps = asked.steps if unending else steps_asked(phase, asked)
    saving, evaluation = phase.saving, phase.evaluation
    present = Present(
        accelerators=accelerators_of(phase, place),
        ranks=slots_of(saving, place) if saving else (),
        evaluators=slots_of(evaluation, place) if evaluation else (),
        others=place.size > 1,
        everywhere=(saving.slots if saving else 0, evaluation.slots if evaluation else 0),
    )
    conductor = Conductor(
        asked, seed, unending=unending, steps=steps,
        checkpoints=saving.checkpoints if saving else 0,
        runtime_ns=phase.runtime_ns, present=present,
    )  # fmt: skip
    if asked.epochs > 1:
        conductor.divide(steps_of_epoch(phase, asked))
    return conductor


class _Source:
    """The samples of one loader, epoch after epoch where time is the bound."""

    def __init__(
        self, job: Job, reader: SampleReader, seat: Seat, wait: Callable[[int], None]
    ) -> None:
        self._job, self._reader, self._seat = job, reader, seat
        self._wait = wait
        self._coming: Generator[int] | None = None

    def batches(self) -> Iterator[tuple[Iterator[int], bool]]:
        """What is read for each batch, and whether the batch is complete then.

        The bytes of its samples are read as they are asked for. With a shuffle buffer that is
        filled first, and at the end of an epoch batches come out of it for which nothing is read.
        """
        phase, seat = self._job.phase, self._seat
        asked = seat.asked
        steps = steps_of_epoch(phase, asked)
        for number in count() if phase.runtime_ns and steps else seat.epochs:
            if number > seat.epochs.start and not seat.turn(self._wait):
                return
            loader = (seat.loader - number * steps) % asked.loaders
            self._coming = self._reader.samples(self._chunks(phase.epoch + number, loader))
            every = len(range(loader, steps, asked.loaders))
            ahead = max(min(-(-asked.buffer // phase.batch), every - 1), 0)
            for turn in range(every + ahead):
                reads = phase.batch if turn < every else 0
                yield islice(self._coming, reads), turn >= ahead
            self._coming.close()

    def close(self) -> None:
        """Have the reader close what it has open."""
        if self._coming is not None:
            self._coming.close()

    def _chunks(self, epoch: int, loader: int) -> Iterator[NDArray[np.int64]]:
        phase, seat = self._job.phase, self._seat
        place = loader * seat.asked.count + seat.accelerator
        seed = epoch_seed(self._job.seed, epoch)
        if reading_of(phase).streams:
            return dealt_files(phase, seed, place)
        return dealt(phase, seed, place, samples_of(phase))


class _Loader:
    """Reads the batches of one loader of one accelerator, and writes down each sample."""

    def __init__(self, job: Job, slot: int, progress: Progress, conductor: Conductor) -> None:
        self._calls, self._phase, self._job = job.calls(), job.phase, job
        self._seat = conductor.seat(slot)
        self._cells, self._base = progress
        root = open_directory(self._calls, job)
        self._reader = reading_of(job.phase).make(access_of(job.phase, self._calls, root))
        self._source = _Source(job, self._reader, self._seat, self._calls.wait)
        self._log, self._deadline, self._alarm = Log(), FOREVER, 0
        self._sizes = np.zeros(CAPACITY // job.phase.batch * job.phase.batch, dtype=np.int64)
        self._pending = self._done = self._bytes = self._held = 0
        self._calls.burn(0)

    def run(self, start_ns: int) -> Outcome:
        """Read until the accelerator has made its last step."""
        calls, seat = self._calls, self._seat
        self._deadline = deadline_of(self._phase, start_ns)
        calls.begin(max(start_ns, seat.turned_ns))
        start_ns = seat.origin_ns or start_ns
        seat.begin(start_ns, self._deadline)
        began = calls.clock()
        try:
            for batch, whole in self._source.batches():
                if whole and not seat.admitted(calls.wait):
                    break
                if not self._read(batch, start_ns, whole=whole):
                    break
        except OSError as error:
            name = path_of(self._phase.population, self._reader.file).encode()
            raise blame(error, self._job, name) from error
        finally:
            self._source.close()
        self._flush(start_ns)
        end = seat.leave(calls.wait, calls.clock())
        steps = seat.freeze()
        return Outcome(
            slot=seat.number, operations=self._done, bytes=self._bytes + self._held, start_ns=began,
            end_ns=end,
            histograms={**self._log.histograms(), **steps.histograms},
            intervals=self._log.intervals, steps=steps.intervals, step_sums=steps.sums,
        )  # fmt: skip

    def _read(self, batch: Iterator[int], start_ns: int, *, whole: bool) -> bool:
        """Read a batch and, a ``whole`` one, bring it; False where the time is over before."""
        clock, burn, decode = self._calls.clock, self._calls.burn, self._seat.asked.decode_ns
        before, after = self._log.stamps
        sizes, alarm, k, held = self._sizes, self._alarm, self._pending, self._held
        t0 = clock()
        for moved in batch:
            t1 = clock()
            before[k], after[k], sizes[k] = t0, t1, moved
            k += 1
            held += moved
            if decode:
                burn(decode)
            if t1 >= alarm:
                alarm = self._alarm = min(self._deadline, t1 + TELL_NS)
                self._tell(k, held)
                if t1 >= self._deadline:
                    t0 = t1
                    break
            t0 = clock()
        else:
            if whole:
                self._seat.bring(t0, held)
                self._bytes, held = self._bytes + held, 0
        self._pending, self._held = k, held
        if k == len(sizes):
            self._flush(start_ns)
        return t0 < self._deadline

    def _tell(self, pending: int, held: int) -> None:
        """Tell the parent how far this loader has come."""
        self._cells[self._base] = self._done + pending
        self._cells[self._base + 1] = self._bytes + held

    def _flush(self, start_ns: int) -> None:
        self._log.flush(self._sizes[: self._pending], start_ns, self._phase.batch)
        self._done += self._pending
        self._pending = 0
        self._tell(0, self._held)


def prepare_feed(job: Job, slot: int, progress: Progress) -> Run:
    """Make the loop ready that reads the batches of one loader of one accelerator."""
    if job.conductor is None:
        raise ValueError("emulated accelerators need a conductor")
    return _Loader(job, slot, progress, job.conductor).run
