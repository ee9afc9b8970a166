"""The train kind: levels of emulated accelerators, and models that give the settings."""

import math
from typing import Any

import pytest

from aibench.definition.source import parse
from aibench.errors import DefinitionError
from aibench.formats.draws import size_classes
from aibench.generators.accelerators import PRESETS
from aibench.generators.kind import Request
from aibench.generators.train import KIND, Settings, spread
from aibench.model import Accelerators, CachePolicy, Operation, Phase
from aibench.planner import Options, make_plan
from aibench.training import demand
from aibench.workers.loops.feed import steps_asked
from tests import build
from tests.planning import Engines, Files

SMALL = {"files": 1000, "size": "10kB", "sizes": "fixed", "compute": "50ms", "batch": 10}


def every(settings: dict[str, Any], cpus: int = 4, **changes: Any) -> tuple[Phase, ...]:
    """The layout and all levels."""
    checked = parse(Settings, settings, "train.toml")
    return KIND.phases(checked, Request(workload="model", seed=3, cpus=cpus, **changes))


def test_a_phase_for_each_level() -> None:
    """After the layout each level is a cold, shuffled read by the loaders of its accelerators."""
    layout, *levels = every({**SMALL, "accelerators": [1, 3], "loaders": 2})
    assert (layout.operation, layout.measured) == (Operation.WRITE_FILES, False)
    assert [level.name for level in levels] == ["accelerators-1", "accelerators-3"]
    for count, level in zip((1, 3), levels, strict=True):
        asked = level.accelerators
        assert asked is not None
        assert (asked.count, asked.loaders, asked.prefetch, asked.compute_ns) == (
            count, 2, 2, 50_000_000,
        )  # fmt: skip
        assert (level.slots, level.operation) == (2 * count, Operation.READ_FILES)
        assert (level.cache, level.population) == (CachePolicy.COLD, layout.population)
        assert steps_asked(level, asked) == 100 // count
    assert demand(levels[1]) == 3 * 10 * 10_000 / 0.05


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_complete(name: str) -> None:
    """Each model has all that a workload needs, for each of its accelerators."""
    for accelerator, (batch, _) in PRESETS[name].accelerators.items():
        given = {"preset": name, "accelerator": accelerator, "accelerators": [1]}
        _, level = every(given)
        assert level.batch == batch
    _, level = every({"preset": name, "accelerators": [1], "batch": 3, "compute": "9ms"})
    asked = level.accelerators
    assert asked is not None
    assert (level.batch, asked.compute_ns) == (3, 9_000_000)  # one's own settings come first


@pytest.mark.parametrize(
    ("name", "accelerator", "rate"),
    [
        ("segmentation-3d", "a100", 1.61e9), ("segmentation-3d", "h100", 3.18e9),
        ("segmentation-3d", "b200", 6.33e9), ("image-classification", "a100", 105e6),
        ("image-classification", "h100", 205e6), ("cosmology", "a100", 513e6),
        ("cosmology", "h100", 808e6), ("object-detection", "b200", 163e6),
        ("object-detection", "mi355", 163e6),
    ],
)  # fmt: skip
def test_presets_demand_what_is_published(name: str, accelerator: str, rate: float) -> None:
    """Batch × mean bytes / compute time is the published demand of one accelerator."""
    _, level = every({"preset": name, "accelerator": accelerator, "accelerators": [1]})
    assert demand(level) == pytest.approx(rate, rel=0.005)


def test_sizes_have_the_published_spread() -> None:
    """A lognormal distribution has the mean and the standard deviation that a model gives."""
    for name, deviation in (("segmentation-3d", 68_341_808), ("cosmology", 71_311)):
        _, level = every({"preset": name, "accelerators": [1]})
        sizes = level.population.sizes
        classes = size_classes(sizes)
        assert classes.mean() == sizes.mean
        assert math.sqrt(classes.var()) == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"preset": "chess"}, "no preset 'chess'; known: segmentation-3d, "),
        ({"preset": "cosmology", "accelerator": "b200"}, "has no accelerator 'b200'; it has h100"),
        ({**SMALL, "accelerator": "h100"}, "without one, set 'compute'"),
        ({"files": 10}, "compute"),
        ({**SMALL, "compute": "2min"}, "compute"),
        ({**SMALL, "compute": "0s"}, "compute"),
        ({**SMALL, "accelerators": []}, "accelerators"),
        ({**SMALL, "search": 129}, "search"),
        ({**SMALL, "epochs": 2, "runtime": "9s"}, "not both"),
        ({**SMALL, "persistent": False}, "leave out persistent = false"),
        ({**SMALL, "compute_distribution": "cauchy"}, "compute_distribution"),
        ({**SMALL, "compute_times": ["9ms"], "compute_sigma": 0.1}, "no 'compute_sigma'"),
        ({**SMALL, "accelerators": [1, 1]}, "stands there once"),
        ({**SMALL, "workers": 3}, "unknown key"),
        ({**SMALL, "rates": ["9op/s"]}, "unknown key"),
    ],
)
def test_mistakes(settings: dict[str, Any], words: str) -> None:
    """What can't be meant is refused with what would be right."""
    with pytest.raises(DefinitionError, match=words):
        every(settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"accelerators": [51], "loaders": 1},
        {"format": "webdataset", "files": 7, "samples_per_file": 100, "accelerators": [2]},
    ],
)
def test_too_little_data(changes: dict[str, Any]) -> None:
    """With data for a single step, or fewer shards than loaders, nothing could be said."""
    with pytest.raises(ValueError, match=r"the data are enough for [01] steps"):
        every({**SMALL, **changes})


