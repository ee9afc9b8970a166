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

from aibench.errors import RecordError
from aibench.model import Finding, RunRecord, Sample

FORMAT = 1
SUFFIX = ".jsonl"
_LONGEST_LINE = 64 * 2**20
_MOST_LINES = 1_000_000

_record: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)
_sample: TypeAdapter[Sample] = TypeAdapter(Sample)
_findings: TypeAdapter[tuple[Finding, ...]] = TypeAdapter(tuple[Finding, ...])


def now() -> str:
    """The time of day in UTC, to the second, as records have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_run_id(name: str) -> str:
    """``<UTC time>-<name>-<6 hex digits>``: sorts by time and never repeats."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    safe = re.sub(r"[^a-z0-9-]+", "-", name.lower())[:48] or "run"
    return f"{stamp}-{safe}-{secrets.token_hex(3)}"


class Writer:
    """Writes one record, line by line; every line is on disk when the call returns."""

    def __init__(self, directory: str, record: RunRecord) -> None:
        os.makedirs(directory, exist_ok=True)
        self.path = os.path.join(directory, record.run_id + SUFFIX)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o644)
        header = _record.dump_python(record, mode="json")
        for later in ("samples", "finished_at", "complete", "reasons"):
            del header[later]
        self._line({"kind": "run", "format": FORMAT, **header})
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)

    def add(self, sample: Sample) -> None:
        """Add one sample."""
        self._line({"kind": "sample", **_sample.dump_python(sample, mode="json")})

    def finish(self, reasons: Sequence[Finding] = (), warnings: Sequence[Finding] = ()) -> None:
        """Add the last line; without it the record is one of a run that did not finish."""
        self._line(
            {
                "kind": "done",
                "finished_at": now(),
                "reasons": _findings.dump_python(tuple(reasons), mode="json"),
                "warnings": _findings.dump_python(tuple(warnings), mode="json"),
            }
        )
        os.close(self._fd)
        self._fd = -1

    def _line(self, content: dict[str, Any]) -> None:
        data = json.dumps(content, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        os.fsync(self._fd)


def read(path: str | Path) -> RunRecord:
    """The record in the file ``path``, also of a run that did not finish.

    `RecordError` says what is wrong with a file that is not a record, or of a later format.
    """
    lines = _lines(Path(path))
    if not lines or lines[0].get("kind") != "run":
        raise RecordError(f"{path} is not a record of aibench: its first line is no run header")
    found = lines[0].get("format")
    if not isinstance(found, int) or found < 1:
        raise RecordError(f"{path} is not a record of aibench: it has no format number")
    if found > FORMAT:
        raise RecordError(
            f"{path} has format {found}; this aibench reads up to {FORMAT}: install a newer one"
        )
    try:
        record = _record.validate_python(_without(lines[0], "format"))
        samples = tuple(
            _sample.validate_python(_without(line))
            for line in lines[1:]
            if line.get("kind") == "sample"
        )
        record = replace(record, samples=samples)
        return _finished(record, lines[-1])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecordError(f"{path} is damaged: {place}: {first['msg']}") from error


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
            while raw := file.readline(_LONGEST_LINE):
                if len(found) >= _MOST_LINES or (
                    len(raw) == _LONGEST_LINE and not raw.endswith(b"\n")
                ):
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
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
