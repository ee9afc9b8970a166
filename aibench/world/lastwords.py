"""What each rank leaves behind when it loses its connection, for rank 0 to learn who was first.

An MPI launcher that sees one process die kills all others, and those that measure then have no
way to speak but the storage that they measure. Each writes a page of its own of one file that is
there before; so no two hosts write the same page, and nobody waits for a name to appear.
"""

import os
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass

from aibench.world.world import Place

NAME = ".aibench-ranks"
_PAGE = 4096
#: What a page begins with, then the fields of a `Note`.
_NOTE, _SIGN = struct.Struct("<8s5q"), b"aibench\1"
#: Two losses that are no further apart, besides what is not known of the clocks, are at once.
_AT_ONCE_NS = 50_000_000
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Note:
    """When a rank lost its connection, on rank 0's clock, or was asked to end by a signal before.

    ``signal`` is 0 where it was not asked.
    """

    rank: int
    began_ns: int
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
    page = _NOTE.pack(_SIGN, *astuple(note)).ljust(_PAGE, b"\0")
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
                page = os.pread(fd, _NOTE.size, rank * _PAGE)
                if page.startswith(_SIGN) and len(page) == _NOTE.size:
                    note = Note(*_NOTE.unpack(page)[1:])
                    if note.rank == rank:
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


def silent(place: Place, notes: Mapping[int, Note]) -> tuple[int, ...]:
    """The ranks of hosts that no note is there from."""
    there = {place.hosts[rank] for rank in notes}
    return tuple(rank for rank, host in enumerate(place.hosts) if host not in there)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Who was lost first: the ranks, a code and a message; ``ranks`` is empty where all were."""

    ranks: tuple[int, ...]
    code: str
    message: str


def first_lost(place: Place, notes: Mapping[int, Note], *, told: bool = True) -> Finding:
    """What the notes say of the rank that began it; ``told`` is whether all knew where they go.

    That is who was lost before anything else happened, as far as the clocks tell. Where a launcher
    ends all, it asks them first, or they are all lost at once; a rank without a note may then be
    gone with its host.
    """
    missing = [rank for rank in range(place.size) if rank not in notes]
    earliest = min(notes.values(), key=lambda note: note.began_ns + note.error_ns)
    limit_ns = earliest.began_ns + earliest.error_ns + _AT_ONCE_NS
    first = sorted(r for r, note in notes.items() if note.began_ns - note.error_ns <= limit_ns)
    asked = [rank for rank in first if notes[rank].signal]
    if len(asked) == len(first):
        return Finding(ranks=(), code="interrupted", message="all ranks were asked to end")
    if asked:  # because others were lost: who is asked has a moment before it is ended
        first = [rank for rank in first if rank not in asked]
    elif len(first) == len(notes) > 1 or len(first) == place.size:
        if missing:
            message = _gone(place, missing)
            return Finding(ranks=tuple(missing), code="rank_lost", message=message)
        return Finding(ranks=(), code="rank_died", message="the launcher ended all ranks at once")
    message = f"{_named(place, first)} lost {'its' if len(first) == 1 else 'their'} MPI process"
    if first == [0]:  # the others may have nothing to write down yet: but whole hosts, and no other
        if told and missing and tuple(missing) == silent(place, notes):
            message = f"{_gone(place, missing)}; {message}"
            return Finding(ranks=tuple(missing), code="rank_lost", message=message)
    elif missing:
        message += f"; no note is there from {_named(place, missing)}"
    return Finding(ranks=tuple(first), code="rank_died", message=message)


def _gone(place: Place, ranks: Sequence[int]) -> str:
    return f"no note is there from {_named(place, ranks)}: its host may be gone"


def _named(place: Place, ranks: Sequence[int]) -> str:
    """``rank 2 on host b``, or several; many are counted."""
    shown = [f"rank {rank} on host {place.hosts[rank]}" for rank in ranks[:4]]
    if len(ranks) > len(shown):
        shown.append(f"{len(ranks) - len(shown)} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
