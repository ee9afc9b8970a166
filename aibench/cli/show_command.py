"""``aibench show``: one workload, claim, engine or data format in full."""

import click

from aibench.cli.options import chosen_claims
from aibench.cli.output import show
from aibench.definition.workloads import find_workload, shipped_workloads
from aibench.errors import Refused
from aibench.formats.format import Format, format_named
from aibench.model import Claim
from aibench.registry import names, plugin
from aibench.units import format_value


@click.command("show")
@click.argument("name")
def command(name: str) -> None:
    """Show the workload, claim, engine or data format NAME in full."""
    workloads = [file.workload.name for file in shipped_workloads()]
    claims = {claim.id: claim for claim in chosen_claims(())}
    if name in workloads:
        show(find_workload(name).text.rstrip())
    elif name in claims:
        for line in _claim_lines(claims[name]):
            show(line)
    elif name in names("engines"):
        show(f"{name}: {(type(plugin('engines', name)()).__doc__ or '').strip()}")
    elif name in names("formats"):
        for line in _format_lines(format_named(name)):
            show(line)
    else:
        known = ", ".join((*workloads, *claims, *names("engines"), *names("formats")))
        raise Refused(f"nothing is called {name!r}; known: {known}")


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
        f"  source: {claim.source}, {claim.date}",
        f"  for one {claim.scope}: {claim.unit_definition or 'the source does not define it'}",
    ]
    for reading in claim.interpretations:
        value = format_value(reading.value, claim.unit)
        note = f" ({reading.note})" if reading.note else ""
        lines.append(f"  {claim.metric} {claim.direction} {value}{note}")
    tests = ", ".join(f"{kind}/{phase}" for kind, phase in claim.phases)
    lines.append(f"  tested by: {tests}, tolerance {claim.tolerance:.0%}")
    for title, parts in (
        ("stated", claim.stated),
        ("not stated", claim.unstated),
        ("defects of the source", claim.defects),
    ):
        lines += [f"  {title}: {part}" for part in parts]
    if claim.untestable_part:
        lines.append(f"  not testable: {claim.untestable_part}")
    return lines
