"""Records survive writing and reading, and what is not a record is told from one that is."""

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aibench import lines, store
from aibench.errors import RecordError, RunFailed
from aibench.model import (
    Ceiling,
    Finding,
    HostOf,
    NfsFigures,
    RunRecord,
    Telemetry,
    ToolRun,
    WorkerResult,
)
from aibench.store import Writer, new_run_id, read
from tests import build

#: Written by format 1 when it was the only one. It stays as it is, and stays readable.
GOLDEN = Path(__file__).parent / "data" / "record-1.jsonl"
NOTE = Finding(code="note", message="a note, with “quotes”")


def rich() -> RunRecord:
    """A record in which every field that may be there is there."""
    tool = ToolRun(name="fio", version="3.33", command=("fio", "job"), job="[global]\nbs=4k\n")
    sample = build.sample(
        measurement=build.measurement(tool=tool, timers={"durable": 5}, warnings=(NOTE,)),
        ceiling=Ceiling(operations=10, bytes=20, elapsed_ns=30),
        warnings=(NOTE,),
    )
    return build.record(
        sample,
        build.sample(1, evidence=None, reasons=(NOTE,)),
        plan=build.plan(build.stage(), build.stage(workload="block", refusal="no fio")),
        system=build.system(),
        warnings=(NOTE,),
        reasons=(Finding(code="interrupted", message="SIGINT asked the run to end"),),
    )


def written(directory: Path, record: RunRecord) -> Path:
    """``record`` as a file."""
    writer = Writer(str(directory), record)
    for sample in record.samples:
        writer.add(sample)
    writer.finish(record.reasons)
    return Path(writer.path)


def test_round_trip(tmp_path: Path) -> None:
    """What was written is read back, but for the time at which it was finished."""
    record = rich()
    found = read(written(tmp_path, record))
    assert replace(found, finished_at=record.finished_at) == record


def test_golden() -> None:
    """A record of format 1 reads as what it was written from, for ever."""
    found = read(GOLDEN)
    assert found == replace(rich(), finished_at=found.finished_at)


def test_golden_under_mpi() -> None:
    """A record of format 2 reads as what it was written from, for ever."""
    found = read(GOLDEN.with_name("record-2.jsonl"))
    assert found == replace(together(), finished_at=found.finished_at)


TEXTS = st.text(max_size=20)
COUNTS = st.integers(0, 2**62)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(TEXTS, min_size=4, max_size=4),
    counts=st.lists(COUNTS, min_size=4, max_size=4),
    latencies=st.lists(st.integers(0, 2**40 - 1), min_size=1, max_size=20),
    metadata=st.dictionaries(TEXTS, st.none() | st.integers(-9, 9) | st.floats(-9, 9) | TEXTS),
)
def test_any_round_trip(
    tmp_path: Path,
    texts: list[str],
    counts: list[int],
    latencies: list[int],
    metadata: dict[str, Any],
) -> None:
    """Whatever the texts, counts and latencies of a record are, they are read as written."""
    measurement = build.measurement(
        operations=counts[0], bytes=counts[1], elapsed_ns=counts[2], errors=counts[3],
        histograms={texts[0]: build.histogram(*latencies)},
    )  # fmt: skip
    record = build.record(
        build.sample(measurement=measurement, warnings=(Finding(code="x", message=texts[1]),)),
        run_id=new_run_id(texts[2]),
        command=tuple(texts),
        target=build.target(path=texts[3], options=tuple(texts)),
        environment=replace(build.record().environment, metadata=metadata),
    )
    found = read(written(tmp_path, record))
    assert replace(found, finished_at=record.finished_at) == record


def test_every_line_is_there_at_once(tmp_path: Path) -> None:
    """After each step the file reads as the record of a run that did not finish."""
    record = rich()
    writer = Writer(str(tmp_path), record)
    assert read(writer.path).samples == ()
    writer.add(record.samples[0])
    found = read(writer.path)
    assert found.samples == record.samples[:1]
    assert not found.complete
    assert [reason.code for reason in found.reasons] == ["unfinished"]
    writer.finish()
    assert read(writer.path).complete


def test_carried(tmp_path: Path) -> None:
    """Samples of the run that one goes on from are there with the header, and read like others."""
    record = replace(rich(), resumes="20260101T000000Z-run-000000")
    writer = Writer(str(tmp_path), record, record.samples[:1])
    assert read(writer.path).samples == record.samples[:1]
    writer.add(record.samples[1])
    writer.finish(record.reasons)
    found = read(writer.path)
    assert replace(found, finished_at=record.finished_at) == record


