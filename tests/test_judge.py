"""Every status and every reason code of a verdict, and the exact boundaries between them."""

from collections.abc import Sequence
from typing import Any

import pytest

from aibench.judge import judge
from aibench.model import (
    CachePolicy,
    CacheState,
    Ceiling,
    Claim,
    Finding,
    Interpretation,
    Operation,
    RunRecord,
    Sample,
    Status,
    SyncPolicy,
    Verdict,
    WorkerResult,
)
from tests.build import (
    SECOND,
    evidence,
    measurement,
    phase,
    plan,
    record,
    sample,
    stage,
    system,
    target,
)

GB = 10**9
GIB = 2**30


def claim(**changes: Any) -> Claim:
    """An H3C CX node reads at least 20 GB/s, tested by sequential reading."""
    parts: dict[str, Any] = {
        "id": "H3-01-READ",
        "title": "CX node bandwidth",
        "vendor": "H3C",
        "product": "CX",
        "quote": "20GB/s+",
        "source": "text",
        "date": "2024",
        "metric": "read_bandwidth",
        "direction": ">=",
        "unit_as_printed": "GB/s",
        "unit": "B/s",
        "scope": "node",
        "unit_definition": "one storage node",
        "interpretations": (Interpretation(id="read", value=20 * GB),),
        "phases": (("block", "seq-read"),),
    }
    return Claim(**parts | changes)


def reading(**changes: Any) -> Any:
    """The measured phase ``seq-read`` of a block workload."""
    parts: dict[str, Any] = {
        "name": "seq-read",
        "operation": Operation.READ_BLOCKS,
        "cache": CachePolicy.DIRECT,
    }
    return phase(**parts | changes)


def block(*phases: Any, **changes: Any) -> Any:
    """A block workload with these measured phases, or with ``seq-read`` alone."""
    parts = {"workload": "block-demo", "kind": "block", "phases": phases or (reading(),)}
    return stage(**parts | changes)


