"""The page of the gate."""

import re
from collections.abc import Sequence
from typing import Any

from aibench.history import check, histories, rows, trend
from aibench.model import RunRecord
from aibench.reporters import checks, checks_html, trends
from aibench.reporters.html import plotly_source
from tests import build, past

QUIET = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0, 1.01, 0.99, 1.0, 1.005)
NOISY = (1.0, 1.3, 0.7, 1.2, 0.8, 1.1, 0.75, 1.25, 0.9, 1.05)


def nights(rates: Sequence[float], **changes: Any) -> list[RunRecord]:
    """A run a night."""
    return [past.night(number, rate, **changes) for number, rate in enumerate(rates)]


def parts(records: Sequence[RunRecord]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The document of the gate on the last record, and the history of its series."""
    known = {each.id.key: each for each in histories([rows(record) for record in records])}
    own = histories([rows(records[-1])])
    found = [check(known[each.id.key], each.sessions[0]) for each in own]
    shown = trends.document([trend(each) for each in known.values()], "here")
    return checks.document(records[-1], found), {each["key"]: each for each in shown["series"]}


def page(records: Sequence[RunRecord]) -> str:
    """The page without plotly's four megabytes."""
    return checks_html.render(*parts(records)).replace(plotly_source().decode(), "")


def text_of(markup: str) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())


def test_a_loss_shows_its_ladder_and_its_history() -> None:
    """A flagged series has each step of the gate, why it fired, and a plot with this run in it."""
    records = nights([*QUIET, 0.8])
    text = page(records)
    told = text_of(text)
    assert "? suspect, not confirmed" in told
    assert "magnitude ! speaks for a change -20.0% of the level" in told
    assert "confirmation ? not decided not confirmed: 0 of 2 reruns" in told
    assert "Next: confirm it with --confirm TARGET" in told
    document, history = parts(records)
    keys = checks_html.drawn(document)
    assert len(keys) == text.count('class="plot"') == 2
    figure = checks_html._figure(document["series"][0], history[keys[0]], document["run"])
    assert figure["data"][-1]["name"] == "this run: suspect, not confirmed"
    assert figure["data"][-1]["x"] == [records[-1].started_at]
    assert figure["layout"]["yaxis"]["range"][0] == 0
    band = next(shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect")
    assert figure["data"][-1]["y"][0] < band["y0"] < 1 < band["y1"]


def test_gains_come_after_losses_and_silence_is_explained() -> None:
    """What asks for action stands before gains, and silent series say why they were silent."""
    told = text_of(page(nights([*QUIET, 1.3])))
    assert told.index("Better than before") < told.index("Silent, and why")
    assert "maybe improved, not confirmed" in told
    quiet = text_of(page(nights([*QUIET, 1.0])))
    assert "4 with no regression" in quiet
    assert "statistics, · silent" in quiet
    assert checks.change(0.99999) == "0.0%"


def test_too_little_history_is_listed() -> None:
    """Series that can't be judged yet are listed with what is missing, and not as passed."""
    told = text_of(page(nights([1.0, 1.0, 0.5])))
    assert "4 with too little history" in told
    assert "measure 6 more times" in told
    assert "with no regression" not in told


def test_noisy_series_are_named() -> None:
    """A series whose sessions differ too much for a loss of 5 % is on a list, with its plot."""
    text = page(nights([*NOISY, 1.0]))
    told = text_of(text)
    assert re.search(r"a loss below \d\d\.\d % would not be told", told)
    assert text.count('class="plot"') == 2
    assert "None of those" in text_of(page(nights([*QUIET, 1.0])))


def test_the_same_checks_give_the_same_bytes_and_no_markup_of_records() -> None:
    """The page holds no clock, and names from records are text in it."""
    records = nights([*QUIET, 0.8], target=build.target(label="<script>alert(1)</script>"))
    assert page(records) == page(records)
    assert page(records).count("<script") == 3
    assert "src=" not in page(records)
