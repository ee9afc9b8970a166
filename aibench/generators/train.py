"""Training by emulated accelerators: how many of them the target keeps busy.

Each level is a phase with so many accelerators, fed by loaders that read whole batches ahead. They
compute for a given time and ask for the next batch; how much of their time they computed is their
utilisation.
"""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from aibench.capacity import levels_at_most
from aibench.definition.fields import Duration
from aibench.generators import evaluating, saving
from aibench.generators.accelerators import settings_of
from aibench.generators.common import Workers, layout
from aibench.generators.kind import Kind, Request
from aibench.generators.load import Data, reading
from aibench.model import Accelerators, Phase
from aibench.workers.loops.feed import steps_asked
from aibench.workers.loops.samples import reading_of

_Level = Annotated[int, Field(ge=1, le=4096, strict=True)]
_Each = Annotated[int, Field(ge=1, le=256, strict=True)]
#: A longer one would look like a target that hangs.
_LONGEST_NS = 60 * 10**9
_LEAST_STEPS = 2
#: The largest number that a search goes up to: each one is a phase of the plan.
_MOST_SEARCHED = 128

_Compute = Annotated[Duration, Field(gt=0, le=_LONGEST_NS)]


class Settings(Data):
    """The settings of a train workload; those of a ``preset`` stand where none of one's own do.

    ``accelerators`` are the levels, each a phase: so many accelerators, with ``loaders`` each that
    have up to ``prefetch`` batches ahead. With ``search`` they are found instead: the largest
    number up to it that is fed. An ``accelerator`` of the preset decides the batch and the time
    that it computes, ``compute``. With ``compute_sigma`` that is the mean of a
    ``compute_distribution``: the standard deviation of the logarithm of a ``lognormal`` one, or in
    shares of the mean that of a ``normal`` one (cut at 0 and at twice the mean) or a ``gamma`` one.
    Of the times in ``compute_times``, given instead, each is as likely as the others. With
    ``barrier`` accelerators end each step together. ``decode`` is the time of one core that a
    loader spends on a sample: none where not asked for. Where a reader streams files, samples of
    which the order is shuffled come out of a ``buffer`` of so many in each loader; it is filled
    before the first batch, from files in the order that ``order`` says. From the utilisation
    ``bar`` on accelerators count as fed.

    ``checkpoint`` is a table of `saving.Settings`: what accelerators stop for after so many steps.
    Then one more phase saves as many checkpoints alone. ``checkpoint_scale`` makes their files
    smaller. ``evaluation`` is a table of `evaluating.Settings`: what they stop for to read other
    data, of which ``evaluation_scale`` makes fewer files.

    A phase ends after its ``epochs``, after ``steps`` where there are fewer, or goes on over epochs
    for ``runtime``. Of several ``epochs`` each begins when the one before has ended; loaders that
    are not ``persistent`` are then forked anew, each as a process of its own. ``processes`` is over
    how many processes the others are spread; 0 is about two for each core.
    """

    preset: str = ""
    accelerator: str = ""
    accelerators: Annotated[tuple[_Level, ...], Field(min_length=1)] = (1, 2, 4, 8)
    search: Annotated[int, Field(ge=0, le=_MOST_SEARCHED, strict=True)] = 0
    compute: _Compute | None = None
    compute_sigma: Annotated[float, Field(ge=0, le=2)] = 0.0
    compute_distribution: Literal["lognormal", "normal", "gamma"] = "lognormal"
    compute_times: Annotated[tuple[_Compute, ...], Field(max_length=4096)] = ()
    loaders: _Each = 4
    prefetch: _Each = 2
    barrier: bool = True
    decode: Duration = 0
    buffer: Annotated[int, Field(ge=0, le=10**8, strict=True)] = 0
    bar: Annotated[float, Field(gt=0, le=1)] = 0.9
    steps: Annotated[int, Field(ge=0, le=10**9, strict=True)] = 0
    runtime: Duration = 0
    epochs: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    persistent: bool = True
    processes: Workers = 0
    checkpoint: saving.Settings | None = None
    checkpoint_scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    evaluation: evaluating.Settings | None = None
    evaluation_scale: Annotated[float, Field(gt=0, le=1000)] = 1.0

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
        if self.compute is None and not self.compute_times:
            raise ValueError("how long a batch is computed is missing: set 'compute', or a preset")
        if self.compute_times and self.compute_sigma:
            raise ValueError("'compute_times' are a distribution themselves: no 'compute_sigma'")
        return self

    @model_validator(mode="after")
    def _can_stop(self) -> "Settings":
        stops = self.checkpoint or self.evaluation
        if stops and not self.barrier:
            raise ValueError(
                "accelerators that save checkpoints or evaluate end steps together: no barrier"
            )
        if stops and self.search:
            raise ValueError(
                "a search is for loading alone: leave out 'checkpoint' and 'evaluation'"
            )
        if self.epochs > 1 and self.runtime:
            raise ValueError(
                "a number of 'epochs' or a 'runtime' over as many as it takes, not both"
            )
        if not self.persistent and (stops or self.epochs == 1):
            raise ValueError(
                "loaders are forked anew between 'epochs', of which there is one here, or there is "
                "a 'checkpoint' or an 'evaluation', whose processes live on: leave out "
                "persistent = false"
            )
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


