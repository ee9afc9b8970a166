"""Claims of every other kind: scaling, units, latency, utilisation, right bytes, models, never."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from aibench.definition.claims import shipped_claims
from aibench.judge import judge
from aibench.model import (
    Accelerated,
    Accelerators,
    CachePolicy,
    CacheState,
    Claim,
    ClaimKind,
    ClusterModel,
    Conditions,
    Evidence,
    Interpretation,
    Means,
    Operation,
    RunRecord,
    Sample,
    Status,
    SyncPolicy,
    Training,
    Verdict,
    WorkerResult,
)
from aibench.registry import plugin
from aibench.reporters.document import document
from tests.build import (
    SECOND,
    evidence,
    histogram,
    measurement,
    phase,
    plan,
    record,
    stage,
    system,
    target,
)
from tests.test_judge import GB, block, claim, codes, finding, measured, run_of
from tests.test_judge import reading as reads
from tests.test_judge_ratio import unlimited


def reading(value: float, name: str = "as-printed", **changes: Any) -> tuple[Interpretation, ...]:
    """One reading of that value."""
    return (Interpretation(id=name, value=value, **changes),)


def one(about: Claim, *runs: RunRecord, **changes: Any) -> Verdict:
    """The one verdict of ``about``, each run on what its record says."""
    (verdict,) = judge(runs, [about], changes.get("on"), changes.get("baseline", ()))
    return verdict


# --- scaling


def sized(units: int, rates: Sequence[float], name: str = "", **changes: Any) -> RunRecord:
    """Runs on that many nodes at those rates in GB/s."""
    run = measured([int(rate * GB) for rate in rates], **changes)
    return replace(run, system=system(units=units), run_id=f"n{units}{name}")


LINEAR = claim(
    id="H3-03", kind=ClaimKind.SCALING, testability=Means.COMPARISON, unit="1", scope="system",
    interpretations=reading(1.0, "linear"),
)  # fmt: skip


def grown(*totals: float, sizes: Sequence[int] = (1, 2, 4, 8), **changes: Any) -> list[RunRecord]:
    """Three quiet runs of each size, with those totals in GB/s."""
    return [sized(n, [t * 0.999, t, t * 1.001], **changes)
            for n, t in zip(sizes, totals, strict=True)]  # fmt: skip


@pytest.mark.parametrize(
    ("totals", "status"),
    [((10, 20, 40, 80), Status.MET), ((10, 19.8, 39.2, 77.6), Status.MET),
     ((10, 17, 28.9, 49), Status.NOT_MET)],
)  # fmt: skip
def test_growth_is_held_against_its_efficiency(totals: tuple[float, ...], status: Status) -> None:
    """Linear growth is met where exponent and worst size keep 95 %; the text says up to which N."""
    verdict = one(LINEAR, *grown(*totals))
    assert verdict.status is status
    told = next(r.message for r in verdict.reasons if r.code == "tested_up_to")
    assert told.startswith("up to N=8 units: exponent")
    assert told.endswith("nothing is said of more")
    assert verdict.measured is not None
    assert verdict.measured.typical == pytest.approx(min(totals[3] / 80, 1.0), rel=1e-6)


def test_growth_exactly_in_proportion_is_met_without_tolerance() -> None:
    """A claim exactly equal to the result is met, with no tolerance at all."""
    runs = [sized(n, [10.0 * n] * 3) for n in (1, 2, 4)]
    assert one(replace(LINEAR, tolerance=0.0), *runs).status is Status.MET


def test_two_sizes_show_no_growth() -> None:
    """Growth takes three sizes; the next step says how many are missing."""
    verdict = one(LINEAR, *grown(10, 20, sizes=(1, 2)))
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["level_not_tested"])
    assert "measured with 1, 2 units" in verdict.reasons[0].message
    assert verdict.next_step.startswith("measure at 1 more sizes")


def test_without_system_files_nobody_knows_the_sizes() -> None:
    """Runs whose system files do not say how many units there were have no sizes."""
    runs = [replace(run, system=None) for run in grown(10, 20, 40, 80)]
    verdict = one(LINEAR, *runs)
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["units_missing"])


def test_a_knee_is_told_instead_of_an_exponent() -> None:
    """Growth that stops is refuted by its worst size, and the knee is named."""
    verdict = one(LINEAR, *grown(10, 20, 40, 44))
    assert (verdict.status, "knee" in codes(verdict)) == (Status.NOT_MET, True)
    told = next(r.message for r in verdict.reasons if r.code == "knee")
    assert told.endswith("0.95 is kept up to 4 units")


def test_noise_at_the_bound_decides_no_growth() -> None:
    """An interval around the needed efficiency asks for more runs of each size."""
    runs = [sized(n, [9 * n, 10 * n, 11 * n]) for n in (1, 2, 4)]
    verdict = one(LINEAR, *runs)
    assert (verdict.status, codes(verdict)[0]) == (Status.INCONCLUSIVE, "ci_straddles")
    assert "more runs of each size" in verdict.next_step


def test_a_size_below_the_bound_alone_does_not_refute_growth() -> None:
    """Where the exponent may still keep the efficiency, a size just below it is told, no more."""
    verdict = one(LINEAR, *grown(10, 19.5, 38.5, 75.5))
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.reasons[0].message == (
        "the efficiency at 8 [0.942, 0.946] is below the bound 0.95, and the exponent 0.975 that "
        "it takes lies inside the one that was measured [0.971, 0.976]"
    )


def test_two_runs_of_a_size_are_too_few_for_growth() -> None:
    """Each size needs three runs."""
    runs = [*grown(10, 20, sizes=(1, 2)), sized(4, [40, 40])]
    assert codes(one(LINEAR, *runs))[0] == "too_few_runs"


def test_growth_up_to_three_units_is_not_met() -> None:
    """Three units show little of what many would do; refuted it can be."""
    verdict = one(LINEAR, *grown(10, 20, 30, sizes=(1, 2, 3)))
    assert (verdict.status, codes(verdict)[0]) == (Status.INCONCLUSIVE, "level_not_tested")
    assert verdict.next_step == "measure with 4 units or more"
    assert one(LINEAR, *grown(10, 15, 18, sizes=(1, 2, 3))).status is Status.NOT_MET


def test_growth_of_more_than_its_size_is_not_met() -> None:
    """More than in proportion means that the small sizes were held up by something else."""
    verdict = one(LINEAR, *grown(10, 22, 48.4, 106))
    assert (verdict.status, "superlinear" in codes(verdict)) == (Status.INCONCLUSIVE, True)


def test_a_client_bound_smallest_size_makes_growth_look_good() -> None:
    """A limit of the client at one unit forbids that growth is met, and at eight that it is not."""
    noted = {"warnings": (finding("nic_bound"),)}
    small = [sized(1, [10, 10, 10], **noted), *grown(20, 40, 80, sizes=(2, 4, 8))]
    assert one(LINEAR, *small).status is Status.INCONCLUSIVE
    large = [*grown(10, 20, 40, sizes=(1, 2, 4)), sized(8, [80, 80, 80], **noted)]
    assert one(LINEAR, *large).status is Status.MET
    slow = [*grown(10, 17, 28.9, sizes=(1, 2, 4)), sized(8, [49, 49.1, 48.9], **noted)]
    assert one(LINEAR, *slow).status is Status.INCONCLUSIVE


def test_growth_of_another_product_is_a_reference() -> None:
    """What another product does is no verdict on this one's growth."""
    other = replace(LINEAR, product="KUAE")
    verdict = one(other, *grown(10, 20, 40, 80))
    assert (verdict.status, codes(verdict)[0]) == (Status.REFERENCE_ONLY, "other_product")


