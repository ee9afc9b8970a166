"""What is remarked on ranks and hosts that did not do alike."""

from dataclasses import replace

import pytest

from aibench.model import HostOf, Measurement, RunRecord
from aibench.remarks import together_remarks, warnings
from tests import build
from tests.build import SECOND
from tests.test_hosts import FOUR, measured, worker


def told(found: Measurement) -> dict[str, str]:
    """What is noted of a sample, without its short time."""
    noted = warnings(build.sample(measurement=found))
    return {each.code: each.message for each in noted if each.code != "short_run"}


def test_straggler_by_name() -> None:
    """A slow host is named with its pace, that of the others, and the time that it cost."""
    slow = [worker("n2", 4, 2.0), worker("n2", 5, 2.0)]
    assert told(measured([*FOUR, *slow])) == {
        "straggler": "host n2 was the straggler: 500 MB/s a worker, 952 MB/s in the middle of the "
        "others; it was done after 2.00 s, all others after 1.10 s"
    }


def test_slow_rank_by_name() -> None:
    """One slow rank is named with its host; without later ends no time is told."""
    rank = told(measured([*FOUR[:3], worker("n1", 3, 2.5)]))["straggler"]
    assert rank.startswith("rank 3 on n1 was the straggler: 400 MB/s a worker")
    bound_in_time = [worker(f"n{n}", n, 1.0, moved=10**9 // (1 + (n == 2))) for n in range(4)]
    assert told(measured(bound_in_time)) == {
        "straggler": "rank 2 on n2 was the straggler: 500 MB/s a worker, 1.00 GB/s in the middle "
        "of the others"
    }


def test_equal_ranks_and_short_phases() -> None:
    """Ranks that did alike are not remarked, and within 200 ms it is the scheduler that decides."""
    assert told(measured(FOUR)) == {}
    soon = [worker("n0", 0, 0.05), worker("n1", 1, 0.15)]
    assert told(measured(soon)) == {}


def test_spread_of_starts() -> None:
    """Starts that are a part of the time are told, with the rank that was last; one host's too."""
    late = [*FOUR[:3], replace(FOUR[3], start_ns=50_000_000)]
    found = told(measured(late, start_spread_ns=50_000_000))
    assert found == {
        "start_spread": "ranks started up to 50.0 ms apart, 4.5% of the time that was measured: "
        "rank 3 on n1 was the last"
    }
    assert told(measured(FOUR, start_spread_ns=10_000_000)) == {}
    alone = [worker("n0", 0, 1.0), worker("n0", 0, 1.0)]
    assert told(measured(alone, start_spread_ns=50_000_000)) == {}


def shifted(*hosts: HostOf, **changes: object) -> RunRecord:
    """A run under MPI whose readers are moved on by two from those who wrote."""
    plan = build.plan(build.stage(phases=(build.phase(shift=2),)))
    return build.record(plan=plan, launch=build.launch(*hosts), **changes)


def codes(record: RunRecord) -> list[str]:
    """What is remarked on the hosts of a run."""
    return [each.code for each in together_remarks(record)]


def test_own_reads() -> None:
    """With one host the guard against reading one's own writes is missing; it is said once."""
    one = HostOf(name="n0", ranks=4)
    (found,) = together_remarks(shifted(one))
    assert found.code == "own_reads"
    assert found.message.startswith(
        "all ranks were on one host, n0: load-demo read read what the same client wrote"
    )
    assert codes(shifted()) == []
    assert codes(replace(shifted(one), launch=None)) == []
    assert codes(build.record(launch=build.launch(one))) == []


@pytest.mark.parametrize(("boots", "expected"), [(("a", "a"), ["own_reads"]), (("a", "b"), [])])
def test_containers_of_one_machine(boots: tuple[str, str], expected: list[str]) -> None:
    """Two containers of one kernel have one page cache, so the guard is missing there too."""
    seen = tuple(build.on_host(f"n{n}", boot=boot) for n, boot in enumerate(boots))
    run = shifted()
    assert codes(replace(run, samples=(build.sample(hosts=seen),))) == expected


def test_clocks() -> None:
    """A clock that is known worse than to a hundredth of the shortest phase is named."""
    first = HostOf(name="n0", ranks=1)
    near = HostOf(name="n1", ranks=1, clock_error_ns=SECOND // 100)
    assert codes(shifted(first, near)) == []
    far = replace(near, clock_error_ns=SECOND // 20)
    (found,) = together_remarks(shifted(first, far))
    assert found.code == "clock_error"
    assert "the clock of n1 is known to ±50.0 ms, 5.0% of the shortest phase" in found.message
