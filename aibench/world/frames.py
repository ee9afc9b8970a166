"""What processes of a world send one another: frames, which are bytes with a kind and a number."""

import selectors
import socket
import struct
from collections import deque
from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What a frame says."""

    HELLO = 1
    """A rank is there; its host follows."""
    WELCOME = 2
    """All ranks are there; their hosts follow."""
    PING = 3
    """What time is it? Nothing else is done until the answer."""
    PONG = 4
    """The time of a rank."""
    SHARE = 5
    """Something from rank 0 for all."""
    GATHER = 6
    """Something from a rank for rank 0."""
    MEET = 7
    """A rank waits for the others; how long the last start was on its way to it follows."""
    START = 8
    """All have met; the common start follows."""
    ALIVE = 9
    """A rank is well; how far it has come follows, or the patience of rank 0."""
    FAILED = 10
    """A rank has failed; a code and a message follow."""
    STOP = 11
    """The world has ended: let go of everything."""
    BYE = 12
    """A rank has let go of everything."""
    FINISH = 13
    """All have; leave."""
    POST = 14
    """Something that nobody waits for, from a rank for rank 0 or from rank 0 for all."""


_HEAD = struct.Struct("<BIQQ")
_RECEIVE = 1 << 18


@dataclass(frozen=True, slots=True)
class Frame:
    """A message of or for ``rank``; ``number`` counts those of a kind."""

    kind: Kind
    rank: int = 0
    number: int = 0
    body: bytes = b""

    def packed(self) -> bytes:
        """As it goes over a wire."""
        return _HEAD.pack(self.kind, self.rank, self.number, len(self.body)) + self.body

    @staticmethod
    def unpacked(data: bytes | bytearray) -> "Frame":
        """From the whole of what `packed` made."""
        kind, rank, number, length = _HEAD.unpack_from(data)
        body = bytes(memoryview(data)[_HEAD.size :])
        assert len(body) == length
        return Frame(Kind(kind), rank, number, body)


class Wire:
    """One end of a stream socket that carries frames; no call of it waits but `wait`."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._out: deque[memoryview] = deque()
        self._in = bytearray()
        self._wanted = _HEAD.size
        self._selector = selectors.DefaultSelector()
        self._selector.register(end, selectors.EVENT_READ)
        self.is_open = True

    def send(self, frame: Frame) -> None:
        """Send as much as goes at once; the rest goes with the next calls."""
        self._out.append(memoryview(frame.packed()))
        self.flush()

    @property
    def is_flushed(self) -> bool:
        """Whether all has gone, or nobody is there to read it."""
        return not self._out

    def flush(self) -> None:
        """Send what is left, as far as it goes."""
        try:
            while self._out:
                sent = self._end.send(self._out[0])
                if sent < len(self._out[0]):
                    self._out[0] = self._out[0][sent:]
                else:
                    self._out.popleft()
        except BlockingIOError:
            pass
        except OSError:  # the other end has gone; reading tells
            self._out.clear()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        if self._selector.get_key(self._end).events != events:
            self._selector.modify(self._end, events)

    def wait(self, seconds: float) -> None:
        """Wait until something can be received, or sent where something is left; or that long."""
        if self.is_open:
            self._selector.select(seconds)

    def receive(self) -> list[Frame]:
        """The frames that are there; `is_open` is False when none will come any more."""
        frames: list[Frame] = []
        while self.is_open:
            try:
                data = self._end.recv(max(_RECEIVE, self._wanted - len(self._in)))
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.is_open = False
            self._in += data
            if len(self._in) >= self._wanted:
                frames += self._complete()
                break  # the reader's turn, or a fast writer would keep it here
        return frames

    def _complete(self) -> list[Frame]:
        """Take all whole frames out of what was received."""
        frames, place, whole = [], 0, memoryview(self._in)
        while True:
            left = len(whole) - place
            self._wanted = _HEAD.size
            if left >= _HEAD.size:
                self._wanted += _HEAD.unpack_from(whole, place)[3]
            if left < self._wanted:
                break
            frames.append(Frame.unpacked(bytes(whole[place : place + self._wanted])))
            place += self._wanted
        whole.release()
        del self._in[:place]
        return frames

    def fileno(self) -> int:
        """The descriptor that becomes readable when something has come."""
        return self._end.fileno()

    def close(self) -> None:
        """Let go of it."""
        self.is_open = False
        self._selector.close()
        self._end.close()