def test_single_runs_of_another_product_leave_nothing_open() -> None:
    """One run of each size is no growth, and of no concern where it is another product's claim."""
    runs = [sized(n, [10 * n]) for n in (1, 2, 4)]
    verdict = one(replace(LINEAR, product="KUAE"), *runs)
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["too_few_runs"])
    assert verdict.reasons[0].message == "1 of at least 3 runs of each number of units"
    assert one(LINEAR, *runs).status is Status.INCONCLUSIVE


@pytest.mark.parametrize("axis", ["clients", "workers"])
def test_growth_over_clients_and_workers(axis: str) -> None:
    """Records of 1, 2 and 4 clients show how the rate of all of them grows, and so do workers."""
    runs = [
        replace(measured([int(10 * n * GB)] * 3, of=block(reads(processes=n)),
                         hosts=n if axis == "clients" else 1), run_id=f"r{n}", system=system())
        for n in (1, 2, 4)
    ]  # fmt: skip
    verdict = one(replace(LINEAR, axis=axis), *runs)
    assert verdict.status is Status.MET
    assert "up to N=4 " + axis in codes_and_words(verdict)


def codes_and_words(verdict: Verdict) -> str:
    """All that the reasons say."""
    return " ".join(f"{reason.code}: {reason.message}" for reason in verdict.reasons)


def test_growth_of_what_was_not_measured_is_not_testable() -> None:
    """Runs of another workload show no growth."""
    assert codes(one(LINEAR, record(system=system()))) == ["workload_missing"]


