"""What storage does to a training cluster: everything that a report of it says, from its inputs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from aibench.cluster.comparison import Compared, compared, job_of, storage_of
from aibench.cluster.curve import Point, curve, knee
from aibench.cluster.effects import saved, utilisation_for
from aibench.cluster.failing import FIRST_ORDER_UP_TO
from aibench.cluster.inputs import Input, completed
from aibench.cluster.job import Job, Outcome, outcome
from aibench.cluster.need import Needed, needed_baseline
from aibench.cluster.ranges import Range, Swing, Values, band, exactly, swings
from aibench.errors import Refused
from aibench.model import Finding

#: Stands for a gain without bound.
UNBOUNDED = 1e300
Ratio = Callable[[Values], float]
#: Inputs that a comparison does not take.
ELAPSED = frozenset({"step_utilisation", "scheduling", "useful_time"})

ASSUMPTIONS = (
    "Failures come independently of each other and of the time (Poisson).",
    "One failure stops the whole job; training is synchronous.",
    "Stall and restart take the same time each time.",
    "Nobody else slows the storage down.",
    "The newest checkpoint is always valid.",
    "Restart without storage, failures and step utilisation are assumed unless marked measured.",
    "Measured utilisation is that of emulated accelerators, which sleep while they compute.",
    "Time goes with bytes over bandwidth only if that is the whole system's, not one client's.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be reached: a ``gain`` over the baseline, or ``saves`` seconds of the job."""

    gain: float | None = None
    saves: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What becomes of the job on one storage: at typical inputs, and its range over all of them."""

    name: str
    write: float
    best_interval: float
    outcome: Outcome
    useful: Range
    elapsed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A projection. ``gain`` and ``cap`` compare with the baseline; None where there is none.

    Without a baseline ``cap`` is over the candidate itself. Ends at `UNBOUNDED` have no bound.
    ``swings`` are of the gain where there is one, else of the candidate's useful share.
    ``saved`` is in seconds. ``needed`` is the baseline of the wished gain, ``useful_needed`` the
    useful share that saves as many seconds as are wished.
    """

    inputs: tuple[Input, ...]
    job: Job
    candidate: Side
    baseline: Side | None
    gain: Range | None
    cap: Range | None
    swings: tuple[Swing, ...]
    curve: tuple[Point, ...]
    knee: float | None
    wish: Wish | None
    needed: Needed | None
    saved: float | None
    useful_needed: float | None
    remarks: tuple[Finding, ...]


def study(given: Mapping[str, Input], wish: Wish | None = None) -> Study:
    """The projection for what is ``given``, completed by what is assumed.

    With a wish for a gain and no baseline, the baseline is the one that the gain would need.
    `Refused` says what is missing or impossible, and that no baseline would do.
    """
    inputs, needed = _with_baseline(completed(given), wish)
    ranges = {name: each.range for name, each in inputs.items() if name not in ELAPSED}
    typical = {name: each.typical for name, each in ranges.items()}
    both = "baseline_write" in typical
    candidate = _side("candidate", inputs, ranges)
    baseline = _side("baseline", inputs, ranges) if both else None
    gain = _ratio(lambda found: found.gain, typical) if both else None
    cap = _ratio(lambda found: found.cap, typical) if both else _headroom
    sides = [baseline, candidate] if baseline else [candidate]
    points = curve(typical, _soonest(ranges), [side.write for side in sides])
    job = job_of(typical)
    return Study(
        inputs=tuple(inputs.values()),
        job=job,
        candidate=candidate,
        baseline=baseline,
        gain=band(gain, ranges) if gain else None,
        cap=band(cap, ranges) if cap else None,
        swings=swings(gain or _useful("candidate"), ranges),
        curve=points,
        knee=knee(typical, points),
        wish=wish,
        needed=needed,
        saved=_saving(inputs, candidate, baseline),
        useful_needed=_wished(inputs, baseline, wish),
        remarks=tuple(_remarks(sides, job)),
    )


