"""What aibench says of bursts, cliffs and steady rates that the labs make and know exactly."""

from pathlib import Path

import pytest

from aibench.metrics import metrics
from aibench.model import RunRecord, Sample
from aibench.stats.steady import Steadiness, steadiness
from tests.integration.command import Stand
from tests.labs import faults
from tests.labs.tools import copied, dd, requires_fio, took, unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow]
BURST, BURST_BPS, SUSTAINED_BPS = 80_000_000, 20_000_000, 8_000_000
#: The series of a save has intervals of 0.1 s, and a batch of 11 s has three of them.
BATCH_S = 0.3
#: 8.03 billion parameters of 14 B.
WHOLE = 8_030_000_000 * 14


def saving(size: int) -> tuple[str, ...]:
    """Two ranks that save ``size`` bytes past the page cache, in calls of 128 KiB."""
    words = ("-w", "checkpoint-save", "--repeats", "1", "--cache", "direct", "--set", "ranks=2")
    return (*words, "--set", "io_size=128KiB", "--set", f"scale={size / WHOLE}")


def measured(stand: Stand, *words: str) -> tuple[RunRecord, Sample, dict[str, float | None]]:
    """A record, its one sample, and the figures of that by name."""
    done = stand.run(*words)
    assert done.code == 0, done.err
    record = stand.record()
    (sample,) = record.samples
    return record, sample, {m.name: m.value for m in metrics(record.phase(sample), sample)}


def judged(record: RunRecord, sample: Sample) -> Steadiness:
    """What the series of the sample says."""
    found = steadiness(record.phase(sample), sample.measurement)
    assert found is not None
    return found


@pytest.mark.alone
@unless(faults.missing())
def test_the_cliff_of_the_lab() -> None:
    """As dd sees it, so many bytes go at the rate of the burst, and all others at the other one."""
    burst = {"bytes": 20_000_000, "bps": BURST_BPS}
    with faults.faultfs(direct_io=True, write_burst=burst, write_bps=SUSTAINED_BPS) as faulty:
        first, then = (
            dd("if=/dev/zero", f"of={faulty.path}/{name}", "bs=100000", f"count={count}")
            for name, count in (("first", 200), ("then", 80))
        )
    assert copied(first) / took(first) == pytest.approx(BURST_BPS, rel=0.03)
    assert copied(then) / took(then) == pytest.approx(SUSTAINED_BPS, rel=0.03)


@pytest.mark.paced
@unless(faults.missing())
def test_a_write_cache_with_a_cliff(tmp_path: Path) -> None:
    """Both plateaus are found within 3 %, and the size of the cache within one batch."""
    burst = {"bytes": BURST, "bps": BURST_BPS}
    with faults.faultfs(direct_io=True, write_burst=burst, write_bps=SUSTAINED_BPS) as faulty:
        stand = Stand(tmp_path, faulty.path)
        record, sample, found = measured(stand, *saving(BURST + 8 * SUSTAINED_BPS))
        told = stand.do("report", stand.paths()[-1]).out
    assert found["burst_write_bandwidth"] == pytest.approx(BURST_BPS, rel=0.03)
    assert found["sustained_write_bandwidth"] == pytest.approx(SUSTAINED_BPS, rel=0.03)
    assert found["burst_bytes"] == pytest.approx(BURST, abs=BATCH_S * BURST_BPS)
    assert found["burst_time"] == pytest.approx(BURST / BURST_BPS * 1e9, abs=BATCH_S * 1e9)
    assert judged(record, sample).unproven
    assert "sustained write" in told
    assert "a burst of" in " ".join(told.split())


@pytest.mark.paced
@unless(faults.missing())
def test_a_flat_rate_has_no_cliff(tmp_path: Path) -> None:
    """Storage with one limit has one plateau, and drifts by less than 10 % from end to end."""
    with faults.faultfs(direct_io=True, write_bps=SUSTAINED_BPS) as faulty:
        stand = Stand(tmp_path, faulty.path)
        record, sample, found = measured(stand, *saving(8 * SUSTAINED_BPS))
    steady = judged(record, sample)
    assert steady.cliff is None
    assert "sustained_write_bandwidth" not in found
    assert steady.drift is not None
    assert abs(steady.drift) < 0.1


@unless(faults.missing())
def test_fsync_and_close_are_inside_the_time(tmp_path: Path) -> None:
    """What fsync and close of a checkpoint take is in its makespan and bandwidth."""
    waits = {"fsync": 400, "flush": 300}
    words = ("-w", "checkpoint-save", "--repeats", "1", "--set", "ranks=2", "--set", "shards=1")
    with faults.faultfs(delay_ms=waits) as faulty:
        stand = Stand(tmp_path, faulty.path)
        _, sample, found = measured(stand, *words, "--set", "scale=1e-5", "--set", "sync=end")
    taken = sample.measurement.elapsed_ns
    assert taken >= 0.7 * 10**9
    assert found["makespan"] == taken
    assert found["write_bandwidth"] == pytest.approx(sample.measurement.bytes * 10**9 / taken)


@requires_fio
@unless(faults.missing())
def test_fsync_is_inside_the_time_of_blocks(tmp_path: Path) -> None:
    """What the fsync at the end of block writes takes is in their time."""
    words = ("-w", "block", "--repeats", "1", "--cache", "as-found", "--set", "jobs=1")
    with faults.faultfs(delay_ms={"fsync": 700}) as faulty:
        stand = Stand(tmp_path, faulty.path)
        done = stand.run(*words, "--set", "file_size=4MiB", "--set", "runtime=300ms")
        assert done.code == 0, done.err
        taken = {s.phase: s.measurement.elapsed_ns for s in stand.record().samples}
    assert taken["seq-write"] >= 0.7 * 10**9
    assert taken["rand-write"] >= 0.7 * 10**9
