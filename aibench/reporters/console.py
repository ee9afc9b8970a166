"""Lays out what a terminal shows, the same way for every report."""

from collections.abc import Iterable
from io import StringIO

from rich.console import Console, Group, RenderableType


def laid_out(parts: Iterable[RenderableType], *, width: int, color: bool) -> str:
    """``parts`` as text of at most ``width`` cells a line, with colour where asked for.

    Texts are shown as they are: nothing in them is taken for markup.
    """
    out = StringIO()
    console = Console(
        file=out, width=width, force_terminal=color, no_color=not color, highlight=False,
        color_system="standard" if color else None, markup=False, emoji=False,
        legacy_windows=False, _environ={},
    )  # fmt: skip
    console.print(Group(*parts))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
