"""The connection of a rank, from when all ranks are there until they leave."""

import os
import signal
import time
from dataclasses import dataclass, field

from aibench.cli.supervisor import (
    describe,
    end_record,
    hanging,
    limit_ns,
    patience_told_ns,
    say,
    times_scheduled,
)
from aibench.probes.patience import Patience
from aibench.world.cells import Cells
from aibench.world.frames import Wire
from aibench.world.mpi import MpiCarrier
from aibench.world.relay import Relay
from aibench.world.switchboard import Switchboard

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: How long a turn may nap: a tenth of how long ago there was something to do.
_LEAST_S, _MOST_S = 0.0002, 0.02
_QUIET = 10
_LOOK_S = 0.2
_STOPPED_S = 2.0
#: A launcher that ends all ranks asks first and kills then; so we wait whether it does.
_ASKED_S = {True: 1.6, False: 2.4}
#: When a rank that rank 0 has ended is asked again, killed, and given up.
_ASK_S, _KILL_S, _GIVE_UP_S = 2.0, 5.0, 6.0
#: How long rank 0 waits for the others when its own work is over.
_GRACE_S = 9.0
#: And for those that were not heard of before.
_LOST_S = 0.5


@dataclass
class Measurer:
    """The process that measures for this rank: whether it lives, moves, and how it ended."""

    pid: int
    cells: Cells
    leads: bool
    code: int | None = None
    """Its exit code, or 4 where it was killed; None while it lives."""
    why: str = ""
    """What became of it where it did not exit by itself."""
    hangs: bool = False
    _looked: float = 0.0
    _told_ns: int = 0
    _patience: Patience | None = None

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send it a signal."""
        if self.code is None:
            os.kill(self.pid, number)

    def look(self) -> None:
        """See whether it has ended, or hangs."""
        if self.code is not None:
            return
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        if ended:
            self.code, why = describe(status)
            self.why = self.why or why
            return
        now = time.monotonic()
        was_stopped = now - self._looked > _STOPPED_S
        self._looked = now
        if self.leads:
            self.cells.patience_ns = patience_told_ns()
        told_ns = self.cells.patience_ns
        if self._patience is None or was_stopped or told_ns != self._told_ns:
            self._patience, self._told_ns = Patience(limit_ns(told_ns), writes=True), told_ns
        self._patience.note(*times_scheduled(self.pid))
        if self._patience.is_over() and not self.hangs:
            self.hangs, self.why = True, hanging(told_ns)
            self.kill()

    def give_up(self) -> None:
        """Leave it to the kernel."""
        self.code, self.why = 4, self.why or "it hangs in the kernel"


@dataclass
class Connection:
    """Takes turns between the other ranks, the process that measures, and who asks us to end."""

    line: Switchboard | Relay
    carrier: MpiCarrier
    wire: Wire
    measurer: Measurer
    _busy_at: float = field(default_factory=time.monotonic)
    _looked: float = 0.0
    _ended_at: float | None = None
    _hung_at: float | None = None
    _asked: tuple[int, float] | None = None
    _pressed: int = 0
    _said_bye: bool = False

    def run(self) -> int | None:
        """The exit code when all ranks have let go; None where some have to be ended by force."""
        while True:
            now = time.monotonic()
            if self.line.turn():
                self._busy_at = now
            nap_s = min(max((now - self._busy_at) / _QUIET, _LEAST_S), _MOST_S)
            if not self.carrier.is_flushed:
                nap_s = _LEAST_S
            if self.wire.is_open:
                self.wire.wait(nap_s)
            else:
                time.sleep(nap_s)
            self._listen(now)
            if now - self._looked > _LOOK_S or not self.wire.is_open:
                self._looked = now
                self.measurer.look()
                self._after_hanging(now)
            leads = isinstance(self.line, Switchboard)
            over, code = self._lead(now) if leads else self._follow(now)
            if over:
                self._flush()
                return code

    def _listen(self, now: float) -> None:
        """Take note of signals, and pass on what they ask for when it is time to."""
        got = signal.sigtimedwait((*_ASKING, signal.SIGCHLD), 0)
        if got is not None and got.si_signo == signal.SIGCHLD:
            self._looked = 0.0
        elif got is not None and self._asked is None:
            self._asked = (got.si_signo, now)
            self.measurer.cells.signal = got.si_signo
        if self._asked is None or self._asked[0] == 0:
            return
        number, since = self._asked
        leads = isinstance(self.line, Switchboard)
        at_once = leads and number == signal.SIGINT
        if at_once or now - since > _ASKED_S[leads]:
            self._asked = (0, since)
            if leads:
                self.measurer.kill(signal.Signals(number))
            elif isinstance(self.line, Relay):
                name = signal.Signals(number).name
                self.line.fail("interrupted", f"{name} asked it to end")

    def _after_hanging(self, now: float) -> None:
        if self.measurer.hangs and self.measurer.code is None:
            self._hung_at = self._hung_at or now
            if now - self._hung_at > 1:
                self.measurer.give_up()

    def _lead(self, now: float) -> tuple[bool, int | None]:
        """Whether all is over, and the exit code, on rank 0."""
        assert isinstance(self.line, Switchboard)
        if self.measurer.code is None:
            return False, None
        if self._ended_at is None:
            self._ended_at = now
            self.line.end()
            self._end_record()
        if self.line.all_gone:
            self.line.finish()
            return True, self.measurer.code
        grace_s = _LOST_S if self.line.hears_nobody() else _GRACE_S
        return now - self._ended_at > grace_s, None

    def _end_record(self) -> None:
        """Say what became of the process that measures where it could not do it itself."""
        where, why = f"rank 0 on host {os.uname().nodename}", self.measurer.why
        if self.measurer.hangs:
            say(why)
            end_record("target_hangs", f"{where}: {why}")
        elif why:
            say(f"aibench {why}")
            end_record("killed", f"{where}: the process {why}")

    def _follow(self, now: float) -> tuple[bool, int | None]:
        """Whether all is over, and the exit code, on another rank."""
        assert isinstance(self.line, Relay)
        if self.line.has_ended and self._ended_at is None:
            self._ended_at = now
        if self.measurer.code is None:
            self._press(now)
            return False, None
        if not self._said_bye:
            while self.line.turn():  # its last words go first
                pass
            if not self.line.has_ended and self._ended_at is None:
                code = "target_hangs" if self.measurer.hangs else "rank_died"
                words = self.measurer.why or f"it ended with code {self.measurer.code}"
                self.line.fail(code, words)
            self._said_bye = True
            self.line.gone()
        if self.line.is_cut_off:
            return True, None
        return self.line.may_leave, 0

    def _press(self, now: float) -> None:
        """End the process that measures, harder each time, when the world has ended."""
        after = 0.0 if self._ended_at is None else now - self._ended_at
        if after > _GIVE_UP_S:
            self.measurer.give_up()
        elif after > _KILL_S and self._pressed < 2:
            self._pressed = 2
            self.measurer.kill()
        elif after > _ASK_S and self._pressed < 1:
            self._pressed = 1
            self.measurer.kill(signal.SIGTERM)

    def _flush(self) -> None:
        """Let go of what is on its way, for a moment."""
        deadline = time.monotonic() + 1
        while not self.carrier.is_flushed and time.monotonic() < deadline:
            self.line.turn()
            time.sleep(_LEAST_S)
