"""Many processes on many hosts that measure together: where each is, and how they meet."""

from aibench.world.standing import fail, here, kernels, library, loss, notes
from aibench.world.world import Alone, Clock, Place, World

__all__ = [
    "Alone",
    "Clock",
    "Place",
    "World",
    "fail",
    "here",
    "kernels",
    "library",
    "loss",
    "notes",
]