def run_of(
    repeat: int,
    rate: int,
    *,
    hosts: int = 2,
    headroom: float | None = 4.0,
    errors: int = 0,
    **changes: Any,
) -> Sample:
    """One second at ``rate`` B/s in 1 MiB calls, by several client hosts, with a ceiling."""
    workers = tuple(
        WorkerResult(host=f"client{n}", process=n, thread=0, operations=1, bytes=1, start_ns=0,
                     end_ns=SECOND)
        for n in range(hosts)
    )  # fmt: skip
    counted = measurement(
        bytes=rate, operations=max(rate // 2**20, 1), histograms={}, workers=workers, errors=errors
    )
    ceiling = None
    if headroom is not None:
        ceiling = Ceiling(operations=int(counted.operations * headroom),
                          bytes=int(rate * headroom), elapsed_ns=SECOND)  # fmt: skip
    parts = {"workload": "block-demo", "phase": "seq-read", "measurement": counted,
             "ceiling": ceiling}  # fmt: skip
    return sample(repeat, **parts | changes)


def measured(rates: Sequence[int], *, of: Any = None, **changes: Any) -> RunRecord:
    """A complete run of the block workload with one sample for each rate."""
    samples = [run_of(repeat, rate, **changes) for repeat, rate in enumerate(rates)]
    return record(*samples, plan=plan(of or block()))


def only(
    run: RunRecord, about: Claim | None = None, on: Any = "the tested node", **changes: Any
) -> Verdict:
    """The one verdict of ``about`` on one H3C CX node."""
    described = system(**changes) if on == "the tested node" else on
    (verdict,) = judge(run, [about or claim()], described)
    return verdict


def codes(verdict: Verdict) -> list[str]:
    """The reason codes of a verdict, in order."""
    return [reason.code for reason in verdict.reasons]


def finding(code: str) -> Finding:
    """A finding with that code."""
    return Finding(code=code, message=f"about {code}")


FAST = [int(24.9 * GB), 25 * GB, int(25.1 * GB)]
SLOW = [int(9.9 * GB), 10 * GB, int(10.1 * GB)]
NEAR = [18 * GB, 19 * GB, 20 * GB]


# --- the two answers, and the exact boundaries between them


def test_an_interval_wholly_above_the_bound_meets_the_claim() -> None:
    """A claim is met when the whole interval lies above the claimed value less its tolerance."""
    verdict = only(measured(FAST))
    assert verdict.status is Status.MET
    assert verdict.measured is not None
    assert verdict.measured.low is not None
    assert verdict.measured.low > verdict.bound == 19 * GB  # type: ignore[operator]
    assert verdict.margin == pytest.approx(1.25, rel=1e-3)
    assert (verdict.workload, verdict.phase) == ("block-demo", "seq-read")
    assert verdict.next_step == "only runs whose interval reaches below 19.0 GB/s"


def test_an_interval_wholly_below_the_bound_refutes_the_claim() -> None:
    """A claim is not met when the interval lies below and the rig is proven not to be the limit."""
    verdict = only(measured(SLOW))
    assert verdict.status is Status.NOT_MET
    assert verdict.reasons == ()
    assert verdict.margin == pytest.approx(0.5, rel=1e-3)
    assert verdict.next_step == "only runs whose interval reaches above 19.0 GB/s"


def test_a_claim_exactly_equal_to_the_result_is_met() -> None:
    """A result equal to the figure meets it, even with no tolerance at all."""
    verdict = only(measured([20 * GB] * 3), claim(tolerance=0.0))
    assert verdict.status is Status.MET
    assert verdict.margin == 1.0


@pytest.mark.parametrize(
    ("rate", "status"), [(19 * GB, Status.MET), (19 * GB - 10_000, Status.NOT_MET)]
)
def test_the_tolerance_ends_exactly_at_its_bound(rate: int, status: Status) -> None:
    """At 5 % tolerance, 19 of 20 GB/s is met, and 10 kB/s less is not."""
    assert only(measured([rate] * 3)).status is status


@pytest.mark.parametrize(
    ("rate", "status"),
    [(int(18.5 * GIB), Status.MET), (int(18.5 * GB), Status.NOT_MET)],
)
def test_gb_against_gib_decides_a_verdict(rate: int, status: Status) -> None:
    """18.5 GiB/s meets a claim of 20 GB/s and 18.5 GB/s does not: the unit outweighs 5 %."""
    assert only(measured([rate] * 3)).status is status


def test_a_claim_of_at_most_a_time_is_met_by_shorter_times() -> None:
    """For `<=` the bound lies above the figure, and the whole interval has to lie under it."""
    at_most = claim(
        metric="makespan", unit="ns", direction="<=", phases=(("checkpoint_load", "load"),),
        interpretations=(Interpretation(id="time", value=SECOND),),
    )  # fmt: skip
    loading = phase(name="load", operation=Operation.LOAD_SHARDS)
    demo = stage(workload="resume", kind="checkpoint_load", phases=(loading,))

    def took(elapsed: int) -> RunRecord:
        samples = [
            run_of(n, GB, workload="resume", phase="load", measurement=measurement(
                elapsed_ns=elapsed, workers=run_of(0, GB).measurement.workers))
            for n in range(3)
        ]  # fmt: skip
        return record(*samples, plan=plan(demo))

    assert only(took(SECOND), at_most).bound == pytest.approx(1.05 * SECOND)
    assert only(took(105 * SECOND // 100), at_most).status is Status.MET
    assert only(took(106 * SECOND // 100), at_most).status is Status.NOT_MET
    assert only(took(SECOND), at_most).next_step == "only runs whose interval reaches above 1.05 s"


def test_a_time_is_not_divided_by_units() -> None:
    """Four nodes share a rate; the time that they took together stays what it is."""
    at_most = claim(metric="first_done", unit="ns", direction="<=")
    verdict = only(measured(FAST), at_most, units=4)
    assert verdict.measured == verdict.aggregate


def test_each_interpretation_gets_its_own_verdict() -> None:
    """A figure that can be read in two ways gets two verdicts, which may differ."""
    readings = (Interpretation(id="low", value=20 * GB), Interpretation(id="high", value=40 * GB))
    low, high = judge(measured(FAST), [claim(interpretations=readings)], system())
    assert (low.status, high.status) == (Status.MET, Status.NOT_MET)
    assert (low.interpretation.id, high.interpretation.id) == ("low", "high")


def test_judging_twice_gives_the_same_verdicts() -> None:
    """Verdicts depend on nothing but record, claims and system."""
    run = measured(NEAR)
    assert judge(run, [claim()], system()) == judge(run, [claim()], system())


# --- which product, which unit


def test_without_a_system_file_the_figure_is_a_reference_only() -> None:
    """Without a system file the row says in words how the mount relates to the figure."""
    verdict = only(measured(SLOW), on=None)
    assert verdict.status is Status.REFERENCE_ONLY
    assert codes(verdict) == ["no_system"]
    assert verdict.reasons[0].message == (
        "reference only: the mount does 10.0 GB/s, 0.5 of the figure (20.0 GB/s per node), "
        "below it; no system file says what it is"
    )
    assert (verdict.measured, verdict.margin) == (None, pytest.approx(0.5, rel=1e-3))
    assert "--system" in verdict.next_step


@pytest.mark.parametrize(
    ("rates", "words"), [(FAST, ", above it"), ([20 * GB] * 3, ", exactly at it")]
)
def test_a_reference_says_above_below_or_at(rates: list[int], words: str) -> None:
    """A mount that is faster than somebody else's figure is above it, and has met nothing."""
    verdict = only(measured(rates), on=None)
    assert verdict.status is Status.REFERENCE_ONLY
    assert words in verdict.reasons[0].message


def test_another_product_is_a_reference_only() -> None:
    """A system file that names another product can't meet this product's claim."""
    verdict = only(measured(FAST), product="CX2")
    assert verdict.status is Status.REFERENCE_ONLY
    assert codes(verdict) == ["other_product"]
    assert "it is H3C CX2" in verdict.reasons[0].message


def test_product_names_are_compared_without_case_and_spacing() -> None:
    """`h3c` `cx ` in a system file is H3C CX."""
    assert only(measured(FAST), vendor="h3c", product=" cx ").status is Status.MET


def test_a_reference_above_the_figure_still_tells_of_the_cache() -> None:
    """A warm result above the figure says that it may be the cache, also as a reference."""
    run = measured(FAST, evidence=evidence(state=CacheState.WARM, reason="98 % resident"))
    assert codes(only(run, on=None)) == ["no_system", "cache_suspect"]


def test_a_reference_below_the_figure_still_tells_of_the_rig() -> None:
    """A result below the figure from one client says that one client proves nothing."""
    run = measured(SLOW, hosts=1, headroom=None)
    assert codes(only(run, on=None)) == ["no_system", "rig_limited", "single_client"]


def test_the_result_is_divided_by_the_number_of_units() -> None:
    """Four nodes that read 100 GB/s together read 25 GB/s each."""
    verdict = only(measured([100 * GB] * 3), units=4)
    assert verdict.status is Status.MET
    assert verdict.measured is not None
    assert verdict.aggregate is not None
    assert (verdict.measured.typical, verdict.aggregate.typical) == (25 * GB, 100 * GB)
    assert codes(verdict) == ["units_averaged"]


def test_an_average_over_units_does_not_refute() -> None:
    """Without counters of each unit, nothing shows that every one of them was driven."""
    verdict = only(measured([40 * GB] * 3), units=4)
    assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, ["units_averaged"])
    assert verdict.next_step == "measure one node alone"


def test_a_figure_per_another_unit_is_inconclusive() -> None:
    """A figure per chassis can't be judged on a system that is counted in nodes."""
    verdict = only(measured(FAST), claim(scope="chassis"))
    assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, ["unit_undefined"])
    assert verdict.measured is None


def test_a_unit_that_nobody_defines_is_inconclusive_until_the_system_file_does() -> None:
    """A figure per undefined `storage unit` gets a verdict only when the user defines the unit."""
    undefined = claim(scope="storage unit", unit_definition="")
    verdict = only(measured(FAST), undefined, unit="storage unit")
    assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, ["unit_undefined"])
    assert "unit_definition" in verdict.next_step
    defined = only(measured(FAST), undefined, unit="storage unit", unit_definition="4 nodes")
    assert defined.status is Status.MET


# --- nothing tests it


def test_a_run_without_the_workload_tests_nothing() -> None:
    """A claim on block reading is not testable by a run that only loads files."""
    verdict = only(record())
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["workload_missing"])
    assert verdict.next_step == (
        "measure a workload of the kind block with its phase seq-read, with runs that count"
    )


def test_a_workload_without_the_phase_tests_nothing() -> None:
    """A block workload that only writes says nothing about reading."""
    writing = reading(name="seq-write", operation=Operation.WRITE_BLOCKS, sync=SyncPolicy.END)
    verdict = only(measured(FAST, of=block(writing)))
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["phase_missing"])


