"""What users said of series: where a baseline begins, and which changes are accepted.

One file of JSON lines that is only ever added to, so that it can be kept in version control and
tells who said what when, and why.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from aibench.errors import RecordError, Refused, RunFailed
from aibench.lines import objects
from aibench.model.history import Event

FILE = "events.jsonl"


@cache
def _event() -> TypeAdapter[Event]:
    return TypeAdapter(Event)


def events(directory: str) -> tuple[Event, ...]:
    """All events, oldest first; none where there is no file. `RecordError` for a damaged one."""
    path = Path(directory, FILE)
    if not path.exists():
        return ()
    found = []
    for number, line in enumerate(objects(path), start=1):
        try:
            found.append(_event().validate_python(line))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise RecordError(f"{path}, line {number}: {first['msg']}") from error
    return tuple(found)


def of(found: Iterable[Event], series: str) -> tuple[Event, ...]:
    """Those of ``found`` that are about ``series``."""
    return tuple(event for event in found if event.series == series)


def add(directory: str, new: Iterable[Event]) -> str:
    """Write events behind the others; on disk when it returns. The path of their file."""
    path = os.path.join(directory, FILE)
    lines = "".join(json.dumps(asdict(event), ensure_ascii=True) + "\n" for event in new)
    try:
        os.makedirs(directory, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Refused(f"{path} can't be written: {why}; give another directory with --baselines "
                      "DIR") from error  # fmt: skip
    try:
        data = lines.encode()
        if os.write(descriptor, data) != len(data):
            raise RunFailed(f"{path} was written only in part: is the disk full?")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return path
