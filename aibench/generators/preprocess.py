"""Preprocessing: raw samples read, transformed at a stated cost, and written into shards."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from aibench.definition.fields import Bytes, Duration
from aibench.generators.common import Workers, layout, scratch
from aibench.generators.kind import Kind, Request
from aibench.generators.load import Data, reading
from aibench.model import CachePolicy, Operation, Phase, Sizes, SyncPolicy, Transform
from aibench.workers.loops.feed import samples_of
from aibench.workers.loops.samples import reading_of


class Settings(Data):
    """The settings of a preprocess workload: its data, as for `load`, and what is made of it.

    Each sample costs ``cpu`` of one core, none by default, and becomes ``ratio`` times its mean
    size. So many ``samples_per_shard`` are written into one file, by ``io_size`` a call; ``sync``
    says whether each is synced at its end.
    """

    workers: Workers = 0
    cpu: Duration = 0
    ratio: Annotated[float, Field(gt=0, le=100)] = 1.0
    samples_per_shard: Annotated[int, Field(ge=1, le=10**9, strict=True)] = 1000
    io_size: Bytes = 2**20
    sync: Literal["none", "end"] = "end"

    @model_validator(mode="after")
    def _can_write(self) -> "Settings":
        if self.io_size < 1:
            raise ValueError("io_size has to be at least 1B")
        return self


def _most_samples(phase: Phase) -> int:
    """The most samples that one thread of control gets."""
    if reading_of(phase).streams:
        files = -(-phase.population.files // phase.slots)
        return files * phase.population.samples_per_file
    batches = -(-samples_of(phase) // phase.batch)
    return -(-batches // phase.slots) * phase.batch


def _transform(settings: Settings, request: Request, read: Phase) -> Transform:
    """What becomes of the samples that ``read`` reads."""
    each = max(round(read.sample_bytes * settings.ratio), 1)
    filled = min(settings.samples_per_shard, _most_samples(read))
    shards = -(-_most_samples(read) // settings.samples_per_shard) * read.slots
    output = scratch(
        request.workload,
        files=shards,
        sizes=Sizes(distribution="fixed", mean=each * filled),
        seed=request.seed,
    )
    return Transform(
        output=output,
        cpu_ns=settings.cpu,
        sample_bytes=each,
        samples_per_file=settings.samples_per_shard,
    )


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """The layout of the raw data, then one pass over it."""
    workers = request.workers(settings.workers)
    read = reading(settings, request, workers)
    if read.cache is CachePolicy.DIRECT:
        raise ValueError("samples are read through the page cache: use cold, warm or as-found")
    made = replace(
        read,
        name="preprocess",
        operation=Operation.PREPROCESS,
        sync=SyncPolicy(settings.sync),
        io_size=settings.io_size,
        transform=_transform(settings, request, read),
    )
    return layout(read.population, workers), made


KIND = Kind(
    name="preprocess",
    summary="raw samples read, transformed at a stated cost, and written into shards",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("files",),
)
