"""Records held against each other: what is said, what is refused, and what is left out."""

import math
from dataclasses import replace
from typing import Any

import pytest

from aibench.compare import Entrant, Rules, compare
from aibench.compare.comparing import _same_units
from aibench.compare.noise import noise_floors
from aibench.compare.pairing import entrants
from aibench.compare.readings import reading
from aibench.errors import Refused
from aibench.identity import identity
from aibench.model import CacheState, Environment, Finding, Metric, RunRecord
from aibench.model.comparison import Comparison, Design, Outcome
from tests import build
from tests.compare.sides import entrant, run, sample, target, warned

FAST = (1100.0, 1120.0, 1090.0, 1105.0, 1110.0, 1095.0)
SLOW = (1000.0, 1010.0, 990.0, 1005.0, 1000.0, 1001.0)
ALIKE = (1002.0, 1011.0, 989.0, 1004.0, 1003.0, 999.0)


def fight(*sides: Entrant, paired: bool = True, **rules: Any) -> Comparison:
    """The comparison of ``sides`` by the usual rules, but for some."""
    return compare(sides, Rules(**rules), paired=paired)


def outcomes(found: Comparison) -> set[Outcome]:
    """All answers."""
    return {each.outcome for figure in found.figures for each in figure.differences}


def codes(found: Comparison) -> set[str]:
    """The codes of the reasons why there is no answer."""
    return {r.code for f in found.figures for each in f.differences for r in each.reasons}


def test_a_faster_side_is_better_in_every_figure() -> None:
    """Ten percent more files in each second, and less time for each, is better, and clearly so."""
    found = fight(entrant("a", FAST), entrant("b", SLOW))
    assert outcomes(found) == {Outcome.FIRST_BETTER}
    assert {figure.metric for figure in found.figures} == {
        "read_bandwidth", "files_per_second", "latency_p50", "latency_p99",
    }  # fmt: skip
    for figure in found.figures:
        (each,) = figure.differences
        assert (each.n, each.strong, each.p_signs) == (6, True, 2**-5)
        assert each.log_ratio is not None
        sign = 1 if figure.better == "higher" else -1
        assert sign * each.log_ratio == pytest.approx(math.log(1.1023), abs=1e-3)
    assert found.decided


def test_a_side_against_itself_is_equivalent() -> None:
    """The same values on both sides have the ratio 1 and are equivalent in every figure."""
    found = fight(entrant("a", SLOW), entrant("b", SLOW))
    assert outcomes(found) == {Outcome.EQUIVALENT}
    assert {each.log_ratio for f in found.figures for each in f.differences} == {0.0}
    assert found.overall[0].log_advantage == 0


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("second", [SLOW, ALIKE])
def test_swapping_the_sides_mirrors_everything(second: tuple[float, ...], paired: bool) -> None:
    """With the sides swapped each logarithm is negated to the last bit, and the other is better."""
    accepted = frozenset({"sequential"})
    sides = entrant("a", FAST), entrant("b", second)
    there = fight(*sides, paired=paired, accepted=accepted)
    back = fight(*reversed(sides), paired=paired, accepted=accepted)
    mirror = {Outcome.FIRST_BETTER: Outcome.SECOND_BETTER}
    for one, other in zip(there.figures, back.figures, strict=True):
        (a,), (b,) = one.differences, other.differences
        assert b.outcome is mirror.get(a.outcome, a.outcome)
        assert a.log_ratio is not None
        assert a.log_low is not None
        assert b.log_ratio == -a.log_ratio
        assert b.log_high == -a.log_low
        assert (b.p, b.p_adjusted, b.p_signs) == (a.p, a.p_adjusted, a.p_signs)
        assert (b.detectable, b.strong, b.runs_needed) == (a.detectable, a.strong, a.runs_needed)
    assert there.overall[0].log_advantage == -(back.overall[0].log_advantage or 0)


def changed(which: Entrant, **changes: Any) -> Entrant:
    """``which`` with other headers."""
    return replace(which, runs=tuple(replace(each, **changes) for each in which.runs))


def other_plan(which: Entrant) -> Entrant:
    """``which`` having read with four workers where the others had two."""
    plan = build.plan(build.stage(repeats=1, phases=(build.phase(processes=4),)))
    return changed(which, plan=plan)


