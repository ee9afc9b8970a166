"""The words about stops of a training: evaluations, and what checkpoints and loading do."""

from collections.abc import Iterator, Sequence
from typing import Any

from aibench.units import format_duration, format_size, format_value

_FORMULA = (
    "Goodput is computing over all time from the end of the first step to that of the last, stops "
    "for {} included; utilisation leaves them out."
)
#: How to name what is stopped for.
_UNTIL = {"blocked": "the trainer could go on", "durable": "it is durable"}


def asked(accelerators: dict[str, Any]) -> list[str]:
    """What accelerators stop for, and how long; nothing where they never do."""
    return [*_evaluation(accelerators), *_checkpoint(accelerators)]


def _evaluation(accelerators: dict[str, Any]) -> list[str]:
    found = accelerators["evaluation"]
    if not found:
        return []
    size, compute = format_size(found["bytes"]), format_duration(found["compute_ns"])
    taken = f"{found['batches']} batches of {found['batch']} of other data ({size} by all)"
    return [
        f"after each {accelerators['evaluate_every']} steps a stop for an evaluation",
        f"in which each takes {taken}, {compute} a batch",
    ]


def _checkpoint(accelerators: dict[str, Any]) -> list[str]:
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
    """What stops cost; what a checkpoint did to loading and loading to it, for each level."""
    stopped = [(p, _stops(p["asked"]["accelerators"] or {})) for p in phases if p["counts"]]
    every = list(dict.fromkeys(stop for _, stops in stopped for stop in stops))
    if not every:
        return
    yield _FORMULA.format(" and ".join(f"{stop}s" for stop in every))
    alone = next((_typical(p) for p in phases if _named(p) == "checkpoint-alone"), {})
    for phase, stops in stopped:
        if not stops:
            continue
        found, name = _typical(phase), _counted(phase["asked"]["accelerators"]["count"])
        yield from _goodput(name, found, stops)
        yield from _evaluated(name, found)
        yield from _to_loading(name, found)
        yield from _to_saving(name, found, alone)


def _named(phase: dict[str, Any]) -> str:
    """The name, in a sweep without the level."""
    return str(phase.get("question", phase["name"]))


def _typical(phase: dict[str, Any]) -> dict[str, float]:
    """The typical value of each figure that a phase has."""
    estimates = {metric["name"]: metric["estimate"] for metric in phase["metrics"]}
    return {name: found["typical"] for name, found in estimates.items() if found}


def _stops(accelerators: dict[str, Any]) -> list[str]:
    """What accelerators stop for."""
    names = (("saving", "checkpoint"), ("evaluation", "evaluation"))
    return [name for key, name in names if accelerators.get(key)]


def _goodput(name: str, found: dict[str, float], stops: list[str]) -> Iterator[str]:
    if "goodput" in found and all(f"{stop}_share" in found for stop in stops):
        share = format_value(found["goodput"], "share")
        took = " and ".join(
            f"stops for {stop}s took {format_value(found[f'{stop}_share'], 'share')}"
            for stop in stops
        )
        yield f"{name}: goodput {share}, {took} of the time."


def _evaluated(name: str, found: dict[str, float]) -> Iterator[str]:
    """How long an evaluation took, and how fast its data came."""
    if "evaluation_time" in found and "evaluation_bandwidth" in found:
        yield (
            f"{name}: an evaluation took {format_duration(found['evaluation_time'])} in the mean, "
            f"in which {format_value(found['evaluation_bandwidth'], 'B/s')} were read."
        )


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
