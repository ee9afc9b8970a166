"""What printed claims imply: the arithmetic by itself, and on the whole catalogue."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.definition.claims import shipped_claims
from aibench.definition.references import shipped_references
from aibench.model import Claim, ClaimKind, ClusterModel, Interpretation
from aibench.model.reference import ReferenceClass
from aibench.plausible import Implication, context, implications
from aibench.plausible.arithmetic import (
    amdahl,
    block_size,
    compute_utilisation,
    no_failure,
    removed_share,
)
from tests import build

CATALOGUE = shipped_claims()
FIGURES = shipped_references().figures
DAY = 86400 * 10**9
HOUR = 3600 * 10**9


def claim(name: str) -> Claim:
    """The shipped claim of that name."""
    (found,) = (each for each in CATALOGUE if each.id == name)
    return found


def found(name: str, code: str) -> list[Implication]:
    """What the shipped claim implies under that code."""
    return [i for i in implications(claim(name), CATALOGUE, FIGURES) if i.code == code]


# --- the catalogue: each figure that its texts derive


@pytest.mark.parametrize(
    ("name", "code", "figure", "value"),
    [("HX-01", "baseline_implied", "before", 0.4615),
     ("HX-01", "baseline_implied", "printed_ratio", 1.2),
     ("HX-04", "per_unit_implied", "per_unit", 195.3e9),
     ("HX-05", "per_unit_implied", "per_unit", 19.53e6),
     ("HX-04", "block_size_implied", "block", 10_000),
     ("HX-04", "above_verified", "verified", 8.902e12),
     ("HX-04", "within_verified", "verified", 364.6e9),
     ("HX-10", "checkpoint_implied", "checkpoint", 14e12),
     ("HX-11", "checkpoint_implied", "checkpoint", 140e12),
     ("FC-03", "checkpoint_implied", "checkpoint", 140e9),
     ("A3-01", "rate_implied", "rate", 115.7e6),
     ("A3-02", "whole_time_implied", "whole", 33.33 * DAY),
     ("A3-03", "links_needed", "links", 500e9),
     ("A3-04", "block_size_implied", "block", 33_333),
     ("A3-04", "block_size_implied", "at_4KiB", 49.15e9),
     ("A3-05", "total_implied", "total", 204.8e12),
     ("A3-06", "time_removed", "removed", 0.375),
     ("A3-06", "stage_too_small", "most", 1.429),
     ("A3-07", "whole_implied", "whole", 1.0744),
     ("G4-02", "utilisation_implied", "lowest", 0.3191),
     ("G4-02", "utilisation_implied", "highest", 0.3545),
     ("IN-01", "utilisation_implied", "highest", 0.4995),
     ("IN-04", "ratios_disagree", "here", 0.2857),
     ("IN-05", "ratios_disagree", "here", 0.35),
     ("MT-06", "share_saved", "share", 0.0389),
     ("MT-07", "links_needed", "links", 112.5e9),
     ("MT-11", "failures_implied", "probability", 2.6e-11),
     ("MT-11", "failures_implied", "mean_time", 29.54 * HOUR),
     ("H3-01", "links_needed", "links", 25e9),
     ("H3-01", "within_verified", "verified", 126.7e9),
     ("H3-02", "block_size_implied", "block", 66_667)],
)  # fmt: skip
def test_a_claim_implies_what_its_figures_say(
    name: str, code: str, figure: str, value: float
) -> None:
    """Each printed figure gives the derived ones that the catalogue and its sources state."""
    assert found(name, code)[0].figures[figure] == pytest.approx(value, rel=0.005)


def test_each_reading_has_its_own_implication() -> None:
    """Readings of one claim imply different things, and each of them is told."""
    starts = [each.figures["before"] for each in found("HX-01", "baseline_implied")]
    assert starts == pytest.approx([0.6 / 1.3, 0.3])
    totals = [each.figures["total"] for each in found("A3-05", "total_implied")]
    assert totals == [512 * 400 * 10**9, 4096 * 400 * 10**9]
    speedups = [each.figures["speedup"] for each in found("HX-02", "time_removed")]
    assert speedups == [8, 9]


def test_what_speaks_against_a_claim_is_marked() -> None:
    """Of the whole catalogue a missing second, a record by far and unequal ratios are doubtful."""
    doubts = {
        (each.id, i.code)
        for each in CATALOGUE
        for i in implications(each, CATALOGUE, FIGURES)
        if i.against
    }
    assert doubts == {
        ("HX-04", "unit_incomplete"),
        ("HX-04", "above_verified"),
        ("IN-04", "ratios_disagree"),
        ("IN-05", "ratios_disagree"),
    }


def test_a_claim_alone_implies_what_needs_no_other() -> None:
    """Without catalogue, references and system a claim is looked at by itself."""
    codes = [each.code for each in implications(claim("HX-04"))]
    assert codes == ["unit_incomplete", "per_unit_implied"]


@pytest.mark.parametrize("unit", ["GB/s", "GB每秒", "Gbps", "GB/秒"])
def test_a_rate_is_printed_per_second(unit: str) -> None:
    """A bandwidth in a unit of a rate raises no doubt about its unit."""
    printed = replace(claim("HX-04"), unit_as_printed=unit)
    assert "unit_incomplete" not in {each.code for each in implications(printed)}


def test_hardware_sets_a_limit() -> None:
    """More than the system's ports or drives can carry is told; exactly as much is not."""
    asked = claim("A3-03")
    system = replace(
        build.system(), vendor="Huawei", product="OceanStor A310", unit="chassis", units=2,
        nics=16, nic_rate=400 * 10**9 // 8, drives=58,
    )  # fmt: skip

    def codes(**changes: int | str) -> dict[str, dict[str, float]]:
        seen = implications(asked, system=replace(system, **changes))  # type: ignore[arg-type]
        return {i.code: dict(i.figures) for i in seen if i.against}

    assert codes() == {}
    assert codes(nics=15) == {"above_links": {"claimed": 800e9, "limit": 750e9}}
    assert codes(drives=57) == {"above_drives": {"claimed": 800e9, "limit": 798e9}}
    assert codes(nics=1, drives=1, product="other") == {}
    assert codes(nics=8, unit="node") == {}


