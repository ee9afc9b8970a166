"""The models that claims are held against, by name, and what holding them against one says.

A model takes named inputs, each with a range, and projects a value with its range and the most
that ideal storage could reach. A claim inside the range is consistent with the model; one outside
is not, and one beyond the cap could not be true of any storage. None of these is ever "met".
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aibench.cluster import effects, failing
from aibench.cluster.comparison import JOB, SIDES, STORAGE, Compared, compared, job_of, storage_of
from aibench.cluster.job import outcome, restart_time
from aibench.cluster.ranges import Range, Values, band
from aibench.errors import Refused

#: Slack of a comparison, for the last bits of a float.
_SLACK = 1e-9
_UNBOUNDED = 1e300


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A formula for a claim: what it says, its inputs, its value, and the cap of that.

    ``unit`` is ``1`` for a ratio, ``share``, or ``s``. ``better`` is the direction that ideal
    storage moves the value to. ``cap`` is None where storage puts no bound on it.
    """

    name: str
    says: str
    inputs: tuple[str, ...]
    unit: str
    better: str
    value: Callable[[Values], float]
    cap: Callable[[Values], float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """What a model makes of its inputs. Ends without bound are None, as is a cap there is not."""

    model: str
    unit: str
    low: float
    typical: float | None
    high: float | None
    cap: float | None


def project(model: str, inputs: Mapping[str, Range]) -> Projected:
    """The value of ``model`` over the ranges of ``inputs``.

    The cap is the most (or, where less is better, the least) over the same ranges. `Refused`
    where there is no such model, or an input is missing, unknown or impossible.
    """
    found = MODELS.get(model)
    if found is None:
        raise Refused(f"no model {model!r}; known: {', '.join(MODELS)}")
    unknown = sorted(set(inputs) - set(found.inputs))
    if unknown:
        raise Refused(
            f"model {model} has no input {unknown[0]!r}; it has {', '.join(found.inputs)}"
        )
    values = band(_bounded(found.value), inputs)
    cap = None
    if found.cap is not None:
        caps = band(_bounded(found.cap), inputs)
        cap = caps.high if found.better == "higher" else caps.low
    return Projected(
        model=model,
        unit=found.unit,
        low=values.low,
        typical=_known(values.typical),
        high=_known(values.high),
        cap=None if cap is None else _known(cap),
    )


def relation(claimed: float, sign: str, projected: Projected) -> str:
    """``CONSISTENT``, ``INCONSISTENT`` or ``INCONSISTENT_BOUND``.

    With ``sign`` ``=`` the claim has to lie inside the projected range; with ``>=`` or ``<=`` the
    range has to reach it. Beyond the cap no storage could do what is claimed.
    """
    if sign not in ("=", ">=", "<="):
        raise ValueError(f"a sign is '=', '>=' or '<=', not {sign!r}")
    high = math.inf if projected.high is None else projected.high
    slack = abs(claimed) * _SLACK
    too_high = claimed > high + slack and sign != "<="
    too_low = claimed < projected.low - slack and sign != ">="
    if not (too_high or too_low):
        return "CONSISTENT"
    higher = MODELS[projected.model].better == "higher"
    cap = projected.cap
    beyond = cap is not None and (claimed > cap + slack if higher else claimed < cap - slack)
    return "INCONSISTENT_BOUND" if beyond else "INCONSISTENT"


def _bounded(function: Callable[[Values], float]) -> Callable[[Values], float]:
    def value(values: Values) -> float:
        try:
            return min(function(values), _UNBOUNDED)
        except KeyError as error:
            raise Refused(f"{error.args[0]} is missing") from error

    return value


def _known(value: float) -> float | None:
    return None if value >= _UNBOUNDED else value


def _of(compare: Callable[[Compared], float | None]) -> Callable[[Values], float]:
    def value(values: Values) -> float:
        found = compare(compared(values))
        if found is None:
            raise Refused("neither baseline nor candidate makes progress: a restart takes longer "
                          "than the time between failures")  # fmt: skip
        return found

    return value


def _points(values: Values) -> float:
    both = compared(values)
    return both.candidate.useful - both.baseline.useful


def _most_points(values: Values) -> float:
    return job_of(values).ideal - compared(values).baseline.useful


def _saved(values: Values) -> float:
    both = compared({k: v for k, v in values.items() if k != "useful_time"})
    if not both.baseline.useful:
        return math.inf
    return values["useful_time"] * (1 / both.baseline.useful - 1 / (both.candidate.useful or 1e-9))


def _savable(values: Values) -> float:
    both = compared({k: v for k, v in values.items() if k != "useful_time"})
    if not both.baseline.useful:
        return math.inf
    ideal = job_of(values).ideal
    return values["useful_time"] * (1 / both.baseline.useful - 1 / ideal) if ideal else 0.0


def _checkpoint_time(values: Values) -> float:
    size = values["checkpoint_bytes"] if "checkpoint_bytes" in values else (
        effects.checkpoint_bytes(values["parameters"], values["bytes_per_parameter"])
    )  # fmt: skip
    return size / values["candidate_write"]


_STORED = tuple(f"{side}_{key}" for side in SIDES for key in STORAGE)
_ONE_SIDE = (*JOB, *(f"candidate_{key}" for key in STORAGE))
_TWO_SIDES = (*JOB, *_STORED, "faster", "load_faster")

MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="gain", says="useful time of a training cluster over that on the baseline",
            inputs=_TWO_SIDES, unit="1", better="higher",
            value=_of(lambda both: both.gain), cap=_of(lambda both: both.cap),
        ),
        Model(
            name="points", says="useful share of the time less that on the baseline",
            inputs=_TWO_SIDES, unit="share", better="higher", value=_points, cap=_most_points,
        ),
        Model(
            name="saved_time", says="hours that a job saves over the baseline",
            inputs=(*_TWO_SIDES, "useful_time"), unit="s", better="higher",
            value=_saved, cap=_savable,
        ),
        Model(
            name="useful_share", says="share of its time that a cluster does useful work",
            inputs=_ONE_SIDE, unit="share", better="higher",
            value=lambda v: outcome(job_of(v), storage_of(v, "candidate")).useful,
            cap=lambda v: job_of(v).ideal,
        ),
        Model(
            name="restart_time", says="time from a failure until the job computes again",
            inputs=_ONE_SIDE, unit="s", better="lower",
            value=lambda v: restart_time(job_of(v), storage_of(v, "candidate")),
            cap=lambda v: v["fixed_restart"],
        ),
        Model(
            name="checkpoint_time", says="time to write a checkpoint durably",
            inputs=("checkpoint_bytes", "parameters", "bytes_per_parameter", "candidate_write"),
            unit="s", better="lower", value=_checkpoint_time,
        ),
        Model(
            name="cache_speedup", says="speed-up of epochs by a cache, the first one cold",
            inputs=("cold", "warm", "epochs"), unit="1", better="higher",
            value=lambda v: effects.cache_speedup(
                v["cold"], v.get("warm", 1.0), v.get("epochs", math.inf)
            ),
            cap=lambda v: effects.cache_speedup(v["cold"]),
        ),
        Model(
            name="amdahl", says="speed-up of a whole of which a share becomes faster",
            inputs=("share", "speedup"), unit="1", better="higher",
            value=lambda v: effects.amdahl(v["share"], v["speedup"]),
            cap=lambda v: effects.amdahl(v["share"], math.inf),
        ),
        Model(
            name="elapsed_utilisation", says="share of the peak that a run computed at",
            inputs=("flop", "accelerators", "peak_flop_per_second", "seconds"), unit="share",
            better="higher",
            value=lambda v: effects.elapsed_utilisation(
                v["flop"], v["accelerators"], v["peak_flop_per_second"], v["seconds"]
            ),
        ),
        Model(
            name="unbroken", says="chance that a job has no failure for a time",
            inputs=("duration", "mtbf", "nodes", "failures_per_node_day"), unit="share",
            better="higher",
            value=lambda v: failing.unbroken(
                v["duration"],
                v["mtbf"] if "mtbf" in v
                else failing.mtbf(v["nodes"], v["failures_per_node_day"]),
            ),
        ),
    )
}  # fmt: skip
