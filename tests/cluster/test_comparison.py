"""Baseline against candidate: worked tables, caps, what a claim would need, properties."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibench.cluster import (
    Job,
    Storage,
    compared,
    least_loss,
    mtbf,
    needed_baseline,
    outcome,
    saved,
    utilisation_for,
)
from aibench.errors import Refused

HOUR = 3600.0


def values(**changes: Any) -> dict[str, float]:
    """1,250 nodes, 1T parameters, 20 GB/s; a candidate 4 times as fast that loads in an eighth."""
    return {
        "nodes": 1250,
        "failures_per_node_day": 6.5e-3,
        "parameters": 1e12,
        "bytes_per_parameter": 14,
        "fixed_restart": 900,
        "baseline_write": 20e9,
        "baseline_load": 600,
        "faster": 4,
        "load_faster": 8,
    } | changes


@pytest.mark.parametrize(
    ("nodes", "parameters", "gigabytes", "before", "after", "gain", "cap"),
    [
        (125, 100e9, 10, 0.935, 0.965, 0.032, 0.060),
        (125, 100e9, 100, 0.970, 0.983, 0.013, 0.022),
        (125, 1e12, 20, 0.871, 0.934, 0.071, 0.138),
        (1250, 175e9, 20, 0.735, 0.842, 0.147, 0.251),
        (1250, 1e12, 20, 0.553, 0.744, 0.347, 0.66),
        (1250, 1e12, 50, 0.666, 0.806, 0.210, 0.38),
        (1250, 1e12, 100, 0.725, 0.838, 0.155, 0.27),
        (2048, 5.68e12 / 14, 20, 0.556, 0.731, 0.314, 0.56),
    ],
)
def test_faster_checkpoints_and_loads(
    nodes: int, parameters: float, gigabytes: float, before: float, after: float, gain: float,
    cap: float,
) -> None:  # fmt: skip
    """Checkpoints 4 times and loads 8 times as fast gain 1 to 35 %, by model and baseline."""
    found = compared(values(nodes=nodes, parameters=parameters, baseline_write=gigabytes * 1e9))
    assert found.baseline.useful == pytest.approx(before, abs=6e-4)
    assert found.candidate.useful == pytest.approx(after, abs=6e-4)
    assert found.gain == pytest.approx(1 + gain, abs=6e-4)
    assert found.cap == pytest.approx(1 + cap, abs=6e-3)


def test_the_published_gain_and_its_cap() -> None:
    """At 20 GB/s the gain is 1.347, and no storage could gain more than 1.663."""
    found = compared(values())
    assert found.gain == pytest.approx(1.347, abs=5e-4)
    assert found.cap == pytest.approx(1.663, abs=5e-4)
    assert found.baseline.restart == pytest.approx(900 + 600 + 700)
    assert found.candidate.restart == pytest.approx(900 + 75 + 175)


@pytest.mark.parametrize(
    ("changes", "gain"),
    [
        ({"load": 75}, 0.051),
        ({"write": 400e9, "read": 400e9}, 0.099),
        ({"load": 75, "write": 400e9, "read": 400e9, "utilisation": 0.99}, 0.203),
    ],
)
def test_what_each_part_of_a_gain_is_due_to(changes: dict[str, float], gain: float) -> None:
    """Loads alone, checkpoints alone, and all with fewer stalls; ideal storage gains a third."""
    same = {"write": 100e9, "read": 100e9, "load": 600, "utilisation": 0.95}
    given = values()
    del given["faster"], given["load_faster"]
    given |= {f"baseline_{key}": value for key, value in same.items()}
    given |= {f"candidate_{key}": value for key, value in (same | changes).items()}
    found = compared(given)
    assert found.gain == pytest.approx(1 + gain, abs=6e-4)
    assert found.cap == pytest.approx(1.333, abs=6e-4)


@pytest.mark.parametrize(
    ("nodes", "parameters", "gigabytes", "stall", "before"),
    [
        (1250, 1e12, 25.5, 548, 0.587),
        (1250, 175e9, 4.5, 548, 0.587),
        (2048, 5.68e12 / 14, 22.0, 258, 0.567),
        (125, 1e12, 1.9, 7399, 0.618),
        (125, 100e9, 0.19, 7399, 0.618),
    ],
)
def test_the_baseline_that_thirty_percent_would_need(
    nodes: int, parameters: float, gigabytes: float, stall: float, before: float
) -> None:
    """+30 % needs a slow baseline: a checkpoint of 9 minutes on 10,000 cards, 2 hours on 1,000."""
    given = values(nodes=nodes, parameters=parameters)
    needed = needed_baseline(given, 1.3)
    assert needed is not None
    assert needed.bandwidth / 1e9 == pytest.approx(gigabytes, rel=0.01)
    assert needed.baseline.stall == pytest.approx(stall, abs=0.6)
    assert needed.baseline.useful == pytest.approx(before, abs=6e-4)
    there = compared(given | {"baseline_write": needed.bandwidth})
    assert there.gain == pytest.approx(1.3, rel=1e-6)


def test_a_baseline_that_no_bandwidth_gives() -> None:
    """A gain below 1 of something faster, or of a storage that is known and slow, has none."""
    assert needed_baseline(values(), 0.9) is None
    fixed = values(candidate_write=80e9, candidate_load=75)
    del fixed["faster"], fixed["load_faster"]
    needed = needed_baseline(fixed, 1.3)
    assert needed is not None
    assert compared(fixed | {"baseline_write": needed.bandwidth}).gain == pytest.approx(1.3)


def test_what_is_known_of_one_side_only() -> None:
    """Loads and utilisation that only one side tells are those of both, and gain nothing."""
    job = {"mtbf": 1e5, "checkpoint_bytes": 1e12, "fixed_restart": 300.0}
    both = job | {"baseline_write": 1e10, "candidate_write": 1e10}
    for known in ({"candidate_load": 900, "candidate_utilisation": 0.7}, {"baseline_load": 900}):
        found = compared(both | known)
        assert found.gain == 1
        assert found.baseline.restart == found.candidate.restart == 300 + 100 + 900
    factor = compared(both | {"baseline_load": 900, "load_faster": 9})
    assert factor.candidate.restart == 300 + 100 + 100


def test_a_gain_that_is_jumped_over() -> None:
    """Where the baseline stops to make progress the gain jumps, and what lies between is not there.

    Two equal storages never differ, however slow; a slightly faster one never gains a hundredfold.
    """
    assert needed_baseline(values(faster=1, load_faster=1), 1.3) is None
    assert needed_baseline(values(faster=1.01, load_faster=1), 100) is None


def test_hours_saved() -> None:
    """Bandwidth +50 % on 1,000 cards saves 4 hours a month; 28 need accelerators that wait less."""
    month, given = 720 * HOUR, values(nodes=125, parameters=100e9, baseline_write=33e9)
    del given["faster"], given["load_faster"]
    given |= {"baseline_read": 60e9, "candidate_write": 50e9, "candidate_read": 90e9}
    both = compared(given | {"candidate_load": 600.0})
    alone = saved(month, both.baseline.useful, both.candidate.useful)
    assert alone / HOUR == pytest.approx(4.06, abs=0.005)
    fewer_stalls = saved(month, 0.96 * both.baseline.useful, both.candidate.useful)
    assert fewer_stalls / HOUR == pytest.approx(35, abs=0.5)
    between = mtbf(125, 6.5e-3)
    simple = month * (
        least_loss(1.4e12 / 33e9, between, 1.4e12 / 60e9)
        - least_loss(1.4e12 / 50e9, between, 1.4e12 / 90e9)
    )
    assert simple / HOUR == pytest.approx(3.9, abs=0.05)
    assert 28 / (simple / month) == pytest.approx(5200 * HOUR / HOUR, rel=0.01)


@pytest.mark.parametrize(
    ("before", "after"), [(0.80, 0.826), (0.85, 0.879), (0.90, 0.933), (0.95, 0.986)]
)
def test_the_utilisation_that_saves_28_hours(before: float, after: float) -> None:
    """28 hours of a month need 2.6 to 3.6 points of utilisation, and saving is its inverse."""
    found = utilisation_for(28 * HOUR, 720 * HOUR, before)
    assert found == pytest.approx(after, abs=1e-3)
    assert found is not None
    assert saved(720 * HOUR, before, found) == pytest.approx(28 * HOUR)


def test_hours_that_no_storage_saves() -> None:
    """More hours than are lost can't be saved."""
    assert utilisation_for(40 * HOUR, 720 * HOUR, 0.99) is None