def other_client(which: Entrant) -> Entrant:
    """``which`` from a client with another kernel."""
    key = {"cpu": "Example CPU", "cores": 2, "memory_gib": 24, "kernel": "6.19"}
    return changed(which, environment=Environment(key=key))


def other_cache(which: Entrant) -> Entrant:
    """``which`` having read from the page cache."""
    warm = build.evidence(state=CacheState.WARM)
    runs = tuple(
        replace(each, samples=tuple(replace(s, evidence=warm) for s in each.samples))
        for each in which.runs
    )
    return replace(which, runs=runs)


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        (other_plan, "plan", "load-demo read processes is 2 and 4"),
        (other_client, "client", "kernel is 6.18 and 6.19"),
        (lambda e: changed(e, launch=build.launch()), "client", "hosts is 1 and 2"),
        (lambda e: changed(e, aibench_version="0.2.0"), "harness", "aibench is 0.1 and 0.2"),
        (lambda e: changed(e, engines={"posix": "9"}), "engine", "posix is 0.1.0 and 9"),
        (
            lambda e: changed(e, engines={"posix": "0.1.0, compiled loops"}),
            "engine",
            "posix is 0.1.0 and 0.1.0, compiled loops",
        ),
        (other_cache, "cache", "state is cold and warm"),
    ],
)
def test_unlike_runs_are_refused_and_can_be_shown_side_by_side(
    change: Any, name: str, told: str
) -> None:
    """Each difference that makes another question is named; allowed, it leaves no verdict."""
    sides = entrant("a", FAST), change(entrant("b", SLOW))
    with pytest.raises(Refused, match=f"--allow-different {name}") as refused:
        fight(*sides, paired=False)
    assert told in str(refused.value)
    assert len(str(refused.value).splitlines()) == 2
    found = fight(*sides, paired=False, allowed=frozenset({name}))
    assert outcomes(found) == {Outcome.SIDE_BY_SIDE}
    assert all(None not in figure.estimates for figure in found.figures)


def test_runs_of_one_side_on_different_mounts_are_refused() -> None:
    """Among the runs of a side the storage has to be the same."""
    mixed = entrant("a", FAST)
    mixed = replace(mixed, runs=(replace(mixed.runs[0], target=target("z")), *mixed.runs[1:]))
    with pytest.raises(Refused, match="target: alias is node z and node a"):
        fight(mixed, entrant("b", SLOW))


def test_seeds_and_titles_make_no_difference() -> None:
    """Runs have seeds of their own: that does not make them unlike, but for those of one pair."""
    plan = build.plan(build.stage(title="Another title", repeats=1), seed=99)
    sides = entrant("a", FAST), changed(entrant("b", SLOW), plan=plan)
    accepted = frozenset({"sequential"})
    assert outcomes(fight(*sides, paired=False, accepted=accepted)) == {Outcome.FIRST_BETTER}
    with pytest.raises(Refused, match="pair seed is 1 and 99"):
        fight(*sides)


def test_unlike_units_are_refused() -> None:
    """A figure in bytes and one in operations of the same name are not compared."""
    read = reading(run("a", 1, 1000.0), ("load-demo", "read"))
    assert read is not None
    metric = read.metrics["read_bandwidth"]
    other = Metric(name=metric.name, title="", value=1.0, unit="op/s", better="higher")
    with pytest.raises(Refused, match="is in B/s and in op/s"):
        _same_units(metric, [read, replace(read, metrics={metric.name: other})])


def test_a_run_is_not_compared_with_itself() -> None:
    """The same record on both sides is a mistake, and is named."""
    with pytest.raises(Refused, match="demo-a00001 is there twice"):
        fight(entrant("a", SLOW), entrant("a", SLOW))


def test_pairs_whose_caches_differ_are_left_out() -> None:
    """A pair of which one side read from a cache is dropped, and said so; the others decide."""
    slow = entrant("b", SLOW)
    warm = other_cache(slow).runs[2]
    slow = replace(slow, runs=(*slow.runs[:2], warm, *slow.runs[3:]))
    found = fight(entrant("a", FAST), slow)
    (each,) = found.figures[0].differences
    assert each.n == 5
    assert [f.message for f in each.dropped] == [
        "pair 3 is left out: on b the cache was warm, not cold (20261121T120003Z-demo-b00003)"
    ]


