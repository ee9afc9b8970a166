"""Claims on a figure: bandwidth, IOPS, latency, duration, utilisation, for a unit or the whole.

A figure whose conditions the source leaves open says that the system *can* do this. So where
several trials test it, the one that supports it best gives the verdict, and it is refuted only
when all of them refute it; the intervals are widened (Šidák) for that choice. Where each node was
measured by itself, the slowest one decides.
"""

from collections.abc import Sequence
from dataclasses import replace

from aibench.judge.gates import Gate, hosts
from aibench.judge.trials import Absent, Trial, trial_of, trials
from aibench.judge.units import averaged, beyond, divisor, node_of, unit_undefined
from aibench.judge.verdicts import (
    CONFIDENCE,
    assumption,
    best,
    better,
    bound,
    claimed,
    concluded,
    findings,
    reference,
    same_product,
    too_few,
    undecided,
)
from aibench.model import (
    Claim,
    Finding,
    Interpretation,
    Means,
    RunRecord,
    Sample,
    Status,
    Verdict,
)
from aibench.stats.intervals import agreed_side, estimate, per_unit


def judged(claim: Claim, reading: Interpretation, records: Sequence[RunRecord]) -> Verdict:
    """The verdict of ``reading`` by all trials in ``records``."""
    found = trials(records, claim)
    tested = [_per_client(claim, trial) for trial in found if isinstance(trial, Trial)]
    if not tested:
        return not_testable([a for a in found if isinstance(a, Absent)], claim, reading)
    groups: dict[tuple[str, str, int], list[Trial]] = {}
    for number, trial in enumerate(tested):
        alone = -1 if node_of(trial) else number
        groups.setdefault((trial.workload, trial.phase.name, alone), []).append(trial)
    confidence = CONFIDENCE ** (1 / len(tested))
    return best([_worst_node(claim, reading, group, confidence) for group in groups.values()])


def _worst_node(
    claim: Claim, reading: Interpretation, group: Sequence[Trial], confidence: float
) -> Verdict:
    """Each node has to reach the figure: the one that refutes it, or is furthest off, counts."""
    verdicts = [decide(claim, reading, trial, confidence) for trial in group]
    if len(verdicts) == 1:
        return verdicts[0]
    order = (Status.NOT_MET, Status.INCONCLUSIVE, Status.REFERENCE_ONLY, Status.NOT_TESTABLE_HERE)
    sign = 1 if better(claim) == "higher" else -1

    def rank(verdict: Verdict) -> tuple[int, float]:
        place = order.index(verdict.status) if verdict.status in order else len(order)
        return place, sign * (verdict.margin or 0.0)

    worst = min(verdicts, key=rank)
    name = node_of(group[verdicts.index(worst)])
    message = f"the worst of {len(group)} nodes that were measured one by one: {name}"
    finding = Finding(code="worst_node", message=message)
    return replace(worst, reasons=(*worst.reasons, finding))


def decide(
    claim: Claim, interpretation: Interpretation, trial: Trial, confidence: float = CONFIDENCE
) -> Verdict:
    """The verdict of one reading of ``claim`` by one trial."""
    draft = Verdict(
        claim=claim,
        interpretation=interpretation,
        status=Status.INCONCLUSIVE,
        workload=trial.workload,
        phase=trial.phase.name,
        aggregate=estimate(trial.values, better(claim), confidence),
        bound=bound(claim, interpretation),
    )
    trial = replace(
        trial, closed=(*too_few(claim, len(trial.values)), *_maximum(claim), *trial.closed)
    )
    system = trial.system
    if system is None or not same_product(claim, system):
        assert draft.aggregate is not None
        return reference(draft, trial, draft.aggregate.typical, trial.closed)
    if undefined := unit_undefined(claim, system):
        return replace(
            draft,
            reasons=(undefined, *findings(trial.closed), *trial.dropped),
            next_step=f"say in the system file how many of the claim's {claim.scope} serve the "
            "mount (unit, units), and what one is (unit_definition)",
        )
    if (larger := beyond(claim, system, draft)) is not None:
        return replace(larger, reasons=(*larger.reasons, *findings(trial.closed), *trial.dropped))
    return _compared(draft, trial, confidence)


def _compared(draft: Verdict, trial: Trial, confidence: float) -> Verdict:
    """Met, not met, or what kept the runs from showing either."""
    assert draft.aggregate is not None
    assert draft.bound is not None
    assert trial.system is not None
    claim = draft.claim
    units = divisor(claim, trial.system)
    measured = per_unit(draft.aggregate, units)
    values = [value / units for value in trial.values]
    where = agreed_side(values, draft.bound, better(claim), confidence)
    few = too_few(claim, len(values))
    gate = None if few else undecided(draft, where, values, measured, confidence)
    value = claimed(draft.interpretation)
    draft = replace(draft, measured=measured, margin=measured.typical / value if value else None)
    return concluded(
        draft,
        where,
        (*trial.closed, *averaged(trial.system, units), *_only_projected(claim)),
        gate,
        (*trial.dropped, *assumption(claim, trial.phase)),
    )


def _maximum(claim: Claim) -> list[Gate]:
    """That nothing ever takes longer can be refuted, and never be shown."""
    if not (claim.metric.endswith("latency_max") and better(claim) == "lower"):
        return []
    message = (
        "no number of runs shows that nothing ever takes longer; after n operations within the "
        "limit it may still be up to 3/n of them (95 %)"
    )
    remedy = "ask for a percentile instead"
    finding = Finding(code="maximum_not_provable", message=message)
    return [Gate(finding=finding, forbids_met=True, remedy=remedy)]


def _only_projected(claim: Claim) -> list[Gate]:
    """A claim that only a model reaches is never met or refuted by what a rig measures."""
    if claim.testability is not Means.MODEL:
        return []
    message = "what was measured here supports or weakens the claim through a model only"
    finding = Finding(code="projection_only", message=message)
    return [Gate(finding=finding, forbids_met=True, forbids_not_met=True,
                 remedy="measure the system that the claim is about")]  # fmt: skip


def _per_client(claim: Claim, trial: Trial) -> Trial:
    """For a figure of one client, of each run what the slowest client got."""
    if claim.scope.casefold() != "client" or hosts(trial.counted) < 2:
        return trial
    if claim.metric not in ("read_bandwidth", "write_bandwidth"):
        return trial
    again = trial_of(trial.record, claim, trial.stage, trial.phase, slowest_client)
    return again if isinstance(again, Trial) else trial


def slowest_client(sample: Sample) -> float:
    """Bytes per second of the client host that moved the fewest, over the whole time."""
    moved: dict[str, int] = {}
    for worker in sample.measurement.workers:
        moved[worker.host] = moved.get(worker.host, 0) + worker.bytes
    return min(moved.values()) * 10**9 / sample.measurement.elapsed_ns


def not_testable(absent: Sequence[Absent], claim: Claim, interpretation: Interpretation) -> Verdict:
    """The verdict where nothing in the records tests the claim, with what is missing."""
    nearest = next((place for place in absent if place.phase), absent[0] if absent else None)
    wanted = " or ".join(f"{kind} with its phase {phase}" for kind, phase in claim.phases)
    return Verdict(
        claim=claim,
        interpretation=interpretation,
        status=Status.NOT_TESTABLE_HERE,
        reasons=tuple(dict.fromkeys(place.finding for place in absent)),
        workload=nearest.workload if nearest else None,
        phase=nearest.phase if nearest else None,
        next_step=f"measure a workload of the kind {wanted}, with runs that count",
    )
