"""The report for a pull request: GitHub's Markdown, with nothing in it that a record can steer."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aibench.reporters import (
    alternating,
    belonging,
    feeding,
    folding,
    growing,
    heatmap,
    hosts,
    sizing,
    soaking,
    steadiness,
    sweep,
    wording,
)
from aibench.reporters.clean import cleaned

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$])")
#: What else would become markup, a mention or a link.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
#: Where GitHub would begin a mention, a link or a reference to an issue.
_LINK = re.compile(r"(?<=[@#])|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=gh)(?=-)", re.IGNORECASE)


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` in GitHub's Markdown: verdicts, figures, warnings, what was not tested.

    ``width`` and ``color`` have no meaning here. Texts of the record show as they are: no link,
    mention, image or table cell comes out of them.
    """
    del width, color
    return "\n".join(_report(cleaned(document))) + "\n"


def escaped(text: object) -> str:
    """``text`` with every character that Markdown would obey made harmless."""
    marked = _SPECIAL.sub(r"\\\1", str(text))
    return _LINK.sub("<!-- -->", marked.translate(_ENTITIES))


def _report(document: dict[str, Any]) -> Iterator[str]:
    run = document["run"]
    yield f"### aibench {escaped(run['name'])}: {_headline(document)}"
    yield ""
    yield f"{escaped(wording.target(document))}. System: {escaped(wording.system(document))}."
    if told := hosts.launched(document):
        yield f"{escaped(told)}."
    yield ""
    if not run["counts"]:
        yield "**✗ This run does not count and meets no claim:**"
        yield from bullets(reason["message"] for reason in run["reasons"])
        yield ""
    if document["verdicts"]:
        yield from _claims(folding.told(document["verdicts"]))
        yield from _folded(document["verdicts"])
    yield from _results(document["workloads"])
    yield from _hosts(document["workloads"])
    yield from _levels(document["workloads"])
    yield from _limits(document)
    yield from _warnings(document)
    if found := list(sizing.lines(document["sizing"])):
        yield f"#### {wording.SIZING}"
        yield from bullets(found)
        yield ""
    yield "#### What was not tested"
    yield from bullets(f"{gap['what']}: {gap['why']}" for gap in document["not_tested"])
    yield ""
    yield from _details(document)


def _headline(document: dict[str, Any]) -> str:
    return wording.headline(document["summary"], document["verdicts"])


def table_row(cells: Iterable[str]) -> str:
    """One line of a table; the cells are escaped already."""
    return f"| {' | '.join(cells)} |"


