"""What would not fit is refused before a byte is written, in a sentence with the figures."""

import pytest

from aibench.planner import unfit
from tests import build

GIB = 2**30


@pytest.mark.parametrize(
    ("plan", "target", "words"),
    [
        ({"space_bytes": 10 * GIB}, {"free_bytes": GIB},
         "/mnt/data has 1.07 GB free and this needs 10.8 GB; make room"),
        ({"inodes": 5000}, {"free_inodes": 4000},
         "/mnt/data has 4.00 k inodes free and this needs 5.00 k"),
        ({"memory_bytes": 2 * GIB}, {}, "the workers need 2.15 GB of memory and 2.15 GB are"),
    ],
    ids=["space", "inodes", "memory"],
)  # fmt: skip
def test_what_does_not_fit_is_named(
    plan: dict[str, int], target: dict[str, int], words: str
) -> None:
    """Space, inodes and memory are each refused with what there is and what is needed."""
    (problem,) = unfit(build.plan(**plan), build.target(**target), 2 * GIB, {})
    assert words in problem
    assert "--scale" in problem


def test_what_fits_has_no_problem() -> None:
    """A plan that fits is not refused, nor one where the filesystem doesn't tell."""
    assert unfit(build.plan(), build.target(), GIB, {}) == []
    silent = build.target(free_bytes=None, free_inodes=None)
    assert unfit(build.plan(space_bytes=2**60, inodes=2**60), silent, GIB, {}) == []


def test_some_space_is_left_alone() -> None:
    """A run never takes the last 64 MiB of a filesystem."""
    plan = build.plan(space_bytes=GIB)
    assert unfit(plan, build.target(free_bytes=GIB + 2**26), GIB, {}) == []
    assert len(unfit(plan, build.target(free_bytes=GIB + 2**26 - 1), GIB, {})) == 1


def test_what_is_there_needs_no_space() -> None:
    """Data that is there already is not asked for a second time."""
    plan, target = build.plan(space_bytes=10 * GIB), build.target(free_bytes=GIB)
    assert unfit(plan, target, GIB, {"data/a": 6 * GIB, "data/b": 4 * GIB}) == []
    assert len(unfit(plan, target, GIB, {"data/a": 6 * GIB})) == 1


def test_all_problems_come_at_once() -> None:
    """Space, inodes and memory are told together, not one after the other."""
    plan = build.plan(space_bytes=10 * GIB, inodes=10**6, memory_bytes=10 * GIB)
    target = build.target(free_bytes=GIB, free_inodes=10)
    assert len(unfit(plan, target, GIB, {})) == 3
