"""How ranks find one another at the start: their hosts, and how far their clocks are apart.

Rank 0 asks each rank for its time, over and over. The answer was given somewhere between question
and reply; of many, the quickest exchange tells best: the offset is that to its middle, give or take
half of it (D. L. Mills, RFC 5905, section 8). Ranks of one kernel have one clock, so one of them is
asked many times, and the others only whether that is so.
"""

import os
import pickle
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from aibench.errors import RankFailed
from aibench.world.carrier import Carrier, frames
from aibench.world.frames import Frame, Kind
from aibench.world.world import Clock, Place, spots

_EXCHANGES = 20
#: Where all of them were slow, as on cores that others use, there are more for so long: for one
#: rank, and for all together.
_SLOW_NS = 100_000
_LONGER_NS, _LONGER_ALL_NS = 100_000_000, 2_000_000_000
_NAP_S = 0.001
#: A rank that is asked for its time looks for the next question without a nap for so long.
_EAGER_NS = 20_000_000
#: The number of a question whose answer is not timed: it tells that rank 0 is well, and has a rank
#: look for the next ones.
_CALL = 0
#: How many times the patience others wait for rank 0, which asks no rank for longer than once.
_LONGER = 2


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a rank learns at the start: where all are, and its own clock.

    On rank 0 also the clocks of all, what tells their kernels apart, by rank, and the MPI library.
    """

    place: Place
    clock: Clock
    clocks: tuple[Clock, ...] = ()
    kernels: tuple[str, ...] = ()
    library: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a rank is."""

    host: str
    kernel: str


def told_apart(arrivals: Sequence[Arrival]) -> tuple[str, ...]:
    """The name of the host of each rank; hosts of one name get a number after it."""
    kernels: dict[str, list[str]] = {}
    names = []
    for each in arrivals:
        known = kernels.setdefault(each.host, [])
        if each.kernel not in known:
            known.append(each.kernel)
        number = known.index(each.kernel) + 1
        name = each.host if number == 1 else f"{each.host}#{number}"
        names.append(sys.intern(name))  # one object: all ranks are sent these
    return tuple(names)


def gather_ranks(
    carrier: Carrier, me: Arrival, patience_ns: int, poll: Callable[[], None]
) -> Welcome:
    """On rank 0: wait for all ranks, ask for their clocks, and tell each where it is."""
    arrivals: dict[int, Arrival] = {0: me}
    _until(carrier, lambda: len(arrivals) == carrier.size, arrivals, patience_ns, poll)
    ordered = [arrivals[rank] for rank in range(carrier.size)]
    hosts, kernels = told_apart(ordered), tuple(each.kernel for each in ordered)
    clocks = _clocks(carrier, kernels, patience_ns, poll)
    for rank, spot in islice(enumerate(spots(hosts)), 1, None):
        body = pickle.dumps(Welcome(spot, clocks[rank]))
        carrier.send(rank, Frame(Kind.WELCOME, body=body).packed())
    return Welcome(Place(rank=0, hosts=hosts), clocks[0], tuple(clocks), kernels)


def _until(
    carrier: Carrier,
    done: Callable[[], bool],
    arrivals: dict[int, Arrival],
    patience_ns: int,
    poll: Callable[[], None],
) -> None:
    said = time.monotonic_ns()
    deadline = said + patience_ns
    while not done():
        for rank, frame in frames(carrier):
            if frame.kind == Kind.HELLO:
                arrivals[rank] = pickle.loads(frame.body)  # noqa: S301 - of our own
                deadline = time.monotonic_ns() + patience_ns
        now = time.monotonic_ns()
        if now - said > patience_ns // 4:
            said = now
            for rank in arrivals.keys() - {0}:
                carrier.send(rank, Frame(Kind.PING, number=_CALL).packed())
        if now > deadline:
            silent = next(rank for rank in range(carrier.size) if rank not in arrivals)
            raise RankFailed(f"nothing was heard of rank {silent} at the start", code="rank_lost")
        poll()
        time.sleep(_NAP_S)