def test_a_preparing_phase_tests_nothing() -> None:
    """A phase that only prepares gives no result, whatever its name."""
    verdict = only(measured(FAST, of=block(reading(measured=False))))
    assert codes(verdict) == ["phase_missing"]


def test_a_refused_workload_tests_nothing_and_says_why() -> None:
    """When an engine refused the workload, the verdict repeats its reason."""
    refused = block(refusal="fio is not installed")
    verdict = only(record(plan=plan(refused)))
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["workload_refused"])
    assert "fio is not installed" in verdict.reasons[0].message


def test_a_phase_that_was_never_reached_tests_nothing() -> None:
    """A phase that the run planned and did not reach is told apart from one it never had."""
    run = record(plan=plan(block()), complete=False, reasons=(finding("interrupted"),))
    verdict = only(run)
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["not_measured"])


def test_runs_that_all_do_not_count_test_nothing_and_say_why() -> None:
    """When no run counts, the verdict names every reason."""
    verdict = only(measured(FAST, reasons=(finding("no_space"),)))
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["no_run_counts"])
    assert "repeat 2 does not count: about no_space (no_space)" in verdict.reasons[0].message
    assert verdict.phase == "seq-read"


def test_a_run_with_failed_operations_does_not_count() -> None:
    """Failed operations can be fast, so a run that has some is not held against a claim."""
    verdict = only(measured(FAST, errors=1))
    assert codes(verdict) == ["no_run_counts"]
    assert "operations_failed" in verdict.reasons[0].message


