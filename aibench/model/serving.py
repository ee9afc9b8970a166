"""What an inference server asks of the storage that holds its KV cache."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Requests for blocks of a KV cache: each file is a block.

    A request needs so many blocks as one of ``requests``, pairs of the fewest and the most, allows;
    all pairs and all numbers between are equally likely. The share ``hits`` of the blocks is found
    and read, in the mean; the others are computed, and written in the place of older ones.
    """

    hits: float
    requests: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not 0 < self.hits <= 1:
            raise ValueError("the hit ratio is above 0 and at most 1")
        if not self.requests or any(not 1 <= few <= most for few, most in self.requests):
            raise ValueError("a request needs at least one block")
