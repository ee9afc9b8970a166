"""Loading a data set of small files, as a data loader with worker processes does.

Samples lie in files of a format and are read as one of its readers does, in a seeded random order;
batches are dealt to the workers in turn, or whole files where the reader streams them.
"""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from aibench.definition.fields import Bytes, Count
from aibench.definition.source import Strict
from aibench.errors import Refused
from aibench.formats.format import format_named
from aibench.generators.common import Batch, Threads, Workers, dataset, layout
from aibench.generators.kind import Kind, Request
from aibench.model import CachePolicy, Operation, Order, Phase, Population, Sizes

_LARGEST_IO = 8 * 2**20


class Settings(Strict):
    """The settings of a load workload; ``workers = 0`` takes two for each core, at least four.

    ``format`` says how samples lie in ``files``; ``reader`` is one of the format's, its first
    where none is given. Epochs after the first find the caches as the one before left them.

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
    format: str = "files"
    samples_per_file: Annotated[int, Field(ge=1, le=10**9, strict=True)] = 1
    reader: str = ""
    python: Annotated[str, Field(pattern=r"^3\.\d{1,2}$")] = "3.11"
    epochs: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    cache: CachePolicy = CachePolicy.COLD

    @model_validator(mode="after")
    def _has_format(self) -> "Settings":
        try:
            found = format_named(self.format)
        except Refused as error:
            raise ValueError(str(error)) from error
        if self.reader and self.reader not in found.readers:
            known = ", ".join(found.readers)
            raise ValueError(
                f"format {self.format!r} has no reader {self.reader!r}; it has {known}"
            )
        return self

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
    """The layout of the data set, then its epochs; only the first one finds the caches as asked."""
    workers = settings.workers or max(4, 2 * request.cpus)
    form = format_named(settings.format)
    population = dataset(
        request.workload,
        files=settings.files,
        sizes=settings.population_sizes(),
        seed=request.seed,
        files_per_directory=settings.files_per_directory,
        format=settings.format,
        samples_per_file=settings.samples_per_file,
    )
    if (problem := form.refusal(population)) is not None:
        raise ValueError(problem)
    first = Phase(
        name="epoch",
        operation=Operation.READ_FILES,
        population=population,
        processes=workers,
        threads=settings.threads,
        order=settings.order,
        cache=request.cache or settings.cache,
        reader=settings.reader or next(iter(form.readers)),
        python=settings.python,
        io_size=_io_size(population),
        batch=settings.batch,
    )
    later = (
        replace(first, name=f"epoch-{number + 1}", epoch=number, cache=_later(first.cache))
        for number in range(1, settings.epochs)
    )
    return layout(population, workers), first, *later


def _io_size(population: Population) -> int:
    """A sample at once, up to 8 MiB; 1 MiB where a format decides by itself."""
    if population.format != "files":
        return 2**20
    sizes = population.sizes
    largest = sizes.mean if sizes.distribution == "fixed" else sizes.largest
    return min(-(-largest // 4096) * 4096, _LARGEST_IO)


def _later(policy: CachePolicy) -> CachePolicy:
    """What holds for epochs after the first: nobody empties a cache between epochs."""
    return policy if policy is CachePolicy.DIRECT else CachePolicy.AS_FOUND


KIND = Kind(
    name="load",
    summary="a data loader: small files read whole in random order by worker processes",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("files",),
)