def test_a_run_that_measured_nothing_does_not_count() -> None:
    """A missing figure is missing, never 0."""
    verdict = only(measured([0, 0, 0]))
    assert codes(verdict) == ["no_run_counts"]
    assert "nothing_measured" in verdict.reasons[0].message


def test_a_metric_that_the_phase_does_not_give_is_named() -> None:
    """A claim on a metric that its phase does not have is not testable."""
    verdict = only(measured(FAST), claim(metric="write_bandwidth"))
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["metric_missing"])


# --- gates with one side


@pytest.mark.parametrize("state", [CacheState.WARM, CacheState.MIXED, CacheState.UNKNOWN])
def test_a_cached_read_meets_no_claim(state: CacheState) -> None:
    """A read that is not proven cold can't meet a claim, and says what the evidence was."""
    run = measured(FAST, evidence=evidence(state=state, reason="98 % resident"))
    verdict = only(run)
    assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, ["cache_suspect"])
    assert "98 % resident" in verdict.reasons[0].message
    assert "--cache cold" in verdict.next_step


def test_a_read_without_evidence_meets_no_claim() -> None:
    """Not checked is never passed: a read without evidence is suspect."""
    assert codes(only(measured(FAST, evidence=None))) == ["cache_suspect"]


def test_one_cached_run_taints_all() -> None:
    """One warm repeat among cold ones forbids that the claim is met, and is in no figure."""
    cold = [run_of(number, 25 * GB) for number in range(3)]
    warm = run_of(3, 250 * GB, evidence=evidence(state=CacheState.WARM))
    verdict = only(record(*cold, warm, plan=plan(block())))
    assert set(codes(verdict)) == {"cache_suspect", "cache_state_differs"}
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.measured is not None
    assert (verdict.measured.n, verdict.measured.typical) == (3, pytest.approx(25 * GB))


