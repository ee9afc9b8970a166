"""A tidy table of all figures as comma-separated values: a row for each repeat of each figure."""

from typing import Any

from aibench import frames
from aibench.reporters.clean import cleaned

#: What a spreadsheet takes for the begin of a formula.
_FORMULA = ("=", "+", "-", "@")


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` as CSV with a header line; base units, missing values left out.

    A text that a spreadsheet would take for a formula begins with a quote mark. ``width`` and
    ``color`` have no meaning here.
    """
    del width, color
    table = frames.figures([cleaned(document)])
    for name in table.columns:
        if name != "value":
            table[name] = table[name].map(_harmless)
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text


def _harmless(value: Any) -> Any:
    dangerous = isinstance(value, str) and value.startswith(_FORMULA)
    return f"'{value}" if dangerous else value
