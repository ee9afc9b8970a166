"""A whole run on real filesystems, from the command to the report."""

import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aibench.model import READS, CacheState
from tests import lab
from tests.integration.command import BLOCK, FILES, LIMIT_S, NAMES, SMALL, Done, Stand, codes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stand, Done]:
    """A small run in a temporary directory, and what it printed."""
    stand = Stand(tmp_path_factory.mktemp("plain"))
    return stand, stand.run(*SMALL)


def is_memory(stand: Stand) -> bool:
    """Whether the stand is the one in memory."""
    return stand.target.name == "tmpfs mount"


@pytest.fixture(scope="module", params=["ext4", "xfs", "tmpfs"])
def mounted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    """A stand on each of the filesystems of the lab."""
    if lab.missing():
        pytest.skip(lab.missing())
    directory = tmp_path_factory.mktemp(request.param)
    if request.param == "tmpfs":
        with lab.tmpfs_mount(directory, size=256 * lab.MIB) as mount:
            yield Stand(directory, mount.path)
    else:
        with lab.loop_mount(directory, request.param, size=400 * lab.MIB) as mount:
            yield Stand(directory, mount.path)


@pytest.mark.mounts
def test_all_kinds_on_a_real_filesystem(mounted: Stand) -> None:
    """Every phase is measured, nothing but data stays, and no run this short decides a claim.

    Where claims are about the system that was described, the exit code is that of the verdicts.
    """
    system = mounted.directory / "system.toml"
    system.write_text('vendor = "H3C"\nproduct = "CX"\nunit = "node"\nunits = 1\n')
    kinds = {"ext4": (*BLOCK, *NAMES), "xfs": BLOCK}.get(mounted.target.name.split()[0], ())
    done = mounted.run(*FILES, *kinds, "--system", system, "--json")
    assert done.code == (3 if kinds else 0), done.err
    decided = {"MET", "NOT_MET"}
    assert not {v["status"] for v in done.json["verdicts"]} & decided
    record = mounted.record()
    assert record.complete
    assert record.reasons == ()
    planned = [(s.workload, p.name) for s in record.plan.stages for p in s.measured]
    assert [(s.workload, s.phase) for s in record.samples] == planned
    assert len(planned) == {(): 3, BLOCK: 7}.get(kinds, 13)
    for sample in record.samples:
        assert sample.reasons == ()
        assert sample.ceiling is not None
    assert mounted.scratch() == []
    assert mounted.left_running() == []


@pytest.mark.mounts
def test_reads_have_evidence(mounted: Stand) -> None:
    """Reads from a device are cold and shown to be; reads from memory are warm."""
    record = mounted.record()
    reads = [s for s in record.samples if record.phase(s).operation in READS]
    expected = CacheState.WARM if is_memory(mounted) else CacheState.COLD
    assert len(reads) == (2 if is_memory(mounted) else 4)
    for sample in reads:
        assert sample.evidence is not None
        assert sample.evidence.state is expected, sample.evidence.reason


@pytest.mark.mounts
def test_client_is_watched(mounted: Stand) -> None:
    """Every phase was watched; what the device did then is what the evidence says it delivered."""
    record = mounted.record()
    for sample in record.samples:
        seen = sample.telemetry
        assert seen is not None
        assert seen.watched_ns >= sample.measurement.elapsed_ns
        assert seen.mean("cpu.busy_share") is not None
        rates = [name for name in seen.series if name.endswith(".read_bytes_rate")]
        assert len(rates) == (0 if is_memory(mounted) else 1)
        if rates and sample.evidence and sample.evidence.delivered_bytes:
            read = (seen.mean(rates[0]) or 0) * seen.watched_ns / 1e9
            assert read == pytest.approx(sample.evidence.delivered_bytes, rel=0.05, abs=2**17)


@pytest.mark.mounts
@pytest.mark.alone  # others empty all caches meanwhile
def test_warm_is_warm(mounted: Stand) -> None:
    """With --cache warm every read finds its bytes in the page cache, and the record says so."""
    done = mounted.run(*SMALL, "--cache", "warm")
    assert done.code == 0, done.err
    (sample,) = mounted.record().samples
    assert sample.evidence is not None
    assert sample.evidence.state is CacheState.WARM


