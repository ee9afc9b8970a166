"""Watches this machine during a phase, from one light process of its own.

While it watches it copies a few small files of the kernel and a time, nothing else; what they say
is worked out after the phase. Counters only grow, so an interval is the difference of two copies,
and fewer copies give longer intervals with nothing lost.
"""

import gc
import json
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from aibench.model import Target
from aibench.model.telemetry import Telemetry
from aibench.orphans import die_with
from aibench.probes import counters, devices, nfsstats, quota
from aibench.probes.counters import Kind
from aibench.process import signals_held

MOST_INTERVALS = 600
FINE_NS = 250_000_000
COARSE_NS = 1_000_000_000
COARSE_FROM_NS = 15_000_000_000
"""Intervals are fine at first, coarse in a longer phase, and double at `MOST_INTERVALS`."""

_FORK = multiprocessing.get_context("fork")
_GRACE_S = 10.0
_CHUNK = 2**18
_READY, _END = b"r", b"e"


class Snapshot(NamedTuple):
    """The text of all files, in the order of their sources, as it was at a moment."""

    at_ns: int
    texts: tuple[bytes, ...]


class Source(NamedTuple):
    """A file to watch: what its series are called and how it is understood.

    ``part`` is the part of its text that is kept.
    """

    prefix: str
    path: str
    kind: Kind
    part: Callable[[bytes], bytes] = bytes


def sources(target: Target, root: str = "/") -> Iterator[Source]:
    """What there is to watch for ``target``; ``root`` is where ``proc`` and ``sys`` are."""
    proc, sys = f"{root}/proc", f"{root}/sys"
    yield Source("cpu.", f"{proc}/stat", counters.PROCESSORS, _without_interrupts)
    yield Source("memory.", f"{proc}/meminfo", counters.MEMORY)
    yield Source("memory.", f"{proc}/vmstat", counters.PAGING, _paging)
    if held := quota.path(root):
        yield Source("cpu.quota.", held, quota.QUOTA)
    for name in ("cpu", "io", "memory"):
        yield Source(f"pressure.{name}.", f"{proc}/pressure/{name}", counters.PRESSURE)
    cards = counters.CARDS_AND_LOOPBACK if target.is_served_by() else counters.CARDS
    yield Source("nic.", f"{proc}/net/dev", cards)
    yield Source("tcp.", f"{proc}/net/snmp", counters.TCP)
    if target.is_nfs:
        yield from _nfs(f"{proc}/self/mountstats", target.mount_point)
    elif target.device and not target.is_memory:
        for name in devices.members(target.device, sys):
            if devices.counts(name, sys):
                path = f"{sys}/class/block/{name}/stat"
                yield Source(f"device.{name}.", path, counters.DEVICE)


def _without_interrupts(text: bytes) -> bytes:
    """The counters of interrupts are the longest part of ``/proc/stat``; nobody asks for them."""
    begin, end = text.find(b"\nintr "), text.find(b"\nprocs_running ")
    return text[:begin] + text[end:] if 0 <= begin < end else text


def _paging(text: bytes) -> bytes:
    """Of the two hundred lines of ``/proc/vmstat`` those that are asked for."""
    return b"\n".join(s for s in text.split(b"\n") if s.startswith((b"pswp", b"pgsteal_direct ")))


def _nfs(path: str, mount_point: str) -> Iterator[Source]:
    """The section of the mount that is uppermost at ``mount_point``, where that is NFS."""
    part = partial(nfsstats.section, mount_point=mount_point)
    with suppress(OSError), open(path, "rb") as file:
        if part(file.read()):
            yield Source("nfs.", path, counters.NFS, part)


def opened(watched: Iterable[Source]) -> dict[int, Source]:
    """Descriptors of the files that there are, and what each is; the caller closes them."""
    found = {}
    for source in watched:
        with suppress(OSError):
            found[os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)] = source
    return found


def snapshot(files: Mapping[int, Source]) -> Snapshot:
    """The files now; what can't be read any more is empty."""
    now = time.monotonic_ns()
    return Snapshot(now, tuple(source.part(_text(fd)) for fd, source in files.items()))


def _text(fd: int) -> bytes:
    """All that the file holds now: the kernel gives its small files a page at a time."""
    text = b""
    try:
        while chunk := os.pread(fd, _CHUNK, len(text)):
            text += chunk
    except OSError:
        return b""
    return text


def thinned(snapshots: list[Snapshot]) -> list[Snapshot]:
    """Every second one, the first and the newest too, where no interval more would fit."""
    return snapshots[::2] if len(snapshots) > MOST_INTERVALS else snapshots


def closed(snapshots: list[Snapshot], last: Snapshot, interval_ns: int) -> list[Snapshot]:
    """``snapshots`` with the ``last`` one; a short rest belongs to the interval before it."""
    rest = last.at_ns - snapshots[-1].at_ns
    if len(snapshots) > 1 and rest < interval_ns / 2:
        return [*snapshots[:-1], last]
    return [*thinned(snapshots), last]


