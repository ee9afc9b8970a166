"""Named models: their ranges, their caps, and what a claim is against them."""

import math
from typing import Any

import pytest

from aibench.cluster import (
    MODELS,
    Projected,
    Range,
    amdahl,
    band,
    cache_speedup,
    checkpoint_bytes,
    demand,
    elapsed_utilisation,
    exactly,
    fed,
    pooled,
    project,
    relation,
    start_saving,
    step_stall,
    swings,
)
from aibench.errors import Refused

HOUR = 3600.0


def inputs(**changes: Any) -> dict[str, Range]:
    """1,000 cards that learn 100 billion parameters, from 100 GB/s; bandwidths 4 times that."""
    given = {
        "nodes": 125, "failures_per_node_day": 6.5e-3, "parameters": 100e9,
        "bytes_per_parameter": 14, "fixed_restart": 900, "baseline_write": 100e9,
        "baseline_load": 600, "faster": 4, "load_faster": 8,
    } | changes  # fmt: skip
    return {k: v if isinstance(v, Range) else exactly(float(v)) for k, v in given.items()}


def test_a_gain_beyond_ideal_storage() -> None:
    """+30 % on 1,000 cards with a fast baseline is more than ideal storage could do."""
    found = project("gain", inputs())
    assert found.typical == found.low == found.high == pytest.approx(1.0133, abs=1e-4)
    assert found.cap == pytest.approx(1.0223, abs=1e-4)
    assert relation(1.3, ">=", found) == "INCONSISTENT_BOUND"
    assert relation(1.02, ">=", found) == "INCONSISTENT"
    assert relation(1.013, ">=", found) == "CONSISTENT"
    assert relation(1.013, "=", found) == "INCONSISTENT"
    assert found.typical is not None
    assert relation(found.typical, "=", found) == "CONSISTENT"
    assert relation(found.typical, "<=", found) == "CONSISTENT"


def test_a_gain_within_the_range_of_what_is_not_known() -> None:
    """Where the baseline may be slow and the cluster large, +30 % is consistent."""
    wide = inputs(
        nodes=Range(low=125, typical=500, high=1250),
        parameters=1e12,
        baseline_write=Range(low=20e9, typical=50e9, high=100e9),
    )
    found = project("gain", wide)
    assert found.high == pytest.approx(1.347, abs=5e-4)
    assert found.cap == pytest.approx(1.663, abs=5e-4)
    assert relation(1.3, ">=", found) == "CONSISTENT"
    assert relation(1.5, ">=", found) == "INCONSISTENT"
    assert relation(1.7, ">=", found) == "INCONSISTENT_BOUND"


def test_a_range_that_reaches_where_nothing_progresses_has_no_upper_end() -> None:
    """A baseline that may make no progress leaves gains without bound; two leave none."""
    hopeless = inputs(
        nodes=1250, parameters=1e12, baseline_write=Range(low=1e9, typical=2e10, high=2e10)
    )
    found = project("gain", hopeless)
    assert found.high is None
    assert found.cap is None
    assert relation(100, ">=", found) == "CONSISTENT"
    with pytest.raises(Refused, match="neither"):
        project("gain", inputs(nodes=1250, parameters=1e12, baseline_write=1e8))


@pytest.mark.parametrize(
    ("model", "given", "typical", "cap"),
    [
        ("cache_speedup", {"cold": 0.33, "warm": 0.99}, 3.0, 1 / 0.33),
        ("cache_speedup", {"cold": 0.25, "epochs": 1}, 1.0, 4.0),
        ("amdahl", {"share": 0.3, "speedup": 1.3}, 1.074, 1.429),
        ("checkpoint_time", {"checkpoint_bytes": 140e12, "candidate_write": 50e9}, 2800, None),
        ("unbroken", {"duration": 30 * 86400, "mtbf": 29.5 * HOUR}, 2.51e-11, None),
        (
            "restart_time",
            {"mtbf": HOUR, "checkpoint_bytes": 1e12, "fixed_restart": 60, "candidate_write": 1e11},
            70, 60,
        ),
        (
            "useful_share",
            {"mtbf": 1e5, "checkpoint_bytes": 1.0, "fixed_restart": 0, "candidate_write": 1e9},
            1, 1,
        ),
    ],
)  # fmt: skip
def test_models(model: str, given: dict[str, float], typical: float, cap: float | None) -> None:
    """Each model gives the figure of its formula, and its cap."""
    found = project(model, {name: exactly(value) for name, value in given.items()})
    assert found.typical == pytest.approx(typical, rel=6e-3)
    assert found.cap == (None if cap is None else pytest.approx(cap, rel=1e-3))


def test_saved_time() -> None:
    """Hours saved are those between baseline and candidate, at most those of ideal storage."""
    found = project("saved_time", inputs(useful_time=720 * HOUR))
    assert found.typical is not None
    assert found.cap is not None
    assert 0 < found.typical < found.cap
    assert relation(28 * HOUR, ">=", found) == "INCONSISTENT_BOUND"


def test_points() -> None:
    """Read as points, a gain is the difference of the useful shares of the time."""
    found = project("points", inputs(nodes=1250, parameters=1e12, baseline_write=20e9))
    assert found.typical == pytest.approx(0.744 - 0.553, abs=2e-3)
    assert relation(0.3, ">=", found) == "INCONSISTENT"
    assert relation(0.4, ">=", found) == "INCONSISTENT_BOUND"


