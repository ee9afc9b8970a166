"""What the series of a sample says to the reader, derived anew and never stored."""

from collections.abc import Sequence

import pytest

from aibench.remarks import steadiness_remarks, warnings
from tests.build import SECOND, sample
from tests.flow import cliff, flow, noise, writing

MB = 10**6


def told(rates: Sequence[float], interval_ns: int = SECOND) -> dict[str, str]:
    """Codes and messages about a direct write at these rates in units of 100 MB/s."""
    found = flow([100 * MB * rate for rate in rates], interval_ns)
    remarks = steadiness_remarks(writing(), sample(measurement=found))
    return {remark.code: remark.message for remark in remarks}


def test_a_steady_rate_needs_no_remark() -> None:
    """A flat phase that was long enough has none, and one that was too short has its short_run."""
    assert told(noise(1, 120, 0.02, 0.0)) == {}
    assert told(noise(1, 30, 0.02, 0.0)) == {}
    short = sample(measurement=flow([100.0 * MB] * 30))
    assert [finding.code for finding in warnings(short)] == ["short_run"]


def test_a_burst_is_told_with_its_figures() -> None:
    """Size, rate and duration of the burst stand beside the sustained rate."""
    found = told([4.0] * 20 + [1.0] * 120)
    assert found == {
        "burst": "a burst of 8.00 GB at 400 MB/s for 20.0 s, then sustained 100 MB/s: claims are "
        "held against the sustained rate"
    }


def test_a_burst_with_too_little_behind_it_is_not_steady() -> None:
    """Where less than a minute follows the cliff, the sustained rate may fall again."""
    found = told(cliff(4.0, 1.0, 40, 80))
    assert set(found) == {"burst", "not_steady"}
    assert "not shown to last: seen for 40 s" in found["not_steady"]


@pytest.mark.parametrize(("drift", "verb"), [(-0.3, "fell"), (0.3, "rose")])
def test_a_drift_says_where_to_and_how_far(drift: float, verb: str) -> None:
    """A drift is told with its interval; what only seems to drift is said to seem so."""
    sure = told(noise(1, 300, 0.03, 0.0, drift=drift))
    assert f"the rate {verb} while it was measured: {100 * drift:+.0f}"[:-2] in sure["not_steady"]
    seems = told(noise(7, 300, 0.25, 0.0, drift=drift / 2))
    assert "seems to have" in seems["not_steady"]


def test_what_can_not_be_told_is_said() -> None:
    """A minute and more of slow swings says neither steady nor drifting."""
    found = told(noise(3, 300, 0.05, 0.95))
    assert set(found) == {"steadiness_unknown"}
    assert "times as long" in found["steadiness_unknown"]
