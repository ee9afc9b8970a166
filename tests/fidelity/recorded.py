"""What the real libraries did, as it was recorded: summaries of `strace`, by phase."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parent.parent / "data" / "io_patterns"


def recorded(name: str, phase: str) -> dict[str, Any]:
    """One phase of a recorded trace."""
    found: dict[str, Any] = json.loads((_DATA / f"{name}.json").read_text())["phases"][phase]
    return found


def sizes(top: Mapping[str, int]) -> Counter[int]:
    """How often each size occurred; ``256K`` is 256 KiB."""
    units = {"K": 2**10, "M": 2**20}
    return Counter(
        {int(text.rstrip("KM")) * units.get(text[-1], 1): count for text, count in top.items()}
    )


def words(lifecycle: str) -> list[str]:
    """The names of the calls in a lifecycle, in order, without arguments and results."""
    return [step.strip().partition("(")[0] for step in lifecycle.split(";")]
