"""The projection for a terminal: the answer, both storages, what matters, the curve, the inputs."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from aibench.reporters.clean import cleaned
from aibench.reporters.console import laid_out
from aibench.reporters.impact import words
from aibench.units import format_rate

_STYLES = {"CONSISTENT": "bold green", "INCONSISTENT": "bold yellow"}
_BAR = 32
_MOST_SWINGS = 6
#: Lines a decade.
_A_DECADE = 3


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` as text of at most ``width`` cells a line, with colour where asked for."""
    return laid_out(_report(cleaned(document)), width=width, color=color)


def _report(document: dict[str, Any]) -> Iterator[RenderableType]:
    yield Text.assemble(("aibench impact", "bold"), f"  projected from {document['basis']} inputs")
    yield Text(words.headline(document), style="bold")
    if document["wish"]:
        yield Text(document["wish"]["sentence"])
    if document["saved"]:
        yield Text(f"The job takes {document['saved']['printed']} less than on the baseline.")
    yield from _claim(document["claim"])
    yield from _section("Baseline and candidate" if document["baseline"] else "This storage")
    yield _sides(document)
    yield from _curve(document)
    yield from _swings(document)
    yield from _inputs(document)
    if document["remarks"]:
        yield from _section("To know")
        yield _bullets(remark["message"] for remark in document["remarks"])
    yield from _section("Assumptions of every projection")
    yield _bullets(document["assumptions"])


def _section(title: str) -> Iterator[RenderableType]:
    yield Rule(style="dim")
    yield Text(title, style="bold")


def _claim(claim: dict[str, Any] | None) -> Iterator[RenderableType]:
    if claim is None:
        return
    yield from _section(f"{claim['id']} {claim['title']}")
    yield Text(f"“{claim['quote']}”")
    for each in claim["readings"]:
        word = words.VERDICTS[each["status"]]
        reach = f"projected {words.printed(each['low'])} to {_end(each['high'])}"
        cap = f", at most {words.printed(each['cap'])}" if each["cap"] else ""
        yield Text.assemble(
            (f"{word}: ", _STYLES.get(each["status"], "bold red")),
            f"claimed {words.printed(each['claimed'])}, {reach}{cap}. {each['note']}",
        )
    yield Text(words.NOT_A_VERDICT, style="dim")


def _end(found: dict[str, Any] | None) -> str:
    return "no bound" if found is None else words.printed(found)


def _sides(document: dict[str, Any]) -> Table:
    both = document["baseline"] is not None
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    if both:
        table.add_column("baseline", justify="right")
    table.add_column("candidate", justify="right")
    for key, title in words.FIGURES:
        cells = [words.figure(document["candidate"], key)]
        if both:
            cells.insert(0, words.figure(document["baseline"], key))
        indented = f"  {title}" if key in words.BELOW else title
        style = "bold" if key in ("goodput", "useful") else ""
        table.add_row(Text(indented), *map(Text, cells), style=style)
    return table


def _curve(document: dict[str, Any]) -> Iterator[RenderableType]:
    points = document["curve"]
    if not points:
        return
    yield from _section("Goodput over write bandwidth")
    marks = _marks(document, [point["bandwidth"] for point in points])
    for number, point in enumerate(points):
        here = marks.get(number, [])
        if not (here or _is_round(point["bandwidth"])):
            continue
        yield _line(point, here)
    knee = words.printed(document["knee"]) if document["knee"] else None
    if knee:
        yield Text(f"From {knee} on twice the bandwidth gives less than 1 % of the time.")
    yield Text(
        "Reads move with writes, all else is the candidate's. ░ is lost where the job fails as "
        "often as the inputs allow.",
        style="dim",
    )


def _is_round(bandwidth: float) -> bool:
    steps = _A_DECADE * math.log10(bandwidth)
    return abs(steps - round(steps)) < 1e-9


def _line(point: dict[str, Any], marks: list[str]) -> Text:
    goodput, soonest = point["goodput"], point["soonest"]
    if goodput is None:
        bar, value = "", "no progress"
    else:
        full = round((soonest or 0) * _BAR)
        bar = "█" * full + "░" * (round(goodput * _BAR) - full)
        value = f"{100 * goodput:.1f} %"
    line = f"{format_rate(point['bandwidth']):>10}  {bar:<{_BAR}} {value:>11}"
    return Text(line + (f"  ◄ {', '.join(marks)}" if marks else ""))


def _marks(document: dict[str, Any], places: list[float]) -> dict[int, list[str]]:
    """The points of the curve that lie closest to what is to be shown."""
    wanted = {name: document[name]["write"]["value"] for name in ("baseline", "candidate")
              if document[name]}  # fmt: skip
    if document["knee"]:
        wanted["knee"] = document["knee"]["value"]
    found: dict[int, list[str]] = {}
    for name, value in wanted.items():
        closest = min(range(len(places)), key=lambda n: abs(places[n] / value - 1))
        found.setdefault(closest, []).append(_named(document, name))
    return found


def _named(document: dict[str, Any], name: str) -> str:
    """A storage; a baseline with its own goodput, as it may differ in more than bandwidth."""
    return f"{name} ({document[name]['goodput']['printed']})" if name == "baseline" else name


def _swings(document: dict[str, Any]) -> Iterator[RenderableType]:
    rows = document["sensitivity"]["inputs"][:_MOST_SWINGS]
    if not rows:
        return
    of = "the gain" if document["sensitivity"]["of"] == "gain" else "the useful share"
    yield from _section(f"What {of} depends on, most first")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("input, from … to", overflow="fold", ratio=1)
    table.add_column("at the low end", justify="right")
    table.add_column("at the high end", justify="right")
    for row in rows:
        name = f"{row['title']}, {words.printed(row['low'])} … {words.printed(row['high'])}"
        table.add_row(Text(name), Text(_end(row["at_low"])), Text(_end(row["at_high"])))
    yield table


def _inputs(document: dict[str, Any]) -> Iterator[RenderableType]:
    yield from _section("Inputs")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("input", overflow="fold", ratio=3)
    table.add_column("value [range]", overflow="fold", ratio=2)
    table.add_column("", no_wrap=True)
    table.add_column("from", overflow="fold", ratio=3)
    for each in document["inputs"]:
        style = "bold" if each["origin"] == "measured" else ""
        table.add_row(
            Text(each["title"]), Text(words.ranged(each)), Text(words.origin(each), style=style),
            Text(each["source"]),
        )  # fmt: skip
    yield table


def _bullets(lines: Iterable[str]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1, no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row("·", Text(line))
    return table
