"""What a resume needs of a checkpoint, and what comes between that and the first training step."""

from dataclasses import dataclass
from enum import StrEnum

from aibench.model.population import Population


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What a rank needs of one shard: of some of its bytes, a part of each tensor.

    Bytes count from the first one of its tensors, which follow one another, from ``begin`` to
    before ``end``. Of each tensor it is the part from ``first`` to before ``last`` of ``parts``
    equal ones: of its rows, or of its columns where tensors are split by those.
    """

    file: int
    begin: int
    end: int
    first: int = 0
    last: int = 1
    parts: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.begin <= self.end or not 0 <= self.first < self.last <= self.parts:
            raise ValueError("a slice ends after it begins, and has some of the parts of a tensor")


class Indexing(StrEnum):
    """How a trainer learns what its data set holds.

    ``list``: it lists all directories. ``stat``: it asks for each file besides. ``read``: it reads
    the index beside each file.
    """

    LIST = "list"
    STAT = "stat"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What each rank does after it has its checkpoint: learn of its data, then read one batch."""

    population: Population
    indexing: Indexing
    reader: str
    batch: int
    window: int = 0
    shuffled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """From the start to the first batch of samples.

    ``slices`` are what each thread of control needs, in the order of their files; nothing where
    those are whole files. ``needed_bytes`` is the size of what all need together. ``passes_on``:
    one thread of control reads and the others wait for it. Without a ``dataset`` all ends with the
    checkpoint.
    """

    slices: tuple[tuple[Slice, ...], ...] = ()
    needed_bytes: int = 0
    passes_on: bool = False
    dataset: Dataset | None = None
