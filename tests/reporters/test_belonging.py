"""What a run belongs to is told in words, whichever labels its record has."""

import pytest

from aibench.reporters.belonging import belonging
from aibench.reporters.document import document
from aibench.reporters.markdown import render as markdown
from aibench.reporters.terminal import render
from tests import build

DUEL = {"duel": "d0e1", "pair": "3", "side": "a", "pairs": "6", "sides": "2", "extension": "0"}


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({}, ""),
        (DUEL, "duel d0e1, pair 3 of 6, side a"),
        ({**DUEL, "pair": "0", "itself": "yes"},
         "duel d0e1, the warm-up, side a, the mount with itself"),
        ({"confirms": "night-0010"}, "confirms night-0010"),
        ({"written_through": "nfs4"}, "reads what was written over nfs4"),
        ({"side": "left", "rack": "7"}, "rack 7, side left"),
    ],
)  # fmt: skip
def test_words(labels: dict[str, str], told: str) -> None:
    """Each label that is known has its words, others are told as they are."""
    assert belonging(labels) == told
    found = document(build.record(labels=labels), ())
    for text in (render(found), markdown(found)):
        assert (told in text) is True
        assert ("labels" in text) is bool(told)
