"""Checkpoints of a training: how many, what stops for them, and that they are saved alone too."""

from typing import Any

import pytest

from aibench.definition.source import parse
from aibench.errors import DefinitionError
from aibench.generators.kind import Request
from aibench.generators.train import KIND, Settings
from aibench.model import Operation, Phase, SyncPolicy
from aibench.planner import Options, make_plan
from tests import build
from tests.planning import Engines, Files

DATA = {"files": 1000, "size": "10kB", "sizes": "fixed", "compute": "50ms", "batch": 10}
SAVED = {"every": 10, "parameters": 1_000_000, "ranks": 2, "shards": 2}


def every(checkpoint: dict[str, Any] | None = None, **changes: Any) -> tuple[Phase, ...]:
    """The layout, checkpoints alone, and all levels."""
    saved = {**SAVED, **(checkpoint or {})}
    settings = {**DATA, "accelerators": [1, 2], "loaders": 1, "checkpoint": saved, **changes}
    checked = parse(Settings, settings, "train.toml")
    return KIND.phases(checked, Request(workload="model", seed=3, cpus=4))


def test_checkpoints_are_saved_alone_and_meanwhile() -> None:
    """After each so many steps but the last; as many, of the same files, are saved alone before."""
    _, alone, one, two = every()
    assert (alone.name, alone.operation) == ("checkpoint-alone", Operation.SAVE_SHARDS)
    for level, checkpoints in ((one, 9), (two, 4)):  # of 100 and of 50 steps
        assert level.accelerators is not None
        assert level.saving is not None
        assert level.accelerators.save_every == 10
        assert (level.saving.checkpoints, level.saving.slots) == (checkpoints, 2)
        assert level.saving.population.files == 5 * checkpoints  # and what marks each
        assert (level.saving.keep, level.saving.marked) == (2, True)
        assert level.saving.population.directory == alone.population.directory
    assert alone.population == one.saving.population  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("mode", "until", "snapshot"),
    [("sync", "blocked", False), ("durable", "durable", False), ("async", "blocked", True)],
)
def test_what_accelerators_stop_for(mode: str, until: str, snapshot: bool) -> None:
    """Until the trainer could go on, until it is durable, or until the state is copied."""
    level = every({"mode": mode})[2]
    assert level.accelerators is not None
    assert level.saving is not None
    assert (level.accelerators.save_until, level.saving.snapshot) == (until, snapshot)


def test_how_many_in_a_given_time() -> None:
    """A phase bounded in time has as many as its steps could be, or its number of steps."""
    level = every(runtime="10s")[2]
    assert level.saving is not None
    assert level.saving.checkpoints == 20  # 10 s of 50 ms are 200 steps, and one more begins
    level = every(runtime="10s", steps=35)[2]
    assert level.saving is not None
    assert level.saving.checkpoints == 3


def test_checkpoints_are_in_the_way_of_a_library() -> None:
    """All formats of checkpoints can be saved meanwhile, and their files scaled."""
    level = every({"format": "dcp"}, checkpoint_scale=0.5)[2]
    assert level.saving is not None
    assert level.saving.population.format == "dcp"
    assert level.saving.sync is SyncPolicy.END
    assert level.saving.population.sizes.largest > 0
    assert sum(n * size for n, size in level.saving.population.sizes.listed) == 9 * 7_000_000


@pytest.mark.parametrize(
    ("checkpoint", "changes", "words"),
    [
        ({"every": 0}, {}, "every"),
        ({"mode": "later"}, {}, "mode"),
        ({"snapshot": True}, {}, "snapshot: a training decides that itself"),
        ({"checkpoints": 3, "read_back": True}, {}, "checkpoints, read_back: a training decides"),
        ({"mode": "durable", "sync": "none"}, {}, "never durable"),
        ({"mode": "async", "parameters": 10**10}, {}, "make it smaller"),
        ({}, {"barrier": False}, "end steps together"),
        ({}, {"search": 4}, "a search is for loading alone"),
        ({"shard": 3}, {}, "unknown key"),
    ],
)
def test_mistakes(checkpoint: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    """What can't be meant is refused with what would be right."""
    with pytest.raises(DefinitionError, match=words):
        every(checkpoint, **changes)


def test_too_few_or_too_many() -> None:
    """Where none would come, or more than can be told apart, it is said what would be right."""
    with pytest.raises(ValueError, match="after each 100 of 100 steps of 1 accelerators"):
        every({"every": 100})
    with pytest.raises(ValueError, match="1199 checkpoints are more than 1000"):
        every({"every": 1}, files=12_000)


def test_a_plan_counts_what_is_written(tmp_path: Any) -> None:
    """Writing, space and memory of checkpoints are part of the plan."""
    text = """\
name = "few"
title = "Few steps"
imitates = "Two accelerators that save."
kind = "train"
repeats = 2

[params]
files = 1000
size = "10kB"
sizes = "fixed"
compute = "50ms"
batch = 10
accelerators = [2]
loaders = 1
steps = 25
checkpoint = { every = 10, parameters = 1_000_000, ranks = 2, shards = 1, keep = 1 }
"""
    options = Options(name="test", seed=1, cpus=2)
    plan = make_plan(Files(tmp_path)(text), options, Engines(), build.target())
    each = 14_000_064
    assert plan.write_bytes == 10_000_000 + 2 * 2 * 2 * each  # data; alone and meanwhile
    assert plan.space_bytes == pytest.approx(10_000_000 + 2 * each, rel=0.2)
    assert plan.stages[0].measured[1].saving is not None
