"""What it takes to test one reading of a claim."""

from dataclasses import dataclass
from enum import StrEnum

from aibench.clients.rig import Task
from aibench.model import Claim, Interpretation


class Answer(StrEnum):
    """What the answer is about.

    ``clients``: a rate, so a number of clients. ``one``: one client suffices. ``levels``: several
    sizes. ``sides``: two sides that are measured alike. ``model``: what is measured feeds a model.
    ``lacking``: it takes what no client brings. ``never``: nothing that a filesystem shows.
    """

    CLIENTS = "clients"
    ONE = "one"
    LEVELS = "levels"
    SIDES = "sides"
    MODEL = "model"
    LACKING = "lacking"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What asks for ``clients``: ``demand`` over ``each``, what one client can do of it.

    ``what`` is ``link`` (bytes per second) or ``harness`` (operations per second).
    """

    what: str
    demand: float
    each: float
    clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One size and the clients that it takes; None where nothing tells how many."""

    size: int
    clients: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The answer for one reading; ``claim`` is the claim as it reads it.

    ``clients`` are the fewest that can support the figure, ``to_refute`` the fewest that can also
    refute it: None where that can't be told. ``figure`` is what is claimed of all ``units`` of the
    claimed unit that are driven at once. ``levels`` are the sizes along ``axis``. ``operations`` is
    how many a run needs at least, for a percentile. ``tests`` are the workloads that test it,
    ``settings`` ask the first of them for ``data_bytes``, which are more than the memory of all
    clients holds. ``runs`` are to be made, ``runs_if_noisy`` where they spread more. ``reasons``
    are codes of the judge.
    """

    claim: Claim
    reading: Interpretation
    answer: Answer
    clients: int | None = None
    to_refute: int | None = None
    units: int = 1
    figure: float | None = None
    bounds: tuple[Bound, ...] = ()
    levels: tuple[Level, ...] = ()
    axis: str = ""
    operations: int | None = None
    tests: tuple[Task, ...] = ()
    settings: tuple[str, ...] = ()
    data_bytes: int | None = None
    runs: int | None = None
    runs_if_noisy: int | None = None
    reasons: tuple[str, ...] = ()

    @property
    def test(self) -> Task | None:
        """The first workload that tests it."""
        return self.tests[0] if self.tests else None
