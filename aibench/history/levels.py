"""The levels of a series between its changes, and which of them a new session is held against."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from aibench.model.history import Event, Session
from aibench.stats.changes import Change, changes

#: So many of the latest sessions of a level make its middle.
MOST = 20


@dataclass(frozen=True, slots=True)
class Level:
    """Sessions between two changes. ``change`` is what it began with, None for the first one."""

    sessions: tuple[Session, ...]
    change: Change | None = None

    @property
    def values(self) -> list[float]:
        """The latest values of the level, at most 20."""
        return [session.value for session in self.sessions[-MOST:]]


def levels(sessions: Sequence[Session], events: Sequence[Event] = ()) -> tuple[Level, ...]:
    """The levels since the last event that names one of ``sessions``; all of them without one.

    Sessions that were made to confirm another one belong to no level.
    """
    kept = since(sessions, events)
    found = changes([session.value for session in kept])
    edges = [0, *(change.at for change in found), len(kept)]
    parts = [kept[a:b] for a, b in itertools.pairwise(edges)]
    return tuple(
        Level(part, change) for part, change in zip(parts, (None, *found), strict=False) if part
    )


def since(sessions: Sequence[Session], events: Sequence[Event]) -> tuple[Session, ...]:
    """The sessions from the last event on, without those that only confirm."""
    own = [session for session in sessions if not session.confirms]
    ids = [session.run_id for session in own]
    starts = [ids.index(event.run_id) for event in events if event.run_id in ids]
    return tuple(own[max(starts, default=0) :])
