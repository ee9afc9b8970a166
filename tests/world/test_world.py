"""Where ranks are, and a world of one."""

import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibench.world import Alone, Place
from aibench.world.world import spots


def test_ranks_of_a_host_stand_together() -> None:
    """However ranks are dealt to hosts, each has a turn, and those of a host are neighbours."""
    hosts = ("a", "b", "a", "c", "b")
    places = [Place(rank=rank, hosts=hosts) for rank in range(5)]
    assert [place.turn for place in places] == [0, 2, 1, 4, 3]
    assert [place.leads for place in places] == [True, True, False, True, False]
    assert [place.beside for place in places] == [2, 2, 2, 1, 2]
    assert places[3].names == ("a", "b", "c")
    assert places[3].host == "c"


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12))
def test_a_spot_is_a_place(hosts: list[str]) -> None:
    """What other ranks are told of their place is what rank 0 knows of it, whatever the fleet."""
    for rank, spot in enumerate(spots(hosts)):
        place = Place(rank=rank, hosts=tuple(hosts))
        for name in ("rank", "size", "host", "leads", "beside", "turn", "host_count"):
            assert getattr(spot, name) == getattr(place, name)
        for count in range(len(set(hosts)) + 1):
            assert spot.ranks_of(count) == place.ranks_of(count)


def test_a_spot_is_small() -> None:
    """What a rank is told does not grow with the number of ranks."""
    few, many = (list(spots([f"n{rank // 4}" for rank in range(ranks)])) for ranks in (8, 8000))
    assert len(pickle.dumps(many[-1])) < len(pickle.dumps(few[-1])) + 16


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
