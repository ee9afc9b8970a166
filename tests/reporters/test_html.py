import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from aibench.reporters.document import document
from aibench.reporters.html import embedded, plotly_source, render
from tests import build
from tests.reporters import hostile, records, verdicts
from tests.reporters.golden import assert_golden


class Tags(HTMLParser):
    """Collects elements, attribute names and addresses of a page as a browser would."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        self.names.append(tag)
        self.attributes += attrs


def page(record: Any = None, judged: Any = ()) -> str:
    """The page of a record, without plotly's four megabytes."""
    text = render(document(record or build.record(), judged))
    return text.replace(plotly_source().decode(), "/* plotly */")


def test_the_page_as_a_whole() -> None:
    """The page, but for plotly's own script, is compared as a whole with a file."""
    text = re.sub(r"script-src [^;]*;", "script-src HASHES;", page(None, verdicts.verdicts()))
    assert_golden("few.html", text)


def test_the_same_record_gives_the_same_bytes() -> None:
    """The page holds no clock and no random name: the same record gives the same bytes."""
    first, second = (render(document(records.many(), verdicts.verdicts())) for _ in range(2))
    assert first == second


def test_plotly_is_inlined_once_and_nothing_is_fetched() -> None:
    """The page is one file: plotly's script is in it once, and no address is outside it."""
    text = render(document(records.many(), verdicts.verdicts()))
    assert text.count(plotly_source().decode()) == 1
    tags = Tags(text.replace(plotly_source().decode(), ""))
    addresses = [value for name, value in tags.attributes if name in ("src", "href")]
    assert addresses
    assert all(address and address.startswith(("#", "data:,")) for address in addresses)


def test_a_hostile_record_adds_no_element_to_the_page() -> None:
    """With hostile texts in every field a page has the elements of one with harmless texts."""
    attacked = Tags(page(hostile.hostile(), [hostile.hostile_verdict()]))
    harmless = Tags(page(hostile.hostile("text"), [hostile.hostile_verdict("text")]))
    assert attacked.names == harmless.names
    assert [name for name, _ in attacked.attributes] == [name for name, _ in harmless.attributes]


def test_a_hostile_record_adds_no_script() -> None:
    """A page has its three script elements, whatever the record holds."""
    text = page(hostile.hostile(), [hostile.hostile_verdict()])
    assert text.count("<script") == text.count("</script") == 3


@pytest.mark.parametrize("text", ["</script>", "<!--", "a&b", "\u2028\u2029", "]]>", "\\u003c"])
def test_embedded_json_stays_json(text: str) -> None:
    """Figures in the page are JSON that no text can end, and that reads back as it was."""
    found = embedded({"x": [text]})
    assert not re.search("[<>&\u2028\u2029]", found)
    assert json.loads(found) == {"x": [text]}


def test_templates_in_a_record_are_text() -> None:
    """Braces in a record are not evaluated."""
    assert "{{7*7}}" in page(hostile.hostile(), ())


def test_verdicts_are_words_and_stand_first() -> None:
    """The claim table comes before every measurement, in words as well as in colour."""
    text = page(records.many(), verdicts.verdicts())
    assert text.index("✗ not met") < text.index("What was measured") < text.index("Environment")


def test_a_run_that_does_not_count_says_so_on_top() -> None:
    """An interrupted run has a banner before all figures."""
    text = page(records.interrupted())
    assert text.index("This run does not count") < text.index("4.10 MB/s")


def test_rendering_does_not_import_plotly() -> None:
    """Making a page reads plotly's script from its package without importing plotly."""
    code = (
        "import sys; from aibench.reporters.html import plotly_source; plotly_source(); "
        "sys.exit('plotly' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_can_be_typed_again() -> None:
    """A path with a space in it is quoted in the command that would run it again."""
    record = replace(build.record(), command=("aibench", "run", "/mnt/my data"))
    assert "<pre>aibench run &#39;/mnt/my data&#39;</pre>" in page(record)
