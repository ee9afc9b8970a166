"""What is said of a comparison as a whole, and what is not in it."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

from aibench.compare.readings import Place, named, places, reading
from aibench.compare.rules import Entrant, Rules
from aibench.errors import Refused
from aibench.identity import identity
from aibench.model import Finding, RunRecord
from aibench.model.comparison import Figure, Outcome, Overall


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


def refuse_unknown(records: Sequence[RunRecord], rules: Rules) -> None:
    """`Refused` where a figure that was called a must is none of these runs'."""
    known = {
        (where, name)
        for where in places(records)
        for record in records
        if (found := reading(record, where)) is not None
        for name in found.metrics
    }
    for wanted in rules.must_have:
        if not any(is_named(where, name, (wanted,)) for where, name in known):
            told = ", ".join(sorted({name for _, name in known}))
            raise Refused(f"--must-have {wanted[:60]!r}: there is no such figure; there are {told}")


def refuse_below_floor(records: Sequence[RunRecord], rules: Rules) -> None:
    """`Refused` where no difference of the size that matters could be believed.

    That is so where it is below the noise floor of a figure that was named as a must, or of all.
    """
    smallest = math.log1p(rules.delta)
    above: dict[str, float] = {}
    below = 0
    for where in places(records):
        for record in records:
            found = reading(record, where)
            for name in found.metrics if found else ():
                key = identity(record, found.stage, found.phase).series if found else ""
                floor = rules.floors.get((key, name), 0.0)
                if floor > smallest and is_named(where, name, rules.must_have or (name,)):
                    told = " ".join((*where, name))
                    above[told] = max(floor, above.get(told, 0.0))
                else:
                    below += 1
    if above and (rules.must_have or not below):
        told = ", ".join(f"{name} {100 * math.expm1(floor):.2g} %" for name, floor in above.items())
        raise Refused(
            f"--delta {100 * rules.delta:.3g}% is below the noise floor of these mounts: {told}; "
            "give a larger --delta, or longer phases"
        )


def is_named(where: Place, name: str, wanted: Sequence[str]) -> bool:
    """Whether a figure is among those that are ``wanted`` by name."""
    return bool({name, f"{where[1]}/{name}", f"{where[0]}/{where[1]}/{name}"} & set(wanted))