def test_what_a_mount_hides_of_its_cache_is_never_to_its_favour() -> None:
    """A side whose cache can't be seen can be shown to be worse than a cold one, not better."""

    def unseen(which: Entrant) -> Entrant:
        unknown = build.evidence(state=CacheState.UNKNOWN)
        runs = tuple(
            replace(each, samples=tuple(replace(s, evidence=unknown) for s in each.samples))
            for each in which.runs
        )
        return replace(which, runs=runs)

    assert outcomes(fight(entrant("a", FAST), unseen(entrant("b", SLOW)))) == {Outcome.FIRST_BETTER}
    found = fight(unseen(entrant("a", FAST)), entrant("b", SLOW))
    assert (outcomes(found), codes(found)) == ({Outcome.INCONCLUSIVE}, {"cache_suspect"})
    assert {figure.state for figure in found.figures} == {"unknown / cold"}


def test_failed_and_missing_runs_are_named() -> None:
    """Only complete pairs count; of the others it is said which side failed or was not measured."""
    failed = Finding(code="no_space", message="the target is full")
    records = [*entrant("a", FAST).runs, *entrant("b", SLOW[:5]).runs]
    records[1] = replace(records[1], reasons=(failed,))
    warm_up = run("a", 0, 500.0)
    sides, left_out = entrants([warm_up, *records], "d0e1")
    assert [[r.labels["pair"] for r in side.runs] for side in sides] == [["1", "3", "4", "5"]] * 2
    assert [finding.message for finding in left_out] == [
        "pair 2 is left out: a failed: the target is full",
        "pair 6 is left out: b was not measured",
    ]


def test_of_a_pair_measured_twice_the_later_one_counts() -> None:
    """A pair that was resumed is taken from the later run of each side."""
    again = replace(run("a", 1, 2000.0), run_id="later", started_at="2026-11-21T13:00:00.000Z")
    sides, _ = entrants([again, *entrant("a", FAST).runs, *entrant("b", SLOW).runs], "d0e1")
    assert sides[0].runs[0].run_id == "later"


@pytest.mark.parametrize("pair", ["", "x", "-1", "41", "³", "1" * 5000])
def test_labels_that_no_duel_writes_are_ignored(pair: str) -> None:
    """A record with a wrong pair, or a wrong side, belongs to no duel."""
    stray = replace(run("a", 1, 1.0), labels={"duel": "d0e1", "pair": pair, "side": "a"})
    assert entrants([stray], "d0e1") == ((), ())


@pytest.mark.parametrize(
    ("first", "second", "fast", "word"),
    [
        # The slower side may be better than it shows: it is not shown to be worse.
        ((), ("client_bound",), "a", Outcome.INCONCLUSIVE),
        # The faster one may be: it is better all the same.
        (("client_bound",), (), "a", Outcome.FIRST_BETTER),
        (("client_bound",), ("client_bound",), "a", Outcome.INCONCLUSIVE),
        # The faster one may be worse than it shows.
        (("names_cached",), (), "a", Outcome.INCONCLUSIVE),
        ((), ("names_cached",), "a", Outcome.FIRST_BETTER),
        (("environment_changed",), (), "a", Outcome.INCONCLUSIVE),
        # Noise falls on both sides of a pair: it can hide a difference, not make one.
        (("interference",), ("interference",), "a", Outcome.FIRST_BETTER),
        (("interference",), (), "", Outcome.INCONCLUSIVE),
        (("client_bound",), ("client_bound",), "", Outcome.INCONCLUSIVE),
        (("short_run",), ("short_run",), "", Outcome.EQUIVALENT),
        ((), (), "", Outcome.EQUIVALENT),
    ],
)
def test_gates_are_one_sided(
    first: tuple[str, ...], second: tuple[str, ...], fast: str, word: Outcome
) -> None:
    """What makes a side look worse never shows it worse, what makes it look better never better."""
    one = warned(entrant("a", FAST if fast == "a" else ALIKE), *first)
    other = warned(entrant("b", SLOW), *second)
    found, swapped = fight(one, other), fight(other, one)
    mirror = {Outcome.FIRST_BETTER: Outcome.SECOND_BETTER}
    assert outcomes(found) == {word}
    assert outcomes(swapped) == {mirror.get(word, word)}
    if word is Outcome.INCONCLUSIVE:
        assert codes(found) <= {*first, *second}
        accepted = frozenset((*first, *second))
        assert Outcome.INCONCLUSIVE not in outcomes(fight(one, other, accepted=accepted))


