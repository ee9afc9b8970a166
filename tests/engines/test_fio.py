"""The fio engine, with the real fio on real files."""

import contextlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from aibench import process
from aibench.engine import Site
from aibench.engines.fio import FioEngine, job, outcome
from aibench.engines.fio.output import Reading, Splitter, histogram, reading
from aibench.errors import RunFailed, TargetFailed, WorkerFailed
from aibench.formats import files
from aibench.model import CachePolicy, Measurement, Operation, Order, Phase, Sizes, SyncPolicy
from aibench.process import Finished
from aibench.stats.histogram import bin_of, percentile
from tests import build, lab

MIB = 2**20
MS = 10**6
#: The beginning of a case in a shim: a measurement, not a look at what fio can do.
_MEASURES = 'case "$1" in --output*)'

pytestmark = pytest.mark.skipif(shutil.which("fio") is None, reason="fio is not installed")


@pytest.fixture(autouse=True)
def _leaves_no_child() -> Iterator[None]:
    """After every test: no fio is left."""
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


def silent(operations: int, moved: int) -> None:
    """Hears of progress and does nothing."""


def site(root: Path, **changes: Any) -> Site:
    """A site at ``root``."""
    return Site(**{"root": str(root), "target": build.target(), "seed": 5, "host": "a"} | changes)


def phase(write: bool = False, jobs: int = 2, size: int = 4 * MIB, **changes: Any) -> Phase:
    """Blocks of 64 KiB of two files, once over, through the page cache."""
    population = build.population(
        directory="scratch/demo", files=jobs, sizes=Sizes(distribution="fixed", mean=size),
        persistent=False,
    )  # fmt: skip
    parts: dict[str, Any] = {
        "name": "demo",
        "operation": Operation.WRITE_BLOCKS if write else Operation.READ_BLOCKS,
        "population": population,
        "processes": jobs,
        "order": Order.SEQUENTIAL,
        "cache": CachePolicy.AS_FOUND,
        "sync": SyncPolicy.END if write else SyncPolicy.NONE,
        "io_size": 2**16,
    }
    return Phase(**parts | changes)


def lay_out(root: Path, asked: Phase) -> None:
    """The files of ``asked``, with random content."""
    for index in range(asked.population.files):
        path = root / asked.population.directory / files.path_of(asked.population, index)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(asked.population.sizes.mean))


def shim(tmp_path: Path, script: str) -> FioEngine:
    """An engine whose fio is ``script``, which may call the real one as ``$FIO "$@"``."""
    program = tmp_path / "shim" / "fio"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nFIO={shutil.which('fio')}\n{script}\n")
    program.chmod(0o755)
    return FioEngine(str(program))


def keeping(tmp_path: Path) -> tuple[FioEngine, Path]:
    """An engine whose fio also copies its record into a file."""
    copy = tmp_path / "copy.json"
    return shim(tmp_path, f'{_MEASURES} $FIO "$@" | tee "{copy}";; *) $FIO "$@";; esac'), copy


def last_document(copy: Path) -> dict[str, Any]:
    """The last of the documents that fio printed."""
    text = copy.read_text()
    found: dict[str, Any] = json.loads(text[text.rindex("\n{\n") if "\n{\n" in text else 0 :])
    return found


@contextlib.contextmanager
def when_fio_works(action: Any) -> Iterator[None]:
    """Calls ``action`` with fio's process as soon as it has used the processor a while."""

    def watch() -> None:
        last = time.monotonic() + 20
        while time.monotonic() < last:
            for child in psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    if child.name() == "fio" and child.num_threads() > 2:
                        time.sleep(0.2)
                        action(child)
                        return
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        watcher.join()


def test_version_is_fios_own() -> None:
    """The version is what fio itself says, and None where it is not installed."""
    assert FioEngine().version() in process.run(["fio", "--version"]).output.decode()
    assert FioEngine("no-fio-here").version() is None


def test_refuses_what_it_cannot_do() -> None:
    """Each refusal says what does not fit, before anything is touched."""
    engine, target, fits = FioEngine(), build.target(), phase()
    assert engine.refusal(fits, target) is None
    mixed = Sizes(distribution="lognormal", mean=4 * MIB, sigma=1.0)
    odd = replace(fits.population, directory="data/a:b,c $ncpus")
    wrong = {
        "not read_files": replace(fits, operation=Operation.READ_FILES),
        "2 files, 3 jobs": replace(fits, processes=3),
        "sizes differ": replace(fits, population=replace(fits.population, sizes=mixed)),
        "whole number of blocks": replace(fits, io_size=3 * 2**16),
        "multiple of 512": replace(fits, io_size=256, cache=CachePolicy.DIRECT),
        "renames no files": replace(fits, sync=SyncPolicy.COMMIT),
        "plain file names": replace(fits, population=odd),
    }
    for words, asked in wrong.items():
        assert words in (engine.refusal(asked, target) or "")