def _accelerators(settings: Settings, count: int, searched: int) -> Accelerators:
    """``count`` accelerators as the settings have them."""
    times, distribution = settings.compute_times, settings.compute_distribution
    mean = sum(times) // len(times) if times else settings.compute
    assert mean is not None
    return Accelerators(
        count=count,
        loaders=settings.loaders,
        prefetch=settings.prefetch,
        compute_ns=mean,
        distribution="listed" if times else distribution if settings.compute_sigma else "fixed",
        sigma=settings.compute_sigma,
        listed=times,
        barrier=settings.barrier,
        steps=settings.steps,
        decode_ns=settings.decode,
        bar=settings.bar,
        searched=searched,
        buffer=settings.buffer,
        epochs=settings.epochs,
        persistent=settings.persistent,
        save_every=settings.checkpoint.every if settings.checkpoint else 0,
        save_until=settings.checkpoint.until if settings.checkpoint else "blocked",
        evaluate_every=settings.evaluation.every if settings.evaluation else 0,
    )


def _level(settings: Settings, request: Request, count: int, searched: int = 0) -> Phase:
    asked = _accelerators(settings, count, searched)
    wanted = (settings.processes or 2 * request.cpus) * request.ranks
    split = spread(asked.seats, wanted) if settings.persistent else (asked.seats, 1)
    level = replace(
        reading(settings, request, *split),
        name=f"accelerators-{count}",
        accelerators=replace(asked, save_every=0, evaluate_every=0),
        runtime_ns=settings.runtime,
    )
    if settings.buffer and not reading_of(level).streams:
        raise ValueError(
            f"format {settings.format!r} read as by {level.reader!r} has an order of samples, "
            "not a shuffle buffer: that is for readers that stream files, such as webdataset"
        )
    saved = evaluated = None
    if settings.checkpoint:
        checkpoints = _stops(level, asked, "checkpoint", asked.save_every)
        saved = _saved(settings, request, "save", checkpoints)
    if settings.evaluation:
        _stops(level, asked, "evaluation", asked.evaluate_every)
        evaluated = settings.evaluation.evaluated(
            settings, request, asked, split, settings.evaluation_scale
        )
    return replace(level, accelerators=asked, saving=saved, evaluation=evaluated)


def _stops(level: Phase, asked: Accelerators, what: str, every: int) -> int:
    """How often a level stops, not after its last step; ValueError where it never does."""
    steps = steps_asked(level, asked)
    if level.runtime_ns:
        soonest = level.runtime_ns // max(asked.compute_ns, 1) + 1
        steps = min(asked.steps or soonest, soonest)
    if steps <= every:
        raise ValueError(
            f"there is no {what} after each {every} of {steps} steps of {asked.count} "
            "accelerators; stop after fewer, or use more files or samples"
        )
    return (steps - 1) // every


def _saved(settings: Settings, request: Request, name: str, checkpoints: int) -> Phase:
    """The phase that saves the checkpoints of a training."""
    asked = settings.checkpoint
    assert asked is not None
    scaled = asked.model_copy(update={"scale": asked.scale * settings.checkpoint_scale})
    return scaled.saved(request, name, checkpoints)


def _steps(level: Phase) -> int:
    """How many steps the data are enough for."""
    assert level.accelerators is not None
    return steps_asked(level, level.accelerators)


def _given(settings: Settings, request: Request) -> list[Phase]:
    """The levels that were asked for. ValueError where the data are too few for one."""
    levels = [_level(settings, request, count) for count in settings.accelerators]
    for count, level in zip(settings.accelerators, levels, strict=True):
        if (steps := _steps(level)) < _LEAST_STEPS:
            raise ValueError(
                f"the data are enough for {steps} steps of {count} accelerators, whose first step "
                f"does not count; use more files, or samples, for {count * settings.loaders} "
                "loaders"
            )
    return levels


def _candidates(settings: Settings, request: Request) -> list[Phase]:
    """All levels of a search that the data are enough for; ValueError where that is none."""
    searched = levels_at_most(settings.search)
    levels = []
    for count in range(1, settings.search + 1):
        level = _level(settings, request, count, searched)
        if _steps(level) < _LEAST_STEPS:
            break
        levels.append(level)
    return levels or _given(settings.model_copy(update={"accelerators": (1,)}), request)


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """The layout of the data, checkpoints alone, then a phase for each number of accelerators.

    Alone are as many checkpoints as the first number of accelerators stops for.
    """
    levels = (_candidates if settings.search else _given)(settings, request)
    saved = levels[0].saving
    alone = (replace(saved, name="checkpoint-alone"),) if saved else ()
    workers = request.workers(0)
    other = levels[0].evaluation
    more = (replace(layout(other.population, workers), name="layout-validation"),) if other else ()
    return layout(levels[0].population, workers), *more, *alone, *levels


KIND = Kind(
    name="train",
    summary="emulated accelerators that take batches and compute: how many are kept busy",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("files", "checkpoint_scale", "evaluation_scale"),
)
