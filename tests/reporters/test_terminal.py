import re

import pytest
from rich.cells import cell_len

from aibench.model import Finding, Status, Verdict
from aibench.reporters.document import document
from aibench.reporters.terminal import render
from tests import build
from tests.reporters import hostile, records, verdicts
from tests.reporters.golden import assert_golden

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
RECORDS = {
    "few": (build.record(), ()),
    "many": (records.many(), verdicts.verdicts()),
    "missing": (records.missing(), ()),
    "interrupted": (records.interrupted(), verdicts.verdicts()[:1]),
    "refused": (records.refused(), ()),
    "hostile": (hostile.hostile(), (hostile.hostile_verdict(),)),
    "wide": (hostile.hostile("单框5U支持业界最高的带宽" * 12), verdicts.verdicts()),
}
SHOWN = {
    Status.MET: "✓ met",
    Status.NOT_MET: "✗ not met",
    Status.INCONCLUSIVE: "? inconclusive",
    Status.NOT_TESTABLE_HERE: "– not testable",
    Status.REFERENCE_ONLY: "○ reference only",
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_fit_the_terminal(name: str, width: int) -> None:
    """No line is wider than the terminal, with and without colour, whatever the record holds."""
    found = document(*RECORDS[name])
    for color in (False, True):
        lines = render(found, width=width, color=color).splitlines()
        assert max(cell_len(_COLOR.sub("", line)) for line in lines) <= width


@pytest.mark.parametrize("name", RECORDS)
def test_colour_changes_nothing_but_colour(name: str) -> None:
    """The report with colour has the same words in the same places as without."""
    found = document(*RECORDS[name])
    plain = [line.rstrip() for line in render(found).splitlines()]
    colored = [_COLOR.sub("", line).rstrip() for line in render(found, color=True).splitlines()]
    assert colored == plain


@pytest.mark.parametrize("name", RECORDS)
def test_no_text_of_a_record_reaches_the_terminal_as_a_control(name: str) -> None:
    """Without colour a report has no control character at all; with it, only colours."""
    found = document(*RECORDS[name])
    for text in (render(found), _COLOR.sub("", render(found, color=True))):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)


@pytest.mark.parametrize("name", ["many", "missing", "interrupted", "refused"])
def test_the_report_as_a_whole(name: str) -> None:
    """The terminal report is compared as a whole with a file."""
    assert_golden(f"terminal_{name}.txt", render(document(*RECORDS[name])))


def test_the_report_in_colour_as_a_whole() -> None:
    """The coloured terminal report is compared as a whole with a file."""
    assert_golden("terminal_many_color.txt", render(document(*RECORDS["many"]), color=True))


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The width and the colours are the caller's choice, not that of a variable."""
    before = render(document(*RECORDS["few"]))
    for name, value in (("COLUMNS", "30"), ("FORCE_COLOR", "1"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
    assert render(document(*RECORDS["few"])) == before


def test_verdicts_stand_before_workloads_and_gaps_at_the_end() -> None:
    """A reader sees the verdicts first and what was not tested last."""
    text = render(document(*RECORDS["many"]))
    places = [text.index(part) for part in ("✗ not met", "load-imagenet: Load", "What was not")]
    assert places == sorted(places)


@pytest.mark.parametrize("verdict", verdicts.verdicts(), ids=lambda verdict: verdict.status.value)
def test_a_verdict_is_a_word_and_a_symbol(verdict: Verdict) -> None:
    """Each status has a symbol and a word, so that it reads without colour."""
    assert SHOWN[verdict.status] in render(document(build.record(), [verdict]))


def test_a_figure_that_does_not_count_says_so_beside_itself() -> None:
    """A figure of repeats that do not count never stands alone."""
    reason = (Finding(code="not_cold", message="it was cached"),)
    record = build.record(*(build.sample(n, reasons=reason) for n in range(3)))
    assert "does not count" in render(document(record, ()))
