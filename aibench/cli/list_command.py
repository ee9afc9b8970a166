"""``aibench list``: the names that other commands take."""

import json
import textwrap
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

import click

from aibench.cli.chosen import chosen_claims
from aibench.cli.output import show
from aibench.definition.references import shipped_references
from aibench.definition.workloads import shipped_workloads, suite_names
from aibench.formats.format import format_named
from aibench.judge.reasons import sentence
from aibench.model import Means
from aibench.registry import names, plugin

_WIDTH = 80
_MEANS = {
    Means.DIRECT: "tested on one mount",
    Means.COMPARISON: "tested against a measured baseline, or at several sizes",
    Means.MODEL: "tested only through a model, from what is measured and what is assumed",
    Means.NEVER: "not to be tested by a benchmark of a filesystem",
}


class Row(NamedTuple):
    """A name, a line about it, and the group that it stands in, where there are groups."""

    name: str
    about: str
    group: str = ""


@click.command("list")
@click.argument(
    "what",
    type=click.Choice(
        ["workloads", "suites", "kinds", "claims", "references", "reasons", "engines", "formats"]
    ),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(what: str, as_json: bool) -> None:
    """List what there is: a name, and a line about it."""
    rows = [Row(*row) for row in _LISTS[what]()]
    if as_json:
        show(json.dumps({"format": 1, what: [_document(row) for row in rows]}))
        return
    width = max(len(row.name) for row in rows)
    for group, members in groupby(rows, key=lambda row: row.group):
        found = list(members)
        if group:
            show(f"{group[0].upper()}{group[1:]} ({len(found)}):")
        for row in found:
            lines = textwrap.wrap(row.about, max(_WIDTH - width - 2, 40)) or [""]
            show(f"{row.name:<{width}}  {lines[0]}")
            for line in lines[1:]:
                show(f"{'':<{width}}  {line}")


def _document(row: Row) -> dict[str, str]:
    found = {"name": row.name, "about": row.about}
    return found | {"group": row.group} if row.group else found


def _workloads() -> list[tuple[str, str]]:
    return [(f.workload.name, f.workload.title) for f in shipped_workloads()]


def _suites() -> list[tuple[str, str]]:
    files = shipped_workloads()
    return [
        (suite, ", ".join(f.workload.name for f in files if suite in f.workload.suites))
        for suite in suite_names()
    ]


def _kinds() -> list[tuple[str, str]]:
    return [(name, plugin("generators", name).summary) for name in names("generators")]


def _claims() -> list[tuple[str, str, str]]:
    order = list(_MEANS)
    found = sorted(chosen_claims(()), key=lambda claim: order.index(claim.testability))
    return [
        (
            claim.id,
            f"{claim.vendor} {claim.product}: {claim.title}"
            + (f" - {sentence(claim.untestable)}" if claim.untestable else ""),
            _MEANS[claim.testability],
        )
        for claim in found
    ]


def _references() -> list[tuple[str, str, str]]:
    from aibench.cli.beside import figure
    from aibench.model.reference import ReferenceClass

    shipped, order = shipped_references(), list(ReferenceClass)
    tiers = [
        (tier.id, f"{tier.guideline}, tier {tier.tier}, {tier.scope}: {tier.suits}",
         "tiers of sizing guidelines")
        for tier in shipped.tiers
    ]  # fmt: skip
    figures = sorted(shipped.figures, key=lambda each: order.index(each.kind))
    return [(e.id, f"{e.system}: {e.what}: {figure(e)}", e.kind.value) for e in figures] + tiers


def _engines() -> list[tuple[str, str]]:
    rows = []
    for name in names("engines"):
        engine = plugin("engines", name)()
        version = engine.version() or "not installed"
        rows.append((name, f"{(engine.__doc__ or '').splitlines()[0]} ({version})"))
    return rows


def _formats() -> list[tuple[str, str]]:
    found = ((name, format_named(name)) for name in names("formats"))
    return [(name, f"{form.summary}; readers: {', '.join(form.readers)}") for name, form in found]


def _reasons() -> list[tuple[str, str]]:
    """The codes that verdicts give as their reasons."""
    from aibench.judge.reasons import REASONS

    return list(REASONS.items())


_LISTS: dict[str, Callable[[], Sequence[tuple[str, ...]]]] = {
    "workloads": _workloads,
    "suites": _suites,
    "kinds": _kinds,
    "claims": _claims,
    "references": _references,
    "reasons": _reasons,
    "engines": _engines,
    "formats": _formats,
}
