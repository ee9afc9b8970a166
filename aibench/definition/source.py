"""Reads a TOML file into a schema: every mistake at once, each with its file, line and key."""

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from aibench.errors import DefinitionError, Refused

_LARGEST_FILE = 4 * 2**20

Schema = TypeVar("Schema", bound=BaseModel)


class Strict(BaseModel):
    """The base of all schemas: unknown keys are mistakes, values are not coerced silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """The content of ``path`` as a dictionary and as text."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: {(error.strerror or 'unreadable').lower()}") from error
    if len(raw) > _LARGEST_FILE:
        raise DefinitionError([f"{path}: larger than {_LARGEST_FILE} bytes"])
    try:
        text = raw.decode()
        return tomllib.loads(text), text
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DefinitionError([f"{path}: {error}"]) from error


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
    lines = []
    for detail in error.errors(include_url=False):
        path = (*inside, *(str(part) for part in detail["loc"]))
        line = line_of(text, path)
        place = f"{where}:{line}" if line else where
        lines.append(f"{place}: {'.'.join(path) or 'file'}: {_sentence(dict(detail), schema)}")
    return lines


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
    message = message.removeprefix("Value error, ")
    message = message.replace("Input should be", "has to be").replace("Input should", "has to")
    value = repr(detail.get("input"))
    return f"{message}, not {value[:60]}" if "has to" in message else message


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line of ``text`` that sets the key ``path``, or its table's; None when not found."""
    current: tuple[str, ...] = ()
    best: int | None = None
    seen: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*(\[{1,2})\s*([^\[\]]+?)\s*\]{1,2}\s*(#.*)?$", line):
            names = [part.strip().strip("\"'") for part in header.group(2).split(".")]
            current = _table(names, header.group(1) == "[[", seen)
            if current == path[: len(current)]:
                best = number
        elif key := re.match(r"\s*([A-Za-z0-9_\-\"'.]+)\s*=", line):
            full = (*current, *(part.strip("\"'") for part in key.group(1).split(".")))
            if full == path[: len(full)]:
                return number
    return best


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
