"""What ranks say to one another over rank 0, and what becomes of them when one fails."""

import os
import pickle
import socket
import time
import tracemalloc
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest

from aibench.errors import RankFailed, TargetFailed, WorldEnded
from aibench.world import linked, relay, switchboard
from aibench.world.cells import Cells
from aibench.world.frames import Frame, Kind, Wire
from aibench.world.gathering import Welcome
from aibench.world.linked import Linked
from aibench.world.switchboard import TIMES, Switchboard
from aibench.world.world import Clock, Place
from tests.world.star import LIMIT_S, Star, posts, star


def eventually(look: Callable[[], Any]) -> Any:
    """What ``look`` gives when it gives something."""
    deadline = time.monotonic() + LIMIT_S
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return found


def nothing(_: Linked) -> None:
    """Do nothing."""


def test_sharing_and_gathering() -> None:
    """All get what rank 0 shares, and rank 0 what each gives, in the order of ranks and calls."""

    def body(rank: Linked) -> Any:
        plans = [rank.share(f"plan {number} of {rank.place.rank}") for number in range(3)]
        return plans, [rank.gather((rank.place.host, number)) for number in range(3)]

    with star(4) as made:
        done = made.play(body)
        assert all(plans == ["plan 0 of 0", "plan 1 of 0", "plan 2 of 0"] for plans, _ in done)
        expected = [[(host, number) for host in made.hosts] for number in range(3)]
        assert [given for _, given in done] == [expected, *[[[], [], []]] * 3]


def test_nobody_waits_to_give() -> None:
    """A rank that is ahead gives what it has; rank 0 takes it when it comes to that."""
    with star(3) as made:
        ahead = made.play(nothing, lambda rank: [rank.gather(number) for number in range(5)])
        assert ahead == [None, [[]] * 5, [[]] * 5]
        whole = made.play(lambda rank: [rank.gather("mine") for _ in range(5)], nothing)
        assert whole[0] == [["mine", number, number] for number in range(5)]


def test_meeting() -> None:
    """The common start is one moment, told to each rank on its own clock."""
    offsets = (0, 5_000_000_000, -7_000_000_000)

    def body(rank: Linked) -> list[int]:
        met = []
        for _ in range(5):
            met.append(rank.meet() - offsets[rank.place.rank])
            time.sleep(0.002 * rank.place.rank)
        return met

    with star(3, offsets=offsets) as made:
        first, second, third = made.play(body)
    assert first == second == third == sorted(set(first))


def test_a_start_is_ahead_of_slow_deliveries() -> None:
    """A start is several times the slowest delivery of the last ones ahead, within limits."""
    made = Star(2)

    def ahead(delivery_ns: int) -> int:
        made.far[0].send(Frame(Kind.MEET, 0, 0, TIMES.pack(delivery_ns, 0)))
        made.carriers[1].send(0, Frame(Kind.MEET, 1, 0, TIMES.pack(1, 0)).packed())

        def started() -> list[Frame]:
            made.lines[0].turn()
            return [frame for frame in made.far[0].receive() if frame.kind == Kind.START]

        start, named = TIMES.unpack(eventually(started)[0].body)
        return int(start - named)

    usual = ahead(0)
    assert ahead(500_000_000) == 2_000_000_000 > usual
    assert ahead(60_000_000_000) == ahead(0) == 5_000_000_000
    assert [ahead(1) for _ in range(8)][-1] == 5_000_000 < usual
    made.end()


def test_telling() -> None:
    """Rank 0 knows the sum of what all have told, and the others what they told themselves."""
    with star(3, patience_s=1) as made:
        assert made.play(nothing, lambda rank: rank.tell(10, 1000))[1:] == [(10, 1000)] * 2
        eventually(lambda: made.ranks[0].tell(1, 100) == (21, 2100))
        made.play(nothing, lambda rank: rank.tell(5, 1000))
        eventually(lambda: made.ranks[0].tell(1, 100) == (11, 2100))


