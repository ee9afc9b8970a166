"""Accelerators that are emulated: what they take, and how long they compute with it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerators:
    """``count`` accelerators, each fed by ``loaders`` that read whole batches in turn.

    A loader reads one batch at a time, and at most ``prefetch`` of its batches wait to be taken.
    Computing with a batch takes ``compute_ns``: always, or in the mean of a lognormal distribution
    whose logarithm has the standard deviation ``sigma``. With a ``barrier`` all accelerators end a
    step together. ``steps`` bounds the steps of each; 0: an epoch. ``decode_ns`` is the time of one
    core that a loader spends on each sample. From a utilisation of ``bar`` on, accelerators count
    as fed.
    """

    count: int
    loaders: int
    compute_ns: int
    prefetch: int = 2
    sigma: float = 0.0
    barrier: bool = True
    steps: int = 0
    decode_ns: int = 0
    bar: float = 0.9

    def __post_init__(self) -> None:
        if min(self.count, self.loaders, self.prefetch) < 1:
            raise ValueError("accelerators, their loaders and their prefetch are at least 1")
        if min(self.compute_ns, self.sigma, self.steps, self.decode_ns) < 0:
            raise ValueError("times and steps of accelerators are never negative")

    @property
    def seats(self) -> int:
        """How many loaders there are for all of them."""
        return self.count * self.loaders