def training(count: int, busy: float, repeat: int = 0, steps: int = 1000) -> Sample:
    """A run of that many accelerators which computed a share ``busy`` of their time."""
    span = 100 * SECOND
    compute = int(span * busy)
    each = tuple(
        Accelerated(host="c", number=n, steps=steps, bytes=10**9, first_batch_ns=0,
                    first_step_ns=0, end_ns=span, wait_ns=span - compute, compute_ns=compute,
                    barrier_ns=0, stall_ns=span - compute)
        for n in range(count)
    )  # fmt: skip
    counted = measurement(
        operations=count * steps,
        elapsed_ns=span,
        bytes=count * 10**9,
        histograms={},
        training=Training(batch=4, accelerators=each),
        workers=run_of(0, 1).measurement.workers,
    )
    return unlimited(repeat, counted, workload="train-demo", phase=f"accelerators-{count}")


def trained(levels: dict[int, Sequence[float]]) -> RunRecord:
    """A run at several numbers of accelerators, each repeat with its utilisation."""
    phases = tuple(
        phase(name=f"accelerators-{n}", processes=n, accelerators=Accelerators(
            count=n, loaders=1, compute_ns=100, barrier=False))
        for n in levels
    )  # fmt: skip
    samples = [training(n, busy, repeat, steps=int(1000 * busy))
               for n, each in levels.items() for repeat, busy in enumerate(each)]  # fmt: skip
    return record(*samples, plan=plan(stage(workload="train-demo", kind="train", phases=phases)),
                  system=system())  # fmt: skip


def test_growth_over_accelerators_needs_one_run() -> None:
    """One run at 1, 2, 4 and 8 accelerators shows how the samples that they take grow."""
    about = replace(
        LINEAR, metric="samples_per_second", axis="accelerators", interpretations=reading(0.9),
        phases=(("train", "accelerators-*"),),
    )  # fmt: skip
    verdict = one(about, trained({1: [0.99] * 3, 2: [0.98] * 3, 4: [0.96] * 3, 8: [0.93] * 3}))
    assert verdict.status is Status.MET
    assert "up to N=8 accelerators" in next(
        r.message for r in verdict.reasons if r.code == "tested_up_to"
    )
    slow = one(about, trained({1: [0.99] * 3, 2: [0.9] * 3, 4: [0.8] * 3, 8: [0.6] * 3}))
    assert slow.status is Status.NOT_MET


# --- utilisation