def test_a_cached_read_still_refutes() -> None:
    """A read too slow even with the cache's help is too slow."""
    verdict = only(measured(SLOW, evidence=evidence(state=CacheState.WARM)))
    assert (verdict.status, codes(verdict)) == (Status.NOT_MET, ["cache_suspect"])


def test_writes_that_nobody_made_durable_meet_no_claim() -> None:
    """A write counts when it is durable: without fsync the figure may be that of memory."""
    about = claim(metric="write_bandwidth", phases=(("block", "seq-write"),))

    def written(sync: SyncPolicy) -> RunRecord:
        writing = reading(name="seq-write", operation=Operation.WRITE_BLOCKS, sync=sync)
        return measured(FAST, of=block(writing), phase="seq-write", evidence=None)

    assert only(written(SyncPolicy.END), about).status is Status.MET
    assert codes(only(written(SyncPolicy.NONE), about)) == ["not_durable"]


@pytest.mark.parametrize(
    ("headroom", "code"),
    [(1.0, "client_bound"), (1.24, "client_bound"), (1.25, "rig_limited"), (1.99, "rig_limited"),
     (None, "rig_limited")],
)  # fmt: skip
def test_a_rig_near_its_ceiling_can_not_refute(headroom: float | None, code: str) -> None:
    """Under 1.25 the client is the limit; under 2, or not calibrated, the rig may be."""
    verdict = only(measured(SLOW, headroom=headroom))
    assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, [code])
    assert verdict.next_step


def test_a_ceiling_of_twice_the_rate_is_proof() -> None:
    """From twice the measured rate on, the harness is proven not to be the limit."""
    assert only(measured(SLOW, headroom=2.0)).status is Status.NOT_MET


@pytest.mark.parametrize("headroom", [1.0, None])
def test_a_rig_near_its_ceiling_can_support(headroom: float | None) -> None:
    """A client at its limit that still reaches the figure has shown that it is met."""
    verdict = only(measured(FAST, headroom=headroom))
    assert verdict.status is Status.MET
    assert codes(verdict) == ["client_bound" if headroom else "rig_limited"]


def test_the_smallest_headroom_of_the_runs_counts() -> None:
    """One repeat near the ceiling is enough to forbid that the claim is refuted."""
    near = run_of(2, 10 * GB, headroom=1.1)
    run = record(run_of(0, 10 * GB), run_of(1, 10 * GB), near, plan=plan(block()))
    assert codes(only(run)) == ["client_bound"]


def test_one_client_does_not_refute_a_figure_of_a_node() -> None:
    """One client can support a figure that takes several, and can't refute it."""
    slow = only(measured(SLOW, hosts=1))
    assert (slow.status, codes(slow)) == (Status.INCONCLUSIVE, ["single_client"])
    assert only(measured(FAST, hosts=1)).status is Status.MET


def test_one_client_refutes_a_figure_of_a_local_drive() -> None:
    """A drive in the client itself needs no other client to show its limit."""
    verdict = only(measured(SLOW, hosts=1), claim(scope="drive"), unit="drive")
    assert verdict.status is Status.NOT_MET


