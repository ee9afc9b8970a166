"""A catalogue of many claims does not bury the few that a run says something about."""

import re
from typing import Any

import pytest

from aibench.definition.claims import shipped_claims
from aibench.judge import judge
from aibench.model import Operation
from aibench.reporters import folding, html, markdown, terminal
from aibench.reporters.document import document
from tests import build

CATALOGUE = shipped_claims()


@pytest.fixture(scope="module")
def derived() -> dict[str, Any]:
    """The document of a run with sequential reads by blocks, judged by the whole catalogue."""
    read = build.phase(name="seq-read", operation=Operation.READ_BLOCKS)
    plan = build.plan(build.stage(workload="block", kind="block", phases=(read,)))
    samples = [build.sample(n, workload="block", phase="seq-read") for n in range(3)]
    run = build.record(*samples, plan=plan)
    return document(run, judge(run, CATALOGUE, None))


def test_each_claim_has_a_row_or_stands_in_a_line(derived: dict[str, Any]) -> None:
    """No claim is lost: it is in the table, or named in the line with its reason."""
    rows = derived["verdicts"]
    lines = list(folding.folded(rows))
    named = set(re.findall(r"\b[A-Z][A-Z0-9]-\d\d\b", " ".join(lines)))
    assert {row["claim"] for row in folding.told(rows)} | named == {c.id for c in CATALOGUE}
    assert {row["claim"] for row in folding.told(rows)} >= {"H3-01", "A3-03", "MT-07"}
    assert len(lines) < 30
    assert any(line.startswith("– not testable, it is about setting") for line in lines)


def test_what_was_measured_is_always_a_row(derived: dict[str, Any]) -> None:
    """Whatever is met, not met or inconclusive is never folded."""
    rows = [dict(row, status=status) for row in derived["verdicts"] for status in
            ("MET", "NOT_MET", "INCONCLUSIVE") if row["testability"] != "model"]  # fmt: skip
    assert folding.told(rows) == rows
    assert list(folding.folded(rows)) == []


def test_a_few_silent_rows_stay_rows(derived: dict[str, Any]) -> None:
    """Up to five claims that were asked for and can't be tested are told one by one."""
    silent = [row for row in derived["verdicts"] if row["status"] == "NOT_TESTABLE"]
    assert folding.told(silent[:5]) == silent[:5]
    assert folding.told(silent[:6]) == []


def test_all_formats_fold_alike(derived: dict[str, Any]) -> None:
    """Terminal, Markdown and HTML give the same claims a row, and the headline counts both."""
    for text in (
        terminal.render(derived, width=200), markdown.render(derived), html.render(derived),
    ):  # fmt: skip
        assert "58 claims in " in text
        assert "CX node bandwidth" in text
        assert "FusionCube is set up within 2 hours" not in text.replace("FC-01", "")
        assert "FC-01" in text