def _claims(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    if not rows:
        return
    yield table_row(
        ("Verdict", "Claim, as printed", "Claimed", "Measured, typical [95 %]", "n", "Why")
    )
    yield table_row(("---", "---", "---", "---", "--:", "---"))
    for row in rows:
        why = [reason["message"] for reason in row["reasons"]]
        if row["next_step"]:
            why.append(f"Next: {row['next_step']}")
        yield table_row(
            (
                f"**{wording.verdict(row)}**",
                f"{escaped(row['claim'])} {escaped(row['title'])}<br>“{escaped(row['quote'])}”",
                "<br>".join(_claimed(row)),
                "<br>".join(_measured(row)),
                str(row["n"] if row["n"] is not None else wording.MISSING),
                "<br>".join(map(escaped, why)),
            )
        )
    yield ""


def _folded(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    lines = list(folding.folded(rows))
    if lines:
        yield from bullets(lines)
        yield ""


def _claimed(row: dict[str, Any]) -> Iterator[str]:
    claimed = row["claimed"]
    yield f"{escaped(row['sign'])} {claimed['printed']}" if claimed else wording.MISSING
    if claimed and claimed["printed_binary"]:
        yield claimed["printed_binary"]
    if row["scope"]:
        yield escaped(wording.per_scope(row))
    if row["bound"]:
        yield f"bound {row['bound']['printed']}"
    if row["interpretation"]["of"] > 1:
        yield f"read as: {escaped(row['interpretation']['note'])}"


def _measured(row: dict[str, Any]) -> Iterator[str]:
    measured = row["measured"]
    if measured is None and row["aggregate"]:
        yield f"this mount: {wording.typical(row['aggregate'])}"
        return
    yield wording.typical(measured)
    if measured is None:
        return
    if measured["printed_binary"]:
        yield wording.typical(measured, binary=True)
    if row["margin"] is not None:
        yield f"{wording.times(row['margin'])} the claim"
    yield f"worst {measured['printed_worst']}"


def _results(workloads: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield table_row(
        ("Workload, phase", "Figure", "Typical [95 %]", "n", "p50 / p99", "Cache or sync")
    )
    yield table_row(("---", "---", "---", "--:", "--:", "---"))
    for workload in workloads:
        name = escaped(workload["name"])
        if workload["refusal"] is not None:
            yield table_row((name, f"– refused: {escaped(workload['refusal'])}", "", "", "", ""))
            continue
        for phase in workload["phases"]:
            yield from _phase(f"{name}, {escaped(phase['name'])}", phase)
    yield ""


def _phase(name: str, phase: dict[str, Any]) -> Iterator[str]:
    first = (wording.latencies(phase), wording.state(phase))
    shown = wording.main_figures(phase)
    if not shown:
        yield table_row((name, "– nothing was measured", "", "0", *first))
    for metric in shown:
        estimate = metric["estimate"]
        text = wording.typical(estimate)
        if estimate and not phase["counts"]:
            text += " **✗ does not count**"
        title = f"{escaped(metric['title'])} {wording.ARROWS[metric['better']]}"
        yield table_row((name, title, text, str(estimate["n"] if estimate else 0), *first))
        name, first = "", ("", "")


def _hosts(workloads: Iterable[dict[str, Any]]) -> Iterator[str]:
    """What each host did in the middle repeat; of many the slowest, the middle and the fastest."""
    for workload in workloads:
        for phase in workload["phases"]:
            if (sample := hosts.middle(phase)) is None:
                continue
            name = f"{escaped(workload['name'])}, {escaped(phase['name'])}"
            titles = ("Ranks", "Rate", "Share", "First done", "Last done", "Cache")
            yield table_row((f"{name}: host", "", *titles))
            yield table_row(("---", "---", *["--:"] * 5, "---"))
            for which, row in hosts.chosen(sample["hosts"], hosts.FEW):
                shown = hosts.cells(row)
                keys = ("ranks", "rate", "share", "first", "last", "cache")
                cells = (shown["host"], which, *(shown[key] for key in keys))
                yield table_row(map(escaped, cells))
            yield ""


def _levels(workloads: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The tables of sweeps, with what they show."""
    for workload in workloads:
        told = [*growing.sentences(workload), *heatmap.sentences(workload)]
        if told:
            yield f"#### {escaped(workload['name'])}: how it grows"
            yield from bullets(told)
            yield ""
        for curve in growing.leading(workload, 1):
            head = (curve["axes"][0]["name"], f"{curve['question']}, {curve['title']}", "n",
                    "Efficiency [95 %]")  # fmt: skip
            yield from _table(head, growing.rows(curve))
        for grid in heatmap.grids(workload):
            yield f"{escaped(grid.title)}, typical:"
            yield ""
            for columns, cells in heatmap.blocks(grid):
                yield from _table(columns, cells)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    cells = [escaped(cell) for cell in head]
    yield table_row(cells)
    yield table_row(["---", *["--:"] * (len(cells) - 1)])
    for row in rows:
        yield table_row(map(escaped, row))
    yield ""


def _warnings(document: dict[str, Any]) -> Iterator[str]:
    lines = [warning["message"] for warning in document["run"]["warnings"]]
    for workload in document["workloads"]:
        lines += [f"{workload['name']}: {text}" for text in alternating.sentences(workload)]
        lines += [f"{workload['name']}: {text}" for text in feeding.fed(workload["phases"])]
        aside = (*soaking.sentences(workload["phases"]), *sweep.sentences(workload["phases"]))
        lines += [f"{workload['name']}: {text}" for text in aside]
        told = (wording.findings, steadiness.sentences, hosts.sentences)
        lines += [
            f"{workload['name']}, {text}" for tell in told for text in tell(workload["phases"])
        ]
    if lines:
        yield "#### To know about these figures"
        yield from bullets(lines)
        yield ""


def _limits(document: dict[str, Any]) -> Iterator[str]:
    lines = [
        f"{workload['name']}, {text}"
        for workload in document["workloads"]
        for text in wording.limits(workload["phases"])
    ]
    if lines:
        yield "#### Why these figures"
        yield from bullets(lines)
        yield ""


def _details(document: dict[str, Any]) -> Iterator[str]:
    run = document["run"]
    yield "<details><summary>Run and client</summary>"
    yield ""
    facts = [
        f"run {run['id']}, {wording.when(document)}, aibench {run['aibench_version']}",
        *([f"labels: {told}"] if (told := belonging.belonging(run["labels"])) else ()),
        *(f"judged, {side}: {told}" for side, told in belonging.rows(document)),
        f"command: {' '.join(run['command'])}",
        *(f"{key}: {value}" for key, value in document["environment"]["key"].items()),
    ]
    yield from bullets(facts)
    yield ""
    yield "</details>"
    yield ""
    yield f"<sub>{' '.join(wording.LEGEND)}</sub>"


def bullets(lines: Iterable[str]) -> Iterator[str]:
    """A list, its lines escaped."""
    for line in lines:
        yield f"- {escaped(line)}"
