"""Claims on ratios: a measured baseline, pairs of a duel, equal load, and what was not alike."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.judge import judge
from aibench.model import (
    Accelerated,
    Baseline,
    BaselineSource,
    CachePolicy,
    CacheState,
    Ceiling,
    Claim,
    ClaimKind,
    Environment,
    Interpretation,
    Means,
    Operation,
    Order,
    RunRecord,
    Sample,
    Status,
    Training,
    Verdict,
)
from tests.build import (
    SECOND,
    evidence,
    histogram,
    measurement,
    phase,
    plan,
    population,
    record,
    stage,
    system,
    target,
)
from tests.test_judge import codes, finding, run_of

MB = 10**6


def epoch(**changes: Any) -> Any:
    """The cold epoch of a loader."""
    return phase(**{"name": "epoch"} | changes)


def loading(*phases: Any, **changes: Any) -> Any:
    """A workload that loads small files."""
    parts = {"workload": "load-demo", "kind": "load", "phases": phases or (epoch(),)}
    return stage(**parts | changes)


def ratio_claim(value: float = 8, **changes: Any) -> Claim:
    """Loading data is eight times as fast."""
    parts: dict[str, Any] = {
        "id": "HX-02", "title": "Loading eight times as fast", "vendor": "H3C", "product": "CX",
        "quote": "8x", "source": "text", "date": "2024", "kind": ClaimKind.RATIO,
        "testability": Means.COMPARISON, "metric": "read_bandwidth", "direction": ">=",
        "unit": "1", "unit_as_printed": "x", "scope": "system", "baseline": Baseline(),
        "interpretations": (Interpretation(id="times", value=value),),
        "phases": (("load", "epoch"),),
    }  # fmt: skip
    return Claim(**parts | changes)


def loaded(rates: Sequence[float], *, name: str = "new", of: Any = None, **changes: Any) -> Any:
    """A complete run whose repeats loaded at ``rates`` MB/s from an H3C CX."""
    own = ("target", "labels", "environment", "plan", "system", "warnings")
    about = {key: changes.pop(key) for key in own if key in changes}
    samples = [
        run_of(n, int(rate * MB), **{"workload": "load-demo", "phase": "epoch"} | changes)
        for n, rate in enumerate(rates)
    ]
    parts = {"plan": plan(of or loading()), "run_id": name, "system": system()} | about
    return record(*samples, **parts)


def only(
    new: RunRecord | Sequence[RunRecord],
    base: RunRecord | Sequence[RunRecord],
    about: Claim | None = None,
) -> Verdict:
    """The one verdict of ``about``."""
    others = [base] if isinstance(base, RunRecord) else base
    (verdict,) = judge(new, [about or ratio_claim()], None, others)
    return verdict


FAST, BASE = [79.9, 80.0, 80.1], [9.99, 10.0, 10.01]


# --- the answers, and their boundaries


@pytest.mark.parametrize(
    ("factor", "status"),
    [(8.0, Status.MET), (7.6, Status.MET), (7.599, Status.NOT_MET), (9.0, Status.MET),
     (4.0, Status.NOT_MET)],
)  # fmt: skip
def test_a_ratio_is_held_against_its_bound(factor: float, status: Status) -> None:
    """Eight times is met from 7.6 on, which is exactly its tolerance of 5 %, and not below."""
    rate = 10_000_000 * factor
    new = loaded([rate / MB] * 3)
    verdict = only(new, loaded([10.0] * 3, name="old"))
    assert verdict.status is status
    assert verdict.margin == pytest.approx(factor / 8)
    assert verdict.measured is not None
    assert verdict.measured.typical == pytest.approx(factor)
    assert verdict.aggregate_unit == "B/s"
    assert verdict.baseline is not None
    assert verdict.baseline.typical == pytest.approx(10 * MB)
    assert codes(verdict)[-1] == "not_interleaved"


def test_eight_times_and_eight_times_more_are_two_readings() -> None:
    """x8 met and +8x not met: each verdict says that the print is split, and both are shown."""
    both = ratio_claim(interpretations=(Interpretation(id="times-8", value=8),
                                        Interpretation(id="plus-8", value=9)))  # fmt: skip
    eight, nine = judge(loaded(FAST), [both], None, [loaded(BASE, name="old")])
    assert (eight.status, nine.status) == (Status.MET, Status.NOT_MET)
    assert "interpretation_split" in codes(eight)
    assert "interpretation_split" in codes(nine)
    assert "met as times-8, not met as plus-8" in eight.reasons[-1].message


def test_a_run_against_itself_is_one_and_never_better() -> None:
    """Identity: the ratio is 1, and no improvement of any size is met."""
    run = loaded([80, 81, 82])
    verdict = only(run, run, ratio_claim(1.1))
    assert verdict.status is Status.NOT_MET
    assert verdict.measured is not None
    assert verdict.measured.typical == pytest.approx(1.0)


def test_swapping_the_sides_turns_the_ratio_over() -> None:
    """Swap: where A is eight times as fast as B, B is an eighth of A."""
    new, old = loaded(FAST), loaded(BASE, name="old")
    one, other = only(new, old), only(old, new)
    assert one.measured is not None
    assert other.measured is not None
    assert one.measured.typical == pytest.approx(1 / other.measured.typical)
    assert (one.status, other.status) == (Status.MET, Status.NOT_MET)


def test_the_unit_of_both_sides_does_not_matter() -> None:
    """A thousand times the rate on both sides is the same ratio."""
    small = only(loaded(FAST), loaded(BASE, name="old"))
    large = only(loaded([1000 * r for r in FAST]), loaded([1000 * r for r in BASE], name="old"))
    assert small.measured is not None
    assert large.measured is not None
    assert small.measured.typical == pytest.approx(large.measured.typical)


def unlimited(repeat: int, counted: Any, **changes: Any) -> Sample:
    """A repeat with those counts, on a client that could do nine times as much."""
    ceiling = Ceiling(operations=9 * counted.operations, bytes=9 * counted.bytes,
                      elapsed_ns=counted.elapsed_ns)  # fmt: skip
    return run_of(repeat, MB, measurement=counted, ceiling=ceiling, **changes)


def resumed(seconds: Sequence[float], name: str = "new") -> RunRecord:
    """Resumes that took so many seconds."""
    loads = phase(name="load", operation=Operation.LOAD_SHARDS)
    workers = run_of(0, 1).measurement.workers
    samples = [
        unlimited(n, measurement(elapsed_ns=int(took * SECOND), workers=workers),
                  workload="resume", phase="load")
        for n, took in enumerate(seconds)
    ]  # fmt: skip
    demo = stage(workload="resume", kind="checkpoint_load", phases=(loads,))
    return record(*samples, plan=plan(demo), run_id=name, system=system())


@pytest.mark.parametrize(
    ("direction", "value", "status"),
    [(">=", 4, Status.MET), (">=", 5, Status.NOT_MET), ("<=", 0.25, Status.MET),
     ("<=", 0.2, Status.NOT_MET)],
)  # fmt: skip
def test_times_count_as_their_inverse_where_more_is_claimed(
    direction: str, value: float, status: Status
) -> None:
    """100 s instead of 400 s is four times as fast, and a quarter of the time."""
    about = ratio_claim(value, metric="makespan", direction=direction,
                        phases=(("checkpoint_load", "load"),))  # fmt: skip
    verdict = only(resumed([100, 101, 99]), resumed([400, 404, 396], "old"), about)
    assert verdict.status is status
    assert verdict.measured is not None
    assert verdict.measured.typical == pytest.approx(4 if direction == ">=" else 0.25, rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    one=st.lists(st.floats(1, 100), min_size=3, max_size=6),
    other=st.lists(st.floats(1, 100), min_size=3, max_size=6),
)
def test_of_two_systems_one_at_most_is_better(one: list[float], other: list[float]) -> None:
    """Whatever was measured, A and B are never both 5 % faster than each other."""
    about = ratio_claim(1.05, tolerance=0.0)
    a, b = loaded(one), loaded(other, name="old")
    both = [only(a, b, about).status, only(b, a, about).status]
    assert both.count(Status.MET) <= 1


# --- what is missing


def test_without_a_baseline_nothing_is_tested() -> None:
    """A ratio without a measured baseline is not testable here, and the next step names it."""
    described = ratio_claim(baseline=Baseline(description="the storage before"))
    (verdict,) = judge(loaded(FAST), [described], None)
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["no_baseline"])
    assert "the storage before" in verdict.next_step
    assert "--baseline" in verdict.next_step


def test_a_baseline_of_another_workload_is_none() -> None:
    """A baseline that measured something else tests nothing, and says what it lacks."""
    other = record(plan=plan(stage(workload="block", kind="block")), run_id="old")
    verdict = only(loaded(FAST), other)
    assert verdict.status is Status.NOT_TESTABLE_HERE
    assert codes(verdict) == ["no_baseline", "workload_missing"]


def test_a_printed_baseline_gives_a_ratio_and_no_verdict() -> None:
    """Against a figure that the vendor prints the ratio is shown, and it decides nothing."""
    printed = ratio_claim(baseline=Baseline(named=True, value=10 * MB, unit="B/s"))
    (verdict,) = judge(loaded(FAST), [printed], None)
    assert (verdict.status, codes(verdict)) == (Status.INCONCLUSIVE, ["baseline_not_reproduced"])
    assert verdict.measured is not None
    assert verdict.measured.typical == pytest.approx(8, rel=1e-3)


def test_another_product_is_a_reference() -> None:
    """A ratio between other systems says how it relates to the figure, and nothing more."""
    verdict = only(loaded(FAST, system=None), loaded(BASE, name="old"))
    assert (verdict.status, codes(verdict)[0]) == (Status.REFERENCE_ONLY, "no_system")
    assert verdict.reasons[0].message.startswith("reference only: the ratio here is 8.00")


def test_two_runs_a_side_are_too_few() -> None:
    """Below three runs on either side there is no verdict."""
    verdict = only(loaded(FAST), loaded(BASE[:2], name="old"))
    assert (verdict.status, codes(verdict)[0]) == (Status.INCONCLUSIVE, "too_few_runs")


def test_noise_around_the_bound_asks_for_more_runs() -> None:
    """An interval around the bound decides nothing and says how many runs would."""
    verdict = only(loaded([60, 80, 100]), loaded([9, 10, 11], name="old"))
    assert (verdict.status, codes(verdict)[0]) == (Status.INCONCLUSIVE, "ci_straddles")
    assert "on each side, better in pairs (aibench duel)" in verdict.next_step


# --- what was not alike


def other_client() -> Environment:
    """A client with more cores."""
    return Environment(key={"cpu": "Example CPU", "cores": 8, "memory_gib": 24, "kernel": "6.18"})


NFS = {"fstype": "nfs4", "source": "server:/export", "server": "server"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"plan": plan(loading(epoch(processes=4)))}, "processes (2 against 4)"),
     ({"plan": plan(loading(epoch(population=population(files=50))))},
      "population.files (100 against 50)"),
     ({"plan": plan(loading(epoch(order=Order.SEQUENTIAL)))},
      "order (shuffled against sequential)"),
     ({"plan": plan(loading(engine="fio"))}, "engine (posix against fio)"),
     ({"plan": plan(loading(), seed=2)}, "the seed (1 against 2)"),
     ({"environment": other_client()}, "the client's cores (2 against 8)"),
     ({"hosts": 1}, "the number of clients (2 against 1)"),
     ({"evidence": evidence(state=CacheState.WARM)}, "the state of caches (cold against warm)"),
     ({"target": target(options=("rw", "relatime", "nodelalloc"))},
      "mount options (none against nodelalloc)")],
)  # fmt: skip
def test_what_was_not_alike_is_named(changes: dict[str, Any], said: str) -> None:
    """Unlike plans, seeds, clients, caches or mount options forbid a verdict and are named."""
    verdict = only(loaded(FAST), loaded(BASE, name="old", **changes))
    assert verdict.status is Status.INCONCLUSIVE
    assert "baseline_mismatch" in codes(verdict)
    told = next(r.message for r in verdict.reasons if r.code == "baseline_mismatch")
    assert said in told
    assert "same plan, seed, client" in verdict.next_step


def test_another_type_of_mount_is_what_is_compared() -> None:
    """Mount options compare between mounts of one type; another type is the treatment itself."""
    verdict = only(loaded(FAST), loaded(BASE, name="old", target=target(**NFS)))
    assert verdict.status is Status.MET
    assert "baseline_mismatch" not in codes(verdict)


# --- gates of both sides


@pytest.mark.parametrize(
    ("which", "code", "rates", "status"),
    [("new", "nic_bound", FAST, Status.MET), ("new", "nic_bound", BASE, Status.INCONCLUSIVE),
     ("old", "nic_bound", FAST, Status.INCONCLUSIVE), ("old", "nic_bound", BASE, Status.NOT_MET)],
)  # fmt: skip
def test_gates_of_the_baseline_are_turned_round(
    which: str, code: str, rates: list[float], status: Status
) -> None:
    """What makes the baseline look slow forbids that a ratio is met, and not that it is missed."""
    noted = {"warnings": (finding(code),)}
    new = loaded(rates, **(noted if which == "new" else {}))
    old = loaded(BASE, name="old", **(noted if which == "old" else {}))
    verdict = only(new, old)
    assert verdict.status is status
    message = next(r.message for r in verdict.reasons if r.code == code)
    assert message.startswith("baseline: ") is (which == "old")


def test_two_warm_sides_meet_nothing_and_refute_nothing() -> None:
    """Where both sides may have read from a cache, the ratio is that of caches."""
    warm = {"evidence": evidence(state=CacheState.WARM, reason="resident")}
    for rates in (FAST, BASE):
        verdict = only(loaded(rates, **warm), loaded(BASE, name="old", **warm))
        assert verdict.status is Status.INCONCLUSIVE
        assert "cache_suspect" in codes(verdict)


# --- pairs of a duel


def duel(
    pairs: Sequence[tuple[float, float]], sides: tuple[str, str] = ("a", "b")
) -> tuple[list[RunRecord], list[RunRecord]]:
    """Records of a duel: each pair with a seed of its own, one run a side."""
    made: tuple[list[RunRecord], list[RunRecord]] = ([], [])
    for number, rates in enumerate(pairs, start=1):
        for side in (0, 1):
            labels = {"duel": "d1", "pair": str(number), "side": sides[side]}
            made[side].append(
                loaded([rates[side]], name=f"{number}{side}", labels=labels,
                       plan=plan(loading(), seed=number))
            )  # fmt: skip
    return made


#: Ten times the noise from pair to pair that there is within a pair.
DRIFTING = [(80.0, 10.0), (120.0, 15.01), (40.0, 5.01), (160.2, 20.0), (100.0, 12.5), (60.1, 7.5)]


def test_pairs_decide_where_sets_can_not() -> None:
    """Drift that both sides of a pair share does not widen the interval of paired runs."""
    new, old = duel(DRIFTING)
    paired = only(new, old)
    assert paired.status is Status.MET
    assert "not_interleaved" not in codes(paired)
    assert paired.measured is not None
    assert (paired.measured.n, paired.measured.method) == (6, "log-t, 95 %")
    alone = [replace(r, labels={}, plan=plan(loading())) for r in (*new, *old)]
    sets = only(alone[:6], alone[6:])
    assert sets.status is Status.INCONCLUSIVE
    assert {"ci_straddles", "not_interleaved"} <= set(codes(sets))


def test_only_complete_pairs_count() -> None:
    """A pair of which one side is missing or does not count is left out, and told."""
    new, old = duel(DRIFTING)
    broken = loaded([1.0], name="x", labels=old[1].labels,
                    plan=plan(loading(), seed=1), errors=1)  # fmt: skip
    verdict = only(new, [old[0], broken, *old[2:5]])
    assert verdict.measured is not None
    assert verdict.measured.n == 4
    told = next(r.message for r in verdict.reasons if r.code == "pairs_incomplete")
    assert told.startswith("2 runs have no counted run")


def test_the_pair_that_warms_up_counts_for_nothing() -> None:
    """Pair 0 of a duel is discarded on both sides, however slow or fast it was."""
    new, old = duel(DRIFTING)
    cold = [loaded([rate], name=f"w{rate}", plan=plan(loading(), seed=0),
                   labels={"duel": "d1", "pair": "0"}) for rate in (1.0, 100.0)]  # fmt: skip
    assert only([cold[0], *new], [cold[1], *old]) == only(new, old)


def test_seeds_differ_between_pairs_and_not_within_them() -> None:
    """Each pair has a seed of its own; a pair with two seeds is no pair."""
    new, old = duel(DRIFTING)
    assert "baseline_mismatch" not in codes(only(new, old))
    old[2] = replace(old[2], plan=plan(loading(), seed=99))
    assert "baseline_mismatch" in codes(only(new, old))


def test_three_pairs_are_the_least() -> None:
    """Two pairs give no verdict."""
    new, old = duel(DRIFTING[:2])
    verdict = only(new, old)
    assert (verdict.status, codes(verdict)[0]) == (Status.INCONCLUSIVE, "too_few_runs")
    assert verdict.next_step == "measure 1 pair more"


def test_a_duel_with_two_modes_is_not_decided() -> None:
    """Pairs in two modes make the two intervals differ."""
    new, old = duel([(62.0, 10.0), *[(104.0, 10.0)] * 5])
    assert codes(only(new, old))[0] == "estimators_disagree"


# --- latency at equal load


def latencies(milliseconds: float, *, did: int = 100, **changes: Any) -> Sample:
    """Ten thousand reads of about that latency, done at that rate."""
    whole = histogram(*(int(milliseconds * MB * (1 + n / 1e6)) for n in range(10_000)))
    counted = measurement(operations=10_000, elapsed_ns=10_000 * SECOND // did,
                          histograms={"whole": whole})  # fmt: skip
    return unlimited(changes.pop("repeat", 0), counted, phase="rate-1", workload="load-demo")


def served(milliseconds: Sequence[float], name: str, **changes: Any) -> RunRecord:
    """Runs at an offered rate of 100 reads a second."""
    rate = changes.pop("rate", 100)
    samples = [latencies(ms, repeat=n, **changes) for n, ms in enumerate(milliseconds)]
    return record(*samples, plan=plan(loading(epoch(name="rate-1", rate=float(rate)))), run_id=name,
                  system=system())  # fmt: skip


LATENCY = {"metric": "latency_p99", "direction": "<=", "phases": (("load", "rate-*"),)}


def test_three_quarters_less_latency_at_equal_load() -> None:
    """At one offered rate that both sides kept, a quarter of the p99 meets -75 %."""
    verdict = only(served([1.0, 1.01, 0.99], "new"), served([4.0, 4.04, 3.96], "old"),
                   ratio_claim(0.25, **LATENCY))  # fmt: skip
    assert verdict.status is Status.MET
    assert verdict.phase == "rate-1"
    assert verdict.aggregate_unit == "ns"


def test_a_side_that_falls_behind_the_load_compares_with_nothing() -> None:
    """Where one side does less than was offered, its latency is that of a queue."""
    behind = served([4.0, 4.0, 4.0], "old", did=80)
    verdict = only(served([1.0, 1.0, 1.0], "new"), behind, ratio_claim(0.25, **LATENCY))
    assert verdict.status is Status.INCONCLUSIVE
    told = next(r.message for r in verdict.reasons if r.code == "load_differs")
    assert told == "the baseline did 80 op/s of the 100 op/s that were offered"


def test_latencies_at_full_speed_do_not_compare() -> None:
    """In a closed loop of several workers each side makes its own load."""
    new, old = served([1.0] * 3, "new", rate=0), served([4.0] * 3, "old", rate=0)
    verdict = only(new, old, ratio_claim(0.25, **LATENCY))
    assert (verdict.status, "load_differs" in codes(verdict)) == (Status.INCONCLUSIVE, True)


# --- both sides in one run


def epochs(rates: Sequence[Sequence[float]], **later: Any) -> RunRecord:
    """A run of some epochs for each repeat, at those rates in MB/s."""
    names = ["epoch", *(f"epoch-{n}" for n in range(2, len(rates[0]) + 1))]
    samples = [
        run_of(repeat, int(rate * MB), workload="load-demo", phase=name,
               **(later if name != "epoch" else {}))
        for repeat, each in enumerate(rates) for name, rate in zip(names, each, strict=True)
    ]  # fmt: skip
    made = [epoch(name=name, epoch=n) for n, name in enumerate(names)]
    return record(*samples, plan=plan(loading(*made)), system=system())


CACHE = ratio_claim(2, id="IN-08", baseline=Baseline(source=BaselineSource.FIRST_EPOCH))


def test_a_cache_is_judged_by_its_later_epochs() -> None:
    """Later epochs over the first one, repeat by repeat; three times meets two to three times."""
    run = epochs([(10, 30, 30), (20, 61, 60), (40, 120, 119)])
    (verdict,) = judge(run, [CACHE], None)
    assert verdict.status is Status.MET
    assert verdict.measured is not None
    assert verdict.measured.typical == pytest.approx(3.0, rel=0.01)
    assert verdict.measured.n == 3
    (slower,) = judge(epochs([(10, 15), (20, 30), (40, 60)]), [CACHE], None)
    assert slower.status is Status.NOT_MET


def test_the_page_cache_of_the_client_is_not_the_product() -> None:
    """Later epochs out of the client's own memory meet no claim on a cache."""
    run = epochs([(10, 30), (20, 61), (40, 120)], evidence=evidence(state=CacheState.WARM))
    (verdict,) = judge(run, [CACHE], None)
    assert (verdict.status, "cache_suspect" in codes(verdict)) == (Status.INCONCLUSIVE, True)


