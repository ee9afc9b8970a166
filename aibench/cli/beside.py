"""What is shown of public figures, and beside a claim: what it implies, and its context."""

from collections.abc import Iterator, Sequence
from typing import Any

from aibench.definition.references import References, shipped_references
from aibench.model import Claim, RunRecord, Verdict
from aibench.model.reference import Reference, Tier
from aibench.plausible import context, implications
from aibench.reporters.document import document
from aibench.units import format_rate_binary, format_size_binary, format_value

_BINARY = {"B/s": format_rate_binary, "B": format_size_binary}


def full_document(
    record: RunRecord, verdicts: Sequence[Verdict], runs: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """The document of ``record`` with the shipped references as context."""
    return document(record, verdicts, shipped_references().figures, runs)


def beside(claim: Claim, catalogue: Sequence[Claim]) -> Iterator[str]:
    """What ``claim`` implies by arithmetic, and the public figures to see it with."""
    references = shipped_references()
    for found in implications(claim, catalogue, references.figures):
        title = "speaks against it" if found.against else "it implies"
        yield f"  {title}: {found.message} ({found.code})"
    around = context(claim, references.figures)
    if around:
        yield "  beside it, as context and never as a verdict:"
    for each in around:
        yield f"    {each.id}: {each.system}: {each.what}: {figure(each)} ({_standing(each)})"
    for mark in dict.fromkeys(each.trademark for each in around if each.trademark):
        yield f"    {mark} is a trademark: no figure of aibench is ranked against its results."


def figure(reference: Reference) -> str:
    """The figure in decimal and, for bytes, in binary units; or that there is none."""
    if reference.value is None:
        return "no figure"
    ends = [end for end in (reference.value, reference.up_to) if end is not None]
    text = " to ".join(format_value(end, reference.unit) for end in ends)
    if (binary := _BINARY.get(reference.unit)) and reference.value >= 2**20:
        text += f" ({' to '.join(map(binary, ends))})"
    return text if reference.units == 1 else f"{text} for {reference.units} x {reference.scope}"


def _standing(reference: Reference) -> str:
    parts = (reference.kind.value, reference.year and str(reference.year), reference.confidence)
    return ", ".join(part for part in parts if part)


def shown_reference(name: str, references: References) -> tuple[str, ...] | None:
    """The figure or the tier of that name in full; None where there is none."""
    for each in references.figures:
        if each.id == name:
            return _figure_lines(each)
    for tier in references.tiers:
        if tier.id == name:
            return _tier_lines(tier)
    return None


def _figure_lines(reference: Reference) -> tuple[str, ...]:
    lines = (
        f"{reference.id}: {reference.system}",
        f"  what: {reference.what}",
        f"  figure: {reference.quantity}, {figure(reference)}",
        f"  for one: {reference.scope}" if reference.units == 1 else "",
        f"  standing: {_standing(reference)}",
        f"  source: {reference.source}",
        f"  to compare it: {reference.note}",
        f"  claims: {', '.join(reference.claims)}" if reference.claims else "",
    )
    return tuple(line for line in lines if line)


def _tier_lines(tier: Tier) -> tuple[str, ...]:
    each = f"{format_value(tier.read / tier.accelerators, 'B/s')} of reads an accelerator"
    size = f"{tier.nodes} nodes, {tier.accelerators} accelerators"
    rates = f"reads {format_value(tier.read, 'B/s')}, writes {format_value(tier.write, 'B/s')}"
    return (
        f"{tier.id}: {tier.guideline}, tier {tier.tier}",
        f"  for: {tier.suits}",
        f"  one {tier.scope} ({size}): {rates}; {each}",
        f"  source: {tier.source}, {tier.year}",
        f"  to compare it: {tier.note}",
    )
