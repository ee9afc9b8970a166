"""Runs other programs so that they can't hang, outlive us or fill memory.

The only module that starts a subprocess. A command is a list and never meets a shell. Both pipes
are read as they fill, so neither side can block the other. However `run` is left (the end of the
program, a timeout, an exception from a callback or a signal handler), the whole process group has
been asked to end, then killed, and reaped. A program whose parent is killed with SIGKILL dies too
(``PR_SET_PDEATHSIG``); that is tied to the thread that called `run`, which has to stay alive.
"""

import os
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from aibench.errors import WorkerFailed

#: How long a program may take to end after SIGTERM, and its body to be reaped after SIGKILL.
GRACE_SECONDS = 5.0
_TICK_SECONDS = 0.1
_LIMIT = 2**20
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# What runs between fork and the program. A `preexec_fn` would run Python in a forked copy of a
# process that may have threads; a fresh interpreter can't deadlock, and it costs 20 ms. It also
# changes directory there, so that a dead mount hangs the child and not us.
_GUARD = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
try:
    os.chdir(sys.argv[2])
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    os.execv(sys.argv[3], sys.argv[4:])
except OSError as error:
    print(f"{sys.argv[4]}: {error.strerror}", file=sys.stderr)
    sys.exit(127)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended: its exit status (negative: the signal) and what it printed.

    Where it printed more than the limit, the middle is left out and a line says so.
    """

    command: tuple[str, ...]
    status: int
    output: bytes
    errors: bytes

    @property
    def signal_name(self) -> str | None:
        """The signal that killed the program, such as ``SIGKILL``."""
        if self.status >= 0:
            return None
        with suppress(ValueError):
            return signal.Signals(-self.status).name
        return f"signal {-self.status}"


def run(
    command: Sequence[str],
    *,
    cwd: str = ".",
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
    timeout_seconds: float | None = None,
    on_output: Callable[[bytes], None] | None = None,
    poll: Callable[[], None] | None = None,
    limit: int = _LIMIT,
) -> Finished:
    """Run ``command`` to its end, and leave nothing of it behind.

    It reads ``given`` from its standard input, which is a file without a name. ``on_output`` gets
    standard output as it comes, and then nothing of it is kept. ``poll`` is called ten times a
    second or more. Both may raise, which ends the program. ``environment`` is added to ours.
    ``limit`` bounds what is kept of each pipe, in bytes. `WorkerFailed` when the program can't be
    started or takes longer than ``timeout_seconds``.
    """
    output, errors = _Kept(limit), _Kept(limit)
    child = None
    try:
        with signals_held():
            child = _start(command, cwd, environment, given)
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        sinks = ((child.stdout, on_output or output.add), (child.stderr, errors.add))
        for _ in _read_all(child, sinks):
            if poll is not None:
                poll()
            if deadline is not None and time.monotonic() > deadline:
                raise WorkerFailed(f"{command[0]} did not end within {timeout_seconds:g} s")
    except BaseException as error:
        if child is not None and not _end(child):
            error.add_note(f"{command[0]} (process {child.pid}) hangs in the kernel")
        raise
    _end(child)
    kept = {"output": output.content(), "errors": errors.content()}
    return Finished(command=tuple(command), status=child.returncode, **kept)


def _start(
    command: Sequence[str], cwd: str, environment: Mapping[str, str] | None, given: bytes
) -> subprocess.Popen[bytes]:
    program = shutil.which(command[0])
    if program is None:
        raise WorkerFailed(f"{command[0]} can't be started: it is not installed")
    guard = [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), cwd]
    with os.fdopen(os.memfd_create("given"), "w+b") as file:
        file.write(given)
        file.seek(0)
        return subprocess.Popen(
            [*guard, os.path.abspath(program), *command],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environment is None else {**os.environ, **environment},
            start_new_session=True,
        )


Sinks = Sequence[tuple[IO[bytes] | None, Callable[[bytes], object]]]


def _read_all(child: subprocess.Popen[bytes], sinks: Sinks) -> Iterator[None]:
    """Feed ``sinks`` until the child has ended and its pipes are empty; yields now and then."""
    with _selector(sinks) as selector:
        while not _has_ended(child.pid):
            _feed(selector)
            yield
        _kill(child.pid, signal.SIGKILL)  # whatever it left in its group may hold the pipes
        last = time.monotonic() + GRACE_SECONDS
        while selector.get_map() and time.monotonic() < last:
            _feed(selector)


def _selector(sinks: Sinks) -> selectors.BaseSelector:
    selector = selectors.DefaultSelector()
    for pipe, sink in sinks:
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, sink)
    return selector


def _feed(selector: selectors.BaseSelector) -> None:
    """Hand on what is in the pipes, waiting for it a moment; forget pipes that are closed."""
    for key, _ in selector.select(_TICK_SECONDS if selector.get_map() else _TICK_SECONDS / 10):
        with suppress(BlockingIOError):
            if chunk := os.read(key.fd, 2**16):
                key.data(chunk)
            else:
                selector.unregister(key.fileobj)


def _has_ended(pid: int) -> bool:
    """Whether the process has ended; it stays a zombie, so that its group id stays ours."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _kill(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _end(child: subprocess.Popen[bytes]) -> bool:
    """End and reap the child's whole group; False where the kernel does not let it go."""
    pipes = (child.stdout, child.stderr)
    try:
        _kill(child.pid, signal.SIGTERM)
        _kill(child.pid, signal.SIGCONT)  # a stopped process would not hear it
        last = time.monotonic() + GRACE_SECONDS
        with _selector([(pipe, len) for pipe in pipes]) as selector:
            while not _has_ended(child.pid) and time.monotonic() < last:
                _feed(selector)  # its last words must not block it
    finally:
        with signals_held():
            _kill(child.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_SECONDS)
            for pipe in pipes:
                if pipe is not None:
                    pipe.close()
    return child.returncode is not None


@contextmanager
def signals_held() -> Iterator[None]:
    """Handlers of signals that ask us to end run when the block is over, not inside it.

    Blocking the signals would not do: the kernel then hands them to another thread, and Python
    runs their handlers in the main thread all the same.
    """
    held: list[int] = []

    def hold(number: int, _frame: object) -> None:
        held.append(number)

    try:
        with ExitStack() as after:
            if threading.current_thread() is threading.main_thread():
                for number in _ENDING:
                    handler = signal.getsignal(number)
                    if callable(handler):
                        after.callback(signal.signal, number, handler)
                        signal.signal(number, hold)
            yield
    finally:
        if held:
            signal.raise_signal(held[0])


class _Kept:
    """The beginning and the end of a stream, in bounded memory."""

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self._lost = 0

    def add(self, chunk: bytes) -> None:
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:] if room > 0 else chunk
        if (extra := len(self._tail) - self._half) > 0:
            del self._tail[:extra]
            self._lost += extra

    def content(self) -> bytes:
        gap = b"\n[%d bytes left out]\n" % self._lost if self._lost else b""
        return bytes(self._head) + gap + bytes(self._tail)
