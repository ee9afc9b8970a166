"""What kinds of workload share: data sets that are found again, and automatic numbers."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from aibench.model import Operation, Phase, Population, Sizes, SyncPolicy

#: Worker processes; 0 means automatic.
Workers = Annotated[int, Field(ge=0, le=1024, strict=True)]
Threads = Annotated[int, Field(ge=1, le=256, strict=True)]
#: At most a few thousand files are grouped, so that a chunk of the loop holds whole batches.
Batch = Annotated[int, Field(ge=1, le=4096, strict=True)]

#: File names have ten digits; no file system holds more files either.
MOST_FILES = 10**10


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
