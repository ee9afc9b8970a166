"""What it takes to test claims from clients like this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aibench.cli import clients_here
from aibench.cli.chosen import chosen_claims, chosen_system
from aibench.clients import Client, Link, Need, needs
from aibench.clients.answers import Tasks
from aibench.errors import UnitError
from aibench.judge.reasons import sentence
from aibench.model import Claim, System, Target
from aibench.reporters.clients import document

#: What is told where nobody says what link a client has, in Gbit/s.
_USUAL = (25, 100, 200, 400)
_GIGABIT = 10**9 // 8


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for: claims, and what it says of clients and of the mount."""

    claims: tuple[str, ...]
    nics: tuple[str, ...] = ()
    client_rate: str | None = None
    system: str | None = None


def needed(asked: Asked, place: Target | None) -> dict[str, Any]:
    """The document of `reporters.clients` for ``asked``; ``place`` is where the storage is here."""
    claims = tuple({(c.origin, c.id): c for c in chosen_claims(asked.claims)}.values())
    rate = None if asked.client_rate is None else _operations(asked.client_rate)
    system = chosen_system(asked.system)
    way = clients_here.link(place, asked.nics)
    known = clients_here.tested(claims)
    tests = {where: test for where, (test, _) in known.items()}
    client = clients_here.client(way, claims, known, rate)
    catalogue = (*claims, *chosen_claims(()))
    answered = []
    for claim in claims:
        found = needs(claim, client, tests, catalogue, system)
        answered.append((found, _otherwise(claim, client, tests, catalogue, system)))
    path = None if place is None else place.path
    return document(client, answered, sentence, path, asked.system, list(_remarks(place)))


def _remarks(place: Target | None) -> Iterator[str]:
    """What is to know of a target that no other client reaches."""
    if place is not None and not place.is_remote:
        yield (
            f"{place.label} is in this machine ({place.fstype}): clients are counted as if they "
            "reached the storage over a network"
        )


def _otherwise(
    claim: Claim, client: Client, tests: Tasks, catalogue: Sequence[Claim], system: System | None
) -> list[tuple[Link, tuple[Need, ...]]]:
    """The answers with usual links, where that of this client is not known."""
    if client.link.rate is not None:
        return []
    usual = [Link(rate=number * _GIGABIT, source="usual") for number in _USUAL]
    return [
        (way, needs(claim, replace(client, link=way), tests, catalogue, system)) for way in usual
    ]


def _operations(text: str) -> float:
    """Operations a second in ``500000op/s``. `UnitError` for anything else."""
    number = text.strip().removesuffix("op/s")
    try:
        rate = float(number) if number != text.strip() else 0.0
    except ValueError:
        rate = 0.0
    if not 1 <= rate <= 1e12:
        raise UnitError(f"--client-rate {text[:64]!r}: write for example 500000op/s")
    return rate
