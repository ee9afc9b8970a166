"""Many processes on many hosts that measure together: where each is, and how they meet."""

from aibench.world.world import Alone, Clock, Place, World

__all__ = ["Alone", "Clock", "Place", "World"]