def test_a_missing_fio_is_refused_with_the_way_to_install_it() -> None:
    """Without fio the refusal names the package and the command."""
    refusal = FioEngine("no-fio-here").refusal(phase(), build.target()) or ""
    assert "apt-get install fio" in refusal


def test_an_old_fio_is_refused(tmp_path: Path) -> None:
    """A fio whose record lacks total latencies is refused with both versions."""
    refusal = shim(tmp_path, "echo fio-3.1").refusal(phase(), build.target()) or ""
    assert "fio 3.1 is too old; 3.16" in refusal


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("write", [False, True])
def test_one_pass_moves_every_byte_once(tmp_path: Path, write: bool, order: Order) -> None:
    """Without a time limit each job goes over its file once: counts and bytes are exact."""
    asked = phase(write, order=order)
    if not write:
        lay_out(tmp_path, asked)
    found = FioEngine().run(asked, site(tmp_path), silent)
    assert (found.operations, found.bytes, found.errors) == (128, 8 * MIB, 0)
    assert [(w.process, w.operations, w.bytes) for w in found.workers] == [
        (0, 64, 4 * MIB),
        (1, 64, 4 * MIB),
    ]
    assert found.histograms["whole"].count == 128
    assert found.last_done_ns == found.elapsed_ns >= found.first_done_ns


def test_figures_are_those_of_fios_record(tmp_path: Path) -> None:
    """Totals, times, CPU times and percentiles are those that fio itself prints."""
    asked = phase(io_size=4096, order=Order.SHUFFLED, depth=4, runtime_ns=1200 * MS,
                  cache=CachePolicy.WARM, jobs=1)  # fmt: skip
    lay_out(tmp_path, asked)
    engine, copy = keeping(tmp_path)
    found = engine.run(asked, site(tmp_path), silent)
    own = last_document(copy)["jobs"][0]
    side, latency = own["read"], own["read"]["lat_ns"]
    assert found.operations == found.histograms["whole"].count == side["total_ios"]
    assert found.bytes == side["io_bytes"] == side["total_ios"] * 4096
    assert found.elapsed_ns == side["runtime"] * MS
    whole = found.histograms["whole"]
    assert (whole.min_ns, whole.max_ns) == (latency["min"], latency["max"])
    assert whole.total_ns / whole.count == pytest.approx(latency["mean"], rel=1e-6)
    for share in (0.5, 0.95, 0.99, 0.999):
        printed = latency["percentile"][f"{100 * share:.6f}"]
        assert percentile(whole, share) == pytest.approx(printed, rel=0.01)
    worker = found.workers[0]
    assert worker.user_ns is not None
    assert worker.user_ns == pytest.approx(own["usr_cpu"] / 100 * own["job_runtime"] * MS, abs=1e4)


def test_bins_are_fios_bins(tmp_path: Path) -> None:
    """Every bin of fio's histogram is one bin of ours, with the same count."""
    asked = phase(io_size=4096, order=Order.SHUFFLED, jobs=1)
    lay_out(tmp_path, asked)
    engine, copy = keeping(tmp_path)
    found = engine.run(asked, site(tmp_path), silent)
    own = last_document(copy)["jobs"][0]["read"]["lat_ns"]["bins"]
    assert dict(found.histograms["whole"].bins) == {bin_of(int(v)): n for v, n in own.items()}
    assert len(found.histograms["whole"].bins) == len(own)