def test_a_shuffle_buffer_is_for_streams() -> None:
    """Readers that go from file to file in order shuffle in a buffer; the others have an order."""
    shards = {"format": "webdataset", "files": 40, "samples_per_file": 100, "buffer": 500}
    asked = every({**SMALL, **shards, "accelerators": [1]})[1].accelerators
    assert asked is not None
    assert asked.buffer == 500
    with pytest.raises(ValueError, match="has an order of samples, not a shuffle buffer"):
        every({**SMALL, "buffer": 500})


def test_epochs_are_steps_on_end() -> None:
    """Several epochs have as many times the steps; who does not live on is a process of its own."""
    _, level = every({**SMALL, "accelerators": [2], "epochs": 3, "loaders": 4, "persistent": False})
    asked = level.accelerators
    assert asked is not None
    assert steps_asked(level, asked) == 3 * 50
    assert (level.processes, level.threads) == (8, 1)
    _, level = every({**SMALL, "accelerators": [2], "epochs": 3, "loaders": 4})
    assert level.slots == 8
    assert level.processes < 9


def test_loaders_are_spread_over_processes() -> None:
    """About two processes a core, threads for the rest, and all of them have as many."""
    assert spread(32, 4) == (4, 8)
    assert spread(3, 8) == (3, 1)
    assert spread(12, 5) == (6, 2)
    assert spread(7, 4) == (7, 1)
    assert spread(31, 4) == (1, 31)
    phases = every({**SMALL, "accelerators": [8], "processes": 16}, cpus=64)
    assert (phases[1].processes, phases[1].threads) == (16, 2)


def test_compute_times_are_settings() -> None:
    """A mean with a distribution, or a list of times, whose mean is what counts as demand."""

    def asked(**changes: Any) -> Accelerators:
        found = every({**SMALL, "accelerators": [1], **changes})[1].accelerators
        assert found is not None
        return found

    assert asked().distribution == "fixed"
    drawn = asked(compute_sigma=0.3, compute_distribution="gamma")
    assert (drawn.distribution, drawn.sigma, drawn.compute_ns) == ("gamma", 0.3, 50_000_000)
    listed = asked(compute_times=["10ms", "40ms"])
    assert (listed.listed, listed.compute_ns) == ((10_000_000, 40_000_000), 25_000_000)


def test_a_search_has_all_levels_that_the_data_are_enough_for() -> None:
    """Levels go up one by one to the number asked for, or as far as the data allow two steps."""
    _, *levels = every({**SMALL, "search": 8, "loaders": 1})
    counts = [level.accelerators.count for level in levels if level.accelerators]
    assert counts == list(range(1, 9))
    assert all(level.accelerators and level.accelerators.searched == 8 for level in levels)
    _, *levels = every({**SMALL, "search": 100, "loaders": 1})
    assert len(levels) == 50
    with pytest.raises(ValueError, match="enough for 0 steps of 1 accelerators"):
        every({**SMALL, "search": 4, "files": 9})


def test_a_plan_of_a_search_is_bounded(tmp_path: Any) -> None:
    """A plan counts so many levels as a search may try, not all that it may choose from."""
    text = """\
name = "few"
title = "Few steps"
imitates = "As many accelerators as are fed."
kind = "train"
repeats = 2

[params]
files = 6400
size = "10kB"
sizes = "fixed"
compute = "500ms"
batch = 10
search = 64
steps = 20
"""
    options = Options(name="test", seed=1, cpus=2)
    plan = make_plan(Files(tmp_path)(text), options, Engines(), build.target())
    assert len(plan.stages[0].measured) == 64
    assert plan.estimated_ns < 2 * 15 * 20 * 500_000_000
    assert plan.estimated_ns > 2 * 14 * 9 * 500_000_000


def test_a_plan_counts_what_is_read(tmp_path: Any) -> None:
    """A plan reads what the steps need, and takes at least as long as they compute."""
    text = """\
name = "few"
title = "Few steps"
imitates = "Twenty steps of two accelerators."
kind = "train"
repeats = 2

[params]
files = 4000
size = "10kB"
sizes = "fixed"
compute = "500ms"
batch = 10
accelerators = [2]
steps = 20
"""
    options = Options(name="test", seed=1, cpus=2)
    plan = make_plan(Files(tmp_path)(text), options, Engines(), build.target())
    assert plan.read_bytes == 2 * 20 * 2 * 10 * 10_000
    assert plan.estimated_ns > 2 * 20 * 500_000_000