def test_one_epoch_shows_no_cache() -> None:
    """A run of a single epoch has nothing to compare with."""
    (verdict,) = judge(epochs([(10,), (10,), (10,)]), [CACHE], None)
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["no_baseline"])
    assert verdict.next_step == "measure more than one epoch: --set epochs=3"


def test_a_cache_gives_no_more_than_was_lost_without_it() -> None:
    """Where accelerators computed 40 % of the first epoch, more than 2.5 times is impossible."""
    fed = Accelerated(host="c", number=0, steps=10, bytes=1, first_batch_ns=0, first_step_ns=0,
                      end_ns=100, wait_ns=60, compute_ns=40, barrier_ns=0, stall_ns=60)  # fmt: skip
    run = epochs([(10, 20), (10, 20.1), (10, 19.9)])
    with_training = [
        replace(s, measurement=replace(s.measurement, training=Training(
            batch=1, accelerators=(fed,)))) for s in run.samples
    ]  # fmt: skip
    (verdict,) = judge(replace(run, samples=tuple(with_training)), [CACHE], None)
    assert verdict.status is Status.MET
    told = next(r.message for r in verdict.reasons if r.code == "ratio_capped")
    assert told.endswith("so no cache gives more than 2.50 times as much")


def test_epochs_of_no_run_are_not_testable() -> None:
    """A run without the workload shows neither a cache nor a penalty of small files."""
    other = record(plan=plan(stage(workload="block", kind="block")), system=system())
    for about in (CACHE, PENALTY):
        (verdict,) = judge(other, [about], None)
        assert codes(verdict) == ["workload_missing"]


