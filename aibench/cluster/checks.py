"""What a number has to be before a formula sees it."""

import math

from aibench.errors import Refused


def above_zero(**values: float) -> None:
    """`Refused` names the first of ``values`` that is not a finite number above 0."""
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise Refused(f"{name} has to be a finite number above 0, not {value}")


def not_negative(**values: float) -> None:
    """`Refused` names the first of ``values`` that is not a finite number of 0 or more."""
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise Refused(f"{name} has to be a finite number of 0 or more, not {value}")


def shares(**values: float) -> None:
    """`Refused` names the first of ``values`` that is not above 0 and at most 1."""
    for name, value in values.items():
        if not 0 < value <= 1:
            raise Refused(f"{name} is a share, above 0 and at most 1, not {value}")
