"""Who of all ranks has arrived at a meeting, as the parent of one rank's pool tells and learns it.

Somebody waits either for all slots or for the first one: so the first is told of by itself, and the
others of a rank together, each time that the last of them has arrived.
"""

from collections.abc import Sequence

from aibench.workers.coupling import Event
from aibench.workers.job import Outcome
from aibench.workers.meeting import Meeting

_FIRST, _ALL = "first", "all"


class Arrivals:
    """The meeting of ``total`` slots on all ranks, of which this one has some."""

    def __init__(self, meeting: Meeting, slots: Sequence[int], total: int) -> None:
        self.totals = {_FIRST: 1, _ALL: total}
        self._meeting, self._slots = meeting, slots
        own = set(slots)
        self._others = [slot for slot in range(total) if slot not in own]
        self._start_ns = self._told_first = self._told = 0

    def hang(self, bell: int | None) -> None:
        """Have it rung by who arrives."""
        self._meeting.bell = bell

    def begin(self, start_ns: int) -> None:
        """Count times from the common start."""
        self._start_ns = start_ns

    def news(self) -> list[Event]:
        """How often the first slot, and all that are here, have arrived since the last time."""
        if not self._slots:
            return []
        found = []
        if self._slots[0] == 0:
            count = self._meeting.count(0)
            found += [self._event(_FIRST, n, [0]) for n in range(self._told_first + 1, count + 1)]
            self._told_first = count
        fewest = min(map(self._meeting.count, self._slots))
        found += [self._event(_ALL, n, self._slots) for n in range(self._told + 1, fewest + 1)]
        self._told = fewest
        return found

    def learn(self, event: Event) -> bool:
        """Let those of other ranks arrive here."""
        meeting, now = self._meeting, self._start_ns + event.times[0]
        for slot in self._others if event.kind == _ALL else self._others[:1]:
            if (slot == 0 or event.kind == _ALL) and meeting.count(slot) < event.number:
                meeting.mark(slot, event.number, now)
        return True

    def complete(self, outcomes: list[Outcome]) -> list[Outcome]:
        """As they are: slots write down themselves what they do."""
        return outcomes

    @property
    def is_held(self) -> bool:
        """Whether all slots of this rank wait, which then is for those of others."""
        return bool(self._slots) and all(map(self._meeting.waits, self._slots))

    def _event(self, kind: str, times: int, slots: Sequence[int]) -> Event:
        latest = max(self._meeting.clock(slot, times) for slot in slots)
        return Event(kind, times, len(slots), (latest - self._start_ns,))
