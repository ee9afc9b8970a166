"""Loading a data set of small files, as a data loader with worker processes does.

One file a sample, read whole in a seeded random order; batches are dealt to the workers in turn.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aibench.definition.fields import Bytes, Count
from aibench.definition.source import Strict
from aibench.generators.common import Batch, Threads, Workers, dataset, layout
from aibench.generators.kind import Kind, Request
from aibench.model import CachePolicy, Operation, Order, Phase, Reader, Sizes

_LARGEST_IO = 8 * 2**20


class Settings(Strict):
    """The settings of a load workload; ``workers = 0`` takes two for each core, at least four.

    Sizes are ``fixed`` at ``size``, or ``lognormal`` with the mean ``size`` and the given
    ``sigma`` of the logarithm, cut at ``smallest`` and ``largest``.
    """

    files: Count = 100_000
    size: Bytes = 114_660
    sizes: Literal["fixed", "lognormal"] = "lognormal"
    sigma: Annotated[float, Field(ge=0, le=3)] = 0.55
    smallest: Bytes = 2048
    largest: Bytes = 16 * 2**20
    files_per_directory: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = 1000
    workers: Workers = 0
    threads: Threads = 1
    batch: Batch = 32
    order: Order = Order.SHUFFLED
    reader: Reader = Reader.STAT
    cache: CachePolicy = CachePolicy.COLD

    @model_validator(mode="after")
    def _is_possible(self) -> "Settings":
        if self.size < 1:
            raise ValueError("size has to be at least 1B")
        if self.sizes == "lognormal" and not self.smallest <= self.size <= self.largest:
            raise ValueError(
                f"sizes need smallest <= size <= largest, not {self.smallest} B, {self.size} B, "
                f"{self.largest} B"
            )
        return self

    def population_sizes(self) -> Sizes:
        """The distribution as the population wants it."""
        if self.sizes == "fixed":
            return Sizes(distribution="fixed", mean=self.size)
        return Sizes(
            distribution="lognormal",
            mean=self.size,
            sigma=self.sigma,
            smallest=self.smallest,
            largest=self.largest,
        )


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """The layout of the data set, then one epoch over all of it."""
    workers = settings.workers or max(4, 2 * request.cpus)
    sizes = settings.population_sizes()
    population = dataset(
        request.workload,
        files=settings.files,
        sizes=sizes,
        seed=request.seed,
        files_per_directory=settings.files_per_directory,
    )
    largest = sizes.mean if sizes.distribution == "fixed" else sizes.largest
    epoch = Phase(
        name="epoch",
        operation=Operation.READ_FILES,
        population=population,
        processes=workers,
        threads=settings.threads,
        order=settings.order,
        cache=request.cache or settings.cache,
        reader=settings.reader,
        io_size=min(-(-largest // 4096) * 4096, _LARGEST_IO),
        batch=settings.batch,
    )
    return layout(population, workers), epoch


KIND = Kind(
    name="load",
    summary="a data loader: small files read whole in random order by worker processes",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("files",),
)