WAIT = claim(
    id="A3-08", kind=ClaimKind.UTILISATION, metric="utilisation", unit="share", scope="system",
    tolerance=0.0, phases=(("train", "accelerators-*"),),
    interpretations=(
        Interpretation(id="literal", value=0, metric="stall_share", direction="<="),
        Interpretation(id="no-measurable-wait", value=0.99),
        Interpretation(id="usual-bar", value=0.90),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("busy", "expected"),
    [(1.0, [Status.MET, Status.MET, Status.MET]),
     (0.995, [Status.NOT_MET, Status.MET, Status.MET]),
     (0.95, [Status.NOT_MET, Status.NOT_MET, Status.MET]),
     (0.90, [Status.NOT_MET, Status.NOT_MET, Status.MET]),
     (0.8999, [Status.NOT_MET, Status.NOT_MET, Status.NOT_MET])],
)  # fmt: skip
def test_zero_wait_has_three_readings(busy: float, expected: list[Status]) -> None:
    """No wait at all, none that can be measured (99 %), and the usual bar (90 %): three answers."""
    run = trained({4: [busy] * 3})
    assert [verdict.status for verdict in judge(run, [WAIT], None)] == expected


MORE = claim(
    id="HX-01", kind=ClaimKind.RATIO, testability=Means.COMPARISON, metric="utilisation",
    unit="points", scope="system", phases=(("train", "accelerators-*"),),
    interpretations=reading(30, "points"),
)  # fmt: skip


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize(
    ("busy", "status"), [(0.75, Status.MET), (0.735, Status.MET), (0.73, Status.NOT_MET)]
)
def test_points_are_a_difference_of_shares(busy: float, status: Status, paired: bool) -> None:
    """From 45 % to 73.5 % is 28.5 points, the bound of 30 less 5 %; the ratio does not matter."""

    def side(name: str, share: float) -> list[RunRecord]:
        labels = [{"duel": "d", "pair": str(n)} for n in (1, 2, 3)] if paired else [{}] * 3
        return [replace(trained({4: [share]}), run_id=f"{name}{n}", labels=each)
                for n, each in enumerate(labels)]  # fmt: skip

    verdict = one(MORE, *side("new", busy), baseline=side("old", 0.45))
    assert verdict.status is status
    assert verdict.measured is not None
    assert verdict.measured.typical == pytest.approx(100 * (busy - 0.45), abs=0.01)
    assert verdict.measured.n == 3


# --- latency


def waited(milliseconds: float, operations: int = 10_000) -> RunRecord:
    """Three runs of that many reads, all of that latency."""
    whole = histogram(*[int(milliseconds * 10**6)] * operations)
    workers = run_of(0, 1).measurement.workers
    counted = measurement(operations=operations, histograms={"whole": whole}, workers=workers)
    samples = [unlimited(n, counted) for n in range(3)]
    return record(*samples, plan=plan(block()), system=system())


def latency(value: int, metric: str = "latency_p99") -> Claim:
    """Reads within that many nanoseconds."""
    return claim(kind=ClaimKind.LATENCY, metric=metric, unit="ns", direction="<=", scope="system",
                 interpretations=reading(value))  # fmt: skip


def test_a_percentile_within_its_limit_is_met() -> None:
    """A p99 exactly at the limit is met; more than the tolerance above it is not."""
    found = waited(1.0)
    exact = int(next(m.value for m in _metrics(found) if m.name == "latency_p99") or 0)
    assert one(replace(latency(exact), tolerance=0.0), found).status is Status.MET
    assert one(latency(exact * 94 // 100), found).status is Status.NOT_MET


def _metrics(run: RunRecord) -> Any:
    from aibench.metrics import metrics

    return metrics(run.plan.stages[0].phases[0], run.samples[0])


@pytest.mark.parametrize(
    ("metric", "operations", "tested"),
    [("latency_p99", 9_999, False), ("latency_p99", 10_000, True), ("latency_p95", 2_000, True),
     ("latency_p95", 1_999, False), ("latency_mean", 10, True)],
)  # fmt: skip
def test_a_percentile_needs_a_hundred_operations_beyond_it(
    metric: str, operations: int, tested: bool
) -> None:
    """A p99 takes 10,000 operations in each run; fewer test nothing, and the count is told."""
    verdict = one(latency(10**7, metric), waited(1.0, operations))
    if tested:
        assert verdict.status is Status.MET
    else:
        assert verdict.status is Status.NOT_TESTABLE_HERE
        assert codes(verdict) == ["too_few_operations"]
        assert f"{operations} operations" in verdict.reasons[0].message


def test_a_maximum_can_be_refuted_and_not_shown() -> None:
    """That nothing ever takes longer is refuted by one run, and shown by none."""
    within = one(latency(10**7, "latency_max"), waited(1.0))
    assert (within.status, codes(within)[0]) == (Status.INCONCLUSIVE, "maximum_not_provable")
    assert one(latency(10**5, "latency_max"), waited(1.0)).status is Status.NOT_MET


# --- what the source states


@pytest.mark.parametrize(
    ("stated", "said"),
    [(Conditions(block=2**20, op="read"), None), (Conditions(block=4096), "blocks of 4.00 KiB"),
     (Conditions(pattern="random"), None), (Conditions(pattern="sequential"), "not shuffled"),
     (Conditions(op="write"), "write, not read blocks"), (Conditions(mix="70/30"), None)],
)  # fmt: skip
@pytest.mark.parametrize("rate", [25, 10])
def test_a_claim_is_tested_under_the_conditions_that_it_states(
    stated: Conditions, said: str | None, rate: int
) -> None:
    """Where a source states block size, order or direction, other ones decide nothing."""
    run = replace(measured([rate * GB] * 3), system=system())
    verdict = one(claim(conditions=stated), run)
    if said is None:
        assert verdict.status is (Status.MET if rate == 25 else Status.NOT_MET)
    else:
        assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, ["conditions_differ"])
        assert said in verdict.reasons[0].message


@pytest.mark.parametrize(
    ("version", "status"),
    [("7.1", Status.MET), ("", Status.MET), ("6.0", Status.REFERENCE_ONLY)],
)
def test_another_version_is_another_product(version: str, status: Status) -> None:
    """A claim on a version is not met by another one; an unknown one is taken for it."""
    run = replace(measured([25 * GB] * 3), system=system(version=version))
    assert one(claim(version="7.1"), run).status is status


# --- units


def alone(node: str, rates: Sequence[float]) -> RunRecord:
    """Runs on one node by itself."""
    run = measured([int(rate * GB) for rate in rates])
    return replace(run, system=system(extra={"node": node}), run_id=node)


def test_of_nodes_that_were_measured_alone_the_worst_decides() -> None:
    """Each node has to reach a figure per node: the mean of good and bad nodes does not."""
    good = [alone(name, [25, 25.1, 24.9]) for name in ("n1", "n2")]
    assert one(claim(), *good).status is Status.MET
    verdict = one(claim(), *good, alone("n3", [10, 10.1, 9.9]))
    assert verdict.status is Status.NOT_MET
    assert verdict.reasons[-1].code == "worst_node"
    assert verdict.reasons[-1].message.endswith("n3")
    assert verdict.measured is not None
    assert verdict.measured.typical == pytest.approx(10 * GB, rel=0.01)


def test_of_several_clients_the_slowest_decides_a_figure_per_client() -> None:
    """A figure per client is that of the client that got the least."""

    def served(*shares: int) -> RunRecord:
        workers = tuple(
            WorkerResult(host=f"c{n}", process=n, thread=0, operations=1, bytes=share * GB,
                         start_ns=0, end_ns=SECOND)
            for n, share in enumerate(shares)
        )  # fmt: skip
        counted = measurement(bytes=sum(shares) * GB, histograms={}, workers=workers)
        samples = [unlimited(n, counted) for n in range(3)]
        return record(*samples, plan=plan(block()), system=system())

    about = claim(scope="client", interpretations=reading(10 * GB))
    assert one(about, served(10, 12)).status is Status.MET
    verdict = one(about, served(18, 6))
    assert verdict.status is Status.NOT_MET
    assert verdict.measured is not None
    assert verdict.measured.typical == pytest.approx(6 * GB)


LARGEST = claim(scope="node", whole_system=True, units_in_max_config=8,
                interpretations=reading(80 * GB))  # fmt: skip


@pytest.mark.parametrize(
    ("units", "status", "code"),
    [(8, Status.MET, None), (4, Status.INCONCLUSIVE, "projection_only"),
     (3, Status.NOT_TESTABLE_HERE, "needs_more_units")],
)  # fmt: skip
def test_a_figure_of_the_largest_system_is_met_by_that_only(
    units: int, status: Status, code: str | None
) -> None:
    """Half of the units give a projection that decides nothing, fewer not even that."""
    verdict = one(LARGEST, sized(units, [10.0 * units] * 3))
    assert verdict.status is status
    if code is not None:
        assert codes(verdict)[0] == code
        assert "8 node units, 10.0 GB/s each" in verdict.reasons[0].message
        assert verdict.next_step == "measure 8 node units"
    if code == "projection_only":
        assert verdict.measured is not None
        assert verdict.measured.typical == pytest.approx(80 * GB)


def test_sessions_are_the_runs_where_there_are_three() -> None:
    """Several records of the same question are one trial: of sessions, where there are enough."""
    sessions = [replace(measured([int(r * GB)] * 3), system=system(), run_id=str(r))
                for r in (24, 25, 26)]  # fmt: skip
    verdict = one(claim(), *sessions)
    assert verdict.measured is not None
    assert (verdict.status, verdict.measured.n) == (Status.MET, 3)
    two = one(claim(), *sessions[:2])
    assert two.measured is not None
    assert (two.measured.n, codes(two)) == (6, ["sessions_pooled"])


def test_warm_sessions_are_never_averaged_with_cold_ones() -> None:
    """A warm record among cold ones is in no figure, and forbids that the claim is met."""
    cold = [replace(measured([25 * GB] * 3), system=system(), run_id=f"c{n}") for n in range(3)]
    warm = replace(measured([250 * GB] * 3, evidence=evidence(state=CacheState.WARM)),
                   system=system(), run_id="w")  # fmt: skip
    verdict = one(claim(), warm, *cold)
    assert verdict.status is Status.INCONCLUSIVE
    assert set(codes(verdict)) == {"cache_suspect", "cache_state_differs"}
    assert verdict.measured is not None
    assert (verdict.measured.n, verdict.measured.typical) == (3, pytest.approx(25 * GB))


# --- right bytes


def compared(*wrong: int, seen: Evidence | None = None, **changes: Any) -> RunRecord:
    """An ingest whose comparison found so many wrong bytes in each repeat."""
    checks = phase(name="verify", operation=Operation.COMPARE)
    samples = [
        unlimited(n, measurement(wrong_bytes=bad, errors=int(bad > 0)), workload="in",
                  phase="verify", evidence=seen or evidence())
        for n, bad in enumerate(wrong)
    ]  # fmt: skip
    demo = stage(workload="in", kind="ingest", phases=(checks,))
    return record(*samples, **{"plan": plan(demo), "system": system()} | changes)


RIGHT = claim(id="HX-14", kind=ClaimKind.FUNCTIONAL, metric="wrong_bytes", unit="B",
              direction="<=", scope="system", tolerance=0.0, phases=(("ingest", "verify"),),
              interpretations=reading(0))  # fmt: skip
BOTH_WAYS = replace(RIGHT, needs=("needs_second_protocol",))
THROUGH_SMB = {"labels": {"written_through": "smb3"}, "target": target(fstype="nfs4")}


def test_right_bytes_meet_and_a_wrong_one_refutes() -> None:
    """What came back as it was written meets the claim; one wrong byte in one run refutes it."""
    met = one(RIGHT, compared(0, 0, 0))
    assert (met.status, codes(met)) == (Status.MET, ["bytes_compared"])
    assert met.next_step == "only a wrong byte"
    wrong = one(RIGHT, compared(0, 1))
    assert (wrong.status, codes(wrong)) == (Status.NOT_MET, ["wrong_bytes"])
    assert wrong.reasons[0].message.startswith("1 byte in 1 file came back wrong")


def test_several_protocols_take_a_second_one() -> None:
    """Over one protocol nothing is shown of two, but a wrong byte is wrong anyway."""
    same = one(BOTH_WAYS, compared(0, 0, 0))
    assert (same.status, codes(same)) == (Status.NOT_TESTABLE_HERE, ["needs_second_protocol"])
    assert one(BOTH_WAYS, compared(0, 0, 0, **THROUGH_SMB)).status is Status.MET
    assert one(BOTH_WAYS, compared(0, 5, 0)).status is Status.NOT_MET


def test_over_a_second_protocol_this_client_must_not_have_had_the_bytes() -> None:
    """What the server has in memory came over the protocol; what this client had did not."""
    far = evidence(state=CacheState.UNKNOWN, delivered_bytes=None, resident_share=0.02)
    assert one(BOTH_WAYS, compared(0, 0, 0, seen=far, **THROUGH_SMB)).status is Status.MET
    assert codes(one(RIGHT, compared(0, 0, 0, seen=far)))[0] == "cache_suspect"
    for share in (0.03, None):
        near = replace(far, resident_share=share)
        verdict = one(BOTH_WAYS, compared(0, 0, 0, seen=near, **THROUGH_SMB))
        assert (verdict.status, codes(verdict)[0]) == (Status.INCONCLUSIVE, "cache_suspect")


def test_bytes_out_of_a_cache_or_of_memory_show_nothing() -> None:
    """A comparison that read from memory does not show what storage holds."""
    verdict = one(RIGHT, compared(0, 0, 0, target=target(fstype="tmpfs")))
    assert (verdict.status, codes(verdict)[0]) == (Status.INCONCLUSIVE, "memory_target")
    assert codes(one(RIGHT, record(system=system()))) == ["workload_missing"]


def test_right_bytes_on_another_product_are_a_reference() -> None:
    """Right bytes here say nothing of a product that was not measured."""
    verdict = one(RIGHT, compared(0, 0, 0, system=None))
    assert (verdict.status, codes(verdict)[0]) == (Status.REFERENCE_ONLY, "no_system")
    assert verdict.reasons[0].message.startswith(
        "reference only: what came back wrong is 0 B, exactly at the figure (0 B"
    )


# --- what only a model reaches, and what nothing does


def saved(rate: float, **changes: Any) -> RunRecord:
    """Checkpoints saved at that many GB/s."""
    saves = phase(name="save", operation=Operation.SAVE_SHARDS, sync=SyncPolicy.COMMIT,
                  cache=CachePolicy.AS_FOUND)  # fmt: skip
    samples = [
        unlimited(n, measurement(bytes=int(rate * GB), workers=run_of(0, 1).measurement.workers),
                  workload="save", phase="save", evidence=None)
        for n in range(3)
    ]  # fmt: skip
    demo = stage(workload="save", kind="checkpoint_save", phases=(saves,))
    return record(*samples, **{"plan": plan(demo), "system": system()} | changes)


def modelled(
    value: float, name: str, unit: str = "1", direction: str = ">=", **given: Any
) -> Claim:
    """A claim on a cluster, held against the model of that name."""
    assumed = {key: (low, low) if isinstance(low, int | float) else low
               for key, low in given.items()}  # fmt: skip
    return claim(
        kind=ClaimKind.RATIO,
        testability=Means.MODEL,
        metric="",
        phases=(),
        unit=unit,
        direction=direction,
        scope="cluster",
        interpretations=reading(value),
        model=ClusterModel(name=name, assumed=assumed),
    )


#: 1,250 nodes and 10^12 parameters on a baseline of 20 GB/s: the gain is 1.347, its cap 1.663.
CLUSTER = {"nodes": 1250, "failures_per_node_day": 6.5e-3, "parameters": 1e12,
           "bytes_per_parameter": 14, "fixed_restart": 900, "baseline_write": 20e9,
           "baseline_load": 600, "faster": 4, "load_faster": 8}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "status"),
    [(1.30, Status.CONSISTENT), (1.34, Status.CONSISTENT), (1.36, Status.INCONSISTENT),
     (1.66, Status.INCONSISTENT), (1.70, Status.INCONSISTENT_BOUND)],
)  # fmt: skip
def test_a_claim_on_a_cluster_is_consistent_or_not(value: float, status: Status) -> None:
    """Inside the projection, outside of it, or beyond what ideal storage could do; never met."""
    verdict = one(modelled(value, "gain", **CLUSTER), record())
    assert verdict.status is status
    assert codes(verdict) == ["model_projection", "model_cap"]
    assert verdict.measured is not None
    assert verdict.measured.typical == pytest.approx(1.347, abs=5e-4)
    assert "measured: nothing" in verdict.reasons[0].message
    assert verdict.reasons[0].message.startswith("the model gain gives 1.35; measured: nothing")
    assert verdict.reasons[1].message == "ideal storage would give 1.66"


