"""One light process watches this machine during a phase."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from aibench.model import Target
from aibench.model.telemetry import Telemetry
from aibench.probes import mounts, telemetry
from aibench.probes.telemetry import Snapshot, Watch
from tests import build, lab
from tests.lab import MIB
from tests.workers.test_orphans import alive

NOWHERE = build.target(fstype="tmpfs", device=None)
STAT = "cpu 10 0 0 {0} 0 0 0 0 0 0\ncpu0 10 0 0 {0} 0 0 0 0 0 0\nintr 5 5 5\nprocs_running 2\n"
MOUNTSTATS = """device nas:/data mounted on /mnt/my\\040nas with fstype nfs4 statvers=1.1
\txprt:\ttcp 0 1 1 0 0 {0} 9 0 5 {0} 16 0 0
\tper-op statistics
\t        READ: {0} {0} 0 1 1 7 8 9 0
device nas:/other mounted on /mnt/other with fstype nfs statvers=1.1
\tper-op statistics
\t        WRITE: {0} {0} 0 1 1 7 8 9 0
"""


def machine(root: Path, **files: str) -> str:
    """A directory that holds ``files`` of proc; two underscores are a slash."""
    for name, text in files.items():
        path = root / "proc" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def watched(seconds: float = 0.0, target: Target = NOWHERE, root: str = "/") -> Telemetry:
    """What a watch of so many seconds tells."""
    watch = Watch.begin(target, root=root)
    try:
        time.sleep(seconds)
        seen = watch.end()
    finally:
        watch.abandon()
    assert seen is not None
    return seen


def lengths(seen: Telemetry) -> list[float]:
    """The lengths of the intervals in seconds."""
    return [(end - begin) / 1e9 for begin, end in pairwise((0, *seen.ends_ns))]


def total(seen: Telemetry, name: str) -> float:
    """What a rate adds up to over the watch."""
    rates = zip(seen.series[name], lengths(seen), strict=True)
    return sum((rate or 0) * length for rate, length in rates)


def watcher(watch: Watch) -> int:
    """The id of the watching process."""
    assert watch._process is not None
    assert watch._process.pid is not None
    return watch._process.pid


def test_very_short_phase() -> None:
    """A phase shorter than a tick has exactly one interval, from begin to end."""
    seen = watched(0.008)
    assert len(seen.ends_ns) == 1
    assert seen.ends_ns[0] == seen.watched_ns >= 8_000_000
    assert seen.series["memory.available_bytes"][0]


def test_intervals() -> None:
    """Intervals follow one another to the end, and a short rest joins the last one."""
    seen = watched(1.05)
    assert 2 <= len(seen.ends_ns) <= 4
    assert seen.ends_ns[-1] == seen.watched_ns
    assert all(length > 0.12 for length in lengths(seen))


def test_phase_inside_the_watch() -> None:
    """The watch covers all of the phase: from before begin returns until end is called."""
    watch = Watch.begin(NOWHERE)
    start = time.monotonic_ns()
    time.sleep(0.05)
    phase = time.monotonic_ns() - start
    seen = watch.end()
    assert seen is not None
    assert seen.watched_ns >= phase


def test_busy_core() -> None:
    """A process that spins keeps one core much busier than this machine is otherwise."""
    program = "while True: pass"
    with subprocess.Popen([sys.executable, "-c", program]) as spinning:
        try:
            seen = watched(1.0)
        finally:
            spinning.kill()
    busiest, overall = (seen.mean(f"cpu.{n}_share") for n in ("busiest_core", "busy"))
    assert busiest is not None
    assert overall is not None
    assert busiest > 0.8
    assert overall >= busiest / (os.cpu_count() or 1) * 0.8
    if "cpu.core.0.busy_share" in seen.series:
        assert any(n.startswith("cpu.core.") and seen.mean(n) for n in seen.series)


def device_bytes(name: str) -> tuple[int, int]:
    """Bytes that a device has read and written, of its own file."""
    numbers = Path(f"/sys/class/block/{name}/stat").read_text().split()
    return int(numbers[2]) * 512, int(numbers[6]) * 512


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
def test_device(tmp_path: Path) -> None:
    """The bytes of the intervals add up to what the device itself counted."""
    with lab.loop_mount(tmp_path) as mounted:
        target = mounts.describe(str(mounted.path))
        before = device_bytes(mounted.device)
        watch = Watch.begin(target)
        try:
            for number in range(4):
                command = ["dd", "if=/dev/zero", f"of={mounted.path}/{number}", "bs=1M"]
                subprocess.run(
                    [*command, "count=8", "conv=fsync"], check=True, stderr=subprocess.DEVNULL
                )
                time.sleep(0.2)
            after = device_bytes(mounted.device)
            seen = watch.end()
        finally:
            watch.abandon()
    assert seen is not None
    prefix = f"device.{mounted.device}"
    written = after[1] - before[1]
    assert written >= 32 * MIB
    assert total(seen, f"{prefix}.written_bytes_rate") == pytest.approx(written, rel=0.05)
    assert total(seen, f"{prefix}.writes_rate") > 0
    assert seen.largest(f"{prefix}.utilisation_share")
    assert seen.largest(f"{prefix}.queue_count")
    assert len(seen.ends_ns) > 2


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
def test_dirty_memory(tmp_path: Path) -> None:
    """What was written and not synced is dirty memory at the end of its interval."""
    size = 64 * MIB
    with lab.loop_mount(tmp_path) as mounted:
        before = watched(0.01).series["memory.dirty_bytes"][0]
        watch = Watch.begin(mounts.describe(str(mounted.path)))
        try:
            (mounted.path / "file").write_bytes(bytes(size))
            seen = watch.end()
        finally:
            watch.abandon()
    assert seen is not None
    assert before is not None
    assert (seen.series["memory.dirty_bytes"][-1] or 0) - before > size / 2


def test_missing_files(tmp_path: Path) -> None:
    """A file that is not there, or says nothing sensible, has no series; the rest is told."""
    root = machine(tmp_path, meminfo="Dirty: 4 kB\n", stat="\0garbage\n", net__dev="a b\n: :\n")
    seen = watched(root=root)
    assert seen.series == {"memory.dirty_bytes": (4096,)}
    assert watched(root=str(tmp_path / "nowhere")).series == {}


def test_growing_files(tmp_path: Path) -> None:
    """Each look reads the file as it is then; a counter that was reset has no value."""
    root = machine(tmp_path, stat=STAT.format(0), meminfo="Dirty: 1 kB")
    watch = Watch.begin(NOWHERE, root=root)
    machine(tmp_path, stat=STAT.format(100), meminfo="Dirty: 2 kB")
    seen = watch.end()
    assert seen is not None
    assert seen.series["cpu.busy_share"] == (0,)
    assert seen.series["cpu.runnable_count"] == (1,)
    assert seen.series["memory.dirty_bytes"] == (2048,)
    watch = Watch.begin(NOWHERE, root=root)
    machine(tmp_path, stat=STAT.format(50))
    seen = watch.end()
    assert seen is not None
    assert "cpu.busy_share" not in seen.series


def test_nfs_mount(tmp_path: Path) -> None:
    """Of all mounts the target's own is watched, also where its name has a blank."""
    target = build.target(fstype="nfs4", mount_point="/mnt/my nas", device=None)
    root = machine(tmp_path, self__mountstats=MOUNTSTATS.format(10))
    watch = Watch.begin(target, root=root)
    machine(tmp_path, self__mountstats=MOUNTSTATS.format(30))
    seen = watch.end()
    assert seen is not None
    assert total(seen, "nfs.READ.operations_rate") == pytest.approx(20, rel=1e-4)
    assert seen.series["nfs.backlog_count"] == (1,)
    assert seen.series["nfs.retransmissions_rate"] == (0,)
    assert not any("WRITE" in name for name in seen.series)
    elsewhere = build.target(fstype="nfs4", mount_point="/mnt", device=None)
    assert not any(name.startswith("nfs.") for name in watched(target=elsewhere, root=root).series)


