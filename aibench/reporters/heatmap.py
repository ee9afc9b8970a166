"""A sweep over two settings: a heat map with its values in it, and the same as a table."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aibench.reporters import wording
from aibench.reporters.figures import Figure, escape
from aibench.reporters.growing import leading

#: Columns of values that fit beside the names of rows in 80 columns.
_COLUMNS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The typical figure at each pair of levels; None where there is none.

    The setting with fewer levels has the columns.
    """

    question: str
    title: str
    unit: str
    row: str
    column: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]

    @property
    def told(self) -> str:
        """``30.1 MB/s to 2.99 GB/s at 20 levels``."""
        known = [value for row in self.values for value in row if value is not None]
        if not known:
            return wording.MISSING
        ends = [wording.printed(end, self.unit) for end in (min(known), max(known))]
        return f"{ends[0]} to {ends[1]} at {len(known)} levels"


def grids(workload: dict[str, Any]) -> list[Grid]:
    """The grid of each question that was swept over two settings."""
    return [_grid(curve) for curve in leading(workload, 2)]


def _grid(curve: dict[str, Any]) -> Grid:
    row, column = curve["axes"]
    if len(row["levels"]) < len(column["levels"]):
        row, column = column, row
    known = {
        (point["levels"][row["name"]], point["levels"][column["name"]]): point["estimate"]
        for point in curve["points"]
    }
    values = tuple(
        tuple(
            found["typical"] if (found := known.get((r["value"], c["value"]))) else None
            for c in column["levels"]
        )
        for r in row["levels"]
    )
    return Grid(
        question=curve["question"],
        title=f"{curve['question']}, {curve['title']}",
        unit=curve["unit"],
        row=row["name"],
        column=column["name"],
        rows=tuple(level["printed"] for level in row["levels"]),
        columns=tuple(level["printed"] for level in column["levels"]),
        values=values,
    )


def cells(grid: Grid) -> list[list[str]]:
    """The values as printed, each with its unit."""
    return [[wording.printed(value, grid.unit) for value in row] for row in grid.values]


def blocks(grid: Grid) -> Iterator[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Head and rows of tables that fit into 80 columns, side by side one after the other."""
    printed = cells(grid)
    for begin in range(0, len(grid.columns), _COLUMNS):
        part = slice(begin, begin + _COLUMNS)
        head = (f"{grid.row} \\ {grid.column}", *grid.columns[part])
        yield head, [(name, *row[part]) for name, row in zip(grid.rows, printed, strict=True)]


def sentences(workload: dict[str, Any]) -> Iterator[str]:
    """Where the figure of each grid is best, and what that is worth."""
    told = list(_best(workload))
    yield from told
    if told:
        yield "The best of many levels is a little better than it would be again."


def _best(workload: dict[str, Any]) -> Iterator[str]:
    for curve in leading(workload, 2):
        known = [point for point in curve["points"] if point["estimate"]]
        if len(known) < 2:
            continue
        choose = max if curve["better"] == "higher" else min
        best = choose(known, key=lambda point: point["estimate"]["typical"])
        place = ", ".join(f"{name}={level}" for name, level in best["printed"].items())
        yield (
            f"{curve['question']}: the best {curve['title']} of {len(known)} levels is "
            f"{wording.typical(best['estimate'])}, at {place}."
        )


def figure(grid: Grid) -> Figure | None:
    """Cells coloured by the logarithm of their values, which stand in them; None without any."""
    known = [value for row in grid.values for value in row if value]
    if not known:
        return None
    return {
        "data": [
            {
                "type": "heatmap",
                "role": "heat",
                "x": list(grid.columns),
                "y": list(grid.rows),
                "z": [[_shade(value) for value in row] for row in grid.values],
                "text": [[cell.replace(" ", "<br>") for cell in row] for row in cells(grid)],
                "texttemplate": "%{text}",
                "hovertemplate": f"{escape(grid.row)} %{{y}}, {escape(grid.column)} %{{x}}: "
                "%{text}<extra></extra>",
                "showscale": False,
                "xgap": 2,
                "ygap": 2,
            }
        ],
        "layout": {
            "height": 96 + 44 * len(grid.rows),
            "xaxis": _axis(grid.column, grid.columns),
            "yaxis": _axis(grid.row, grid.rows),
            "showlegend": False,
        },
    }


def _axis(name: str, levels: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "category", "title": {"text": escape(name)}, "showgrid": False,
        "categoryorder": "array", "categoryarray": list(levels), "tickvals": list(levels),
    }  # fmt: skip


def _shade(value: float | None) -> float | None:
    """Of rates that differ by factors, what the eye can follow."""
    return float(f"{math.log10(value):.6g}") if value else None