def test_series_adds_up_to_the_totals(tmp_path: Path) -> None:
    """The intervals of the series sum up exactly to the operations and bytes of the phase."""
    asked = phase(io_size=4096, order=Order.SHUFFLED, depth=8, runtime_ns=1300 * MS,
                  cache=CachePolicy.WARM)  # fmt: skip
    lay_out(tmp_path, asked)
    heard: list[tuple[int, int]] = []
    found = FioEngine().run(asked, site(tmp_path), lambda *counts: heard.append(counts))
    series = found.series
    assert series is not None
    assert (sum(series.operations), sum(series.bytes)) == (found.operations, found.bytes)
    assert min(series.operations) >= 0
    assert len({len(part) for part in (series.operations, series.bytes, series.p50_ns,
                                       series.p99_ns, series.max_ns)}) == 1  # fmt: skip
    assert len(series.operations) == -(-found.elapsed_ns // series.interval_ns)
    assert heard == sorted(heard)
    assert heard[-1] == (found.operations, found.bytes)
    assert len(heard) >= 2


def test_what_ran_is_kept(tmp_path: Path) -> None:
    """The exact command, the job file and fio's version are part of the measurement."""
    asked = phase()
    lay_out(tmp_path, asked)
    tool = FioEngine().run(asked, site(tmp_path), silent).tool
    assert tool is not None
    assert tool.version == FioEngine().version()
    assert tool.command[:2] == ("fio", "--output-format=json+")
    assert "--readonly" in tool.command
    assert "rw=read\nbs=65536\nsize=4194304\n" in tool.job
    assert "filename=scratch/demo/d000000/f0000000001\n" in tool.job


def test_direct_io_and_depth_reach_fio(tmp_path: Path) -> None:
    """Direct I/O keeps its queue depth with an asynchronous engine, and runs out its time."""
    asked = phase(True, depth=8, cache=CachePolicy.DIRECT, runtime_ns=600 * MS)
    found = FioEngine().run(asked, site(tmp_path), silent)
    assert found.tool is not None
    assert "iodepth=8\n" in found.tool.job
    assert "direct=1\n" in found.tool.job
    assert "end_fsync=1\n" in found.tool.job
    assert found.elapsed_ns >= 600 * MS
    assert "depth_not_kept" not in {finding.code for finding in found.warnings}


def test_a_depth_that_cannot_be_kept_is_said() -> None:
    """Where no asynchronous engine works, the depth is 1 and a finding says so.

    Only those are tried that it comes to.
    """
    buffered = phase(depth=16)
    direct = replace(buffered, cache=CachePolicy.DIRECT)
    tried: list[str] = []
    assert job.io_engine(buffered, lambda name: not tried.append(name)) == ("io_uring", 16, ())
    assert job.io_engine(phase(depth=1), lambda name: not tried.append(name)) == ("psync", 1, ())
    assert tried == ["io_uring"]
    assert job.io_engine(direct, {"libaio"}.__contains__) == ("libaio", 16, ())
    for asked, usable in ((buffered, {"libaio"}), (direct, set[str]())):
        name, depth, (finding,) = job.io_engine(asked, usable.__contains__)
        assert (name, depth, finding.code) == ("psync", 1, "depth_not_kept")
        assert "16 was asked for, 1 was used" in finding.message


def test_only_honest_second_passes_are_made() -> None:
    """A phase starts over in its files only with direct I/O, or where a read is to be warm."""
    timed = phase(runtime_ns=600 * MS)
    assert job.wraps(replace(timed, cache=CachePolicy.DIRECT))
    assert job.wraps(replace(timed, cache=CachePolicy.WARM))
    assert not job.wraps(replace(timed, cache=CachePolicy.COLD))
    assert not job.wraps(replace(timed, cache=CachePolicy.AS_FOUND))
    write = phase(True, runtime_ns=600 * MS)
    assert job.wraps(replace(write, cache=CachePolicy.DIRECT))
    assert not job.wraps(replace(write, cache=CachePolicy.WARM))


def content(root: Path, asked: Phase) -> list[bytes]:
    """What the files of ``asked`` hold."""
    stem = root / asked.population.directory
    return [
        (stem / files.path_of(asked.population, index)).read_bytes()
        for index in range(asked.population.files)
    ]


def test_writes_are_unique_and_follow_the_seed(tmp_path: Path) -> None:
    """Written blocks are never alike within a run; only the same seed writes the same again."""
    asked = phase(True)
    found = []
    for seed in (5, 5, 6):
        FioEngine().run(asked, site(tmp_path, seed=seed), silent)
        found.append(content(tmp_path, asked))
    assert found[0] == found[1]
    assert found[0] != found[2]
    whole = b"".join(found[0] + found[2])
    blocks = {whole[start : start + 4096] for start in range(0, len(whole), 4096)}
    assert len(blocks) == len(whole) // 4096


def test_writes_overwrite_what_is_there(tmp_path: Path) -> None:
    """Before a measured write every file has all its blocks, and it never takes more."""
    asked = phase(True, runtime_ns=400 * MS, cache=CachePolicy.DIRECT)
    stem = tmp_path / asked.population.directory
    holes = stem / files.path_of(asked.population, 0)
    holes.parent.mkdir(parents=True)
    with holes.open("wb") as file:
        file.truncate(32 * MIB)
    FioEngine().run(asked, site(tmp_path), silent)
    written = sorted(path for path in stem.rglob("*") if path.is_file())
    assert [path.stat().st_size for path in written] == [4 * MIB, 4 * MIB]
    assert all(path.stat().st_blocks * 512 >= 4 * MIB for path in written)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "scratch"]


