"""What kinds of workload share: data sets that are found again, and automatic numbers."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from aibench.definition.fields import Bytes, Count
from aibench.definition.source import Strict
from aibench.model import Operation, Phase, Population, Sizes, SyncPolicy

#: Worker processes; 0 means automatic.
Workers = Annotated[int, Field(ge=0, le=1024, strict=True)]
Threads = Annotated[int, Field(ge=1, le=256, strict=True)]
#: At most a few thousand files are grouped, so that a chunk of the loop holds whole batches.
Batch = Annotated[int, Field(ge=1, le=4096, strict=True)]

#: File names have ten digits; no file system holds more files either.
MOST_FILES = 10**10


class Drawn(Strict):
    """Sizes of files or samples: ``fixed`` at ``size``, or ``lognormal`` with that mean.

    ``sigma`` is that of the logarithm; the distribution is cut at ``smallest`` and ``largest``.
    """

    least_size: ClassVar[int] = 0

    files: Count = 100_000
    size: Bytes = 114_660
    sizes: Literal["fixed", "lognormal"] = "lognormal"
    sigma: Annotated[float, Field(ge=0, le=3)] = 0.55
    smallest: Bytes = 2048
    largest: Bytes = 16 * 2**20
    files_per_directory: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = 1000

    @model_validator(mode="after")
    def _holds_its_mean(self) -> "Drawn":
        if self.size < self.least_size:
            raise ValueError(f"size has to be at least {self.least_size}B")
        if self.sizes == "lognormal" and not self.smallest <= self.size <= self.largest:
            raise ValueError(
                f"sizes need smallest <= size <= largest, not {self.smallest} B, {self.size} B, "
                f"{self.largest} B"
            )
        return self

    def population_sizes(self) -> Sizes:
        """The distribution as the population wants it."""
        if self.sizes == "fixed":
            return Sizes(distribution="fixed", mean=self.size, smallest=min(self.size, 1))
        return Sizes(
            distribution="lognormal",
            mean=self.size,
            sigma=self.sigma,
            smallest=self.smallest,
            largest=self.largest,
        )


def dataset(
    workload: str,
    *,
    files: int,
    sizes: Sizes,
    seed: int,
    files_per_directory: int = 1000,
    format: str = "files",  # noqa: A002 - what it is called everywhere else
    samples_per_file: int = 1,
    token_bytes: int = 2,
) -> Population:
    """Data that stays for the next run; its directory carries the beginning of its digest."""
    _refuse_too_many(files)
    population = Population(
        directory=f"data/{workload}",
        files=files,
        sizes=sizes,
        seed=seed,
        files_per_directory=files_per_directory,
        format=format,
        samples_per_file=samples_per_file,
        token_bytes=token_bytes,
    )
    return replace(population, directory=f"data/{workload}-{population.digest[:12]}")


def scratch(workload: str, *, files: int, sizes: Sizes, seed: int, each: int = 1000) -> Population:
    """Files that only live during a run."""
    _refuse_too_many(files)
    return Population(
        directory=f"scratch/{workload}",
        files=files,
        sizes=sizes,
        seed=seed,
        files_per_directory=each,
        persistent=False,
    )


def _refuse_too_many(files: int) -> None:
    if files > MOST_FILES:
        raise ValueError(f"{files:,} files are more than the {MOST_FILES:,} that have names")


def layout(population: Population, processes: int) -> Phase:
    """The phase that writes a data set before anything is measured."""
    return Phase(
        name="layout",
        operation=Operation.WRITE_FILES,
        population=population,
        processes=processes,
        sync=SyncPolicy.NONE,
        io_size=2**18,  # small enough to stay in the CPU cache between making and writing
        measured=False,
    )
