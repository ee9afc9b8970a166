"""A figure of a sample, as the judge and the reporters read it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One figure: ``value`` in ``unit`` (``B/s``, ``op/s``, ``ns``, ``share``); None where missing.

    ``better`` is ``higher`` or ``lower``. ``main`` marks the figures that a reader wants first.
    ``why_missing`` says why there is no value.
    """

    name: str
    title: str
    value: float | None
    unit: str
    better: str
    main: bool = False
    why_missing: str = ""