def test_posting() -> None:
    """A post is there when its reader looks, with its sender, in order; nobody waits for it."""
    with star(3) as made:
        first, second, third = made.ranks
        assert first.posts() == second.posts() == []
        for word in ("one", "two", "three"):
            third.post(word)
            first.post(word)
        for rank, sender in ((first, 2), (second, 0), (third, 0)):
            came: list[tuple[int, Any]] = []
            while len(came) < 3:
                came += eventually(rank.posts)
            assert came == [(sender, "one"), (sender, "two"), (sender, "three")]


CALLS: dict[str, Callable[[Linked], Any]] = {
    "share": lambda rank: rank.share("plan"),
    "gather": lambda rank: rank.gather("mine"),
    "meet": lambda rank: rank.meet(),
    "tell": lambda rank: rank.tell(1, 1),
    "post": lambda rank: rank.post("word"),
    "posts": lambda rank: rank.posts(),
}


def over_and_over(call: Callable[[Linked], Any]) -> Callable[[Linked], None]:
    """A body that makes a call until that raises."""

    def body(rank: Linked) -> None:
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            call(rank)
            time.sleep(0.001)

    return body


@pytest.mark.parametrize("name", CALLS)
def test_a_rank_that_fails(name: str) -> None:
    """Whatever rank 0 does then, it learns who failed and why; the others learn that it is over."""
    call = CALLS[name]

    def failing(rank: Linked) -> None:
        rank.fail(TargetFailed("the disk is full", code="disk_full"))
        over_and_over(call)(rank)

    with star(3) as made:
        for _ in range(2):  # a call after that raises it again
            first, *others = made.play(over_and_over(call), failing, over_and_over(call))
            assert isinstance(first, RankFailed)
            assert str(first) == "rank 1 on host host-1: the disk is full"
            assert first.code == "disk_full"
            assert [type(other) for other in others] == [WorldEnded] * 2


def test_the_first_failure_counts() -> None:
    """What goes wrong after the first failure, and after the end, is its consequence."""
    with star(3) as made:
        board = made.lines[0]
        assert isinstance(board, Switchboard)
        with made.going:
            made.carriers[0].unreachable.append((2, "unreachable"))
        eventually(lambda: board.failure)
        made.play(nothing, lambda rank: rank.fail(TargetFailed("too late")), nothing)
        (error, *_) = made.play(over_and_over(CALLS["tell"]), nothing)
        assert str(error) == "rank 2 on host host-2: MPI does not reach it: unreachable"
        assert board.failure == (2, "rank_lost", "MPI does not reach it: unreachable")


def test_a_rank_that_leaves_early() -> None:
    """A rank that lets go of everything before rank 0 has said so has died."""
    with star(2) as made, made.going:
        made.lines[1].gone()  # type: ignore[union-attr]
        for line in made.lines:
            line.turn()
        with pytest.raises(RankFailed, match="rank 1 on host host-1: it left before the end"):
            made.ranks[0].meet()


@pytest.mark.parametrize("name", CALLS)
def test_a_silent_rank(name: str) -> None:
    """A rank that nothing is heard of for longer than the patience is lost, and named."""
    with star(3, patience_s=0.3) as made:
        assert made.play(CALLS["gather"])[0] == ["mine"] * 3
        made.silent.add(2)
        first, second, _ = made.play(*[over_and_over(CALLS[name])] * 2, nothing)
        assert isinstance(first, RankFailed)
        assert str(first).startswith("rank 2 on host host-2: nothing was heard of it for 0.")
        assert first.code == "rank_lost"
        assert isinstance(second, WorldEnded)


