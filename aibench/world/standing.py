"""The world of this process: one of several ranks, or alone."""

import os
import signal
import socket
import time
from types import FrameType
from typing import TYPE_CHECKING

from aibench.errors import AibenchError, Interrupted
from aibench.world.world import Alone, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from aibench.world.cells import Cells
    from aibench.world.linked import Linked

_DYING_S = 0.5
_LOOK_S = 0.005

_connect: "Callable[[], Linked] | None" = None
_linked: "Linked | None" = None


def connect(end: socket.socket, cells: "Cells", parent: int) -> None:
    """From now on this process is one of several ranks; ``parent`` has their connection.

    SIGTERM, which the end of ``parent`` sends too, raises what has happened.
    """
    from aibench.world.frames import Wire
    from aibench.world.linked import Linked

    global _connect  # noqa: PLW0603 - a process has one world
    wire = Wire(end)
    _connect = lambda: Linked(wire, cells, parent)  # noqa: E731
    signal.signal(signal.SIGTERM, _asked)


def here() -> World:
    """The world of this process. Where it is one of several ranks it waits for all of them."""
    if _connect is None:
        return Alone(os.uname().nodename)
    return _link()


def _link() -> "Linked":
    global _linked  # noqa: PLW0603
    if _linked is None:
        assert _connect is not None
        _linked = _connect()
    return _linked


def loss() -> AibenchError | None:
    """What has happened where this rank has lost its connection; None where it has not.

    To be asked when SIGTERM came, which the end of the connecting process sends: it does so when
    the thread ends that forked us, and threads of MPI may end a moment later.
    """
    deadline = time.monotonic() + _DYING_S
    while _linked is not None and time.monotonic() < deadline:
        if (lost := _linked.loss()) is not None:
            return lost
        time.sleep(_LOOK_S)
    return None


def notes(directory: str | None) -> None:
    """Where on the shared target ranks write down that they have lost their connection.

    To be called on all ranks, on rank 0 first (it makes the file), and with None when the target
    is to be left as it was. Rank 0 learns from it who was lost first.
    """
    if _linked is not None:
        _linked.notes(directory)


def fail(error: AibenchError) -> None:
    """Tell rank 0 that this rank can't go on, and why."""
    if _linked is not None:
        _linked.fail(error)


def library() -> str:
    """The MPI library that connects the ranks, on rank 0; empty where there is none."""
    return "" if _linked is None else _linked.library


def kernels() -> tuple[str, ...]:
    """What tells apart the kernels that ranks run on, by rank, on rank 0; else nothing.

    Hosts with one kernel, such as containers of one machine, share its page cache.
    """
    return () if _linked is None else _linked.kernels


def _asked(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise loss() or Interrupted(f"{signal.Signals(number).name} asked this rank to end")
