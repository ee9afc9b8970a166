"""Bandwidth and IOPS of large files: what all other reading and writing draws on.

Four measured phases over the same number of files as jobs: ``seq-read`` and ``seq-write`` in
large blocks, ``rand-read`` and ``rand-write`` in small ones. Reads have their own data, which
stays for the next run; writes overwrite scratch files that the engine lays out before the time
begins, so that both are bounded by ``jobs`` times ``file_size``.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import Field, model_validator

from aibench.definition.fields import Bytes, Duration
from aibench.definition.source import Strict
from aibench.generators.kind import Kind, Request
from aibench.generators.rates import Rates, offered
from aibench.model import (
    CachePolicy,
    Operation,
    Order,
    Phase,
    Population,
    Sizes,
    SyncPolicy,
)
from aibench.units import format_size_binary

_SECTOR = 512
_LAYOUT_BLOCK = 2**18

Depth = Annotated[int, Field(ge=1, le=4096, strict=True)]
Jobs = Annotated[int, Field(ge=0, le=1024, strict=True)]


class Settings(Strict):
    """The settings of a block workload; ``jobs = 0`` takes one for each core.

    ``runtime`` bounds each measured phase; a phase that goes through the page cache also ends
    when it has gone over its files once. With ``rates`` there is one phase of each pattern at each
    of them instead: requests begin at random times (Poisson) at that rate, ``500op/s`` or
    ``200MB/s`` of all jobs together.
    """

    jobs: Jobs = 4
    file_size: Bytes = 2**30
    runtime: Duration = 30 * 10**9
    sequential_block: Bytes = 2**20
    sequential_depth: Depth = 8
    random_block: Bytes = 4096
    random_depth: Depth = 32
    cache: CachePolicy = CachePolicy.DIRECT
    rates: Rates = ()

    @model_validator(mode="after")
    def _is_possible(self) -> "Settings":
        for name in ("sequential_block", "random_block"):
            block = getattr(self, name)
            if block == 0 or block % _SECTOR:
                raise ValueError(f"{name} has to be a multiple of {_SECTOR} B, not {block} B")
            if block > self.file_size:
                raise ValueError(
                    f"{name} of {format_size_binary(block)} does not fit into "
                    f"a file_size of {format_size_binary(self.file_size)}"
                )
        return self


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """The layout of the data to read, then the four measured phases.

    The file size is rounded up to whole blocks of both sizes.
    """
    jobs = (settings.jobs or request.cpus) * request.ranks
    whole = math.lcm(settings.sequential_block, settings.random_block)
    sizes = Sizes(distribution="fixed", mean=-(-settings.file_size // whole) * whole)
    data = Population(
        directory=f"data/{request.workload}", files=jobs, sizes=sizes, seed=request.seed
    )
    scratch = Population(
        directory=f"scratch/{request.workload}-write",
        files=jobs,
        sizes=sizes,
        seed=request.seed,
        persistent=False,
    )
    layout = Phase(
        name="layout",
        operation=Operation.WRITE_FILES,
        population=data,
        processes=jobs,
        sync=SyncPolicy.END,
        io_size=_LAYOUT_BLOCK,
        measured=False,
    )
    cache = request.cache or settings.cache
    moved = request.shift(jobs, 1) if len(request.fleet) > 1 else 0
    return (
        layout,
        *_paced(replace(_measured("seq-read", settings, data, cache), shift=moved), settings),
        *_paced(_measured("seq-write", settings, scratch, cache), settings),
        *_paced(replace(_measured("rand-read", settings, data, cache), shift=moved), settings),
        *_paced(_measured("rand-write", settings, scratch, cache), settings),
    )


def _paced(phase: Phase, settings: Settings) -> Iterator[Phase]:
    """``phase`` at each of the rates; as it is where there are none."""
    if not settings.rates:
        yield phase
    for number, text in enumerate(settings.rates):
        rate = offered(text, phase.io_size)
        if rate < phase.processes:
            raise ValueError(
                f"rates: {text} is less than one request a second for each of {phase.processes} "
                f"jobs in {phase.name}; offer more, or use fewer jobs"
            )
        yield replace(phase, name=f"{phase.name}-rate-{number + 1}", rate=rate)


def _measured(name: str, settings: Settings, population: Population, cache: CachePolicy) -> Phase:
    order, _, direction = name.partition("-")
    random, write = order == "rand", direction == "write"
    return Phase(
        name=name,
        operation=Operation.WRITE_BLOCKS if write else Operation.READ_BLOCKS,
        population=population,
        processes=population.files,
        order=Order.SHUFFLED if random else Order.SEQUENTIAL,
        cache=cache,
        sync=SyncPolicy.END if write else SyncPolicy.NONE,
        io_size=settings.random_block if random else settings.sequential_block,
        depth=settings.random_depth if random else settings.sequential_depth,
        runtime_ns=settings.runtime,
    )


KIND = Kind(
    name="block",
    summary="bandwidth and IOPS of large files: sequential and random, read and write",
    engine="fio",
    settings=Settings,
    phases=phases,
    scaled=("file_size",),
)
