"""The results of many runs as series over time, and what becomes of the newest of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesId:
    """What makes results comparable over time: ``key`` is equal for results that are.

    ``key`` is the SHA-256 of client, mount, target, workload and harness (`identity`), with the
    metric and the state of the cache. ``family`` is equal for the same question to the same
    target, whatever client, kernel or mount options asked it. ``series`` is the key of `identity`
    alone, under which noise floors are kept; empty where there is none.
    """

    key: str
    family: str
    workload: str
    phase: str
    metric: str
    title: str
    unit: str
    better: str
    target: str
    state: str | None = None
    series: str = ""

    @property
    def name(self) -> str:
        """How a reader knows it: ``load-4k/epoch files_per_second cold``."""
        return " ".join(filter(None, (f"{self.workload}/{self.phase}", self.metric, self.state)))

    @property
    def short(self) -> str:
        """The first ten digits of the key, which commands take."""
        return self.key[:10]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run's result: the median of its ``n`` repeats that count, in the series' unit.

    ``canary`` is what the harness alone did meanwhile with no I/O behind it, in operations or bytes
    per second. ``facts`` are what was true of client, mount and target. ``confirms`` is the id of
    the run that this one was made to confirm; it is shown, and is no baseline for others.
    """

    run_id: str
    started_at: str
    value: float
    n: int
    canary: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    confirms: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One series: its sessions, oldest first."""

    id: SeriesId
    sessions: tuple[Session, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that a user said of a series: from ``run_id`` on its level is the one to hold.

    ``kind`` is ``set`` (a baseline begins) or ``bless`` (a change is accepted, for ``reason``).
    """

    kind: str
    series: str
    run_id: str
    at: str
    by: str
    reason: str = ""


class Standing(StrEnum):
    """How the newest session of a series stands to those before it."""

    OK = "OK"
    SUSPECT = "SUSPECT"
    REGRESSED = "REGRESSED"
    MAYBE_IMPROVED = "MAYBE_IMPROVED"
    IMPROVED = "IMPROVED"
    INSUFFICIENT = "INSUFFICIENT"
    CLIENT_CHANGED = "CLIENT_CHANGED"
    MISSED_BOUND = "MISSED_BOUND"
    UNDECIDED_BOUND = "UNDECIDED_BOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rung of the gate: what was asked, whether it spoke for a change (None: not asked)."""

    name: str
    fired: bool | None
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the gate says of the newest session of one series, and each step to it.

    ``ratio`` is the session over the middle of its baseline of ``baseline`` sessions; ``low`` and
    ``high`` are the limits within which the next session was expected. ``detectable`` is the
    smallest loss that would have been told.
    """

    id: SeriesId
    session: Session
    standing: Standing
    steps: tuple[Step, ...] = ()
    baseline: int = 0
    ratio: float | None = None
    center: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    next_step: str = ""
