"""What a claim implies together with others, with hardware, and with public results."""

import math
from collections.abc import Iterator

from aibench.model import Claim, ClaimKind
from aibench.model.reference import Reference, ReferenceClass
from aibench.plausible.arithmetic import DRIVE_RATE, amdahl, block_size
from aibench.plausible.implication import Implication
from aibench.plausible.known import Known, figures, first
from aibench.units import format_duration, format_rate, format_size, format_value

_SMALL = 4096
#: More than the rounding of printed figures.
_SAME = 0.02


def block(claim: Claim, known: Known) -> Iterator[Implication]:
    """Bandwidth over IOPS of the same units: the size of an operation that has both."""
    if claim.kind not in (ClaimKind.BANDWIDTH, ClaimKind.IOPS):
        return
    for wide in known.beside(claim, ClaimKind.BANDWIDTH):
        for many in known.beside(claim, ClaimKind.IOPS):
            bandwidth, iops = first(wide, "B/s"), first(many, "op/s")
            if claim not in (wide, many) or not bandwidth or not iops:
                continue
            size = block_size(bandwidth, iops)
            yield Implication(
                code="block_size_implied",
                message=f"{wide.id} and {many.id} hold at once only with I/O of "
                f"{format_size(size)} in the mean: below, IOPS are the limit; at 4 KiB they are "
                f"{format_rate(iops * _SMALL)}",
                figures={"block": size, "at_4KiB": iops * _SMALL},
            )


def total(claim: Claim, known: Known) -> Iterator[Implication]:
    """A number of units times what one of them is claimed to do."""
    if claim.kind is not ClaimKind.CAPABILITY:
        return
    for other in known.related(claim):
        rate = first(other, "B/s")
        if other.kind is not ClaimKind.BANDWIDTH or other.scope != claim.scope or not rate:
            continue
        if other.whole_system:
            continue
        for reading, count in figures(claim, "1"):
            yield Implication(
                code="total_implied",
                message=f"{count:,.0f} times {other.id} ({reading.id}) would be "
                f"{format_rate(count * rate)}, if nothing were lost",
                figures={"total": count * rate, "units": count},
            )


def ratios(claim: Claim, known: Known) -> Iterator[Implication]:
    """Two ratios of one metric that differ."""
    if claim.kind is not ClaimKind.RATIO:
        return
    for other in known.related(claim):
        here, there = first(claim, "1"), first(other, "1")
        if other.kind is not ClaimKind.RATIO or _what(other) != _what(claim):
            continue
        if not here or not there or abs(here / there - 1) <= _SAME:
            continue
        yield Implication(
            code="ratios_disagree",
            message=f"{here - 1:+.1%} here, {there - 1:+.1%} by {other.id}",
            figures={"here": here - 1, "there": there - 1},
            against=True,
        )


def shares(claim: Claim, known: Known) -> Iterator[Implication]:
    """A gain beside the shares before and after it that the same source prints."""
    if claim.kind is not ClaimKind.RATIO:
        return
    around = [
        (other.direction, value)
        for other in known.related(claim)
        if other.kind is ClaimKind.UTILISATION and other.metric == claim.metric
        for _, value in figures(other, "share")
    ]
    after = next((value for direction, value in around if direction == ">="), None)
    before = next((value for direction, value in around if direction == "<="), None)
    if after is None or before is None:
        return
    for reading, value in figures(claim, "1", "points"):
        points = (reading.unit or claim.unit) == "points"
        start = after - value / 100 if points else after / value
        yield Implication(
            code="baseline_implied",
            message=f"{after:.0%} after it ({reading.id}) means {start:.1%} before; the source "
            f"says at most {before:.0%}, which alone is {after / before - 1:+.0%}",
            figures={"before": start, "printed_ratio": after / before},
            against=start > before * (1 + _SAME),
        )


