"""Where threads of control wait for one another in the middle of a phase."""

import mmap
import time

from aibench.calls import Calls

_LOOK_S = 0.0002
#: What one thread of control writes down: how often it arrived, and its clock then.
_EACH = 2
_MOST = 2**17


class Meeting:
    """Integers in shared memory, made before the workers are forked; pages unused cost nothing.

    Clocks may be virtual: who waited goes on at the time at which the last one arrived.
    """

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, 8 * _EACH * _MOST)
        self._cells = memoryview(self._map).cast("q")

    def arrive(self, calls: Calls, slot: int) -> None:
        """Tell the others that ``slot`` is there; it need not wait."""
        self._cells[_EACH * slot + 1] = calls.clock()
        self._cells[_EACH * slot] += 1

    def wait_for(self, calls: Calls, slots: range, times: int) -> None:
        """Wait until each of ``slots`` has arrived so many times."""
        cells = self._cells
        for slot in slots:
            while cells[_EACH * slot] < times:
                time.sleep(_LOOK_S)
        calls.wait(max(cells[_EACH * slot + 1] for slot in slots))
