"""What is asked for: workloads, and the plan that they become. Nothing here touches the world."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Operation(StrEnum):
    """What a phase does. Engines refuse the ones they can't do."""

    WRITE_FILES = "write_files"
    READ_FILES = "read_files"
    SAVE_SHARDS = "save_shards"
    LOAD_SHARDS = "load_shards"
    CREATE = "create"
    STAT = "stat"
    OPEN_CLOSE = "open_close"
    LIST = "list"
    RENAME = "rename"
    DELETE = "delete"
    READ_BLOCKS = "read_blocks"
    WRITE_BLOCKS = "write_blocks"


#: Operations whose bytes can come from a cache, so that they need evidence.
READS = frozenset({Operation.READ_FILES, Operation.LOAD_SHARDS, Operation.READ_BLOCKS})
#: Operations that move data to the target.
WRITES = frozenset({Operation.WRITE_FILES, Operation.SAVE_SHARDS, Operation.WRITE_BLOCKS})


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
class Sizes:
    """Sizes in bytes: ``fixed`` at ``mean``, ``lognormal`` with that mean, or ``listed``.

    ``sigma`` is the standard deviation of the natural logarithm. The distribution is cut at
    ``smallest`` and ``largest``; the arithmetic mean holds after the cut. A list has pairs of a
    count and a size, in the order of the samples.
    """

    distribution: str
    mean: int
    sigma: float = 0.0
    smallest: int = 1
    largest: int = 2**40
    listed: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.distribution not in ("fixed", "lognormal", "listed"):
            raise ValueError(f"no size distribution {self.distribution!r}")
        if not 0 <= self.smallest <= self.mean <= self.largest:
            raise ValueError("sizes need smallest <= mean <= largest")
        if (self.distribution == "listed") != bool(self.listed):
            raise ValueError("a list of sizes belongs to the distribution 'listed'")
        if any(count < 1 or size < 0 for count, size in self.listed):
            raise ValueError("a list has counts from 1 and sizes from 0 on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """A set of files under the workspace: names and contents follow from the index and the seed.

    ``directory`` is relative to the workspace. ``persistent`` data stays for the next run with
    an equal digest; the rest is removed at the end. ``sizes`` are those of the samples, of which
    each file holds ``samples_per_file`` in the way of its ``format``.
    """

    directory: str
    files: int
    sizes: Sizes
    seed: int
    files_per_directory: int = 1000
    persistent: bool = True
    format: str = "files"
    samples_per_file: int = 1

    def __post_init__(self) -> None:
        if min(self.files, self.files_per_directory, self.samples_per_file) < 1:
            raise ValueError(
                "a population has at least one file, one file a directory and one sample a file"
            )
        if self.format == "files" and self.samples_per_file != 1:
            raise ValueError("a plain file holds one sample")
        listed = sum(count for count, _ in self.sizes.listed)
        if listed and listed != self.samples:
            raise ValueError(f"{listed} sizes are listed for {self.samples} samples")

    @property
    def samples(self) -> int:
        """How many samples all files hold."""
        return self.files * self.samples_per_file

    @property
    def digest(self) -> str:
        """Equal for populations with the same names, sizes and contents, wherever they lie."""
        parts = asdict(self)
        del parts["directory"], parts["persistent"]
        return _digest(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One thing that is done to the target, by ``processes`` × ``threads`` on each host.

    ``io_size`` is the largest number of bytes of one system call. ``batch`` groups the files of
    a loader. ``runtime_ns`` bounds a phase in time; 0 means until all is done once. ``depth`` is
    the I/O queue depth of one process. ``shift`` is by how many processes a reader is moved from
    the one that wrote. ``shares`` are the files of each thread of control, where they don't all
    have as many. ``reader`` names the way in which samples are read, one of those that the
    format of the population has; ``python`` is the version whose input and output it emulates.
    ``epoch`` counts from 0; each has an order of its own. Only ``measured`` phases give results;
    the others prepare.
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
    epoch: int = 0
    io_size: int = 2**20
    batch: int = 1
    depth: int = 1
    shift: int = 0
    shares: tuple[int, ...] = ()
    runtime_ns: int = 0
    measured: bool = True

    def __post_init__(self) -> None:
        for name in ("processes", "threads", "io_size", "batch", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"phase {self.name!r}: {name} must be at least 1")
        given = (len(self.shares), sum(self.shares))
        if self.shares and given != (self.slots, self.population.files):
            raise ValueError(f"phase {self.name!r}: each thread has its share, all files together")

    @property
    def slots(self) -> int:
        """How many threads of control do this phase on one host."""
        return self.processes * self.threads


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
    """

    workload: str
    title: str
    kind: str
    imitates: str
    engine: str
    repeats: int
    phases: tuple[Phase, ...]
    refusal: str | None = None

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
            {"workload": s.workload, "repeats": s.repeats, "phases": [asdict(p) for p in s.phases]}
            for s in self.stages
        ]
        return _digest({"seed": self.seed, "stages": asked})


def _digest(parts: Mapping[str, Any]) -> str:
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
