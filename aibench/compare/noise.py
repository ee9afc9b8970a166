"""What a duel of a mount with itself says: the noise floor of each of its figures."""

from collections.abc import Iterator, Sequence

from aibench.compare.readings import reading
from aibench.compare.rules import Entrant
from aibench.identity import identity
from aibench.model.comparison import Comparison, NoiseFloor
from aibench.stats.intervals import FEWEST_RUNS


def noise_floors(
    comparison: Comparison, entrants: Sequence[Entrant], at: str
) -> tuple[NoiseFloor, ...]:
    """The floor of each figure of a duel of a mount with itself; none of too few pairs."""
    return tuple(_floors(comparison, entrants, at))


def _floors(comparison: Comparison, entrants: Sequence[Entrant], at: str) -> Iterator[NoiseFloor]:
    record = entrants[0].runs[0]
    for figure in comparison.figures:
        found = reading(record, (figure.workload, figure.phase))
        for each in figure.differences:
            if found is None or each.log_low is None or each.log_high is None:
                continue
            if each.n >= FEWEST_RUNS:
                yield NoiseFloor(
                    series=identity(record, found.stage, found.phase).series,
                    metric=figure.metric,
                    log_ratio=max(abs(each.log_low), abs(each.log_high)),
                    pairs=each.n,
                    duel=comparison.duel or "",
                    at=at,
                    target=record.target.label,
                    workload=figure.workload,
                    phase=figure.phase,
                )
