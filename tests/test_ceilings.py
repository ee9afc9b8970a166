"""The ceiling of a phase is looked for roughly, and again where it comes near."""

from aibench.ceilings import FINE_NS, NEAR, ROUGH_NS, Ceilings
from aibench.metrics import CLIENT_BOUND_BELOW
from aibench.model import Ceiling, Measurement, Phase
from tests import build

PHASE = build.phase()
SECOND = 10**9


def ceiling(operations: int, moved: int = 0) -> Ceiling:
    """So many operations and bytes in a second."""
    return Ceiling(operations=operations, bytes=moved, elapsed_ns=SECOND)


def measured(operations: int, moved: int = 0) -> Measurement:
    """So many operations and bytes in ten seconds."""
    return build.measurement(operations=10 * operations, bytes=10 * moved, elapsed_ns=10 * SECOND)


class Harness:
    """Finds one ceiling in a short look, another one in a long one, and counts its looks."""

    def __init__(self, rough: Ceiling | None, fine: Ceiling | None = None) -> None:
        self.found = {ROUGH_NS: rough, FINE_NS: fine}
        self.looks: list[tuple[str, int]] = []

    def __call__(self, phase: Phase, long: int) -> Ceiling | None:
        """What is found in so long a look; None where nothing can be told."""
        self.looks.append((phase.name, long))
        return self.found[long]


def over(harness: Harness, *rates: Measurement) -> list[Ceiling | None]:
    """The ceilings over repeats of one phase."""
    ceilings = Ceilings(harness)
    found = []
    for each in rates:
        ceilings.before(PHASE)
        found.append(ceilings.over(PHASE, each))
    return found


def test_far_away_is_known_well_enough() -> None:
    """Of storage that is far slower than the harness, one short look is enough for all repeats."""
    harness = Harness(ceiling(1000))
    assert over(harness, measured(100), measured(499)) == [ceiling(1000)] * 2
    assert harness.looks == [(PHASE.name, ROUGH_NS)]


def test_near_is_looked_at_again_once() -> None:
    """Where a repeat comes near, its ceiling and those of all later ones come from a long look."""
    harness = Harness(ceiling(1000), ceiling(1400))
    rates = [measured(100), measured(900), measured(100), measured(1300)]
    assert over(harness, *rates) == [ceiling(1000), *[ceiling(1400)] * 3]
    assert [long for _, long in harness.looks] == [ROUGH_NS, FINE_NS]


def test_bytes_come_near_as_well() -> None:
    """Operations are far from their ceiling and bytes are not, where all are large."""
    harness = Harness(ceiling(1000, 1000), ceiling(1000, 2000))
    assert over(harness, measured(100, 900)) == [ceiling(1000, 2000)]


def test_what_can_not_be_told() -> None:
    """No ceiling stays none; where only the long look finds none, the short one stands."""
    assert over(Harness(None), measured(100), measured(100)) == [None, None]
    assert over(Harness(ceiling(100)), measured(90)) == [ceiling(100)]


def test_a_limit_is_never_decided_by_a_short_look() -> None:
    """Whether the harness is the limit is decided by long looks, with room for a rough error."""
    assert NEAR > 1.5 * CLIENT_BOUND_BELOW
