"""Lets a forked child die with its parent, however that one ends."""

import ctypes
import os
import signal

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def die_with(parent: int, status: int = 1, how: signal.Signals = signal.SIGKILL) -> None:
    """From now on this process gets the signal ``how`` when the thread that forked it ends.

    Called first of all in a child of ``parent``; where that is gone by then, it exits with
    ``status`` at once. See ``PR_SET_PDEATHSIG`` in prctl(2).
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, how, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(status)
