"""A world of several ranks, as the process sees it that measures for one of them."""

import os
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from aibench.errors import AibenchError, RankFailed, WorldEnded
from aibench.world import lastwords
from aibench.world.cells import Cells
from aibench.world.frames import Frame, Kind, Wire
from aibench.world.lastwords import Note
from aibench.world.switchboard import TIMES

if TYPE_CHECKING:
    from aibench.world.gathering import Welcome

_WAIT_S = 0.25
_DYING_S = 1.0
#: How long rank 0 waits for what other ranks leave behind.
_NOTES_S = 2.0
#: And where none is there from a whole host: launchers take their time with others than their own.
_HOSTS_S = 5.0
#: How long rank 0 waits until the others have ended what they do.
_ENDING_S = 8.0
#: A connection that stands still for so many times the patience has hung.
_LONGER = 2


class Linked:
    """All ranks, over the wire to the process that has the connection with them (`World`)."""

    def __init__(self, wire: Wire, cells: Cells, parent: int) -> None:
        """Wait until all ranks are there."""
        self._wire, self._cells, self._parent = wire, cells, parent
        self._shared: deque[bytes] = deque()
        self._starts: deque[bytes] = deque()
        self._given: dict[int, dict[int, bytes]] = {}
        self._welcomes: deque[bytes] = deque()
        self._failure: AibenchError | None = None
        self._meetings = self._gatherings = self._delivery_ns = 0
        self._posted: deque[tuple[int, bytes]] = deque()
        self._notes = ""
        self._is_joined = self._all_gone = False
        self._await(lambda: bool(self._welcomes))
        self._is_joined = True
        welcome: Welcome = pickle.loads(self._welcomes.popleft())  # noqa: S301 - of our own
        self.place, self._clock = welcome.place, welcome.clock
        self.clocks, self.kernels = welcome.clocks, welcome.kernels
        self.library = welcome.library

    def meet(self) -> int:
        """Wait for all ranks; a start that all have heard of before it comes."""
        body = TIMES.pack(self._delivery_ns, 0)
        self._send(Frame(Kind.MEET, self.place.rank, self._meetings, body))
        self._meetings += 1
        self._await(lambda: bool(self._starts))
        start, named = TIMES.unpack(self._starts.popleft())
        offset: int = self._clock.offset_ns
        self._delivery_ns = max(time.perf_counter_ns() - offset - named, 0)
        return int(start) + offset

    def share(self, whole: object) -> Any:
        """What rank 0 gives; it does not wait for the others."""
        if self.place.rank == 0:
            self._send(Frame(Kind.SHARE, body=_pickled(whole)))
            return whole
        self._await(lambda: bool(self._shared))
        return pickle.loads(self._shared.popleft())  # noqa: S301 - of rank 0, who is us

    def gather(self, mine: object) -> list[Any]:
        """What all give, on rank 0; the others do not wait."""
        number = self._gatherings
        self._gatherings += 1
        if self.place.rank:
            self._send(Frame(Kind.GATHER, self.place.rank, number, _pickled(mine)))
            return []
        given = self._given.setdefault(number, {})
        self._await(lambda: len(given) == self.place.size - 1)
        del self._given[number]
        others = (pickle.loads(given.pop(rank)) for rank in range(1, self.place.size))  # noqa: S301
        return [mine, *others]

    def tell(self, operations: int, moved: int) -> tuple[int, int]:
        """Tell how far this rank is; on rank 0 the sum of what was heard of all."""
        self._cells.mine = (operations, moved)
        self._receive()
        if self.place.rank:
            return operations, moved
        others = self._cells.others
        return operations + others[0], moved + others[1]

    @property
    def wires(self) -> tuple[int, ...]:
        """What becomes readable when something has come."""
        return (self._wire.fileno(),) if self._wire.is_open else ()

    def post(self, what: object) -> None:
        """Send ``what`` to rank 0, from rank 0 to all others; nobody waits for it."""
        self._send(Frame(Kind.POST, self.place.rank, body=_pickled(what)))

    def posts(self) -> list[tuple[int, Any]]:
        """What has come by post, with the rank that it is from."""
        self._receive()
        came = [(rank, pickle.loads(body)) for rank, body in self._posted]  # noqa: S301
        self._posted.clear()
        return came

    def end(self) -> None:
        """On rank 0: end what the others do, and wait for a while until they have let go."""
        if self.place.rank or self._all_gone:
            return
        self._wire.send(Frame(Kind.STOP))
        deadline = time.monotonic() + _ENDING_S
        while not self._all_gone and self._wire.is_open and time.monotonic() < deadline:
            self._wire.wait(_WAIT_S)
            self._wire.flush()
            for frame in self._wire.receive():
                self._take(frame)

    def fail(self, error: AibenchError) -> None:
        """Tell rank 0 that this rank can't go on, and why."""
        if not isinstance(error, WorldEnded):
            body = pickle.dumps((error.code, str(error)))
            with suppress(AibenchError):
                self._send(Frame(Kind.FAILED, self.place.rank, body=body))

    def notes(self, directory: str | None) -> None:
        """Where ranks that lose their connection write that down; None: nowhere any more."""
        path = os.path.join(directory, lastwords.NAME) if directory else ""
        if self.place.rank == 0:
            with suppress(OSError):
                if path:
                    lastwords.prepare(path, self.place.size)
                elif self._notes:
                    os.unlink(self._notes)
        self._notes = path

    def loss(self) -> AibenchError | None:
        """What has happened when the process with the connection has ended; None while it lives."""
        if os.getppid() == self._parent:
            return None
        if self._failure is None:
            self._failure = self._leave()
        return self._failure

    def _leave(self) -> AibenchError:
        lost_ns = time.perf_counter_ns()
        offset, error = (self._clock.offset_ns, self._clock.error_ns)
        note = Note(
            rank=self.place.rank,
            began_ns=(self._cells.signal_ns or lost_ns) - offset,
            lost_ns=lost_ns - offset,
            error_ns=error,
            signal=self._cells.signal,
        )
        if self.place.rank:
            if self._notes:
                lastwords.leave(self._notes, note)
            return WorldEnded("the connection with the other ranks is lost")
        notes = lastwords.awaited(self._notes, note, self.place.size, _NOTES_S)
        if lastwords.silent(self.place, notes):
            notes = lastwords.awaited(self._notes, note, self.place.size, _HOSTS_S)
        found = lastwords.first_lost(self.place, notes, told=bool(self._notes))
        message = found.message
        if self._cells.signal and not found.ranks:
            message = f"{signal.Signals(self._cells.signal).name} asked all ranks to end"
        return RankFailed(message, code=found.code)

    def _send(self, frame: Frame) -> None:
        self._check()
        self._wire.send(frame)
        self._await(lambda: self._wire.is_flushed)

    def _await(self, done: Callable[[], bool]) -> None:
        self._receive()
        while not done():
            self._wire.wait(_WAIT_S)
            self._wire.flush()
            self._receive()
            self._check_connection()

    def _check_connection(self) -> None:
        """Raise where the process with the connection has stopped; that joins the ranks first."""
        if self._is_joined and self._cells.silence_ns > _LONGER * self._cells.patience_ns:
            self._failure = self._silent(self._cells.silence_ns / 1e9)
            raise self._failure

    def _silent(self, seconds: float) -> AibenchError:
        if self.place.rank:
            return WorldEnded("the connection with the other ranks stands still")
        message = f"the MPI process of rank 0 on host {self.place.host} has done nothing"
        return RankFailed(f"{message} for {seconds:.1f} s", code="rank_lost")

    def _receive(self) -> None:
        """Take what has come; raise what has happened."""
        for frame in self._wire.receive():
            self._take(frame)
        if not self._wire.is_open and self._failure is None:
            self._closed()
        self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _take(self, frame: Frame) -> None:
        if frame.kind == Kind.WELCOME:
            self._welcomes.append(frame.body)
        elif frame.kind == Kind.SHARE:
            self._shared.append(frame.body)
        elif frame.kind == Kind.START:
            self._starts.append(frame.body)
        elif frame.kind == Kind.GATHER:
            self._given.setdefault(frame.number, {})[frame.rank] = frame.body
        elif frame.kind == Kind.POST:
            self._posted.append((frame.rank, frame.body))
        elif frame.kind == Kind.BYE:
            self._all_gone = True
        elif frame.kind == Kind.STOP:
            self._failure = self._failure or WorldEnded("rank 0 has ended the run")
        elif frame.kind == Kind.FAILED:
            code, message = pickle.loads(frame.body)  # noqa: S301 - of our own
            where = f"rank {frame.rank} on host {self.place.hosts[frame.rank]}"
            self._failure = self._failure or RankFailed(f"{where}: {message}", code=code)

    def _closed(self) -> NoReturn:
        """Wait for the signal that tells of the end of the parent, so that it disturbs nothing."""
        deadline = time.monotonic() + _DYING_S
        while self.loss() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.01)
        self._failure = self._failure or WorldEnded("the connection was closed")
        raise self._failure


def _pickled(value: object) -> bytes:
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
