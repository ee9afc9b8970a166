import json

from aibench.reporters.document import FORMAT, document
from aibench.reporters.json import render
from tests import build
from tests.reporters import hostile, records, verdicts
from tests.reporters.golden import assert_golden


def test_json_holds_the_document_unchanged() -> None:
    """The JSON report is the document itself: nothing is rounded, renamed or cleaned away."""
    for record in (records.many(), records.missing(), hostile.hostile()):
        found = document(record, [hostile.hostile_verdict()])
        assert json.loads(render(found)) == found


def test_json_can_be_shown_and_encoded() -> None:
    """JSON on a terminal has no control character, and every text can be written as UTF-8."""
    text = render(document(hostile.hostile(), [hostile.hostile_verdict()]))
    text.encode()
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "\u202e" not in text


def test_json_has_a_version() -> None:
    """Programmes that read the document can see which format it has."""
    assert json.loads(render(document(build.record(), ())))["format"] == FORMAT == 1


def test_the_report_as_a_whole() -> None:
    """The JSON report is compared as a whole with a file."""
    found = document(build.record(), verdicts.verdicts())
    for phase in found["workloads"][0]["phases"]:
        for curve in phase["percentiles"].values():
            del curve["points"][1:-1]
    assert_golden("few.json", render(found))
