"""No launch of these tests leaves memory behind."""

from tests.labs.memory import no_segments_left

__all__ = ["no_segments_left"]
