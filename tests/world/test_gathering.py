"""How ranks find one another: their hosts, and how far their clocks are apart."""

import pickle
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from aibench.errors import RankFailed
from aibench.world.cells import Cells
from aibench.world.frames import Frame, Kind, Wire
from aibench.world.gathering import Arrival, Welcome, gather_ranks, join_ranks, told_apart
from aibench.world.relay import Relay
from aibench.world.world import Clock, spots
from tests.world.star import Post, posts

PATIENCE_NS = 20 * 10**9


@dataclass
class Skewed:
    """A carrier of a rank whose clock is ``ahead_ns`` ahead, and whose answers are slow."""

    post: Post
    ahead_ns: int
    slow_s: float = 0
    asked: int = 0

    def __post_init__(self) -> None:
        self.rank, self.size = self.post.rank, self.post.size

    def send(self, rank: int, data: bytes) -> None:
        """Send it with the other clock's time."""
        frame = Frame.unpacked(data)
        if frame.kind == Kind.PONG:
            self.asked += 1
            told = int.from_bytes(frame.body, "little", signed=True) + self.ahead_ns
            body = told.to_bytes(8, "little", signed=True)
            data = Frame(frame.kind, frame.rank, frame.number, body).packed()
            time.sleep(self.slow_s)
        self.post.send(rank, data)

    def receive(self) -> list[tuple[int, bytearray]]:
        """As it comes."""
        return self.post.receive()

    def lost(self) -> list[tuple[int, str]]:
        """Nobody."""
        return []


def welcomed(
    ahead_ns: list[int], kernels: str, slow_s: float = 0
) -> tuple[list[Welcome], list[int]]:
    """What ranks with such clocks on such kernels learn, and how often each was asked."""
    first, *others = posts(len(kernels))
    ranks = [Skewed(post, ahead, slow_s) for post, ahead in zip(others, ahead_ns[1:], strict=True)]
    me = [Arrival(f"host-{kernel}", kernel) for kernel in kernels]
    with ThreadPoolExecutor(len(kernels)) as pool:
        joining = [pool.submit(join_ranks, r, me[r.rank], PATIENCE_NS, time.time) for r in ranks]
        welcome = gather_ranks(first, me[0], PATIENCE_NS, lambda: None)
        return [welcome, *(each.result(30)[0] for each in joining)], [rank.asked for rank in ranks]


def test_clocks() -> None:
    """The offset of each clock is found, within the error that goes with it."""
    ahead = [0, 3_000_000_000, -(10**15), 1_500_000]
    found, asked = welcomed(ahead, "abcd", slow_s=0.0001)
    clocks = found[0].clocks
    for clock, offset in zip(clocks, ahead, strict=True):
        assert abs(clock.offset_ns - offset) <= clock.error_ns
    assert [each.clock for each in found] == list(clocks)
    assert [each.place.rank for each in found] == [0, 1, 2, 3]
    assert found[0].place.hosts == ("host-a", "host-b", "host-c", "host-d")
    assert [each.place.host for each in found] == list(found[0].place.hosts)
    assert found[0].kernels == ("a", "b", "c", "d")
    assert min(asked) >= 20


def test_ranks_of_one_kernel_have_one_clock() -> None:
    """Only one rank of a kernel is asked many times; others are if theirs is another clock."""
    ahead = [0, 0, 5_000_000_000, 5_000_000_000, 9_000_000_000, 0]
    found, asked = welcomed(ahead, "aabbba")
    clocks = found[0].clocks
    assert clocks[0] == clocks[1] == clocks[5] == Clock(offset_ns=0, error_ns=0)
    assert clocks[2] == clocks[3] != clocks[4]
    assert abs(clocks[4].offset_ns - 9_000_000_000) <= clocks[4].error_ns
    assert asked[0] == asked[2] == asked[4] == 2
    assert min(asked[1], asked[3]) >= 20


def test_hosts_of_one_name() -> None:
    """Hosts that have the same name get a number after it; ranks of one host share its name."""
    told = told_apart([Arrival(*each.split()) for each in ("n 1", "m 1", "n 2", "n 1", "n 3")])
    assert told == ("n", "m", "n#2", "n", "n#3")


def test_what_ten_thousand_ranks_are_told() -> None:
    """Where all ranks are takes a few bytes for each, so that all can be told it."""
    arrivals = [
        Arrival(f"a-long-name-of-host-{rank // 64:05}", str(rank // 64)) for rank in range(10_000)
    ]
    arrivals = [pickle.loads(pickle.dumps(each)) for each in arrivals]
    assert len(pickle.dumps(told_apart(arrivals))) < 40_000


def test_what_comes_with_the_welcome() -> None:
    """What rank 0 says at once after its welcome is not lost on a rank that was late to look."""
    first, second = posts(2)
    pings = [Frame(Kind.PING, number=number) for number in range(2)]
    order = Frame(Kind.SHARE, body=b"an order")
    sent = Welcome(list(spots(("a", "b")))[1], Clock(offset_ns=5, error_ns=1))
    for frame in (*pings, Frame(Kind.WELCOME, body=pickle.dumps(sent)), order):
        first.send(1, frame.packed())
    welcome, came = join_ranks(second, Arrival("b", ""), PATIENCE_NS, lambda: None)
    assert (welcome, came) == (sent, [order])
    near, far = map(Wire, socket.socketpair())
    line = Relay(second, near, Cells(), came)
    line.turn()
    line.turn()
    assert far.receive() == [order]
    near.close()
    far.close()


def silent(_: Post) -> None:
    """Say nothing."""


def hello(post: Post) -> None:
    """Say hello, and nothing after it."""
    body = pickle.dumps(Arrival("host", "kernel"))
    post.send(0, Frame(Kind.HELLO, post.rank, body=body).packed())


@pytest.mark.parametrize(
    ("plays", "message"),
    [
        (silent, "nothing was heard of rank 1 at the start"),
        (hello, "rank 1 does not answer at the start"),
    ],
)
def test_a_rank_that_is_not_there(plays: Callable[[Post], None], message: str) -> None:
    """A rank that says nothing at the start is named when the patience is over."""
    first, second = posts(2)
    plays(second)
    with pytest.raises(RankFailed, match=message):
        gather_ranks(first, Arrival("host", "kernel"), 50_000_000, lambda: None)


def test_rank_0_is_not_there() -> None:
    """A rank waits for rank 0 as long as that says that it is well, and little longer."""
    first, second, _ = posts(3)
    me = Arrival("host", "kernel")
    with ThreadPoolExecutor(2) as pool:
        leads = pool.submit(gather_ranks, first, me, 900_000_000, lambda: None)
        joining = pool.submit(join_ranks, second, me, 300_000_000, lambda: None)
        with pytest.raises(RankFailed, match="nothing was heard of rank 2 at the start"):
            leads.result(30)
        assert not joining.done()
        with pytest.raises(RankFailed, match="nothing was heard of rank 0 at the start"):
            joining.result(30)
