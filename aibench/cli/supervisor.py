"""Lets go of a command that hangs in the kernel: its parent never touches the target.

A system call on a dead mount may never return, and then not even SIGKILL ends the process. So a
command that touches a target runs in a child. The parent watches whether the child is ever
scheduled; when it is not, for longer than the patience, the parent says so, ends the record, and
leaves the child to the kernel.
"""

import mmap
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from aibench.orphans import die_with

_POLL_S = 0.2
DEFAULT_PATIENCE_NS = 120 * 10**9
#: How much longer than the patience of a phase: what watches a phase itself goes first.
_LONGER = 1.25
_LONGER_NS = 10**9
_GRACE_S = 1.0
#: A turn of the loop that takes as long as this was stopped itself, as the child may have been.
_STOPPED_S = 2.0
_PATH_BYTES = 4096
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FROM_TERMINAL = 0x80  # SI_KERNEL: the whole process group got it, so the child has it already

#: Eight bytes of patience in ns, then the path of the open record: told by the child.
_told = mmap.mmap(-1, 8 + _PATH_BYTES)


def tell_patience(patience_ns: int) -> None:
    """Let the parent know how long nothing may happen."""
    _told[:8] = patience_ns.to_bytes(8, "little")


def tell_record(path: str) -> None:
    """Let the parent know which record is open; empty when it is finished."""
    encoded = os.fsencode(os.path.abspath(path)) if path else b""
    _told[8:] = encoded[:_PATH_BYTES].ljust(_PATH_BYTES, b"\0")


def supervised(body: Callable[[], None]) -> NoReturn:
    """Run ``body`` in a child and exit as it does; exit with 4 when it hangs in the kernel."""
    flush()
    parent = os.getpid()
    tell_patience(DEFAULT_PATIENCE_NS)
    child = os.fork()
    if child == 0:
        die_with(parent, status=4)
        leave(body)
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_PASSED_ON, signal.SIGCHLD})
    os._exit(_watch(child))


def flush() -> None:
    """Let go of what was printed, so that no child prints it again."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):  # nobody listens any more
                stream.flush()


def leave(body: Callable[[], None]) -> NoReturn:
    """Run ``body`` and exit; at once where a worker hangs, which Python would wait for."""
    try:
        body()
        code: object = 0
    except SystemExit as left:
        code = left.code
    flush()
    loaded = sys.modules.get("multiprocessing")
    if loaded is not None and loaded.active_children():
        os._exit(code if isinstance(code, int) else 4)
    sys.exit(code)  # type: ignore[arg-type]


def _watch(child: int) -> int:
    """The exit code of the child, or 4 when it hangs."""
    from aibench.probes.patience import Patience

    told_ns = patience_told_ns()
    patience = Patience(limit_ns(told_ns), writes=True)
    looked = time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return _exit_code(status)
        got = signal.sigtimedwait((*_PASSED_ON, signal.SIGCHLD), _POLL_S)
        if got is not None and got.si_signo in _PASSED_ON and got.si_code != _FROM_TERMINAL:
            os.kill(child, got.si_signo)
        was_stopped = time.monotonic() - looked > _STOPPED_S
        looked = time.monotonic()
        if was_stopped or told_ns != patience_told_ns():
            told_ns = patience_told_ns()
            patience = Patience(limit_ns(told_ns), writes=True)
        patience.note(*times_scheduled(child))
        if patience.is_over():
            return _give_up(child)


def patience_told_ns() -> int:
    """How long nothing may happen, as was told last."""
    return int.from_bytes(_told[:8], "little")


def limit_ns(patience_ns: int) -> int:
    """How long nothing at all may happen before a command is given up."""
    return int(patience_ns * _LONGER) + _LONGER_NS


def describe(status: int) -> tuple[int, str]:
    """The exit code of a child, and what ended it where it did not exit by itself."""
    code = os.waitstatus_to_exitcode(status)
    return (code, "") if code >= 0 else (4, f"was ended by {signal.Signals(-code).name}")


def _exit_code(status: int) -> int:
    code, why = describe(status)
    if why:
        say(f"aibench {why}")
        end_record("killed", f"the process {why}")
    return code


def _give_up(child: int) -> int:
    os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + _GRACE_S
    while time.monotonic() < deadline and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(_POLL_S)
    message = hanging(patience_told_ns())
    say(message)
    end_record("target_hangs", message)
    return 4


def hanging(patience_ns: int) -> str:
    """What is said of a command that nothing happens in."""
    seconds = patience_ns / 1e9
    return f"the target hangs: a system call has not returned for more than {seconds:g} s"


def end_record(code: str, message: str) -> None:
    """Add the last line to the record that is open, if one is."""
    from aibench.store import end_unfinished

    path = os.fsdecode(bytes(_told[8:]).rstrip(b"\0"))
    if path and end_unfinished(path, code, message):
        say(f"record  {path}")


def say(message: str) -> None:
    """Tell the user, if one listens."""
    from aibench.reporters.clean import clean

    with suppress(OSError):  # nobody listens any more
        os.write(2, f"aibench: {clean(message)}\n".encode(errors="replace"))


def times_scheduled(pid: int) -> tuple[int, ...]:
    """What changes whenever a process is scheduled, which one that hangs in the kernel is not."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return tuple(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    except OSError:
        return ()