def test_loopback(tmp_path: Path) -> None:
    """The loopback interface is watched only where the server is this machine."""
    lines = "lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"
    root = machine(tmp_path, net__dev=lines)
    for server, expected in (("127.0.0.1", True), ("nas", False)):
        target = build.target(fstype="nfs4", server=server, device=None)
        seen = watched(target=target, root=root)
        assert ("nic.lo.sent_bytes_rate" in seen.series) is expected


def test_parts_that_are_kept() -> None:
    """Of long files only what is asked for is kept, and all of a file of another form."""
    assert telemetry._without_interrupts(STAT.encode()) == STAT.replace("intr 5 5 5\n", "").encode()
    assert telemetry._without_interrupts(b"intr") == b"intr"
    text = b"a 1\npswpin 2\npswpout 3\nb 4\npgsteal_direct 5\npgsteal_direct_throttle 6\n"
    assert telemetry._paging(text) == b"pswpin 2\npswpout 3\npgsteal_direct 5"


@pytest.mark.parametrize("duration_s", [10_000, 86_400, 7 * 86_400])
def test_thinning(duration_s: int) -> None:
    """However long a phase is, there are at most 600 intervals, and their sums are exact.

    So what a sample keeps of its client is bounded, also for a day or a week.
    """
    source = next(s for s in telemetry.sources(NOWHERE) if s.prefix == "tcp.")
    text, second = "Tcp: RetransSegs\nTcp: {}\n", 10**9
    kept, due, step = [], 0, 1
    for number in range(duration_s):
        if number == due:
            thin = telemetry.thinned(kept)
            step = step * 2 if len(thin) < len(kept) else step
            kept = [*thin, Snapshot(number * second, (text.format(number**2).encode(),))]
            due += step
    last = Snapshot(duration_s * second, (text.format(duration_s**2).encode(),))
    kept = telemetry.closed(kept, last, step * second)
    seen = telemetry.developed([source], kept, cost_ns=1)
    assert 300 <= len(seen.ends_ns) <= 600
    assert seen.watched_ns == seen.ends_ns[-1] == duration_s * second
    assert total(seen, "tcp.retransmits_rate") == pytest.approx(duration_s**2, rel=1e-5)