def test_measured_inputs_replace_what_a_claim_leaves_open() -> None:
    """The time of a checkpoint follows from the bandwidth that was measured on the product."""
    about = modelled(5 * 60 * SECOND, "checkpoint_time", unit="ns", direction="<=",
                     parameters=1e12, bytes_per_parameter=14)  # fmt: skip
    fast = one(about, saved(100))
    assert fast.status is Status.CONSISTENT
    assert "measured: candidate_write" in fast.reasons[0].message
    assert fast.measured is not None
    assert fast.measured.typical == pytest.approx(140 * SECOND, rel=1e-6)
    assert one(about, saved(10)).status in (Status.INCONSISTENT, Status.INCONSISTENT_BOUND)
    other = one(about, saved(100, system=None))
    assert other.status is Status.REFERENCE_ONLY
    assert "no_system" in codes(other)
    nothing = one(about, record(system=system()))
    assert (nothing.status, codes(nothing)) == (Status.NOT_TESTABLE_HERE, ["no_model_inputs"])
    assert "candidate_write" in nothing.reasons[0].message


def test_another_products_measurements_replace_no_assumption() -> None:
    """Where assumptions alone feed the model, what was measured on another product stays out."""
    about = modelled(1.30, "gain", **CLUSTER)
    verdict = one(about, saved(0.001, system=None), baseline=[saved(0.001)])
    assert (verdict.status, codes(verdict)) == (
        Status.CONSISTENT, ["model_projection", "model_cap"],
    )  # fmt: skip


