"""The levels of a sweep: which setting was set to what."""

from dataclasses import dataclass
from typing import Any

from aibench.units import exact_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One setting of a sweep and its ``value``: a count, or bytes where the ``unit`` is ``B``."""

    name: str
    value: int
    unit: str = ""

    def __post_init__(self) -> None:
        if self.unit not in ("", "B") or not 1 <= self.value < 2**63:
            raise ValueError(f"level {self.name!r}: a count or a size from 1 on")

    @property
    def printed(self) -> str:
        """``4``, or ``64KiB``: exact, and as it may be written on the command line."""
        return exact_size(self.value) if self.unit == "B" else str(self.value)

    def __str__(self) -> str:
        """``workers=4``."""
        return f"{self.name}={self.printed}"


def unswept(parts: dict[str, Any]) -> dict[str, Any]:
    """A phase as a dictionary without what only a sweep sets, where none did.

    So that a digest is that of the time when there were no sweeps.
    """
    for inner in (parts["saving"], parts["evaluation"]):
        if inner is not None:
            unswept(inner)
    for name in ("levels", "hosts"):
        if not parts[name]:
            del parts[name]
    return parts
