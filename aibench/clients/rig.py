"""What one client can do, and which workload tests a claim: all that the arithmetic is fed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The share of a link's rate that carries data. TCP leaves 1448 of 1538 bytes on the wire to its
#: user at an MTU of 1500 (0.94); RPC and what a busy fabric loses take the rest. An assumption.
EFFICIENCY = 0.9
#: Operations a second of one core where nothing was measured: loaders of small files start 105 to
#: 160 thousand a second in a process of their own with no I/O behind them.
ASSUMED_OPERATIONS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What data of one client come over: bytes per second in one direction, and who says so.

    ``rate`` is None where nobody does.
    """

    rate: float | None
    source: str

    @property
    def useful(self) -> float | None:
        """Bytes of data per second that it carries."""
        return None if self.rate is None else self.rate * EFFICIENCY


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """Operations a second that one client starts with no I/O behind them.

    ``source`` is ``given``, ``measured`` or ``assumed``.
    """

    operations: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client; all others are taken to be like it. ``ceilings`` are by kind and phase."""

    link: Link
    cores: int
    memory_bytes: int | None
    ceilings: Mapping[tuple[str, str], Ceiling] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The workload and phase that test a claim, as one client is asked for them.

    An operation moves ``operation_bytes`` in the mean. ``files`` are those of one client where
    each has its own (``each_client``), else of all together, of ``file_bytes`` each. ``runtime_ns``
    bounds a run; 0 where it ends with the data. ``accelerator_rate`` is what one emulated
    accelerator takes at most, in bytes per second, ``accelerators`` are their numbers.
    """

    workload: str
    kind: str
    phase: str
    operation_bytes: int
    files: int
    file_bytes: int
    writes: bool = False
    each_client: bool = False
    runtime_ns: int = 0
    accelerator_rate: float | None = None
    accelerators: tuple[int, ...] = ()