def test_a_job_that_makes_no_progress_has_no_answer() -> None:
    """On the product itself the measured rate counts, and with too low a one no job ever ends."""
    verdict = one(modelled(1.30, "gain", **CLUSTER), saved(0.0001), baseline=[saved(0.0001)])
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["model_has_no_answer"])


def test_a_rate_that_the_client_held_down_does_not_refute() -> None:
    """A slow candidate behind a slow client may be fast: that is inconclusive, not inconsistent."""
    about = modelled(5 * 60 * SECOND, "checkpoint_time", unit="ns", direction="<=",
                     parameters=1e12, bytes_per_parameter=14)  # fmt: skip
    held = saved(10, warnings=(finding("nic_bound"),))
    verdict = one(about, held)
    assert (verdict.status, codes(verdict)[0]) == (Status.INCONCLUSIVE, "rig_limited")
    assert "faster client" in verdict.next_step
    assert all(r.message.startswith("candidate write:") for r in verdict.reasons[2:])
    fast = one(about, saved(100, warnings=(finding("nic_bound"),)))
    assert fast.status is Status.CONSISTENT


def test_a_baseline_that_the_client_held_down_does_not_support() -> None:
    """A baseline that may be faster leaves less to gain; what is beyond the cap stays beyond it."""
    cluster = {key: value for key, value in CLUSTER.items() if key != "baseline_write"}
    held = saved(20, warnings=(finding("nic_bound"),))
    slow = one(modelled(1.30, "gain", **cluster), saved(80), baseline=[held])
    assert (slow.status, codes(slow)[0]) == (Status.INCONCLUSIVE, "rig_limited")
    free = one(modelled(1.30, "gain", **cluster), saved(80), baseline=[saved(20)])
    assert free.status is Status.CONSISTENT
    beyond = one(modelled(1.70, "gain", **cluster), saved(80), baseline=[held])
    assert beyond.status is Status.INCONSISTENT_BOUND


