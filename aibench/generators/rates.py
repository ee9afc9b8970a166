"""Rates at which operations are offered, whether or not those before are done."""

import math
from typing import Annotated

from pydantic import AfterValidator

from aibench.errors import UnitError
from aibench.units import parse_rate


def offered(text: str, size: int) -> float:
    """Samples a second in ``500op/s``, or in ``200MB/s`` of samples of ``size`` bytes.

    `errors.UnitError` for anything else.
    """
    if not text.endswith("op/s"):
        return parse_rate(text) / size
    try:
        rate = float(text.removesuffix("op/s"))
    except ValueError:
        rate = 0.0
    if not 0 < rate < math.inf:
        raise UnitError(f"{text!r} is not a rate; write for example '500op/s' or '200MB/s'")
    return rate


def _are_rates(given: tuple[str, ...]) -> tuple[str, ...]:
    for text in given:
        offered(text, 1)
    return given


#: Rates as text, each of which `offered` takes.
Rates = Annotated[tuple[str, ...], AfterValidator(_are_rates)]
