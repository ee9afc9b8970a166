"""What stands beside a claim: what its printed figures imply, and public figures to see it with.

Context in its class, with the note on what it may be compared with. Nothing of it is a verdict.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from aibench.model import Claim, System, Verdict
from aibench.model.reference import Reference
from aibench.plausible import context, implications
from aibench.reporters.values import plain, quantity


def beside(
    verdicts: Sequence[Verdict], references: Sequence[Reference], system: System | None
) -> dict[str, Any]:
    """For each judged claim, by its name, what it implies and which ``references`` stand beside it.

    Claims with neither are left out. Claims that were not judged are not looked at either.
    """
    claims = _as_printed(verdicts)
    found = {}
    for name, claim in claims.items():
        implied = implications(claim, tuple(claims.values()), references, system)
        around = context(claim, references)
        if implied or around:
            found[name] = {
                "implications": [plain(each) for each in implied],
                "references": [_reference(each) for each in around],
            }
    return found


def _as_printed(verdicts: Sequence[Verdict]) -> dict[str, Claim]:
    """Each claim once, by the verdict on a reading that replaces nothing, where there is one."""
    claims: dict[str, Claim] = {}
    for verdict in verdicts:
        read = verdict.interpretation
        if not (read.metric or read.unit or read.direction or read.phases):
            claims[verdict.claim.id] = verdict.claim
    for verdict in verdicts:
        claims.setdefault(verdict.claim.id, verdict.claim)
    return claims


def _reference(each: Reference) -> dict[str, Any]:
    return {
        "id": each.id,
        "class": each.kind.value,
        "system": each.system,
        "what": each.what,
        "quantity": each.quantity,
        "figure": quantity(each.value, each.unit),
        "up_to": quantity(each.up_to, each.unit),
        "scope": each.scope,
        "units": each.units,
        "source": each.source,
        "year": each.year,
        "confidence": each.confidence.value,
        "note": each.note,
    }


def implied(part: dict[str, Any] | None) -> Iterator[str]:
    """What a claim implies, in sentences."""
    for each in part["implications"] if part else ():
        yield f"{'Speaks against it' if each['against'] else 'It implies'}: {each['message']}"


def around(part: dict[str, Any] | None) -> Iterator[str]:
    """The references beside a claim, a line each; their notes are in the document."""
    for each in part["references"] if part else ():
        ends = [end for end in (each["figure"], each["up_to"]) if end]
        shown = " to ".join(end["printed"] for end in ends)
        if ends and ends[0]["printed_binary"]:
            shown += f" ({' to '.join(end['printed_binary'] for end in ends)})"
        many = f" for {each['units']} x {each['scope']}" if each["units"] > 1 else ""
        year = f", {each['year']}" if each["year"] else ""
        yield (
            f"{each['system']}: {each['what']}: {shown or 'no figure'}{many} "
            f"({each['class']}{year}). {each['note']}"
        )
