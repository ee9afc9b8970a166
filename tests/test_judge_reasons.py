"""Reason codes: each has one place and one sentence, and every code of the judge is there."""

import re
from pathlib import Path

import aibench.judge
from aibench.definition.claimfields import Need, Untestable
from aibench.judge import gates
from aibench.judge.reasons import REASONS, sentence

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