def test_a_claim_in_points_takes_the_model_in_points() -> None:
    """30 points are a difference of shares, and more than the 19 that the model gives."""
    verdict = one(modelled(30, "gain", unit="points", **CLUSTER), record())
    assert verdict.measured is not None
    assert verdict.measured.typical == pytest.approx(100 * (0.744 - 0.553), abs=0.1)
    assert verdict.status is Status.INCONSISTENT
    assert verdict.reasons[0].message.startswith("the model points gives 19.2 points")


def test_a_claim_of_another_quantity_is_not_held_against_the_model() -> None:
    """A number of parameters is no time: what the model gives is told, and decides nothing."""
    verdict = one(modelled(1e12, "checkpoint_time", parameters=1e12, bytes_per_parameter=14),
                  saved(100))  # fmt: skip
    assert (verdict.status, verdict.measured) == (Status.INCONCLUSIVE, None)
    assert codes(verdict)[:2] == ["model_projection", "no_number"]
    assert "2 min 20 s" in verdict.reasons[0].message


def test_a_model_that_there_is_not_is_told() -> None:
    """A claim that names another model tests nothing, and says so."""
    verdict = one(modelled(2, "magic"), record())
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["model_missing"])


def test_what_a_rig_supports_of_a_model_claim_is_a_projection() -> None:
    """A figure that only a model reaches is not met by a measurement on a small rig."""
    about = claim(testability=Means.MODEL)
    verdict = one(about, replace(measured([25 * GB] * 3), system=system()))
    assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, ["projection_only"])


