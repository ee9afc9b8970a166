"""What the measured bandwidth would serve: by a guideline's tiers and by formula, and per unit.

It sizes, it does not judge: a guideline says what to plan for, and a formula knows neither latency
nor small files nor other load. The lower end of the interval decides throughout.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from aibench.definition.references import shipped_references
from aibench.generators.accelerators import PRESETS
from aibench.model import Estimate, System, Target
from aibench.plausible import Demand, TierFit, feeds, tier_fits
from aibench.reporters.values import quantity
from aibench.units import format_value, parse_duration, parse_size

_PLACES = {"read": "seq-read", "write": "seq-write"}
_PLANNING = (
    "by a guideline and by formula, from large files and the lower end of the interval: for "
    "planning, and no verdict"
)
_ONE_CLIENT = "one client was measured: storage that serves many may serve more than this"
_SHORT = "the runs were short: a cache in the storage may have been faster than it is for long"


def sizing(
    workloads: Iterable[dict[str, Any]], system: System | None, target: Target
) -> dict[str, Any] | None:
    """What the sequential rates of ``workloads`` (parts of a document) would serve.

    None where neither direction was measured by repeats that count; reads count only where their
    bytes came from the storage.
    """
    phases = {name: _phase(workloads, name) for name in _PLACES}
    found = {name: phase and _rate(phase, name) for name, phase in phases.items()}
    if target.is_memory or not any(found.values()):
        return None
    warned = {w["code"] for phase in phases.values() if phase for w in phase["warnings"]}
    read, write = (_estimate(found[name]) for name in _PLACES)
    return {
        "read": found["read"],
        "write": found["write"],
        "per": list(_divided(read, write, system, target)),
        "tiers": [_tier(fit) for fit in tier_fits(shipped_references().tiers, read, write)],
        "feeds": _feeds(read),
        "notes": [_PLANNING, _ONE_CLIENT, *([_SHORT] if "short_run" in warned else [])],
    }


def _phase(workloads: Iterable[dict[str, Any]], direction: str) -> dict[str, Any] | None:
    """The phase that measured that direction, where it counts and its reads were cold."""
    for workload in workloads:
        for phase in workload["phases"]:
            asked = (workload["kind"], phase["name"]) == ("block", _PLACES[direction])
            cold = direction == "write" or phase["cache_state"] == "cold"
            if asked and cold and phase["counts"]:
                known: dict[str, Any] = phase
                return known
    return None


def _rate(phase: dict[str, Any], direction: str) -> dict[str, Any] | None:
    """The estimate of that direction as the document holds it; the sustained one after a burst."""
    known = {metric["name"]: metric["estimate"] for metric in phase["metrics"]}
    name = f"{direction}_bandwidth"
    return known.get(f"sustained_{name}") or known.get(name)


def _estimate(rate: dict[str, Any] | None) -> Estimate | None:
    if rate is None:
        return None
    names = ("typical", "low", "high", "n", "worst", "best", "method")
    return Estimate(**{name: rate[name] for name in names})


def _divided(
    read: Estimate | None, write: Estimate | None, system: System | None, target: Target
) -> Iterator[dict[str, Any]]:
    """The typical rates over what the system file counts, and over the capacity of the mount."""
    counts: dict[str, float | None] = {}
    if system is not None:
        counts = {
            system.unit: system.units,
            "node": system.nodes,
            "drive": system.drives,
            "rack unit": system.rack_units,
            "watt": system.power_watts,
            system.currency or "unit of price": system.price,
        }
        counts["TB"] = None if target.total_bytes is None else target.total_bytes / 10**12
    for what, count in counts.items():
        if count:
            yield {
                "what": what,
                "count": count,
                "read": read and quantity(read.typical / count, "B/s"),
                "write": write and quantity(write.typical / count, "B/s"),
            }


def _tier(fit: TierFit) -> dict[str, Any]:
    tier = fit.tier
    return {
        "id": tier.id,
        "guideline": tier.guideline,
        "tier": tier.tier,
        "suits": tier.suits,
        "scope": tier.scope,
        "times": fit.times,
        "nodes": fit.nodes,
        "accelerators": fit.accelerators,
        "limited_by": fit.limited_by,
        "missing": fit.missing or None,
    }


def _feeds(read: Estimate | None) -> list[dict[str, Any]]:
    return [
        {
            "preset": fed.demand.preset,
            "accelerator": fed.demand.accelerator,
            "demand": quantity(fed.demand.rate, "B/s"),
            "surely": fed.surely,
            "typically": fed.typically,
        }
        for fed in (feeds(demands(), read) if read else ())
    ]


def demands() -> tuple[Demand, ...]:
    """What one accelerator of each preset for training takes."""
    return tuple(
        Demand(
            preset=name,
            accelerator=accelerator,
            batch=batch,
            sample_bytes=parse_size(preset.settings["size"]),
            compute_ns=parse_duration(time),
        )
        for name, preset in PRESETS.items()
        for accelerator, (batch, time) in preset.accelerators.items()
    )


def lines(part: dict[str, Any] | None, *, divided: bool = True) -> Iterator[str]:
    """``sizing`` in sentences, the same for every format; those per unit where ``divided``."""
    if part is None:
        return
    rates = [
        f"{name}s {part[name]['printed']} {part[name]['printed_interval'] or ''}".rstrip()
        for name in _PLACES
        if part[name]
    ]
    yield f"large files: {', '.join(rates)}"
    for row in part["per"] if divided else ():
        told = [f"{name}s {row[name]['printed']}" for name in _PLACES if row[name]]
        yield f"per {row['what']} ({row['count']:,.4g}): {', '.join(told)}"
    for (guideline, tier, suits), rows in groupby(
        part["tiers"], key=lambda row: (row["guideline"], row["tier"], row["suits"])
    ):
        yield f"{guideline}, tier {tier} ({suits}): {_times(list(rows))}"
    for preset, fed in groupby(part["feeds"], key=lambda row: row["preset"]):
        told = [f"{r['surely']} {r['accelerator']} ({_rate_of(r)} each)" for r in fed]
        yield f"{preset}, by formula: feeds {', '.join(told)}"
    yield from part["notes"]


def _times(rows: Sequence[dict[str, Any]]) -> str:
    told = [f"{row['times']} x {row['scope']}" for row in rows if row["times"]] or ["not reached"]
    missing = f", {rows[0]['missing']}s not measured" if rows[0]["missing"] else ""
    return f"{', '.join(told)}; the {rows[0]['limited_by']}s decide{missing}"


def _rate_of(row: dict[str, Any]) -> str:
    return format_value(row["demand"]["value"], "B/s")