def _side(name: str, inputs: Mapping[str, Input], ranges: Mapping[str, Range]) -> Side:
    typical = {key: each.typical for key, each in ranges.items()}
    storage = storage_of(typical, name)
    found = outcome(job_of(typical), storage)
    scheduled = inputs["scheduling"].range.typical * inputs["step_utilisation"].range.typical
    return Side(
        name=name,
        write=storage.write,
        best_interval=outcome(job_of(typical), replace(storage, interval=None)).interval,
        outcome=found,
        useful=band(_useful(name), ranges),
        elapsed=found.useful * scheduled,
    )


def _useful(side: str) -> Callable[[Values], float]:
    return lambda values: outcome(job_of(values), storage_of(values, side)).useful


def _ratio(pick: Callable[[Compared], float | None], typical: Values) -> Ratio | None:
    """A ratio of two storages; None where neither progresses at the ``typical`` inputs.

    Where neither does at others they say nothing, and the typical ratio stands for them.
    """
    middle = pick(compared(typical))
    if middle is None:
        return None

    def result(values: Values) -> float:
        found = pick(compared(values))
        return min(middle if found is None else found, UNBOUNDED)

    return result


def _headroom(values: Values) -> float:
    useful = _useful("candidate")(values)
    return job_of(values).ideal / useful if useful else UNBOUNDED


def _with_baseline(
    inputs: dict[str, Input], wish: Wish | None
) -> tuple[dict[str, Input], Needed | None]:
    """``inputs`` with a baseline where one is asked for, and the one that a gain would need."""
    if wish is None or wish.gain is None:
        return inputs, None
    values = {n: each.range.typical for n, each in inputs.items() if n not in ELAPSED}
    needed = needed_baseline(values, wish.gain)
    if "baseline_write" in inputs:
        return inputs, needed
    if needed is None:
        raise Refused(
            f"no baseline on which the job makes progress has a gain of {wish.gain:g}; "
            "see what ideal storage could gain with a baseline given"
        )
    return _solved(needed, inputs), needed


def _solved(needed: Needed, inputs: Mapping[str, Input]) -> dict[str, Input]:
    """``inputs`` with the baseline that was solved for."""
    name, source = "baseline_write", "the baseline that the gain would need"
    write = Input(name=name, range=exactly(needed.bandwidth), origin="solved", source=source)
    return completed({**inputs, name: write})


def _soonest(ranges: Mapping[str, Range]) -> dict[str, float]:
    values = {name: each.typical for name, each in ranges.items()}
    if "mtbf" in ranges:
        return values | {"mtbf": ranges["mtbf"].low}
    return values | {"failures_per_node_day": ranges["failures_per_node_day"].high}


def _saving(inputs: Mapping[str, Input], after: Side, before: Side | None) -> float | None:
    work = inputs.get("useful_time")
    if work is None or before is None or not (before.outcome.useful and after.outcome.useful):
        return None
    return saved(work.range.typical, before.outcome.useful, after.outcome.useful)


def _wished(inputs: Mapping[str, Input], before: Side | None, wish: Wish | None) -> float | None:
    """The useful share that saves as much as is wished for; None where there is none."""
    work = inputs.get("useful_time")
    if wish is None or wish.saves is None:
        return None
    if work is None or before is None:
        raise Refused("hours saved are those of a job over a baseline: give useful_time and one")
    if not before.outcome.useful:
        return None
    return utilisation_for(wish.saves, work.range.typical, before.outcome.useful)


def _remarks(sides: Sequence[Side], job: Job) -> Iterator[Finding]:
    for side in sides:
        found = side.outcome
        if not found.progresses:
            yield Finding(
                code="no_progress",
                message=f"{side.name}: the job makes no progress: a restart takes "
                f"{found.restart / job.mtbf:.2g} times the time between failures",
            )
        elif found.strain > FIRST_ORDER_UP_TO:
            yield Finding(
                code="first_order_errs",
                message=f"{side.name}: interval, stall and restart are {found.strain:.2f} of the "
                f"time between failures, more than {FIRST_ORDER_UP_TO}: the first-order figures "
                "may be wrong by several points, the exact ones hold",
            )
