"""Bounds that a user gives in figures: at least 2 GB/s, at most 5 ms at the 99th percentile."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aibench.errors import Refused, UnitError
from aibench.metrics import metrics, of_one_state
from aibench.model import CachePolicy, CacheState, Phase, RunRecord, Sample, Stage
from aibench.model.history import Checked, SeriesId, Session, Standing, Step
from aibench.stats.intervals import FEWEST_RUNS, Side, agreed_side, estimate
from aibench.units import format_value, parse_duration, parse_rate

_FORM = re.compile(r"(?P<value>[^:@]+)(?::(?P<metric>[\w.]+))?(?:@(?P<place>[\w./@=,-]+))?")
_OPERATIONS = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<prefix>[kMG]?)\s*op/s")
_PREFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_PERCENTILE = re.compile(r"p\d+(\.\d+)?|mean|max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """``value`` in ``unit`` that figures have to reach (``>=``) or not to pass (``<=``).

    ``metric`` names the figure or, of latencies, the percentile; empty for all main figures in that
    unit and direction. ``place`` is a workload, with or without ``/phase``; empty for all.
    """

    text: str
    direction: str
    value: float
    unit: str
    metric: str = ""
    place: str = ""

    def concerns(self, stage: Stage, phase: Phase) -> bool:
        """Whether it is about that phase."""
        return self.place in ("", stage.workload, f"{stage.workload}/{phase.name}")


def bound(text: str, direction: str) -> Bound:
    """``2GB/s``, ``3000op/s``, ``5ms:p99``, ``2GB/s:read_bandwidth@block/seq-read``, ``0.9share``.

    `Refused` when it is none of them.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise Refused(f"{text!r} is no bound; write for example 2GB/s, 3000op/s or 5ms:p99")
    value, unit = _figure(found["value"].strip(), text)
    metric = found["metric"] or ""
    if unit == "ns" and _PERCENTILE.fullmatch(metric or "p99"):
        metric = f"latency_{metric or 'p99'}"
    return Bound(
        text=text, direction=direction, value=value, unit=unit, metric=metric,
        place=found["place"] or "",
    )  # fmt: skip


def _figure(text: str, whole: str) -> tuple[float, str]:
    if (share := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(share|%)", text)) is not None:
        return float(share[1]) / (100 if share[2] == "%" else 1), "share"
    if (operations := _OPERATIONS.fullmatch(text)) is not None:
        return float(operations["number"]) * _PREFIXES[operations["prefix"]], "op/s"
    try:
        return (parse_rate(text), "B/s") if text.endswith("/s") else (parse_duration(text), "ns")
    except UnitError as error:
        raise Refused(
            f"{whole!r} is no bound: {error}; bounds are rates (2GB/s, 3000op/s), times (5ms:p99) "
            "or shares (0.9share, 90%)"
        ) from error


def held(record: RunRecord, wanted: Bound) -> tuple[Checked, ...]:
    """What becomes of the figures of ``record`` that ``wanted`` is about.

    The whole 95 % interval of at least three repeats has to lie on the good side, or on the bad
    one; in between, or on data whose cache was not as asked, it stays undecided. `Refused` where
    the record has no such figure.
    """
    found = []
    for stage in record.plan.stages:
        for phase in stage.measured:
            if wanted.concerns(stage, phase):
                found += _phase(record, stage, phase, wanted)
    if not found:
        about = f" of {wanted.place}" if wanted.place else ""
        raise Refused(
            f"{record.run_id} has no figure{about} that the bound {wanted.text!r} could be about; "
            f"'aibench report {record.run_id} --json' names its figures"
        )
    return tuple(found)


def _phase(record: RunRecord, stage: Stage, phase: Phase, wanted: Bound) -> list[Checked]:
    place = (stage.workload, phase.name)
    samples = [s for s in record.samples if (s.workload, s.phase) == place and not s.reasons]
    samples = list(of_one_state(samples))
    values: dict[str, list[float]] = {}
    for sample in samples:
        for metric in metrics(phase, sample):
            if metric.value is not None and _fits(metric.name, metric.unit, metric.main, wanted):
                better = "higher" if wanted.direction == ">=" else "lower"
                if wanted.metric or metric.better == better:
                    values.setdefault(metric.name, []).append(metric.value)
    return [_held(record, stage, phase, samples, wanted, name, v) for name, v in values.items()]


def _fits(name: str, unit: str, main: bool, wanted: Bound) -> bool:
    return unit == wanted.unit and (name == wanted.metric if wanted.metric else main)


def _held(
    record: RunRecord,
    stage: Stage,
    phase: Phase,
    samples: Sequence[Sample],
    wanted: Bound,
    name: str,
    values: list[float],
) -> Checked:
    better = "higher" if wanted.direction == ">=" else "lower"
    side = agreed_side(values, wanted.value, better)
    middle = estimate(values, better)
    limit = f"{wanted.direction} {format_value(wanted.value, wanted.unit)}"
    told = f"{format_value(middle.typical, wanted.unit)}"
    if middle.low is not None and middle.high is not None:
        ends = [format_value(end, wanted.unit) for end in (middle.low, middle.high)]
        told += f" [{ends[0]}, {ends[1]}]"
    told += f" of {len(values)} repeats against {limit}"
    why = _open(record, phase, samples, values, side)
    standing = Standing.UNDECIDED_BOUND
    if not why and side in (Side.GOOD, Side.BAD):
        standing = Standing.OK if side is Side.GOOD else Standing.MISSED_BOUND
    state = samples[0].evidence.state.value if samples[0].evidence else None
    series = SeriesId(
        key="", family="", workload=stage.workload, phase=phase.name, metric=name, title=name,
        unit=wanted.unit, better=better, target=record.target.label, state=state,
    )  # fmt: skip
    session = Session(
        run_id=record.run_id, started_at=record.started_at, value=middle.typical, n=len(values)
    )
    step = Step(name="bound", fired=standing is Standing.MISSED_BOUND, told="; ".join([told, *why]))
    return Checked(
        id=series, session=session, standing=standing, steps=(step,), center=wanted.value,
        ratio=middle.typical / wanted.value if wanted.value else None,
        next_step="measure with more repeats" if side is Side.STRADDLES else "",
    )  # fmt: skip


def _open(
    record: RunRecord, phase: Phase, samples: Sequence[Sample], values: list[float], side: Side
) -> list[str]:
    """Why nothing is decided, whichever side the interval lies on."""
    found = [reason.message for reason in record.reasons]
    if len(values) < FEWEST_RUNS:
        found.append(f"it takes {FEWEST_RUNS} repeats")
    states = {s.evidence.state for s in samples if s.evidence is not None}
    if side is Side.GOOD and phase.cache is CachePolicy.COLD and states - {CacheState.COLD}:
        names = ", ".join(sorted(state.value for state in states))
        found.append(f"cold data was asked for, and it was {names}")
    return found
