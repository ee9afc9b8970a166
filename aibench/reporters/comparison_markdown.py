"""A comparison for a pull request, in GitHub's Markdown that no record can steer."""

from collections.abc import Iterator
from typing import Any

from aibench.reporters import comparison_terminal, comparison_wording, wording
from aibench.reporters.clean import cleaned
from aibench.reporters.markdown import bullets, escaped, table_row


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` in GitHub's Markdown: answers, ratios, what to know.

    ``width`` and ``color`` have no meaning here. Texts of the records show as they are.
    """
    del width, color
    return "\n".join(_report(cleaned(document))) + "\n"


def _report(document: dict[str, Any]) -> Iterator[str]:
    name = f"duel {document['duel']}" if document["duel"] else "compare"
    yield f"### aibench {escaped(name)}: {comparison_wording.headline(document)}"
    yield ""
    yield from bullets(comparison_wording.side_lines(document))
    yield ""
    yield escaped(comparison_wording.design(document))
    yield ""
    yield table_row(("Answer", "Figure", "First", "Second", "First / second", "n"))
    yield table_row(("---", "---", "---", "---", "---", "--:"))
    for figure in document["figures"]:
        for each in figure["differences"]:
            yield table_row(_cells(figure, each))
    yield ""
    units = [
        f"{figure['phase']} {figure['title']}, {each['first']} / {each['second']}: "
        f"per {unit['what']} {unit['printed']}"
        for figure in document["figures"]
        for each in figure["differences"]
        for unit in each["per_unit"]
    ]
    yield "#### To know about these answers"
    yield from bullets([*units, *comparison_wording.remarks(document)])


def _cells(figure: dict[str, Any], each: dict[str, Any]) -> Iterator[str]:
    yield f"**{comparison_wording.SYMBOLS[each['outcome']]} {escaped(each['word'])}**"
    what = f"{figure['workload']} {figure['phase']}: {figure['title']}"
    yield f"{escaped(what)} {wording.ARROWS[figure['better']]}"
    for key in (each["first"], each["second"]):
        yield escaped(f"{key}: {comparison_terminal.estimate(figure['estimates'][key])}")
    yield escaped(comparison_terminal.ratio(each))
    yield str(each["n"])
