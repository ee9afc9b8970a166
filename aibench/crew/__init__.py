"""Ranks that measure together: what each does of what rank 0 asks for, and whether they fit."""

from aibench.crew.member import Member, Order, ask, obey
from aibench.crew.orders import Calibrate, Found, Generate, Measure, WarmUp

__all__ = [
    "Calibrate",
    "Found",
    "Generate",
    "Measure",
    "Member",
    "Order",
    "WarmUp",
    "ask",
    "obey",
]
