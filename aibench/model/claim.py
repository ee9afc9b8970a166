"""What a vendor says, what the system under test is, and what becomes of the two."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aibench.model.sample import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The user's description of what is being judged; hashed into the record as ``digest``.

    ``units`` is how many of ``unit`` (as ``unit_definition`` defines it) the mount is served by.
    Rates are in bytes per second. ``extra`` keeps what else the user tells.
    """

    vendor: str
    product: str
    unit: str
    units: int
    digest: str
    unit_definition: str = ""
    version: str = ""
    nodes: int | None = None
    nics: int | None = None
    nic_rate: int | None = None
    drives: int | None = None
    protection: str = ""
    server_cache_bytes: int | None = None
    rack_units: float | None = None
    power_watts: float | None = None
    price: float | None = None
    currency: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpretation:
    """One way to read a claim: a value in the claim's base unit, and why it can be read so."""

    id: str
    value: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A vendor's figure as printed, and how it can be tested.

    ``metric`` names the metric that decides (`metrics`), ``unit`` its base unit (``B/s``,
    ``op/s``), ``direction`` is ``>=`` or ``<=``. ``scope`` is the unit that the figure is for
    (``chassis``, ``node``). ``phases`` are the (kind of workload, phase) pairs that test it.
    ``unstated`` lists the conditions that the source leaves out.
    """

    id: str
    title: str
    vendor: str
    product: str
    quote: str
    source: str
    date: str
    metric: str
    direction: str
    unit_as_printed: str
    unit: str
    scope: str
    interpretations: tuple[Interpretation, ...]
    phases: tuple[tuple[str, str], ...]
    unit_definition: str = ""
    configuration: str = ""
    tolerance: float = 0.05
    smallest_n: int = 3
    stated: tuple[str, ...] = ()
    unstated: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    untestable_part: str = ""
    origin: str = ""


class Status(StrEnum):
    """What can be said of a claim on this rig."""

    MET = "MET"
    NOT_MET = "NOT_MET"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_TESTABLE_HERE = "NOT_TESTABLE_HERE"
    REFERENCE_ONLY = "REFERENCE_ONLY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A typical value with its 95 % interval, from ``n`` runs, in the base unit.

    ``low`` and ``high`` are None where there are too few runs for an interval. ``worst`` is the
    worst single run. ``method`` names the interval.
    """

    typical: float
    low: float | None
    high: float | None
    n: int
    worst: float
    best: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One claim, one interpretation, one answer.

    ``measured`` is per unit of the claim's scope; ``bound`` is the value after the tolerance,
    ``margin`` is typical over claimed. ``reasons`` have stable codes; ``next_step`` says what
    would change the verdict.
    """

    claim: Claim
    interpretation: Interpretation
    status: Status
    reasons: tuple[Finding, ...] = ()
    workload: str | None = None
    phase: str | None = None
    measured: Estimate | None = None
    aggregate: Estimate | None = None
    bound: float | None = None
    margin: float | None = None
    next_step: str = ""