def test_one_client_does_not_refute_a_drive_behind_a_network() -> None:
    """On a network mount the client's link may be the limit, whatever the unit."""
    samples = measured(SLOW, hosts=1).samples
    run = record(*samples, plan=plan(block()), target=target(fstype="nfs4"))
    assert codes(only(run, claim(scope="drive"), unit="drive")) == ["single_client"]


@pytest.mark.parametrize("code", ["not_steady", "short_run", "interference",
                                  "environment_changed", "impossible", "too_short",
                                  "counts_differ"])  # fmt: skip
@pytest.mark.parametrize("rates", [FAST, SLOW])
def test_a_doubtful_run_neither_meets_nor_refutes(code: str, rates: list[int]) -> None:
    """A short, unsteady or disturbed run shows neither that a figure is met nor that it is not."""
    verdict = only(measured(rates, warnings=(finding(code),)))
    assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, [code])
    assert verdict.next_step


@pytest.mark.parametrize("code", ["idle_jobs", "depth_not_kept", "generated_while_writing"])
def test_a_load_lighter_than_planned_can_not_refute(code: str) -> None:
    """A rig that asked for less than planned can reach the figure, and can't show it is missed."""
    slow = only(measured(SLOW, warnings=(finding(code),)))
    assert (slow.status, codes(slow)) == (Status.INCONCLUSIVE, [code])
    assert only(measured(FAST, warnings=(finding(code),))).status is Status.MET


def test_warnings_of_the_engine_and_of_the_run_count_too() -> None:
    """A warning closes its gate wherever it was noted, and once only."""
    samples = measured(FAST, warnings=(finding("short_run"),)).samples
    run = record(*samples, plan=plan(block()),
                 warnings=(finding("interference"), finding("short_run")))  # fmt: skip
    assert sorted(codes(only(run))) == ["interference", "short_run"]


def test_other_warnings_stop_nothing() -> None:
    """A warning without a gate is for the reader, not for the verdict."""
    assert only(measured(FAST, warnings=(finding("old_kernel"),))).status is Status.MET


def test_memory_is_not_storage() -> None:
    """A run on tmpfs neither meets nor refutes anything."""
    for rates in (FAST, SLOW):
        samples = measured(rates).samples
        run = record(*samples, plan=plan(block()), target=target(fstype="tmpfs"))
        assert codes(only(run)) == ["memory_target"]


@pytest.mark.parametrize("code", ["interrupted", "no_space", "worker_failed"])
def test_a_run_that_did_not_end_well_meets_no_claim(code: str) -> None:
    """The reasons why a run does not count are the reasons of its verdicts."""
    samples = measured(FAST).samples
    run = record(*samples, plan=plan(block()), complete=True, reasons=(finding(code),))
    assert (only(run).status, codes(only(run))) == (Status.INCONCLUSIVE, [code])


def test_a_record_without_its_end_meets_no_claim() -> None:
    """A record that was cut off is readable and meets no claim."""
    run = record(*measured(FAST).samples, plan=plan(block()), complete=False)
    assert codes(only(run)) == ["unfinished"]


# --- too few runs, too much noise


def test_two_runs_are_too_few() -> None:
    """Below three runs there is no verdict, however clear they look."""
    verdict = only(measured(FAST[:2]))
    assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, ["too_few_runs"])
    assert verdict.next_step == "measure 1 run more"


def test_one_run_is_too_few_and_has_no_interval() -> None:
    """One run has a value and no interval."""
    verdict = only(measured(SLOW[:1]))
    assert codes(verdict) == ["too_few_runs"]
    assert verdict.measured is not None
    assert verdict.measured.low is None


def test_a_claim_can_ask_for_more_runs() -> None:
    """A claim that wants five runs gets no verdict from three."""
    assert codes(only(measured(FAST), claim(smallest_n=5))) == ["too_few_runs"]


def test_a_claim_can_not_ask_for_fewer_than_three() -> None:
    """Three runs are the floor, whatever the claim says."""
    assert codes(only(measured(FAST[:2]), claim(smallest_n=1))) == ["too_few_runs"]


