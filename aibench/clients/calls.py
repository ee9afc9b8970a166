"""The command lines that test a reading, as words; what is in CAPITALS the user fills in."""

from collections.abc import Iterator

from aibench.clients.need import Answer, Need
from aibench.clients.rig import Task
from aibench.model import BaselineSource, ClaimKind

#: One process a client, free to use all of its processors; the file names the hosts.
LAUNCHER = ("mpirun", "-n", "{}", "--hostfile", "hosts", "--bind-to", "none")
_SUITE = ("--suite", "full")
#: What writes the data that is compared over a second protocol.
_WRITER = "load-imagenet"

Words = tuple[str, ...]


def calls(need: Need, target: str | None, system: str | None) -> tuple[Words, ...]:
    """The commands in their order; none where nothing here would test the reading."""
    if need.answer in (Answer.NEVER, Answer.LACKING) or not need.tests:
        return ()
    return tuple(_lines(need, target or "DIR", system))


def _lines(need: Need, target: str, system: str | None) -> Iterator[Words]:
    described = ("--system", system or "SYSTEM.toml")
    claims = ("--claims", need.claim.id)
    if need.claim.kind is ClaimKind.FUNCTIONAL:
        yield ("aibench", "run", "FIRST_MOUNT", "-w", _WRITER)
        yield ("aibench", "verify", "SECOND_MOUNT", "--written-through", "FIRST_MOUNT")
        yield ("aibench", "judge", "last", *described, *claims)
        return
    if need.answer is Answer.SIDES:
        yield from _sides(need, target, (*described, *claims))
        return
    run, clients = _run(need, target), _together(need)
    if need.answer is Answer.LEVELS and need.axis == "units":
        largest = need.levels[-1].size
        yield (*_launched(clients), *run, "--system", f"system-{largest}.toml")
        yield ("aibench", "judge", *(f"RUN-{level.size}" for level in need.levels), *claims)
        return
    yield (*_launched(clients), *run, *described, *claims)


def _together(need: Need) -> int | None:
    """How many clients run it: those that test it in both directions, where that is a matter."""
    return need.to_refute if need.answer in (Answer.CLIENTS, Answer.LEVELS) else 1


def _launched(clients: int | None) -> Words:
    if clients == 1:
        return ()
    return tuple(word.format("N" if clients is None else clients) for word in LAUNCHER)


def _run(need: Need, target: str) -> Words:
    repeats = ("--repeats", str(need.runs)) if need.runs else ()
    return ("aibench", "run", target, *_asked(need), *_SUITE, *repeats)


def _asked(need: Need) -> Words:
    """The workloads, the rate that is offered where one is, and settings."""
    words: list[str] = []
    for name in dict.fromkeys(test.workload for test in need.tests):
        words += ("-w", name)
    if any(_paced(test) for test in need.tests):
        words += ("--rate", "RATE")
    for setting in need.settings:
        words += ("--set", setting)
    return (*words, *_swept(need))


def _swept(need: Need) -> Words:
    """The levels that one run measures in random order, where it is a setting that grows."""
    if need.answer is not Answer.LEVELS or need.axis not in ("clients", "workers"):
        return ()
    blocks = need.test is not None and need.test.each_client
    name = "hosts" if need.axis == "clients" else "jobs" if blocks else "workers"
    return ("--sweep", f"{name}={','.join(str(level.size) for level in need.levels)}")


def _paced(test: Task) -> bool:
    return "rate-" in test.phase


def _sides(need: Need, target: str, judged: Words) -> Iterator[Words]:
    baseline = need.claim.baseline
    source = baseline.source if baseline else BaselineSource.RECORDS
    if source is BaselineSource.RECORDS:
        pairs = ("--pairs", str(need.runs))
        yield ("aibench", "duel", "NEW", "OLD", *_asked(need), *_SUITE, *pairs)
        yield ("aibench", "judge", "NEW_RUN", "--baseline", "OLD_RUN", *judged)
        return
    more = ("-w", "SHARDS.toml") if source is BaselineSource.PACKED_SHARDS else ()
    asked = (*_asked(need), *more)
    repeats = ("--repeats", str(need.runs))
    yield ("aibench", "run", target, *asked, *_SUITE, *repeats, *judged)
