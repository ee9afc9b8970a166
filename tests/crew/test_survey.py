"""Which hosts can measure together, and what of them is not alike."""

from dataclasses import replace
from typing import Any

import pytest

from aibench.crew.orders import _by_host
from aibench.crew.survey import Facts, Survey
from aibench.world import Clock, Place
from tests import build

GIB = 2**30
TARGET = build.target(fstype="nfs4", source="server:/data", options=("rw", "vers=4.2"))


def said(host: str, **changes: Any) -> Facts:
    """What a rank of ``host`` says, where all is well."""
    parts: dict[str, Any] = {
        "aibench": "1.0", "python": "3.11.7", "boot": f"boot-{host}", "cpus": 8, "online": 8,
        "memory_bytes": 32 * GIB, "free_memory": 16 * GIB, "key": {"cpu": "x", "nic": "100 Gbit/s"},
        "target": TARGET,
    }  # fmt: skip
    return Facts(host=host, **parts | changes)


def survey(*facts: Facts) -> Survey:
    """What rank 0 knows when they have spoken."""
    hosts = tuple(each.host for each in facts)
    clocks = tuple(Clock(offset_ns=7 * rank, error_ns=rank) for rank in range(len(facts)))
    return Survey(place=Place(rank=0, hosts=hosts), facts=facts, clocks=clocks)


def test_alike() -> None:
    """Hosts that are alike measure together, and nothing is to be remarked."""
    found = survey(said("a"), said("a"), said("b"), said("b"))
    assert found.refusals() == []
    assert found.remarks() == ()
    assert found.fleet == (2, 2)
    assert found.boots == "boot-a+boot-b"
    assert found.cpus == 4
    assert found.memory_bytes == 32 * GIB


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"aibench": "0.9"}, "aibench is 1.0 on a and 0.9 on b: install the same one on all"),
        ({"target": None, "problem": "/mnt is not there"}, "b: /mnt is not there"),
        ({"target": replace(TARGET, fstype="ext4")}, "the filesystem is nfs4 on a and ext4 on b"),
        (
            {"target": replace(TARGET, source="other:/x")},
            "the mount is server:/data on a and other",
        ),
    ],
)
def test_unlike_hosts_are_refused_by_name(change: dict[str, Any], words: str) -> None:
    """What keeps hosts from measuring one thing is said once, with their names."""
    (problem,) = survey(said("a"), said("b", **change), said("b", **change)).refusals()
    assert problem.startswith(words)


def test_many_unlike_hosts_are_one_sentence() -> None:
    """Of many hosts that differ in the same way some are named, and the others counted."""
    others = [said(f"n{number}", aibench="0.9") for number in range(1, 9)]
    (problem,) = survey(said("n0"), *others).refusals()
    assert "0.9 on n1, n2, n3, n4 and 4 more" in problem


def test_small_differences_are_remarked() -> None:
    """Hosts may differ in what they are made of; it is said, and kept in the record."""
    found = survey(said("a"), said("b", python="3.12.1", key={"cpu": "y", "nic": "100 Gbit/s"}))
    told = [remark.message for remark in found.remarks()]
    assert told == ["Python is 3.11.7 on a and 3.12.1 on b", "cpu is x on a and y on b"]
    first, second = found.launch("an MPI").hosts
    assert (first.ranks, first.differs, second.differs) == (1, {}, {"cpu": "y"})
    assert (second.clock_offset_ns, second.clock_error_ns) == (7, 1)


def test_addresses_of_clients_are_no_difference() -> None:
    """The options of an NFS mount name the client's own address; other options count."""
    targets = [
        replace(TARGET, options=("rw", more, f"clientaddr=10.0.0.{n}"))
        for n, more in ((1, "noac"), (2, "noac"), (3, "ac"))
    ]
    a, b, c = (said(name, target=target) for name, target in zip("abc", targets, strict=True))
    assert survey(a, b).remarks() == ()
    (remark,) = survey(a, c).remarks()
    assert "noac,rw on a and ac,rw on c" in remark.message


def test_ranks_that_are_bound() -> None:
    """A launcher that binds ranks to fewer processors than their share is found out."""
    (remark,) = survey(said("a", cpus=1), said("a", cpus=1)).remarks()
    assert remark.code == "bound_ranks"
    assert "on a may use 1 of 8 processors, and its share would be 4" in remark.message
    assert survey(said("a", cpus=1, online=2), said("a", cpus=1, online=2)).remarks() == ()


def test_memory_of_the_fullest_host_counts() -> None:
    """All ranks together may take as much as fits on the host with the least for each of its."""
    found = survey(said("a"), said("b"), said("b"), said("b", free_memory=6 * GIB))
    assert found.memory_bytes == 4 * (6 * GIB // 3)


def test_processors_of_a_rank() -> None:
    """Ranks that are not bound share the processors of their host."""
    found = survey(*(said("a", cpus=8) for _ in range(4)), said("b", cpus=8))
    assert found.cpus == 2


def test_what_the_ranks_of_a_host_have_read() -> None:
    """Reads of the ranks of a host are added up; where one is not known, nor is the sum."""
    place = Place(rank=0, hosts=("a", "b", "a", "b", "a"))
    assert _by_host([1, 2, 4, 8, 16], place) == {"a": 21, "b": 10}
    assert _by_host([1, None, 4, 8, None], place) == {"a": None, "b": None}
