"""Equal digests asked for the same I/O; any other I/O has another digest."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aibench.model import CachePolicy
from tests import build
from tests.planning import Files, load, only, plan


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A directory for workload files."""
    return Files(tmp_path)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (load(title='"Another title"'), {}),
        (load(imitates='"Something else that reads files."'), {}),
        (load(), {"engine": "null"}),
        (load(), {"name": "another name"}),
        (load(), {"cpus": 64}),
        (load(), {"settings": ("files=1000", "size=4096B")}),
        (load(), {"target": build.target(path="/mnt/other", fstype="xfs")}),
        (load(files="500"), {"scale": 2.0}),
    ],
    ids=["title", "imitates", "engine", "name", "cores", "set", "target", "scale"],
)
def test_equal_io_has_the_equal_digest(files: Files, text: str, options: dict[str, Any]) -> None:
    """Titles, engines, machines and ways of asking don't change the digest."""
    assert plan(files(text), **options).digest == plan(files(load())).digest


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 2},
        {"repeats": 5},
        {"cache": CachePolicy.WARM},
        {"scale": 2.0},
        {"suite": "quick"},
        {"settings": ("size=8KiB",)},
        {"settings": ("workers=5",)},
        {"settings": ("threads=2",)},
        {"settings": ("batch=33",)},
        {"settings": ("order=sequential",)},
        {"settings": ("reader=lean",)},
        {"settings": ("files_per_directory=10",)},
    ],
    ids=str,
)
def test_other_io_has_another_digest(files: Files, options: dict[str, Any]) -> None:
    """The seed, sizes, counts, workers, order, reader, cache policy and repeats all count."""
    assert plan(files(load()), **options).digest != plan(files(load())).digest


def test_equal_data_is_found_again(files: Files) -> None:
    """The directory of a data set changes with its data and with nothing else."""
    one = only(plan(files(load()))).population.directory
    for setting in ("workers=9", "batch=3", "cache=warm", "order=sequential", "reader=lean"):
        assert only(plan(files(load()), settings=(setting,))).population.directory == one
    for setting in ("files=9", "size=8KiB", "files_per_directory=7"):
        assert only(plan(files(load()), settings=(setting,))).population.directory != one
    assert only(plan(files(load()), seed=2)).population.directory != one


def test_the_digest_is_stable() -> None:
    """A digest is a property of the plan alone, the same in every process and version."""
    asked = build.plan()
    assert asked.digest == replace(asked, name="other", estimated_ns=0).digest
    assert asked.digest == "a8fd6cd9c357ac168b516815ef92693961087d4f7d3ab33a15f519fb27eb6e61"


def test_a_sweep_has_a_digest_of_its_own(files: Files) -> None:
    """Levels and their hosts count; without a sweep a plan has the digest that it always had."""
    alone = plan(files(load()), settings=("workers=2",))
    sweep = plan(files(load()), sweeps=("workers=1,2",))
    hosts = [plan(files(load()), sweeps=(f"hosts={n}",), fleet=(1,) * 4) for n in ("1,2", "1,4")]
    assert len({each.digest for each in (alone, sweep, *hosts)}) == 4
    phase = replace(sweep.stages[0].measured[1], name="epoch", levels=())
    assert phase == alone.stages[0].measured[0]
