"""Where ranks are, and a world of one."""

import time

import pytest

from aibench.world import Alone, Place


def test_ranks_of_a_host_stand_together() -> None:
    """However ranks are dealt to hosts, each has a turn, and those of a host are neighbours."""
    hosts = ("a", "b", "a", "c", "b")
    places = [Place(rank=rank, hosts=hosts) for rank in range(5)]
    assert [place.turn for place in places] == [0, 2, 1, 4, 3]
    assert [place.leads for place in places] == [True, True, False, True, False]
    assert [place.beside for place in places] == [2, 2, 2, 1, 2]
    assert places[3].names == ("a", "b", "c")
    assert places[3].host == "c"


def test_ranks_that_do_not_exist() -> None:
    """A rank is one of those that there are."""
    with pytest.raises(ValueError, match="rank 2 of 2"):
        Place(rank=2, hosts=("a", "b"))


def test_a_world_of_one() -> None:
    """Who measures alone meets nobody, and goes on at once."""
    alone = Alone("here")
    now = time.perf_counter_ns()
    assert now < alone.meet()
    assert alone.gather("mine") == ["mine"]
    assert alone.share("plan") == "plan"
    assert alone.tell(3, 4) == (3, 4)
    assert alone.place.leads
