"""Holds the runs of several targets against each other: a pure function of their records."""

from aibench.compare.comparing import compare
from aibench.compare.rules import Entrant, Rules

__all__ = ["Entrant", "Rules", "compare"]
