"""What the switchboard is to rank 0, to every other rank: its connection with rank 0."""

import pickle
import time
from collections.abc import Sequence

from aibench.world.carrier import Carrier, frames
from aibench.world.cells import Cells
from aibench.world.frames import Frame, Kind, Wire
from aibench.world.switchboard import TIMES, beat_ns

_STOPPED_NS = 2_000_000_000
#: How much longer than its own patience a rank waits for a word of rank 0, who goes first.
_LONGER = 2


class Relay:
    """Passes on what this rank and rank 0 say to one another, and says that this rank is well."""

    def __init__(
        self, carrier: Carrier, wire: Wire, cells: Cells, came: Sequence[Frame] = ()
    ) -> None:
        """``came`` is what rank 0 has said already."""
        self._carrier, self._wire, self._cells = carrier, wire, cells
        self._came = list(came)
        self._heard = self._spoke = self._turned = time.monotonic_ns()
        self._told = (0, 0)
        self.has_ended = False
        """Whether everything is to be let go of."""
        self.may_leave = False
        self.is_cut_off = False
        """Whether rank 0 was not heard of for too long."""

    def turn(self) -> bool:
        """Do what is to be done now; whether anything was."""
        self._cells.beat()
        mine = self._wire.receive()
        theirs = self._came + [frame for _, frame in frames(self._carrier)]
        self._came = []
        for frame in mine:
            if not self.has_ended:
                self._carrier.send(0, frame.packed())
        for frame in theirs:
            self._from_rank_0(frame)
        self._wire.flush()
        self._look(bool(theirs))
        return bool(mine or theirs)

    def fail(self, code: str, message: str) -> None:
        """Tell rank 0 that this rank has failed."""
        body = pickle.dumps((code, message))
        self._carrier.send(0, Frame(Kind.FAILED, self._carrier.rank, body=body).packed())

    def gone(self) -> None:
        """Tell rank 0 that everything was let go of."""
        self._carrier.send(0, Frame(Kind.BYE, self._carrier.rank).packed())

    def end(self) -> None:
        """Let the process that measures know that the world has ended."""
        if not self.has_ended:
            self.has_ended = True
            self._wire.send(Frame(Kind.STOP))

    def _from_rank_0(self, frame: Frame) -> None:
        if frame.kind == Kind.ALIVE:
            self._cells.patience_ns = TIMES.unpack(frame.body)[0]
        elif frame.kind == Kind.STOP:
            self.end()
        elif frame.kind == Kind.FINISH:
            self.may_leave = True
        elif not self.has_ended:
            self._wire.send(frame)

    def _look(self, heard: bool) -> None:
        now = time.monotonic_ns()
        if heard or now - self._turned > _STOPPED_NS:
            self._heard = now
        self._turned = now
        patience_ns = self._cells.patience_ns
        quiet_ns = now - self._spoke
        if quiet_ns > beat_ns(patience_ns, self._carrier.size):
            self._spoke, self._told = now, self._cells.mine
            body = TIMES.pack(*self._told)
            self._carrier.send(0, Frame(Kind.ALIVE, self._carrier.rank, body=body).packed())
        if now - self._heard > _LONGER * patience_ns + _STOPPED_NS:
            self.is_cut_off = True
            self.end()