def test_speedups_by_formula() -> None:
    """Caches, stages and loads: 60 % can't come from preprocessing; tripling needs slow epochs."""
    assert amdahl(0.3, 1.3) == pytest.approx(1.074, abs=5e-4)
    assert amdahl(0.3, math.inf) == pytest.approx(1.429, abs=5e-4)
    assert amdahl(1.0, math.inf) == math.inf
    assert cache_speedup(0.33, 1.0) >= 3
    assert cache_speedup(0.25) == 4
    assert cache_speedup(0.25, 1.0, 1) == 1
    assert cache_speedup(0.25, 1.0, 1e9) == pytest.approx(4)
    assert start_saving(600, 8, 23, 720 * HOUR) == pytest.approx(525 * 24 / (720 * HOUR))
    assert checkpoint_bytes(405e9, 14) == pytest.approx(5.67e12)
    assert demand(1, 7, 146_600_628, 0.323) == pytest.approx(3.18e9, rel=2e-3)
    assert fed(1.59e9, 3.18e9) == 0.5
    assert fed(9e9, 3.18e9) == 1


def test_published_utilisation() -> None:
    """A model that took 25,000 accelerators 90 to 100 days computed at 32 to 35 % of their peak."""
    days = {n: elapsed_utilisation(2.15e25, 25_000, 312e12, n * 86400) for n in (90, 100)}
    assert days[90] == pytest.approx(0.354, abs=5e-4)
    assert days[100] == pytest.approx(0.319, abs=5e-4)
    assert pytest.approx(0.71, abs=5e-3) == 0.32 / 0.45
    ranges = {
        "flop": exactly(2.15e25), "accelerators": exactly(25_000),
        "peak_flop_per_second": exactly(312e12),
        "seconds": Range(low=90 * 86400, typical=95 * 86400, high=100 * 86400),
    }  # fmt: skip
    found = project("elapsed_utilisation", ranges)
    assert relation(0.36, "<=", found) == "CONSISTENT"
    assert relation(0.30, "<=", found) == "INCONSISTENT"


def test_waiting_and_sharing() -> None:
    """A step waits for what was not read ahead in time; shared accelerators are at most busy."""
    assert step_stall(1.0, 4, 0.2) == pytest.approx(0.05)
    assert step_stall(1.0, 8, 0.2) == 0
    assert pooled(0.4, 0.3) == pytest.approx(0.7)
    assert pooled(0.4, 0.3, 0.5) == 1


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: amdahl(0.3, 0), "speedup"),
        (lambda: amdahl(1.3, 2), "share"),
        (lambda: cache_speedup(0.0), "cold"),
        (lambda: cache_speedup(0.5, 1.0, 0.5), "epochs"),
        (lambda: Range(low=2, typical=1, high=3), "low over typical"),
        (lambda: Range(low=1, typical=math.nan, high=3), "low over typical"),
        (lambda: project("magic", {}), "no model 'magic'"),
        (lambda: project("amdahl", {"cold": exactly(1)}), "no input 'cold'"),
        (lambda: project("gain", {"nodes": exactly(5)}), "missing"),
        (lambda: project("amdahl", {"share": exactly(0.5)}), "missing"),
    ],
)
def test_what_can_not_be_is_refused(call: Any, word: str) -> None:
    """Impossible numbers, unknown models and inputs, and missing ones are refused by name."""
    with pytest.raises(Refused, match=word):
        call()


def test_an_unknown_sign_is_a_mistake_of_the_caller() -> None:
    """Only =, >= and <= are signs of a claim."""
    projected = Projected(model="gain", unit="1", low=1, typical=1, high=1, cap=None)
    with pytest.raises(ValueError, match="sign"):
        relation(1, "~", projected)


def test_bands_and_swings() -> None:
    """A band holds all corners and bends between them; swings come with the widest first."""
    given = {"a": Range(low=-1, typical=0.5, high=1), "b": Range(low=0, typical=1, high=10)}
    found = band(lambda v: v["a"] ** 2 + v["b"], given)
    assert (found.low, found.typical, found.high) == (pytest.approx(0.25), 1.25, 11)
    assert [swing.name for swing in swings(lambda v: v["a"] ** 2 + v["b"], given)] == ["b", "a"]
    bent = band(lambda v: v["a"] ** 2, {"a": Range(low=-1, typical=0.5, high=1)})
    assert bent.low == pytest.approx(0)


def test_many_ranges_are_not_looked_at_in_all_corners() -> None:
    """Twenty ranges take a thousand corners of the widest ten, not a million."""
    asked = 0

    def total(values: Any) -> float:
        nonlocal asked
        asked += 1
        return sum(values.values())

    given = {f"x{n}": Range(low=0, typical=1, high=n + 1) for n in range(20)}
    found = band(total, given)
    assert asked < 2000
    assert found.high == pytest.approx(sum(range(11, 21)) + 10)


def test_every_model_says_what_it_is() -> None:
    """Models have a sentence, a unit that reports know, and inputs."""
    for model in MODELS.values():
        assert model.says
        assert model.inputs
        assert model.unit in ("1", "share", "s")
