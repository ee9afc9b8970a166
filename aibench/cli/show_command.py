"""``aibench show``: one workload, claim, reference, engine or data format in full."""

import json
from collections.abc import Iterable

import click

from aibench.cli.beside import beside, shown_reference
from aibench.cli.chosen import chosen_claims
from aibench.cli.output import show
from aibench.definition.references import shipped_references
from aibench.definition.workloads import find_workload, shipped_workloads
from aibench.errors import Refused
from aibench.formats.format import Format, format_named
from aibench.judge.reasons import sentence
from aibench.model import Claim, Interpretation, Means
from aibench.registry import names, plugin
from aibench.reporters.prometheus import dashboard
from aibench.units import format_value


@click.command("show")
@click.argument("name")
@click.option("--schema", is_flag=True, help="With 'claims': the JSON Schema of claim files.")
def command(name: str, schema: bool) -> None:
    """Show the workload, claim, reference, engine or data format NAME in full.

    'grafana' is a dashboard for what 'aibench report -f prometheus' exports.
    """
    if schema:
        _show_schema(name)
        return
    for line in _lines(name):
        show(line)


def _lines(name: str) -> Iterable[str]:
    """What is known of ``name``. `Refused` where nothing is called so."""
    workloads = [file.workload.name for file in shipped_workloads()]
    claims = {claim.id: claim for claim in chosen_claims(())}
    if name in workloads:
        return [find_workload(name).text.rstrip()]
    if name in claims:
        return [*_claim_lines(claims[name]), *beside(claims[name], tuple(claims.values()))]
    if lines := shown_reference(name, shipped_references()):
        return lines
    if name == "grafana":
        return [dashboard().rstrip()]
    if name in names("engines"):
        return [f"{name}: {(type(plugin('engines', name)()).__doc__ or '').strip()}"]
    if name in names("formats"):
        return _format_lines(format_named(name))
    known = ", ".join((*workloads, *claims, *names("engines"), *names("formats"), "grafana"))
    raise Refused(f"nothing is called {name!r}; known: {known}")


def _show_schema(name: str) -> None:
    from aibench.definition.claims import json_schema

    if name != "claims":
        raise Refused(f"no JSON Schema of {name!r}; known: claims")
    show(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _format_lines(form: Format) -> list[str]:
    lines = [f"{form.name}: {form.summary}"]
    for name, reading in form.readers.items():
        order = "whole files in order" if reading.streams else "any sample by itself"
        lines.append(f"  {name}: {reading.summary} ({order})")
    return lines


def _claim_lines(claim: Claim) -> list[str]:
    lines = [
        f"{claim.id}: {claim.title}",
        f"  {claim.vendor} {claim.product} {claim.configuration}".rstrip(),
        f"  printed: {claim.quote}",
        *(f"  also printed: {quote}" for quote in claim.other_quotes),
        f"  source: {claim.source}, {claim.date}",
        f"  for one {claim.scope}: {claim.unit_definition or 'the source does not define it'}",
        *(_reading(claim.under(each), each) for each in claim.interpretations),
        _test_of(claim),
    ]
    for title, parts in (
        ("stated", claim.stated),
        ("not stated", claim.unstated),
        ("defects of the source", claim.defects),
        ("source against what it cites", (claim.distortion_note,)),
        ("how it scales to the claimed unit", (claim.normalise,)),
        ("instead", (claim.proxy,)),
        ("needs", tuple(map(sentence, claim.needs))),
        ("not testable", (claim.untestable_part,)),
    ):
        lines += [f"  {title}: {part}" for part in parts if part]
    return lines


def _reading(claim: Claim, reading: Interpretation) -> str:
    note = f" ({reading.note})" if reading.note else ""
    if reading.value is None:
        return f"  no number is printed{note}"
    value = format_value(reading.value, claim.unit)
    return f"  {claim.metric or claim.kind} {claim.direction} {value}{note}"


def _test_of(claim: Claim) -> str:
    tests = ", ".join(f"{kind}/{phase}" for kind, phase in claim.phases)
    if claim.testability is Means.NEVER:
        return f"  not testable by a benchmark of a filesystem: {sentence(claim.untestable)}"
    if claim.testability is Means.MODEL:
        name = claim.model.name if claim.model else "a projection"
        return f"  tested only through a model: {name}{f', fed by {tests}' if tests else ''}"
    return f"  tested by: {tests}, tolerance {claim.tolerance:.0%}"