def test_noise_in_a_few_runs_hides_nothing() -> None:
    """What others did in two of six runs does not forbid to call the sides equivalent."""
    found = fight(warned(entrant("a", ALIKE), "busy_client", runs=2), entrant("b", SLOW))
    assert outcomes(found) == {Outcome.EQUIVALENT}


def test_a_harness_at_its_limit_is_seen_without_a_warning() -> None:
    """Both sides as fast as the harness itself are not equivalent storage."""

    def bound(key: str, rates: tuple[float, ...]) -> Entrant:
        runs = []
        for number, rate in enumerate(rates, 1):
            each = sample(rate)
            assert each.ceiling is not None
            low = replace(each.ceiling, operations=1100, bytes=4_500_000)
            runs.append(run(key, number, rate, samples=(replace(each, ceiling=low),)))
        return Entrant(key=key, runs=tuple(runs))

    found = fight(bound("a", ALIKE), bound("b", SLOW))
    assert outcomes(found) == {Outcome.INCONCLUSIVE}
    assert codes(found) == {"client_bound"}


def test_one_after_the_other_gives_no_verdict() -> None:
    """Without pairs a difference may be drift: ratio and interval are shown, with that reason."""
    found = fight(entrant("a", FAST), entrant("b", SLOW), paired=False)
    assert found.design is Design.SEQUENTIAL
    assert outcomes(found) == {Outcome.INCONCLUSIVE}
    assert codes(found) == {"sequential"}
    assert all(e.log_low is not None and e.log_low * (e.log_high or 0) > 0
               for f in found.figures for e in f.differences)  # fmt: skip
    accepted = fight(entrant("a", FAST), entrant("b", SLOW[:4]), paired=False,
                     accepted=frozenset({"sequential"}))  # fmt: skip
    assert outcomes(accepted) == {Outcome.FIRST_BETTER}


def test_too_few_pairs_say_so() -> None:
    """Two pairs give a ratio with a very wide interval, and no answer."""
    found = fight(entrant("a", FAST[:2]), entrant("b", SLOW[:2]))
    assert (outcomes(found), codes(found)) == ({Outcome.INCONCLUSIVE}, {"too_few_runs"})
    assert not found.is_settled


def test_what_is_not_decided_says_what_could_have_been_seen() -> None:
    """Noisy pairs give no answer, the smallest difference they see, and how many pairs it takes."""
    found = fight(entrant("a", (900.0, 1300.0, 1000.0, 1150.0)), entrant("b", SLOW[:4]))
    (each,) = found.figures[0].differences
    assert each.outcome is Outcome.INCONCLUSIVE
    assert each.detectable is not None
    assert math.expm1(each.detectable) > 0.2
    assert each.runs_needed is not None
    assert each.runs_needed > 20


def test_noise_floors() -> None:
    """A duel with itself gives the floor of each figure: no equivalence is shown below it."""
    sides = entrant("a", (1080.0, 1020.0, 950.0, 1005.0, 960.0, 1021.0)), entrant("a", SLOW)
    other = replace(sides[1], key="b", runs=tuple(
        replace(each, run_id=f"{each.run_id}-again") for each in sides[1].runs))  # fmt: skip
    known = noise_floors(replace(fight(sides[0], other), duel="d0e1"), (sides[0], other), "now")
    assert {floor.metric for floor in known} >= {"read_bandwidth", "latency_p99"}
    floors = {(floor.series, floor.metric): floor.log_ratio for floor in known}
    assert min(floors.values()) > math.log(1.03)
    again = fight(entrant("a", ALIKE), entrant("b", SLOW), floors=floors, delta=0.02)
    assert (outcomes(again), codes(again)) == ({Outcome.INCONCLUSIVE}, {"below_noise_floor"})
    wider = fight(entrant("a", ALIKE), entrant("b", SLOW), floors=floors, delta=0.2)
    assert outcomes(wider) == {Outcome.EQUIVALENT}
    (key, _) = next(iter(floors))
    record = sides[0].runs[0]
    stage = record.plan.stages[0]
    assert key == identity(record, stage, stage.phases[0]).series


