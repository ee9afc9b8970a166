"""The words that all formats share, so that a verdict reads the same wherever it is shown."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aibench.units import (
    format_count,
    format_duration,
    format_size,
    format_value,
)

#: Printed where a number is missing.
MISSING = "–"
#: A symbol beside each word, for those who can't see colour.
SYMBOLS = {
    "MET": "✓",
    "NOT_MET": "✗",
    "INCONCLUSIVE": "?",
    "NOT_TESTABLE_HERE": "–",
    "NOT_TESTABLE": "–",
    "CONSISTENT": "≈",
    "INCONSISTENT": "≉",
    "INCONSISTENT_BOUND": "≉",
    "REFERENCE_ONLY": "○",
}
ARROWS = {"higher": "↑", "lower": "↓"}
_SYNC_SHORT = {"none": "no fsync", "end": "fsync", "commit": "commit"}
_WORDS = {
    "NOT_MET": "not met",
    "INCONCLUSIVE": "inconclusive",
    "MET": "met",
    "REFERENCE_ONLY": "reference only",
    "NOT_TESTABLE_HERE": "not testable here",
    "NOT_TESTABLE": "not testable",
    "CONSISTENT": "consistent",
    "INCONSISTENT": "inconsistent",
    "INCONSISTENT_BOUND": "beyond any storage",
}
#: So many levels of a sweep are named one by one.
_FEW = 2
#: The heading of the part on sizing.
SIZING = "What it would serve"
#: What a reader has to know to read a report; the last lines of every format.
LEGEND = (
    "Typical is the middle of n repeats, [ ] its 95 % interval. GB is 10⁹ bytes.",
    "↑ more is better, ↓ less is better, – missing. cold: storage delivered it.",
)


def verdict(row: dict[str, Any]) -> str:
    """Symbol and word: ``✗ not met``."""
    return f"{SYMBOLS[row['status']]} {row['word']}"


def headline(summary: dict[str, int], rows: Sequence[dict[str, Any]]) -> str:
    """``6 claims: 1 not met, 1 met, 4 reference only``; readings too, where they are more."""
    total, claims = sum(summary.values()), len({row["claim"] for row in rows})
    if not total:
        return "No claim was judged."
    parts = ", ".join(f"{count} {_WORDS[status]}" for status, count in summary.items())
    readings = "" if claims == total else f" in {counted(total, 'reading')}"
    return f"{counted(claims, 'claim')}{readings}: {parts}"


def counted(number: int, noun: str) -> str:
    """``1 file``, ``1.20 k files``, ``2 processes``."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    shown = str(number) if number < 1000 else format_count(number)
    return f"{shown} {noun}{ending}"


def times(ratio: float | None) -> str:
    """``1.05×``, or the sign for missing."""
    return MISSING if ratio is None else f"{format_value(ratio, '1')}×"


def share(part: float | None) -> str:
    """``12.5 %``, or the sign for missing."""
    return MISSING if part is None else f"{format_value(100 * part, '1')} %"


def tolerance(row: dict[str, Any]) -> str:
    """``5 %``."""
    return f"{100 * row['tolerance']:.3g} %"


def latencies(phase: dict[str, Any]) -> str:
    """Median and 99th percentile, typical over the repeats: ``1.50 / 1.99 ms``."""
    found = {metric["name"]: metric["estimate"] for metric in phase["metrics"]}
    ends = [found.get(name) for name in ("latency_p50", "latency_p99")]
    return pair(*(end["printed"] if end else MISSING for end in ends))


