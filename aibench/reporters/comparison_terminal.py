"""A comparison for a terminal: one line a figure and pair of sides, as wide as a screen."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from aibench.reporters import comparison_wording, wording
from aibench.reporters.clean import cleaned
from aibench.reporters.console import laid_out

_STYLES = {
    "FIRST_BETTER": "bold green", "SECOND_BETTER": "bold green", "EQUIVALENT": "bold cyan",
    "INCONCLUSIVE": "bold yellow", "SIDE_BY_SIDE": "dim",
}  # fmt: skip
_LEGEND = (
    "The ratio is first / second, [ ] its interval. ↑ more is better, ↓ less is better.",
    "~ can't be told apart; what it sees: a difference found in 4 of 5 such tries.",
    "clearly: the whole interval lies beyond the smallest difference that matters.",
)


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` as text of at most ``width`` cells a line, with colour where asked for."""
    return laid_out(_report(cleaned(document)), width=width, color=color)


def _report(document: dict[str, Any]) -> Iterator[RenderableType]:
    title = "aibench duel" if document["design"] == "paired" else "aibench compare"
    yield Text.assemble((title, "bold"), f"  {document['duel'] or ''}".rstrip())
    for line in comparison_wording.side_lines(document):
        yield Text(line)
    yield Text(comparison_wording.design(document), style="dim")
    yield Rule(style="dim")
    yield Text(comparison_wording.headline(document), style="bold")
    yield _table(document)
    units = list(_per_unit(document))
    if units:
        yield Text("\nfor each unit, first / second", style="dim")
        yield _bullets(units)
    yield Text()
    yield _bullets(comparison_wording.remarks(document))
    yield Text()
    for line in _LEGEND:
        yield Text(line, style="dim")


def _table(document: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("figure", overflow="fold", ratio=1)
    table.add_column("first", overflow="fold", max_width=13)
    table.add_column("second", overflow="fold", max_width=13)
    table.add_column("ratio", overflow="fold", max_width=18)
    table.add_column("n", justify="right")
    table.add_column("answer", overflow="fold", max_width=14)
    before = ""
    for figure in document["figures"]:
        place = f"{figure['workload']} {figure['phase']}"
        if place != before:
            table.add_row(Text(place, style="bold"))
            before = place
        for each in figure["differences"]:
            table.add_row(*_cells(figure, each))
    return table


def _cells(figure: dict[str, Any], each: dict[str, Any]) -> Iterator[Text]:
    short = figure["title"].replace(" per second", "/s")
    yield Text(f"{short} {wording.ARROWS[figure['better']]}")
    for key in (each["first"], each["second"]):
        yield Text(f"{key}: {estimate(figure['estimates'][key])}")
    yield Text(ratio(each))
    yield Text(str(each["n"]))
    word = f"{comparison_wording.SYMBOLS[each['outcome']]} {each['word']}"
    yield Text(word, style=_STYLES[each["outcome"]])


def estimate(found: dict[str, Any] | None) -> str:
    """``12.4 GB/s ±2%``, or the sign for missing."""
    if found is None:
        return wording.MISSING
    half = f" {found['printed_half']}" if found["printed_half"] else ""
    return f"{found['printed']}{half}"


def ratio(each: dict[str, Any]) -> str:
    """``1.102 [1.091, 1.113]``; ``~`` where the two can't be told apart, and what would have."""
    if each["printed_ratio"] is None:
        return wording.MISSING
    told = f"{each['printed_ratio']} {each['printed_interval']}"
    return told if each["told_apart"] else f"~ {told} sees ≥{each['printed_detectable']}"


def _per_unit(document: dict[str, Any]) -> Iterator[str]:
    for figure in document["figures"]:
        for each in figure["differences"]:
            parts = [f"per {unit['what']} {unit['printed']}" for unit in each["per_unit"]]
            if parts:
                what = f"{figure['workload']} {figure['phase']} {figure['title']}"
                yield f"{what}, {each['first']} / {each['second']}: {'; '.join(parts)}"


def _bullets(lines: Iterable[str]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1, no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row("·", Text(line))
    return table
