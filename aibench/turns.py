"""What a run does after what: phases and repeats take turns, and so do engines."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from random import Random

from aibench.capacity import next_level, searched
from aibench.model import Phase, Plan, Sample, Stage


def turns(stage: Stage, samples: Sequence[Sample]) -> Iterator[tuple[Phase, int]]:
    """Which repeat of which phase is next, after ``samples`` of this stage, which grow meanwhile.

    Phases take turns; those of a search have all their repeats, and then it is decided which
    phase is next. The levels of a sweep stand in an order of their own in each repeat, so that
    what changes meanwhile on client or storage is on no level's side.
    """
    while searched(stage):
        if (level := next_level(stage, samples)) is None:
            return
        done = {sample.repeat for sample in samples if sample.phase == level.name}
        yield level, min(set(range(stage.repeats)) - done)
    done_before = {(sample.phase, sample.repeat) for sample in samples}
    for repeat in range(stage.repeats):
        for phase in _in_order(stage, repeat):
            if (phase.name, repeat) not in done_before:
                yield phase, repeat


def _in_order(stage: Stage, repeat: int) -> Iterator[Phase]:
    """The measured phases; levels of a sweep in a random order, the same for the same seed."""
    levels = list(dict.fromkeys(phase.levels for phase in stage.measured))
    if len(levels) > 1:
        seed = stage.measured[0].population.seed
        Random(f"{seed} {stage.beside or stage.workload} {repeat}").shuffle(levels)
    for level in levels:
        yield from (phase for phase in stage.measured if phase.levels == level)


def together(plan: Plan) -> Iterator[list[Stage]]:
    """The stages that are not refused; those together that are one workload by several engines."""
    possible = (stage for stage in plan.stages if stage.refusal is None)
    for _, stages in groupby(possible, lambda stage: stage.beside or stage.workload):
        yield list(stages)
