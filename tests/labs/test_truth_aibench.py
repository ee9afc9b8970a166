"""What a run says where the truth is known: rates, latencies, limits, verdicts, its own size."""

import contextlib
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from aibench.model import CacheState, RunRecord
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
#: So many photographs take more than a minute at the rate of the slow device.
LONG = (*PHOTOS, "--set", "files=1200", "--repeats", "3", "--cache", "cold")
SLOW_DEVICE = 2_000_000
DECODING_S = 0.008
QUOTA = 0.15
LIMIT_S = 500
NOISE = {"busy_client", "client_bound", "interference", "run_queue", "steal"}
"""What others on this machine do to a run."""


class Pair:
    """Two runs of the same plan in the background: a slow device, and a client held back."""

    def __init__(self, slow: Stand, held: Stand) -> None:
        self.slow, self.held = slow, held
        self.processes: dict[str, truths.Process] = {}
        self._ended: dict[str, truths.Judged] = {}

    def __getitem__(self, name: str) -> truths.Judged:
        if name not in self._ended:
            stand = {"slow": self.slow, "held": self.held}[name]
            self._ended[name] = truths.judged(stand, self.processes[name], LIMIT_S)
        return self._ended[name]


@pytest.fixture(scope="module", autouse=True)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair | None]:
    """The two long runs: begun before all tests, because each repeat lasts more than a minute."""
    asked = any(
        "pair" in item.fixturenames and "refutes" in item.name
        for item in request.session.items
        if isinstance(item, pytest.Function)
    )
    if not asked or faults.missing() or limits.missing_quota():
        yield None
        return
    directory = tmp_path_factory.mktemp("pair")
    places = [directory / name for name in ("slow", "held")]
    for place in places:
        place.mkdir()
    with contextlib.ExitStack() as undo:
        # Not slow by a limit of its own control group, which aibench knows: that refutes nothing.
        slow = undo.enter_context(faults.faultfs(direct_io=True, read_bps=SLOW_DEVICE))
        held = undo.enter_context(limits.throttled(size=512 * MIB))
        join = undo.enter_context(limits.cpu_quota(QUOTA))
        both = Pair(Stand(places[0], slow.path), Stand(places[1], held.path))
        words = [(*LONG, *truths.claim_files(place)) for place in places]
        # The place is not named: `nothing_left` takes what bears a lab's name for left over.
        both.processes["slow"] = both.slow.start("run", ".", *words[0], cwd=slow.path)
        decoder = truths.decoder(places[1], DECODING_S)
        both.processes["held"] = both.held.start(
            "run", ".", *words[1], cwd=held.path, environment=decoder, preexec_fn=join
        )
        undo.enter_context(truths.ended(*both.processes.values()))
        yield both


def only(stand: Stand, *words: str) -> RunRecord:
    """The record of a run that has to succeed."""
    done = stand.run(*words)
    assert done.code == 0, done.err
    return stand.record()


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


@requires_fio
@unless(faults.missing())
def test_bandwidth_of_blocks(tmp_path: Path) -> None:
    """Each of fio's phases is reported at the rate that the filesystem carries, within 3 %."""
    words = ("-w", "block", *ONE, "--set", "file_size=8MiB", "--set", "jobs=1")
    more = ("--set", "runtime=2500ms", "--set", "sequential_block=64KiB")
    with faults.faultfs(direct_io=True, read_bps=RATE, write_bps=RATE) as faulty:
        record = only(Stand(tmp_path, faulty.path), *words, *more, "--set", "random_block=64KiB")
    measured = {sample.phase: truths.rate(sample) for sample in record.samples}
    assert set(measured) == {"seq-read", "seq-write", "rand-read", "rand-write"}
    assert measured == pytest.approx(dict.fromkeys(measured, RATE), rel=0.03)


