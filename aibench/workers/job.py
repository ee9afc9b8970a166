"""What a pool of workers gets to do, and what each thread of control gives back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aibench.calls import Calls
from aibench.model import Histogram, Phase
from aibench.workers.conductor import Conductor
from aibench.workers.log import Intervals
from aibench.workers.meeting import Meeting


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One phase on one population, which lies in ``directory`` (absolute).

    ``calls`` is called once in each thread of control. ``only`` restricts a generation to those
    granules (`formats.files.granule`); ``journal`` is the directory where done ones are noted.
    ``conductor`` has the timeline of the accelerators that are emulated.
    """

    phase: Phase
    directory: str
    seed: int
    calls: Callable[[], Calls]
    only: Sequence[int] | None = None
    journal: str | None = None
    meeting: Meeting = field(default_factory=Meeting)
    conductor: Conductor | None = None


class Progress(NamedTuple):
    """Where one thread of control tells what it has done: two integers in shared memory.

    ``cells[base]`` is the number of operations, ``cells[base + 1]`` the number of bytes.
    """

    cells: memoryview
    base: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one thread of control did. Clock readings as they were, in nanoseconds.

    ``wrong`` is the (file index, offset) of the first wrong byte that a verification met, in the
    file itself or in the one beside it with that ``suffix``. ``steps`` is a series of the steps of
    accelerators, ``step_sums`` those while a checkpoint was written and the others
    (`workers.steps.Steps`). ``wrong_bytes`` and ``errors`` count the bytes that a comparison found
    wrong, and the files that they are in. ``beside_bytes`` are those of the bytes that are of no
    operation.
    """

    slot: int
    operations: int
    bytes: int
    start_ns: int
    end_ns: int
    timers: Mapping[str, int] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    intervals: Intervals | None = None
    steps: Intervals | None = None
    step_sums: tuple[tuple[int, ...], ...] = ()
    user_ns: int = 0
    system_ns: int = 0
    wrong: tuple[int, int] | None = None
    suffix: str = ""
    wrong_bytes: int | None = None
    errors: int = 0
    beside_bytes: int = 0


#: A loop, ready to start: gets the common start and returns when its share is done.
Run = Callable[[int], Outcome]
#: Makes a loop ready: opens directories, fills buffers. Nothing of it is timed.
Prepare = Callable[[Job, int, Progress], Run]