def test_figures_that_follow_from_each_other_are_one_question() -> None:
    """Files and bytes per second of equal files count once: p is not adjusted for both."""
    found = fight(entrant("a", FAST), entrant("b", SLOW))
    by_name = {figure.metric: figure.differences[0] for figure in found.figures}
    alone = by_name["files_per_second"]
    assert alone.p is not None
    assert by_name["read_bandwidth"].p_adjusted == pytest.approx(2 * alone.p, rel=1e-4)


def test_must_haves_are_a_family_of_their_own() -> None:
    """Only figures that a purchase hangs on decide; one that nobody has is refused by name."""
    found = fight(entrant("a", FAST), entrant("b", SLOW), must_have=("read/latency_p99",))
    assert [f.metric for f in found.figures if f.must_have] == ["latency_p99"]
    (each,) = next(f for f in found.figures if f.must_have).differences
    assert each.p_adjusted == each.p
    with pytest.raises(Refused, match=r"no such figure; there are .*latency_p50"):
        fight(entrant("a", FAST), entrant("b", SLOW), must_have=("iops",))


def test_ratios_for_each_unit() -> None:
    """Per watt and per price the ratio and its interval move by the ratio of the two, exactly."""
    big = build.system(power_watts=500.0, price=3000.0, currency="USD", units=3)
    small = build.system(power_watts=400.0, price=1000.0, currency="USD", units=1)
    found = fight(entrant("a", FAST, big), entrant("b", SLOW, small))
    (each,) = found.figures[0].differences
    assert each.log_ratio is not None
    units = {unit.what: unit for unit in each.per_unit}
    assert set(units) == {"W", "TB", "USD", "node"}
    assert units["W"].log_ratio == pytest.approx(each.log_ratio - math.log(500 / 400))
    assert units["USD"].log_ratio == pytest.approx(each.log_ratio - math.log(3))
    width = (each.log_high or 0) - (each.log_low or 0)
    assert all(u.log_high - u.log_low == pytest.approx(width) for u in units.values())
    euros = replace(small, currency="EUR")
    other = fight(entrant("a", FAST, big), entrant("b", SLOW, euros)).figures[0].differences[0]
    assert not {"EUR", "USD"} & {unit.what for unit in other.per_unit}
    latency = found.figures[2].differences[0]
    assert latency.per_unit == ()


def test_three_sides_meet_each_other() -> None:
    """Of three sides all three pairs of sides are answered, and adjusted for together."""
    found = fight(entrant("a", FAST), entrant("b", SLOW), entrant("c", ALIKE))
    answered = {(d.first, d.second): d.outcome for d in found.figures[0].differences}
    assert answered == {
        (0, 1): Outcome.FIRST_BETTER, (0, 2): Outcome.FIRST_BETTER, (1, 2): Outcome.EQUIVALENT,
    }  # fmt: skip
    assert [overall.outcomes for overall in found.overall][2] == {Outcome.EQUIVALENT: 4}


def test_a_value_of_zero_has_no_ratio() -> None:
    """A figure of 0 is shown, and there is no verdict on it."""

    def empty(key: str) -> Entrant:
        runs: list[RunRecord] = []
        for number in range(1, 4):
            each = sample(1000.0)
            none = replace(each.measurement, bytes=0)
            runs.append(run(key, number, 1000.0, samples=(replace(each, measurement=none),)))
        return Entrant(key=key, runs=tuple(runs))

    found = fight(empty("a"), empty("b"))
    figure = next(f for f in found.figures if f.metric == "read_bandwidth")
    assert figure.estimates[0] is not None
    assert figure.estimates[0].typical == 0
    (each,) = figure.differences
    assert (each.outcome, each.log_ratio, [r.code for r in each.reasons]) == (
        Outcome.INCONCLUSIVE, None, ["zero"],
    )  # fmt: skip
