"""What measured rates would serve, by a guideline's tiers and by formula."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibench.definition.references import shipped_references
from aibench.generators.accelerators import PRESETS
from aibench.model import Estimate
from aibench.plausible import Demand, feeds, tier_fits
from aibench.units import parse_duration, parse_size

TIERS = shipped_references().tiers
DEMANDS = tuple(
    Demand(
        preset=name,
        accelerator=accelerator,
        batch=batch,
        sample_bytes=parse_size(preset.settings["size"]),
        compute_ns=parse_duration(time),
    )
    for name, preset in PRESETS.items()
    for accelerator, (batch, time) in preset.accelerators.items()
)


def rate(low: float, typical: float | None = None) -> Estimate:
    """A bandwidth with an interval from ``low`` up."""
    middle = typical or low * 1.02
    return Estimate(
        typical=middle, low=low, high=middle * 1.02, n=6, worst=low, best=middle, method="t"
    )


def times(read: Estimate | None, write: Estimate | None) -> dict[str, tuple[int, str]]:
    """How often each tier fits, and which direction limits it."""
    return {fit.tier.id: (fit.times, fit.limited_by) for fit in tier_fits(TIERS, read, write)}


def test_a_tier_is_met_exactly_at_its_figures() -> None:
    """Exactly what a tier asks serves it once; a millionth less in either direction does not."""
    assert times(rate(40e9), rate(20e9))["TIER-BETTER-SU"] == (1, "read")
    assert times(rate(40e9), rate(20e9 * 0.999999))["TIER-BETTER-SU"] == (0, "write")
    assert times(rate(40e9 * 0.999999), rate(20e9))["TIER-BETTER-SU"] == (0, "read")


def test_the_lower_end_of_the_interval_decides() -> None:
    """A typical rate above a tier does not serve it while the interval reaches below."""
    assert times(rate(39e9, 45e9), rate(50e9))["TIER-BETTER-SU"] == (0, "read")
    few = replace(rate(39e9, 45e9), low=None, high=None, worst=41e9)
    assert times(few, rate(50e9))["TIER-BETTER-SU"][0] == 1


def test_a_tier_is_told_for_nodes_and_accelerators() -> None:
    """A mount of 100 GB/s and 60 GB/s serves 6 and 8 scalable units, 2 and 0: by need."""
    found = {fit.tier.id: fit for fit in tier_fits(TIERS, rate(100e9), rate(60e9))}
    assert [found[f"TIER-{t}-SU"].times for t in ("GOOD", "BETTER", "BEST")] == [6, 2, 0]
    assert (found["TIER-BETTER-SU"].nodes, found["TIER-BETTER-SU"].accelerators) == (64, 512)
    assert (found["TIER-BEST-NODE"].nodes, found["TIER-BEST-NODE"].accelerators) == (2, 16)


def test_a_direction_that_was_not_measured_is_named() -> None:
    """Without writes a tier is judged by reads alone, and says that writes are missing."""
    assert {fit.missing for fit in tier_fits(TIERS, rate(1e9), None)} == {"write"}
    assert {fit.missing for fit in tier_fits(TIERS, None, rate(1e9))} == {"read"}
    assert tier_fits(TIERS, None, None) == ()


def test_the_guideline_per_accelerator() -> None:
    """The rows of a scalable unit are 0.059, 0.156 and 0.488 GB/s of reads an accelerator."""
    per = [tier.read / tier.accelerators / 1e9 for tier in TIERS if tier.scope == "scalable unit"]
    assert per == pytest.approx([0.0586, 0.15625, 0.48828], rel=1e-3)


@pytest.mark.parametrize(
    ("preset", "accelerator", "demand"),
    [("segmentation-3d", "h100", 3.18e9), ("segmentation-3d", "a100", 1.61e9),
     ("segmentation-3d", "b200", 6.33e9), ("image-classification", "h100", 205e6),
     ("image-classification", "a100", 105e6), ("cosmology", "h100", 808e6),
     ("cosmology", "a100", 513e6)],
)  # fmt: skip
def test_presets_take_what_public_texts_derive(
    preset: str, accelerator: str, demand: float
) -> None:
    """The demand of each training preset is batch x bytes / compute time."""
    (found,) = (d for d in DEMANDS if (d.preset, d.accelerator) == (preset, accelerator))
    assert found.rate == pytest.approx(demand, rel=0.005)


@given(st.floats(1e3, 1e13))
def test_what_is_fed_never_takes_more_than_there_is(low: float) -> None:
    """The accelerators that surely are fed fit into the lower end, and one more does not."""
    for fed in feeds(DEMANDS, rate(low)):
        need = fed.demand.rate
        assert fed.surely * need <= low * 1.0000001 < (fed.surely + 1) * need * 1.000001
        assert fed.surely <= fed.typically