def stage(claim: Claim, known: Known) -> Iterator[Implication]:
    """What a faster stage does for a whole, by the share of time that the source gives it."""
    if claim.kind is not ClaimKind.RATIO:
        return
    kinds = {kind for kind, _ in claim.phases}
    for other in known.related(claim):
        share = first(other, "share")
        name, found, tail = other.metric.rpartition("_share")
        if not share or share >= 1 or not found or tail:
            continue
        for _, value in figures(claim, "1"):
            whole, most = amdahl(share, value), amdahl(share, math.inf)
            if name in kinds:
                message = (
                    f"{share:.0%} of the whole ({other.id}) made {value:g} times as fast makes "
                    f"the whole {whole:.3f} times as fast; {most:.3f} at most"
                )
                yield Implication(
                    code="whole_implied", message=message, figures={"whole": whole, "most": most}
                )
            elif value > most:
                message = (
                    f"{share:.0%} of the whole ({other.id}) made infinitely fast would make it "
                    f"{most:.3f} times as fast, not {value:g}: other stages have to be faster too"
                )
                yield Implication(code="stage_too_small", message=message, figures={"most": most})


def whole_time(claim: Claim, known: Known) -> Iterator[Implication]:
    """A share of a whole, and the time that this share takes: the time of the whole."""
    share = first(claim, "share")
    if not share or not claim.metric.endswith("_share"):
        return
    for other in known.related(claim):
        time = first(other, "ns")
        if other.kind is ClaimKind.DURATION and time:
            yield Implication(
                code="whole_time_implied",
                message=f"with {other.id} the whole takes {format_duration(time / share)}",
                figures={"whole": time / share},
            )


def saved(claim: Claim, known: Known) -> Iterator[Implication]:
    """A time that was saved, as a share of the run that the same source tells of."""
    time = first(claim, "ns")
    if claim.metric != "time_saved" or not time:
        return
    for other in known.related(claim):
        run = first(other, "ns")
        if other.kind is ClaimKind.DURATION and run and run > time:
            yield Implication(
                code="share_saved",
                message=f"{time / run:.1%} of a run as long as {other.id} says; the source does "
                "not say of how long a run",
                figures={"share": time / run},
            )


def hardware(claim: Claim, known: Known) -> Iterator[Implication]:
    """More than the links or the drives of the system can carry; only for the same product."""
    system = known.system
    if system is None or claim.kind is not ClaimKind.BANDWIDTH:
        return
    if (system.vendor, system.product) != (claim.vendor, claim.product):
        return
    whole = claim.whole_system or system.unit.casefold() != claim.scope.casefold()
    units = 1 if whole else system.units
    limits = []
    if system.nics and system.nic_rate:
        limits.append(("above_links", "network ports", system.nics * system.nic_rate))
    if system.drives:
        limits.append(("above_drives", "drives", system.drives * DRIVE_RATE))
    for _, value in figures(claim, "B/s"):
        for code, what, limit in limits:
            if value * units > limit:
                yield Implication(
                    code=code,
                    message=f"{format_rate(value * units)} from the system is more than its {what} "
                    f"can carry: {format_rate(limit)}",
                    figures={"claimed": value * units, "limit": limit},
                    against=True,
                )


def verified(claim: Claim, known: Known) -> Iterator[Implication]:
    """How the claim lies to the largest verified public result of its class."""
    value = first(claim, "B/s", "op/s")
    if not value or claim.kind not in (ClaimKind.BANDWIDTH, ClaimKind.IOPS):
        return
    metrics = {reading.metric or claim.metric for reading in claim.interpretations}
    public = [
        (each.value, each)
        for each in known.references
        if each.kind is ReferenceClass.VERIFIED_BENCHMARK
        and each.value is not None
        and each.quantity in metrics
    ]
    units = claim.units_in_max_config if claim.whole_system else 1
    alike = [(most / each.units, each) for most, each in public if each.scope == claim.scope]
    if public and (claim.whole_system or not alike):
        yield _against_best(value, *max(public, key=_first), "of any system")
    if alike and units:
        yield _against_best(value / units, *max(alike, key=_first), f"for one {claim.scope}")


def _first(pair: tuple[float, Reference]) -> float:
    return pair[0]


def _what(claim: Claim) -> tuple[str, str, str]:
    return claim.vendor, claim.product, claim.metric


def _against_best(value: float, most: float, of: Reference, where: str) -> Implication:
    unit = of.unit
    above = value > most
    return Implication(
        code="above_verified" if above else "within_verified",
        message=f"{format_value(value, unit)} is {value / most:.3g} times the largest verified "
        f"result {where} among the references ({format_value(most, unit)}, {of.id})",
        figures={"claimed": value, "verified": most},
        against=above,
    )
