"""What is compared, and by which rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aibench.model import RunRecord, System

#: The smallest difference that matters, where nobody says otherwise: 5 %.
DEFAULT_DELTA = 0.05
#: The confidence of a single look, and of each of two.
ONE_LOOK, TWO_LOOKS = 0.95, 0.975
#: Labels in the header of a record that belongs to a duel.
DUEL, PAIR, SIDE, PAIRS, EXTENSION, SIDES, ITSELF = (
    "duel", "pair", "side", "pairs", "extension", "sides", "itself",
)  # fmt: skip
#: The pair that warms up, and is discarded.
WARM_UP = 0
#: The largest numbers that a duel has; a label beyond is nobody's.
MOST_PAIRS = 40
MOST_SIDES = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One side: its letter, its runs (warm-ups left out), and what the user says that it is."""

    key: str
    runs: tuple[RunRecord, ...]
    system: System | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How to decide.

    ``must_have`` names the figures that a purchase hangs on (metric, phase/metric or
    workload/phase/metric); none means all. With ``screen`` no figure is. ``accepted`` are codes of
    gates that are let pass, ``allowed`` names of differences that are shown and not refused.
    ``floors`` are logarithms of the noise by (key of the series, metric).
    """

    delta: float = DEFAULT_DELTA
    confidence: float = ONE_LOOK
    must_have: tuple[str, ...] = ()
    screen: bool = False
    accepted: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    floors: Mapping[tuple[str, str], float] = field(default_factory=dict)
