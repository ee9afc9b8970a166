"""Collecting raw data: many small or few large files written once, then read back and compared."""

import os
from typing import Literal

from pydantic import model_validator

from aibench.definition.fields import Bytes, Count
from aibench.generators.common import Drawn, Workers, scratch
from aibench.generators.kind import Kind, Request
from aibench.model import CachePolicy, Operation, Phase, Population, Sizes, SyncPolicy
from aibench.workers.loops.source import source_files

#: Sizes of files from a source are listed one by one in the plan.
_MOST_COLLECTED = 100_000


class Settings(Drawn):
    """The settings of an ingest workload.

    Without a ``source``, ``files`` have sizes ``fixed`` at ``size``, or ``lognormal`` with that
    mean and the given ``sigma`` of the logarithm, cut at ``smallest`` and ``largest``. With one, an
    absolute path, they are the first ``files`` files below it, of the sizes that they have there;
    it is only read. ``sync`` says whether each file is synced at its end. With ``verify`` all is
    read back by other workers, and compared.
    """

    files: Count = 10_000
    source: str = ""
    workers: Workers = 0
    io_size: Bytes = 2**20
    sync: Literal["none", "end"] = "end"
    verify: bool = True
    cache: CachePolicy = CachePolicy.COLD

    @model_validator(mode="after")
    def _is_possible(self) -> "Settings":
        if self.io_size < 1:
            raise ValueError("io_size has to be at least 1B")
        if self.source and not os.path.isabs(self.source):
            raise ValueError(f"source has to be an absolute path, not {self.source!r}")
        if self.cache is CachePolicy.DIRECT:
            raise ValueError("data is read back through the page cache: use cold or as-found")
        return self


def _population(settings: Settings, request: Request) -> Population:
    if not settings.source:
        files, sizes = settings.files, settings.population_sizes()
    else:
        found = _collected(settings)
        files, sizes = len(found), _listed(found)
    return scratch(
        request.workload, files=files, sizes=sizes, seed=request.seed,
        each=settings.files_per_directory,
    )  # fmt: skip


def _collected(settings: Settings) -> list[int]:
    """The sizes of the files below the source. ValueError where there are none, or too many."""
    try:
        found = source_files(settings.source, min(settings.files, _MOST_COLLECTED + 1))
    except OSError as error:
        why = (error.strerror or "?").lower()
        where = os.path.normpath(os.fsdecode(error.filename))
        raise ValueError(f"source {where} can't be read: {why}") from error
    if not found:
        raise ValueError(f"source {settings.source} has no regular file in it")
    if len(found) > _MOST_COLLECTED:
        raise ValueError(
            f"source {settings.source} has more than {_MOST_COLLECTED:,} files: say how many of "
            "them to collect with 'files'"
        )
    return [file.size for file in found]


def _listed(sizes: list[int]) -> Sizes:
    """The distribution of sizes given one by one, some of which may be 0."""
    return Sizes(
        distribution="listed",
        mean=sum(sizes) // len(sizes),
        smallest=min(sizes),
        largest=max(sizes),
        listed=tuple((1, size) for size in sizes),
    )


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """Everything written once; where it is to be verified, read back by the next worker."""
    ingest = Phase(
        name="ingest",
        operation=Operation.INGEST,
        population=_population(settings, request),
        processes=request.workers(settings.workers),
        sync=SyncPolicy(settings.sync),
        source=settings.source,
        io_size=settings.io_size,
    )
    if not settings.verify:
        return (ingest,)
    compare = Phase(
        name="verify",
        operation=Operation.COMPARE,
        population=ingest.population,
        processes=ingest.processes,
        cache=request.cache or settings.cache,
        source=settings.source,
        io_size=settings.io_size,
        shift=request.shift(ingest.processes),
    )
    return ingest, compare


KIND = Kind(
    name="ingest",
    summary="raw data collected: files written once, from memory or elsewhere, and verified",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("files",),
)
