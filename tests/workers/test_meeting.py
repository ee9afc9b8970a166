"""Waiting for one another in the middle of a phase, in real and in virtual time."""

import threading
import time

from aibench.calls import real_calls
from aibench.engines.null import Pace, _Fake
from aibench.workers.meeting import Meeting
from tests import build


def test_who_waits_goes_on_when_the_last_one_is_there() -> None:
    """Nobody passes before all have arrived as often as asked; then all do."""
    meeting, passed = Meeting(), []
    calls = real_calls()

    def wait() -> None:
        meeting.wait_for(calls, range(3), 1)
        passed.append(True)

    waiting = threading.Thread(target=wait)
    waiting.start()
    meeting.arrive(calls, 0)
    meeting.arrive(calls, 2)
    time.sleep(0.02)
    assert not passed
    meeting.arrive(calls, 1)
    waiting.join(10)
    assert passed


def test_virtual_time_goes_on_at_the_latest_clock() -> None:
    """Clocks of several threads of control differ: the one who waits takes the latest."""
    pace = Pace(latency_ns={"write": 5})
    early, late = (_Fake(build.population(), pace) for _ in range(2))
    late.write(0, memoryview(b"x"))
    meeting = Meeting()
    meeting.arrive(early.calls(), 0)
    meeting.arrive(late.calls(), 1)
    meeting.wait_for(early.calls(), range(2), 1)
    assert early.clock() == late.clock() == 5