def small_and_packed(small: Sequence[float], packed: Sequence[float], **changes: Any) -> RunRecord:
    """A run that read the same bytes as files and as shards."""
    shards = population(files=2, samples_per_file=50, format="webdataset")
    shards = replace(shards, **changes)
    stages = (loading(), loading(epoch(population=shards), workload="load-packed"))
    samples = [run_of(n, int(r * MB), workload=name, phase="epoch")
               for name, rates in (("load-demo", small), ("load-packed", packed))
               for n, r in enumerate(rates)]  # fmt: skip
    return record(*samples, plan=plan(*stages), system=system())


PENALTY = ratio_claim(0.5, id="HX-13", direction="<=",
                      baseline=Baseline(source=BaselineSource.PACKED_SHARDS))  # fmt: skip


@pytest.mark.parametrize(("small", "status"), [(40, Status.MET), (80, Status.NOT_MET)])
def test_small_files_cost_what_shards_of_the_same_bytes_do_not(small: int, status: Status) -> None:
    """Small files at 40 % of the rate of shards are slow; at 80 % they are not."""
    run = small_and_packed([small - 0.1, small, small + 0.1], [99.9, 100, 100.1])
    (verdict,) = judge(run, [PENALTY], None)
    assert verdict.status is status
    assert verdict.workload == "load-demo"


def test_files_and_shards_are_read_alike() -> None:
    """Another number of workers for the shards, or warm shards, is no penalty of small files."""
    run = small_and_packed([40, 40, 40], [100, 100, 100])
    small, packed = run.plan.stages
    (phase_,) = packed.phases
    unlike = replace(packed, phases=(replace(phase_, processes=8, cache=CachePolicy.WARM),))
    (verdict,) = judge(replace(run, plan=plan(small, unlike)), [PENALTY], None)
    assert (verdict.status, codes(verdict)[0]) == (Status.INCONCLUSIVE, "baseline_mismatch")
    assert "workers (2 against 8); cache policy (cold against warm)" in verdict.reasons[0].message


@pytest.mark.parametrize("changes", [{"files": 4}, {"files": 100, "samples_per_file": 1}])
def test_other_bytes_are_no_baseline(changes: dict[str, int]) -> None:
    """Without shards of the same bytes in the run, the penalty is not testable."""
    run = small_and_packed([40, 40, 40], [100, 100, 100], **changes)
    if changes["files"] == 100:
        run = replace(run, plan=plan(run.plan.stages[0]))
    (verdict,) = judge(run, [PENALTY], None)
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["no_baseline"])
    assert "samples_per_file" in verdict.next_step
