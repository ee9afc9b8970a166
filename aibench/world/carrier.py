"""What brings frames from rank to rank: MPI, or sockets where tests play all ranks."""

from typing import Protocol

from aibench.world.frames import Frame


class Carrier(Protocol):
    """Takes bytes from rank to rank, in order between any two; no call of it waits."""

    rank: int
    size: int

    def send(self, rank: int, data: bytes) -> None:
        """Put ``data`` on its way to ``rank``."""

    def receive(self) -> list[tuple[int, bytearray]]:
        """What has come, with the rank that it is from."""

    def lost(self) -> list[tuple[int, str]]:
        """The ranks that could not be reached since the last call, and why."""


def frames(carrier: Carrier) -> list[tuple[int, Frame]]:
    """The frames that have come, with the ranks that they are from."""
    return [(rank, Frame.unpacked(data)) for rank, data in carrier.receive()]
