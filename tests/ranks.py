"""A small world of ranks that are forked here and speak over pipes, with rank 0 in the test itself.

Each rank but the first starts a little later than the one before, as if its clock were another one.
"""

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from aibench.errors import AibenchError, RankFailed, WorldEnded
from aibench.orphans import die_with
from aibench.world import Clock, Place

Made = TypeVar("Made")
_FORK = multiprocessing.get_context("fork")
_AHEAD_NS = 20_000_000
#: How far the clock of each rank is ahead of that of the rank before.
SKEW_NS = 1_234_567


class Piped:
    """One rank of several (`aibench.world.World`); ``hosts`` has one name for each."""

    clocks: tuple[Clock, ...] = ()

    def __init__(self, place: Place, links: dict[int, Connection]) -> None:
        self.place, self._links = place, links
        self._came: dict[str, deque[tuple[int, Any]]] = {}
        self.sent = 0

    def meet(self) -> int:
        """A start that is still to come, later on each rank."""
        if self.place.rank == 0:
            others = {self._await("meet")[0] for _ in range(self.place.size - 1)}
            assert len(others) == self.place.size - 1
            start = time.perf_counter_ns() + _AHEAD_NS
            self._send("start", start)
        else:
            self._send("meet", None)
            start = self._await("start")[1]
        return start + SKEW_NS * self.place.rank

    def share(self, whole: object) -> Any:
        """What rank 0 gives."""
        if self.place.rank == 0:
            self._send("share", whole)
            return whole
        return self._await("share")[1]

    def gather(self, mine: object) -> list[Any]:
        """On rank 0 what all give."""
        if self.place.rank:
            self._send("gather", mine)
            return []
        given = dict(self._await("gather") for _ in range(self.place.size - 1))
        return [mine, *(given[rank] for rank in range(1, self.place.size))]

    def tell(self, operations: int, moved: int) -> tuple[int, int]:
        """What was told here."""
        self._receive(0)
        return operations, moved

    @property
    def wires(self) -> tuple[int, ...]:
        """What becomes readable when something has come."""
        return tuple(link.fileno() for link in self._links.values())

    def post(self, what: object) -> None:
        """Send it to rank 0, or from there to all."""
        self.sent += 1
        self._send("post", what)

    def posts(self) -> list[tuple[int, Any]]:
        """What has come by post."""
        self._receive(0)
        came = list(self._came.get("post", ()))
        self._came.pop("post", None)
        return came

    def end(self) -> None:
        """Nothing is to be ended: who loses rank 0 ends."""

    def result(self) -> dict[int, Any]:
        """On rank 0 what the others have made, by rank, with errors as they were."""
        return dict(self._await("result") for _ in range(self.place.size - 1))

    def _send(self, kind: str, body: object) -> None:
        for rank, link in list(self._links.items()):
            try:
                link.send((kind, body))
            except OSError:
                self._lose(rank)

    def _await(self, kind: str) -> tuple[int, Any]:
        while not self._came.get(kind):
            self._receive(None)
        return self._came[kind].popleft()

    def _receive(self, timeout: float | None) -> None:
        by_link = {link: rank for rank, link in self._links.items()}
        for link in wait(list(by_link), timeout):
            assert isinstance(link, Connection)
            try:
                kind, body = link.recv()
            except (EOFError, OSError):
                self._lose(by_link[link])
                continue
            if kind == "result":
                del self._links[by_link[link]]  # it has done all that it had to
                if isinstance(body, AibenchError):
                    raise RankFailed(f"rank {by_link[link]}: {body}")
            self._came.setdefault(kind, deque()).append((by_link[link], body))

    def _lose(self, rank: int) -> None:
        if self.place.rank:
            raise WorldEnded("rank 0 has ended the run")
        raise RankFailed(f"rank {rank}: it died", code="rank_died")


def together(hosts: tuple[str, ...], work: Callable[[Piped], Made]) -> list[Made]:
    """What ``work`` makes on each rank, one for each of ``hosts``; errors of rank 0 are raised."""
    links: dict[int, Connection] = {}
    processes = []
    parent = os.getpid()
    for rank in range(1, len(hosts)):
        here, there = _FORK.Pipe()
        process = _FORK.Process(target=_other, args=(Place(rank=rank, hosts=hosts), there, [
            here, *links.values()], work, parent))  # fmt: skip
        process.start()
        there.close()
        links[rank] = here
        processes.append(process)
    world = Piped(Place(rank=0, hosts=hosts), dict(links))
    try:
        mine = work(world)
        others = world.result()
    finally:
        for link in list(links.values()):
            link.close()
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()
    return [mine, *(others[rank] for rank in range(1, len(hosts)))]


def _other(
    place: Place, link: Connection, not_mine: list[Connection], work: Callable[[Piped], Any],
    parent: int,
) -> None:  # fmt: skip
    for other in not_mine:
        other.close()
    die_with(parent)
    world = Piped(place, {0: link})
    try:
        link.send(("result", work(world)))
    except WorldEnded:
        pass
    except AibenchError as error:
        link.send(("result", error))
