"""What an NFS mount does, operation by operation, from the kernel's own counters.

The format is that of ``/proc/self/mountstats`` (Linux, ``net/sunrpc/stats.c`` and
``fs/nfs/super.c``). Anything there that is not as the kernel writes it is left out.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from aibench.model import NfsFigures, NfsOperation
from aibench.probes.nfsoptions import meaning

__all__ = ["NfsCounters", "Transport", "between", "meaning", "parse", "section", "snapshot"]

MOUNTSTATS = "/proc/self/mountstats"
#: What the kernel writes in place of these bytes of a path (`seq_path` in `show_vfsstat`).
_ESCAPES = {b"\\": rb"\134", b" ": rb"\040", b"\t": rb"\011", b"\n": rb"\012"}
_NUMBER = re.compile(r"-?[0-9]{1,20}")
_MILLISECOND = 10**6
#: How many numbers of a ``xprt:`` line come before the sends, by transport.
_BEFORE_SENDS = {"tcp": 5, "rdma": 5, "udp": 2, "local": 4}
_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """The connections of a mount together (``nconnect`` makes several), since it was mounted.

    ``in_flight`` and ``backlog`` are sums over all requests that were sent of how many were under
    way, and how many waited for a free slot, at that moment.
    """

    connections: int
    requests: int
    answers: int
    in_flight: int
    backlog: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NfsCounters:
    """The counters of one NFS mount since it was mounted, ``age_s`` seconds ago.

    ``data_bytes`` are the kernel's eight numbers: read and written by programs through the page
    cache, the same past it, read from and written to the server, and pages read and written.
    ``operations`` holds for each type: operations, transmissions, timeouts, bytes sent and
    received, milliseconds in the queue, of round trips and of execution, and errors where the
    kernel counts them (from ``statvers=1.1`` on).
    """

    age_s: int
    data_bytes: tuple[int, ...]
    operations: Mapping[str, tuple[int, ...]]
    transport: Transport | None = None


def snapshot(mount_point: str, root: str = "/") -> NfsCounters | None:
    """The counters of the NFS mount at ``mount_point`` now; None where none is listed there.

    Of several mounts at one point the last counts, because it hides the others. All mounts of
    one export share their counters. ``root`` is where ``proc`` is.
    """
    try:
        with open(root.rstrip("/") + MOUNTSTATS, "rb") as file:
            return _parsed(section(file.read(), mount_point))
    except OSError:
        return None


def asked_bytes(mount_point: str, root: str = "/", *, direct: bool = True) -> int | None:
    """Bytes that programs have read of the mount so far, from the cache or not; None as above.

    Under O_DIRECT the kernel counts what a call had room for, however little came: ``direct`` says
    whether those count as well.
    """
    found = snapshot(mount_point, root)
    if found is None:
        return None
    return found.data_bytes[0] + (found.data_bytes[2] if direct else 0)


def parse(content: str, mount_point: str) -> NfsCounters | None:
    """The counters in the text of ``mountstats`` of the last mount at ``mount_point``."""
    return _parsed(section(content.encode(errors="surrogateescape"), mount_point))


def section(content: bytes, mount_point: str) -> bytes:
    """The lines of ``mountstats`` about the last mount at ``mount_point``, its first included.

    Empty where that one is no NFS, or none is listed. It searches and does not split: it is done
    several times a second.
    """
    point = os.fsencode(mount_point)
    for byte, escape in _ESCAPES.items():
        point = point.replace(byte, escape)
    needle = b" mounted on " + point + b" with fstype "
    found = content.rfind(needle)
    begin = content.rfind(b"\n", 0, max(found, 0)) + 1
    kind = content[found + len(needle) : found + len(needle) + len(b"nfs4 ")].split()[:1]
    if not content.startswith(b"device ", begin) or kind not in ([b"nfs"], [b"nfs4"]):
        return b""
    ends = (content.find(head, found) for head in (b"\ndevice ", b"\nno device "))
    return content[begin : min((end for end in ends if end >= 0), default=None)]


def _parsed(text: bytes) -> NfsCounters | None:
    age = 0
    data: tuple[int, ...] = ()
    connections: list[Transport] = []
    operations: dict[str, tuple[int, ...]] = {}
    for line in os.fsdecode(text).split("\n"):
        name, colon, rest = line.strip().partition(":")
        numbers = _numbers(rest.split())
        if not colon:
            continue
        if name == "xprt":
            connections += _connection(rest.split())
        elif name == "age" and numbers:
            age = numbers[0]
        elif name == "bytes" and len(numbers) == _BYTES:
            data = numbers
        elif _is_operation(name, numbers):
            operations[name] = numbers
    if not data:
        return None
    return NfsCounters(
        age_s=age,
        data_bytes=data,
        operations=operations,
        transport=_together(connections) if connections else None,
    )


def _numbers(words: Iterable[str]) -> tuple[int, ...]:
    """``words`` as numbers; empty where one of them is none."""
    found = [int(word) if _NUMBER.fullmatch(word) else None for word in words]
    known = tuple(number for number in found if number is not None)
    return known if len(known) == len(found) else ()


def _is_operation(name: str, numbers: tuple[int, ...]) -> bool:
    known = len(numbers) in (8, 9) and min(numbers) >= 0
    return known and re.fullmatch(r"[A-Z0-9_]+", name) is not None


def _connection(words: list[str]) -> list[Transport]:
    start = _BEFORE_SENDS.get(words[0]) if words else None
    numbers = _numbers(words[1:])
    if start is None or len(numbers) < start + 5:
        return []
    sends, answers, _, in_flight, backlog = numbers[start : start + 5]
    return [
        Transport(
            connections=1, requests=sends, answers=answers, in_flight=in_flight, backlog=backlog
        )
    ]


def _together(connections: list[Transport]) -> Transport:
    return Transport(
        connections=len(connections),
        requests=sum(each.requests for each in connections),
        answers=sum(each.answers for each in connections),
        in_flight=sum(each.in_flight for each in connections),
        backlog=sum(each.backlog for each in connections),
    )


def between(before: NfsCounters | None, after: NfsCounters | None) -> NfsFigures | None:
    """What the mount did from ``before`` to ``after``.

    None where either is missing, or where a counter ran backwards: then it was mounted anew.
    """
    if before is None or after is None or after.age_s < before.age_s:
        return None
    data = _difference(after.data_bytes, before.data_bytes)
    names = dict.fromkeys((*after.operations, *before.operations))
    passed = {
        name: _difference(after.operations.get(name, ()), before.operations.get(name, ()))
        for name in names
    }
    if min(data) < 0 or any(min(numbers) < 0 for numbers in passed.values()):
        return None
    return NfsFigures(
        operations=tuple(
            _operation(name, numbers, counts_errors=len(after.operations[name]) > 8)
            for name, numbers in passed.items()
            if numbers[0]
        ),
        asked_bytes=(data[0] + data[2], data[1] + data[3]),
        direct_bytes=(data[2], data[3]),
        served_bytes=(data[4], data[5]),
        backlog_mean=_backlog(before.transport, after.transport),
    )


def _difference(after: tuple[int, ...], before: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(now - then for now, then in zip_longest(after, before, fillvalue=0))


def _operation(name: str, numbers: tuple[int, ...], counts_errors: bool) -> NfsOperation:
    operations, transmissions, timeouts, sent, received, queue, trip, execute = numbers[:8]
    return NfsOperation(
        name=name,
        operations=operations,
        transmissions=transmissions,
        timeouts=timeouts,
        sent_bytes=sent,
        received_bytes=received,
        queue_ns=queue * _MILLISECOND,
        round_trip_ns=trip * _MILLISECOND,
        execute_ns=execute * _MILLISECOND,
        errors=numbers[8] if counts_errors else None,
    )


def _backlog(before: Transport | None, after: Transport | None) -> float | None:
    """How many requests waited for a slot when one was sent, on the average."""
    if before is None or after is None or before.connections != after.connections:
        return None
    sent, waited = after.requests - before.requests, after.backlog - before.backlog
    return waited / sent if sent > 0 and waited >= 0 else None
