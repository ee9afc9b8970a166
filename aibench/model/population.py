"""A set of files, whose names, sizes and contents follow from it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Sizes in bytes: ``fixed`` at ``mean``, ``lognormal`` with that mean, or ``listed``.

    ``sigma`` is the standard deviation of the natural logarithm. The distribution is cut at
    ``smallest`` and ``largest``; the arithmetic mean holds after the cut. A list has pairs of a
    count and a size, in the order of the samples.
    """

    distribution: str
    mean: int
    sigma: float = 0.0
    smallest: int = 1
    largest: int = 2**40
    listed: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.distribution not in ("fixed", "lognormal", "listed"):
            raise ValueError(f"no size distribution {self.distribution!r}")
        if not 0 <= self.smallest <= self.mean <= self.largest:
            raise ValueError("sizes need smallest <= mean <= largest")
        if (self.distribution == "listed") != bool(self.listed):
            raise ValueError("a list of sizes belongs to the distribution 'listed'")
        if any(count < 1 or size < 0 for count, size in self.listed):
            raise ValueError("a list has counts from 1 and sizes from 0 on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """A set of files under the workspace: names and contents follow from the index and the seed.

    ``directory`` is relative to the workspace. ``persistent`` data stays for the next run with
    an equal digest; the rest is removed at the end. ``sizes`` are those of the samples, of which
    each file holds ``samples_per_file`` in the way of its ``format``; where they are documents of
    tokens, a token has ``token_bytes``. ``tensors`` are sizes that repeat: of those into which the
    shards of a checkpoint are cut; ``columns`` are the bytes of one row of each of them, where they
    are split by columns, and 0 where by rows.
    """

    directory: str
    files: int
    sizes: Sizes
    seed: int
    files_per_directory: int = 1000
    persistent: bool = True
    format: str = "files"
    samples_per_file: int = 1
    token_bytes: int = 2
    tensors: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if min(self.files, self.files_per_directory, self.samples_per_file) < 1:
            raise ValueError(
                "a population has at least one file, one file a directory and one sample a file"
            )
        if self.format == "files" and self.samples_per_file != 1:
            raise ValueError("a plain file holds one sample")
        if any(size < 1 for size in self.tensors):
            raise ValueError("a tensor has at least one byte")
        if self.columns and len(self.columns) != len(self.tensors):
            raise ValueError("each tensor is split by its rows or by its columns")
        listed = sum(count for count, _ in self.sizes.listed)
        if listed and listed != self.samples:
            raise ValueError(f"{listed} sizes are listed for {self.samples} samples")

    @property
    def samples(self) -> int:
        """How many samples all files hold."""
        return self.files * self.samples_per_file

    @property
    def digest(self) -> str:
        """Equal for populations with the same names, sizes and contents, wherever they lie."""
        parts = asdict(self)
        del parts["directory"], parts["persistent"]
        if not self.columns:
            del parts["columns"]
        return digest(parts)


def digest(parts: Mapping[str, Any]) -> str:
    """Equal for equal values, in every process."""
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
