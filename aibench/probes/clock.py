"""The clocks of this machine: what they count by, and whether something keeps them right."""

import ctypes
from typing import NamedTuple

from aibench.probes import sysfs

_SOURCE = "sys/devices/system/clocksource/clocksource0/current_clocksource"
#: Bits of ``status``, of <linux/timex.h>.
_UNSYNCHRONISED, _IN_NANOSECONDS = 0x0040, 0x2000
_FIELDS = (
    *(("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long)),
    *(("maxerror", ctypes.c_long), ("esterror", ctypes.c_long), ("status", ctypes.c_int)),
    ("rest", ctypes.c_char * 256),  # larger than what the kernel fills in
)


class _Timex(ctypes.Structure):
    _fields_ = _FIELDS


class Discipline(NamedTuple):
    """Whether the kernel's clock is kept right, and how far off it is then believed to be."""

    synchronised: bool
    offset_ns: int


def source(root: str = "/") -> str | None:
    """What the kernel's clocks count by, such as ``tsc``."""
    return sysfs.text(f"{root}/{_SOURCE}")


def discipline() -> Discipline | None:
    """What adjtimex(2) says of the clock; None where it can't be asked. Changes nothing."""
    timex = _Timex()
    try:
        failed = ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) < 0
    except (OSError, AttributeError):
        return None
    if failed:
        return None
    unit = 1 if timex.status & _IN_NANOSECONDS else 1000
    return Discipline(not timex.status & _UNSYNCHRONISED, timex.offset * unit)
