"""Records as JSON lines: a header, a line for each sample synced at once, a last line.

History of the format:

1. The first.
"""

import json
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from aibench.errors import RecordError, RunFailed
from aibench.model import Finding, RunRecord, Sample
from aibench.stats.histogram import BINS

FORMAT = 1
SUFFIX = ".jsonl"
_LONGEST_LINE = 64 * 2**20
_LARGEST_FILE = 2**30
_MOST_LINES = 1_000_000
#: No count, size or time of ours is as long as this.
_MOST_DIGITS = 20

_record: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)
_sample: TypeAdapter[Sample] = TypeAdapter(Sample)
_findings: TypeAdapter[tuple[Finding, ...]] = TypeAdapter(tuple[Finding, ...])


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
    it, as that of a run that did not finish; `finish` only closes it.
    """

    def __init__(self, directory: str, record: RunRecord) -> None:
        self.path = os.path.join(directory, record.run_id + SUFFIX)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            os.makedirs(directory, exist_ok=True)
            self._fd = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise self._failed(error) from error
        self._broken = False
        try:
            self._write_header(directory, record)
        except BaseException:
            os.close(self._fd)
            os.unlink(self.path)
            raise

    def _write_header(self, directory: str, record: RunRecord) -> None:
        header = _record.dump_python(record, mode="json")
        for later in ("samples", "finished_at", "complete", "reasons"):
            del header[later]
        self._line({"kind": "run", "format": FORMAT, **header})
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def add(self, sample: Sample) -> None:
        """Add one sample."""
        self._line({"kind": "sample", **_sample.dump_python(sample, mode="json")})

    def finish(self, reasons: Sequence[Finding] = (), warnings: Sequence[Finding] = ()) -> None:
        """Add the last line; without it the record is one of a run that did not finish."""
        try:
            if not self._broken:
                self._line(
                    {
                        "kind": "done",
                        "finished_at": now(),
                        "reasons": _findings.dump_python(tuple(reasons), mode="json"),
                        "warnings": _findings.dump_python(tuple(warnings), mode="json"),
                    }
                )
        finally:
            os.close(self._fd)
            self._fd = -1

    def _failed(self, error: OSError) -> RunFailed:
        why = (error.strerror or str(error)).lower()
        return RunFailed(f"the record {self.path} can't be written: {why}")

    def _line(self, content: dict[str, Any]) -> None:
        data = json.dumps(content, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
            os.fsync(self._fd)
        except OSError as error:
            self._broken = True
            raise self._failed(error) from error


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

    `RecordError` says what is wrong with a file that is not a record, or of a later format.
    """
    lines = _lines(Path(path))
    if not lines or lines[0].get("kind") != "run":
        raise RecordError(f"{path} is not a record of aibench: its first line is no run header")
    found = lines[0].get("format")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise RecordError(f"{path} is not a record of aibench: it has no format number")
    if found > FORMAT:
        raise RecordError(
            f"{path} has format {found}; this aibench reads up to {FORMAT}: install a newer one"
        )
    _refuse_strange_kinds(path, lines)
    try:
        record = _record.validate_python(_without(lines[0], "format"))
        samples = tuple(_read_sample(line) for line in lines[1:] if line["kind"] == "sample")
        return _finished(replace(record, samples=samples), lines[-1])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecordError(f"{path} is damaged: {place}: {first['msg']}") from error
    except ValueError as error:
        raise RecordError(f"{path} is damaged: {error}") from error


def _refuse_strange_kinds(path: str | Path, lines: Sequence[dict[str, Any]]) -> None:
    """A header first, samples, and the last line last: anything else is not one run."""
    for number, line in enumerate(lines[1:], start=2):
        kind = line.get("kind")
        if kind == "run":
            raise RecordError(f"{path} holds more than one run: line {number} begins another")
        if kind != "sample" and not (kind == "done" and number == len(lines)):
            raise RecordError(f"{path} is damaged: line {number} is out of place")


def _read_sample(line: dict[str, Any]) -> Sample:
    """A sample whose histograms are ones that we could have written."""
    sample = _sample.validate_python(_without(line))
    for histogram in sample.measurement.histograms.values():
        for number, count in histogram.bins:
            if not 0 <= number < BINS or count < 1:
                raise ValueError(f"a histogram has {count} in its bin {number}")
    return sample


def _finished(record: RunRecord, last: dict[str, Any]) -> RunRecord:
    if last.get("kind") != "done":
        unfinished = Finding(
            code="unfinished", message="the record has no last line: the run did not finish"
        )
        return replace(record, complete=False, reasons=(unfinished,))
    return replace(
        record,
        complete=True,
        finished_at=last.get("finished_at"),
        reasons=_findings.validate_python(last.get("reasons", [])),
        warnings=record.warnings + _findings.validate_python(last.get("warnings", [])),
    )


def _without(line: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in ("kind", *names)}


def _lines(path: Path) -> list[dict[str, Any]]:
    """All whole lines; a last one that was cut off is left out."""
    found: list[dict[str, Any]] = []
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > _LARGEST_FILE:
                raise RecordError(f"{path} is larger than any record of aibench")
            while raw := file.readline(_LONGEST_LINE):
                if len(found) >= _MOST_LINES or len(raw) == _LONGEST_LINE:
                    raise RecordError(f"{path} is larger than any record of aibench")
                line = _parsed(raw)
                if line is None:
                    if raw.endswith(b"\n"):
                        number = len(found) + 1
                        raise RecordError(f"{path} is not a record: line {number} is damaged")
                    break
                found.append(line)
    except OSError as error:
        raise RecordError(f"{path}: {(error.strerror or 'unreadable').lower()}") from error
    return found


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw, parse_int=_integer, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _integer(digits: str) -> int:
    """A whole number of a size that a record can have; longer ones only cost time."""
    if len(digits) > _MOST_DIGITS:
        raise ValueError("a number of too many digits")
    return int(digits)


def _refuse_constant(name: str) -> None:
    """A missing number is null in a record: never NaN, never infinite."""
    raise ValueError(f"{name} is no number")
