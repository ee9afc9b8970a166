"""Reads a TOML file into a schema: every mistake at once, each with its file, line and key.

A definition may come from anyone. Whatever it holds, it is read or refused in little time and
memory, and no text of it reaches a message with characters that a terminal would obey.
"""

import os
import re
import stat
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from aibench.errors import DefinitionError, Refused

#: A hundred times the largest definition that we ship.
_LARGEST_FILE = 256 * 2**10
#: The time and memory of ``tomllib`` grow with the square of the parts of a dotted key.
_MOST_DOTS = 100
_MOST_MISTAKES = 100
_LONGEST_SHOWN = 60
_HEADER = re.compile(r"[ \t]*+(\[\[?)([^\[\]]++)\]\]?[ \t]*+(?:#.*)?$")
_KEY = re.compile(r"[ \t]*+([A-Za-z0-9_\-\"'.]++)[ \t]*+=")
_BARE = re.compile(r"[A-Za-z0-9_-]{1,60}")

Schema = TypeVar("Schema", bound=BaseModel)


class Strict(BaseModel):
    """The base of all schemas: unknown keys are mistakes, values are not coerced silently."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, defer_build=True
    )


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """The content of ``path`` as a dictionary and as text.

    `Refused` where it is no readable regular file, `DefinitionError` where it is no TOML, too
    large or too deep.
    """
    where = printable(str(path))
    raw = _bytes_of(path, where)
    if len(raw) > _LARGEST_FILE:
        raise DefinitionError([f"{where}: larger than {_LARGEST_FILE} bytes"])
    try:
        text = raw.decode()
        return toml(text), text
    except ValueError as error:
        raise DefinitionError([f"{where}: {printable(str(error))}"]) from error


def _bytes_of(path: Path, where: str) -> bytes:
    """The file's content, or a byte more than the largest; no pipe or device is waited for."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Refused(f"{where}: not a regular file")
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            return file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise Refused(f"{where}: {(error.strerror or 'unreadable').lower()}") from error
    except ValueError as error:
        raise Refused(f"{where}: not a file name") from error


def toml(text: str) -> dict[str, Any]:
    """``text`` as TOML, in bounded time and memory. ValueError says what is wrong with it."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _MOST_DOTS:
            raise ValueError(f"more than {_MOST_DOTS} dots in a line (at line {number})")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:  # Python reads no number of more than 4300 digits
        raise ValueError("a number of too many digits") from error


def printable(text: str) -> str:
    """``text`` with an escape for each character that a terminal would obey or hide."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def parse(
    schema: type[Schema], data: Any, where: str, text: str = "", inside: tuple[str, ...] = ()
) -> Schema:
    """``data`` as ``schema``. `DefinitionError` lists every mistake.

    ``where`` names the source in messages; with its ``text`` the line is named too. ``inside``
    is the table of the file that ``data`` came from.
    """
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise DefinitionError(mistakes(error, schema, where, text, inside)) from error


def mistakes(
    error: ValidationError,
    schema: type[BaseModel],
    where: str,
    text: str = "",
    inside: tuple[str, ...] = (),
) -> list[str]:
    """One line for each mistake: place, key, what is wrong, what would be right."""
    found = error.errors(include_url=False)
    lines = []
    for detail in found[:_MOST_MISTAKES]:
        path = (*inside, *(str(part) for part in detail["loc"]))
        line = line_of(text, path)
        place = f"{printable(where)}:{line}" if line else printable(where)
        shown = ".".join(map(_shown_key, path)) or "file"
        lines.append(f"{place}: {shown}: {_sentence(dict(detail), schema)}")
    if len(found) > _MOST_MISTAKES:
        lines.append(f"{printable(where)}: and {len(found) - _MOST_MISTAKES} more mistakes")
    return lines


def _shown_key(part: str) -> str:
    return part if _BARE.fullmatch(part) else shown(part)


def shown(value: Any) -> str:
    """``value`` as a message shows it: on one line, and cut where it is long."""
    try:
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    except ValueError:  # Python prints no number of more than 4300 digits
        return "a number of too many digits"
    return printable(text[:_LONGEST_SHOWN])


def _sentence(detail: dict[str, Any], schema: type[BaseModel]) -> str:
    kind, message = detail["type"], str(detail["msg"])
    if kind == "extra_forbidden":
        known = ", ".join(
            sorted(field.alias or name for name, field in schema.model_fields.items())
        )
        deep = len(detail["loc"]) > 1
        return "unknown key" if deep else f"unknown key; known: {known}"
    if kind == "missing":
        return "is missing"
    if kind == "string_pattern_mismatch" and r"\p{Cc}" in message:
        return f"has control characters or direction marks: {shown(detail.get('input'))}"
    message = message.removeprefix("Value error, ")
    message = message.replace("Input should be", "has to be").replace("Input should", "has to")
    return f"{message}, not {shown(detail.get('input'))}" if "has to" in message else message


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line of ``text`` that sets the key ``path``, or its table's; None when not found."""
    keys, tables = _places(text)
    prefixes = [path[:length] for length in range(len(path) + 1)]
    if set_at := [keys[prefix] for prefix in prefixes if prefix in keys]:
        return min(set_at)
    return max((tables[prefix] for prefix in prefixes if prefix in tables), default=None)


@lru_cache(maxsize=4)
def _places(text: str) -> tuple[dict[tuple[str, ...], int], dict[tuple[str, ...], int]]:
    """The first line that sets each key, and the last header of each table."""
    keys: dict[tuple[str, ...], int] = {}
    tables: dict[tuple[str, ...], int] = {}
    current: tuple[str, ...] = ()
    seen: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line.rstrip("\r")):
            names = [part.strip().strip("\"'") for part in header.group(2).split(".")]
            current = _table(names, header.group(1) == "[[", seen)
            tables[current] = number
        elif key := _KEY.match(line):
            full = (*current, *(part.strip("\"'") for part in key.group(1).split(".")))
            keys.setdefault(full, number)
    return keys, tables


def _table(names: list[str], element: bool, seen: dict[tuple[str, ...], int]) -> tuple[str, ...]:
    """The path of a table with the indices of the arrays that it lies in; ``seen`` counts them."""
    path: tuple[str, ...] = ()
    for depth, name in enumerate(names, start=1):
        path = (*path, name)
        if element and depth == len(names):
            seen[path] = seen.get(path, -1) + 1
        if path in seen:
            path = (*path, str(seen[path]))
    return path
