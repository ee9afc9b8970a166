"""What a run says where the truth is known: rates, latencies, limits, verdicts, its own size."""

import statistics
from pathlib import Path

import pytest

from aibench.model import CacheState, RunRecord, Status
from tests import lab
from tests.integration.command import SMALL, Stand
from tests.lab import MIB
from tests.labs import faults, limits, truths
from tests.labs.tools import requires_fio, unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow, lab.requires_mounts]
RATE = 8_000_000
PHOTOS = ("-w", "load-imagenet", "--set", "workers=2", "--set", "batch=8")
ONE = ("--repeats", "1")
DELAY_MS = {"open": 80, "read": 90, "write": 100, "fsync": 120}
DECODING_S = 0.008
QUOTA = 0.3


def only(stand: Stand, *words: str) -> RunRecord:
    """The record of a run that has to succeed."""
    done = stand.run(*words)
    assert done.code == 0, done.err
    return stand.record()


@pytest.mark.paced
@unless(faults.missing())
def test_bandwidth_of_loading_and_saving(tmp_path: Path) -> None:
    """Loading files and saving a checkpoint are reported at the filesystem's rate, within 3 %."""
    with faults.faultfs(direct_io=True) as faulty:
        stand = Stand(tmp_path, faulty.path)
        load = (*PHOTOS, *ONE, "--set", "files=128")
        only(stand, *load)
        faulty.ask(read_bps=RATE, write_bps=RATE)
        (loaded,) = only(stand, *load).samples
        save = ("-w", "checkpoint-save", *ONE, "--set", "ranks=2", "--set", "scale=1e-4")
        (saved,) = only(stand, *save).samples
    assert truths.rate(loaded) == pytest.approx(RATE, rel=0.03)
    assert truths.rate(saved) == pytest.approx(RATE, rel=0.03)


@pytest.mark.paced
@requires_fio
@unless(faults.missing())
def test_bandwidth_of_blocks(tmp_path: Path) -> None:
    """Each of fio's phases is reported at the rate that the filesystem carries, within 3 %."""
    words = ("-w", "block", *ONE, "--set", "file_size=8MiB", "--set", "jobs=1")
    more = ("--set", "runtime=2s", "--set", "sequential_block=64KiB")
    with faults.faultfs(direct_io=True, read_bps=RATE, write_bps=RATE) as faulty:
        record = only(Stand(tmp_path, faulty.path), *words, *more, "--set", "random_block=64KiB")
    measured = {sample.phase: truths.rate(sample) for sample in record.samples}
    assert set(measured) == {"seq-read", "seq-write", "rand-read", "rand-write"}
    assert measured == pytest.approx(dict.fromkeys(measured, RATE), rel=0.03)


@pytest.mark.paced
@requires_fio
@unless(faults.missing())
def test_latencies(tmp_path: Path) -> None:
    """Delays of opens, reads, writes and syncs are the latencies that are reported, within 5 %."""
    with faults.faultfs(direct_io=True) as faulty:
        stand = Stand(tmp_path, faulty.path)
        load = ("-w", "load-4k", *ONE, "--set", "load-4k.files=20", "--set", "workers=1")
        deep = ("--set", "runtime=1s", "--set", "random_depth=1", "--set", "sequential_depth=1")
        block = ("-w", "block", "--set", "file_size=1MiB", "--set", "jobs=1", *deep)
        many = ("--set", "ranks=1", "--set", "scale=1e-6", "--set", "shards=6")
        only(stand, *load)
        faulty.ask(delay_ms=DELAY_MS)
        delayed = only(stand, *load, *block, "-w", "checkpoint-save", *many)
    by_phase = {(sample.workload, sample.phase): sample for sample in delayed.samples}
    found = {
        "open": truths.median_ns(by_phase["load-4k", "epoch"], "open_latency"),
        "read": truths.median_ns(by_phase["block", "rand-read"], "latency"),
        "write": truths.median_ns(by_phase["block", "rand-write"], "latency"),
        "fsync": truths.median_ns(by_phase["checkpoint-save", "save"], "fsync_latency"),
    }
    assert found == pytest.approx({name: ms * 1e6 for name, ms in DELAY_MS.items()}, rel=0.05)
    opens = by_phase["load-4k", "epoch"].measurement.histograms["open"]
    assert opens.total_ns / opens.count == pytest.approx(DELAY_MS["open"] * 1e6, rel=0.1)


@pytest.mark.alone
@unless(faults.missing())
def test_device_is_the_limit(tmp_path: Path) -> None:
    """Where a device is slower than its readers, the device is named as what limited them.

    Requests queue at a device whose image is slow; a limit of a control group holds them before.
    """
    with (
        faults.faultfs(direct_io=True) as faulty,
        lab.loop_mount(faulty.path, at=tmp_path, direct=False) as mounted,
    ):
        stand = Stand(tmp_path, mounted.path)
        words = (*PHOTOS, *ONE, "--set", "files=128", "--set", "workers=4", "--cache", "direct")
        only(stand, *words)
        faulty.ask(read_bps=RATE)
        found = truths.told(stand, *words)
        faulty.ask()
    assert found.limiter == "device", found


@pytest.mark.alone
@unless(faults.missing())
def test_latency_is_the_limit(tmp_path: Path) -> None:
    """Where one worker waits for one slow open after the other, that is named."""
    with faults.faultfs(direct_io=True, delay_ms={"open": 40}) as faulty:
        words = ("-w", "load-4k", *ONE, "--set", "files=30", "--set", "workers=1")
        found = truths.told(Stand(tmp_path, faulty.path), *words)
    assert found.limiter == "latency", found


