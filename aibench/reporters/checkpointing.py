"""The words about checkpoints of a training: what they do to loading, and loading to them."""

from collections.abc import Iterator, Sequence
from typing import Any

from aibench.units import format_duration, format_size, format_value

_FORMULA = (
    "Goodput is computing over all time from the end of the first step to that of the last, stops "
    "for checkpoints included; utilisation leaves them out."
)
#: How to name what is stopped for.
_UNTIL = {"blocked": "the trainer could go on", "durable": "it is durable"}


def asked(accelerators: dict[str, Any]) -> list[str]:
    """What accelerators stop for, and how long; nothing where there are no checkpoints."""
    saving = accelerators["saving"]
    if not saving:
        return []
    until = "its ranks have copied it" if saving["snapshot"] else _UNTIL[accelerators["save_until"]]
    ranks = "1 rank" if saving["ranks"] == 1 else f"{saving['ranks']} ranks"
    size = format_size(saving["bytes"])
    return [
        f"after each {accelerators['save_every']} steps a stop until {until}",
        f"for a checkpoint of {size} by {ranks} ({saving['format']})",
    ]


def told(phases: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What a checkpoint did to loading and what loading did to it, for each level that has any."""
    saving = [p for p in phases if (p["asked"]["accelerators"] or {}).get("saving") and p["counts"]]
    if not saving:
        return
    yield _FORMULA
    alone = next((_typical(p) for p in phases if p["name"] == "checkpoint-alone"), {})
    for phase in saving:
        found, name = _typical(phase), _counted(phase["asked"]["accelerators"]["count"])
        yield from _goodput(name, found)
        yield from _to_loading(name, found)
        yield from _to_saving(name, found, alone)


def _typical(phase: dict[str, Any]) -> dict[str, float]:
    """The typical value of each figure that a phase has."""
    estimates = {metric["name"]: metric["estimate"] for metric in phase["metrics"]}
    return {name: found["typical"] for name, found in estimates.items() if found}


def _goodput(name: str, found: dict[str, float]) -> Iterator[str]:
    if "goodput" in found and "checkpoint_share" in found:
        stops, share = (format_value(found[n], "share") for n in ("checkpoint_share", "goodput"))
        yield f"{name}: goodput {share}, stops for checkpoints took {stops} of the time."


def _to_loading(name: str, found: dict[str, float]) -> Iterator[str]:
    """How busy accelerators were, and how long they waited, while a checkpoint was written."""
    names = ("utilisation_while_saving", "utilisation_not_saving")
    if all(each in found for each in names):
        while_saving, otherwise = (format_value(found[each], "share") for each in names)
        waits = ("wait_saving_latency_p99", "wait_not_saving_latency_p99")
        late = ""
        if all(each in found for each in waits):
            first, second = (format_duration(found[each]) for each in waits)
            late = f", the wait for a batch at p99 {first} and {second}"
        yield (
            f"{name}: utilisation was {while_saving} while a checkpoint was written and "
            f"{otherwise} otherwise{late}."
        )


def _to_saving(name: str, found: dict[str, float], alone: dict[str, float]) -> Iterator[str]:
    """How much longer a checkpoint took than alone: the longest of as many."""
    for moment in ("durable", "blocked"):
        with_loading, without = found.get(f"checkpoint_{moment}_time"), alone.get(f"{moment}_time")
        if with_loading and without:
            yield (
                f"{name}: the slowest checkpoint was {moment} after "
                f"{format_duration(with_loading)}, and after {format_duration(without)} without "
                f"loading: {with_loading / without:.2f} times as long."
            )
            return


def _counted(count: int) -> str:
    return "1 accelerator" if count == 1 else f"{count} accelerators"
