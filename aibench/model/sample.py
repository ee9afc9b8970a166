"""What was counted: integer counts and integer nanoseconds. Rates are derived, never stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aibench.model.telemetry import NfsFigures, Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to know about a result: a stable code and a sentence with the figures."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Latencies in nanoseconds, log-linear with 64 bins an octave (`stats.histogram`).

    ``bins`` holds (bin number, count) for the bins that are not empty, in order.
    """

    bins: tuple[tuple[int, int], ...]
    count: int
    total_ns: int
    min_ns: int | None
    max_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What happened in each interval of ``interval_ns`` from the start; all tuples are as long.

    Operations and bytes count where they ended. Latencies are those of the whole operation
    (file, request, call); None where nothing ended.
    """

    interval_ns: int
    operations: tuple[int, ...]
    bytes: tuple[int, ...]
    p50_ns: tuple[int | None, ...] = ()
    p99_ns: tuple[int | None, ...] = ()
    max_ns: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerResult:
    """What one thread of control of a rank did; times in nanoseconds after the common start.

    CPU times are None where the tool doesn't tell them for each worker.
    """

    host: str
    process: int
    thread: int
    operations: int
    bytes: int
    start_ns: int
    end_ns: int
    user_ns: int | None = None
    system_ns: int | None = None
    rank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerated:
    """What one emulated accelerator did in ``steps``, of the samples of ``bytes`` bytes.

    It had its first batch at ``first_batch_ns``, ended its first step at ``first_step_ns`` and its
    last one at ``end_ns``, in nanoseconds after the common start. What it did between the last
    two is one of waiting for a batch, computing, waiting for the others at a barrier, and stopping
    for a checkpoint or for an evaluation. By ``stall_ns`` its steps were longer than the longest
    computing in them: batches were late, its own or those of the others at its barrier.
    """

    host: str
    number: int
    steps: int
    bytes: int
    first_batch_ns: int
    first_step_ns: int
    end_ns: int
    wait_ns: int
    compute_ns: int
    barrier_ns: int
    stall_ns: int
    checkpoint_ns: int = 0
    evaluation_ns: int = 0

    def __post_init__(self) -> None:
        parts = (self.wait_ns, self.compute_ns, self.barrier_ns, self.stopped_ns)
        if sum(parts) != self.end_ns - self.first_step_ns:
            raise ValueError(
                "an accelerator waits, computes, stands at a barrier or stops for a checkpoint or "
                "an evaluation, all the time"
            )

    @property
    def stopped_ns(self) -> int:
        """How long it did not train: stops for checkpoints and for evaluations."""
        return self.checkpoint_ns + self.evaluation_ns

    @property
    def fed_ns(self) -> int:
        """How long batches were there or waited for: all but the first step and stops."""
        return self.end_ns - self.first_step_ns - self.stopped_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpointed:
    """One checkpoint of a training, in nanoseconds after the common start.

    All accelerators stopped for it at ``asked_ns`` and went on at ``released_ns``; the last rank
    had written its part at ``ended_ns``. What did not happen before the end is None.
    """

    asked_ns: int
    released_ns: int | None
    ended_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Steps of accelerators: their number, the time of all of them, and of computing in them."""

    steps: int
    whole_ns: int
    compute_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What emulated accelerators did, step by step of ``batch`` samples.

    ``series`` counts their steps after the first, with the bytes of the batches; its latencies
    are those of whole steps. Where there were ``checkpoints``, of ``saved_bytes`` together, the
    steps are told apart: those ``while_saving``, between when a checkpoint was asked for and when
    all of it was written, and the ``others``. For the ``evaluations`` that it stopped for,
    ``evaluated_bytes`` were read.
    """

    batch: int
    accelerators: tuple[Accelerated, ...]
    series: Series | None = None
    checkpoints: tuple[Checkpointed, ...] = ()
    saved_bytes: int = 0
    while_saving: Steps | None = None
    others: Steps | None = None
    evaluations: int = 0
    evaluated_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRun:
    """What really ran: the tool, its own version, the exact command and the job file."""

    name: str
    version: str
    command: tuple[str, ...] = ()
    job: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What an engine gives back for one phase.

    ``elapsed_ns`` runs from the first start to the last end. ``first_done_ns`` and
    ``last_done_ns`` are when the first and the last worker ended, from the first start.
    ``timers`` holds named durations that are the largest over all workers, such as ``blocked``
    and ``durable``. ``histograms`` has one entry for each type of operation; the one named
    ``whole`` is the complete operation (file, request, call). ``errors`` counts failed operations.
    ``training`` is there where accelerators were emulated, ``wrong_bytes`` where what was read was
    compared with what it had to be; then ``errors`` counts the files with any. ``beside_bytes`` are
    those of ``bytes`` that are of no operation, such as the first samples after a checkpoint.
    """

    operations: int
    bytes: int
    elapsed_ns: int
    first_done_ns: int
    last_done_ns: int
    start_spread_ns: int
    errors: int = 0
    timers: Mapping[str, int] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    series: Series | None = None
    workers: tuple[WorkerResult, ...] = ()
    tool: ToolRun | None = None
    training: Training | None = None
    wrong_bytes: int | None = None
    beside_bytes: int = 0
    warnings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        if min(self.operations, self.bytes, self.elapsed_ns, self.errors) < 0:
            raise ValueError("counts and times are never negative")


