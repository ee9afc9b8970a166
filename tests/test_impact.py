"""Projections: from inputs, records and claims to gains, what they need, and what is to know."""

import math
from typing import Any

import pytest
from hypothesis import given as holds
from hypothesis import settings
from hypothesis import strategies as st

from aibench.cluster import Range, Storage, outcome
from aibench.cluster.study import UNBOUNDED, Wish
from aibench.definition.claims import shipped_claims
from aibench.errors import AibenchError, DefinitionError, Refused
from aibench.impact import checkpoint_sizes, impact
from aibench.model import Claim
from tests import projecting
from tests.projecting import cluster, given


def shipped(name: str) -> Claim:
    """A claim of the catalogue."""
    every = shipped_claims()
    return next(claim for claim in every if claim.id == name)


def test_a_projection_of_a_comparison() -> None:
    """Gain and cap come with their ranges, a curve with both storages, and what matters first."""
    found = impact(cluster()).study
    assert found.gain is not None
    assert found.cap is not None
    assert found.baseline is not None
    assert found.gain.typical == pytest.approx(1.347, abs=5e-4)
    assert found.cap.typical == pytest.approx(1.663, abs=5e-4)
    assert found.gain.low < found.gain.typical < found.gain.high
    assert found.swings[0].name == "failures_per_node_day"
    places = [point.bandwidth for point in found.curve]
    assert {found.baseline.write, found.candidate.write} <= set(places)
    assert places == sorted(places)
    goodputs = [point.goodput for point in found.curve if point.goodput is not None]
    assert goodputs == sorted(goodputs)
    assert all(p.soonest is None or p.goodput > p.soonest for p in found.curve if p.goodput)


def test_the_knee() -> None:
    """From the knee on twice the bandwidth gives less than 1 % of the time, before it more."""
    found = impact(given(mtbf=11000, checkpoint_bytes=5.68e12, candidate_write=2e12)).study
    assert found.knee is not None

    def gained(bandwidth: float) -> float:
        once, twice = (
            outcome(found.job, Storage(write=b, read=b)).goodput for b in (bandwidth, 2 * bandwidth)
        )
        return twice - once

    before = max(point.bandwidth for point in found.curve if point.bandwidth < found.knee)
    assert gained(found.knee) < 0.01 <= gained(before)


def test_a_storage_alone() -> None:
    """Without a baseline there is no gain, and the cap is over the storage itself."""
    found = impact(given(mtbf=3.09 * 3600, checkpoint_bytes=5.68e12, candidate_write=2e12)).study
    assert found.gain is None
    assert found.baseline is None
    assert found.cap is not None
    assert found.cap.typical == pytest.approx(
        math.exp(-600 / (3.09 * 3600)) / found.candidate.outcome.useful
    )
    assert found.candidate.elapsed == pytest.approx(0.41 * found.candidate.outcome.useful)


def test_presets_are_assumed_and_say_so() -> None:
    """What is not given is assumed, with its source and the range that is looked at."""
    found = {each.name: each for each in impact(cluster()).study.inputs}
    rate = found["failures_per_node_day"]
    assert (rate.range.low, rate.range.high) == (6.5e-3, 26e-3)
    assert "rsc-1" in rate.source
    assert "a quarter of the time" in rate.source
    assert (found["bytes_per_parameter"].range.low, found["bytes_per_parameter"].range.high) == (
        12,
        18,
    )
    assert all(each.origin == "assumed" and each.source for each in found.values())
    stated = impact(cluster(mtbf=Range(low=9000, typical=10000, high=10500))).study
    assert next(e for e in stated.inputs if e.name == "mtbf").range.low == 9000