@pytest.mark.parametrize(
    "name", ["a b", "a:b,c", "${HOME}$ncpus;'`touch x`", "line\nfilename=x", "#;[x]=\\:", "\udcff"]
)
def test_any_path_can_be_measured(tmp_path: Path, name: str) -> None:
    """No character of the target's path means anything to fio, nor reaches a shell."""
    root = tmp_path / name
    root.mkdir()
    asked = phase(True, size=2**16)
    found = FioEngine().run(asked, site(root), silent)
    assert found.operations == 2
    assert len(content(root, asked)) == 2
    assert [os.fsencode(path) for path in tmp_path.iterdir()] == [os.fsencode(root)]


def test_reading_what_is_not_there_names_it(tmp_path: Path) -> None:
    """A missing or truncated file ends a read with its name and sizes, and is left as it is."""
    asked = phase()
    with pytest.raises(RunFailed, match="f0000000000 is missing"):
        FioEngine().run(asked, site(tmp_path), silent)
    lay_out(tmp_path, asked)
    cut = tmp_path / asked.population.directory / files.path_of(asked.population, 1)
    os.truncate(cut, 1000)
    with pytest.raises(RunFailed, match="f0000000001 holds 1000 bytes where 4194304"):
        FioEngine().run(asked, site(tmp_path), silent)
    assert cut.stat().st_size == 1000


def test_no_symbolic_link_is_followed(tmp_path: Path) -> None:
    """A link in the place of a file or directory ends the phase; what it points at is intact."""
    asked = phase(True)
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    elsewhere.mkdir()
    root.mkdir()
    (root / "scratch").symlink_to(elsewhere)
    with pytest.raises(RunFailed, match="symbolic link"):
        FioEngine().run(asked, site(root), silent)
    (root / "scratch").unlink()
    place = root / asked.population.directory / files.path_of(asked.population, 0)
    place.parent.mkdir(parents=True)
    (elsewhere / "precious").write_text("precious")
    place.symlink_to(elsewhere / "precious")
    with pytest.raises(RunFailed, match="not a regular file"):
        FioEngine().run(asked, site(root), silent)
    assert (elsewhere / "precious").read_text() == "precious"


def test_noise_never_corrupts_the_record(tmp_path: Path) -> None:
    """What fio prints on standard error, and between its documents, leaves the counts alone."""
    noise = (
        "(while :; do echo 'fio: noise {\"a\": 1}' >&2; sleep 0.05; done) & noise=$!\n"
        'echo "note: a line before"; $FIO "$@"; status=$?; kill $noise; echo "}{"; exit $status'
    )
    asked = phase()
    lay_out(tmp_path, asked)
    found = shim(tmp_path, noise).run(asked, site(tmp_path), silent)
    assert found.operations == found.histograms["whole"].count == 128
    assert [f.message for f in found.warnings if f.code == "tool_said"] == ['fio: noise {"a": 1}']


def take_apart(text: bytes, step: int) -> tuple[list[Reading], list[str]]:
    """The readings and notes of ``text``, fed in chunks of ``step`` bytes."""
    found: list[Reading] = []
    splitter = Splitter("read", found.append)
    for start in range(0, len(text), step):
        splitter.feed(text[start : start + step])
    return found, splitter.notes


def test_documents_are_split_wherever_chunks_end(tmp_path: Path) -> None:
    """Chunks of any length, and error lines inside a document, give the same readings."""
    asked = phase(jobs=1)
    lay_out(tmp_path, asked)
    engine, copy = keeping(tmp_path)
    engine.run(asked, site(tmp_path), silent)
    lines = copy.read_bytes().splitlines(keepends=True)
    noisy = b"".join([*lines[:9], b"fio: pid=1, err=5/file:io_u.c\n", *lines[9:]])
    for step in (1, 7, 4096, 10**7):
        (first, second), notes = take_apart(noisy + b"fio: between\n" + noisy, step)
        assert first.jobs == second.jobs
        assert histogram(first.jobs).count == first.operations == 64
        assert notes.count("fio: pid=1, err=5/file:io_u.c") == 2


def test_a_torn_record_is_an_error() -> None:
    """A record that can't be read is an error, never a zero."""
    for torn in (b"{\n  garbage\n}", b'{\n  "jobs": [{}]\n}', b'{\n  "job": []\n}'):
        with pytest.raises(WorkerFailed, match="record can't be read"):
            reading(torn, "read", 0)


