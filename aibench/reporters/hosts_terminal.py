"""The hosts of a phase as a table of the terminal."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from aibench.reporters import hosts


def tables(phases: Iterable[dict[str, Any]]) -> Iterator[RenderableType]:
    """What each host did in the middle repeat of each phase that several hosts did together.

    Of many hosts the slowest, the middle and the fastest are told.
    """
    for phase in phases:
        if (sample := hosts.middle(phase)) is not None:
            yield _table(phase["name"], hosts.chosen(sample["hosts"], hosts.FEW))


def _table(name: str, rows: Iterable[tuple[str, dict[str, Any]]]) -> RenderableType:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(f"{name}: host", overflow="fold", max_width=22)
    table.add_column("", style="dim", max_width=7)
    for title in ("ranks", "rate", "share", "first done", "last done"):
        table.add_column(title, justify="right")
    table.add_column("cache", overflow="fold")
    for which, row in rows:
        shown = hosts.cells(row)
        keys = ("ranks", "rate", "share", "first", "last", "cache")
        table.add_row(*map(Text, (shown["host"], which, *(shown[key] for key in keys))))
    return table
