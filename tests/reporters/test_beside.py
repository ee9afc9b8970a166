"""What claims imply and what stands beside them, in the document and in the HTML report."""

from typing import Any

import pytest

from aibench.definition.claims import shipped_claims
from aibench.definition.references import shipped_references
from aibench.judge import judge
from aibench.model import Operation
from aibench.reporters import beside, html
from aibench.reporters.document import document
from tests import build


@pytest.fixture(scope="module")
def derived() -> dict[str, Any]:
    """The document of sequential reads, judged by the whole catalogue."""
    read = build.phase(name="seq-read", operation=Operation.READ_BLOCKS)
    plan = build.plan(build.stage(workload="block", kind="block", phases=(read,)))
    samples = [build.sample(n, workload="block", phase="seq-read") for n in range(3)]
    run = build.record(*samples, plan=plan)
    catalogue = shipped_claims()
    return document(run, judge(run, catalogue, None), shipped_references().figures)


def test_the_document_has_what_a_claim_implies(derived: dict[str, Any]) -> None:
    """Codes and figures are those of the arithmetic, also across claims of the catalogue."""
    found = {each["code"]: each for each in derived["context"]["HX-01"]["implications"]}
    assert found["baseline_implied"]["figures"]["printed_ratio"] == pytest.approx(1.2)
    codes = [each["code"] for each in derived["context"]["HX-04"]["implications"]]
    assert codes[0] == "unit_incomplete"
    assert "FC-01" not in derived["context"]


def test_references_carry_both_units_and_their_note(derived: dict[str, Any]) -> None:
    """A reference is told in GB and GiB, with its class, and a trademark with its note."""
    (line,) = (line for line in beside.around(derived["context"]["A3-03"]) if "A800" in line)
    assert "729 GB/s (679 GiB/s) for 2 x controller (verified benchmark, 2024)" in line
    assert line.endswith("no figure of aibench is ranked against it.")
    assert list(beside.around(None)) == list(beside.implied(None)) == []


def test_the_html_report_shows_both_below_the_claim(derived: dict[str, Any]) -> None:
    """A reader opens what a claim implies and what stands beside it, where the claim has a row."""
    page = html.render(derived)
    assert "What stands beside it: no verdict" in page
    assert "hold at once only with I/O of 33.3 kB" in page
    assert "Beside it: Huawei OceanStor A800" in page