def test_labels(tmp_path: Path) -> None:
    """What a run belongs to is in its header; a record from before there were labels has none."""
    record = replace(rich(), labels={"duel": "d0e1", "pair": "1", "side": "a"})
    path = Path(written(tmp_path, record))
    assert read(path).labels == record.labels
    header, *rest = path.read_text().splitlines(keepends=True)
    old = json.loads(header)
    del old["labels"]
    path.write_text(json.dumps(old) + "\n" + "".join(rest))
    assert read(path).labels == {}


def together() -> RunRecord:
    """A record of a run on two hosts, in which all that MPI adds is there."""
    workers = (
        *build.measurement().workers,
        WorkerResult(
            host="n1", rank=3, process=7, thread=1, operations=5, bytes=6, start_ns=7, end_ns=8
        ),
    )
    seen = Telemetry(ends_ns=(9,), series={"cpu.busy_share": (0.5,)}, cost_ns=1, watched_ns=9)
    other = build.on_host("n1", telemetry=seen, nfs=NfsFigures(backlog_mean=0.5), boot=None)
    sample = build.sample(
        measurement=build.measurement(workers=workers), hosts=(build.on_host(), other)
    )
    differs = HostOf(name="n2", ranks=1, differs={"kernel": "6.1", "nic": None, "cores": 4})
    return build.record(sample, launch=build.launch(*build.launch().hosts, differs))


def test_under_mpi(tmp_path: Path) -> None:
    """Who measured together is read as written; only then the format is one that others lack."""
    record = together()
    path = written(tmp_path, record)
    found = read(path)
    assert replace(found, finished_at=record.finished_at) == record
    assert record.launch is not None
    assert record.launch.ranks == 5
    assert lines_of(path)[0]["format"] == 2
    assert lines_of(written(tmp_path, replace(rich(), run_id="alone")))[0]["format"] == 1


def test_never_overwritten(tmp_path: Path) -> None:
    """A record is never written over another one."""
    path = written(tmp_path, rich())
    before = path.read_bytes()
    with pytest.raises(RunFailed, match="file exists"):
        Writer(str(tmp_path), rich())
    assert path.read_bytes() == before


def test_names() -> None:
    """Names of runs sort by time, are safe as file names and never repeat."""
    names = {new_run_id("../Ünsafe name\n") for _ in range(50)}
    assert len(names) == 50
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-[a-z0-9-]+-[0-9a-f]{6}", name) for name in names)


def test_truncated_anywhere(tmp_path: Path) -> None:
    """Wherever the last lines were cut off, what was written before is read."""
    path = written(tmp_path, rich())
    content = path.read_bytes()
    header = content.index(b"\n") + 1
    for size in range(header, len(content) - 1, 97):
        path.write_bytes(content[:size])
        found = read(path)
        assert not found.complete
        assert len(found.samples) >= content[:size].count(b"\n") - 1
        assert found.samples == rich().samples[: len(found.samples)]


def test_truncated_header(tmp_path: Path) -> None:
    """A file that was cut off within its first line is no record."""
    path = written(tmp_path, rich())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RecordError, match="first line is no run header"):
        read(path)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a record file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def changed(path: Path, number: int, change: Callable[[dict[str, Any]], object]) -> None:
    """Apply ``change`` to one line of a record file."""
    lines = lines_of(path)
    change(lines[number])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize(
    ("number", "change", "what"),
    [
        (0, {"kind": "sample"}, "no run header"),
        (0, {"kind": None}, "no run header"),
        (0, {"format": store.FORMAT + 1}, "install a newer one"),
        (0, {"format": None}, "no format number"),
        (0, {"format": True}, "no format number"),
        (0, {"format": "1"}, "no format number"),
        (0, {"format": 0}, "no format number"),
        (0, {"plan": 3}, "damaged: plan"),
        (0, {"target": {}}, "damaged: target"),
        (1, {"kind": "run"}, "more than one run: line 2"),
        (1, {"kind": "done"}, "line 2 is out of place"),
        (1, {"kind": "other"}, "line 2 is out of place"),
        (1, {"repeat": "many"}, "damaged: repeat"),
        (1, {"measurement": None}, "damaged: measurement"),
        (3, {"reasons": 3}, "damaged"),
        (0, {"launch": {"library": "x", "hosts": []}}, "damaged: launch"),
        (0, {"launch": {"library": "x", "hosts": [{"name": "a", "ranks": 1}] * 2}}, "each host"),
        (0, {"launch": {"library": "x", "hosts": [{"name": "a", "ranks": 0}]}}, "one rank"),
        (1, {"hosts": [{"host": "a", "ranks": 0}]}, "damaged: hosts"),
        (1, {"hosts": [{"host": "a", "ranks": 1, "evidence": {"state": "hot"}}]}, "hosts.0"),
    ],
)
def test_wrong_lines(tmp_path: Path, number: int, change: dict[str, Any], what: str) -> None:
    """A line that is not what it has to be is told, with its place, and is no traceback."""
    path = written(tmp_path, together() if number == 0 else rich())
    changed(path, number, lambda line: line.update(change))
    with pytest.raises(RecordError, match=what) as caught:
        read(path)
    assert str(path) in str(caught.value)