class CacheState(StrEnum):
    """Where the bytes of a read phase came from, as far as the evidence goes."""

    COLD = "cold"
    MIXED = "mixed"
    WARM = "warm"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about the caches of one read phase.

    ``resident_share`` is the share of the bytes that the page cache held before the phase, of
    ``resident_files`` files looked at out of ``files``, by ``resident_method`` (cachestat or
    mincore). ``delivered_bytes`` is what the storage delivered during the phase by
    ``delivered_source``. Both are None where they can't be known; ``reason`` says why the state
    is what it is. ``eviction`` says what was done before.
    """

    state: CacheState
    reason: str
    asked_bytes: int
    resident_share: float | None = None
    resident_files: int = 0
    files: int = 0
    resident_method: str = ""
    delivered_bytes: int | None = None
    delivered_source: str = ""
    eviction: str = ""

    @property
    def delivered_share(self) -> float | None:
        """Bytes that storage delivered over bytes that the workload asked for."""
        if self.delivered_bytes is None or self.asked_bytes == 0:
            return None
        return self.delivered_bytes / self.asked_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OnHost:
    """What was seen around a phase on one of the hosts that did it together.

    ``evidence`` is about what the ranks of this host asked for. ``boot`` is the boot id of its
    kernel: hosts that have the same one are containers of one machine. Where ``device_id``, the
    number of the mounted filesystem, is the same as well, they share its cache and its counters.
    None where that is not known.
    """

    host: str
    ranks: int
    evidence: Evidence | None = None
    telemetry: Telemetry | None = None
    nfs: NfsFigures | None = None
    boot: str | None = None
    device_id: str | None = None

    def __post_init__(self) -> None:
        if self.ranks < 1:
            raise ValueError("a host of a phase has at least one rank")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What the harness did in the same phase with no I/O behind it, by the null engine.

    Where accelerators are emulated, the counts are those of loaders that no accelerator holds up,
    and ``training`` is how busy loaders without I/O keep the accelerators.
    """

    operations: int
    bytes: int
    elapsed_ns: int
    training: Training | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One phase, one repeat. ``reasons`` say why it does not count; ``warnings`` don't stop it.

    ``hosts`` has each host of a run under MPI; nothing where one process measured alone. Then
    ``evidence`` is that of all hosts together, ``telemetry`` and ``nfs`` those of rank 0's host.
    """

    workload: str
    phase: str
    repeat: int
    started_at: str
    measurement: Measurement
    evidence: Evidence | None = None
    ceiling: Ceiling | None = None
    telemetry: Telemetry | None = None
    nfs: NfsFigures | None = None
    hosts: tuple[OnHost, ...] = ()
    warnings: tuple[Finding, ...] = ()
    reasons: tuple[Finding, ...] = ()
