"""What each rank leaves behind when it loses its connection, for rank 0 to learn who was first.

An MPI launcher that sees one process die kills all others, and those that measure then have no
way to speak but the storage that they measure. Each writes a page of its own of one file that is
there before; so no two hosts write the same page, and nobody waits for a name to appear.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from aibench.world.world import Place

NAME = ".aibench-ranks"
_PAGE = 4096
#: Two losses that are no further apart, besides what is not known of the clocks, are at once.
_AT_ONCE_NS = 20_000_000
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """When a rank lost its connection, on rank 0's clock; ``signal`` had asked it to end before."""

    rank: int
    lost_ns: int
    error_ns: int
    signal: int


def prepare(path: str, size: int) -> None:
    """On rank 0: make the file, with a page for each rank."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.ftruncate(fd, size * _PAGE)
        os.fsync(fd)
    finally:
        os.close(fd)


def leave(path: str, note: Note) -> None:
    """Write a note, if that is possible."""
    page = json.dumps(asdict(note)).encode().ljust(_PAGE)
    with suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.pwrite(fd, page, note.rank * _PAGE)
            os.fsync(fd)
        finally:
            os.close(fd)


def read(path: str, size: int) -> dict[int, Note]:
    """The notes that are there, by rank."""
    notes = {}
    with suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            for rank in range(size):
                page = os.pread(fd, _PAGE, rank * _PAGE).strip(b"\0 ")
                with suppress(ValueError, TypeError):
                    note = Note(**json.loads(page)) if page else None
                    if note is not None and note.rank == rank:
                        notes[rank] = note
        finally:
            os.close(fd)
    return notes


def awaited(path: str, mine: Note, size: int, seconds: float) -> dict[int, Note]:
    """All notes, waited for until so many seconds after the loss of ``mine``."""
    deadline = mine.lost_ns + int(seconds * 1e9)
    while True:
        notes = {**(read(path, size) if path else {}), mine.rank: mine}
        if len(notes) == size or time.perf_counter_ns() > deadline or not path:
            return notes
        time.sleep(_LOOK_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Who was lost first: the ranks, a code and a message; ``ranks`` is empty where all were."""

    ranks: tuple[int, ...]
    code: str
    message: str


def first_lost(place: Place, notes: Mapping[int, Note]) -> Finding:
    """What the notes say of the rank that began it.

    A rank that nobody had asked to end, while others were, was first. Else those are that were
    lost before all others, as far as the clocks tell. A rank without a note may be gone with its
    host.
    """
    missing = [rank for rank in range(place.size) if rank not in notes]
    unasked = [rank for rank, note in notes.items() if not note.signal]
    asked = len(notes) - len(unasked)
    candidates = unasked if unasked and asked else list(notes)
    earliest = min(candidates, key=lambda rank: notes[rank].lost_ns + notes[rank].error_ns)
    limit = notes[earliest].lost_ns + notes[earliest].error_ns + _AT_ONCE_NS
    ranks = sorted(r for r in candidates if notes[r].lost_ns - notes[r].error_ns <= limit)
    stands_out = (asked and unasked) or len(ranks) < len(notes) or ranks == [0]
    if not stands_out or len(ranks) == place.size:
        return _all_lost(place, missing, by_signal=not unasked)
    message = f"{_named(place, ranks)} lost {'its' if len(ranks) == 1 else 'their'} MPI process"
    if missing and len(notes) > 1:  # else the others have nothing to write down yet
        message += f"; nothing is known of {_named(place, missing)}"
    return Finding(ranks=tuple(ranks), code="rank_died", message=message)


def _all_lost(place: Place, missing: Sequence[int], *, by_signal: bool) -> Finding:
    """What is found where none of those that left a note was first."""
    if missing:
        message = f"no note is there from {_named(place, missing)}, which may be gone with its host"
        return Finding(ranks=tuple(missing), code="rank_lost", message=message)
    if by_signal:
        return Finding(ranks=(), code="interrupted", message="all ranks were asked to end")
    return Finding(ranks=(), code="rank_died", message="the launcher ended all ranks at once")


def _named(place: Place, ranks: Sequence[int]) -> str:
    """``rank 2 on host b``, or several; many are counted."""
    shown = [f"rank {rank} on host {place.hosts[rank]}" for rank in ranks[:4]]
    if len(ranks) > len(shown):
        shown.append(f"{len(ranks) - len(shown)} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