def test_a_run_that_does_not_count_is_shown_and_left_out() -> None:
    """Of four runs of which one does not count, three give the verdict, and the fourth is told."""
    bad = run_of(3, GB, reasons=(finding("verify_failed"),))
    run = record(*measured(FAST).samples, bad, plan=plan(block()))
    verdict = only(run)
    assert verdict.status is Status.MET
    assert codes(verdict) == ["verify_failed"]
    assert verdict.reasons[0].message == "repeat 4 does not count: about verify_failed"
    assert verdict.measured is not None
    assert verdict.measured.n == 3


def test_an_interval_around_the_bound_decides_nothing_and_says_how_many_runs_would() -> None:
    """Noisy runs around the bound ask for more runs, with about how many."""
    verdict = only(measured([18 * GB, 21 * GB, 23 * GB]))
    assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, ["ci_straddles"])
    assert verdict.next_step == "would need about 19 runs more"


def test_no_number_of_runs_decides_for_a_system_at_the_bound() -> None:
    """When the typical run lies at the bound, more runs are not the answer."""
    verdict = only(measured([17_100_000_000, 19 * GB, 21_111_111_111]))
    assert codes(verdict) == ["ci_straddles"]
    assert "more runs" in verdict.next_step
    assert "about" not in verdict.next_step


def test_two_modes_make_the_estimators_disagree() -> None:
    """Six runs with a slow one among them: the two intervals differ, so there is no verdict."""
    verdict = only(measured([18 * GB, 26 * GB, 26 * GB, 26 * GB, 27 * GB, 27 * GB]))
    assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, ["estimators_disagree"])
    assert verdict.next_step == "look for two modes among the runs"


def test_six_runs_on_one_side_are_met_by_both_estimators() -> None:
    """Six runs that all lie above the bound meet the claim."""
    assert only(measured(FAST * 2)).status is Status.MET


def test_unstated_conditions_are_told_with_what_was_assumed() -> None:
    """A claim without its conditions is judged under ours, and the verdict names both."""
    verdict = only(measured(FAST), claim(unstated=("block size", "clients")))
    assert (verdict.status, codes(verdict)) == (Status.MET, ["claim_underspecified"])
    assert verdict.reasons[0].message == (
        "the source does not state: block size, clients; tested by seq-read with 1.00 MiB I/O, "
        "2 processes, depth 1, cache direct"
    )


# --- several phases that test one claim


def two_workloads(first: list[int], second: list[int]) -> RunRecord:
    """Two block workloads in one run, each with its own rates."""
    other = [run_of(n, rate, workload="block-deep") for n, rate in enumerate(second)]
    return record(
        *measured(first).samples, *other, plan=plan(block(), block(workload="block-deep"))
    )


def test_the_workload_that_supports_the_claim_best_gives_the_verdict() -> None:
    """A figure without conditions is met when one of the workloads that test it reaches it."""
    verdict = only(two_workloads(SLOW, FAST))
    assert (verdict.status, verdict.workload) == (Status.MET, "block-deep")


def test_a_claim_is_refuted_only_when_all_workloads_refute_it() -> None:
    """One workload without a clear answer is enough to leave the question open."""
    assert only(two_workloads(SLOW, SLOW)).status is Status.NOT_MET
    assert only(two_workloads(SLOW, [18 * GB, 21 * GB, 23 * GB])).status is Status.INCONCLUSIVE


def test_the_choice_among_workloads_widens_the_interval() -> None:
    """The best of two is biased upwards, so its interval has a higher confidence."""
    alone, chosen = only(measured(FAST)), only(two_workloads(SLOW, FAST))
    assert alone.measured is not None
    assert chosen.measured is not None
    assert alone.measured.low is not None
    assert chosen.measured.low is not None
    assert chosen.measured.low < alone.measured.low
    assert chosen.measured.method == "log-t, 97.5 %"
