"""What ranks have to know of one another in the middle of a phase, and how they come to know it.

Threads of control write down what happens in memory that they share with the parent of their pool,
and ring its bell. The parent of each pool tells rank 0, which tells all when the last of those that
are waited for has come: once for each rank, however many slots it has. All hear of everything in
the same order.
"""

import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

from aibench.world import World

if TYPE_CHECKING:
    from aibench.workers.job import Outcome

_DONE = "done"


class Event(NamedTuple):
    """Something that ``arrived`` of those that it takes have come to.

    ``times`` count from the common start, in nanoseconds. Of all that are told each is the largest.
    """

    kind: str
    number: int
    arrived: int
    times: tuple[int, ...] = ()


class Common(Protocol):
    """Something that is to be the same on all ranks."""

    @property
    def totals(self) -> Mapping[str, int]:
        """How many it takes, of all ranks, for each kind of event."""

    def hang(self, bell: int | None) -> None:
        """Have the bell rung where there may be news; before workers are forked."""

    def begin(self, start_ns: int) -> None:
        """Tell the common start, on the clock of this host."""

    def news(self) -> list[Event]:
        """What those of this rank have come to since the last time."""

    def learn(self, event: Event) -> bool:
        """What all have come to; False where it has to be told again a little later."""

    def complete(self, outcomes: "list[Outcome]") -> "list[Outcome]":
        """The outcomes of this rank, when it has ended, with what was written down here."""

    @property
    def is_held(self) -> bool:
        """Whether those of this rank can't go on before others have come as far."""


class Tally:
    """Events that not all have come to yet, by how many have."""

    def __init__(self, totals: Mapping[str, int]) -> None:
        self._totals = totals
        self._parts: dict[tuple[str, int], Event] = {}

    def add(self, event: Event) -> Event | None:
        """Count a part; the whole where it was the last one."""
        place = event[:2]
        before = self._parts.pop(place, None)
        if before is not None:
            times = tuple(map(max, before.times, event.times))
            event = event._replace(arrived=before.arrived + event.arrived, times=times)
        if event.arrived < self._totals[event.kind]:
            self._parts[place] = event
            return None
        return event


class Coupling:
    """What the parent of a pool does for what is common to all ranks; nothing where nothing is."""

    def __init__(self, commons: Sequence[Common], world: World) -> None:
        """All ranks have the same ``commons`` of a phase, whatever part of it is theirs."""
        self._commons, self._world = commons, world
        self._place = world.place
        self._bell: int | None = None
        self._number = 0
        self._ended = self._told_end = False
        self._unlearned: deque[tuple[int, Event]] = deque()
        self._tallies = [Tally(common.totals) for common in commons]
        self._ends = Tally({_DONE: self._place.size})
        if not commons:
            return
        self._number = world.share(time.monotonic_ns())  # tells this phase from those before it
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        for common in commons:
            common.hang(self._bell)

    @property
    def sources(self) -> tuple[int, ...]:
        """Descriptors that become readable when there is something to do."""
        return () if self._bell is None else (self._bell, *self._world.wires)

    @property
    def is_needed(self) -> bool:
        """Whether other ranks may still need this one, when its own workers have ended."""
        return bool(self._commons) and not self._ended

    @property
    def is_held(self) -> bool:
        """Whether this rank waits for other ranks, so that it is not its own target that hangs."""
        return any(common.is_held for common in self._commons)

    def begin(self, start_ns: int) -> int:
        """Tell the common start, which is returned."""
        for common in self._commons:
            common.begin(start_ns)
        return start_ns

    def turn(self, *, is_over: bool) -> None:
        """Tell and hear what is new; ``is_over`` when all workers of this rank have ended."""
        if self._bell is None:
            return
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        while self._tell_news() or self._hear() or self._learn():
            pass
        if is_over and not self._told_end:
            self._told_end = True
            self._tell(-1, Event(_DONE, 0, 1))
            self._ended |= self._place.rank > 0

    def complete(self, outcomes: "list[Outcome]") -> "list[Outcome]":
        """The outcomes of this rank, with what was written down for them here."""
        for common in self._commons:
            outcomes = common.complete(outcomes)
        return outcomes

    def close(self) -> None:
        """Let go of everything."""
        for common in self._commons:
            common.hang(None)
        if self._bell is not None:
            os.close(self._bell)
            self._bell = None

    def _tell_news(self) -> bool:
        news = [(n, event) for n, common in enumerate(self._commons) for event in common.news()]
        for number, event in news:
            self._tell(number, event)
        return bool(news)

    def _tell(self, number: int, event: Event) -> None:
        """Tell rank 0 what this rank has come to."""
        if self._place.rank:
            self._world.post((self._number, number, tuple(event)))
        else:
            self._count(number, event)

    def _hear(self) -> bool:
        came = self._world.posts()
        for _, (phase, number, parts) in came:
            if phase != self._number:
                continue
            if self._place.rank:
                self._unlearned.append((number, Event(*parts)))
            else:
                self._count(number, Event(*parts))
        return bool(came)

    def _count(self, number: int, event: Event) -> None:
        """On rank 0: tell all when the last one has come."""
        if number < 0:
            self._ended = self._ends.add(event) is not None
            return
        whole = self._tallies[number].add(event)
        if whole is not None:
            self._world.post((self._number, number, tuple(whole)))
            self._unlearned.append((number, whole))

    def _learn(self) -> bool:
        """Have everyone here know what is true of all, in the order in which it was told."""
        learned = False
        while self._unlearned:
            number, event = self._unlearned[0]
            if not self._commons[number].learn(event):
                break
            self._unlearned.popleft()
            learned = True
        return learned
