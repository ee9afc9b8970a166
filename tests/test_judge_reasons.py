"""Reason codes: each has one place and one sentence, and every code of the judge is there."""

import re
from pathlib import Path

import pytest

import aibench.judge
from aibench.definition.claimfields import Need, Untestable
from aibench.judge import gates
from aibench.judge.reasons import REASONS, sentence
from aibench.model import Means, Status
from tests.test_judge import FAST, SLOW, claim, codes, finding, measured, only

SOURCES = {path.name: path.read_text() for path in Path(aibench.judge.__file__).parent.glob("*.py")}


def test_every_code_that_the_judge_gives_is_explained() -> None:
    """A code in a finding of the judge, or in a gate on a warning, has its sentence."""
    given = {
        code
        for name, text in SOURCES.items()
        if name != "reasons.py"
        for code in re.findall(r'code=\s*"([a-z_]+)"', text)
    }
    assert given <= set(REASONS)
    assert set(gates._WARNINGS) <= set(REASONS)
    assert set(Untestable.__args__) | set(Need.__args__) <= set(REASONS)


def test_every_explained_code_is_given_somewhere() -> None:
    """No sentence stands for a code that nothing gives: neither the judge, a claim, nor a run."""
    told = [text for name, text in SOURCES.items() if name != "reasons.py"]
    package = Path(aibench.judge.__file__).parents[1]
    told += [path.read_text() for path in package.rglob("*.py") if path.parent.name != "judge"]
    text = "\n".join(told)
    assert [code for code in REASONS if f'"{code}"' not in text] == []


def test_sentences_are_plain() -> None:
    """Each code is one word in small letters, each sentence one line; an unknown code stays."""
    for code, text in REASONS.items():
        assert re.fullmatch(r"[a-z][a-z_]*", code)
        assert text.isprintable()
        assert 10 < len(text) < 100
        assert not text.endswith(".")
    assert sentence("no_baseline") == "a ratio needs a measured baseline"
    assert sentence("something_else") == "something_else"


@pytest.mark.parametrize("code", sorted(gates._WARNINGS))
@pytest.mark.parametrize("rates", [FAST, SLOW])
def test_each_warning_forbids_its_direction_and_no_other(code: str, rates: list[int]) -> None:
    """A warning keeps a verdict from what it puts in doubt, says what to do, and stops no more."""
    forbids_met, forbids_not_met, remedy = gates._WARNINGS[code]
    reached = rates is FAST
    stopped = forbids_met if reached else forbids_not_met
    verdict = only(measured(rates, warnings=(finding(code),)))
    allowed = Status.MET if reached else Status.NOT_MET
    assert verdict.status is (Status.INCONCLUSIVE if stopped else allowed)
    assert codes(verdict) == [code]
    assert (remedy in verdict.next_step) is stopped


@pytest.mark.parametrize("code", Untestable.__args__)
def test_each_reason_why_a_claim_is_never_tested_has_its_sentence(code: str) -> None:
    """A claim that no benchmark tests says why in words."""
    verdict = only(measured(FAST), claim(testability=Means.NEVER, untestable=code))
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE, [code])
    assert verdict.reasons[0].message == REASONS[code]


@pytest.mark.parametrize("code", Need.__args__)
def test_each_need_is_told_or_seen(code: str) -> None:
    """What a rig has to have is named where it is missing; how many units there are is seen."""
    verdict = only(measured(FAST), claim(needs=(code,)))
    if code == "needs_more_units":
        assert verdict.status is Status.MET
    else:
        assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, [code])
