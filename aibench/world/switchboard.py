"""Rank 0's switchboard: all that ranks say to one another goes over it, and it knows who is well.

It stands in a process of its own, beside the one that measures, and so hears every rank at any
time. It knows nothing of MPI.
"""

import pickle
import struct
import time
from collections import deque

from aibench.world.carrier import Carrier, frames
from aibench.world.cells import Cells
from aibench.world.frames import Frame, Kind, Wire

TIMES = struct.Struct("<qq")
"""Two integers: counts, or times in nanoseconds."""
#: How far ahead a start is: as many times the slowest delivery of the last ones.
_AHEAD = 4
_REMEMBERED = 8
_FIRST_NS = 10_000_000
_PER_RANK_NS = 20_000
_LEAST_NS = 5_000_000
_MOST_NS = 5_000_000_000
_LOOK_NS = 100_000_000
#: A turn that took so long was not the ranks' silence but our own.
_STOPPED_NS = 2_000_000_000


def beat_ns(patience_ns: int, size: int) -> int:
    """How often a rank says that it is well: often enough for the patience, and for rank 0."""
    return max(min(patience_ns // 8, 2_000_000_000), size * 500_000, 50_000_000)


class Switchboard:
    """Passes on what ranks say, names common starts, and tells rank 0 of the first that failed."""

    def __init__(self, carrier: Carrier, wire: Wire, cells: Cells) -> None:
        self._carrier, self._wire, self._cells = carrier, wire, cells
        self.size = carrier.size
        now = time.monotonic_ns()
        self._heard = [now] * self.size
        self._told = [(0, 0)] * self.size
        self._gone = {0}
        self._met: set[int] = set()
        self._deliveries = deque([_FIRST_NS + _PER_RANK_NS * self.size], maxlen=_REMEMBERED)
        self._slowest = 0
        self._looked = self._spoke = now
        self._patience_ns = 0
        self._sums = (0, 0)
        self.failure: tuple[int, str, str] | None = None
        """The rank that failed first, a code, and what happened."""
        self.has_ended = self._is_asked = False

    @property
    def all_gone(self) -> bool:
        """Whether all other ranks have let go of everything."""
        return len(self._gone) == self.size

    def left(self) -> list[int]:
        """The ranks that have not let go yet."""
        return [rank for rank in range(self.size) if rank not in self._gone]

    def hears_nobody(self) -> bool:
        """Whether one was lost, and all that have not let go yet are as silent."""
        if self.failure is None or self.failure[1] != "rank_lost":
            return False
        now = time.monotonic_ns()
        return all(now - self._heard[rank] > self._cells.patience_ns for rank in self.left())

    def turn(self) -> bool:
        """Do what is to be done now; whether anything was that more may follow."""
        self._cells.beat()
        mine, theirs = self._wire.receive(), frames(self._carrier)
        for frame in mine:
            self._from_agent(frame)
        for rank, frame in theirs:
            self._from_rank(rank, frame)
        for rank, why in self._carrier.lost():
            self.fail(rank, "rank_lost", f"MPI does not reach it: {why}")
        if self._is_asked and (self.all_gone or self.hears_nobody()):
            self._is_asked = False
            self._wire.send(Frame(Kind.BYE))
        self._wire.flush()
        now = time.monotonic_ns()
        if now - self._looked > _LOOK_NS:
            self._look(now)
        return bool(mine) or any(frame.kind != Kind.ALIVE for _, frame in theirs)

    def fail(self, rank: int, code: str, message: str) -> None:
        """A rank has failed: the first is told to rank 0, and the others are let go."""
        if self.failure is None and not self.has_ended:
            self.failure = (rank, code, message)
            self._wire.send(Frame(Kind.FAILED, rank, body=pickle.dumps((code, message))))
            self.end()

    def end(self) -> None:
        """All other ranks have to let go of everything, and say so."""
        if not self.has_ended:
            self.has_ended = True
            self._to_all(Frame(Kind.STOP))

    def finish(self) -> None:
        """All other ranks may leave."""
        self._to_all(Frame(Kind.FINISH))

    def _to_all(self, frame: Frame) -> None:
        data = frame.packed()
        for rank in range(1, self.size):
            self._carrier.send(rank, data)

    def _from_agent(self, frame: Frame) -> None:
        if frame.kind in (Kind.SHARE, Kind.POST):
            self._to_all(frame)
        elif frame.kind == Kind.MEET:
            self._meet(0, frame)
        elif frame.kind == Kind.STOP:
            self._is_asked = True
            self.end()

    def _from_rank(self, rank: int, frame: Frame) -> None:
        self._heard[rank] = time.monotonic_ns()
        if frame.kind in (Kind.GATHER, Kind.POST):
            self._wire.send(frame)
        elif frame.kind == Kind.MEET:
            self._meet(rank, frame)
        elif frame.kind == Kind.ALIVE:
            told = TIMES.unpack(frame.body)
            before, self._told[rank] = self._told[rank], told
            operations, moved = self._sums
            self._sums = (operations + told[0] - before[0], moved + told[1] - before[1])
            self._cells.others = self._sums
        elif frame.kind == Kind.FAILED:
            self.fail(rank, *pickle.loads(frame.body))  # noqa: S301 - of our own
        elif frame.kind == Kind.BYE:
            self._gone.add(rank)
            if not self.has_ended:
                self.fail(rank, "rank_died", "it left before the end")

    def _meet(self, rank: int, frame: Frame) -> None:
        """Note that a rank waits; when all do, name a start that all will hear of in time."""
        self._slowest = max(self._slowest, *TIMES.unpack(frame.body))
        self._met.add(rank)
        if len(self._met) < self.size:
            return
        if self._slowest:
            self._deliveries.append(self._slowest)
        now = time.perf_counter_ns()
        ahead = max(min(_AHEAD * max(self._deliveries), _MOST_NS), _LEAST_NS)
        start = Frame(Kind.START, 0, frame.number, TIMES.pack(now + ahead, now))
        self._met, self._slowest = set(), 0
        self._wire.send(start)
        self._to_all(start)

    def _look(self, now: int) -> None:
        """See who has been silent for too long, and say how long that is."""
        if now - self._looked > _STOPPED_NS:
            self._heard = [now] * self.size
        self._looked = now
        patience_ns = self._cells.patience_ns
        if patience_ns != self._patience_ns or now - self._spoke > beat_ns(patience_ns, self.size):
            self._patience_ns, self._spoke = patience_ns, now
            self._to_all(Frame(Kind.ALIVE, body=TIMES.pack(patience_ns, 0)))
        if not self.has_ended:
            self._heard[0] = now
            oldest = min(self._heard)
            if now - oldest > patience_ns:
                seconds = (now - oldest) / 1e9
                rank = self._heard.index(oldest)
                self.fail(rank, "rank_lost", f"nothing was heard of it for {seconds:.1f} s")
