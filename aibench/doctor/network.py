"""The cards on the way to the target, and what was lost there."""

from collections.abc import Iterator, Mapping

from aibench.doctor.check import Check, ok, warning
from aibench.insight.thresholds import LOST_AT_LEAST, LOST_FROM
from aibench.insight.wording import percent
from aibench.model import Environment, Target
from aibench.probes import nfsstats
from aibench.probes.noise import way
from aibench.units import format_count


def checks(target: Target | None, environment: Environment) -> Iterator[Check]:
    """Nothing for a target that is not on a network."""
    if target is None or not target.is_remote:
        return
    yield link(target, environment)
    yield card_errors(environment)
    yield sent_again(environment)
    if target.is_nfs:
        yield requests(target)


def link(target: Target, environment: Environment) -> Check:
    """The server, and the cards that lead to it; a warning where no speed is known."""
    facts = environment.metadata
    cards = [_card(name, facts) for name in way(environment)]
    if not cards and target.is_served_by():
        return ok("link", f"{target.server or target.source} is this machine: no card is used")
    found = f"{target.server or target.source} through {', '.join(cards) or 'no known card'}"
    if cards and all(facts.get(f"nic_{name}") for name in way(environment)):
        return ok("link", found)
    advice = "The link's limit is not known here; compare rates with it by hand."
    return warning("link", found, advice)


def _card(name: str, facts: Mapping[str, object]) -> str:
    mtu = facts.get(f"card_{name}_mtu")
    size = f", MTU {mtu}" if mtu else ""
    model = facts.get(f"card_{name}_model") or "unknown model"
    return f"{name} ({model}, {facts.get(f'nic_{name}') or 'of unknown speed'}{size})"


def card_errors(environment: Environment) -> Check:
    """Errors and drops of the cards on the way since they came up; a warning where it has errors.

    Drops alone are common: packets of protocols that nobody here speaks count as such.
    """
    found, bad = [], False
    for name in way(environment):
        errors, drops = (environment.metadata.get(f"card_{name}_{what}")
                         for what in ("errors", "drops"))  # fmt: skip
        if isinstance(errors, int) and isinstance(drops, int):
            found.append(f"{name} {format_count(errors)} errors, {format_count(drops)} drops")
            bad = bad or errors >= LOST_AT_LEAST
    if not found:
        return ok("card errors", "no card on the way counts them")
    told = "; ".join(found) + " since it came up"
    if bad:
        return warning("card errors", told, "Look at cable, transceiver and switch port.")
    return ok("card errors", told)


def sent_again(environment: Environment) -> Check:
    """TCP segments that all of this machine's connections sent again since boot."""
    sent, again = (environment.metadata.get(f"tcp_sent_{what}") for what in ("segments", "again"))
    if not isinstance(sent, int) or not isinstance(again, int):
        return ok("TCP", "segments sent again are not told")
    return _lost("TCP", sent, again, "segments since boot")


def requests(target: Target) -> Check:
    """NFS requests that this mount sent again since it was mounted."""
    counters = nfsstats.snapshot(target.mount_point)
    if counters is None:
        return warning("NFS requests", f"the kernel lists no counters of {target.mount_point}")
    rows = counters.operations.values()
    sent = sum(row[0] for row in rows)
    return _lost("NFS requests", sent, sum(max(row[1] - row[0], 0) for row in rows),
                 "since it was mounted")  # fmt: skip


def _lost(name: str, sent: int, again: int, of: str) -> Check:
    share = f" ({percent(again / sent)})" if sent and again else ""
    found = f"{format_count(again)} of {format_count(sent)} {of} sent again{share}"
    if again >= LOST_AT_LEAST and again > LOST_FROM * sent:
        return warning(name, found, "Packets were lost; look whether the counts still rise.")
    return ok(name, found)
