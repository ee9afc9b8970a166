"""``aibench list``: the names that other commands take."""

import json
import textwrap

import click

from aibench.cli.options import chosen_claims
from aibench.cli.output import show
from aibench.definition.workloads import shipped_workloads, suite_names
from aibench.formats.format import format_named
from aibench.registry import names, plugin

_WIDTH = 80


@click.command("list")
@click.argument(
    "what", type=click.Choice(["workloads", "suites", "kinds", "claims", "engines", "formats"])
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(what: str, as_json: bool) -> None:
    """List what there is: a name, and a line about it."""
    rows = _LISTS[what]()
    if as_json:
        show(json.dumps({"format": 1, what: [{"name": n, "about": a} for n, a in rows]}))
        return
    width = max(len(name) for name, _ in rows)
    for name, about in rows:
        lines = textwrap.wrap(about, max(_WIDTH - width - 2, 40)) or [""]
        show(f"{name:<{width}}  {lines[0]}")
        for line in lines[1:]:
            show(f"{'':<{width}}  {line}")


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


def _claims() -> list[tuple[str, str]]:
    return [(c.id, f"{c.vendor} {c.product}: {c.title}") for c in chosen_claims(())]


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


_LISTS = {
    "workloads": _workloads,
    "suites": _suites,
    "kinds": _kinds,
    "claims": _claims,
    "engines": _engines,
    "formats": _formats,
}
