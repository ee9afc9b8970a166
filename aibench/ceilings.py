"""The ceiling of the harness in each phase: roughly at first, and well where it comes near.

Storage is mostly far below what the harness could do, and then it matters little how well that is
known. Where a rate comes near the ceiling, the ceiling is found again, for longer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from aibench.metrics import rate
from aibench.model import Ceiling, Measurement, Phase

ROUGH_NS = 30_000_000
"""A first look. Workers that have just been forked are slow: of nine kinds of phase, eight times
each on two cores, it came to 77 to 102 % of what they do in 0.3 s; fio's jobs to 55 to 129 %.
The scatter was the same at 30, 50, 100, 150 and 300 ms."""
FINE_NS = 300_000_000
"""A second look, in which those first moments are a small part."""
NEAR = 2.0
"""Below this ceiling over measured rate the second look is taken. Where the first is too low it is
taken in vain; where it is too high, by less than a half, nothing slips through that comes within
`metrics.CLIENT_BOUND_BELOW` of the real ceiling."""

#: Finds the ceiling of a phase in so many nanoseconds; None where it can't be told.
Find = Callable[[Phase, int], Ceiling | None]


@dataclass(slots=True)
class Ceilings:
    """The ceilings of the phases of one stage, each found by ``find`` when it is first needed."""

    find: Find
    _found: dict[str, Ceiling | None] = field(default_factory=dict)
    _fine: set[str] = field(default_factory=set)

    def before(self, phase: Phase) -> None:
        """Take the first look, before ``phase`` leaves anything behind that could disturb it."""
        if phase.name not in self._found:
            self._found[phase.name] = self.find(phase, ROUGH_NS)

    def over(self, phase: Phase, measured: Measurement) -> Ceiling | None:
        """The ceiling over what was measured in ``phase``; None where it can't be told."""
        found = self._found[phase.name]
        if found is not None and phase.name not in self._fine and _near(found, measured):
            self._fine.add(phase.name)
            self._found[phase.name] = self.find(phase, FINE_NS) or found
        return self._found[phase.name]


def _near(ceiling: Ceiling, measured: Measurement) -> bool:
    """Whether the operations or the bytes of ``measured`` come near to ``ceiling``."""
    for unit in ("op/s", "B/s"):
        limit, reached = rate(ceiling, unit), rate(measured, unit)
        if limit and reached and limit < NEAR * reached:
            return True
    return False
