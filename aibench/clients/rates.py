"""A rate: as many clients as their links and processors ask for, and data that they can't hold."""

import math
from dataclasses import replace

from aibench.clients.bounds import (
    ALONE,
    DEVICES,
    PROOF,
    asked_for,
    bounds,
    data_bytes,
    most,
)
from aibench.clients.need import Answer, Need
from aibench.clients.rig import Client, Link
from aibench.model import System

#: The way to what is in the client itself.
_LOCAL = Link(rate=math.inf, source="in this machine")


def driven(draft: Need, client: Client, system: System | None) -> Need:
    """The clients that drive the claimed rate, those that could refute it, and their data."""
    claim, scope = draft.claim, draft.claim.scope.casefold()
    figure = (draft.reading.value or 0.0) * draft.units
    if scope in DEVICES:
        client = replace(client, link=_LOCAL)
    supporting = bounds(figure, claim.unit, draft.test, client)
    clients = most(supporting, client.link)
    refute = most(bounds(figure, claim.unit, draft.test, client, PROOF), client.link)
    if scope in ALONE:
        clients = refute = 1
    elif refute is not None:
        refute = max(refute, 2)
    made = replace(
        draft,
        answer=Answer.CLIENTS,
        clients=clients,
        to_refute=refute,
        figure=figure,
        bounds=supporting,
        reasons=claim.needs,
    )
    return _with_data(made, client, system)


def _with_data(made: Need, client: Client, system: System | None) -> Need:
    """What has to lie there, for all clients that test the figure in both directions."""
    test, clients = made.test, made.to_refute
    if test is None or clients is None or made.figure is None:
        return made
    moved = made.figure if made.claim.unit == "B/s" else made.figure * test.operation_bytes
    cache = system.server_cache_bytes if system is not None and test.writes else None
    wanted = data_bytes(moved, test, client, clients, cache)
    if wanted is None:
        return made
    have, settings = asked_for(wanted, test, clients)
    return replace(made, data_bytes=have, settings=settings)