@pytest.mark.parametrize("code", ["gpu_scheduling", "interconnect", "market", "superlative",
                                  "historical_fact", "deployment", ""])  # fmt: skip
def test_what_no_benchmark_tests_says_why(code: str) -> None:
    """A claim on something else than storage gets its reason, whatever was measured."""
    unprinted = (Interpretation(id="as-printed", value=None),)
    never = claim(testability=Means.NEVER, untestable=code, proxy="count the jobs", metric="",
                  phases=(), interpretations=unprinted)  # fmt: skip
    verdict = one(never, measured([25 * GB] * 3))
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE, [code or "not_storage"])
    assert verdict.next_step == "instead: count the jobs"


def test_what_a_rig_lacks_is_named_until_the_system_file_provides_it() -> None:
    """A claim that needs the vendor's software is not testable until the rig is said to have it."""
    about = claim(needs=("needs_vendor_runtime",))
    run = replace(measured([25 * GB] * 3), system=system())
    verdict = one(about, run)
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["needs_vendor_runtime"])
    has = replace(run, system=system(extra={"provides": "second site, vendor runtime"}))
    assert one(about, has).status is Status.MET


def test_a_claim_without_a_number_has_no_verdict() -> None:
    """Where the source prints no number, there is nothing to be met."""
    about = claim(testability=Means.MODEL, interpretations=(Interpretation(id="a", value=None),))
    verdict = one(about, measured([25 * GB] * 3))
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["no_number"])


# --- the catalogue as a whole


CATALOGUE = shipped_claims()


@pytest.mark.parametrize(
    "counts",
    [{}, {"elapsed_ns": 0}, {"operations": 0, "bytes": 0}, {"histograms": {}, "series": None},
     {"training": Training(batch=1, accelerators=())}, {"workers": ()}, {"wrong_bytes": 3}],
    ids=lambda counts: next(iter(counts), "usual"),
)  # fmt: skip
def test_every_shipped_claim_gets_a_verdict_whatever_was_counted(counts: dict[str, Any]) -> None:
    """For each reading of each shipped claim there is one verdict, with a reason or a bound."""
    kinds: dict[tuple[str, str], None] = {
        (kind, name.replace("*", "1")): None
        for each in CATALOGUE for reading_ in each.interpretations
        for kind, name in each.under(reading_).phases
    }  # fmt: skip
    made = {kind: tuple(_made(k, name) for k, name in kinds if k == kind) for kind, _ in kinds}
    stages = [stage(workload=kind, kind=kind, phases=phases) for kind, phases in made.items()]
    samples = [unlimited(n, measurement(**counts), workload=kind, phase=name)
               for kind, name in kinds for n in range(3)]  # fmt: skip
    run = record(*samples, plan=plan(*stages), system=system())
    verdicts = judge([run], CATALOGUE, None, [replace(run, run_id="old")])
    readings = [(each.id, r.id) for each in CATALOGUE for r in each.interpretations]
    assert [(v.claim.id, v.interpretation.id) for v in verdicts] == readings
    for verdict in verdicts:
        assert verdict.reasons or verdict.bound is not None
    derived = document(run, verdicts)
    assert json.dumps(derived, allow_nan=False)
    for form in ("terminal", "markdown", "html"):
        text = plugin("reporters", form)(derived, width=80, color=False)
        assert all(each.id in text for each in CATALOGUE)


def _made(kind: str, name: str) -> Any:
    """A phase of that name which does what its kind of workload does."""
    operations = {
        "checkpoint_save": Operation.SAVE_SHARDS,
        "checkpoint_load": Operation.LOAD_SHARDS,
        "block": Operation.READ_BLOCKS,
        "ingest": Operation.COMPARE,
    }
    does = Operation.WRITE_BLOCKS if "write" in name else operations.get(kind, Operation.READ_FILES)
    return phase(name=name, operation=does, sync=SyncPolicy.END)
