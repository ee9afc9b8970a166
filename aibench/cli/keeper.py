"""Ends what measures when what connects it is gone: a process that never touches the target.

A launcher that ends a job kills the process that it started, and that can't end the one that
measures, which may hang in the kernel where only SIGKILL reaches it. So a third process holds on to
the launcher's output, and passes on what the one that measures prints: launchers wait until
nobody holds it.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress

_LASTING_S = 10.0
_LOOK_S = 0.5
_QUICK_S = 0.02
_REAPED_S = 1.0
_CHUNK = 1 << 16


class Kept:
    """The process that measures, told apart from any later one with its number."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._born = self._stat()[1]

    def _stat(self) -> tuple[str, str]:
        """Its state, and when it was started; see ``/proc/PID/stat`` in proc(5)."""
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return "", ""
        return fields[0], fields[19]

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        state, born = self._stat()
        return bool(state) and state not in "ZX" and born == self._born

    def kill(self) -> None:
        """Kill it, if it is still there."""
        if self.is_alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def keep(pid: int, parent: int, output: int | None, given_up: Callable[[], None]) -> None:
    """Return when the process ``pid`` has ended after the pipe ``parent`` was closed.

    It is killed when it takes too long, and ``given_up`` is called. What it writes to the pipe
    ``output`` goes to our own error stream.
    """
    kept = Kept(pid)
    sources = [parent] if output is None else [parent, output]
    deadline: float | None = None
    killed = False
    while True:
        wait_s = _LOOK_S if deadline is None else _QUICK_S
        ready = select.select(sources, [], [], wait_s)[0]
        if output in ready and not _pass_on(output):
            sources.remove(output)
        if parent in ready:
            sources.remove(parent)
            deadline = time.monotonic() + _LASTING_S
        if deadline is None or output in ready:
            continue
        if not kept.is_alive or (killed and time.monotonic() > deadline):
            return
        if time.monotonic() > deadline:
            kept.kill()
            given_up()
            killed, deadline = True, time.monotonic() + _REAPED_S


def _pass_on(output: int | None) -> bool:
    """Copy what is there; False at its end."""
    assert output is not None
    data = os.read(output, _CHUNK)
    view = memoryview(data)
    with suppress(OSError):  # nobody listens any more
        while view:
            view = view[os.write(2, view) :]
    return bool(data)
