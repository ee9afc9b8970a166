"""Workload files: the shipped ones, those of users, and every mistake with its place."""

from pathlib import Path

import pytest

from aibench.definition import library
from aibench.definition.workloads import (
    find_suite,
    find_workload,
    load_workload,
    shipped_workloads,
    suite_names,
)
from aibench.errors import DefinitionError, Refused
from aibench.model import READS, CachePolicy
from aibench.planner import Options, make_plan
from tests import build
from tests.planning import Engines

MINIMAL = """\
name = "mine"
title = "My own data set"
imitates = "The loader that we run every night."
kind = "load"
"""


def written(directory: Path, text: str, name: str = "mine.toml") -> Path:
    """A workload file with ``text``."""
    path = directory / name
    path.write_text(text)
    return path


def mistakes(directory: Path, text: str) -> list[str]:
    """What is wrong with a workload file, without its directory."""
    with pytest.raises(DefinitionError) as wrong:
        load_workload(written(directory, text))
    return [line.removeprefix(f"{directory}/") for line in wrong.value.mistakes]


def test_a_workload_needs_little(tmp_path: Path) -> None:
    """A name, a title, what it imitates and a kind are enough: everything else has a default."""
    workload = load_workload(written(tmp_path, MINIMAL)).workload
    assert (workload.name, workload.kind, workload.suites) == ("mine", "load", ())
    assert workload.repeats == 6  # what a 95 % interval of the median needs
    assert workload.params == {}


def test_all_mistakes_come_at_once_with_their_lines(tmp_path: Path) -> None:
    """Every mistake of the outer form is told in one go, with its line and what would be right."""
    text = """\
name = "Not A Name"
title = ""
imitates = "short"
kind = "load"
repeats = 0
colour = "red"
suites = "quick"
"""
    found = mistakes(tmp_path, text)
    assert [line.partition(": ")[0] for line in found] == [
        "mine.toml:1", "mine.toml:2", "mine.toml:3", "mine.toml:7", "mine.toml:5", "mine.toml:6",
    ]  # fmt: skip
    assert found[-1] == (
        "mine.toml:6: colour: unknown key; known: imitates, kind, name, params, repeats, suite, "
        "suites, sweep, title"
    )
    assert "greater than or equal to 1, not 0" in found[4]


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    """What a workload has to have and lacks is named."""
    assert mistakes(tmp_path, MINIMAL.replace("title", "#")) == ["mine.toml: title: is missing"]


def test_a_mistyped_suite_is_a_mistake(tmp_path: Path) -> None:
    """Settings for a suite that the workload is not in would never apply, so they are a mistake."""
    text = 'suites = ["quick", "full"]\n[suite.quick]\nfiles = 1\n[suite.ful]\nfiles = 2\n'
    assert mistakes(tmp_path, MINIMAL + text) == [
        "mine.toml:8: suite.ful: is not among the suites of this workload; listed: quick, full"
    ]


@pytest.mark.parametrize(
    ("raw", "words"),
    [(b"name = ", "mine.toml: Invalid value"), (b"\xff\xfe", "mine.toml: 'utf-8' codec"),
     (b"a = 1\na = 2\n", "Cannot overwrite a value")],
)  # fmt: skip
def test_what_is_no_toml_is_named(tmp_path: Path, raw: bytes, words: str) -> None:
    """A file that is not TOML is a mistake of the file, not a crash."""
    path = tmp_path / "mine.toml"
    path.write_bytes(raw)
    with pytest.raises(DefinitionError, match=words):
        load_workload(path)


def test_a_workload_is_found_by_name_or_by_path(tmp_path: Path) -> None:
    """A plain name is a shipped workload, a path with .toml is any file."""
    assert find_workload("load-4k").workload.name == "load-4k"
    assert find_workload(str(written(tmp_path, MINIMAL))).workload.name == "mine"
    with pytest.raises(Refused, match=r"no workload 'load-5k'; shipped: block, .*load-4k"):
        find_workload("load-5k")
    with pytest.raises(Refused, match=r"gone\.toml: no such file"):
        find_workload(str(tmp_path / "gone.toml"))


def test_suites_run_in_the_order_in_which_one_reads() -> None:
    """A suite loads, trains, saves and resumes first, and measures blocks and names last."""
    assert set(suite_names()) == {"quick", "standard", "full"}
    order = [
        "load", "train", "checkpoint_save", "checkpoint_load", "ingest", "preprocess", "serve",
        "block", "metadata",
    ]  # fmt: skip
    for suite in suite_names():
        kinds = [file.workload.kind for file in find_suite(suite)]
        assert list(dict.fromkeys(kinds)) == [kind for kind in order if kind in kinds]
        assert len(set(kinds)) == len(order) or suite == "quick"
    with pytest.raises(Refused, match="no suite 'slow'; known: quick, standard, full"):
        find_suite("slow")


@pytest.mark.parametrize("file", shipped_workloads(), ids=lambda file: file.workload.name)
@pytest.mark.parametrize("suite", [None, "quick", "standard", "full"])
def test_shipped_workloads_are_valid_in_every_suite(file: object, suite: str | None) -> None:
    """Every shipped workload can be planned in every suite, and says what it imitates."""
    options = Options(name="test", seed=1, cpus=2, suite=suite)
    plan = make_plan([file], options, Engines(), build.target())  # type: ignore[list-item]
    (stage,) = plan.stages
    assert stage.measured
    assert len(stage.imitates) > 60
    if suite == "quick" and suite in file.workload.suites:  # type: ignore[attr-defined]
        assert stage.repeats == 3
    for phase in stage.measured:
        cold = phase.cache in (CachePolicy.COLD, CachePolicy.DIRECT)
        assert cold or phase.operation not in READS


def test_shipped_files_are_named_by_their_workloads() -> None:
    """A shipped workload lies in the file of its name, and names are unique."""
    names = [file.workload.name for file in shipped_workloads()]
    assert len(set(names)) == len(names)
    assert [path.stem for path in library.files("workloads")] == names
    assert all(file.path == f"workloads/{file.workload.name}.toml" for file in shipped_workloads())


def test_the_imagenet_workload_has_imagenets_mean() -> None:
    """The photographs have the published mean of 114,660 B, and the full suite as many files."""
    options = Options(name="test", seed=1, cpus=2, suite="full")
    plan = make_plan([find_workload("load-imagenet")], options, Engines(), build.target())
    population = plan.stages[0].measured[0].population
    assert (population.files, population.sizes.mean) == (1_281_167, 114_660)
