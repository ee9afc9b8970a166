"""What telemetry and NFS figures may hold, and what they say."""

from typing import Any

import pytest

from aibench.model import NfsOperation, Telemetry

SECOND = 10**9


def telemetry(*ends: int, **series: tuple[float | None, ...]) -> Telemetry:
    """A watch with these intervals and series."""
    return Telemetry(ends_ns=ends, series=series, cost_ns=0, watched_ns=ends[-1] if ends else 0)


def test_mean_is_over_time() -> None:
    """A mean weighs intervals by their length and leaves out what is not known."""
    seen = telemetry(SECOND, 4 * SECOND, 5 * SECOND, busy=(1.0, 0.0, None))
    assert seen.mean("busy") == 0.25
    assert seen.largest("busy") == 1.0
    assert seen.mean("absent") is None
    assert telemetry(SECOND, busy=(None,)).largest("busy") is None


@pytest.mark.parametrize(
    ("ends", "series"),
    [
        ((SECOND,), {"busy": (1.0, 2.0)}),
        ((SECOND,), {"busy": (float("nan"),)}),
        ((SECOND,), {"busy": (float("inf"),)}),
        ((2 * SECOND, SECOND), {}),
        ((-1,), {}),
    ],
)
def test_impossible_series(ends: tuple[int, ...], series: dict[str, Any]) -> None:
    """Values are finite, one for each interval, and intervals follow one another."""
    with pytest.raises(ValueError, match=r"interval|finite"):
        telemetry(*ends, **series)


@pytest.mark.parametrize("changes", [{"operations": 0}, {"queue_ns": -1}, {"errors": -1}])
def test_impossible_operations(changes: dict[str, int]) -> None:
    """An operation that is told of occurred, and nothing of it is negative."""
    counts = dict.fromkeys(
        (
            *("operations", "transmissions", "timeouts", "sent_bytes", "received_bytes"),
            *("queue_ns", "round_trip_ns", "execute_ns"),
        ),
        1,
    )
    assert NfsOperation(name="READ", **counts).errors is None
    with pytest.raises(ValueError, match="never negative"):
        NfsOperation(name="READ", **(counts | changes))
