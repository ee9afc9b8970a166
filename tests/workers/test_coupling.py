"""What parents of pools tell one another: parts are summed, and all hear of wholes in one order."""

import time
from collections import deque
from typing import Any

from aibench.workers.coupling import Coupling, Event, Tally
from aibench.workers.job import Outcome
from aibench.world import Alone, Place


class Desk(Alone):
    """Rank 0 of a world whose other ranks are played by hand."""

    def __init__(self, size: int) -> None:
        super().__init__("a")
        self.place = Place(rank=0, hosts=("a",) * size)
        self.inbox: deque[tuple[int, Any]] = deque()
        self.sent: list[Any] = []

    def post(self, what: object) -> None:
        """Keep what is said to all."""
        self.sent.append(what)

    def posts(self) -> list[tuple[int, Any]]:
        """What was put in the inbox."""
        came = list(self.inbox)
        self.inbox.clear()
        return came


class Counted:
    """Something in common that takes ``total`` of one kind; it may be busy for a while."""

    is_held = False

    def __init__(self, total: int) -> None:
        self.totals = {"there": total}
        self.mine: list[Event] = []
        self.learned: list[Event] = []
        self.is_busy = False

    def hang(self, bell: int | None) -> None:
        """Nobody rings."""

    def begin(self, start_ns: int) -> None:
        """Times are as they are."""

    def news(self) -> list[Event]:
        """What was put there."""
        mine, self.mine = self.mine, []
        return mine

    def learn(self, event: Event) -> bool:
        """Learn, unless busy."""
        if not self.is_busy:
            self.learned.append(event)
        return not self.is_busy

    def complete(self, outcomes: list[Outcome]) -> list[Outcome]:
        """As they are."""
        return outcomes


def test_a_tally_is_whole_with_its_last_part() -> None:
    """Parts of one number add up, in any order, to the largest times; each number by itself."""
    tally = Tally({"there": 5})
    assert tally.add(Event("there", 1, 2, (7, 1))) is None
    assert tally.add(Event("there", 2, 4, (9, 9))) is None
    assert tally.add(Event("there", 1, 3, (5, 4))) == Event("there", 1, 5, (7, 4))
    assert tally.add(Event("there", 2, 1, (3, 3))) == Event("there", 2, 5, (9, 9))


def test_all_are_told_when_the_last_has_come() -> None:
    """Rank 0 tells all of a whole once, learns it itself in that order, and stays for the last."""
    world, common = Desk(3), Counted(6)
    coupling = Coupling([common], world)
    try:
        number = coupling._number
        common.mine = [Event("there", 0, 2, (4,)), Event("there", 1, 2, (1,))]
        world.inbox += [
            (1, (number, 0, ("there", 0, 2, (8,)))),
            (1, (number - 1, 0, ("old", 0, 9))),
        ]
        coupling.turn(is_over=False)
        assert world.sent == common.learned == []
        common.is_busy = True
        world.inbox += [(2, (number, 0, ("there", n, 2, (n,)))) for n in (0, 1)]
        world.inbox.append((1, (number, 0, ("there", 1, 2, (3,)))))
        coupling.turn(is_over=True)
        wholes = [("there", 0, 6, (8,)), ("there", 1, 6, (3,))]
        assert world.sent == [(number, 0, whole) for whole in wholes]
        assert common.learned == []
        common.is_busy = False
        coupling.turn(is_over=True)
        assert common.learned == wholes
        assert coupling.is_needed
        world.inbox += [(rank, (number, -1, ("done", 0, 1, ()))) for rank in (1, 2)]
        coupling.turn(is_over=True)
        assert not coupling.is_needed
    finally:
        coupling.close()


def test_where_nothing_is_common_nothing_is_done() -> None:
    """A phase with nothing in common has no descriptors, no messages, and waits for nobody."""
    world = Desk(3)
    coupling = Coupling([], world)
    coupling.turn(is_over=True)
    assert (coupling.sources, coupling.is_needed, coupling.is_held) == ((), False, False)
    assert world.sent == []


def test_rank_0_takes_no_more_than_its_messages() -> None:
    """A step of ten times as many ranks takes rank 0 about ten times as long, not a hundred."""

    def took(size: int) -> float:
        world, common = Desk(size), Counted(size)
        coupling = Coupling([common], world)
        number = coupling._number
        began = time.process_time()
        for step in range(20_000 // size):
            common.mine = [Event("there", step, 1, (step, 1))]
            world.inbox += [(r, (number, 0, ("there", step, 1, (step, r)))) for r in range(1, size)]
            coupling.turn(is_over=False)
        spent = time.process_time() - began
        coupling.close()
        assert len(common.learned) == 20_000 // size
        return spent / (20_000 // size)

    few, many = (min(took(size) for _ in range(3)) for size in (100, 1000))
    assert many < 30 * few
