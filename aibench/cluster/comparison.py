"""Two storages under the same job: what the better one gains, and what any storage could gain.

All inputs are numbers by name, so that each can have a range: `INPUTS` lists them. Times are in
seconds, sizes in bytes, bandwidths in bytes per second.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from aibench.cluster.checks import above_zero
from aibench.cluster.effects import checkpoint_bytes
from aibench.cluster.failing import mtbf
from aibench.cluster.job import Job, Outcome, Storage, outcome
from aibench.errors import Refused

#: What each input of a job is.
JOB = {
    "mtbf": "mean time between failures of the job",
    "nodes": "nodes",
    "failures_per_node_day": "failures per node and day",
    "checkpoint_bytes": "bytes of a checkpoint",
    "parameters": "parameters",
    "bytes_per_parameter": "checkpoint bytes per parameter",
    "fixed_restart": "restart without storage",
    "fan_out": "reads of the checkpoint per restart",
}
#: What each input of a storage is, for ``baseline_`` and ``candidate_``.
STORAGE = {
    "write": "durable write bandwidth",
    "read": "cold read bandwidth",
    "load": "time to the first batch",
    "utilisation": "accelerator utilisation",
    "snapshot": "stall of an asynchronous checkpoint",
    "interval": "useful work between checkpoints",
    "extra_restart": "restart beyond the fixed part",
}
#: How a candidate may be told as a multiple of the baseline.
FACTORS = {
    "faster": "bandwidths of the candidate over the baseline's",
    "load_faster": "time to the first batch of the baseline over the candidate's",
}
SIDES = ("baseline", "candidate")
#: What both sides have alike where it is known of one only.
SHARED = ("load", "utilisation")
INPUTS = JOB | {f"{s}_{k}": f"{s}: {v}" for s in SIDES for k, v in STORAGE.items()} | FACTORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A baseline, a candidate, and how much more useful work the second one leaves time for.

    ``gain`` is the candidate's useful share over the baseline's, ``cap`` that of storage which
    takes no time at all. Both are infinite where only the baseline makes no progress, and None
    where neither of the two compared does.
    """

    baseline: Outcome
    candidate: Outcome
    gain: float | None
    cap: float | None


def compared(values: Mapping[str, float]) -> Compared:
    """Baseline and candidate of ``values``; a candidate may be told by `FACTORS`."""
    return _compared(tuple(sorted(values.items())))


@lru_cache(maxsize=2**10)  # the corners of a range are asked for many times
def _compared(given: tuple[tuple[str, float], ...]) -> Compared:
    values = dict(given)
    job = job_of(values)
    before = outcome(job, storage_of(values, "baseline"))
    after = outcome(job, storage_of(values, "candidate"))
    return Compared(
        baseline=before,
        candidate=after,
        gain=_over(after.useful, before.useful),
        cap=_over(job.ideal, before.useful),
    )


def job_of(values: Mapping[str, float]) -> Job:
    """The job of ``values``; `Refused` names what is missing."""
    if "mtbf" in values:
        between = values["mtbf"]
    else:
        between = mtbf(_need(values, "nodes"), _need(values, "failures_per_node_day"))
    if "checkpoint_bytes" in values:
        size = values["checkpoint_bytes"]
    else:
        size = checkpoint_bytes(_need(values, "parameters"), _need(values, "bytes_per_parameter"))
    return Job(
        mtbf=between,
        checkpoint_bytes=size,
        fixed_restart=_need(values, "fixed_restart"),
        fan_out=values.get("fan_out", 1.0),
    )


def storage_of(values: Mapping[str, float], side: str) -> Storage:
    """The storage of one side; `Refused` names what is missing.

    Reads are as fast as writes where nothing else is said, and loads and utilisation those of the
    other side: what is known of one only makes no difference. A candidate that is told by
    ``faster`` is otherwise as the baseline is.
    """
    if side == "candidate" and "faster" in values:
        return _multiplied(values)
    given = {key: values[f"{side}_{key}"] for key in STORAGE if f"{side}_{key}" in values}
    write = _need(values, f"{side}_write")
    return Storage(**{"write": write, "read": write} | _shared(values, side) | given)


def _shared(values: Mapping[str, float], side: str) -> dict[str, float]:
    """What one side has of the other one, where it has none of its own."""
    other = SIDES[side == SIDES[0]]
    found = {key: values[f"{other}_{key}"] for key in SHARED if f"{other}_{key}" in values}
    if side == "candidate" and {"load_faster", "baseline_load"} <= values.keys():
        above_zero(load_faster=values["load_faster"])
        found["load"] /= values["load_faster"]
    return found


def _multiplied(values: Mapping[str, float]) -> Storage:
    base = storage_of(values, "baseline")
    own = {key: values.get(f"candidate_{key}", getattr(base, key)) for key in STORAGE}
    faster = values["faster"]
    own |= {"write": base.write * faster, "read": base.read * faster}
    own["load"] = values.get("candidate_load", base.load / values.get("load_faster", 1.0))
    return Storage(**own)


def _need(values: Mapping[str, float], name: str) -> float:
    if name not in values:
        raise Refused(f"{name} is missing: {INPUTS[name]}")
    return values[name]


def _over(after: float, before: float) -> float | None:
    if before == 0:
        return math.inf if after else None
    return after / before
