"""What is said of a comparison as a whole, and what is not in it."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

from aibench.compare.readings import named, places, reading
from aibench.compare.rules import Entrant
from aibench.model import Figure, Finding, Outcome, Overall


def missing(entrants: Sequence[Entrant]) -> Iterator[Finding]:
    """Runs that say nothing of a phase, and phases that not all plans have."""
    every = [record for entrant in entrants for record in entrant.runs]
    for where in places(every):
        for record in every:
            found = reading(record, where)
            if found is None or found.why_none:
                why = found.why_none if found else "it is not in the plan"
                yield named(record, f"{' '.join(where)}: {why}")


def overall(figures: Sequence[Figure], sides: int) -> Iterator[Overall]:
    """Geometric mean and counts; a figure that follows from another one counts once."""
    for first, second in combinations(range(sides), 2):
        known: dict[object, float] = {}
        outcomes: dict[Outcome, int] = {}
        for figure in figures:
            for each in figure.differences:
                if (each.first, each.second) != (first, second):
                    continue
                outcomes[each.outcome] = outcomes.get(each.outcome, 0) + 1
                if each.log_ratio is not None:
                    sign = 1 if figure.better == "higher" else -1
                    same = (figure.workload, figure.phase, round(abs(each.log_ratio), 9))
                    known.setdefault(same, sign * each.log_ratio)
        mean = math.fsum(known.values()) / len(known) if known else None
        yield Overall(first=first, second=second, log_advantage=mean, figures=len(known),
                      outcomes=outcomes)  # fmt: skip
