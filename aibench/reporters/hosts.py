"""Who measured together, and what each host of a phase did, for all formats alike.

A phase of a thousand hosts is told by some of them, a page of ten thousand ranks by their hosts.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aibench.hosts import Part, by_host, by_rank, pace, rate, share, stonewall, unit_of
from aibench.model import Launch, Measurement, OnHost, Sample, Telemetry
from aibench.pipeline import per_second
from aibench.reporters import wording
from aibench.reporters.values import number, plain

#: With more hosts a text tells some of them.
FEW = 8
#: With more hosts a page tells some of them, and draws quantiles.
MANY = 64
#: Series of a host's telemetry that are told, each with its mean.
_SHARES = {
    "cores_busy": "cpu.busy_share",
    "busiest_core": "cpu.busiest_core_share",
    "waiting_for_io": "pressure.io.some_share",
}


def launch_part(launch: Launch | None) -> dict[str, Any] | None:
    """How ranks were started and on which hosts; None without MPI."""
    return None if launch is None else {**plain(launch), "ranks": launch.ranks}


def hosts_part(sample: Sample) -> list[dict[str, Any]]:
    """What each host of a sample did, the one with the slowest workers first.

    Empty where one process measured alone. ``rate`` is over the host's own time, ``pace`` that of
    one of its workers; times are in nanoseconds after the common start.
    """
    measured = sample.measurement
    done = {part.host: part for part in by_host(measured)}
    if len(done) < 2 and not sample.hosts:
        return []
    last = _last_ranks(measured)
    seen = {host.host: host for host in sample.hosts}
    took_part = {name for name, part in done.items() if part.workers} or done.keys() | seen.keys()
    names = [name for name in dict.fromkeys([*done, *seen]) if name in took_part]
    rows = [_row(name, done.get(name), seen.get(name), measured, last) for name in names]
    return sorted(rows, key=lambda row: (row["pace"] or 0.0, -(row["end_ns"] or 0)))


def _last_ranks(measured: Measurement) -> dict[str, int]:
    """Of each host the rank that was done last."""
    found: dict[str, Part] = {}
    for rank in by_rank(measured):
        known = found.get(rank.host)
        if known is None or rank.end_ns > known.end_ns:
            found[rank.host] = rank
    return {host: part.ranks[0] for host, part in found.items()}


def _row(
    name: str,
    part: Part | None,
    seen: OnHost | None,
    measured: Measurement,
    last: dict[str, int],
) -> dict[str, Any]:
    unit = unit_of(measured)
    evidence = seen.evidence if seen else None
    shared = number(evidence.delivered_share) if evidence else None
    return {
        "host": name,
        "ranks": seen.ranks if seen else len(part.ranks) if part else 0,
        "workers": part.workers if part else 0,
        "operations": part.operations if part else None,
        "bytes": part.bytes if part else None,
        "start_ns": part.start_ns if part else None,
        "first_done_ns": part.first_done_ns if part else None,
        "end_ns": part.end_ns if part else None,
        "last_rank": last.get(name),
        "rate": number(rate(part, unit)) if part else None,
        "pace": number(pace(part, unit)) if part else None,
        "unit": unit,
        "share": number(share(part, measured, unit)) if part else None,
        "evidence": {**plain(evidence), "delivered_share": shared} if evidence else None,
        "client": _client(seen.telemetry) if seen and seen.telemetry else None,
    }


def _client(seen: Telemetry) -> dict[str, Any]:
    """How busy a host was in the mean, and its busiest network card."""
    cards = {
        name.split(".")[1]: mean
        for name in seen.series
        if name.startswith("nic.") and name.endswith("_bytes_rate")
        if (mean := seen.mean(name)) is not None
    }
    card = max(cards, key=lambda name: cards[name], default=None)
    return {
        **{name: number(seen.mean(series)) for name, series in _SHARES.items()},
        "card": card,
        "card_rate": number(cards[card]) if card else None,
    }


def stonewall_part(measured: Measurement) -> dict[str, Any] | None:
    """What all ranks had done when the first was done; None for one rank."""
    found = stonewall(measured)
    if found is None:
        return None
    return {
        "first": found.first.name,
        "at_ns": found.at_ns,
        "interval_ns": found.interval_ns,
        "elapsed_ns": found.elapsed_ns,
        "operations": found.operations,
        "bytes": found.bytes,
    }


def launched(document: dict[str, Any]) -> str:
    """``8 ranks on 2 hosts, Open MPI 4.1.4``; empty without MPI."""
    launch = document["launch"]
    if launch is None:
        return ""
    hosts, ranks = len(launch["hosts"]), launch["ranks"]
    where = f"on {launch['hosts'][0]['name']}" if hosts == 1 else f"on {hosts} hosts"
    return f"{wording.counted(ranks, 'rank')} {where}, {launch['library']}"


def clients(document: dict[str, Any]) -> list[dict[str, str]]:
    """The hosts of a run, printed; of many those that differ from the first one, then others."""
    found: list[dict[str, Any]] = document["launch"]["hosts"]
    if len(found) > MANY:
        found = sorted(found, key=lambda host: not host["differs"])[:MANY]
    return [_printed(host) for host in found]


def _printed(host: dict[str, Any]) -> dict[str, str]:
    differs = [f"{name} {wording.fact(name, value)}" for name, value in host["differs"].items()]
    error = wording.duration(host["clock_error_ns"])
    offset = host["clock_offset_ns"]
    sign = "-" if offset < 0 else ""
    return {
        "host": host["name"],
        "ranks": str(host["ranks"]),
        "cpus": wording.fact("cpus", host["cpus"]),
        "memory": wording.fact("memory_bytes", host["memory_bytes"]),
        "clock": f"{sign}{wording.duration(abs(offset))} ± {error}" if offset or error else "",
        "differs": ", ".join(differs),
    }


def middle(phase: dict[str, Any]) -> dict[str, Any] | None:
    """The middle repeat of a phase where hosts are told of it."""
    found = (s for s in phase["samples"] if s["repeat"] == phase["middle_repeat"])
    sample = next(found, None)
    return sample if sample and len(sample["hosts"]) > 1 else None


def chosen(rows: Sequence[dict[str, Any]], most: int) -> list[tuple[str, dict[str, Any]]]:
    """The rows to tell, each with what it stands for: all of few, some of many."""
    last = len(rows) - 1
    if last < most:
        return [("slowest" if n == 0 else "fastest" if n == last else "", r)
                for n, r in enumerate(rows)]  # fmt: skip
    slow = range(3 if most <= FEW else 16)
    shares = ((2, "median"),) if most <= FEW else ((1, "at 25 %"), (2, "median"), (3, "at 75 %"))
    places = {n: "slowest" if n == 0 else "" for n in slow}
    places |= {last * quarter // 4: name for quarter, name in shares} | {last: "fastest"}
    return [(name, rows[n]) for n, name in sorted(places.items())]


def cells(row: dict[str, Any]) -> dict[str, str]:
    """One host, printed."""
    evidence, client = row["evidence"] or {}, row["client"] or {}
    card = wording.printed(client.get("card_rate"), "B/s")
    return {
        "host": row["host"],
        "ranks": str(row["ranks"]),
        "workers": str(row["workers"]),
        "rate": wording.printed(row["rate"], row["unit"]),
        "share": wording.share(row["share"]),
        "start": wording.duration(row["start_ns"]),
        "first": wording.duration(row["first_done_ns"]),
        "last": wording.duration(row["end_ns"]),
        "last_rank": wording.MISSING if row["last_rank"] is None else str(row["last_rank"]),
        "cache": evidence.get("state", wording.MISSING),
        "resident": wording.share(evidence.get("resident_share")),
        "delivered": wording.share(evidence.get("delivered_share")),
        "busy": wording.share(client.get("cores_busy")),
        "core": wording.share(client.get("busiest_core")),
        "waiting": wording.share(client.get("waiting_for_io")),
        "card": f"{client['card']} {card}" if client.get("card") else wording.MISSING,
    }


def told(phase: dict[str, Any]) -> Iterator[str]:
    """Which hosts were done first and last in the middle repeat, and the stonewall figure."""
    sample = next((s for s in phase["samples"] if s["repeat"] == phase["middle_repeat"]), None)
    if sample is None:
        return
    rows = [row for row in sample["hosts"] if row["end_ns"] is not None]
    if len(rows) > 1:
        last, first = (pick(rows, key=lambda row: row["end_ns"]) for pick in (max, min))
        yield (
            f"{first['host']} was done first, after {wording.duration(first['end_ns'])}, and "
            f"{last['host']}, the last of {len(rows)} hosts, after "
            f"{wording.duration(last['end_ns'])}"
        )
    yield from _stonewalled(phase, sample)


def sentences(phases: Iterable[dict[str, Any]]) -> Iterator[str]:
    """What `told` tells of each phase, with the phase and the repeat that it is about."""
    for phase in phases:
        for text in told(phase):
            yield f"{phase['name']}, repeat {phase['middle_repeat'] + 1}: {text}."


def _stonewalled(phase: dict[str, Any], sample: dict[str, Any]) -> Iterator[str]:
    """The stonewall figure beside the throughput, and how exact it is."""
    found = sample["stonewall"]
    if found is None:
        return
    unit = "B/s" if phase["reads"] or phase["writes"] else "op/s"
    key = "bytes" if unit == "B/s" else "operations"
    whole = wording.printed(per_second(sample[key], sample["elapsed_ns"]), unit)
    begin = f"all ranks did {whole} over the whole time"
    seen = f"the series has intervals of {wording.duration(found['interval_ns'])}"
    until = f"{found['first']} was done after {wording.duration(found['at_ns'])}"
    if not found["elapsed_ns"]:
        yield f"{begin}; {until}, too soon for a stonewall figure: {seen}"
        return
    wall = wording.printed(per_second(found[key], found["elapsed_ns"]), unit)
    yield f"{begin}, and {wall} until the first of them ({until}; {seen})"