@pytest.mark.mounts
def test_direct(mounted: Stand) -> None:
    """With --cache direct a device is read past the page cache; memory is refused, and why."""
    done = mounted.run(*SMALL, "--cache", "direct")
    if is_memory(mounted):
        assert done.code == 2
        assert done.messages == [
            "load-4k: cache policy direct: tmpfs is memory, there is no device to go to"
        ]
        return
    assert done.code == 0, done.err
    (sample,) = mounted.record().samples
    assert sample.evidence is not None
    assert sample.evidence.state is CacheState.COLD


@pytest.mark.mounts
def test_verify_and_clean(mounted: Stand) -> None:
    """What a run left on any filesystem verifies, and clean leaves the target as it was found."""
    assert mounted.run(*SMALL).code == 0
    before = {entry.name for entry in mounted.target.iterdir()} - {"aibench-data"}
    verified = mounted.do("verify", mounted.target)
    assert verified.code == 0, verified.out
    assert all(line.startswith("ok ") for line in verified.out.splitlines())
    assert mounted.do("clean", mounted.target).code == 0
    assert {entry.name for entry in mounted.target.iterdir()} == before


@pytest.mark.parametrize("form", ["terminal", "markdown", "html", "json"])
def test_report_forms(plain: tuple[Stand, Done], form: str, tmp_path: Path) -> None:
    """A record becomes a report in every format, on standard output or in a file."""
    stand, _ = plain
    shown = stand.do("report", "last", "-f", form)
    written = stand.ask("report", stand.paths()[-1], "-f", form, "-o", tmp_path / "report")
    assert (shown.code, written.code) == (0, 0)
    assert written.out == ""
    assert shown.out == (tmp_path / "report").read_text().rstrip("\n") + "\n"
    assert "load-4k" in shown.out


def test_report_by_id(plain: tuple[Stand, Done]) -> None:
    """A record is found by its path, and by its id or a part of that."""
    stand, _ = plain
    path = stand.paths()[-1]
    for name in (path, path.stem[-6:]):
        done = stand.ask("report", name, "--json")
        assert done.json["run"]["id"] == path.stem


def test_report_of_nothing(tmp_path: Path) -> None:
    """A record that is not there is refused, with the place that was looked at."""
    stand = Stand(tmp_path)
    for name in ("last", "20260101"):
        done = stand.ask("report", name)
        assert done.code == 2
        assert str(stand.results) in done.err
        assert "no record" in done.err


def test_json_is_all_there_is(tmp_path: Path) -> None:
    """With --json standard output is one JSON document; progress and messages go elsewhere."""
    stand = Stand(tmp_path)
    done = stand.run(*SMALL, "--json")
    assert done.code == 0
    assert done.json["kind"] == "report"
    assert "load-4k: epoch" in done.err
    assert (stand.do("verify", stand.target, "--json").json["data"][0]["wrong"]) is None
    assert stand.do("plan", stand.target, "--json").json["digest"]
    assert stand.do("list", "workloads", "--json").json["workloads"]
    assert stand.do("doctor", stand.target, "--json").json["checks"]
    assert stand.do("judge", "last", "--json").json["verdicts"]


def test_plain_output(plain: tuple[Stand, Done]) -> None:
    """Where there is no terminal, reports are at most 80 columns wide and have no colour."""
    _, done = plain
    assert "\x1b" not in done.out + done.err
    assert max(map(len, done.out.splitlines())) <= 80
    assert "\r" not in done.err
    assert done.messages[0] == "[1/1] load-4k: layout"
    assert done.messages[1] == "[1/1] load-4k: epoch"
    assert re.fullmatch(r"record  \S+\.jsonl", done.messages[2])
    assert re.fullmatch(r"report  \S+\.html", done.messages[3])


def on_a_terminal(stand: Stand, *arguments: str, **environment: str) -> str:
    """What a command writes to a terminal of 100 columns."""
    parent, child = pty.openpty()
    process = stand.start(
        "run", stand.target, *arguments, stdout=child, stderr=child,
        environment={"TERM": "xterm", "COLUMNS": "100", **environment},
    )  # fmt: skip
    os.close(child)
    seen = b""
    try:
        while chunk := os.read(parent, 65536):
            seen += chunk
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(parent)
        process.wait(LIMIT_S)
    return seen.decode()