def test_thinning_keeps_both_ends() -> None:
    """The first and the newest snapshot stay, and not one interval too many is told."""
    for number in (2, 599, 600, 601):
        snapshots = [Snapshot(10 * at, ()) for at in range(number)]
        closed = telemetry.closed(snapshots, Snapshot(10 * number, ()), 10)
        assert closed[0] == snapshots[0]
        assert closed[-1].at_ns == 10 * number
        assert len(closed) == (302 if number == 601 else number + 1)


def test_long_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long phase is watched in fewer, longer intervals, still from its begin to its end."""
    monkeypatch.setattr(telemetry, "MOST_INTERVALS", 8)
    monkeypatch.setattr(telemetry, "FINE_NS", 10_000_000)
    seen = watched(0.6)
    assert 4 <= len(seen.ends_ns) <= 8
    assert seen.ends_ns[-1] == seen.watched_ns >= 600_000_000


def test_watcher_that_dies() -> None:
    """A watching process that is killed leaves a phase without telemetry, and nothing else."""
    watch = Watch.begin(NOWHERE)
    pid = watcher(watch)
    os.kill(pid, signal.SIGKILL)
    assert watch.end() is None
    assert not Path(f"/proc/{pid}").exists()
    assert watch.end() is None


def test_watcher_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watching process that does not answer is not waited for long, and it is gone then."""
    monkeypatch.setattr(telemetry, "_GRACE_S", 0.3)
    watch = Watch.begin(NOWHERE)
    pid = watcher(watch)
    os.kill(pid, signal.SIGSTOP)
    assert watch.end() is None
    assert not Path(f"/proc/{pid}").exists()


def test_no_process_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be started a phase goes on without telemetry."""

    def refused(_process: object) -> None:
        raise OSError(errno.EAGAIN, "no process left")

    monkeypatch.setattr(multiprocessing.context.ForkProcess, "start", refused)
    watch = Watch.begin(NOWHERE)
    watch.abandon()
    assert watch.end() is None


def test_abandoned() -> None:
    """An abandoned watch leaves no process and no descriptor; abandoning twice does no harm."""
    before = len(os.listdir("/proc/self/fd"))
    watch = Watch.begin(NOWHERE)
    pid = watcher(watch)
    assert alive(pid)
    for _ in range(2):
        watch.abandon()
    assert not Path(f"/proc/{pid}").exists()
    assert watch.end() is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_ended() -> None:
    """A watch that has ended leaves no process and no descriptor either."""
    before = len(os.listdir("/proc/self/fd"))
    watch = Watch.begin(NOWHERE)
    pid = watcher(watch)
    assert watch.end() is not None
    watch.abandon()
    assert not Path(f"/proc/{pid}").exists()
    assert len(os.listdir("/proc/self/fd")) == before


def test_interrupt_key() -> None:
    """The interrupt key, which every process of the terminal hears, does not end the watching."""
    watch = Watch.begin(NOWHERE)
    os.kill(watcher(watch), signal.SIGINT)
    assert watch.end() is not None


PROGRAM = r"""
import os, time
from aibench.probes import mounts
from aibench.probes.telemetry import Watch

watch = Watch.begin(mounts.describe("."))
os.write(1, b"%d\n" % watch._process.pid)
time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_watcher_outlives_its_parent(how: signal.Signals) -> None:
    """When aibench itself is killed, with -9 too, the watching process is gone soon after."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", PROGRAM]
    parent = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(how)
        parent.wait(timeout=30)
        deadline = time.monotonic() + 30
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not alive(pid)
    finally:
        parent.kill()
        parent.communicate()


def test_cost(tmp_path: Path) -> None:
    """Watching takes a small part of one core, even at the finest interval."""
    seen = watched(3.0, mounts.describe(str(tmp_path)))
    assert 0 < seen.cost_ns < 0.03 * seen.watched_ns
    assert len(seen.ends_ns) > 3
