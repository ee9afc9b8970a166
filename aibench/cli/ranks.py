"""One of several ranks under an MPI launcher: who connects, who measures, and who ends both.

::

    launcher -> P: connects (this module) -> A: measures; has a session of its own
                                          -> K: ends A when P is gone (`keeper`)

P forks both before it loads MPI, and never after: forking is forbidden then.
"""

import os
import pickle
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NoReturn

from aibench.cli.connecting import Connection, Measurer
from aibench.cli.keeper import keep
from aibench.cli.supervisor import (
    DEFAULT_PATIENCE_NS,
    end_record,
    flush,
    leave,
    say,
    tell_patience,
)
from aibench.errors import AibenchError, WorldEnded
from aibench.orphans import die_with
from aibench.world import World, fail, here
from aibench.world.cells import Cells
from aibench.world.frames import Frame, Kind, Wire
from aibench.world.gathering import Arrival, gather_ranks, join_ranks
from aibench.world.launch import Launch, leads_host
from aibench.world.mpi import MpiCarrier
from aibench.world.relay import Relay
from aibench.world.standing import connect
from aibench.world.switchboard import Switchboard

_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
_LAST_S = 15
#: A launcher that sees a rank exit with another code than 0 kills all that have not exited yet, and
#: takes their codes for its own; so rank 0 goes last.
_LATER_S, _PER_RANK_S, _LATEST_S = 0.7, 0.002, 3.0
#: And where ranks can't connect, the one that says why for its host goes first.
_SAID_S = 1.5


@dataclass(frozen=True, slots=True)
class _Ends:
    """What P, A and K hold of one another: sockets between P and A, pipes from P and A to K."""

    near: socket.socket
    far: socket.socket
    watched: int
    held: int
    read: int
    written: int


def supervised_rank(
    launch: Launch, body: Callable[[], None], serve: Callable[[World], None]
) -> NoReturn:
    """Run ``body`` on rank 0 of the launch, ``serve`` on the others, and exit as that does.

    The exit code of the launch is that of rank 0; the other ranks exit with 0, or with 4 where
    they lost rank 0.
    """
    flush()
    tell_patience(DEFAULT_PATIENCE_NS)
    parent, cells = os.getpid(), Cells()
    ends = _Ends(*socket.socketpair(), *os.pipe(), *os.pipe())
    agent = os.fork()
    if agent == 0:
        _measure(launch, body if launch.rank == 0 else lambda: _follow(serve), ends, cells, parent)
    keeper = os.fork()
    if keeper == 0:
        _keep(launch, ends, agent)
    ends.far.close()
    for fd in (ends.watched, ends.read, ends.written):
        os.close(fd)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    code = _connect(launch, Measurer(agent, cells, leads=launch.rank == 0), ends.near, cells)
    os.close(ends.held)
    _reap(keeper)
    sys.exit(code)  # MPICH leaves its launcher when libc exits; without that all are killed


def _measure(
    launch: Launch, body: Callable[[], None], ends: _Ends, cells: Cells, parent: int
) -> NoReturn:
    """What A does."""
    os.setsid()
    ends.near.close()
    for fd in (ends.watched, ends.held, ends.read):
        os.close(fd)
    if launch.rank:
        os.dup2(ends.written, 1)
        os.dup2(ends.written, 2)
    os.close(ends.written)
    connect(ends.far, cells, parent)
    die_with(parent, status=4, how=signal.SIGTERM)
    leave(body)


def _follow(serve: Callable[[World], None]) -> None:
    """Do what rank 0 asks for; what goes wrong is told to rank 0, which says so."""
    try:
        serve(here())
    except WorldEnded:
        return
    except AibenchError as error:
        fail(error)
        raise SystemExit(error.exit_code) from error
    except Exception as error:
        fail(_Bug(f"{type(error).__name__}: {error}"))
        raise


class _Bug(AibenchError):
    """What is no expected error."""

    code = "bug"


def _keep(launch: Launch, ends: _Ends, agent: int) -> NoReturn:
    """What K does."""
    os.setsid()
    for number in _HELD[:3]:
        signal.signal(number, signal.SIG_IGN)
    ends.near.close()
    ends.far.close()
    os.close(ends.held)
    os.close(ends.written)
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def given_up() -> None:
        if launch.rank == 0:
            message = "rank 0 lost its MPI process, and did not end after that"
            end_record("rank_died", message)

    with suppress(OSError):
        keep(agent, ends.watched, ends.read if launch.rank else None, given_up)
    os._exit(0)


def _connect(launch: Launch, measurer: Measurer, near: socket.socket, cells: Cells) -> int:
    """What P does: connect A with the other ranks until all is over; the exit code."""
    try:
        carrier = MpiCarrier(launch)
    except AibenchError as error:
        measurer.kill()
        if leads_host(os.environ):
            _complain(launch, str(error))
        else:
            signal.sigtimedwait(_HELD[:3], _SAID_S)
        return error.exit_code
    wire = Wire(near)
    try:
        line = _joined(carrier, wire, cells)
    except AibenchError as error:
        measurer.kill()
        _complain(launch, str(error))
        signal.alarm(_LAST_S)
        carrier.abort(error.exit_code)
        return error.exit_code
    code = Connection(line, carrier, wire, measurer).run()
    signal.alarm(_LAST_S)  # what MPI itself may take, whose default is to kill
    if code is None:
        carrier.abort(measurer.code or 4)
        return 4
    carrier.close()
    if code:
        time.sleep(min(_LATER_S + _PER_RANK_S * carrier.size, _LATEST_S))
    return code


def _joined(carrier: MpiCarrier, wire: Wire, cells: Cells) -> Switchboard | Relay:
    """Find the other ranks, and tell A where it is."""
    me = Arrival(os.uname().nodename, _kernel())
    rank = carrier.rank
    if rank == 0:
        welcome = gather_ranks(carrier, me, cells.patience_ns, cells.beat)
        welcome = replace(welcome, library=carrier.library)
        line: Switchboard | Relay = Switchboard(carrier, wire, cells)
    else:
        welcome, came = join_ranks(carrier, me, cells.patience_ns, cells.beat)
        line = Relay(carrier, wire, cells, came)
    wire.send(Frame(Kind.WELCOME, rank, body=pickle.dumps(welcome)))
    return line


def _kernel() -> str:
    """What tells this kernel apart from any other one, and from itself after it was restarted."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _complain(launch: Launch, message: str) -> None:
    where = f"rank {launch.rank} on host {os.uname().nodename}: " if launch.rank else ""
    say(where + message)


def _reap(keeper: int) -> None:
    """Wait a moment for K, which passes on what A printed."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and os.waitpid(keeper, os.WNOHANG) == (0, 0):
        time.sleep(0.002)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