def main_figures(phase: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures that a reader wants first, without those that `latencies` shows."""
    return [
        metric
        for metric in phase["metrics"]
        if metric["main"] and metric["name"] not in ("latency_p50", "latency_p99")
    ]


def duration(nanoseconds: float | None) -> str:
    """``1.25 ms``, or the sign for missing."""
    return MISSING if nanoseconds is None else format_duration(nanoseconds)


def printed(number: float | None, unit: str) -> str:
    """``1.07 GB/s``, or the sign for missing."""
    return MISSING if number is None else format_value(number, unit)


def typical(estimate: dict[str, Any] | None, *, binary: bool = False) -> str:
    """``18.2 GB/s [17.9, 18.6]``; no brackets where there are too few repeats for an interval."""
    if estimate is None:
        return MISSING
    form = "_binary" if binary else ""
    printed, interval = estimate["printed" + form], estimate["printed_interval" + form]
    if printed is None:
        return MISSING
    return f"{printed} {interval}" if interval else str(printed)


def pair(first: str, second: str) -> str:
    """``46.2 / 104 µs``: the unit once where both have the same."""
    number, _, unit = first.partition(" ")
    shared = unit and second.partition(" ")[2] == unit
    return f"{number if shared else first} / {second}"


def engine(workload: dict[str, Any]) -> str:
    """``posix 0.1.0``: the engine and its version, where it is known."""
    name, version = workload["engine"], workload["engine_version"] or ""
    return str(version) if version.startswith(name) else f"{name} {version}".rstrip()


def per_scope(row: dict[str, Any]) -> str:
    """``per chassis``, or nothing where the claim is not for a unit."""
    return f"per {row['scope']}" if row["scope"] else ""


def repeats(numbers: list[int]) -> str:
    """Repeats, counted from 1: ``repeats 1, 3``; ``all`` is never assumed."""
    shown = ", ".join(str(number + 1) for number in sorted(numbers))
    return f"repeat{'s' if len(numbers) > 1 else ''} {shown}"


def findings(phases: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Why repeats of phases do not count, then what to know of those that do; each sentence once.

    It begins with the names of the phases that it is about.
    """
    reasons: dict[tuple[str, str], list[str]] = {}
    warnings: dict[str, list[str]] = {}
    phases = list(phases)
    for phase in phases:
        for group in phase["reasons"]:
            whole = len(group["repeats"]) == phase["repeats"]["done"]
            which = "" if whole else f", {repeats(group['repeats'])},"
            reasons.setdefault((which, group["message"]), []).append(phase["name"])
        for group in phase["warnings"]:
            warnings.setdefault(finding(group), []).append(phase["name"])
    for (which, message), names in reasons.items():
        verb = "do" if len(names) > 1 or which.startswith(", repeats") else "does"
        yield f"{listed(names, phases)}{which} {verb} not count: {message}."
    for message, names in warnings.items():
        yield f"{listed(names, phases)}: {message}."


def listed(names: Sequence[str], phases: Sequence[dict[str, Any]]) -> str:
    """The names of some of ``phases``; of a sweep with many levels how many of them."""
    asked = {phase["name"]: phase.get("question") for phase in phases}
    totals = Counter(asked.values())
    named = Counter(asked[name] for name in names)
    told: dict[str, None] = {}
    for name in names:
        question = asked[name]
        if question is None or named[question] <= _FEW:
            told[name] = None
        else:
            count, total = named[question], totals[question]
            which = f"all {total}" if count == total else f"{count} of {total}"
            told[f"{question} at {which} levels"] = None
    return ", ".join(told)


def limits(phases: Iterable[dict[str, Any]], *, brief: bool = False) -> Iterator[str]:
    """What limited the phases, then what to try next; each sentence once, with whom it is for.

    Where it is to be ``brief``, the figures that say so are left out.
    """
    limited: dict[str, list[str]] = {}
    steps: dict[str, list[str]] = {}
    phases = list(phases)
    for phase in phases:
        if phase["why"]:
            limited.setdefault(_limited(phase["why"], brief=brief), []).append(phase["name"])
            steps.setdefault(phase["why"]["next_step"], []).append(phase["name"])
    for text, names in limited.items():
        yield f"why {listed(names, phases)}: {text}"
    for step, names in steps.items():
        if step:
            yield f"next for {listed(names, phases)}: {step}."


def _limited(why: dict[str, Any], *, brief: bool) -> str:
    figures = f" ({'; '.join(why['figures'])})" if why["figures"] and not brief else ""
    return f"{why['sentence']}{figures}."


def limit(why: dict[str, Any]) -> str:
    """What limited one phase, the figures that say so, and what to try next."""
    step = f" Next: {why['next_step']}." if why["next_step"] else ""
    return f"{_limited(why, brief=False)}{step}"


def watching(phase: dict[str, Any]) -> str:
    """How often the client was looked at in the middle repeat, and what that cost; or nothing."""
    for sample in phase["samples"]:
        watched = sample["telemetry"]
        if watched and watched["watched_ns"] and sample["repeat"] == phase["middle_repeat"]:
            share = 100 * watched["cost_ns"] / watched["watched_ns"]
            times = counted(len(watched["ends_ns"]), "interval")
            name = sample["telemetry_host"]
            who = f"Host {name}" if name else "The client"
            return f"{who} was watched for {times}, which took {share:.2g} % of one core."
    return ""


def state(phase: dict[str, Any]) -> str:
    """Where a read's bytes came from, or how durable a write is; short enough for a column."""
    if phase["reads"]:
        wanted, found = phase["asked"]["cache"], phase["cache_state"]
        if found is None:
            return "not checked"
        return f"{found}, asked {wanted}" if _missed(wanted, found) else str(found)
    if phase["writes"]:
        return _SYNC_SHORT[phase["asked"]["sync"]]
    return MISSING


def _missed(wanted: str, found: str) -> bool:
    """Whether a read was to come from storage and is not shown to."""
    return wanted in ("cold", "direct") and found != "cold"


def finding(group: dict[str, Any]) -> str:
    """A warning or reason as a sentence, with the repeats that it is about."""
    message = str(group["message"])
    found = group.get("repeats")
    return f"{message} ({repeats(found)})" if found else message


def fact(key: str, value: Any) -> str:
    """One fact of the mount, the system or the client, as a reader wants to see it."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and key.endswith("_bytes"):
        return format_size(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {part}" for name, part in value.items())
    return str(value)


def target(document: dict[str, Any]) -> str:
    """``/mnt/data, ext4 on /dev/sda1, 500 GB of 1.00 TB free``."""
    mount = document["target"]
    text = f"{mount['path']}, {mount['fstype']} on {mount['source']}"
    if mount["free_bytes"] is not None and mount["total_bytes"] is not None:
        free, total = format_size(mount["free_bytes"]), format_size(mount["total_bytes"])
        text += f", {free} of {total} free"
    return text


def system(document: dict[str, Any]) -> str:
    """``H3C CX, 2 × node``; says so where nothing was described."""
    described = document["system"]
    if described is None:
        return "not described (--system): the product under test is unknown"
    name = " ".join(filter(None, (described["vendor"], described["product"], described["version"])))
    return f"{name}, {described['units']} × {described['unit']}"


def when(document: dict[str, Any]) -> str:
    """When the run began, how long it took, and whether it ended."""
    run = document["run"]
    took = f", took {format_duration(run['elapsed_ns'])}" if run["elapsed_ns"] is not None else ""
    return f"{run['started_at']}{took}{'' if run['complete'] else ', did not finish'}"
