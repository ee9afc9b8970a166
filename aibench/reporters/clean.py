"""Makes record text safe to show: a path, a quote or a tool's output may hold anything."""

import unicodedata
from typing import Any

#: Stands for a character that is not shown.
REPLACEMENT = "\ufffd"
#: Controls, invisible and direction-changing marks, lone surrogates, unassigned code points.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


def clean(text: str) -> str:
    """``text`` in one line with no character that a terminal or a browser would obey.

    White space becomes a space; other control, format and surrogate characters become ``�``.
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def clean_block(text: str) -> str:
    """As `clean`, but line ends stay: for job files."""
    return "\n".join(clean(line) for line in text.splitlines())


def cleaned(value: Any) -> Any:
    """A document in which every text, keys included, went through `clean`.

    Texts under the key ``job`` keep their line ends.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {
            clean(key): clean_block(part)
            if key == "job" and isinstance(part, str)
            else cleaned(part)
            for key, part in value.items()
        }
    if isinstance(value, list):
        if value and all(isinstance(part, int | float) for part in value):
            return value
        return [cleaned(part) for part in value]
    return value


def _shown(character: str) -> str:
    if character in "\t\n\r\v\f\x85\u2028\u2029":
        return " "
    return REPLACEMENT if unicodedata.category(character) in _HIDDEN else character