def bins(*pairs: list[int]) -> Callable[[dict[str, Any]], object]:
    """Replaces the bins of a sample's histogram."""
    return lambda line: line["measurement"]["histograms"]["whole"].update(bins=pairs)


@pytest.mark.parametrize("change", [bins([10**9, 1]), bins([-1, 1]), bins([5, -1]), bins([5, 0])])
def test_impossible_histograms(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Bins that we could not have written are damage; a number of a bin can't fill memory."""
    path = written(tmp_path, rich())
    changed(path, 1, change)
    with pytest.raises(RecordError, match="histogram"):
        read(path)


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"{" * 100_000, b"[" * 100_000,
        b'{"kind":"sample","repeat":' + b"9" * 5000 + b"}", b'{"kind":"sample","x":NaN}',
        b'{"kind":"sample","x":Infinity}',
    ],
)  # fmt: skip
def test_damaged_middle(tmp_path: Path, bad: bytes) -> None:
    """A damaged line that is not the last one is damage, and its number is told."""
    path = written(tmp_path, rich())
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], bad, *lines[2:]]))
    with pytest.raises(RecordError, match="line 2 is damaged"):
        read(path)


def test_two_records_in_one_file(tmp_path: Path) -> None:
    """Records that were joined into one file are not mixed up."""
    path = written(tmp_path, rich())
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(RecordError, match=r"out of place|more than one run"):
        read(path)


@pytest.mark.parametrize("kind", ["empty", "binary", "html", "directory", "missing"])
def test_not_a_record(tmp_path: Path, kind: str) -> None:
    """Other files are not records, and the message says which file."""
    path = tmp_path / "file"
    if kind == "directory":
        path.mkdir()
    elif kind != "missing":
        content = {"empty": b"", "binary": os.urandom(1000), "html": b"<html>\n</html>\n"}[kind]
        path.write_bytes(content)
    with pytest.raises(RecordError, match=re.escape(str(path))):
        read(path)


def test_huge_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without an end, or a file without one, is refused before it fills memory."""
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(lines._LARGEST_FILE + 1)
    with pytest.raises(RecordError, match="larger than any record"):
        read(path)
    header, sample = written(tmp_path, rich()).read_bytes().split(b"\n")[:2]
    path.write_bytes(header + b"\n" + (sample + b"\n") * 10)
    monkeypatch.setattr(lines, "_MOST_LINES", 10)
    with pytest.raises(RecordError, match="larger than any record"):
        read(path)
    monkeypatch.setattr(lines, "_LONGEST_LINE", 1000)
    path.write_bytes(b" " * 5000)
    with pytest.raises(RecordError, match="larger than any record"):
        read(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_failed_write(tmp_path: Path) -> None:
    """Where a line can't be written the record ends before it, as that of an unfinished run."""
    record = rich()
    writer = Writer(str(tmp_path), record)
    writer.add(record.samples[0])
    kept = os.dup(writer._fd)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, writer._fd)
    os.close(full)
    with pytest.raises(RunFailed, match="can't be written: no space left on device"):
        writer.add(record.samples[1])
    os.dup2(kept, writer._fd)
    os.close(kept)
    writer.finish()
    found = read(writer.path)
    assert found.samples == record.samples[:1]
    assert not found.complete


def write_golden() -> None:
    """Write the golden record; only ever for a new format, under a new name."""
    path = written(GOLDEN.parent, rich())
    path.rename(GOLDEN.parent / f"record-{store.FORMAT}.jsonl")


if __name__ == "__main__":
    sys.exit(write_golden())
