"""Claims and verdicts for the reporters' tests, one of every status."""

from dataclasses import replace
from typing import Any

from aibench.model import Claim, Finding, Interpretation, Status, Verdict
from aibench.stats.intervals import estimate


def claim(**changes: Any) -> Claim:
    """H3C's figure for the bandwidth of one node, as printed."""
    parts: dict[str, Any] = {
        "id": "H3-01",
        "title": "CX node bandwidth",
        "vendor": "H3C",
        "product": "CX",
        "quote": "单节点可提供20GB/s+带宽",
        "source": "press article, mid 2024",
        "date": "2024-06",
        "metric": "read_bandwidth",
        "direction": ">=",
        "unit_as_printed": "GB/s",
        "unit": "B/s",
        "scope": "node",
        "interpretations": (Interpretation(id="a", value=20 * 10**9, note="decimal GB, read"),),
        "phases": (("block", "sequential_read"),),
        "unstated": ("read or write", "block size", "cache state", "repetitions"),
    }
    return Claim(**parts | changes)


def verdict(status: Status, claimed: Claim, *values: float, units: int = 1) -> Verdict:
    """``status`` for the first reading of ``claimed``, from ``values`` of whole runs."""
    total = estimate(values, "higher") if values else None
    each = estimate([v / units for v in values], "higher") if values else None
    reading = claimed.interpretations[0]
    why = {
        Status.NOT_MET: Finding(code="below", message="the whole interval is below the bound"),
        Status.INCONCLUSIVE: Finding(code="ci_straddles", message="the interval holds the bound"),
        Status.NOT_TESTABLE_HERE: Finding(
            code="no_phase", message="no phase of this run measures random writes"
        ),
        Status.REFERENCE_ONLY: Finding(
            code="no_system", message="the product under test is not known: no system file"
        ),
    }
    return Verdict(
        claim=claimed,
        interpretation=reading,
        status=status,
        reasons=(why[status],) if status in why else (),
        workload="block" if values else None,
        phase="sequential_read" if values else None,
        measured=each,
        aggregate=total,
        bound=reading.value * (1 - claimed.tolerance),
        margin=each.typical / reading.value if each else None,
        next_step="" if status is Status.MET else "Describe the system with --system FILE.",
    )


def verdicts() -> tuple[Verdict, ...]:
    """One verdict of every status, in GB/s and in IOPS."""
    a310 = claim(
        id="A3-03", title="A310 chassis read bandwidth", vendor="Huawei",
        product="OceanStor A310", quote="单框5U支持业界最高的400GB/s带宽", scope="chassis",
        interpretations=(Interpretation(id="a", value=400 * 10**9, note="decimal GB, read"),),
        untestable_part="业界最高", unit_definition="5U, 8 nodes",
    )  # fmt: skip
    iops = claim(
        id="H3-02", title="CX node IOPS", quote="30万IOPS", metric="iops", unit="op/s",
        unit_as_printed="IOPS",
        interpretations=(Interpretation(id="a", value=300_000, note="random read"),),
    )  # fmt: skip
    kuae = claim(
        id="MT-07", title="KUAE unit read bandwidth", vendor="Moore Threads", product="KUAE",
        quote="每存储单元读取性能90GB/s", scope="storage unit",
        interpretations=(
            Interpretation(id="a", value=90 * 10**9, note="decimal GB"),
            Interpretation(id="b", value=90 * 2**30, note="GiB"),
        ),
        defects=("the storage unit is not defined",),
    )  # fmt: skip
    write = replace(kuae, id="MT-08", title="KUAE unit write bandwidth", quote="写入性能50GB/s")
    return (
        verdict(Status.MET, claim(), 42.1e9, 42.6e9, 41.8e9, units=2),
        verdict(Status.REFERENCE_ONLY, a310, 42.1e9, 42.6e9, 41.8e9),
        verdict(Status.NOT_MET, iops, 212_000, 214_000, 209_000),
        verdict(Status.INCONCLUSIVE, kuae, 82e9, 93e9, 86e9),
        verdict(Status.NOT_TESTABLE_HERE, write),
    )
