import math

import pytest

from aibench.model import CacheState
from aibench.reporters.values import number, plain, quantity, spread
from aibench.stats.intervals import estimate
from tests import build


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_missing_numbers_are_none(value: float | None) -> None:
    """A number that is missing, infinite or not a number is null in a document, never 0."""
    assert number(value) is None
    assert quantity(value, "B/s") is None


def test_zero_is_a_number() -> None:
    """A measured zero stays zero: it is not missing."""
    assert quantity(0, "op/s") == {
        "value": 0, "unit": "op/s", "printed": "0 op/s", "printed_binary": None,
    }  # fmt: skip


def test_rates_are_printed_with_both_prefixes() -> None:
    """Rates are printed in GB/s and in GiB/s, because the two differ by 7.4 %."""
    found = quantity(20 * 10**9, "B/s")
    assert found is not None
    assert (found["printed"], found["printed_binary"]) == ("20.0 GB/s", "18.6 GiB/s")


def test_an_interval_repeats_the_unit_only_where_it_differs() -> None:
    """An interval is written in the unit of its typical value, or with its own units in full."""
    near, far = (
        spread(estimate(values, "higher"), "B/s")
        for values in ((10e9, 11e9, 10.5e9), (0.7e9, 1.3e9))
    )
    assert near is not None
    assert far is not None
    assert near["printed_interval"] == "[9.32, 11.8]"
    assert far["printed_interval"] == "[18.7 MB/s, 48.7 GB/s]"


def test_one_run_has_no_interval() -> None:
    """A figure from one run is printed without brackets."""
    found = spread(estimate([1e9], "higher"), "B/s")
    assert found is not None
    assert found["low"] is None
    assert found["printed_interval"] is None


def test_nouns_become_plain_values() -> None:
    """Nouns in a document are dictionaries, lists and strings."""
    assert plain(build.evidence())["state"] == "cold"
    assert type(plain(CacheState.WARM)) is str
    assert plain({"a": (1, math.nan)}) == {"a": [1, None]}


def test_an_unknown_type_is_a_bug() -> None:
    """A value that no rule covers is refused, not printed as whatever it looks like."""
    with pytest.raises(TypeError, match="object has no place"):
        plain(object())
