"""What a query of a vector index asks of the storage that the index is on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A walk over a graph on storage: ``hops``, one after the other, of ``beam`` reads at once.

    Each read is of one node, ``node_bytes`` anywhere in the ``nodes`` of the index, behind a first
    block of 4 KiB that tells what is in it.
    """

    nodes: int
    node_bytes: int
    hops: int
    beam: int

    def __post_init__(self) -> None:
        if min(self.nodes, self.node_bytes, self.hops, self.beam) < 1:
            raise ValueError("a search has nodes, and reads at least one of them")