def test_a_fio_that_prints_nothing_is_an_error(tmp_path: Path) -> None:
    """Success without a record is not success."""
    asked = phase()
    lay_out(tmp_path, asked)
    mute = f'{_MEASURES} exit 0;; *) $FIO "$@";; esac'
    with pytest.raises(WorkerFailed, match="left no record"):
        shim(tmp_path, mute).run(asked, site(tmp_path), silent)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_fio_is_named_with_the_signal(tmp_path: Path, number: signal.Signals) -> None:
    """A fio that is killed in mid-run fails the phase, and the message names the signal."""
    asked = phase(cache=CachePolicy.WARM, runtime_ns=30 * 10**9, io_size=4096)
    lay_out(tmp_path, asked)
    said = "SIGKILL" if number == signal.SIGKILL else "told to end by signal 15"
    with (
        when_fio_works(lambda child: child.send_signal(number)),
        pytest.raises(WorkerFailed, match=said),
    ):
        FioEngine().run(asked, site(tmp_path), silent)


def test_a_stuck_fio_is_ended(tmp_path: Path) -> None:
    """A phase that makes no progress for longer than the site's patience is ended."""
    asked = phase(cache=CachePolicy.WARM, runtime_ns=30 * 10**9, io_size=4096)
    lay_out(tmp_path, asked)
    impatient = site(tmp_path, patience_ns=1200 * MS)
    with (
        when_fio_works(lambda child: child.suspend()),
        pytest.raises(WorkerFailed, match=r"no progress for 1\.2 s in phase 'demo'"),
    ):
        FioEngine().run(asked, impatient, silent)


@lab.requires_mounts
def test_a_full_target_is_told_by_its_code(tmp_path: Path) -> None:
    """ENOSPC, in the layout or in the measured write, ends the phase with ``no_space``."""
    with lab.tmpfs_mount(tmp_path, size=6 * MIB) as small:
        with pytest.raises(TargetFailed, match="No space left on device") as failed:
            FioEngine().run(phase(True), site(small.path), silent)
        assert failed.value.code == "no_space"


@lab.requires_mounts
def test_a_read_only_target_is_told_by_its_code(tmp_path: Path) -> None:
    """EROFS ends a write with ``read_only``."""
    with lab.tmpfs_mount(tmp_path, read_only=True) as small:
        with pytest.raises(TargetFailed) as failed:
            FioEngine().run(phase(True), site(small.path), silent)
        assert failed.value.code == "read_only"


@lab.requires_mounts
def test_a_failing_fsync_fails_the_phase(tmp_path: Path) -> None:
    """An error that only the last fsync reports is never missed."""
    with lab.tmpfs_mount(tmp_path, size=40 * MIB) as thin:
        (thin.path / "images").mkdir()
        with lab.loop_mount(thin.path / "images", size=256 * MIB, direct=False) as promised:
            asked = phase(True, jobs=1, size=80 * MIB, io_size=MIB)
            with pytest.raises(TargetFailed) as failed:
                FioEngine().run(asked, site(promised.path), silent)
    assert failed.value.code in ("io_error", "no_space")


def test_every_way_to_fail_has_its_error() -> None:
    """A job's error number comes before a bad exit status; a failed fsync counts as failure."""

    def ended(status: int, errors: bytes = b"") -> Finished:
        return Finished(command=("fio",), status=status, output=b"", errors=errors)

    broken = outcome.failure(ended(1), None, ["fio: engine x not loadable"], "demo")
    assert str(broken) == "fio failed with status 1 in phase 'demo' (fio: engine x not loadable)"
    fsync = outcome.failure(ended(0, b"fio: end_fsync failed for file x\n"), None, [], "demo")
    assert "end_fsync failed" in str(fsync)
    assert "no record" in str(outcome.failure(ended(0), None, [], "demo"))
    hostile = outcome.failure(ended(1, b"\x1b[31mred\x07" + b"x" * 9999), None, [], "demo")
    assert "?[31mred?xx" in str(hostile)
    assert len(str(hostile)) < 500


def test_the_ceiling_does_no_io(tmp_path: Path) -> None:
    """The ceiling runs the same jobs with fio's null engine: no file is made, none is needed."""
    asked = phase(True, depth=4, cache=CachePolicy.DIRECT, runtime_ns=5 * 10**9)
    found: Measurement = FioEngine().ceiling(asked, site(tmp_path), 10**8)
    assert found.tool is not None
    assert "ioengine=null\n" in found.tool.job
    assert "end_fsync" not in found.tool.job
    assert found.operations > 0
    assert found.bytes == found.operations * asked.io_size
    assert list(tmp_path.iterdir()) == []
