"""The report for a terminal: verdicts first, then each workload, then what was not tested."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from aibench.reporters import (
    alternating,
    asking,
    belonging,
    feeding,
    folding,
    growing,
    heatmap,
    hosts,
    hosts_terminal,
    sizing,
    soaking,
    steadiness,
    sweep,
    wording,
)
from aibench.reporters.clean import cleaned
from aibench.reporters.console import laid_out

_PHASE_WIDTH = 16
#: Colours of the sixteen that every terminal theme defines; the words say the same.
_STYLES = {
    "MET": "bold green",
    "NOT_MET": "bold red",
    "INCONCLUSIVE": "bold yellow",
    "NOT_TESTABLE_HERE": "dim",
    "NOT_TESTABLE": "dim",
    "CONSISTENT": "cyan",
    "INCONSISTENT": "magenta",
    "INCONSISTENT_BOUND": "magenta",
    "REFERENCE_ONLY": "cyan",
}


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` as text of at most ``width`` cells a line, with colour where asked for.

    Every text of the record is stripped of control characters before it is laid out.
    """
    return laid_out(_report(cleaned(document)), width=width, color=color)


def _report(document: dict[str, Any]) -> Iterator[RenderableType]:
    yield from _head(document)
    yield from _claims(document)
    for workload in document["workloads"]:
        yield from _workload(workload)
    yield from _sizing(document)
    yield from _gaps(document)
    yield Text()
    for line in wording.LEGEND:
        yield Text(line, style="dim")


def _head(document: dict[str, Any]) -> Iterator[RenderableType]:
    run = document["run"]
    yield Text.assemble((f"aibench {run['name']}", "bold"), "  ", wording.when(document))
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("target", Text(wording.target(document)))
    facts.add_row("system", Text(wording.system(document)))
    key = document["environment"]["key"]
    if key:
        facts.add_row(
            "client", Text(", ".join(f"{k} {wording.fact(k, v)}" for k, v in key.items()))
        )
    if told := hosts.launched(document):
        facts.add_row("ranks", Text(told))
    if told := belonging.belonging(run["labels"]):
        facts.add_row("labels", Text(told))
    yield facts
    yield from _judged(document)
    if not run["counts"]:
        yield Text("\n✗ This run does not count and meets no claim:", style="bold red")
        yield _bullets(reason["message"] for reason in run["reasons"])
    if run["warnings"]:
        yield _bullets(warning["message"] for warning in run["warnings"])


def _judged(document: dict[str, Any]) -> Iterator[RenderableType]:
    """The runs that were judged together, where they are several."""
    if not document["judged"]:
        return
    yield Text(f"\n{belonging.heading(document)}:")
    each = Table.grid(padding=(0, 2, 0, 0))
    each.add_column(style="dim", no_wrap=True)
    each.add_column(overflow="fold")
    for side, told in belonging.rows(document):
        each.add_row(side, Text(told))
    yield each


def _section(title: str) -> Iterator[RenderableType]:
    yield Rule(style="dim")
    yield Text(title, style="bold")


def _claims(document: dict[str, Any]) -> Iterator[RenderableType]:
    rows = folding.told(document["verdicts"])
    yield from _section(wording.headline(document["summary"], document["verdicts"]))
    if rows:
        yield _claims_table(rows)
    notes = [*_notes(rows), *folding.folded(document["verdicts"])]
    if notes:
        yield Text("\nwhy, and what next", style="dim")
        yield _bullets(notes)


