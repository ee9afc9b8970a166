"""Who was lost first, from what each rank leaves behind on the target."""

import os
import stat
from pathlib import Path

import pytest

from aibench.world import Place, lastwords
from aibench.world.lastwords import Finding, Note, first_lost

PLACE = Place(rank=0, hosts=("a", "a", "b", "b"))
MS = 10**6
GONE = "no note is there from rank 2 on host b and rank 3 on host b: its host may be gone"


def notes(*lost_ms: int | None, error_ms: int = 1, asked: tuple[int, ...] = ()) -> dict[int, Note]:
    """One note for each number: when that rank lost its connection; None leaves none."""
    return {
        rank: Note(
            rank=rank,
            began_ns=(lost - (2000 if rank in asked else 0)) * MS,
            lost_ns=lost * MS,
            error_ns=error_ms * MS,
            signal=15 if rank in asked else 0,
        )
        for rank, lost in enumerate(lost_ms)
        if lost is not None
    }


@pytest.mark.parametrize(
    ("found", "ranks", "code", "message"),
    [
        (notes(900, 900, 100, 900), (2,), "rank_died", "rank 2 on host b lost its MPI process"),
        (
            notes(900, 100, 100, 900),
            (1, 2),
            "rank_died",
            "rank 1 on host a and rank 2 on host b lost their MPI process",
        ),
        (notes(100, 110, 120, 100), (), "rank_died", "the launcher ended all ranks at once"),
        (
            notes(100, None, None, None),
            (0,),
            "rank_died",
            "rank 0 on host a lost its MPI process",
        ),
        (
            notes(100, 100, None, None),
            (2, 3),
            "rank_lost",
            "no note is there from rank 2 on host b and rank 3 on host b: its host may be gone",
        ),
        (
            notes(900, 100, 900, None),
            (1,),
            "rank_died",
            "rank 1 on host a lost its MPI process; no note is there from rank 3 on host b",
        ),
        (
            notes(2100, 2100, 2100, 2100, asked=(0, 1, 2, 3)),
            (),
            "interrupted",
            "all ranks were asked to end",
        ),
        (
            notes(2600, 2600, 100, 2600, asked=(0, 1, 3)),
            (2,),
            "rank_died",
            "rank 2 on host b lost its MPI process",
        ),
        (
            notes(2110, 2120, 100, 2110, asked=(0, 1, 3)),
            (2,),
            "rank_died",
            "rank 2 on host b lost its MPI process",
        ),
        (
            notes(2100, 2100, 2100, None, asked=(0, 1)),
            (),
            "interrupted",
            "all ranks were asked to end",
        ),
        (
            notes(100, 2600, None, None),
            (2, 3),
            "rank_lost",
            f"{GONE}; rank 0 on host a lost its MPI process",
        ),
    ],
)
def test_who_was_first(
    found: dict[int, Note], ranks: tuple[int, ...], code: str, message: str
) -> None:
    """The culprit is who was lost before anybody was asked to end, as far as clocks tell."""
    assert first_lost(PLACE, found) == Finding(ranks=ranks, code=code, message=message)


def test_nobody_is_missed_who_was_not_told() -> None:
    """Before ranks know where notes go, none of another host is missed."""
    alone = notes(100, 2600, None, None)
    assert first_lost(PLACE, alone, told=False).ranks == (0,)
    assert first_lost(PLACE, alone).ranks == (2, 3)


def test_clocks_that_tell_nothing() -> None:
    """Losses that the error of the clocks may have swapped are at once."""
    assert first_lost(PLACE, notes(900, 900, 100, 900, error_ms=500)).ranks == ()
    assert first_lost(PLACE, notes(900, 900, 100, 900, error_ms=300)).ranks == (2,)


def test_many_are_counted() -> None:
    """Where half of a large run is lost, a few are named and the others counted."""
    place = Place(rank=0, hosts=("a",) * 50)
    message = first_lost(place, notes(*[900] * 25, *[100] * 25)).message
    assert message == (
        "rank 25 on host a, rank 26 on host a, rank 27 on host a, rank 28 on host a and 21 more "
        "lost their MPI process"
    )


def test_pages(tmp_path: Path) -> None:
    """Each rank writes a page of its own of a file that only its user can read."""
    path = str(tmp_path / lastwords.NAME)
    lastwords.prepare(path, 4)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.stat(path).st_blocks * 512 <= 4 * 4096
    assert lastwords.read(path, 4) == {}
    left = notes(None, 5, None, 7)
    for note in left.values():
        lastwords.leave(path, note)
    assert lastwords.read(path, 4) == left
    mine = notes(6)[0]
    assert lastwords.awaited(path, mine, 4, 0) == {0: mine, **left}
    with pytest.raises(FileExistsError):
        lastwords.prepare(path, 4)


def test_pages_of_others(tmp_path: Path) -> None:
    """What is no note is none, nor is one that was cut short or stands on another's page."""
    path = tmp_path / lastwords.NAME
    lastwords.prepare(str(path), 4)
    lastwords.leave(str(path), notes(None, None, 3)[2])
    page = path.read_bytes()[2 * 4096 :][:4096]
    path.write_bytes(b"\xff" * 4096 + page + page + page[:40])
    assert lastwords.read(str(path), 4) == notes(None, None, 3)


def test_no_link_is_followed(tmp_path: Path) -> None:
    """A link in the place of the file is left alone, and so is a place where there is none."""
    path, link = tmp_path / "somewhere", tmp_path / lastwords.NAME
    lastwords.prepare(str(path), 4)
    lastwords.leave(str(path), notes(3)[0])
    link.symlink_to(path)
    before = path.read_bytes()
    lastwords.leave(str(link), notes(1)[0])
    assert (lastwords.read(str(link), 4), path.read_bytes()) == ({}, before)
    with pytest.raises(FileExistsError):
        lastwords.prepare(str(link), 4)
    lastwords.leave(str(tmp_path / "absent"), notes(1)[0])
    assert lastwords.read(str(tmp_path / "absent"), 4) == {}
    assert not (tmp_path / "absent").exists()
