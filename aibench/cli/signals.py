"""Turns the signals that ask a run to end into an exception, once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from aibench.errors import Interrupted
from aibench.world import loss

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, SIGINT, SIGTERM and SIGHUP raise `Interrupted`, once; further ones are ignored.

    The end of the process that connects this rank with others sends SIGTERM too; then what is
    raised tells of that.

    The first is enough: what follows is bounded in time, and has to put things in order. That
    goes for what comes after the block too: a report of what was measured.
    """
    came = False

    def interrupt(number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came = True
        for each in _ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise loss() or Interrupted(f"{signal.Signals(number).name} asked the run to end")

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        if not came:
            for number, handler in before.items():
                signal.signal(number, handler)
