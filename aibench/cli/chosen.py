"""The claims and the system that options choose."""

from collections.abc import Sequence
from pathlib import Path

from aibench.definition.claims import load_claims, shipped_claims
from aibench.definition.system import load_system
from aibench.errors import Refused
from aibench.model import Claim, System


def chosen_claims(names: Sequence[str]) -> tuple[Claim, ...]:
    """All shipped claims, or those named by id or by file."""
    if not names:
        return shipped_claims()
    found: list[Claim] = []
    for name in names:
        if name.endswith(".toml") or "/" in name:
            found += load_claims(Path(name))
            continue
        fitting = [claim for claim in shipped_claims() if name in (claim.id, claim.vendor)]
        if not fitting:
            known = ", ".join(claim.id for claim in shipped_claims())
            raise Refused(f"no claim {name!r}; shipped: {known}; or give the path of a .toml file")
        found += fitting
    return tuple(found)


def chosen_system(path: str | None) -> System | None:
    """The system file, where one is given."""
    return None if path is None else load_system(Path(path))
