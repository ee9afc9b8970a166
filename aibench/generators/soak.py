"""A soak: loading and saving for hours to days, in rounds; what fails is counted and borne."""

from typing import Annotated

from pydantic import Field, model_validator

from aibench.definition.fields import Bytes, Duration
from aibench.generators.common import Batch, Drawn, Workers, dataset, layout, scratch
from aibench.generators.kind import Kind, Request
from aibench.model import CachePolicy, Operation, Order, Phase, Sizes, Soak, SyncPolicy

_MOST_ROUNDS = 10_000
_LARGEST_IO = 2**20


class Settings(Drawn):
    """The settings of a soak of ``duration``, in rounds of ``round``, each a repeat of its own.

    A round is a sample of the record: a run that was stopped goes on with the next one
    (``--resume``). ``workers`` read files whole in random order; every ``every`` each saves a shard
    of ``shard`` bytes in the place of its last one, with all others at the same times. Of I/O
    errors, stale handles and time-outs each worker bears ``most_errors`` in a round.
    """

    duration: Duration = 24 * 3600 * 10**9
    round: Duration = 600 * 10**9
    workers: Workers = 0
    batch: Batch = 32
    shard: Bytes = 256 * 2**20
    every: Annotated[Duration, Field(gt=0)] = 120 * 10**9
    most_errors: Annotated[int, Field(ge=0, le=10**9, strict=True)] = 1000
    cache: CachePolicy = CachePolicy.COLD

    @model_validator(mode="after")
    def _is_possible(self) -> "Settings":
        if not 0 < self.round <= self.duration:
            raise ValueError("a round is no longer than the duration, and longer than nothing")
        if self.rounds > _MOST_ROUNDS:
            raise ValueError(f"{self.rounds} rounds are more than {_MOST_ROUNDS}: make them longer")
        if self.shard < 1:
            raise ValueError("a shard has at least one byte")
        if self.cache is CachePolicy.DIRECT:
            raise ValueError("a soak reads through the page cache: use cold, warm or as-found")
        return self

    @property
    def rounds(self) -> int:
        """How many rounds there are."""
        return -(-self.duration // self.round)


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """The layout of the data, then one round."""
    workers = request.workers(settings.workers)
    population = dataset(
        request.workload,
        files=settings.files,
        sizes=settings.population_sizes(),
        seed=request.seed,
        files_per_directory=settings.files_per_directory,
    )
    cache = request.cache or settings.cache
    if cache is CachePolicy.DIRECT:
        raise ValueError("a soak reads through the page cache: use cold, warm or as-found")
    saving = Phase(
        name="save",
        operation=Operation.SAVE_SHARDS,
        population=scratch(
            request.workload,
            files=workers,
            sizes=Sizes(distribution="fixed", mean=settings.shard),
            seed=request.seed,
        ),
        processes=workers,
        sync=SyncPolicy.COMMIT,
        io_size=_LARGEST_IO,
    )
    soak = Phase(
        name="soak",
        operation=Operation.SOAK,
        population=population,
        processes=workers,
        order=Order.SHUFFLED,
        cache=cache,
        io_size=_LARGEST_IO,
        batch=settings.batch,
        runtime_ns=settings.round,
        saving=saving,
        soak=Soak(every_ns=settings.every, most_errors=settings.most_errors),
    )
    return layout(population, workers), soak


def rounds(settings: Settings) -> int:
    """How often the phase is repeated."""
    return settings.rounds


KIND = Kind(
    name="soak",
    summary="loading and saving for hours to days: errors counted, drift, the worst minute",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("files",),
    repeats=rounds,
)
