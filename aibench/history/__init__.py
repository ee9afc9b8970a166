"""Runs over time: what each one adds to which series, and whether the newest is like the others."""

from aibench.history.bounds import Bound, bound, held
from aibench.history.gate import Rules, check
from aibench.history.levels import Level, levels
from aibench.history.sessions import CONFIRMS, DUEL, FORMAT, histories, rows
from aibench.history.trends import Trend, trend

__all__ = [
    "CONFIRMS",
    "DUEL",
    "FORMAT",
    "Bound",
    "Level",
    "Rules",
    "Trend",
    "bound",
    "check",
    "held",
    "histories",
    "levels",
    "rows",
    "trend",
]