def _clocks(
    carrier: Carrier, kernels: Sequence[str], patience_ns: int, poll: Callable[[], None]
) -> list[Clock]:
    clocks = [Clock(offset_ns=0, error_ns=0)]
    known = {kernels[0]: clocks[0]}
    for rank in range(1, carrier.size):
        poll()
        for called in (rank, rank + 1) if rank == 1 else (rank + 1,):
            if called < carrier.size:
                carrier.send(called, Frame(Kind.PING, number=_CALL).packed())
        one = known.get(kernels[rank]) if kernels[rank] else None
        clock = one and _confirmed(one, _exchange(carrier, rank, 1, patience_ns))
        if clock is None:
            clock = _clock(carrier, rank, patience_ns)
            known.setdefault(kernels[rank], clock)
        clocks.append(clock)
    return clocks


def _confirmed(known: Clock, seen: Clock) -> Clock | None:
    """``known`` where what was seen of another rank may be the same clock."""
    apart = abs(known.offset_ns - seen.offset_ns)
    return known if apart <= known.error_ns + seen.error_ns else None


def _clock(carrier: Carrier, rank: int, patience_ns: int) -> Clock:
    best: Clock | None = None
    began, number = time.perf_counter_ns(), 0
    longer_ns = min(_LONGER_NS, _LONGER_ALL_NS // carrier.size)
    while True:
        number += 1
        seen = _exchange(carrier, rank, number, patience_ns)
        if best is None or seen.error_ns < best.error_ns:
            best = seen
        is_long = time.perf_counter_ns() - began > longer_ns
        if number >= _EXCHANGES and (best.error_ns <= _SLOW_NS or is_long):
            return best


def _exchange(carrier: Carrier, rank: int, number: int, patience_ns: int) -> Clock:
    """What one question and its answer tell."""
    asked = time.perf_counter_ns()
    carrier.send(rank, Frame(Kind.PING, number=number).packed())
    told = _answer(carrier, rank, number, asked + patience_ns)
    half = -(-(time.perf_counter_ns() - asked) // 2)
    return Clock(offset_ns=told - asked - half, error_ns=half)


def _answer(carrier: Carrier, rank: int, number: int, deadline_ns: int) -> int:
    """The time that a rank tells. Only those who are asked say anything before all are welcome."""
    while time.perf_counter_ns() < deadline_ns:
        for source, frame in frames(carrier):
            if (source, frame.kind, frame.number) == (rank, Kind.PONG, number):
                return int.from_bytes(frame.body, "little", signed=True)
        os.sched_yield()  # the other one may need this core
    raise RankFailed(f"rank {rank} does not answer at the start", code="rank_lost")


def join_ranks(
    carrier: Carrier, me: Arrival, patience_ns: int, poll: Callable[[], None]
) -> tuple[Welcome, list[Frame]]:
    """On the others: tell rank 0 of this rank; what it says of the others, and what came after."""
    carrier.send(0, Frame(Kind.HELLO, carrier.rank, body=pickle.dumps(me)).packed())
    eager_until = 0
    deadline = time.monotonic_ns() + _LONGER * patience_ns
    while time.monotonic_ns() < deadline:
        came = deque(frame for _, frame in frames(carrier))
        while came:
            frame = came.popleft()
            deadline = time.monotonic_ns() + _LONGER * patience_ns
            if frame.kind == Kind.PING:
                body = time.perf_counter_ns().to_bytes(8, "little", signed=True)
                carrier.send(0, Frame(Kind.PONG, carrier.rank, frame.number, body).packed())
                eager_until = time.perf_counter_ns() + _EAGER_NS
            elif frame.kind == Kind.WELCOME:
                welcome: Welcome = pickle.loads(frame.body)  # noqa: S301 - of our own
                return welcome, list(came)
        if time.perf_counter_ns() > eager_until:
            poll()
            time.sleep(_NAP_S)
        else:
            os.sched_yield()
    raise RankFailed("nothing was heard of rank 0 at the start", code="rank_lost")
