"""What fio prints is read, or refused as no record of fio: never believed blindly."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.engines.fio.output import Reading, Splitter, histogram, reading
from aibench.errors import WorkerFailed

SIDE = {
    "total_ios": 4, "io_bytes": 16384, "runtime": 20,
    "lat_ns": {"min": 100, "max": 900, "mean": 500.0, "N": 4, "bins": {"100": 1, "900": 3}},
    "clat_ns": {"min": 1, "max": 2, "mean": 1.5, "N": 4},
}  # fmt: skip
JOB = {"jobname": "job0", "error": 0, "job_runtime": 20, "job_start": 5, "usr_cpu": 1.5,
       "sys_cpu": 2.5, "read": SIDE}  # fmt: skip
EDGES = st.sampled_from(
    (None, True, -1, 0, 2**53 + 1, 10**400, 0.5, -1e300, 1e308, "", "7", "x", [], [1], {}, {"x": 1})
)
INFINITE = b'"usr_cpu": 1e999'


def record(*jobs: Any) -> bytes:
    """A document of fio with ``jobs``."""
    return json.dumps({"fio version": "fio-3.33", "jobs": list(jobs)}, indent=2).encode()


def looked_at(document: bytes) -> Reading | None:
    """A reading whose numbers have been checked; None where it is refused."""
    try:
        found = reading(document, "read", 0)
    except WorkerFailed as refusal:
        told = str(refusal)
        assert "fio's record can't be read" in told
        return None
    for job in found.jobs:
        counts = (job.error, job.operations, job.bytes, job.runtime_ns, job.min_ns, job.max_ns)
        assert all(type(number) is int and number >= 0 for number in (*counts, *job.bins.values()))
    assert histogram(found.jobs).count == sum(job.completed for job in found.jobs)
    return found


def test_a_record_of_fio_is_read() -> None:
    """What is made worse below is a good record."""
    found = looked_at(record(JOB))
    assert found is not None
    assert (found.operations, found.bytes, found.runtime_ns) == (4, 16384, 20_000_000)


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"null", b'{"jobs": 5}', b'{"jobs": [5]}', b'{"jobs": {"a": 1}}', b"\xff",
     b'{"jobs":' + b"[" * 10**5, b'{"jobs": [' + b"9" * 5000 + b"]}",
     record(JOB).replace(b'"usr_cpu": 1.5', INFINITE), record(JOB | {"job_runtime": "7"}),
     record(JOB | {"read": SIDE | {"runtime": "7"}})],
)  # fmt: skip
def test_what_is_no_record_is_refused(document: bytes) -> None:
    """Other documents, too deep ones and infinite numbers are failures of the tool, with why."""
    assert looked_at(document) is None


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_change_is_read_or_refused(data: st.DataObject) -> None:
    """Whichever value of a record is replaced, all counts are whole, or there is no reading."""
    job: dict[str, Any] = json.loads(json.dumps(JOB))
    for _ in range(data.draw(st.integers(1, 2))):
        part, value = job, data.draw(EDGES)
        for _ in range(data.draw(st.integers(0, 3))):
            inner = [each for each in part.values() if isinstance(each, dict) and each]
            part = data.draw(st.sampled_from(inner)) if inner else part
        if part:
            part[data.draw(st.sampled_from(sorted(part)))] = copy.deepcopy(value)
    looked_at(record(job))


@given(
    st.lists(st.binary(max_size=40) | st.sampled_from((b"{\n", b"}\n", b" \n", b"\n")), max_size=30)
)
def test_any_output_is_taken(chunks: list[bytes]) -> None:
    """No output makes the splitter fail in another way, and what it notes is bounded."""
    seen: list[Reading] = []
    splitter = Splitter("read", seen.append)
    try:
        for chunk in chunks:
            splitter.feed(chunk)
    except WorkerFailed:
        return
    assert all(len(note) <= 1000 for note in splitter.notes)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=20))
def test_a_record_is_found_wherever_chunks_end(cuts: list[int]) -> None:
    """The same readings come out however the output is cut."""
    text = b"fio: noise\n" + record(JOB) + b"\n" + record(JOB, JOB) + b"\nmore noise\n"
    seen: list[Reading] = []
    splitter = Splitter("read", seen.append)
    for cut in cuts:
        splitter.feed(text[:cut])
        text = text[cut:]
    splitter.feed(text)
    assert [len(each.jobs) for each in seen] == [1, 2]


def test_a_record_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document or a line that never ends is refused before it fills memory."""
    splitter = Splitter("read", lambda _: None)
    with pytest.raises(WorkerFailed, match="line without an end"):
        splitter.feed(b"x" * 2**21)
    monkeypatch.setattr("aibench.engines.fio.output._DOCUMENT_LIMIT", 10_000)
    splitter = Splitter("read", lambda _: None)
    with pytest.raises(WorkerFailed, match="record without an end"):
        splitter.feed(b"{\n" + b" \n" * 10_000)