def test_where_nothing_progresses() -> None:
    """A restart longer than the time between failures makes no progress; gains are then unbounded.

    Where neither storage lets the job progress there is no gain to speak of.
    """
    job = Job(mtbf=1000, checkpoint_bytes=1e12, fixed_restart=100)
    found = outcome(job, Storage(write=1e9, read=1e9))
    assert (found.progresses, found.goodput, found.useful) == (False, 0.0, 0.0)
    slow = {"mtbf": 1000.0, "checkpoint_bytes": 1e12, "fixed_restart": 100.0}
    both = compared(slow | {"baseline_write": 1e9, "candidate_write": 1e11})
    assert both.gain == both.cap == math.inf
    neither = compared(slow | {"baseline_write": 1e8, "candidate_write": 1e9})
    assert neither.gain is None
    assert Job(mtbf=100, checkpoint_bytes=1, fixed_restart=101).ideal == 0


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"baseline_write": 0}, "write"),
        ({"baseline_write": -1}, "write"),
        ({"baseline_write": math.nan}, "write"),
        ({"baseline_write": math.inf}, "write"),
        ({"fixed_restart": -1}, "fixed_restart"),
        ({"baseline_load": math.nan}, "load"),
        ({"baseline_utilisation": 1.1}, "utilisation"),
        ({"baseline_utilisation": 0}, "utilisation"),
        ({"nodes": 0}, "nodes"),
        ({"parameters": math.inf}, "parameters"),
        ({"fan_out": 0}, "fan_out"),
        ({"load_faster": -2}, "load"),
        ({"baseline_interval": 0}, "interval"),
        ({"baseline_snapshot": -1}, "snapshot"),
    ],
)
def test_impossible_inputs_are_refused(changes: dict[str, float], word: str) -> None:
    """Each input that can't be is refused by its name."""
    with pytest.raises(Refused, match=word):
        compared(values(**changes))


