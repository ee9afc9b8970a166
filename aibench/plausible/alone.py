"""What a claim implies by its own figures."""

from collections.abc import Iterator

from aibench.model import Claim, ClaimKind
from aibench.plausible.arithmetic import (
    CHECKPOINT_BYTES,
    LINK_HEADROOM,
    compute_utilisation,
    no_failure,
    removed_share,
)
from aibench.plausible.implication import Implication
from aibench.plausible.known import Known, assumed, figures
from aibench.units import format_rate, format_size, format_value

#: How a rate is printed: per second in one way or another.
_PER_SECOND = ("/s", "/秒", "每秒", "ps", "per second")
_SECOND = 10**9
#: More than the rounding of printed figures.
_SAME = 0.02


def unit(claim: Claim, _known: Known) -> Iterator[Implication]:
    """A bandwidth that is printed as a size."""
    printed = claim.unit_as_printed
    rate = claim.kind is ClaimKind.BANDWIDTH and claim.unit == "B/s"
    if not rate or any(part in printed for part in _PER_SECOND):
        return
    yield Implication(
        code="unit_incomplete",
        message=f"printed in {printed or 'no unit'}, which is no bandwidth; read as "
        f"{printed}/s, which the source does not say",
        against=True,
    )


def each_unit(claim: Claim, _known: Known) -> Iterator[Implication]:
    """A figure of the largest configuration, divided by its units."""
    units = claim.units_in_max_config
    if not claim.whole_system or units is None:
        return
    for reading, value in figures(claim, "B/s", "op/s"):
        base = reading.unit or claim.unit
        yield Implication(
            code="per_unit_implied",
            message=f"{format_value(value, base)} from {units} takes "
            f"{format_value(value / units, base)} from each {claim.scope}, with no loss on the way",
            figures={"per_unit": value / units, "units": units},
        )


def links(claim: Claim, _known: Known) -> Iterator[Implication]:
    """What the links of clients need to carry to show a bandwidth."""
    if claim.kind is not ClaimKind.BANDWIDTH or claim.whole_system or claim.untestable:
        return
    for _, value in figures(claim, "B/s"):
        needed = value * LINK_HEADROOM
        gbit = needed * 8 / 10**9
        yield Implication(
            code="links_needed",
            message=f"clients need links of {format_rate(needed)} or more to show it: "
            f"{-(-gbit // 400):.0f} of 400 Gbit/s",
            figures={"links": needed},
        )
        return


def time_removed(claim: Claim, _known: Known) -> Iterator[Implication]:
    """A speed-up, as the share of its time that a process would have to lose."""
    if claim.kind is not ClaimKind.RATIO:
        return
    faster = {
        value
        for reading, value in figures(claim, "1")
        if value > 1 and (reading.direction or claim.direction) == ">="
    }
    for value in sorted(faster):
        share = removed_share(value)
        yield Implication(
            code="time_removed",
            message=f"{value:.3g} times as fast takes {share:.1%} of the time away",
            figures={"speedup": value, "removed": share},
        )


def data_rate(claim: Claim, _known: Known) -> Iterator[Implication]:
    """A time for an amount of data, as a rate."""
    if claim.kind is not ClaimKind.DURATION or (found := assumed(claim, "bytes")) is None:
        return
    for _, value in figures(claim, "ns"):
        amount = found[0][0]
        rate = amount * _SECOND / value
        yield Implication(
            code="rate_implied",
            message=f"{format_size(amount)} in that time is {format_rate(rate)} for one pass: so "
            "little that processors, or many passes, take the time",
            figures={"rate": rate, "bytes": amount},
        )


def checkpoint(claim: Claim, _known: Known) -> Iterator[Implication]:
    """A number of parameters, as the size of a checkpoint."""
    if claim.kind is not ClaimKind.CAPABILITY or (found := assumed(claim, "parameters")) is None:
        return
    size = found[0][1] * CHECKPOINT_BYTES
    yield Implication(
        code="checkpoint_implied",
        message=f"a checkpoint of so many parameters has {format_size(size)} at "
        f"{CHECKPOINT_BYTES} B each",
        figures={"checkpoint": size},
    )


def compute(claim: Claim, _known: Known) -> Iterator[Implication]:
    """The utilisation that accelerators, time and FLOP of a training run amount to."""
    found = assumed(claim, "flop", "accelerators", "peak_flop_per_second", "seconds")
    if found is None:
        return
    (flop, _), (count, _), (peak, _), (shortest, longest) = found
    low = compute_utilisation(flop, count, peak, longest * _SECOND)
    high = compute_utilisation(flop, count, peak, shortest * _SECOND)
    shown = f"{high:.1%}" if abs(high - low) < _SAME * high else f"{low:.1%} to {high:.1%}"
    yield Implication(
        code="utilisation_implied",
        message=f"{flop:.3g} FLOP on {count:,.0f} accelerators of {peak / 10**12:,.0f} TFLOP/s in "
        f"that time is {shown} of what they can do, by the clock: all that was lost to failures "
        "is in it",
        figures={"lowest": low, "highest": high},
    )


def failures(claim: Claim, _known: Known) -> Iterator[Implication]:
    """A time without attention, as the probability that nothing fails in it."""
    found = assumed(claim, "nodes", "failures_per_node_day")
    if claim.metric != "run_time" or found is None:
        return
    (nodes, _), (rate, _) = found
    for _, value in figures(claim, "ns"):
        chance = no_failure(value, nodes, rate)
        yield Implication(
            code="failures_implied",
            message=f"with {rate:g} failures a node and day, {nodes:,.0f} nodes run so long "
            f"without one with a probability of {chance:.1e}: it is about recovery, not about "
            "the absence of failures",
            figures={"probability": chance, "mean_time": 86400 * _SECOND / (nodes * rate)},
        )
