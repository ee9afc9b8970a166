"""What others measured, promise or advise: context beside a claim, and never a verdict."""

from dataclasses import dataclass
from enum import StrEnum


class ReferenceClass(StrEnum):
    """What kind of word a figure is, from the most to the least checked."""

    VERIFIED_BENCHMARK = "verified benchmark"
    VENDOR_DATASHEET = "vendor datasheet"
    PAPER = "paper"
    GUIDELINE = "guideline"
    RULE_OF_THUMB = "rule of thumb"


class Confidence(StrEnum):
    """How the figure came here: read in its source, derived from one, or not checked again."""

    READ = "read"
    DERIVED = "derived"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One public figure in its base ``unit``, what it is of (``system``) and where it stands.

    ``value`` is None for what is no figure: the effect of an option. ``up_to`` is the upper end of
    a range. ``quantity`` is the metric that it can stand beside; the value is that of ``units`` of
    ``scope`` together (2 of a controller, 1 of a cluster). ``claims`` names the claims that it
    tells something about. ``note`` says with what it may be compared.
    """

    id: str
    kind: ReferenceClass
    system: str
    what: str
    quantity: str
    unit: str
    scope: str
    source: str
    year: int | None
    confidence: Confidence
    note: str
    units: int = 1
    value: float | None = None
    up_to: float | None = None
    trademark: str = ""
    claims: tuple[str, ...] = ()
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One row of a sizing guideline: what ``nodes`` with ``accelerators`` in all shall get.

    ``read`` and ``write`` are bytes per second for all of them together.
    """

    id: str
    guideline: str
    tier: str
    suits: str
    scope: str
    nodes: int
    accelerators: int
    read: int
    write: int
    source: str
    year: int
    note: str
    origin: str = ""