def test_measured_inputs() -> None:
    """What runs measured is marked so; what is given comes before it, and all else is assumed."""
    rest = given(nodes=125, parameters=1e11, candidate_read=3e9)
    found = impact(
        rest, candidate=[projecting.saving(5, 6, 5), projecting.loading(1, 1, 1)],
        baseline=[projecting.saving(20)],
    )  # fmt: skip
    origins = {each.name: each.origin for each in found.study.inputs}
    assert origins["candidate_write"] == origins["baseline_write"] == "measured"
    assert origins["candidate_read"] == origins["nodes"] == "assumed"
    assert found.study.gain is not None
    assert found.study.gain.typical > 1
    assert any(swing.name == "candidate_write" for swing in found.study.swings)
    assert {remark.code for remark in found.remarks} == {"scaled"}
    with pytest.raises(Refused, match="leave out 'faster'"):
        impact(cluster(), candidate=[projecting.saving(5)])


def test_the_baseline_of_a_gain() -> None:
    """A gain asks for its baseline: one is solved for where there is none, else both are named."""
    asked = cluster()
    del asked["baseline_write"]
    solved = impact(asked, wish=Wish(gain=1.3)).study
    assert solved.needed is not None
    assert solved.baseline is not None
    assert solved.needed.bandwidth == pytest.approx(25.5e9, rel=2e-3)
    assert solved.baseline.write == solved.needed.bandwidth
    assert solved.gain is not None
    assert solved.gain.typical == pytest.approx(1.3)
    assert "solved" in {each.origin for each in solved.inputs}
    known = impact(cluster(), wish=Wish(gain=1.3)).study
    assert known.needed == solved.needed
    with pytest.raises(Refused, match="no baseline"):
        impact(asked, wish=Wish(gain=0.5))


def test_hours() -> None:
    """Hours saved follow from the useful time, and what saving more would need is its inverse."""
    found = impact(cluster(useful_time=720 * 3600), wish=Wish(saves=28 * 3600)).study
    assert found.baseline is not None
    assert found.saved is not None
    assert found.useful_needed is not None
    assert found.saved > 28 * 3600
    assert found.baseline.outcome.useful < found.useful_needed < found.candidate.outcome.useful


def test_a_job_that_makes_no_progress() -> None:
    """Restarts longer than the time between failures: no progress, and gains without bound."""
    alone = impact(given(mtbf=3600, checkpoint_bytes=5e12, candidate_write=1e9)).study
    assert not alone.candidate.outcome.progresses
    assert alone.candidate.useful.high == 0
    assert [remark.code for remark in alone.remarks] == ["no_progress"]
    both = impact(
        given(mtbf=3600, checkpoint_bytes=5e12, candidate_write=1e12, baseline_write=1e9)
    ).study
    assert both.gain is not None
    assert both.gain.typical == UNBOUNDED
    neither = impact(
        given(mtbf=3600, checkpoint_bytes=5e12, candidate_write=1.2e9, baseline_write=1e9)
    ).study
    assert neither.gain is None
    assert neither.cap is not None
    assert neither.cap.typical == UNBOUNDED


def test_first_order_is_warned_of() -> None:
    """Where interval, stall and restart are long, the simple formulas are said to err."""
    codes = [remark.code for remark in impact(cluster()).study.remarks]
    assert codes == ["first_order_errs", "first_order_errs"]
    calm = impact(given(mtbf=1e6, checkpoint_bytes=1e11, candidate_write=1e11)).study
    assert calm.remarks == ()


@pytest.mark.parametrize(
    ("claim", "statuses"),
    [
        ("HX-01", {"relative": "CONSISTENT", "points": "INCONSISTENT"}),
        ("MT-06", None),
        ("MT-02", None),
        ("IN-05", None),
    ],
)
def test_claims(claim: str, statuses: dict[str, str] | None) -> None:
    """Claims on a cluster are held against the model with what they assume, and never met."""
    found = impact({}, claim=shipped(claim))
    assert found.readings
    for reading in found.readings:
        assert reading.status in ("CONSISTENT", "INCONSISTENT", "INCONSISTENT_BOUND")
        if statuses is not None:
            assert reading.status == statuses[reading.interpretation]


def test_a_small_cluster_contradicts_a_claim() -> None:
    """On 1,000 cards, with a fast baseline, +30 % is beyond what any storage could do."""
    here = cluster(nodes=125, parameters=1e11, baseline_write=100e9, mtbf=1e9)
    del here["nodes"]
    relative = impact(here, claim=shipped("HX-01")).readings[0]
    assert relative.status == "INCONSISTENT_BOUND"


