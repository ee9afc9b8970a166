"""All ranks of a world in one process: threads that measure, and one that connects them in turn.

Everything but what carries frames from rank to rank is what real ranks use.
"""

import os
import pickle
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Any

from aibench.world.cells import Cells
from aibench.world.frames import Frame, Kind, Wire
from aibench.world.gathering import Welcome
from aibench.world.linked import Linked
from aibench.world.relay import Relay
from aibench.world.switchboard import Switchboard
from aibench.world.world import Clock, Place

LIMIT_S = 30
_NAP_S = 0.0005


class Post:
    """Carries frames between ranks of one process (`aibench.world.carrier.Carrier`)."""

    def __init__(self, rank: int, boxes: Sequence[deque[tuple[int, bytes]]]) -> None:
        self.rank, self.size, self._boxes = rank, len(boxes), boxes
        self.unreachable: list[tuple[int, str]] = []

    def send(self, rank: int, data: bytes) -> None:
        """Put it into the box of ``rank``."""
        self._boxes[rank].append((self.rank, data))

    def receive(self) -> list[tuple[int, bytearray]]:
        """Empty the own box."""
        box = self._boxes[self.rank]
        return [(rank, bytearray(data)) for rank, data in (box.popleft() for _ in range(len(box)))]

    def lost(self) -> list[tuple[int, str]]:
        """The ranks that a test made unreachable."""
        lost, self.unreachable = self.unreachable, []
        return lost


def posts(size: int) -> list[Post]:
    """What connects so many ranks."""
    boxes: list[deque[tuple[int, bytes]]] = [deque() for _ in range(size)]
    return [Post(rank, boxes) for rank in range(size)]


class Star:
    """So many ranks, each with one that connects (``lines``) and one that measures."""

    def __init__(self, size: int, patience_s: float = 60, offsets: Sequence[int] = ()) -> None:
        self.carriers, self.cells = posts(size), [Cells() for _ in range(size)]
        self.cells[0].patience_ns = int(patience_s * 1e9)
        pairs = [socket.socketpair() for _ in range(size)]
        self.near, self.far = ([Wire(pair[end]) for pair in pairs] for end in (0, 1))
        self.lines: list[Switchboard | Relay] = [
            (Relay if rank else Switchboard)(*parts)
            for rank, parts in enumerate(zip(self.carriers, self.near, self.cells, strict=True))
        ]
        self.silent: set[int] = set()
        """Ranks that are not well: nothing is done for them."""
        self.hosts = tuple(f"host-{rank}" for rank in range(size))
        clocks = tuple(Clock(offset_ns=offset, error_ns=0) for offset in offsets or [0] * size)
        for rank, wire in enumerate(self.near):
            place = Place(rank=rank, hosts=self.hosts)
            welcome = Welcome(place, clocks[rank], clocks if rank == 0 else ())
            wire.send(Frame(Kind.WELCOME, rank, body=pickle.dumps(welcome)))
        self.ranks = [
            Linked(*parts, os.getppid()) for parts in zip(self.far, self.cells, strict=True)
        ]
        self.going = Lock()
        """Whoever holds it stops all that connects."""
        self._over = Event()

    def turn(self) -> None:
        """One turn of each line that is well."""
        for rank, line in enumerate(self.lines):
            if rank not in self.silent:
                line.turn()

    def go_round(self) -> None:
        """Take turns until the end."""
        while not self._over.is_set():
            with self.going:
                self.turn()
            time.sleep(_NAP_S)

    def end(self) -> None:
        """Let go of everything."""
        self._over.set()
        for wire in (*self.near, *self.far):
            wire.close()

    def play(self, *bodies: Callable[[Linked], Any]) -> list[Any]:
        """What each rank's body gives or raises; the last one is for all further ranks."""
        each = [*bodies, *[bodies[-1]] * (len(self.ranks) - len(bodies))]
        with ThreadPoolExecutor(len(self.ranks)) as pool:
            doing: list[Future[Any]] = [
                pool.submit(body, rank) for body, rank in zip(each, self.ranks, strict=True)
            ]
            wait(doing, LIMIT_S)
            assert all(one.done() for one in doing)
        return [one.exception() or one.result() for one in doing]


@contextmanager
def star(size: int, patience_s: float = 60, offsets: Sequence[int] = ()) -> Iterator[Star]:
    """A world of so many ranks that goes round until the end of the block."""
    made = Star(size, patience_s, offsets)
    going = Thread(target=made.go_round)
    going.start()
    try:
        yield made
    finally:
        made._over.set()
        going.join()
        made.end()
