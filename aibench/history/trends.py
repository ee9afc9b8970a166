"""One series over time: its levels, what changed around it at each of them, and slow drift."""

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aibench.history.gate import FEWEST
from aibench.history.levels import Level, levels
from aibench.model.history import Event, History, Session
from aibench.stats.changes import Change
from aibench.stats.prediction import Prediction, predicted
from aibench.stats.trends import Drift, drift

#: A series that can't show a loss of this share is called unstable.
UNSTABLE_FROM = 0.05
_DAY_S = 86_400
#: A pause is longer than usual from this many times the usual one on.
_LONG = 1.8

#: What was before, and what is now; None for what was not known.
Differences = Mapping[str, tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A change of level: the first ``session`` at it, and what else was not as before."""

    session: Session
    before: Session
    change: Change
    facts: Differences


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What can be said of one series.

    ``expected`` is where the next session should lie; None with too little history.
    ``predecessors`` are series of the same question to the same target that differ in what makes
    series comparable, with what changed from each of them to this one. ``missing`` is how many
    sessions a series with a regular rhythm seems to lack.
    """

    history: History
    levels: tuple[Level, ...]
    turns: tuple[Turn, ...]
    drift: Drift | None
    expected: Prediction | None
    events: tuple[Event, ...] = ()
    predecessors: tuple[tuple[History, Differences], ...] = ()
    missing: int = 0

    @property
    def unstable(self) -> bool:
        """Whether a loss of 5 % would not be told."""
        return self.expected is not None and self.expected.detectable > UNSTABLE_FROM


def trend(history: History, events: Sequence[Event] = (), family: Sequence[History] = ()) -> Trend:
    """What becomes of ``history``, given what users said of it and the series of its family."""
    everything = levels(history.sessions)
    recent = levels(history.sessions, events)
    turns = [
        Turn(
            session=level.sessions[0],
            before=earlier.sessions[-1],
            change=level.change,
            facts=differences(earlier.sessions[-1].facts, level.sessions[0].facts),
        )
        for earlier, level in itertools.pairwise(everything)
        if level.change is not None
    ]
    usable = sum(len(level.sessions) for level in recent) >= FEWEST
    usable = usable and len(recent[-1].sessions) >= 3
    own = [session for session in history.sessions if not session.confirms]
    return Trend(
        history=history,
        levels=everything,
        turns=tuple(turns),
        drift=drift([session.value for session in own]) if not turns else None,
        expected=predicted([level.values for level in recent]) if usable else None,
        events=tuple(events),
        predecessors=_predecessors(history, family),
        missing=_missing([session.started_at for session in own]),
    )


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> Differences:
    """What is not the same in both, by name."""
    return {
        name: (before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


def _predecessors(
    history: History, family: Sequence[History]
) -> tuple[tuple[History, Differences], ...]:
    first = history.sessions[0]
    found = []
    for other in family:
        earlier = [s for s in other.sessions if s.started_at < first.started_at]
        if earlier and other.id.key != history.id.key and other.id.family == history.id.family:
            found.append((other, differences(earlier[-1].facts, first.facts)))
    return tuple(sorted(found, key=lambda pair: pair[0].sessions[-1].started_at, reverse=True))


def _missing(times: Sequence[str]) -> int:
    """How many sessions are missing where most follow one another at about the same distance."""
    moments = [datetime.fromisoformat(time).timestamp() for time in times]
    pauses = [b - a for a, b in itertools.pairwise(moments)]
    if len(pauses) < FEWEST:
        return 0
    usual = statistics.median(pauses)
    regular = sum(abs(pause - usual) <= 0.25 * usual for pause in pauses) >= 0.6 * len(pauses)
    if not regular or usual < _DAY_S / 24:
        return 0
    return sum(round(pause / usual) - 1 for pause in pauses if pause > _LONG * usual)
