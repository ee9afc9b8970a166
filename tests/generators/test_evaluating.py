"""Evaluations of a training: their data, who reads them, and what can't be."""

from pathlib import Path
from typing import Any

import pytest

from aibench.errors import DefinitionError
from aibench.model import Order
from aibench.planner import Options, make_plan
from aibench.workers.loops.feed import steps_asked
from tests import build
from tests.generators.test_train import SMALL, every
from tests.planning import Engines, Files


def test_evaluations_have_data_of_their_own() -> None:
    """Other files are laid out, and all loaders of a level read them in their order, in a third."""
    asked = {"every": 4, "files": 200, "batches": 5}
    settings = {**SMALL, "accelerators": [1, 2], "loaders": 2, "evaluation": asked}
    layout, other, *levels = every(settings)
    assert (layout.name, other.name, other.measured) == ("layout", "layout-validation", False)
    assert other.population.directory != layout.population.directory
    assert (other.population.files, other.population.sizes) == (200, layout.population.sizes)
    assert other.population.seed != layout.population.seed
    for count, level in zip((1, 2), levels, strict=True):
        read, own = level.evaluation, level.accelerators
        assert read is not None
        assert own is not None
        assert read.accelerators is not None
        assert (own.evaluate_every, read.population, read.batch) == (4, other.population, 10)
        assert (read.order, read.slots) == (Order.SEQUENTIAL, 2 * count)
        assert steps_asked(read, read.accelerators) == 5
        assert read.accelerators.compute_ns == 50_000_000 // 3
    _, _, level = every({**settings, "accelerators": [2], "evaluation": {**asked, "batches": 0}})
    assert level.evaluation is not None
    assert level.evaluation.accelerators is not None
    assert steps_asked(level.evaluation, level.evaluation.accelerators) == 10
    _, _, level = every({**settings, "accelerators": [2], "evaluation_scale": 2.0})
    assert level.evaluation is not None
    assert level.evaluation.population.files == 400


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"evaluation": {"every": 200, "files": 100}}, "no evaluation after each 200 of 100 steps"),
        ({"evaluation": {"every": 5, "files": 9}}, "has 1 batches of 10 .* enough for 0"),
        ({"evaluation": {"every": 5, "files": 99, "batches": 10}}, "has 10 batches .* for 9"),
        ({"evaluation": {"every": 5}}, "files"),
        ({"evaluation": {"every": 5, "files": 99}, "barrier": False}, "end steps together"),
        ({"evaluation": {"every": 5, "files": 99}, "search": 8}, "loading alone"),
        ({"evaluation": {"every": 5, "files": 99}, "persistent": False, "epochs": 2}, "live on"),
    ],
)
def test_evaluations_that_can_not_be(settings: dict[str, Any], message: str) -> None:
    """What is wrong with evaluations is told before anything is written."""
    with pytest.raises((DefinitionError, ValueError), match=message):
        every({**SMALL, "accelerators": [1], **settings})


def test_a_plan_counts_what_evaluations_read(tmp_path: Path) -> None:
    """Bytes to read, space and memory have the other data in them, once for each evaluation."""
    text = """\
name = "model"
title = "Model"
imitates = "A model that is evaluated now and then."
kind = "train"
repeats = 3

[params]
files = 1000
size = "10kB"
sizes = "fixed"
compute = "500ms"
batch = 10
accelerators = [1]
steps = 9
"""
    more = text + "evaluation = { every = 4, files = 100 }\n"
    options = Options(name="test", seed=1, cpus=2)
    alone, both = (
        make_plan(Files(tmp_path)(each), options, Engines(), build.target())
        for each in (text, more)
    )
    assert both.read_bytes - alone.read_bytes == 3 * 2 * 100 * 10_000
    assert both.space_bytes - alone.space_bytes >= 100 * 10_000
    assert both.memory_bytes > alone.memory_bytes
    assert both.estimated_ns - alone.estimated_ns >= 3 * 2 * 10 * 500_000_000 // 3
