"""What the kernel's counters say about the time between two looks at them.

Pure functions: bytes of ``/proc`` and ``/sys`` in, named values out. Whatever the bytes are, none
of them raises, and no value is infinite or not a number. What was not there, or ran backwards
(a counter that was reset or wrapped), is None for that interval.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from aibench.probes.devices import SECTOR

MOST_CORES = 32
"""Cores are told one by one up to this many; of more only the busiest is told."""

MOST_CARDS = 16
"""Of more network interfaces (containers have one each) those that moved most are told."""

_DIGITS = 20
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEMORY = {
    "MemAvailable": "available_bytes",
    "Dirty": "dirty_bytes",
    "Writeback": "writeback_bytes",
    "Cached": "cached_bytes",
}
_PAGING = {"swap": ("pswpin", "pswpout"), "reclaimed": ("pgsteal_direct",)}

Counters = Mapping[str, int]
Values = dict[str, float | None]
Series = dict[str, tuple[float | None, ...]]


def _all_of(found: Series) -> Series:
    return found


class Kind(NamedTuple):
    """How one file is understood: ``parse`` its text, then the ``values`` of an interval.

    ``values`` gets the counters before and after and the nanoseconds between; ``keep`` leaves
    out series that tell nothing.
    """

    parse: Callable[[bytes], Counters]
    values: Callable[[Counters, Counters, int], Values]
    keep: Callable[[Series], Series] = _all_of


def series(kind: Kind, texts: Sequence[bytes], times_ns: Sequence[int]) -> Series:
    """The series of one file whose text was ``texts`` at ``times_ns``; none that is all None."""
    seen = [kind.parse(text) for text in texts]
    rows = [
        kind.values(seen[i - 1], seen[i], times_ns[i] - times_ns[i - 1])
        for i in range(1, len(seen))
    ]
    names = dict.fromkeys(name for row in rows for name in row)
    found = {name: tuple(row.get(name) for row in rows) for name in names}
    known = {n: values for n, values in found.items() if any(v is not None for v in values)}
    return kind.keep(known)


def _lines(text: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """The first word of each line without its colon, and the words after it."""
    for line in text.split(b"\n"):
        words = line.split()
        if words:
            yield words[0].removesuffix(b":").decode("utf-8", "replace"), words[1:]


def _integer(word: bytes) -> int | None:
    return int(word) if word.isdigit() and len(word) <= _DIGITS else None


def _integers(words: Sequence[bytes], least: int) -> list[int]:
    """All of ``words`` as numbers; empty where one is none or there are fewer than ``least``."""
    numbers = [number for number in map(_integer, words) if number is not None]
    return numbers if len(numbers) == len(words) >= least else []


def _grown(before: Counters, after: Counters, name: str) -> int | None:
    if name not in before or name not in after:
        return None
    grown = after[name] - before[name]
    return grown if grown >= 0 else None


def _digits(value: float) -> float:
    """``value`` with six significant digits, whole where it is: that is short in a record."""
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() else short


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or whole is None or whole <= 0 else _digits(part / whole)


def _rate(amount: float | None, elapsed_ns: int) -> float | None:
    return None if amount is None else _ratio(amount * 1e9, elapsed_ns)


def _share(part: float | None, whole: float | None) -> float | None:
    ratio = _ratio(part, whole)
    return None if ratio is None else round(min(max(ratio, 0), 1), 4)


def _processors(text: bytes) -> Counters:
    """``/proc/stat`` in ticks: ``cpu`` is all of them, ``cpu0`` is one."""
    found = {}
    for name, words in _lines(text):
        if name == "procs_running" and (numbers := _integers(words[:1], 1)):
            found[name] = numbers[0]
        elif name.startswith("cpu") and (numbers := _integers(words[:8], 8)):
            _, _, system, idle, iowait, _, softirq, steal = numbers
            found |= {f"{name} total": sum(numbers), f"{name} unused": idle + iowait}
            if name == "cpu":
                found |= {"system": system, "iowait": iowait, "softirq": softirq, "steal": steal}
    return found


def _busy(before: Counters, after: Counters, name: str) -> float | None:
    total, unused = (_grown(before, after, f"{name} {what}") for what in ("total", "unused"))
    return None if total is None or unused is None else _share(total - unused, total)


def _processor_values(before: Counters, after: Counters, _elapsed_ns: int) -> Values:
    total = _grown(before, after, "cpu total")
    values: Values = {"busy_share": _busy(before, after, "cpu")}
    for name in ("iowait", "steal", "system", "softirq"):
        values[f"{name}_share"] = _share(_grown(before, after, name), total)
    names = (key.removesuffix(" total") for key in after if key.endswith(" total"))
    cores = {n.removeprefix("cpu"): _busy(before, after, n) for n in names if n != "cpu"}
    values["busiest_core_share"] = max((v for v in cores.values() if v is not None), default=None)
    if "procs_running" in after:  # who reads this is running itself
        running = values["runnable_count"] = max(after["procs_running"] - 1, 0)
        values["waiting_count"] = max(running - len(cores), 0) if cores else None
    if len(cores) <= MOST_CORES:
        values |= {f"core.{number}.busy_share": share for number, share in cores.items()}
    return values


def _memory(text: bytes) -> Counters:
    found = {}
    for name, words in _lines(text):
        if name in _MEMORY and words[1:] == [b"kB"] and (numbers := _integers(words[:1], 1)):
            found[_MEMORY[name]] = numbers[0] * 1024
    return found


def _paging(text: bytes) -> Counters:
    """Bytes swapped in and out, and freed by threads that needed them, of ``/proc/vmstat``."""
    pages = {n: numbers[0] for n, words in _lines(text) if (numbers := _integers(words, 1))}
    return {
        f"{name}_bytes": sum(pages[part] for part in parts) * _PAGE
        for name, parts in _PAGING.items()
        if all(part in pages for part in parts)
    }


def _pressure(text: bytes) -> Counters:
    """Microseconds in which some tasks, or all of them, waited."""
    found = {}
    for name, words in _lines(text):
        total = next((w[6:] for w in words if w.startswith(b"total=")), b"")
        if name in ("some", "full") and (number := _integer(total)) is not None:
            found[name] = number
    return found


def _pressure_values(before: Counters, after: Counters, elapsed_ns: int) -> Values:
    grown = {name: _grown(before, after, name) for name in after}
    return {
        f"{name}_share": None if micros is None else _share(micros * 1000, elapsed_ns)
        for name, micros in grown.items()
    }


def _cards(text: bytes, *, loopback: bool) -> Counters:
    """``/proc/net/dev``; interfaces that never carried a byte are left out."""
    found = {}
    for name, words in _lines(text):
        numbers = _integers(words, 12)
        if not numbers or not (numbers[0] or numbers[8]) or (name == "lo" and not loopback):
            continue
        found[f"{name}.received_bytes"], found[f"{name}.sent_bytes"] = numbers[0], numbers[8]
        found[f"{name}.packets"] = numbers[1] + numbers[9]
        found[f"{name}.errors"] = numbers[2] + numbers[10]
        found[f"{name}.drops"] = numbers[3] + numbers[11]
    return found


def _rates(before: Counters, after: Counters, elapsed_ns: int) -> Values:
    return {f"{name}_rate": _rate(_grown(before, after, name), elapsed_ns) for name in after}


def _busiest_cards(found: Series) -> Series:
    moved: dict[str, float] = {}
    for name, values in found.items():
        if name.endswith("_bytes_rate"):
            card = name.rpartition(".")[0]
            moved[card] = moved.get(card, 0) + sum(value or 0 for value in values)
    told = set(sorted(moved, key=lambda card: -moved[card])[:MOST_CARDS])
    return {name: values for name, values in found.items() if name.rpartition(".")[0] in told}


def _tcp(text: bytes) -> Counters:
    """``/proc/net/snmp`` has names, then numbers; segments are those not sent before (Linux)."""
    names, numbers = ([words for n, words in _lines(text) if n == "Tcp"] + [[], []])[:2]
    row = dict(zip(names, numbers, strict=False))
    parts = {"retransmits": b"RetransSegs", "segments": b"OutSegs"}
    found = {name: _integer(row.get(column, b"")) for name, column in parts.items()}
    return {name: number for name, number in found.items() if number is not None}


def _device(text: bytes) -> Counters:
    """``/sys/class/block/DEVICE/stat``: 512-byte sectors and milliseconds."""
    numbers = _integers(text.split()[:11], 11)
    if not numbers:
        return {}
    reads, _, read, _, writes, _, written, _, _, active, queued = numbers
    return {
        "read_bytes": read * SECTOR,
        "written_bytes": written * SECTOR,
        "reads": reads,
        "writes": writes,
        "active": active,
        "queued": queued,
    }


def _device_values(before: Counters, after: Counters, elapsed_ns: int) -> Values:
    names = ("read_bytes", "written_bytes", "reads", "writes")
    active, queued = (_grown(before, after, name) for name in ("active", "queued"))
    return {
        **{f"{name}_rate": _rate(_grown(before, after, name), elapsed_ns) for name in names},
        "utilisation_share": None if active is None else _share(active * 10**6, elapsed_ns),
        "queue_count": None if queued is None else _ratio(queued * 10**6, elapsed_ns),
    }


def _nfs(text: bytes) -> Counters:
    """One mount's section of ``/proc/self/mountstats``; connections (nconnect) are summed."""
    found = {"sends": 0, "backlog": 0}
    transports = 0
    by_operation = False
    for name, words in _lines(text):
        if name == "xprt" and words:
            places = (3, 7) if words[0] == b"udp" else (6, 10)
            numbers = _integers([words[p] for p in places if p < len(words)], 2)
            if numbers:
                transports += 1
                found["sends"] += numbers[0]
                found["backlog"] += numbers[1]
        elif name == "per-op":
            by_operation = True
        elif by_operation and (numbers := _integers(words, 8)):
            found[f"{name}.operations"], found[f"{name}.transmissions"] = numbers[:2]
            found[f"{name}.round_trip"], found[f"{name}.execute"] = numbers[6:8]
    return found if transports else {n: v for n, v in found.items() if "." in n}


