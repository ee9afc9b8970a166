"""Reads lines of JSON that anyone may have written, in bounded time and memory."""

import json
import math
import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aibench.errors import RecordError
from aibench.probes.resources import available_memory

_LONGEST_LINE = 64 * 2**20
_LARGEST_FILE = 2**30
_MOST_LINES = 100_000
#: No text of ours is as long: the longest are the job files of fio.
_LONGEST_TEXT = 2**18
#: Every count, size and time of ours fits into 64 bits.
_LARGEST_NUMBER = 2**63 - 1
_MOST_DIGITS = 20
#: What a report takes of memory for each value of a record and for each byte of its text.
_VALUE_BYTES, _TEXT_BYTES = 100, 8


def objects(path: Path) -> Iterator[dict[str, Any]]:
    """The object of each whole line of ``path``; a last line that was cut off is left out.

    `RecordError` where the file is no regular one, has a line that is no JSON object, or is larger
    than a record can be, or than what the memory of this machine can take.
    """
    number, needed, room = 0, 0, _room()
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise RecordError(f"{path}: not a regular file")
            if status.st_size > _LARGEST_FILE:
                raise RecordError(f"{path} is larger than any record of aibench")
            while raw := file.readline(_LONGEST_LINE):
                number += 1
                if number > _MOST_LINES or len(raw) == _LONGEST_LINE:
                    raise RecordError(f"{path} is larger than any record of aibench")
                needed += _needed(raw)
                if needed > room:
                    raise RecordError(f"{path} is too large for the memory of this machine")
                try:
                    found = _parsed(raw)
                except ValueError as error:
                    if not raw.endswith(b"\n"):
                        return
                    what = f"line {number} is damaged: {error}"
                    raise RecordError(f"{path} is not a record: {what}") from error
                yield found
    except OSError as error:
        raise RecordError(f"{path}: {(error.strerror or 'unreadable').lower()}") from error


def _room() -> int:
    """Bytes of memory that reading and showing a record may take."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    free = available_memory()
    return free if limit == resource.RLIM_INFINITY else min(free, limit * 3 // 4)


def _needed(raw: bytes) -> int:
    """About how much memory a line takes, from its number of values and its length."""
    values = raw.count(b",") + raw.count(b"[") + raw.count(b"{")
    return values * _VALUE_BYTES + len(raw) * _TEXT_BYTES


def _parsed(raw: bytes) -> dict[str, Any]:
    """The object that one line is. ValueError says why it is none of ours."""
    try:
        value = json.loads(
            raw,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_refuse_constant,
        )
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError("it is no JSON") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    if len(raw) > _LONGEST_TEXT:
        _refuse_long_texts(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are there once: other readers would take another one of them."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it has a key twice")
    return found


def _refuse_long_texts(value: Any) -> None:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        raise ValueError("it has a text that is too long")
    if isinstance(value, dict):
        for key, part in value.items():
            _refuse_long_texts(key)
            _refuse_long_texts(part)
    elif isinstance(value, list):
        for part in value:
            _refuse_long_texts(part)


def _integer(digits: str) -> int:
    """A whole number of a size that a record can have; longer ones only cost time."""
    if len(digits) > _MOST_DIGITS or abs(number := int(digits)) > _LARGEST_NUMBER:
        raise ValueError("it has a number of too many digits")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number) or abs(number) > _LARGEST_NUMBER:
        raise ValueError("it has a number that is too large")
    return number


def _refuse_constant(name: str) -> None:
    """A missing number is null in a record: never NaN, never infinite."""
    raise ValueError(f"{name} is no number")