@requires_fio
@unless(faults.missing())
def test_latencies(tmp_path: Path) -> None:
    """Delays of opens, reads, writes and syncs are the latencies that are reported, within 5 %."""
    with faults.faultfs(direct_io=True) as faulty:
        stand = Stand(tmp_path, faulty.path)
        load = ("-w", "load-4k", *ONE, "--set", "files=20", "--set", "workers=1")
        deep = ("--set", "runtime=2s", "--set", "random_depth=1", "--set", "sequential_depth=1")
        block = ("-w", "block", *ONE, "--set", "file_size=1MiB", "--set", "jobs=1", *deep)
        only(stand, *load)
        faulty.ask(delay_ms=DELAY_MS)
        loading = only(stand, *load)
        many = ("--set", "ranks=1", "--set", "scale=1e-6", "--set", "shards=8")
        save = ("-w", "checkpoint-save", *ONE, *many)
        (saved,) = only(stand, *save).samples
        blocks = {sample.phase: sample for sample in only(stand, *block).samples}
    (loaded,) = loading.samples
    found = {
        "open": truths.median_ns(loaded, "open_latency"),
        "read": truths.median_ns(blocks["rand-read"], "latency"),
        "write": truths.median_ns(blocks["rand-write"], "latency"),
        "fsync": truths.median_ns(saved, "fsync_latency"),
    }
    assert found == pytest.approx({name: ms * 1e6 for name, ms in DELAY_MS.items()}, rel=0.05)


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


@unless(faults.missing())
def test_latency_is_the_limit(tmp_path: Path) -> None:
    """Where one worker waits for one slow open after the other, that is named."""
    with faults.faultfs(direct_io=True, delay_ms={"open": 40}) as faulty:
        words = ("-w", "load-4k", *ONE, "--set", "files=30", "--set", "workers=1")
        found = truths.told(Stand(tmp_path, faulty.path), *words)
    assert found.limiter == "latency", found


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


def test_harness_is_the_limit(tmp_path: Path) -> None:
    """Where nothing but the harness is measured, the harness is named."""
    record = only(Stand(tmp_path), *SMALL, "--engine", "null", "--set", "files=50000")
    (sample,) = record.samples
    assert truths.limiter(record, sample).limiter == "harness"
    assert "client_bound" in truths.warned(record)


@unless(faults.missing())
def test_unknown_is_said(tmp_path: Path) -> None:
    """Where several workers wait for a filesystem that tells nothing, what limits is not known."""
    with faults.faultfs(direct_io=True, delay_ms={"open": 20}) as faulty:
        words = (*PHOTOS, *ONE, "--set", "files=40")
        found = truths.told(Stand(tmp_path, faulty.path), *words)
    assert found.limiter == "unknown", found
    assert "the block device's queue" in found.sentence


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
    repeats = 400
    with limits.throttled() as mounted:
        stand = Stand(tmp_path, mounted.path)
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
    assert most[1] <= most[0] + 5, "a descriptor for each repeat would be 130 more"
    grown = typical([look.resident for look in last]) - typical([look.resident for look in first])
    assert grown < 20 * typical(lines) * repeats
    workers = [typical([w for look in part for w in look.workers]) for part in (first, last)]
    assert workers[1] - workers[0] < grown + 2 * MIB
    assert typical(lines[-repeats // 3 :]) < 1.2 * typical(lines[: repeats // 3])


def typical(numbers: list[int]) -> float:
    """The median."""
    return statistics.median(numbers)


@unless(faults.missing() or limits.missing_quota())
def test_slow_device_refutes_a_claim(pair: Pair) -> None:
    """A claim that a device misses by far is not met, and the rate is the device's within 3 %."""
    found = pair["slow"]
    disturbed = NOISE & set(found.reasons)
    if found.status == "INCONCLUSIVE" and disturbed:
        pytest.skip(f"something else takes this machine's processors: {', '.join(disturbed)}")
    assert found.status == "NOT_MET", found.reasons
    assert found.done.code == 1
    for sample in truths.read_samples(found.record):
        assert truths.rate(sample) == pytest.approx(SLOW_DEVICE, rel=0.03)


@unless(faults.missing() or limits.missing_quota())
def test_held_client_refutes_nothing(pair: Pair) -> None:
    """The same claim stays open where a quota of CPU time made the client as slow as that."""
    found = pair["held"]
    assert found.status == "INCONCLUSIVE", found.reasons
    assert "client_bound" in found.reasons
    assert "short_run" not in found.reasons
    for sample in truths.read_samples(found.record):
        answer = truths.limiter(found.record, sample)
        assert answer.limiter in ("client_cpu", "harness"), answer
        assert "client_bound" in {warning.code for warning in sample.warnings}
