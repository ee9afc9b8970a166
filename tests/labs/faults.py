"""A filesystem with faults that are asked for, while it is mounted."""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests import lab
from tests.labs.ledger import Ledger, laboratory

PROMISE = (
    "bandwidth within 3 %, delay within 10 %; with direct_io each error, short read, full "
    "filesystem and hang comes exactly when asked for, and goes when taken back"
)
_ROOM = 2**30
_PROGRAM = Path(__file__).parents[2] / "scripts" / "labs" / "faultfs.py"


def missing() -> str:
    """What this machine lacks for faultfs, in a sentence; empty where it lacks nothing."""
    if lab.missing():
        return lab.missing()
    if not os.path.exists("/dev/fuse"):
        return "FUSE filesystems need the kernel's fuse module, and /dev/fuse is missing."
    if shutil.which("fusermount3") is None:
        return "faultfs needs libfuse 3 (package fuse3)."
    if importlib.util.find_spec("mfusepy") is None:
        return "faultfs needs mfusepy (pip install mfusepy)."
    return ""


@dataclass(frozen=True)
class Faulty(lab.Mounted):
    """A mounted faultfs. ``source`` is the directory behind it, in memory.

    ``kill`` ends the process that serves it, as a crash would.
    """

    source: Path = Path()
    control: Path = Path()
    kill: Callable[[], object] = lambda: None

    def ask(self, **faults: Any) -> None:
        """From the next request on these faults and no others (scripts/labs/faultfs.py has all)."""
        replacement = self.control.with_suffix(".new")
        replacement.write_text(json.dumps(faults))
        replacement.replace(self.control)


@contextlib.contextmanager
def faultfs(
    *, direct_io: bool = False, name: str = "faultfs", options: tuple[str, ...] = (), **faults: Any
) -> Iterator[Faulty]:
    """A faultfs whose mountinfo names ``name`` as its source. It begins with ``faults``."""
    with laboratory() as ledger:
        yield mount(ledger, "mount", direct_io=direct_io, name=name, options=options, **faults)


@contextlib.contextmanager
def two_clients(negative_timeout_s: float) -> Iterator[tuple[Faulty, Faulty]]:
    """Two mounts of one directory; each remembers for that long that a name does not exist."""
    options = (f"negative_timeout={negative_timeout_s}",)
    with laboratory() as ledger:
        first = mount(ledger, "first", options=options)
        yield first, mount(ledger, "second", options=options)


def mount(
    ledger: Ledger,
    place: str,
    *,
    direct_io: bool = False,
    name: str = "faultfs",
    options: tuple[str, ...] = (),
    **faults: Any,
) -> Faulty:
    """One more mount of the lab's directory ``source``."""
    source = ledger.directory / "source"
    if not source.exists():
        ledger.mount("-t", "tmpfs", "-o", f"size={_ROOM}", "tmpfs", name=source.name)
    control = ledger.directory / f"{place}.json"
    point = ledger.point(place)
    extra = [word for option in options for word in ("-o", option)]
    direct = ["--direct-io"] if direct_io else []
    control.write_text(json.dumps(faults))
    paths = (source, point, control)
    daemon = ledger.daemon(sys.executable, _PROGRAM, *paths, "--source", name, *direct, *extra)
    ledger.until_mounted(point)
    kill = partial(os.killpg, daemon.pid, signal.SIGKILL)
    return Faulty(point, "fuse.faultfs", "", source, control, kill)
