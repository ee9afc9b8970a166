"""The example under results/examples: a real record, judged by the whole catalogue."""

from pathlib import Path

import pytest

from aibench.cli.beside import full_document
from aibench.cli.chosen import chosen_claims
from aibench.judge import judge
from aibench.model import RunRecord, Status, Verdict
from aibench.reporters import markdown, terminal
from aibench.store import read

EXAMPLES = Path(__file__).parents[1] / "results" / "examples"
RENDERED = {"quick-ext4.txt": terminal.render, "quick-ext4.md": markdown.render}


@pytest.fixture(scope="module")
def record() -> RunRecord:
    """The record of a quick suite on a real disk."""
    return read(str(EXAMPLES / "quick-ext4.jsonl"))


@pytest.fixture(scope="module")
def verdicts(record: RunRecord) -> list[Verdict]:
    """What becomes of every reading of every shipped claim."""
    return list(judge(record, chosen_claims(()), record.system))


def test_the_record_is_whole(record: RunRecord) -> None:
    """The run ended, holds every workload of the suite, and was of a real disk."""
    assert record.complete
    assert not record.target.is_memory
    assert len(record.plan.stages) >= 6
    assert {sample.workload for sample in record.samples} == {
        stage.workload for stage in record.plan.stages if stage.refusal is None
    }


def test_every_reading_of_every_claim_has_a_verdict(verdicts: list[Verdict]) -> None:
    """58 claims give a verdict for each reading, each with a reason and with what to do next."""
    claims = chosen_claims(())
    assert [(v.claim.id, v.interpretation.id) for v in verdicts] == [
        (claim.id, reading.id) for claim in claims for reading in claim.interpretations
    ]
    assert len(claims) == 58
    assert all(verdict.reasons for verdict in verdicts)
    assert all(
        verdict.next_step for verdict in verdicts if verdict.status is not Status.NOT_TESTABLE
    )


def test_no_claim_on_a_product_is_decided_by_an_unknown_disk(verdicts: list[Verdict]) -> None:
    """Without a system file nothing is met, not met or inconclusive; models tell of the claim."""
    decided = {Status.MET, Status.NOT_MET, Status.INCONCLUSIVE}
    assert not {verdict.status for verdict in verdicts} & decided
    models = {(v.claim.id, v.interpretation.id): v.status for v in verdicts}
    assert models["HX-01", "relative"] is Status.CONSISTENT
    assert models["HX-01", "points"] in (Status.INCONSISTENT, Status.INCONSISTENT_BOUND)
    assert models["IN-05", "relative"] is Status.INCONSISTENT
    assert models["MT-02", "lower-end"] is Status.CONSISTENT
    never = [verdict for verdict in verdicts if verdict.claim.untestable]
    assert {verdict.status for verdict in never} == {Status.NOT_TESTABLE}
    assert len({verdict.claim.id for verdict in never}) == 27


@pytest.mark.parametrize("name", list(RENDERED))
def test_its_reports_come_out_byte_for_byte(
    name: str, record: RunRecord, verdicts: list[Verdict]
) -> None:
    """The checked-in reports are what this version makes of the record; else see X.actual."""
    actual = RENDERED[name](full_document(record, verdicts), width=80)
    expected, saved = EXAMPLES / name, EXAMPLES / f"{name}.actual"
    if not expected.exists() or expected.read_text(encoding="utf-8") != actual:
        saved.write_text(actual, encoding="utf-8")
        raise AssertionError(f"{name} is not as expected; compare it with {saved.name} beside it")
    saved.unlink(missing_ok=True)
