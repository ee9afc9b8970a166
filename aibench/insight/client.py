"""Whether a client's CPU was at its limit, and what of it."""

from typing import NamedTuple

from aibench.insight.facts import Facts, busiest_core, own_cpu_share
from aibench.insight.thresholds import FULL, HELD_FROM, LOW
from aibench.insight.wording import percent


class BusyClient(NamedTuple):
    """What of a client's CPU was at its limit, in a ``clause`` with the figure ``share``.

    ``by_others`` is the workers' own share of their time, where a core was busy with something
    else; ``by_quota`` says that a quota and not a core set the limit.
    """

    clause: str
    share: float
    by_others: float | None = None
    by_quota: bool = False


def busy_client(facts: Facts) -> BusyClient | None:
    """What of the CPU of one client was at its limit; None if nothing, as far as is known."""
    own, busy = own_cpu_share(facts), facts.mean("cpu.busy_share")
    core, held = facts.mean("cpu.busiest_core_share"), facts.mean("cpu.quota.held_share")
    there = f" of {facts.client}" if facts.whole_ns is not None else ""
    if own is not None and own > FULL:
        return BusyClient(f"the workers{there} computed {percent(own)} of their time", own)
    if held is not None and held > HELD_FROM:
        return BusyClient(
            f"the CPU quota of the control group{there} held its processes back in "
            f"{percent(held)} of its periods",
            held,
            by_quota=True,
        )
    if busy is not None and busy > FULL:
        return BusyClient(
            f"all cores of {facts.client} were busy {percent(busy)} of the time", busy
        )
    if core is not None and core > FULL:
        return BusyClient(
            f"{busiest_core(facts)} of {facts.client} was busy {percent(core)} of the time",
            core,
            by_others=own if own is not None and own < LOW else None,
        )
    return None