@pytest.mark.skipif(shutil.which("fio") is None, reason="fio is not installed")
def test_terminal(tmp_path: Path) -> None:
    """On a terminal one line changes in place, with share, rate and time left, and goes away."""
    timed = ("-w", "block", "--repeats", "1", "--set", "file_size=8MiB", "--set", "runtime=1500ms")
    seen = on_a_terminal(Stand(tmp_path), *SMALL, *timed)
    assert re.search(r"\[\d/\d\] block: seq-read  \d+%  [\d.]+ [kMG]?B/s  [^\r]+ left", seen)
    assert re.search(r"\(run: about [^\r]+ left\)", seen)
    assert "\x1b[" in seen
    assert "epoch (calibrate)" in seen


def test_no_color(tmp_path: Path) -> None:
    """NO_COLOR is respected also on a terminal."""
    assert "\x1b" not in on_a_terminal(Stand(tmp_path), *SMALL, NO_COLOR="1")


def test_reader_goes_away(plain: tuple[Stand, Done]) -> None:
    """A reader that has seen enough (| head) is no failure, and causes no traceback."""
    stand, _ = plain
    command = [sys.executable, "-m", "aibench", "report", str(stand.paths()[-1]), "-f", "html"]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_nobody_listens(tmp_path: Path) -> None:
    """A run goes on to its end when both its outputs were closed."""
    stand = Stand(tmp_path)
    command = f'exec "$0" -m aibench run "$1" {" ".join(SMALL)} --results "$2" >&- 2>&-'
    done = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, stand.target, stand.results],
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0
    assert stand.record().complete


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_reader_goes_away_in_a_run(tmp_path: Path, stream: str) -> None:
    """A run whose output nobody reads any more is recorded to its end."""
    stand = Stand(tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = stand.run(*SMALL, **{stream: writer})
    finally:
        os.close(writer)
    assert done.code == 0
    assert stand.record().complete


def test_full_standard_output(plain: tuple[Stand, Done]) -> None:
    """A result that can't be written to standard output is a failure, in one sentence."""
    stand, _ = plain
    with Path("/dev/full").open("w") as full:
        done = stand.do("report", "last", stdout=full)
    assert done.code == 4
    assert done.messages == ["standard output can't be written: no space left on device"]


def test_narrow_encoding(plain: tuple[Stand, Done]) -> None:
    """A locale that lacks some signs costs those signs, not the report."""
    stand, _ = plain
    done = stand.do("report", "last", environment={"PYTHONIOENCODING": "latin-1"}, errors="replace")
    assert done.code == 0
    assert "\ntarget " in done.out


@pytest.mark.parametrize("name", ["two words", "naïve", "caf\udce9", "line\nbreak", "$(touch x)"])
def test_odd_target_names(tmp_path: Path, name: str) -> None:
    """Any name of a directory will do for a target, and none reaches a shell or the terminal."""
    target = tmp_path / name
    target.mkdir()
    stand = Stand(tmp_path, target)
    done = stand.run(*SMALL, cwd=tmp_path)
    assert done.code == 0, done.err
    assert stand.record().target.path == str(target)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({name, "results"})
    assert stand.ask("verify", target).code == 0
    assert stand.ask("clean", target).code == 0


def test_without_fio(tmp_path: Path) -> None:
    """Where fio is missing, block workloads are left out with the reason, and the rest runs."""
    stand = Stand(tmp_path)
    arguments = ("-w", "block", *SMALL, "--json")
    done = stand.run(*arguments, environment={"PATH": str(tmp_path)})
    assert done.code == 0, done.err
    record = stand.record()
    refusals = {stage.workload: stage.refusal for stage in record.plan.stages}
    assert refusals["load-4k"] is None
    assert "fio is not installed" in (refusals["block"] or "")
    assert [sample.workload for sample in record.samples] == ["load-4k"]
    alone = stand.run("-w", "block", environment={"PATH": str(tmp_path)})
    assert alone.code == 2
    assert "fio is not installed" in alone.err
    assert codes(stand.record()) == []


def test_no_keep(tmp_path: Path) -> None:
    """With --no-keep nothing of aibench's is left on the target."""
    stand = Stand(tmp_path)
    assert stand.run(*SMALL, "--no-keep").code == 0
    assert list(stand.target.iterdir()) == []
