"""Noise floors beside the records: by how much a mount differs from itself, found by a duel.

One JSON file in the directory of records, replaced whole, with the last floor of each figure.
"""

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from aibench.errors import RecordError, RunFailed
from aibench.model.comparison import NoiseFloor

FILE = "noise-floors.json"
FORMAT = 1
_LARGEST = 2**24


@cache
def _floors() -> TypeAdapter[tuple[NoiseFloor, ...]]:
    return TypeAdapter(tuple[NoiseFloor, ...])


def read(directory: str) -> tuple[NoiseFloor, ...]:
    """The floors that are known in ``directory``; none where there is no file.

    `RecordError` where the file is not one of ours.
    """
    path = os.path.join(directory, FILE)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise ValueError("it is too large")
        told = json.loads(text)
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise ValueError(f"it is not of format {FORMAT}")
        found = _floors().validate_python(told.get("floors"))
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part)[:60] for part in first["loc"])
        raise RecordError(f"{path} is damaged: {place}: {first['msg']}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path} can't be read: {error}; move it away") from error
    if any(not 0 <= floor.log_ratio < 100 for floor in found):
        raise RecordError(f"{path} is damaged: a floor is no logarithm of a ratio; move it away")
    return found


def by_figure(floors: Iterable[NoiseFloor]) -> Mapping[tuple[str, str], float]:
    """The floors as logarithms, by the key of the series and the metric."""
    return {(floor.series, floor.metric): floor.log_ratio for floor in floors}


def keep(directory: str, floors: Iterable[NoiseFloor]) -> str:
    """Add ``floors`` to those in ``directory``, in the place of older ones; the file's path."""
    known = {(each.series, each.metric): each for each in (*read(directory), *floors)}
    path = os.path.join(directory, FILE)
    content = {"format": FORMAT, "floors": [asdict(each) for each in known.values()]}
    _replace(path, content)
    return path


def _replace(path: str, content: dict[str, Any]) -> None:
    temporary = f"{path}.{secrets.token_hex(4)}"
    try:
        try:
            with open(temporary, "x", encoding="utf-8") as file:
                json.dump(content, file, indent=1, allow_nan=False)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise RunFailed(f"{path} can't be written: {why}") from error
