"""The projection as one HTML file that opens with no network, like the report of a run."""

from functools import cache
from typing import Any

from jinja2 import Environment

from aibench.reporters import html
from aibench.reporters.clean import cleaned
from aibench.reporters.impact import figures, words


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` as one page: light and dark, screen and print, the same bytes each time.

    ``width`` and ``color`` are the reader's affair here.
    """
    del width, color
    shown = cleaned(document)
    drawn = {"goodput": figures.goodput(shown), "swings": figures.swings(shown)}
    known = {name: figure for name, figure in drawn.items() if figure is not None}
    return html.page(
        _environment().get_template("impact.html.j2"),
        known,
        document=shown,
        heights={name: figure["layout"]["height"] for name, figure in known.items()},
    )  # fmt: skip


@cache
def _environment() -> Environment:
    environment = html.templates()
    environment.globals |= {"w": words}
    return environment