def test_a_gain_that_starts_too_high_is_doubtful() -> None:
    """A gain whose start would lie above what the source says of before contradicts it."""
    small = replace(claim("HX-01"), interpretations=(Interpretation(id="little", value=1.1),))
    (seen,) = (i for i in implications(small, CATALOGUE) if i.code == "baseline_implied")
    assert seen.against
    assert seen.figures["before"] == pytest.approx(0.6 / 1.1)


# --- context


def test_context_is_what_either_side_names_and_what_is_alike() -> None:
    """Beside a claim stand the figures that it names, that name it, and those of its unit."""
    names = [each.id for each in context(claim("H3-01"), FIGURES)]
    assert names[:2] == ["REF-MLPERF10-AS13000-H100", "REF-3FS-NODE"]
    assert "REF-MLPERF10-NUTANIX" in names
    assert "REF-MLPERF10-A800" not in names
    assert "REF-A310-WRITE" in [each.id for each in context(claim("A3-03"), FIGURES)]
    assert context(claim("FC-01"), FIGURES) == ()


def test_context_of_a_trademark_says_that_it_is_never_ranked() -> None:
    """Every figure under a trademark carries the note that none of aibench is ranked against it."""
    marked = [each for each in FIGURES if each.trademark]
    assert {each.trademark for each in marked} == {"MLPerf"}
    assert all("no figure of aibench is ranked against it" in each.note for each in marked)
    named = [e for e in FIGURES if "MLPerf" in f"{e.what}{e.source}{e.note}" or "MLPERF" in e.id]
    assert named == marked


# --- formulas


def test_formulas_by_hand() -> None:
    """Examples that can be done on paper."""
    assert block_size(20e9, 300_000) == pytest.approx(66_666.7)
    assert removed_share(4) == 0.75
    assert amdahl(0.3, math.inf) == pytest.approx(1 / 0.7)
    assert compute_utilisation(10**15, 10, 10**12, 10**11) == pytest.approx(1.0)
    assert no_failure(DAY, 100, 0.01) == pytest.approx(math.exp(-1))


@given(share=st.floats(0, 0.99), speedup=st.floats(1, 1e6))
def test_a_part_never_helps_more_than_it_is(share: float, speedup: float) -> None:
    """A faster part makes the whole faster, less than itself and less than leaving it out."""
    whole = amdahl(share, speedup)
    assert whole * (1 + 1e-12) >= 1
    assert whole <= speedup * (1 + 1e-12)
    assert whole <= amdahl(share, math.inf) * (1 + 1e-12)


def test_the_best_verified_result_is_a_verified_one() -> None:
    """Data sheets and papers are no bar for a claim, however large their figures are."""
    huge = [
        replace(e, value=1e15) if e.kind is ReferenceClass.VENDOR_DATASHEET else e for e in FIGURES
    ]
    asked = claim("HX-04")
    assert asked.kind is ClaimKind.BANDWIDTH
    assert implications(asked, CATALOGUE, huge) == implications(asked, CATALOGUE, FIGURES)


values = st.one_of(
    st.floats(0, 1e18, allow_nan=False), st.sampled_from([0, 1e-300, 1, 0.5, 10**18])
)
assumptions = st.dictionaries(
    st.sampled_from(
        ["bytes", "parameters", "flop", "accelerators", "peak_flop_per_second", "seconds",
         "nodes", "failures_per_node_day"]
    ),
    st.floats(-1e300, 1e300).map(lambda end: (end, end)),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(list(ClaimKind)),
    metric=st.sampled_from(["run_time", "time_saved", "preprocess_share", "cluster_utilisation"]),
    unit=st.sampled_from(["B/s", "op/s", "B", "ns", "share", "1", "points"]),
    value=values,
    told=assumptions,
    whole=st.booleans(),
)
def test_any_claim_can_be_looked_at(
    kind: ClaimKind, metric: str, unit: str, value: float, told: dict[str, Any], whole: bool
) -> None:
    """Whatever a claim file holds, its implications are sentences, and nothing fails."""
    strange = replace(
        claim("HX-01"), kind=kind, metric=metric, unit=unit, whole_system=whole,
        units_in_max_config=3, related=tuple(each.id for each in CATALOGUE),
        interpretations=(Interpretation(id="a", value=value), Interpretation(id="b", value=None)),
        model=ClusterModel(name="any", assumed=told),
    )  # fmt: skip
    for each in implications(strange, (*CATALOGUE, strange), FIGURES, build.system()):
        assert each.code
        assert each.message