@pytest.mark.parametrize("name", ["nodes", "parameters", "fixed_restart", "baseline_write"])
def test_missing_inputs_are_named(name: str) -> None:
    """What a job or a storage can't do without is asked for."""
    given = values()
    del given[name]
    with pytest.raises(Refused, match=f"{name} is missing"):
        compared(given)


@given(
    hours=st.floats(1, 1000), size=st.floats(1e9, 1e14), first=st.floats(1e8, 1e13),
    second=st.floats(1e8, 1e13), fixed=st.floats(0, 3000),
)  # fmt: skip
def test_properties(hours: float, size: float, first: float, second: float, fixed: float) -> None:
    """More bandwidth never loses, identity gains nothing, swapping inverts, the cap is the most."""
    job = {"mtbf": hours * HOUR, "checkpoint_bytes": size, "fixed_restart": fixed}
    slow, fast = sorted((first, second))
    found = compared(job | {"baseline_write": slow, "candidate_write": fast})
    back = compared(job | {"baseline_write": fast, "candidate_write": slow})
    same = compared(job | {"baseline_write": fast, "candidate_write": fast})
    assert found.candidate.goodput >= found.baseline.goodput
    if not found.candidate.progresses:
        assert same.gain is None
        return
    assert same.gain == 1
    assert 0 < found.candidate.goodput < 1
    if found.baseline.progresses:
        assert found.gain is not None
        assert found.cap is not None
        assert back.gain == pytest.approx(1 / found.gain)
        assert 1 <= found.gain <= found.cap
