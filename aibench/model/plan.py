"""What is asked for: workloads, and the plan that they become. Nothing here touches the world."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from aibench.model.accelerators import Accelerators
from aibench.model.checkpoints import Resume
from aibench.model.levels import Level, unswept
from aibench.model.operation import Operation
from aibench.model.population import Population, digest
from aibench.model.searching import Search
from aibench.model.serving import Serving
from aibench.model.soaking import Soak


class CachePolicy(StrEnum):
    """What the caches of the client hold when a phase begins; part of the digest.

    ``cold``: synced, evicted and checked. ``warm``: read once before. ``direct``: ``O_DIRECT``
    passes the page cache by. ``as-found``: nothing is done.
    """

    COLD = "cold"
    WARM = "warm"
    DIRECT = "direct"
    AS_FOUND = "as-found"


class SyncPolicy(StrEnum):
    """When written data has to be durable.

    ``none``: never asked for. ``end``: one fsync for each file, at its end. ``commit``: temporary
    name, fsync, rename, fsync of the directory.
    """

    NONE = "none"
    END = "end"
    COMMIT = "commit"


class Order(StrEnum):
    """The order of access: ``sequential``, or ``shuffled`` by a seeded permutation."""

    SEQUENTIAL = "sequential"
    SHUFFLED = "shuffled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """What becomes of samples: ``sample_bytes`` of each, ``samples_per_file`` of them in a file.

    ``cpu_ns`` is the time of one core that it takes. Files are those of ``output``; each thread of
    control writes its own.
    """

    output: Population
    cpu_ns: int
    sample_bytes: int
    samples_per_file: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One thing that is done to the target, by ``processes`` × ``threads`` on all hosts.

    ``io_size`` is the largest number of bytes of one system call. ``batch`` groups the files of
    a loader. ``runtime_ns`` bounds a phase in time; 0 means until all is done once. ``depth`` is
    the I/O queue depth of one process. ``shift`` is by how many processes a reader is moved from
    the one that wrote. ``shares`` are the files of each thread of control, where they don't all
    have as many. ``reader`` names the way in which samples are read, one of those that the
    format of the population has; ``python`` is the version whose input and output it emulates, and
    ``window`` the tokens of one sample where the data are documents of tokens.
    ``rate`` is how many operations a second all threads of control begin, together and evenly;
    latencies count from when each was to begin. 0: each begins when the one before has ended.
    ``checkpoints`` are saved one after the other, each in a directory of its own, of which the last
    ``keep`` stay (0: all); where they are ``marked``, the first file of each is written when all
    others are, and tells that it is complete. Of each but the first the share ``changed`` of the
    files is written, and the others are links to those of the one before. With ``snapshot`` the
    state is copied first, and what follows is said to be in the background. ``reads`` are the
    files, from one to before another, that each thread of control loads, where that is not its own
    share of them; ``resume`` says what it needs of these, and what else is done until the first
    batch of samples is there.
    ``epoch`` counts from 0; each has an order of its own. Only ``measured`` phases give results;
    the others prepare. With ``accelerators`` each thread of control is one of their loaders, and
    ``saving`` says what checkpoints the ranks of its own save meanwhile, when they ask for one;
    ``evaluation`` is what the accelerators read of other data, with loaders of their own for that,
    each time that they stop for it.
    With ``soak`` each thread of control saves one of its files now and then, and goes on where
    something fails. With ``search`` each answers queries of the index that is the first file.
    ``source`` is the directory that files are collected from, or empty where they are made. With
    ``serving`` each thread of control serves requests from its share of the files, with a
    ``transform`` it writes what it makes of them.
    In a sweep ``levels`` are the settings that make this phase another one than its siblings, and
    its name ends with them (``epoch@workers=4``). ``hosts`` are the client hosts that do it, the
    first so many of the run; 0 is all of them.
    """

    name: str
    operation: Operation
    population: Population
    processes: int
    threads: int = 1
    order: Order = Order.SEQUENTIAL
    cache: CachePolicy = CachePolicy.AS_FOUND
    sync: SyncPolicy = SyncPolicy.NONE
    reader: str = "stat"
    python: str = "3.11"
    window: int = 0
    epoch: int = 0
    rate: float = 0.0
    io_size: int = 2**20
    batch: int = 1
    depth: int = 1
    shift: int = 0
    shares: tuple[int, ...] = ()
    checkpoints: int = 1
    keep: int = 0
    changed: float = 1.0
    marked: bool = False
    snapshot: bool = False
    reads: tuple[tuple[int, int], ...] = ()
    resume: Resume | None = None
    runtime_ns: int = 0
    source: str = ""
    accelerators: Accelerators | None = None
    saving: "Phase | None" = None
    evaluation: "Phase | None" = None
    serving: Serving | None = None
    soak: Soak | None = None
    search: Search | None = None
    transform: Transform | None = None
    levels: tuple[Level, ...] = ()
    hosts: int = 0
    measured: bool = True

    def __post_init__(self) -> None:
        for name in ("processes", "threads", "io_size", "batch", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"phase {self.name!r}: {name} must be at least 1")
        if not 0 <= self.rate < math.inf:
            raise ValueError(f"phase {self.name!r}: a rate is 0 or more operations a second")
        if self.checkpoints < 1 or self.keep < 0 or self.population.files % self.checkpoints:
            raise ValueError(f"phase {self.name!r}: all checkpoints have the same number of files")
        if not 0 <= self.changed <= 1:
            raise ValueError(f"phase {self.name!r}: a share of the files changes, from 0 to 1")
        needs = self.resume.slices if self.resume else ()
        if any(len(each) != self.slots for each in (self.reads, needs) if each):
            raise ValueError(f"phase {self.name!r}: each thread has files of its own to load")
        given = (len(self.shares), sum(self.shares) * self.checkpoints)
        if self.shares and given != (self.slots, self.population.files):
            raise ValueError(f"phase {self.name!r}: each thread has its share, all files together")
        if self.accelerators and self.slots != self.accelerators.seats:
            raise ValueError(f"phase {self.name!r}: each thread is one loader of one accelerator")
        self._check_saving()
        self._check_evaluation()

    def _check_saving(self) -> None:
        every = self.accelerators.save_every if self.accelerators else 0
        if bool(every) != (self.saving is not None) and self.soak is None:
            raise ValueError(f"phase {self.name!r}: who asks for checkpoints says how to save them")
        if self.saving and self.saving.saving:
            raise ValueError(f"phase {self.name!r}: what is saved meanwhile saves nothing else")

    def _check_evaluation(self) -> None:
        every = self.accelerators.evaluate_every if self.accelerators else 0
        if bool(every) != (self.evaluation is not None):
            raise ValueError(f"phase {self.name!r}: who stops to evaluate says what is read then")
        if self.evaluation is None or self.accelerators is None:
            return
        asked = self.evaluation.accelerators
        if asked is None or asked.count != self.accelerators.count:
            raise ValueError(f"phase {self.name!r}: all its accelerators evaluate, and no others")
        if self.evaluation.evaluation or self.evaluation.saving or self.evaluation.runtime_ns:
            raise ValueError(f"phase {self.name!r}: an evaluation reads so many batches, no more")

    @property
    def question(self) -> str:
        """The name without the levels of a sweep: what is asked at each of them."""
        return self.name.partition("@")[0] if self.levels else self.name

    @property
    def slots(self) -> int:
        """How many threads of control do this phase, on all hosts together."""
        return self.processes * self.threads

    @property
    def sample_bytes(self) -> int:
        """The bytes of a sample, in the mean, without what a format puts around it."""
        population = self.population
        return (self.window + 1) * population.token_bytes if self.window else population.sizes.mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One question about storage, as a definition file asks it. Knows no path and no engine."""

    name: str
    title: str
    imitates: str
    kind: str
    suites: tuple[str, ...] = ()
    repeats: int = 3
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One workload of a plan: the engine that does it and its phases, preparing ones first.

    ``refusal`` is set when this machine or target can't do it; then nothing of it is run.
    ``beside`` is the workload of another stage where this one is the same by another engine: they
    take turns.
    """

    workload: str
    title: str
    kind: str
    imitates: str
    engine: str
    repeats: int
    phases: tuple[Phase, ...]
    refusal: str | None = None
    beside: str = ""

    @property
    def prepared(self) -> tuple[Phase, ...]:
        """The phases that only prepare."""
        return tuple(phase for phase in self.phases if not phase.measured)

    @property
    def measured(self) -> tuple[Phase, ...]:
        """The phases that give results, in order."""
        return tuple(phase for phase in self.phases if phase.measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a run will do. Sizes in bytes, times in nanoseconds, for all repeats together.

    ``write_bytes`` and ``read_bytes`` count what is asked of the target; ``space_bytes`` and
    ``inodes`` are what must be free at the worst moment; ``memory_bytes`` is what the workers
    hold; ``estimated_ns`` is a guess with stated assumptions, for the user's patience only.
    """

    stages: tuple[Stage, ...]
    seed: int
    write_bytes: int
    read_bytes: int
    space_bytes: int
    inodes: int
    memory_bytes: int
    estimated_ns: int
    name: str = "run"

    @property
    def digest(self) -> str:
        """Equal digests asked for the same I/O, whatever the path, the engine and the titles."""
        asked = [
            {
                "workload": s.workload,
                "repeats": s.repeats,
                "phases": [unswept(asdict(p)) for p in s.phases],
            }
            for s in self.stages
        ]
        return digest({"seed": self.seed, "stages": asked})
