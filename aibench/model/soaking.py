"""What a soak does besides reading, and how much of what fails it bears."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """Each thread of control saves a shard every ``every_ns``, all at the same times.

    ``most_errors`` is how many operations of one thread of control may fail before it gives up.
    """

    every_ns: int
    most_errors: int

    def __post_init__(self) -> None:
        if self.every_ns < 1 or self.most_errors < 0:
            raise ValueError("a soak saves from time to time, and bears no less than no error")
