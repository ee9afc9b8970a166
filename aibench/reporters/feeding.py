"""The words about emulated accelerators: what they ask for, and how many of them are fed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aibench.reporters import checkpointing
from aibench.units import format_duration, format_rate, format_size, format_value

_FORMULA = (
    "Utilisation is computing over computing, waiting for batches and for barriers, in the mean of "
    "the accelerators, without the first step of each. At full rate they take accelerators × "
    "samples of a batch × mean bytes of a sample / compute time."
)
#: How compute times are distributed, where they are not all equal.
_DRAWN = {
    "lognormal": "in the mean (lognormal)", "normal": "in the mean (normal)",
    "gamma": "in the mean (gamma)", "listed": "in the mean of a list",
}  # fmt: skip


def asked(settings: dict[str, Any]) -> str:
    """How the accelerators of a phase are fed, how they compute, and what they take at most."""
    found = settings["accelerators"]
    count, loaders, ahead = found["count"], found["loaders"], found["prefetch"]
    name = "accelerator" if count == 1 else "accelerators"
    drawn = found["sigma"] or found["listed"]
    each = f" {_DRAWN[found['distribution']]}" if drawn else ""
    batches = f"{ahead} {'batch' if ahead == 1 else 'batches'}"
    parts = [
        f"{count} {name} × {loaders} {'loader' if loaders == 1 else 'loaders'}",
        f"each up to {batches} ahead",
        f"{format_duration(found['compute_ns'])} a batch{each}",
    ]
    if found["demand"] is not None:
        parts[-1] += f", {format_rate(found['demand'])} at full rate"
    if count > 1:
        parts.append("a barrier after each step" if found["barrier"] else "no barrier")
    if found["epochs"] > 1:
        live = "which live on" if found["persistent"] else "forked anew for each"
        parts.append(f"{found['epochs']} epochs by loaders {live}")
    if found["buffer"]:
        size = format_size(found["buffer"] * settings["sizes"]["mean"])
        parts.append(f"a shuffle buffer of {found['buffer']} samples in each loader ({size})")
    parts += checkpointing.asked(found)
    decode = found["decode_ns"]
    parts.append(f"{format_duration(decode)} to decode a sample" if decode else "nothing decoded")
    return ", ".join(parts)


def fed(phases: Sequence[dict[str, Any]]) -> Iterator[str]:
    """How many accelerators were fed: the largest number whose utilisation passes the bar.

    It passes where the lower end of the interval does or, with too few repeats for one, the worst.
    Then, where levels were searched, between which numbers the largest one that is fed lies, and
    what utilisation each level had. Where a sweep sets something else as well, this is told for
    each of its levels.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for phase in phases:
        others = (f"{n['name']}={n['printed']}" for n in phase.get("levels", ())
                  if n["name"] != "accelerators")  # fmt: skip
        groups.setdefault(", ".join(others), []).append(phase)
    told = {level: list(_fed(group)) for level, group in groups.items()}
    if any(told.values()):
        yield _FORMULA
    for level, lines in told.items():
        yield from (f"{level}: {line}" if level else line for line in lines)


def _fed(phases: Sequence[dict[str, Any]]) -> Iterator[str]:
    levels = dict(sorted(_levels(phases)))
    if not levels:
        return
    bar = max(level.bar for level in levels.values())
    passed = [count for count, level in levels.items() if level.lowest >= bar]
    most, needed = max(passed, default=0), f"a utilisation of {format_value(bar, 'share')} or more"
    beyond = "" if most < max(levels) else "; more were not tried"
    if most:
        how = "by the lower end of the interval" if levels[most].low else "in all repeats"
        yield f"{_counted(most)} had {needed}, {how}{beyond}."
    else:
        yield f"No number of accelerators had {needed}."
    if any(level.searched for level in levels.values()):
        yield from _found(levels, most, bar)
    yield from _epochs(phases)
    yield from checkpointing.told(phases)


def _epochs(phases: Sequence[dict[str, Any]]) -> Iterator[str]:
    """How long accelerators waited for the first batch of each epoch after the first one."""
    for phase in phases:
        asked = phase["asked"]["accelerators"]
        found = {metric["name"]: metric["estimate"] for metric in phase["metrics"]}
        waited = found.get("epoch_first_batch_latency_mean")
        if asked and waited and phase["counts"]:
            how = "that live on" if asked["persistent"] else "that are forked anew"
            yield (
                f"{_counted(asked['count'])}: later epochs had their first batch after "
                f"{format_duration(waited['typical'])} in the mean, by loaders {how}."
            )


def _found(levels: Mapping[int, "_Level"], most: int, bar: float) -> Iterator[str]:
    """Where a search ended, why, what stays open, and the curve that it leaves."""
    beyond = {count: level for count, level in levels.items() if count > most}
    clients = [count for count, level in beyond.items() if level.client_bound]
    under = [n for n, level in beyond.items() if level.highest < bar and n not in clients]
    end, client = min(under, default=None), min(clients, default=None)
    share = format_value(bar, "share")
    if client is not None and (end is None or client < end):
        yield (
            f"With {_counted(client)} the client was the limit: it hardly keeps so many at {share} "
            "with no I/O behind it, so the target may feed more than it could show here. Where "
            "other programs run on the client, that changes from one run to the next."
        )
    elif end is not None:
        between = str(most) if end == most + 1 else f"between {most} and {end - 1}"
        yield (
            f"The largest number that is fed is {between}: {_counted(end)} surely had less than "
            f"{share}."
        )
    yield from _open(beyond, share, bar, [n for n in (end, client) if n is not None])
    points = (f"{n}: {format_value(level.typical, 'share')}" for n, level in levels.items())
    yield f"Utilisation by the number of accelerators: {', '.join(points)}."


def _open(
    beyond: Mapping[int, "_Level"], share: str, bar: float, ends: Sequence[int]
) -> Iterator[str]:
    """Which numbers the repeats leave undecided, and what would decide them."""
    unsure = [n for n, level in beyond.items() if level.lowest < bar <= level.highest]
    numbers = [str(n) for n in unsure if not ends or n < min(ends)]
    if numbers:
        are = "accelerator is" if numbers == ["1"] else "accelerators are"
        yield (
            f"Whether {' or '.join(numbers)} {are} fed stays open: their repeats differ too much, "
            f"from below to above {share}. More repeats (--repeats) narrow that, and so does a "
            "client on which nothing else runs."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """What a report needs to know of one number of accelerators."""

    bar: float
    typical: float
    lowest: float
    highest: float
    low: float | None
    searched: bool
    client_bound: bool


def _levels(phases: Sequence[dict[str, Any]]) -> Iterator[tuple[int, _Level]]:
    """The numbers of accelerators that have a utilisation, and what it was."""
    for phase in phases:
        asked = phase["asked"]["accelerators"]
        found = {metric["name"]: metric["estimate"] for metric in phase["metrics"]}
        estimate = found.get("utilisation")
        if not asked or not estimate or not phase["counts"]:
            continue
        low, high = estimate["low"], estimate["high"]
        yield (
            asked["count"],
            _Level(
                bar=asked["bar"],
                typical=estimate["typical"],
                lowest=float(estimate["worst"] if low is None else low),
                highest=float(estimate["best"] if high is None else high),
                low=low,
                searched=bool(asked["searched"]),
                client_bound=any(
                    finding["code"] == "client_bound" for finding in phase["warnings"]
                ),
            ),
        )


def _counted(count: int) -> str:
    return "1 accelerator" if count == 1 else f"{count} accelerators"
