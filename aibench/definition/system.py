"""The system file: what the user says the mount under test is."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from aibench.definition.fields import MOST_ENTRIES, Bytes, Count, Line, Rate
from aibench.definition.source import Strict, parse, read_toml
from aibench.model import System

Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]


class SystemSchema(Strict):
    """The keys of a system file; sizes and rates are text with their unit."""

    vendor: Line
    product: Line
    version: Line | None = None
    unit: Line
    units: Count
    unit_definition: Line | None = None
    nodes: Count | None = None
    nics: Count | None = None
    nic_rate: Rate | None = None
    drives: Count | None = None
    protection: Line | None = None
    server_cache: Bytes | None = None
    rack_units: Positive | None = None
    power_watts: Positive | None = None
    price: Positive | None = None
    currency: Line | None = None
    extra: dict[Line, Line] = Field(default_factory=dict, max_length=MOST_ENTRIES)


def load_system(path: Path) -> System:
    """The system that the file ``path`` describes, with the digest of what it says.

    The digest is the SHA-256 of the canonical JSON of all values in base units: equal for files
    that say the same, in whatever order and with whatever prefixes. `DefinitionError` lists
    every mistake with its line.
    """
    data, text = read_toml(path)
    told = parse(SystemSchema, data, str(path), text).model_dump(exclude_none=True)
    return System(digest=_digest(told), **_renamed(told))


def _renamed(told: dict[str, Any]) -> dict[str, Any]:
    return {("server_cache_bytes" if key == "server_cache" else key): v for key, v in told.items()}


def _digest(told: dict[str, Any]) -> str:
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