def test_nobody_waits_for_a_host_that_was_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank 0 waits until those have let go that it still hears, and for no other."""
    monkeypatch.setattr(linked, "_ENDING_S", 10 * LIMIT_S)
    with star(4, patience_s=0.3) as made:
        assert made.play(CALLS["gather"])[0] == ["mine"] * 4
        made.silent |= {2, 3}
        heard = []

        def leaving(rank: Linked) -> None:
            with pytest.raises(WorldEnded):
                over_and_over(CALLS["tell"])(rank)
            time.sleep(0.2)
            with made.going:
                heard.append(rank.place.rank)
                made.lines[rank.place.rank].gone()  # type: ignore[union-attr]

        def ending(rank: Linked) -> list[int]:
            with pytest.raises(RankFailed, match="nothing was heard of it"):
                over_and_over(CALLS["tell"])(rank)
            rank.end()
            return heard

        assert made.play(ending, leaving, nothing)[0] == [1]


def test_rank_0_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rank 0's connection stands still, all let go of what they do by themselves."""
    monkeypatch.setattr(relay, "_STOPPED_NS", 300_000_000)
    with star(3, patience_s=0.3) as made:
        eventually(lambda: made.cells[2].patience_ns == made.cells[0].patience_ns)
        made.silent.add(0)
        first, *others = made.play(CALLS["meet"])
        assert isinstance(first, RankFailed)
        assert str(first).startswith("the MPI process of rank 0 on host host-0 has done nothing")
        assert [type(other) for other in others] == [WorldEnded] * 2
        assert [line.is_cut_off for line in made.lines[1:]] == [True, True]  # type: ignore[union-attr]


def test_all_stood_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time in which rank 0 itself was stopped, as by a suspended machine, is nobody's silence."""
    monkeypatch.setattr(switchboard, "_STOPPED_NS", 500_000_000)
    with star(3, patience_s=0.4) as made:
        made.play(CALLS["gather"])
        with made.going:
            time.sleep(0.7)
        assert made.play(CALLS["gather"])[0] == ["mine"] * 3


def test_rank_0_ends_it() -> None:
    """Rank 0 ends what the others do, waits until they have let go, and is told of nothing more."""
    with star(3) as made:
        first, *others = made.play(lambda rank: rank.share("plan"), CALLS["share"], CALLS["share"])
        assert [first, *others] == ["plan"] * 3
        gone = []

        def leaving(rank: Linked) -> None:
            try:
                over_and_over(CALLS["tell"])(rank)
            except WorldEnded:
                with made.going:
                    gone.append(rank.place.rank)
                    made.lines[rank.place.rank].gone()  # type: ignore[union-attr]

        def ending(rank: Linked) -> list[int]:
            rank.end()
            return sorted(gone)

        assert made.play(ending, leaving) == [[1, 2], None, None]
        board = made.lines[0]
        assert isinstance(board, Switchboard)
        assert board.all_gone
        assert board.left() == []
        assert board.failure is None
        made.ranks[0].end()
        assert made.ranks[0].tell(1, 2) == (1, 2)


def test_large_messages() -> None:
    """Messages larger than any buffer go in both directions, whole, while others wait for none."""
    size = 5_000_000

    def body(rank: Linked) -> tuple[int, list[int]]:
        shared = rank.share(bytes([7]) * size)
        return shared.count(7), [each.count(7) for each in rank.gather(shared)]

    with star(3) as made:
        assert made.play(body) == [(size, [size] * 3), (size, []), (size, [])]


def test_memory_of_a_large_gathering() -> None:
    """What a thousand ranks give takes a few times its size, however many they are."""
    size, each = 1000, 20_000
    near, far = socket.socketpair()
    carriers, cells, wire = posts(size), Cells(), Wire(near)
    place = Place(rank=0, hosts=("host",) * size)
    welcome = Welcome(place, Clock(offset_ns=0, error_ns=0))
    wire.send(Frame(Kind.WELCOME, body=pickle.dumps(welcome)))
    board, rank = Switchboard(carriers[0], wire, cells), Linked(Wire(far), cells, os.getppid())
    for carrier in carriers[1:]:
        body = pickle.dumps(carrier.rank.to_bytes(2) * (each // 2))
        carrier.send(0, Frame(Kind.GATHER, carrier.rank, 0, body).packed())
    over = Event()

    def connect() -> None:
        while not over.is_set():
            board.turn()

    connecting = Thread(target=connect)
    tracemalloc.start()
    connecting.start()
    given = rank.gather(bytes(each))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    over.set()
    connecting.join()
    wire.close()
    rank._wire.close()
    assert given[1:] == [number.to_bytes(2) * (each // 2) for number in range(1, size)]
    assert peak < 4 * size * each
