"""What limited a phase: the plain answer, the figures that say so, and what to try next.

Everything here follows from the record alone, so that old records can be asked again.
"""

from aibench.insight.limiters import why
from aibench.insight.marks import limits

__all__ = ["limits", "why"]
