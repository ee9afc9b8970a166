"""Claim files: TOML with a table for each claim, every mistake at once with file and line."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from aibench.definition import library
from aibench.definition.claim import ClaimSchema
from aibench.definition.source import Strict, line_of, parse, printable, read_toml, shown
from aibench.errors import DefinitionError
from aibench.model import Claim

#: Each phase of each claim is judged on its own, and each mistake is listed.
_MOST_CLAIMS = 200


class ClaimsFile(Strict):
    """A claim file: nothing but ``[[claims]]`` tables."""

    claims: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=_MOST_CLAIMS)]


class _Described(Strict):
    """A claim file: ``[[claims]]`` tables, each one figure or statement of a vendor."""

    claims: Annotated[tuple[ClaimSchema, ...], Field(min_length=1, max_length=_MOST_CLAIMS)]


def load_claims(path: Path) -> tuple[Claim, ...]:
    """The claims of the file ``path``, in its order.

    `DefinitionError` lists every mistake of every claim, each with its file, line and key.
    """
    data, text = read_toml(path)
    tables = parse(ClaimsFile, data, str(path), text).claims
    claims: list[Claim] = []
    mistakes: list[str] = []
    for number, table in enumerate(tables):
        inside = ("claims", str(number))
        try:
            schema = parse(ClaimSchema, table, str(path), text, inside)
        except DefinitionError as error:
            mistakes += error.mistakes
        else:
            claims.append(schema.claim(path.name))
    mistakes += _repeated(tables, path, text)
    if mistakes:
        raise DefinitionError(mistakes)
    return tuple(claims)


@cache
def shipped_claims() -> tuple[Claim, ...]:
    """All claims that come with aibench, by file."""
    return tuple(claim for path in library.files("claims") for claim in load_claims(path))


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a claim file, with which editors check it.

    It says less than `load_claims` does: not whether a value fits its unit.
    """
    schema: dict[str, Any] = _for_editors(_Described.model_json_schema(by_alias=True))
    claim = schema["$defs"]["ClaimSchema"]
    claim["required"] = [name for name in claim["required"] if name not in ("kind", "testability")]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _for_editors(part: Any) -> Any:
    """``part`` without patterns that only some editors read: those with Unicode classes."""
    if isinstance(part, list):
        return [_for_editors(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _for_editors(value)
        for key, value in part.items()
        if not (key == "pattern" and isinstance(value, str) and "\\p{" in value)
    }


def _repeated(tables: Sequence[dict[str, Any]], path: Path, text: str) -> list[str]:
    seen: dict[Any, int] = {}
    found = []
    for number, table in enumerate(tables):
        name = table.get("id")
        if isinstance(name, str) and name in seen:
            line = line_of(text, ("claims", str(number), "id"))
            place = printable(f"{path}:{line}" if line else str(path))
            found.append(
                f"{place}: claims.{number}.id: {shown(name)} is already claim {seen[name]}"
            )
        seen.setdefault(name if isinstance(name, str) else number, number)
    return found
