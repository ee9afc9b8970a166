"""Bounds in a user's own figures: read strictly, decided by the interval of the repeats."""

from dataclasses import replace
from typing import Any

import pytest

from aibench.errors import Refused
from aibench.history import Bound, bound, held
from aibench.model import CacheState, RunRecord
from aibench.model.history import Standing
from tests import build, past

SECOND = 10**9


def record(*rates: float, **changes: Any) -> RunRecord:
    """Three repeats of 4,096,000 B and 1000 files a second, times ``rates``."""
    samples = [
        build.sample(
            number,
            measurement=build.measurement(
                elapsed_ns=round(SECOND / rate), series=None, workers=(),
            ),
        )
        for number, rate in enumerate(rates)
    ]  # fmt: skip
    return build.record(*samples, **changes)


@pytest.mark.parametrize(
    ("text", "value", "unit", "metric", "place"),
    [
        ("2GB/s", 2e9, "B/s", "", ""),
        ("2GiB/s", 2**31, "B/s", "", ""),
        ("3000op/s", 3000, "op/s", "", ""),
        ("1.2Mop/s", 1.2e6, "op/s", "", ""),
        ("5ms", 5e6, "ns", "latency_p99", ""),
        ("5ms:p50", 5e6, "ns", "latency_p50", ""),
        ("5ms:open_latency_p99", 5e6, "ns", "open_latency_p99", ""),
        ("90%:utilisation", 0.9, "share", "utilisation", ""),
        ("1GB/s@block", 1e9, "B/s", "", "block"),
        ("1GB/s:read_bandwidth@block/seq-read", 1e9, "B/s", "read_bandwidth", "block/seq-read"),
    ],
)
def test_forms(text: str, value: float, unit: str, metric: str, place: str) -> None:
    """A bound is a value with its unit, then a figure, then where."""
    wanted = Bound(text=text, direction=">=", value=value, unit=unit, metric=metric, place=place)
    assert bound(text, ">=") == wanted


@pytest.mark.parametrize("text", ["", "2", "2G/s", "2GB", "GB/s", "-2GB/s", "5ms:", "1e9", "5 m"])
def test_what_is_no_bound(text: str) -> None:
    """A value without a unit, with a doubtful one, or of another kind is refused with examples."""
    with pytest.raises(Refused, match="is no bound"):
        bound(text, ">=")


@pytest.mark.parametrize(
    ("rates", "text", "direction", "standing"),
    [
        ((1.0, 1.0, 1.0), "4096000B/s", ">=", Standing.OK),
        ((1.0, 1.0, 1.0), "4096001B/s", ">=", Standing.MISSED_BOUND),
        ((1.0, 1.0, 1.0), "1000op/s", ">=", Standing.OK),
        ((1.0, 1.1, 0.9), "1000op/s", ">=", Standing.UNDECIDED_BOUND),
        ((1.0, 1.1, 0.9), "400op/s", ">=", Standing.OK),
        ((1.0, 1.1, 0.9), "3kop/s", ">=", Standing.MISSED_BOUND),
        ((1.0, 1.0), "1op/s", ">=", Standing.UNDECIDED_BOUND),
        ((1.0, 1.0, 1.0), "3ms:p50", "<=", Standing.OK),
        ((1.0, 1.0, 1.0), "1ms:p50", "<=", Standing.MISSED_BOUND),
    ],
)
def test_decision(rates: tuple[float, ...], text: str, direction: str, standing: Standing) -> None:
    """The whole interval of three repeats has to be at the bound or beyond; equal is enough."""
    (found,) = held(record(*rates), bound(text, direction))
    assert found.standing is standing, found.steps


def test_warm_data_reaches_no_bound() -> None:
    """Where cold data was asked for and a cache delivered, a bound is not reached, but missed."""
    warm = [
        replace(s, evidence=build.evidence(state=CacheState.WARM)) for s in record(1, 1, 1).samples
    ]
    (reached,) = held(build.record(*warm), bound("1B/s", ">="))
    assert reached.standing is Standing.UNDECIDED_BOUND
    assert "it was warm" in reached.steps[0].told
    (missed,) = held(build.record(*warm), bound("1GB/s", ">="))
    assert missed.standing is Standing.MISSED_BOUND


def test_a_bound_about_nothing_is_refused() -> None:
    """A bound that no figure of the run is about would always hold, so it is refused."""
    for text in ("90%:utilisation", "1GB/s:write_bandwidth", "1GB/s@block"):
        with pytest.raises(Refused, match="no figure"):
            held(past.night(1), bound(text, ">="))