def developed(watched: Iterable[Source], snapshots: Sequence[Snapshot], cost_ns: int) -> Telemetry:
    """What ``snapshots`` of the sources ``watched`` say."""
    times = [each.at_ns for each in snapshots]
    found: dict[str, tuple[float | None, ...]] = {}
    for place, source in enumerate(watched):
        texts = [each.texts[place] for each in snapshots]
        for name, values in counters.series(source.kind, texts, times).items():
            found[source.prefix + name] = values
    return Telemetry(
        ends_ns=tuple(end - times[0] for end in times[1:]),
        series=found,
        cost_ns=cost_ns,
        watched_ns=times[-1] - times[0],
    )


def _film(pipe: socket.socket, files: Mapping[int, Source]) -> list[Snapshot]:
    """Snapshots from now until the parent says that it is over."""
    snapshots = [snapshot(files)]
    pipe.sendall(_READY)
    start = due = snapshots[0].at_ns
    factor = 1
    while True:
        interval = (FINE_NS if due - start < COARSE_FROM_NS else COARSE_NS) * factor
        due += interval * (max(time.monotonic_ns() - due, 0) // interval + 1)  # missed ones too
        if _is_over(pipe, due):
            return closed(snapshots, snapshot(files), interval)
        if len(fewer := thinned(snapshots)) < len(snapshots):
            snapshots, factor = fewer, 2 * factor
        snapshots.append(snapshot(files))


def _is_over(pipe: socket.socket, due_ns: int) -> bool:
    """Wait for the parent's word, until ``due_ns`` at most."""
    pipe.settimeout(max((due_ns - time.monotonic_ns()) / 1e9, 1e-6))
    try:
        pipe.recv(1)
    except TimeoutError:
        return False
    return True


def _child(pipe: socket.socket, parent: int, target: Target, root: str) -> None:
    """What the watching process does from fork to exit."""
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_DFL)
    gc.disable()  # it would touch, and so copy, the parent's memory
    files = opened(sources(target, root))
    before = time.process_time_ns()
    snapshots = _film(pipe, files)
    seen = developed(files.values(), snapshots, time.process_time_ns() - before)
    pipe.settimeout(_GRACE_S)
    pipe.sendall(json.dumps(asdict(seen), allow_nan=False).encode() + b"\n")
    os._exit(0)


def _unpacked(line: bytes) -> Telemetry:
    parts: dict[str, Any] = json.loads(line)
    parts["ends_ns"] = tuple(parts["ends_ns"])
    parts["series"] = {name: tuple(values) for name, values in parts["series"].items()}
    return Telemetry(**parts)


def _received(pipe: socket.socket, ending: bytes) -> bytes:
    """What comes until ``ending`` has come; empty where the other side died or is too slow."""
    deadline = time.monotonic() + _GRACE_S
    content = bytearray()
    while not content.endswith(ending):
        pipe.settimeout(max(deadline - time.monotonic(), 1e-6))
        chunk = pipe.recv(_CHUNK)
        if not chunk:
            return b""
        content += chunk
    return bytes(content)


class Watch:
    """Watches this machine from a process of its own, from `begin` to `end`."""

    def __init__(self, process: BaseProcess, pipe: socket.socket) -> None:
        self._process: BaseProcess | None = process
        self._pipe = pipe

    @classmethod
    def begin(cls, target: Target, *, root: str = "/") -> "Watch":
        """Watches from before this returns. Where no process can start, `end` tells nothing.

        ``root`` is where ``proc`` and ``sys`` are. The caller has not started a thread.
        """
        here, there = socket.socketpair()
        arguments = (there, os.getpid(), target, root)
        process = _FORK.Process(target=_child, args=arguments, daemon=True)
        watch = cls(process, here)
        ready = b""
        try:
            with suppress(OSError):
                with there, signals_held():
                    process.start()
                ready = _received(here, _READY)
        finally:
            if not ready:
                watch.abandon()
        return watch

    def end(self) -> Telemetry | None:
        """What was seen; None where the watching process died or does not answer in time.

        The process is gone afterwards. A second call, or one after `abandon`, gives None.
        """
        if self._process is None:
            return None
        try:
            self._pipe.sendall(_END)
            line = _received(self._pipe, b"\n")
        except OSError:
            line = b""
        finally:
            self.abandon()
        return _unpacked(line) if line else None

    def abandon(self) -> None:
        """Kill and reap the watching process, if there still is one; may be called twice."""
        process, self._process = self._process, None
        self._pipe.close()
        if process is None or process.pid is None:
            return
        with signals_held():
            process.kill()
            process.join(_GRACE_S)
        if process.exitcode is not None:  # otherwise it hangs in the kernel, which has to end it
            process.close()
