"""Field types for schemas: text with units in the file, integers in base units inside."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from aibench.units import parse_duration, parse_rate, parse_size

#: No list of a definition needs more entries.
MOST_ENTRIES = 64


def _with_unit(parse: Any, example: str) -> BeforeValidator:
    def convert(value: Any) -> int:
        if not isinstance(value, str):
            raise ValueError(f"needs a unit: write it as text, for example {example!r}")
        return int(parse(value))

    return BeforeValidator(convert)


#: ``"4KiB"`` -> 4096 bytes.
Bytes = Annotated[int, _with_unit(parse_size, "4KiB"), Field(ge=0)]
#: ``"400GB/s"`` -> bytes per second.
Rate = Annotated[int, _with_unit(parse_rate, "20GB/s"), Field(gt=0)]
#: ``"5s"`` -> nanoseconds.
Duration = Annotated[int, _with_unit(parse_duration, "5s"), Field(ge=0)]
#: A whole number of at least 1.
Count = Annotated[int, Field(ge=1, le=10**12, strict=True)]
#: A name that is safe in paths, records and terminals.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
#: One line of text without characters that a terminal obeys or hides (controls, direction marks).
Line = Annotated[
    str, StringConstraints(min_length=1, max_length=400, pattern=r"^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$")
]
#: The same for longer text, which may have tabs and line feeds.
Text = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=2000, pattern=r"^(?:[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|[\t\n])*$"
    ),
]
