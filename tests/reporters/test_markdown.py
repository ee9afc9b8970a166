import re

from markdown_it import MarkdownIt

from aibench.reporters.document import document
from aibench.reporters.markdown import escaped, render
from tests.reporters import hostile, records, verdicts
from tests.reporters.golden import assert_golden

_OWN = re.compile(r"<(?:br|/?details|/?summary|/?sub)>")


def test_the_report_as_a_whole() -> None:
    """The Markdown report is compared as a whole with a file."""
    assert_golden("many.md", render(document(records.many(), verdicts.verdicts())))


def test_an_interrupted_run_says_so_first() -> None:
    """A run that does not count says so before any figure."""
    text = render(document(records.interrupted(), ()))
    assert text.index("does not count") < text.index("4.10 MB/s")


def test_every_row_of_a_table_has_the_same_cells() -> None:
    """A pipe in a record is text: rows keep their number of cells."""
    text = render(document(hostile.hostile(), [hostile.hostile_verdict()]))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows
    counts = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert counts == {7}


def test_no_markup_comes_out_of_a_record() -> None:
    """Links, images, scripts and mentions in a record are shown as the text that they are."""
    text = render(document(hostile.hostile(), [hostile.hostile_verdict()]))
    parsed = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in parsed for child in token.children or ()]
    assert not {"link_open", "image", "code_inline"} & {token.type for token in inline}
    raw = "".join(token.content for token in (*parsed, *inline) if token.type.startswith("html"))
    assert "script" not in _OWN.sub("", raw)
    assert "img" not in raw


def test_mentions_and_addresses_are_broken() -> None:
    """A record can't call anyone's attention, nor make a link by looking like one."""
    assert escaped("@all http://x") == "@<!-- -->all http:<!-- -->//x"
