"""One workload by two engines: how they compare, repeat by repeat, and what that means."""

from collections.abc import Iterator
from typing import Any

from aibench.metrics import metrics
from aibench.model import Phase, RunRecord, Sample, Stage
from aibench.reporters.values import number
from aibench.stats.intervals import estimate
from aibench.units import format_value

#: What the ratio to an engine tells, where that is the real thing that posix emulates.
_REAL = (
    "Close to 1, both ask the same of the storage and get it as fast. Where posix is faster (above "
    "1 for a rate, below 1 for a time), the difference is what the real libraries cost this client "
    "besides: Python, decoding, checksums, copies between processes."
)
#: These are about the client before anything is read.
_ASIDE = ("startup_time",)


def beside_part(record: RunRecord, stage: Stage) -> dict[str, Any] | None:
    """How ``stage`` compares with the one that it took turns with; None where there is none."""
    other = next((s for s in record.plan.stages if s.workload == stage.beside), None)
    if not stage.beside or other is None:
        return None
    rows = [row for phase in stage.measured for row in _rows(record, stage, other, phase)]
    return {"workload": other.workload, "engine": other.engine, "ratios": rows}


def _rows(record: RunRecord, stage: Stage, other: Stage, phase: Phase) -> Iterator[dict[str, Any]]:
    """A row for each main figure that both have, of the repeats that both have."""
    here, there = (_samples(record, each, phase) for each in (stage, other))
    pairs = [(there[repeat], here[repeat]) for repeat in sorted(here.keys() & there.keys())]
    pairs = [(first, second) for first, second in pairs if _state(first) == _state(second)]
    found = [({m.name: m for m in metrics(phase, a)}, {m.name: m for m in metrics(phase, b)})
             for a, b in pairs]  # fmt: skip
    units = {metric.unit for metric in found[0][0].values() if metric.main} if found else set()
    for name, metric in found[0][0].items() if found else ():
        if metric.unit == "op/s" and "B/s" in units:
            continue  # the same ratio again
        both = [(a[name].value, b[name].value) for a, b in found if name in a and name in b]
        ratios = [first / second for first, second in both if first and second]
        if not metric.main or name in _ASIDE or len(ratios) < len(found):
            continue
        middle = estimate(ratios, metric.better)
        yield {
            "phase": phase.name,
            "metric": name,
            "title": metric.title,
            "better": metric.better,
            "ratio": number(middle.typical),
            "low": number(middle.low),
            "high": number(middle.high),
            "n": middle.n,
        }


def _samples(record: RunRecord, stage: Stage, phase: Phase) -> dict[int, Sample]:
    """The repeats of a phase that count."""
    return {
        sample.repeat: sample
        for sample in record.samples
        if (sample.workload, sample.phase) == (stage.workload, phase.name) and not sample.reasons
    }


def _state(sample: Sample) -> object:
    return sample.evidence.state if sample.evidence else None


def sentences(workload: dict[str, Any]) -> Iterator[str]:
    """How the two engines compare, figure by figure; then what the ratio means."""
    found = workload.get("beside")
    if not found:
        return
    if not found["ratios"]:
        yield f"No repeat of {found['workload']} compares with one of this."
        return
    for phase in dict.fromkeys(row["phase"] for row in found["ratios"]):
        rows = [row for row in found["ratios"] if row["phase"] == phase]
        told = ", ".join(f"{_ratio(row)} in {row['title']}" for row in rows)
        pairs = "1 pair" if rows[0]["n"] == 1 else f"{rows[0]['n']} pairs"
        yield (
            f"{phase}: {found['engine']} / {workload['engine']} is {told} ({pairs} of repeats, in "
            "turns)."
        )
    if {found["engine"], workload["engine"]} == {"posix", "torch"}:
        yield _REAL


def _ratio(row: dict[str, Any]) -> str:
    """``1.02 [0.98, 1.06]``."""
    shown = [None if row[end] is None else format_value(row[end], "1")
             for end in ("ratio", "low", "high")]  # fmt: skip
    return str(shown[0]) if shown[1] is None else f"{shown[0]} [{shown[1]}, {shown[2]}]"
