from typing import Any

import pytest

from aibench.model import Series
from aibench.reporters import figures, overtime, spread
from aibench.reporters.document import document
from tests import build
from tests.reporters import verdicts

SECOND = 10**9
_DRAWN = (figures.throughput, figures.latency, spread.spread, overtime.overtime)


def phase_with(**changes: Any) -> dict[str, Any]:
    """The document's phase of one repeat with these changes to its measurement."""
    record = build.record(build.sample(measurement=build.measurement(**changes)))
    found: dict[str, Any] = document(record, ())["workloads"][0]["phases"][0]
    return found


def series(*counts: int) -> Series:
    """Bytes in each second."""
    return Series(interval_ns=SECOND, operations=counts, bytes=counts)


def test_a_short_last_second_does_not_look_like_a_drop() -> None:
    """The last interval of a series is as long as the phase lasted in it."""
    phase = phase_with(series=series(1000, 1000, 500), elapsed_ns=5 * SECOND // 2)
    found = figures.throughput(phase)
    assert found is not None
    assert found["data"][0]["y"] == [1, 1, 1]
    assert found["data"][0]["x"] == [0.5, 1.5, 2.25]
    assert found["layout"]["yaxis"]["title"]["text"] == "kB/s"


def test_a_tiny_last_interval_joins_the_one_before() -> None:
    """A few milliseconds at the end are not drawn as a second of their own."""
    phase = phase_with(series=series(1000, 1000, 50), elapsed_ns=205 * SECOND // 100)
    found = figures.throughput(phase)
    assert found is not None
    assert found["data"][0]["y"] == pytest.approx([1, 1])


def test_long_series_are_summed_not_thinned() -> None:
    """A series of days is drawn in wider intervals that still hold every byte."""
    count = 10_000
    phase = phase_with(series=series(*[1000] * count), elapsed_ns=count * SECOND)
    found = figures.throughput(phase)
    assert found is not None
    assert len(found["data"][0]["y"]) == 1250
    assert set(found["data"][0]["y"]) == {1}


def test_nothing_known_is_nothing_drawn() -> None:
    """Where there is no series, histogram or worker, there is no plot, and no empty frame."""
    phase = phase_with(series=None, histograms={}, workers=())
    drawn = [draw(phase) for draw in _DRAWN]
    assert drawn == [None] * 4
    assert figures.margins(()) is None


def test_claims_far_apart_share_a_logarithmic_axis() -> None:
    """A laptop's thousandth of a data centre's figure is still told from its hundredth."""
    rows = document(build.record(), verdicts.verdicts())["verdicts"]
    near = [row for row in rows if row["margin"] and row["margin"] > 0.5]
    wide, narrow = figures.margins(rows), figures.margins(near)
    assert wide is not None
    assert narrow is not None
    assert wide["layout"]["xaxis"]["type"] == "log"
    assert narrow["layout"]["xaxis"] == {"rangemode": "tozero", "ticksuffix": "×"}


def test_labels_hold_no_markup_for_plotly() -> None:
    """Plotly reads tags in labels; those of a record are shown as text."""
    assert figures.escape('<a href="x">&') == '&lt;a href="x"&gt;&amp;'


def test_latency_ticks_are_printed_times() -> None:
    """The latency axis is labelled in times, with few enough labels to be read."""
    found = figures.latency(phase_with())
    assert found is not None
    assert found["layout"]["yaxis"]["ticktext"] == [
        "1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms",
    ]  # fmt: skip
