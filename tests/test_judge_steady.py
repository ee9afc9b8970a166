"""Claims on a rate that changed: the sustained rate decides, and a fall meets nothing."""

from collections.abc import Sequence
from typing import Any

import pytest

from aibench.judge import judge
from aibench.model import Ceiling, Claim, RunRecord, Status, SyncPolicy, System, Verdict
from tests.build import plan, record, sample, system
from tests.flow import cliff, flow, noise, writing
from tests.test_judge import block, claim, codes

MB = 10**6
#: Sustained and average rate of the bursts here, in bytes a second.
LASTING, AVERAGE = 100 * MB, 150 * MB


def written(*runs: Sequence[float]) -> RunRecord:
    """A run of direct writes at the given rates in units of 100 MB/s, on an unlimited client."""
    samples = []
    for repeat, rates in enumerate(runs):
        counts = flow([100 * MB * rate for rate in rates])
        ceiling = Ceiling(operations=counts.operations * 9, bytes=counts.bytes * 9,
                          elapsed_ns=counts.elapsed_ns)  # fmt: skip
        samples.append(
            sample(repeat, workload="block-demo", phase="seq-write", measurement=counts,
                   ceiling=ceiling, evidence=None)
        )  # fmt: skip
    return record(*samples, plan=plan(block(writing(sync=SyncPolicy.END))))


def writes(value: int, **changes: Any) -> Claim:
    """The drive writes at least ``value``."""
    reading = claim().interpretations[0]
    parts: dict[str, Any] = {
        "metric": "write_bandwidth", "scope": "drive", "phases": (("block", "seq-write"),),
        "interpretations": (type(reading)(id="drive", value=value),), "tolerance": 0.05,
    }  # fmt: skip
    return claim(**parts | changes)


def verdict(run: RunRecord, value: int, **changes: Any) -> Verdict:
    """The one verdict on one drive."""
    on: System = system(unit="drive", **changes)
    (found,) = judge(run, [writes(value)], on)
    return found


BURSTS = [cliff(4.0, 1.0, 20, 120, seed=seed) for seed in range(3)]


def test_the_sustained_rate_decides() -> None:
    """A figure between the sustained rate and the average of a burst is not met."""
    run = written(*BURSTS)
    between = verdict(run, 130 * MB)
    assert between.status is Status.NOT_MET
    assert between.measured is not None
    assert between.measured.typical == pytest.approx(LASTING, rel=0.01)
    assert between.measured.typical < AVERAGE
    assert codes(between) == ["burst"]
    assert verdict(run, 100 * MB).status is Status.MET


def test_runs_without_a_burst_count_whole() -> None:
    """Where only one run began with a burst, the others stand with all of their time."""
    flat = [noise(seed, 120, 0.02, 0.0) for seed in (8, 9)]
    found = verdict(written(BURSTS[0], *flat), 100 * MB)
    assert found.status is Status.MET
    assert found.measured is not None
    assert found.measured.typical == pytest.approx(LASTING, rel=0.01)


@pytest.mark.parametrize(
    ("drift", "value", "status"),
    [(-0.3, 80, Status.INCONCLUSIVE), (-0.3, 200, Status.NOT_MET),
     (0.3, 80, Status.MET), (0.3, 200, Status.INCONCLUSIVE), (0.0, 80, Status.MET),
     (0.0, 200, Status.NOT_MET)],
)  # fmt: skip
def test_a_drift_forbids_one_direction(drift: float, value: int, status: Status) -> None:
    """A falling rate meets no claim, a rising one refutes none, and each allows the other."""
    run = written(*(noise(seed, 300, 0.02, 0.0, drift=drift) for seed in range(3)))
    found = verdict(run, value * MB)
    assert found.status is status
    assert codes(found) == (["not_steady"] if drift else [])


def test_too_little_after_a_burst_meets_nothing() -> None:
    """Forty seconds behind a cliff do not show what lasts."""
    run = written(*(cliff(4.0, 1.0, 40, 80, seed=seed) for seed in range(3)))
    found = verdict(run, 50 * MB)
    assert (found.status, codes(found)) == (Status.INCONCLUSIVE, ["not_steady", "burst"])
    assert "run longer" in found.next_step
    assert verdict(run, 200 * MB).status is Status.NOT_MET


def test_less_than_the_server_can_cache_meets_nothing() -> None:
    """Writes of less than twice the server's cache show no figure to be met; more do."""
    run = written(*(noise(seed, 120, 0.02, 0.0) for seed in range(3)))
    small = verdict(run, 80 * MB, server_cache_bytes=7000 * MB)
    assert (small.status, codes(small)) == (Status.INCONCLUSIVE, ["server_cache"])
    assert verdict(run, 200 * MB, server_cache_bytes=7000 * MB).status is Status.NOT_MET
    assert verdict(run, 80 * MB, server_cache_bytes=5000 * MB).status is Status.MET
    assert verdict(run, 80 * MB).status is Status.MET