def _nfs_values(before: Counters, after: Counters, elapsed_ns: int) -> Values:
    grown = partial(_grown, before, after)
    values: Values = {"backlog_count": _ratio(grown("backlog"), grown("sends"))}
    again = []
    for name in [n.removesuffix(".operations") for n in after if n.endswith(".operations")]:
        operations, sent = grown(f"{name}.operations"), grown(f"{name}.transmissions")
        values[f"{name}.operations_rate"] = _rate(operations, elapsed_ns)
        if operations is not None and sent is not None:
            again.append(max(sent - operations, 0))
        for what in ("round_trip", "execute"):
            spent = grown(f"{name}.{what}")
            seconds = None if spent is None else spent / 1000
            values[f"{name}.{what}_seconds"] = _ratio(seconds, operations)
    values["retransmissions_rate"] = _rate(sum(again), elapsed_ns) if again else None
    return values


def _occurred(found: Series) -> Series:
    """Without the operations that did not occur."""
    idle = {n.rpartition(".")[0] for n in found if n.endswith(".operations_rate")}
    idle -= {n.rpartition(".")[0] for n, values in found.items() if "." in n and any(values)}
    return {n: values for n, values in found.items() if n.rpartition(".")[0] not in idle}


PROCESSORS = Kind(_processors, _processor_values)
MEMORY = Kind(_memory, lambda _before, after, _elapsed_ns: dict(after))
PAGING = Kind(_paging, _rates)
PRESSURE = Kind(_pressure, _pressure_values)
CARDS = Kind(partial(_cards, loopback=False), _rates, _busiest_cards)
CARDS_AND_LOOPBACK = Kind(partial(_cards, loopback=True), _rates, _busiest_cards)
TCP = Kind(_tcp, _rates)
DEVICE = Kind(_device, _device_values)
NFS = Kind(_nfs, _nfs_values, _occurred)
