"""Records as JSON lines: a header, a line for each sample synced at once, a last line.

History of the format:

1. The first. A header may have ``resumes``, the id of the run that this one goes on from; who does
   not know of it loses nothing, because a warning in the header says the same. It may have
   ``labels``, a table of texts; without them the run belongs to nothing.
2. Runs under MPI alone: a header has ``launch``, samples have ``hosts`` and workers their ``rank``.
   A run without MPI is still written as format 1, for what reads no further.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from aibench.errors import RecordError, RunFailed
from aibench.lines import objects
from aibench.model import Finding, RunRecord, Sample
from aibench.soundness import check_plan, check_sample

FORMAT = 2
SUFFIX = ".jsonl"


@cache
def _record() -> TypeAdapter[RunRecord]:
    return TypeAdapter(RunRecord)


@cache
def _sample() -> TypeAdapter[Sample]:
    return TypeAdapter(Sample)


@cache
def _findings() -> TypeAdapter[tuple[Finding, ...]]:
    return TypeAdapter(tuple[Finding, ...])


def now() -> str:
    """The time of day in UTC, to the millisecond, as records have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_run_id(name: str) -> str:
    """``<UTC time>-<name>-<6 hex digits>``: sorts by time and never repeats."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    safe = re.sub(r"[^a-z0-9-]+", "-", name.lower())[:48] or "run"
    return f"{stamp}-{safe}-{secrets.token_hex(3)}"


class Writer:
    """Writes one record, line by line; every line is on disk when the call returns.

    `errors.RunFailed` where a line can't be written. The record then ends with the line before
    it, as that of a run that did not finish; `finish` only closes it. The samples ``carried``
    over from another record go to disk together with the header, so that none is ever missing.
    """

    def __init__(self, directory: str, record: RunRecord, carried: Sequence[Sample] = ()) -> None:
        self.path = os.path.join(directory, record.run_id + SUFFIX)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            os.makedirs(directory, exist_ok=True)
            self._fd = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise self._failed(error) from error
        self._broken = False
        try:
            self._write_header(directory, record, carried)
        except BaseException:
            os.close(self._fd)
            os.unlink(self.path)
            raise

    def _write_header(self, directory: str, record: RunRecord, carried: Sequence[Sample]) -> None:
        header = to_jsonable_python(record)
        for later in ("samples", "finished_at", "complete", "reasons"):
            del header[later]
        number = 1 if record.launch is None else FORMAT
        self._lines({"kind": "run", "format": number, **header}, *map(_sample_line, carried))
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def add(self, sample: Sample) -> None:
        """Add one sample."""
        self._lines(_sample_line(sample))

    def finish(self, reasons: Sequence[Finding] = (), warnings: Sequence[Finding] = ()) -> None:
        """Add the last line; without it the record is one of a run that did not finish."""
        try:
            if not self._broken:
                self._lines(
                    {
                        "kind": "done",
                        "finished_at": now(),
                        "reasons": to_jsonable_python(tuple(reasons)),
                        "warnings": to_jsonable_python(tuple(warnings)),
                    }
                )
        finally:
            os.close(self._fd)
            self._fd = -1

    def _failed(self, error: OSError) -> RunFailed:
        why = (error.strerror or str(error)).lower()
        return RunFailed(f"the record {self.path} can't be written: {why}")

    def _lines(self, *contents: dict[str, Any]) -> None:
        data = "".join(
            json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
            for content in contents
        )
        view = memoryview(data.encode())
        try:
            while view:
                view = view[os.write(self._fd, view) :]
            os.fsync(self._fd)
        except OSError as error:
            self._broken = True
            raise self._failed(error) from error


def _sample_line(sample: Sample) -> dict[str, Any]:
    return {"kind": "sample", **to_jsonable_python(sample)}


def end_unfinished(path: str, code: str, message: str) -> bool:
    """Add the last line to the record of a process that can't do it any more.

    False where that is not possible, or a line was cut off: then the record stays unfinished.
    """
    line = {
        "kind": "done",
        "finished_at": now(),
        "reasons": [{"code": code, "message": message}],
        "warnings": [],
    }
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            if size == 0 or os.pread(fd, 1, size - 1) != b"\n":
                return False
            os.write(fd, json.dumps(line, separators=(",", ":")).encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError:
        return False
    return True


def read(path: str | Path) -> RunRecord:
    """The record in the file ``path``, also of a run that did not finish.

    `RecordError` says what is wrong with a file that is not a record, or of a later format, or
    that holds what could not have been counted.
    """
    lines = objects(Path(path))
    header = next(lines, {})
    _check_header(path, header)
    try:
        record = _record().validate_python(_without(header, "format"))
        check_plan(record)
        samples, last = _samples(path, lines)
        return _finished(replace(record, samples=samples), last)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(_place, first["loc"]))
        raise RecordError(f"{path} is damaged: {place}: {first['msg']}") from error
    except ValueError as error:
        raise RecordError(f"{path} is damaged: {error}") from error


def _place(part: str | int) -> str:
    """A key of the record as a message may show it."""
    text = str(part)[:60]
    return text if re.fullmatch(r"\w*", text, re.ASCII) else ascii(text)


def _check_header(path: str | Path, header: dict[str, Any]) -> None:
    if header.get("kind") != "run":
        raise RecordError(f"{path} is not a record of aibench: its first line is no run header")
    found = header.get("format")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise RecordError(f"{path} is not a record of aibench: it has no format number")
    if found > FORMAT:
        raise RecordError(
            f"{path} has format {found}; this aibench reads up to {FORMAT}: install a newer one"
        )


def _samples(
    path: str | Path, lines: Iterator[dict[str, Any]]
) -> tuple[tuple[Sample, ...], dict[str, Any]]:
    """The samples and the last line: anything else after the header is not one run."""
    samples: list[Sample] = []
    last: dict[str, Any] = {}
    for number, line in enumerate(lines, start=2):
        kind = line.get("kind")
        if kind == "run":
            raise RecordError(f"{path} holds more than one run: line {number} begins another")
        if last or kind not in ("sample", "done"):
            raise RecordError(f"{path} is damaged: line {number - bool(last)} is out of place")
        if kind == "done":
            last = line
        else:
            samples.append(_sample().validate_python(_without(line)))
            check_sample(samples[-1])
    return tuple(samples), last


def _finished(record: RunRecord, last: dict[str, Any]) -> RunRecord:
    if last.get("kind") != "done":
        unfinished = Finding(
            code="unfinished", message="the record has no last line: the run did not finish"
        )
        return replace(record, complete=False, reasons=(unfinished,))
    finished_at = last.get("finished_at")
    if not isinstance(finished_at, str | None):
        raise ValueError("finished_at is no time")
    return replace(
        record,
        complete=True,
        finished_at=finished_at,
        reasons=_findings().validate_python(last.get("reasons", [])),
        warnings=record.warnings + _findings().validate_python(last.get("warnings", [])),
    )


def _without(line: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in ("kind", *names)}
