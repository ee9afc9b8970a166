"""Reads the small files in which the kernel says how things are; what is missing is None."""

import os
import re
from collections.abc import Iterator

_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")


def whole(word: str) -> int | None:
    """``word`` as the number that it is in ASCII digits; None where it is none, or a longer one."""
    return int(word) if _WHOLE.fullmatch(word) else None


def text(path: str) -> str | None:
    """The content of ``path`` without surrounding white space; None where it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


def integer(path: str) -> int | None:
    """The whole number that ``path`` holds; None where there is none."""
    return whole(text(path) or "")


def chosen(path: str) -> str | None:
    """The choice in brackets, such as ``madvise`` in ``always [madvise] never``."""
    content = text(path) or ""
    before, _, rest = content.partition("[")
    return rest.partition("]")[0] or before.strip() or None


def fields(path: str) -> dict[str, int]:
    """The numbers of a file of ``name value`` or ``name: value kB`` lines; kB become bytes."""
    values = {}
    for line in (text(path) or "").splitlines():
        name, *rest = line.replace(":", " ").split()[:3] or [""]
        if rest and rest[0].isdigit() and (value := whole(rest[0])) is not None:
            values[name] = value * (1024 if rest[1:] == ["kB"] else 1)
    return values


def names(path: str) -> Iterator[str]:
    """The names in the directory ``path`` in order; none where it can't be read."""
    try:
        yield from sorted(os.listdir(path))
    except OSError:
        return
