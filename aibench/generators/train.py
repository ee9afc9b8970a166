"""Training by emulated accelerators: how many of them the target keeps busy.

Each level is a phase with so many accelerators, fed by loaders that read whole batches ahead. They
compute for a given time and ask for the next batch; how much of their time they computed is their
utilisation.
"""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from aibench.definition.fields import Duration
from aibench.generators.accelerators import settings_of
from aibench.generators.common import Workers, layout
from aibench.generators.kind import Kind, Request
from aibench.generators.load import Data, reading
from aibench.model import Accelerators, Phase
from aibench.workers.loops.feed import steps_asked

_Level = Annotated[int, Field(ge=1, le=4096, strict=True)]
_Each = Annotated[int, Field(ge=1, le=256, strict=True)]
#: A longer one would look like a target that hangs.
_LONGEST_NS = 60 * 10**9
_LEAST_STEPS = 2


class Settings(Data):
    """The settings of a train workload; those of a ``preset`` stand where none of one's own do.

    ``accelerators`` are the levels, each a phase: so many accelerators, with ``loaders`` each that
    have up to ``prefetch`` batches ahead. An ``accelerator`` of the preset decides the batch and
    the time that it computes, ``compute``; with ``compute_sigma`` that is the mean of a lognormal
    distribution. With ``barrier`` they end each step together. ``decode`` is the time of one core
    that a loader spends on a sample: none where not asked for. From the utilisation ``bar`` on
    accelerators count as fed.

    A phase ends after an epoch, after ``steps`` where there are fewer, or goes on over epochs for
    ``runtime``. ``processes`` is over how many processes loaders are spread; 0 is about two for
    each core.
    """

    preset: str = ""
    accelerator: str = ""
    accelerators: Annotated[tuple[_Level, ...], Field(min_length=1)] = (1, 2, 4, 8)
    compute: Annotated[Duration, Field(gt=0, le=_LONGEST_NS)]
    compute_sigma: Annotated[float, Field(ge=0, le=2)] = 0.0
    loaders: _Each = 4
    prefetch: _Each = 2
    barrier: bool = True
    decode: Duration = 0
    bar: Annotated[float, Field(gt=0, le=1)] = 0.9
    steps: Annotated[int, Field(ge=0, le=10**9, strict=True)] = 0
    runtime: Duration = 0
    processes: Workers = 0

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not given.get("preset"):
            return given
        preset = settings_of(str(given["preset"]), str(given.get("accelerator", "")))
        return {**preset, **given}

    @model_validator(mode="after")
    def _has_model(self) -> "Settings":
        if self.accelerator and not self.preset:
            raise ValueError("'accelerator' is one of a preset's; without one, set 'compute'")
        return self

    @field_validator("accelerators")
    @classmethod
    def _are_levels(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(given)) < len(given):
            raise ValueError("each level of 'accelerators' stands there once")
        return given


def spread(loaders: int, wanted: int) -> tuple[int, int]:
    """(processes, threads of each) for so many loaders: the divisor nearest to ``wanted``."""
    divisors = (number for number in range(1, loaders + 1) if loaders % number == 0)
    processes = min(divisors, key=lambda number: max(number, wanted) / min(number, wanted))
    return processes, loaders // processes


def _level(settings: Settings, request: Request, count: int) -> Phase:
    asked = Accelerators(
        count=count,
        loaders=settings.loaders,
        prefetch=settings.prefetch,
        compute_ns=settings.compute,
        sigma=settings.compute_sigma,
        barrier=settings.barrier,
        steps=settings.steps,
        decode_ns=settings.decode,
        bar=settings.bar,
    )
    split = spread(asked.seats, settings.processes or 2 * request.cpus)
    phase = replace(
        reading(settings, request, *split),
        name=f"accelerators-{count}",
        accelerators=asked,
        runtime_ns=settings.runtime,
    )
    steps = steps_asked(phase, asked)
    if steps < _LEAST_STEPS:
        raise ValueError(
            f"the data are enough for {steps} steps of {count} accelerators, whose first step does "
            f"not count; use more files, or samples, for {asked.seats} loaders"
        )
    return phase


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """The layout of the data set, then a phase for each number of accelerators."""
    levels = [_level(settings, request, count) for count in settings.accelerators]
    return layout(levels[0].population, max(4, 2 * request.cpus)), *levels


KIND = Kind(
    name="train",
    summary="emulated accelerators that take batches and compute: how many are kept busy",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("files",),
)