def test_what_is_known_stands_for_what_a_claim_assumes() -> None:
    """Measured bandwidths, sizes and failures replace a claim's, however either is told."""
    known = given(checkpoint_bytes=1e12, mtbf=50_000)
    runs = [projecting.saving(5, 5, 5), projecting.loading(2, 2, 2)]
    found = impact(known, candidate=runs, claim=shipped("HX-01"))
    inputs = {each.name: each for each in found.study.inputs}
    assert inputs["candidate_write"].origin == "measured"
    assert "mixed_systems" in {remark.code for remark in found.remarks}
    assert inputs["fixed_restart"].source == "assumed with claim HX-01"
    assert not {"faster", "nodes", "parameters", "failures_per_node_day"} & inputs.keys()
    assert inputs["load_faster"].range.typical == 8
    smaller = impact(given(nodes=125, parameters=1e9), claim=shipped("HX-01")).study
    assert {each.name: each for each in smaller.inputs}["nodes"].range.high == 125
    loads = impact(given(candidate_load=5), candidate=runs, claim=shipped("HX-01")).study
    assert "load_faster" not in {each.name for each in loads.inputs}
    same = given(baseline_write=5e8, baseline_load=60)
    fair = impact(same, candidate=runs, claim=shipped("HX-01"))
    assert "mixed_systems" not in {remark.code for remark in fair.remarks}


def test_other_claims_are_refused() -> None:
    """A claim about anything else is refused with where to read it."""
    with pytest.raises(Refused, match="aibench show H3-02"):
        impact(cluster(), claim=shipped("H3-02"))


def test_everything_that_is_missing_is_named_at_once() -> None:
    """Without cluster, checkpoint and storage there is no projection; all three are asked for."""
    with pytest.raises(DefinitionError) as error:
        impact({})
    assert len(error.value.mistakes) == 3
    without = cluster()
    del without["baseline_write"]
    with pytest.raises(DefinitionError, match="baseline-write"):
        impact(without)
    with pytest.raises(DefinitionError, match="useful"):
        impact(cluster(), wish=Wish(saves=1))
    alone = given(mtbf=1e5, checkpoint_bytes=1e12, candidate_write=1e9, useful_time=1e6)
    with pytest.raises(Refused, match="baseline"):
        impact(alone, wish=Wish(saves=1))


def test_known_models() -> None:
    """The checkpoint of a known model has its size: 405 billion parameters take 5.68 TB."""
    assert checkpoint_sizes()["405b"] == pytest.approx(5.68e12, rel=1e-3)


POSITIVE = st.floats(1e-3, 1e15)


@settings(max_examples=40)
@holds(
    nodes=st.floats(1, 1e7), size=st.floats(1, 1e18), write=POSITIVE, other=POSITIVE,
    fixed=st.floats(0, 1e6), load=st.floats(0, 1e6), gain=st.one_of(st.none(), st.floats(0.1, 9)),
)  # fmt: skip
def test_any_possible_input_gives_a_projection(
    nodes: float, size: float, write: float, other: float, fixed: float, load: float,
    gain: float | None,
) -> None:  # fmt: skip
    """Whatever sizes and rates, the result is finite and in order, or a refusal with a sentence."""
    inputs: dict[str, Any] = {
        "nodes": nodes, "checkpoint_bytes": size, "candidate_write": write,
        "baseline_write": other, "fixed_restart": fixed, "candidate_load": load,
    }  # fmt: skip
    try:
        found = impact(given(**inputs), wish=None if gain is None else Wish(gain=gain)).study
    except AibenchError:
        return
    for side in (found.candidate, found.baseline):
        assert side is not None
        assert 0 <= side.useful.low <= side.outcome.useful <= side.useful.high <= 1
    if found.gain and found.cap:
        assert found.gain.typical <= found.cap.typical * (1 + 1e-9)
