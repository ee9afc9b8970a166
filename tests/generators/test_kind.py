"""What the command line adds to a workload's settings."""

from itertools import pairwise

import pytest

from aibench.generators.kind import Request


def request(*fleet: int, cpus: int = 2) -> Request:
    """A request of so many ranks on each host."""
    return Request(workload="any", seed=1, cpus=cpus, fleet=fleet)


def test_each_rank_has_workers_of_its_own() -> None:
    """What is asked for is there on each rank, and where nothing is, two for each core or four."""
    assert request(1).workers(3) == 3
    assert request(2, 1).workers(3) == 9
    assert request(2, 2).workers(0) == 16
    assert request(1, 1, cpus=8).workers(0) == 32


@pytest.mark.parametrize("fleet", [(1, 1), (4, 4), (2, 2, 2), (1,) * 7, (2, 3, 3)])
@pytest.mark.parametrize("processes", [8, 24, 25, 840])
def test_nobody_reads_what_its_host_wrote(fleet: tuple[int, ...], processes: int) -> None:
    """Moved by the shift, no process meets the share of one of its host, unless most are there."""
    asked = request(*fleet)
    ends = [processes * sum(fleet[:n]) // asked.ranks for n in range(len(fleet) + 1)]
    shift = asked.shift(processes)
    for begin, end in pairwise(ends):
        owners = {(slot + shift) % processes for slot in range(begin, end)}
        assert len(owners & set(range(begin, end))) == max(2 * (end - begin) - processes, 0)


def test_one_host_reads_what_it_wrote() -> None:
    """Alone there is no other host: readers are moved by as many processes as asked for."""
    assert request(4).shift(16, 3) == 3
    assert request(1).shift(4) == 1
    assert request(2, 2).shift(8, 0) == 0
