"""The words about emulated accelerators: what they ask for, and how many of them are fed."""

from collections.abc import Iterator, Sequence
from typing import Any

from aibench.units import format_duration, format_rate, format_value

_FORMULA = (
    "Utilisation is computing over computing, waiting for batches and for barriers, in the mean of "
    "the accelerators, without the first step of each."
)


def asked(settings: dict[str, Any]) -> str:
    """How the accelerators of a phase are fed, how they compute, and what they take at most."""
    found = settings["accelerators"]
    count, loaders, ahead = found["count"], found["loaders"], found["prefetch"]
    name = "accelerator" if count == 1 else "accelerators"
    each = "" if not found["sigma"] else " in the mean"
    batches = f"{ahead} {'batch' if ahead == 1 else 'batches'}"
    parts = [
        f"{count} {name} × {loaders} {'loader' if loaders == 1 else 'loaders'}",
        f"each up to {batches} ahead",
        f"{format_duration(found['compute_ns'])}{each} a batch",
    ]
    if found["demand"] is not None:
        parts[-1] += f", {format_rate(found['demand'])} at full rate"
    if count > 1:
        parts.append("a barrier after each step" if found["barrier"] else "no barrier")
    decode = found["decode_ns"]
    parts.append(f"{format_duration(decode)} to decode a sample" if decode else "nothing decoded")
    return ", ".join(parts)


def fed(phases: Sequence[dict[str, Any]]) -> Iterator[str]:
    """How many accelerators were fed: the largest number whose utilisation passes the bar.

    It passes where the lower end of the interval does or, with too few repeats for one, the worst.
    """
    levels = {}
    for phase in phases:
        found = {metric["name"]: metric["estimate"] for metric in phase["metrics"]}
        estimate = found.get("utilisation")
        if phase["asked"]["accelerators"] and estimate and phase["counts"]:
            levels[phase["asked"]["accelerators"]["count"]] = phase["asked"], estimate
    if not levels:
        return
    yield _FORMULA
    bar = max(each["accelerators"]["bar"] for each, _ in levels.values())
    passed = [count for count, (_, found) in levels.items() if _lowest(found) >= bar]
    most, needed = max(passed, default=0), f"a utilisation of {format_value(bar, 'share')} or more"
    if not most:
        yield f"No number of accelerators had {needed}."
        return
    name = "accelerator" if most == 1 else "accelerators"
    beyond = "; more were not tried" if most == max(levels) else ""
    how = "in all repeats" if levels[most][1]["low"] is None else "by the lower end of the interval"
    yield f"{most} {name} had {needed}, {how}{beyond}."


def _lowest(estimate: dict[str, Any]) -> float:
    low = estimate["worst"] if estimate["low"] is None else estimate["low"]
    return float(low)
