"""What the options of an NFS mount mean for one phase, in figures."""

import re
from collections.abc import Iterable, Iterator, Mapping

from aibench.model import READS, WRITES, Operation, Phase
from aibench.units import format_count, format_duration, format_size, format_size_binary

_ASKING = frozenset({Operation.STAT, Operation.LIST, Operation.OPEN_CLOSE, Operation.READ_FILES})
_OPENING = frozenset({Operation.READ_FILES, Operation.WRITE_FILES, Operation.OPEN_CLOSE})
_BLOCKS = frozenset({Operation.READ_BLOCKS, Operation.WRITE_BLOCKS})
#: How many requests an NFSv4.1 session has under way at most (``max_session_slots``).
_SESSION_SLOTS = 64
#: What a packet of 1500 bytes carries of a UDP datagram.
_FRAGMENT = 1480
_ATTRIBUTES = {"acregmin": 3, "acregmax": 60, "acdirmin": 30, "acdirmax": 60}


def meaning(options: Iterable[str] | Mapping[str, str], phase: Phase) -> tuple[str, ...]:
    """What the mount options mean for ``phase``, a sentence each; those that matter only.

    ``options`` are those of the mount, as ``name=value`` or by name. The kernel's defaults
    (nfs(5)) are meant where an option is missing.
    """
    known = dict(options) if isinstance(options, Mapping) else _by_name(options)
    rules = (_version, _slots, _protocol, _size, _sync, _attributes, _names, _failing, _locks)
    return tuple(sentence for rule in rules for sentence in rule(known, phase))


def _by_name(options: Iterable[str]) -> dict[str, str]:
    parts = (option.partition("=") for option in options)
    return {name: value for name, _, value in parts}


def _number(options: Mapping[str, str], name: str, default: int = 0) -> int:
    value = options.get(name, "")
    return int(value) if re.fullmatch(r"[0-9]{1,12}", value) else default


def _version(options: Mapping[str, str], phase: Phase) -> Iterator[str]:
    version, files = options.get("vers", ""), phase.population.files
    if version.startswith("4") and phase.operation in _OPENING:
        yield (
            f"vers={version}: each open and each close of a file is a request, up to "
            f"{format_count(2 * files)} for {format_count(files)} files, which vers=3 has not"
        )


def _slots(options: Mapping[str, str], phase: Phase) -> Iterator[str]:
    asked, connections = phase.slots * phase.depth, _number(options, "nconnect", 1)
    if asked > 1:
        share = asked / connections
        name = f"nconnect={connections}" if connections > 1 else "no nconnect"
        shared = "1 connection" if connections == 1 else f"{connections} connections"
        yield f"{name}: up to {asked} operations at once share {shared}, {share:.3g} on each"
    if options.get("vers", "") in ("4.1", "4.2") and asked > _SESSION_SLOTS:
        yield (
            f"vers={options['vers']}: a session has {_SESSION_SLOTS} requests under way at most "
            f"(max_session_slots by default), whatever nconnect is, and {asked} operations ask"
        )


def _protocol(options: Mapping[str, str], phase: Phase) -> Iterator[str]:
    protocol, size = options.get("proto", "tcp"), _number(options, _direction(phase), 2**15)
    if protocol.startswith("udp"):
        packets = -(-size // _FRAGMENT)
        again = format_duration(_number(options, "timeo", 11) * 10**8)
        yield (
            f"proto={protocol}: a request of {format_size_binary(size)} is {packets} packets; if "
            f"one is lost, all are sent again after {again}"
        )
    if protocol.startswith("rdma"):
        yield f"proto={protocol}: data passes TCP by: 0 bytes of it show in the network cards"


def _direction(phase: Phase) -> str:
    return "wsize" if phase.operation in WRITES else "rsize"


def _size(options: Mapping[str, str], phase: Phase) -> Iterator[str]:
    name, moves = _direction(phase), phase.operation in READS | WRITES
    largest = _number(options, name)
    if not moves or not largest:
        return
    if phase.operation in _BLOCKS:
        size, what = phase.io_size, f"a block of {format_size_binary(phase.io_size)}"
    else:
        size = phase.population.sizes.mean
        what = f"a file of {format_size(size)}, the mean here,"
    request = "WRITE" if name == "wsize" else "READ"
    count = max(-(-size // largest), 1)
    yield (
        f"{name}={largest}: {what} takes at least {format_count(count)} {request}"
        f"{'s' * (count > 1)} of up to {format_size_binary(largest)}"
    )


def _sync(options: Mapping[str, str], phase: Phase) -> Iterator[str]:
    if phase.operation not in WRITES or not {"sync", "noac"} & set(options):
        return
    name = "sync" if "sync" in options else "noac"
    calls = max(-(-phase.population.sizes.mean // phase.io_size), 1)
    yield (
        f"{name}: each write of up to {format_size_binary(phase.io_size)} waits until the server "
        f"has it on stable storage, {format_count(calls)} times for a file of the mean size"
    )


def _attributes(options: Mapping[str, str], phase: Phase) -> Iterator[str]:
    if phase.operation not in _ASKING:
        return
    files = format_count(phase.population.files)
    kept = {name: _number(options, name, default) for name, default in _ATTRIBUTES.items()}
    if "actimeo" in options:
        kept = dict.fromkeys(kept, _number(options, "actimeo"))
    if "noac" in options or not any(kept.values()):
        name = "noac" if "noac" in options else "actimeo=0"
        yield f"{name}: attributes are never kept: at least one GETATTR for each of {files} files"
    elif kept != _ATTRIBUTES or phase.operation in (Operation.STAT, Operation.LIST):
        told = ", ".join(f"{name}={seconds}" for name, seconds in kept.items())
        yield (
            f"{told}: attributes of a file are believed for {kept['acregmin']} s to "
            f"{kept['acregmax']} s; asking again within that time measures this client"
        )
    if "nocto" in options:
        yield (
            f"nocto: opening does not ask for attributes: up to {files} GETATTRs less, and what "
            f"others change may go unseen for {kept['acregmax']} s"
        )


def _names(options: Mapping[str, str], phase: Phase) -> Iterator[str]:
    kept, files = options.get("lookupcache", "all"), format_count(phase.population.files)
    if kept == "none":
        yield f"lookupcache=none: names are never kept: at least {files} LOOKUPs for {files} files"
    if kept.startswith("pos") and phase.operation is Operation.CREATE:
        yield f"lookupcache={kept}: each of {files} new names is asked for before it is made"


def _failing(options: Mapping[str, str], _phase: Phase) -> Iterator[str]:
    wait, retries = _number(options, "timeo"), _number(options, "retrans", 2)
    soft = next((name for name in ("soft", "softerr") if name in options), None)
    if not wait or (soft is None and "hard" not in options):
        return
    first = format_duration(wait * 10**8)
    if soft is None:
        yield (
            f"hard, timeo={wait}: a request without an answer is sent again after {first} and "
            "never fails: an outage shows as slow operations"
        )
        return
    udp = options.get("proto", "tcp").startswith("udp")
    until = format_duration(wait * 10**8 * (2**retries if udp else 1 + retries))
    yield f"{soft}, timeo={wait}, retrans={retries}: an operation fails after {until} unanswered"


def _locks(options: Mapping[str, str], _phase: Phase) -> Iterator[str]:
    local = options.get("local_lock", "none")
    if "nolock" in options or local != "none":
        name = "nolock" if "nolock" in options else f"local_lock={local}"
        yield f"{name}: locks take 0 requests and hold within this client only"
