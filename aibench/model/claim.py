"""What a vendor says, and what the system under test is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


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


class ClaimKind(StrEnum):
    """What sort of statement a claim is; it decides how the claim is judged.

    ``ratio`` compares with a baseline, ``scaling`` tells how a rate grows with the number of
    units, ``functional`` is about right or wrong bytes. The others name what is measured.
    """

    BANDWIDTH = "bandwidth"
    IOPS = "iops"
    LATENCY = "latency"
    DURATION = "duration"
    UTILISATION = "utilisation"
    CAPACITY = "capacity"
    RATIO = "ratio"
    SCALING = "scaling"
    FUNCTIONAL = "functional"
    CAPABILITY = "capability"
    QUALITATIVE = "qualitative"
    FACT = "fact"


class Means(StrEnum):
    """By what means a benchmark of a filesystem can test a claim, if at all.

    ``direct``: on one mount. ``comparison``: with a measured baseline, or at several sizes.
    ``model``: only the effect on a cluster that a model projects from measurements. ``never``.
    """

    DIRECT = "direct"
    COMPARISON = "comparison"
    MODEL = "model"
    NEVER = "never"


class BaselineSource(StrEnum):
    """Where the other side of a ratio comes from.

    ``records``: runs on another system. ``first-epoch``: the first epoch of the same run, against
    its later ones. ``packed-shards``: the same bytes packed in shards, in the same run.
    """

    RECORDS = "records"
    FIRST_EPOCH = "first-epoch"
    PACKED_SHARDS = "packed-shards"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a ratio is over. ``named`` says whether the source names it; most do not.

    ``value`` in ``unit`` is the baseline's own figure where the source prints it.
    """

    source: BaselineSource = BaselineSource.RECORDS
    named: bool = False
    description: str = ""
    value: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The I/O that the source states; empty or None where it does not. ``block`` is in bytes."""

    pattern: str = ""
    op: str = ""
    block: int | None = None
    mix: str = ""
    sync: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterModel:
    """The model that a claim on a cluster is held against: its name and what it is fed.

    ``inputs`` names what is measured, ``assumed`` gives values for the rest in base units: a
    number, or the lowest and the highest one.
    """

    name: str
    inputs: tuple[str, ...] = ()
    assumed: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpretation:
    """One way to read a claim: a value in the claim's base unit, and why it can be read so.

    ``value`` is None where the source prints no number. What else is set replaces what the claim
    says: two readings may differ in what is measured.
    """

    id: str
    value: float | None
    note: str = ""
    metric: str | None = None
    direction: str | None = None
    unit: str | None = None
    phases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A vendor's figure as printed, and how it can be tested.

    ``metric`` names the metric that decides (`metrics`), ``unit`` the base unit of the value:
    ``B/s``, ``op/s``, ``B``, ``ns``, ``share``, ``1`` for a plain number or a ratio, ``points``
    for a difference of shares in percentage points. ``direction`` is ``>=`` or ``<=``. With ``>=``
    a ratio is one of speeds, so that times count as their inverse; with ``<=`` it is one of the
    metric itself.

    ``scope`` is the unit that the figure is for (``chassis``, ``node``); where ``whole_system``,
    it is for all ``units_in_max_config`` of them together. ``phases`` are the (kind of workload,
    phase) pairs that test it; a phase that ends in ``*`` stands for all that begin so. ``axis``
    is what grows in a claim on scaling: ``units``, ``clients``, ``accelerators`` or ``workers``.

    ``quote`` is verbatim, ``other_quotes`` are other wordings of the same source. ``percentile``
    is the one that the source states. ``untestable`` is the reason code of a claim that no
    benchmark of a filesystem can test, ``needs`` are the codes of what a rig must have.
    ``stated`` and ``unstated`` list conditions, ``defects`` what is wrong with the source.
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
    kind: ClaimKind = ClaimKind.BANDWIDTH
    testability: Means = Means.DIRECT
    value_as_printed: str = ""
    unit_definition: str = ""
    configuration: str = ""
    version: str = ""
    source_kind: str = "press"
    url: str = ""
    lang: str = ""
    other_quotes: tuple[str, ...] = ()
    distortion: str = "none"
    distortion_note: str = ""
    bound: str = "typical"
    percentile: float | None = None
    conditions: Conditions = field(default_factory=Conditions)
    units_in_max_config: int | None = None
    whole_system: bool = False
    baseline: Baseline | None = None
    axis: str = "units"
    model: ClusterModel | None = None
    normalise: str = ""
    proxy: str = ""
    needs: tuple[str, ...] = ()
    untestable: str = ""
    untestable_part: str = ""
    related: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    tolerance: float = 0.05
    smallest_n: int = 3
    stated: tuple[str, ...] = ()
    unstated: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    origin: str = ""

    def under(self, reading: Interpretation) -> "Claim":
        """The claim as ``reading`` reads it: what the reading does not set stays."""
        return replace(
            self,
            metric=reading.metric or self.metric,
            direction=reading.direction or self.direction,
            unit=reading.unit or self.unit,
            phases=reading.phases or self.phases,
        )