@pytest.mark.alone
def test_cache_is_what_was_measured(tmp_path: Path) -> None:
    """Where the second reader finds all data in memory, the cache is named and not the device."""
    with limits.throttled() as mounted:
        stand = Stand(tmp_path, mounted.path)
        words = (*PHOTOS, *ONE, "--set", "files=200", "--set", "reader=stat")
        only(stand, *words)
        found = truths.told(stand, *words, "--cache", "as-found")
        record = stand.record()
    (sample,) = record.samples
    assert found.limiter in ("cache", "client_cpu"), found
    assert sample.evidence is not None
    assert sample.evidence.state is CacheState.WARM


@pytest.mark.alone
def test_harness_is_the_limit(tmp_path: Path) -> None:
    """Where nothing but the harness is measured, the harness is named.

    At the latest in the sixth run: what others take while one of them measures its ceiling, or
    after that, makes the two differ.
    """
    stand, found = Stand(tmp_path), []
    for _ in range(6):
        record = only(stand, *SMALL, "--engine", "null", "--set", "files=50000")
        (sample,) = record.samples
        found.append((truths.limiter(record, sample).limiter, truths.warned(record)))
        limiter, warned = found[-1]
        if limiter == "harness" and "client_bound" in warned:
            return
    pytest.fail(f"it was never the harness, but {found}")


@pytest.mark.alone
@unless(faults.missing())
def test_unknown_is_said(tmp_path: Path) -> None:
    """Where several workers wait for a filesystem that tells nothing, what limits is not known."""
    with faults.faultfs(direct_io=True, delay_ms={"open": 20}) as faulty:
        words = (*PHOTOS, *ONE, "--set", "files=40")
        found = truths.told(Stand(tmp_path, faulty.path), *words)
    assert found.limiter == "unknown", found
    assert "the block device's queue" in found.sentence


@pytest.mark.alone
def test_slow_user_code(tmp_path: Path) -> None:
    """Workers that are slow by what they do with the data are the limit, and refute nothing."""
    with limits.throttled() as mounted:
        stand = Stand(tmp_path, mounted.path)
        words = (*PHOTOS, "--set", "files=100", "--repeats", "3", *truths.claim_files(tmp_path))
        decoder = truths.decoder(tmp_path, 0.02)
        process = stand.start("run", stand.target, *words, environment=decoder)
        with truths.ended(process):
            found = truths.judged(stand, process, 100)
    assert found.status == "INCONCLUSIVE"
    assert "client_bound" in found.reasons
    for sample in found.record.samples:
        assert truths.limiter(found.record, sample).limiter == "client_cpu"


def test_many_repeats(tmp_path: Path) -> None:
    """Over many repeats a run keeps its descriptors and threads, and grows by its samples only.

    The same holds for its workers, which are forks of it; and no sample is longer than the first.
    """
    repeats = 150
    with limits.throttled() as mounted:
        stand = Stand(tmp_path, mounted.path)
        stand.is_forked = False  # what its memory is does not depend on what tests have left
        words = ("-w", "load-4k", "--repeats", str(repeats), "--set", "files=300")
        more = ("--set", "workers=1", "--cache", "as-found")
        process = stand.start("run", stand.target, *words, *more)
        with truths.ended(process):
            seen = truths.looks(process)[2:-10]  # before it measures, and while it reports
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        lines = [len(line) for line in stand.paths()[-1].read_text().splitlines()[1:-1]]
    assert len(lines) == repeats
    third = len(seen) // 3
    first, last = seen[:third], seen[-third:]
    assert {look.threads for look in seen} == {1}
    most = [max(look.descriptors for look in part) for part in (first, last)]
    assert most[1] <= most[0] + 5, "a descriptor for each repeat would be 50 more"
    grown = typical([look.resident for look in last]) - typical([look.resident for look in first])
    assert grown < 20 * typical(lines) * repeats
    workers = [typical([w for look in part for w in look.workers]) for part in (first, last)]
    assert workers[1] - workers[0] < grown + 2 * MIB
    assert typical(lines[-repeats // 3 :]) < 1.2 * typical(lines[: repeats // 3])


def typical(numbers: list[int]) -> float:
    """The median."""
    return statistics.median(numbers)


@pytest.mark.paced
@unless(limits.missing_quota())
def test_held_client_refutes_nothing(tmp_path: Path) -> None:
    """A figure that a client misses because a quota of CPU time holds it back stays open.

    Without what the run says of the client the same epochs would refute it; what says that is
    enough to forbid it, however long they had been.
    """
    with limits.throttled() as mounted, limits.cpu_quota(QUOTA) as join:
        stand = Stand(tmp_path, mounted.path)
        words = (*PHOTOS, "--set", "files=100", "--repeats", "3", *truths.claim_files(tmp_path))
        decoder = truths.decoder(tmp_path, DECODING_S)
        process = stand.start(
            "run", ".", *words, cwd=mounted.path, environment=decoder, preexec_fn=join
        )
        with truths.ended(process):
            found = truths.judged(stand, process, 200)
    assert found.status == "INCONCLUSIVE", found.reasons
    assert truths.decided(found.record, tmp_path, ()) is Status.NOT_MET
    assert truths.decided(found.record, tmp_path, {"client_bound"}) is Status.INCONCLUSIVE
    for sample in truths.read_samples(found.record):
        answer = truths.limiter(found.record, sample)
        assert answer.limiter == "client_cpu", answer
        assert "CPU quota" in answer.sentence
        assert "client_bound" in {warning.code for warning in sample.warnings}