def _claims_table(rows: Iterable[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("verdict", min_width=13, max_width=16)
    table.add_column("claim, as printed", ratio=1, overflow="fold")
    table.add_column("claimed", overflow="fold")
    table.add_column("measured [95 %]", overflow="fold")
    table.add_column("n", justify="right")
    for row in rows:
        table.add_row(*_claim_cells(row))
    return table


def _claim_cells(row: dict[str, Any]) -> Iterator[Text]:
    yield Text(wording.verdict(row), style=_STYLES[row["status"]])
    title = Text.assemble((f"{row['claim']} {row['title']}", "bold"), f"\n“{row['quote']}”")
    if row["interpretation"]["of"] > 1:
        title.append(f"\nread as: {row['interpretation']['note']}", style="dim")
    yield title
    yield Text("\n".join(_claimed(row)))
    yield Text("\n".join(_measured(row)))
    yield Text(wording.fact("n", row["n"]))


def _claimed(row: dict[str, Any]) -> Iterator[str]:
    claimed = row["claimed"]
    sign = {"at least": "≥", "at most": "≤"}.get(row["sign"], row["sign"])
    yield f"{sign} {claimed['printed']}" if claimed else wording.MISSING
    if claimed and claimed["printed_binary"]:
        yield claimed["printed_binary"]
    if row["scope"]:
        yield wording.per_scope(row)
    if row["bound"]:
        yield f"bound {row['bound']['printed']}"


def _measured(row: dict[str, Any]) -> Iterator[str]:
    measured = row["measured"]
    if measured is None:
        yield from _whole_mount(row["aggregate"])
        return
    yield measured["printed"]
    if measured["printed_interval"]:
        yield measured["printed_interval"]
    if measured["printed_binary"]:
        yield measured["printed_binary"]
    if row["margin"] is not None:
        yield f"{wording.times(row['margin'])} the claim"
    yield f"worst {measured['printed_worst']}"
    if row["baseline"]:
        yield f"{row['aggregate']['printed']} over {row['baseline']['printed']}"
    elif row["aggregate"] and row["aggregate"]["printed"] != measured["printed"]:
        yield f"all: {row['aggregate']['printed']}"


def _whole_mount(aggregate: dict[str, Any] | None) -> Iterator[str]:
    """What the mount does, where that says nothing about the claimed unit."""
    if aggregate is None:
        yield wording.MISSING
        return
    yield "this mount:"
    yield aggregate["printed"]
    if aggregate["printed_interval"]:
        yield aggregate["printed_interval"]


def _notes(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Each distinct reason and next step once, with the claims that it is about."""
    about: dict[str, list[str]] = {}
    for row in rows:
        texts = [reason["message"] for reason in row["reasons"]]
        if row["next_step"]:
            texts.append(f"Next: {row['next_step']}")
        for text in texts:
            claims = about.setdefault(text, [])
            if row["claim"] not in claims:
                claims.append(row["claim"])
    for text, claims in about.items():
        yield f"{', '.join(claims)}: {text}"


def _workload(workload: dict[str, Any]) -> Iterator[RenderableType]:
    yield from _section(f"{workload['name']}: {workload['title']}")
    yield Text(f"{workload['imitates']} Engine: {wording.engine(workload)}.", style="dim")
    if workload["refusal"] is not None:
        yield Text(f"– Refused, nothing was run: {workload['refusal']}", style="yellow")
        return
    grids = heatmap.grids(workload)
    shown = [grid.question for grid in grids]
    phases = [p for p in workload["phases"] if p.get("question") not in shown]
    yield _figures(phases)
    yield from hosts_terminal.tables(phases)
    yield from _grids(grids)
    told = (*growing.sentences(workload), *heatmap.sentences(workload))
    notes = _phase_notes(workload["phases"])
    yield _bullets((*told, *alternating.sentences(workload), *notes))


def _grids(grids: Iterable[heatmap.Grid]) -> Iterator[RenderableType]:
    """The figures of a sweep over two settings, a table for each question."""
    for grid in grids:
        yield Text(f"{grid.title}, typical", style="dim")
        for head, rows in heatmap.blocks(grid):
            table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
            for number, name in enumerate(head):
                table.add_column(name, justify="right" if number else "left", overflow="fold")
            for row in rows:
                table.add_row(*map(Text, row))
            yield table


def _figures(phases: Sequence[dict[str, Any]]) -> RenderableType:
    if not phases:
        return Text()
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("phase", overflow="fold", max_width=_PHASE_WIDTH)
    table.add_column("figure", overflow="fold", max_width=18)
    table.add_column("typical [95 %]", overflow="fold")
    table.add_column("n", justify="right")
    table.add_column("p50 / p99", overflow="fold", max_width=17)
    table.add_column("cache\nor sync", overflow="fold", max_width=8)
    for phase in phases:
        for cells in _figure_rows(phase):
            table.add_row(*map(Text, cells))
    return table


def _figure_rows(phase: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    first = (_folded_name(phase), wording.latencies(phase), wording.state(phase))
    shown = wording.main_figures(phase)
    if not shown:
        yield first[0], "nothing measured", wording.MISSING, "0", *first[1:]
    for metric in shown:
        estimate = metric["estimate"]
        n = str(estimate["n"]) if estimate else "0"
        text = wording.typical(estimate)
        if estimate and not phase["counts"]:
            text += " does not count"
        short = metric["title"].replace(" per second", "/s")
        title = f"{short} {wording.ARROWS[metric['better']]}"
        yield first[0], title, text, n, *first[1:]
        first = ("", "", "")


def _folded_name(phase: dict[str, Any]) -> str:
    """The name on two lines where a sweep makes it long."""
    name = str(phase["name"])
    return name.replace("@", "\n@") if len(name) > _PHASE_WIDTH and phase.get("levels") else name


def _phase_notes(phases: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What was asked, once for all phases that were asked alike; then what to know of each."""
    yield from asking.each(phases)
    yield from feeding.fed(phases)
    yield from soaking.sentences(phases)
    yield from sweep.sentences(phases)
    yield from wording.findings(phases)
    yield from steadiness.sentences(phases)
    yield from hosts.sentences(phases)
    yield from wording.limits(phases, brief=True)


def _sizing(document: dict[str, Any]) -> Iterator[RenderableType]:
    found = list(sizing.lines(document["sizing"]))
    if found:
        yield from _section(wording.SIZING)
        yield _bullets(found)


def _gaps(document: dict[str, Any]) -> Iterator[RenderableType]:
    yield from _section("What was not tested")
    yield _bullets(f"{gap['what']}: {gap['why']}" for gap in document["not_tested"])


def _bullets(lines: Iterable[str]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1, no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row("·", Text(line))
    return table
