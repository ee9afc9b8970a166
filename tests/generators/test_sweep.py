"""Sweeps: one workload at several levels of a setting, as the phases of one stage."""

from pathlib import Path
from typing import Any

import pytest

from aibench.errors import AibenchError
from aibench.model import Level, Operation, Phase, Stage
from aibench.soundness import MOST_PHASES
from aibench.turns import turns
from tests.planning import NAMES, SAVE, Files, load, plan

BLOCK = """\
name = "block"
title = "Block"
imitates = "Large files, in order and not."
kind = "block"
repeats = 3

[params]
jobs = 2
file_size = "64MiB"
runtime = "1s"
"""
TRAIN = """\
name = "train"
title = "Train"
imitates = "Accelerators that take batches."
kind = "train"
repeats = 3

[params]
files = 400
size = "4KiB"
sizes = "fixed"
compute = "1ms"
batch = 2
loaders = 2
"""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A directory for workload files."""
    return Files(tmp_path)


def swept(files: Files, text: str, *sweeps: str, **options: Any) -> Stage:
    """The one stage of a workload that is swept."""
    (stage,) = plan(files(text), sweeps=sweeps, **options).stages
    return stage


def names(stage: Stage) -> list[str]:
    """The names of the measured phases."""
    return [phase.name for phase in stage.measured]


def directories(stage: Stage) -> list[str]:
    """Where the data sets lie that are prepared."""
    return [phase.population.directory for phase in stage.prepared]


def test_each_level_is_the_workload_with_that_setting(files: Files) -> None:
    """The levels are phases of one stage; name and data tell them, and all else is as set alone."""
    stage = swept(files, load(), "workers=1,2,4")
    assert names(stage) == ["epoch@workers=1", "epoch@workers=2", "epoch@workers=4"]
    assert [phase.processes for phase in stage.measured] == [1, 2, 4]
    assert [phase.question for phase in stage.measured] == ["epoch"] * 3
    assert stage.measured[2].levels == (Level(name="workers", value=4),)
    alone = plan(files(load()), settings=("workers=4",)).stages[0].measured[0]
    assert stage.measured[2].population == alone.population
    assert len(stage.prepared) == 1
    assert stage.prepared[0].processes == 4


def test_data_that_differs_lies_apart(files: Files) -> None:
    """Each number of jobs has files of its own; equal data is made once."""
    stage = swept(files, BLOCK, "jobs=1,2,4")
    assert len(set(directories(stage))) == 3
    assert [phase.name for phase in stage.prepared] == ["layout", "layout-2", "layout-3"]
    known = {phase.population.directory for phase in stage.prepared}
    assert {p.population.directory for p in stage.measured if p.population.persistent} == known
    shared = swept(files, BLOCK, "random_depth=1,8,32")
    assert directories(shared) == ["data/block"]


def test_what_a_level_does_not_change_is_left_out(files: Files) -> None:
    """The block of random reads is nothing to reads in order; a grid holds what each axis moves."""
    stage = swept(files, BLOCK, "random_block=4KiB,64KiB")
    assert names(stage) == [
        "rand-read@random_block=4KiB", "rand-write@random_block=4KiB",
        "rand-read@random_block=64KiB", "rand-write@random_block=64KiB",
    ]  # fmt: skip
    grid = swept(files, BLOCK, "random_block=4KiB,1MiB", "sequential_depth=1,8")
    assert "seq-read@sequential_depth=8" in names(grid)
    assert len(names(grid)) == 8
    both = swept(files, BLOCK, "random_block=4KiB,1MiB", "random_depth=1,8")
    assert "rand-read@random_block=1MiB,random_depth=8" in names(both)
    assert len(names(both)) == 8


def test_files_that_pass_from_phase_to_phase_stay_together(files: Files) -> None:
    """All phases over names are done at each level: each needs what the one before left."""
    stage = swept(files, NAMES, "workers=1,3")
    assert len(names(stage)) == 12
    assert [p.operation for p in stage.measured[:6]] == [p.operation for p in stage.measured[6:]]
    assert stage.measured[6].operation is Operation.CREATE


def test_accelerators_are_levels_by_their_own_names(files: Files) -> None:
    """A sweep over accelerators has the phases of a training with these levels, told as such."""
    stage = swept(files, TRAIN, "accelerators=1,2,4")
    assert names(stage) == ["accelerators-1", "accelerators-2", "accelerators-4"]
    assert [phase.levels[0].value for phase in stage.measured] == [1, 2, 4]
    grid = swept(files, TRAIN, "accelerators=1,2", "loaders=1,2")
    assert names(grid)[1] == "accelerators-1@loaders=2"
    assert len(grid.prepared) == 1


def test_hosts_are_a_level(files: Files) -> None:
    """With two ranks on each of three hosts a level is done by the first so many hosts."""
    stage = swept(files, load(), "hosts=1,3", fleet=(2, 2, 2))
    assert [(p.name, p.hosts) for p in stage.measured] == [
        ("epoch@hosts=1", 1), ("epoch@hosts=3", 3),
    ]  # fmt: skip
    assert stage.prepared[0].hosts == 0


def test_space_is_that_of_the_largest_level(files: Files) -> None:
    """Scratch files of one level are gone, or used again, when those of the next one come."""
    sweep = plan(files(SAVE), sweeps=("ranks=1,2,4",))
    largest = max(plan(files(SAVE), settings=(f"ranks={n}",)).space_bytes for n in (1, 2, 4))
    assert sweep.space_bytes == largest


def test_a_workload_file_may_hold_a_sweep(files: Files) -> None:
    """Its table is measured where no other sweep is asked for; what --set sets is not swept."""
    text = load() + '\n[sweep]\nworkers = [1, 2]\nsize = ["4KiB", "8KiB"]\n'
    assert "epoch@workers=2,size=8KiB" in names(swept(files, text))
    assert names(swept(files, text, settings=("size=4KiB",))) == [
        "epoch@workers=1", "epoch@workers=2",
    ]  # fmt: skip
    assert names(swept(files, text, "batch=1,2")) == ["epoch@batch=1", "epoch@batch=2"]
    with pytest.raises(
        AibenchError, match=r"0.toml:18: sweep: wrong: mine \(kind load\) has no such"
    ):
        swept(files, load() + "\n[sweep]\nwrong = [1, 2]\n")
    with pytest.raises(AibenchError, match=r"0.toml:18: sweep: .workers=1.: one level is no sweep"):
        swept(files, load() + "\n[sweep]\nworkers = [1]\n")


WRONG = {
    "workers": "write a setting and its levels",
    "workers=": "write a setting and its levels",
    "workers=1": "one level is no sweep",
    "workers=1,1": "each level stands there once",
    "workers=4096B,4KiB": "each level stands there once",
    "workers=0,1": "whole numbers from 1 on",
    "workers=1,-2": "whole numbers from 1 on",
    "workers=1,4k": "whole numbers from 1 on",
    "workers=1,4KiB": "not both",
    "workers=1,5000": "--sweep workers=5000 (mine): workers: has to be less than or equal to 1024",
    "wrong=1,2": "no such setting",
    "size=4KiB,0.5B": "not '0.5B'",
    "reader=1,2": "--sweep reader=1 (mine): reader",
    "hosts=1,2": "mpirun -n 2 --host HOST1,HOST2 aibench run TARGET ... --sweep hosts=1,2",
    "hosts=1B,2B": "hosts are counted",
    "python=1,2": "--sweep python=1 (mine)",
}


@pytest.mark.parametrize("text", list(WRONG))
def test_what_can_not_be_swept_is_refused(text: str, files: Files) -> None:
    """A refusal names the setting or the level, and says what would be right."""
    with pytest.raises(AibenchError) as error:
        plan(files(load()), sweeps=(text,))
    assert WRONG[text] in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "sweeps", "options", "words"),
    [
        (BLOCK, ("random_block=4KiB,128MiB,1GiB",), {},
         "random_block=128MiB (block): file: random_block of 128 MiB does not fit"),
        (BLOCK, ("jobs=1,2", "random_depth=1,2", "sequential_depth=1,2"), {}, "one setting, or"),
        (BLOCK, ("jobs=1,2", "jobs=1,2"), {}, "two different ones"),
        (TRAIN, ("accelerators=1,2",), {"settings": ("search=4",)}, "searches the number"),
        (TRAIN, ("persistent=1,2",), {}, "persistent"),
        (load(), ("files=10,20",), {"scale": 2.0}, "--scale multiplies files too"),
        (load(), ("workers=" + ",".join(map(str, range(1, 200))),), {}, "more than 128"),
        (load(), ("smallest=1KiB,2KiB",), {}, "changes nothing that mine measures"),
    ],
)  # fmt: skip
def test_what_a_workload_refuses_is_refused_by_level(
    text: str, sweeps: tuple[str, ...], options: dict[str, Any], words: str, files: Files
) -> None:
    """All mistakes of all levels come at once, each with the name of its level."""
    with pytest.raises(AibenchError) as error:
        plan(files(text), sweeps=sweeps, **options)
    assert words in str(error.value)


def test_a_plan_that_no_record_holds_is_refused(files: Files) -> None:
    """More phases than a record may have are refused before anything is measured."""
    grid = ("workers=" + ",".join(map(str, range(1, 17))), "threads=1,2,3,4,5,6,7,8")
    texts = [NAMES.replace('"names"', f'"names-{number}"') for number in range(2)]
    with pytest.raises(AibenchError, match=f"a record holds {MOST_PHASES}"):
        plan(files(*texts), sweeps=("workers=" + ",".join(map(str, range(1, 100))),))
    assert len(swept(files, load(), *grid).measured) == 128


def order(stage: Stage) -> list[list[Phase]]:
    """What is measured in each repeat, in order."""
    found: list[list[Phase]] = [[] for _ in range(stage.repeats)]
    for phase, repeat in turns(stage, []):
        found[repeat].append(phase)
    return found


def test_levels_stand_in_another_order_in_each_repeat(files: Files) -> None:
    """Each repeat has all levels once, phases of a level together; the seed decides the order."""
    sweep = ("workers=1,2,3,4",)
    stage = swept(files, NAMES, *sweep, repeats=6)
    repeats = order(stage)
    assert all(sorted(p.name for p in each) == sorted(names(stage)) for each in repeats)
    firsts = [tuple(p.levels[0].value for p in each[::6]) for each in repeats]
    assert len(set(firsts)) > 1
    assert all(p.levels == each[n - n % 6].levels for each in repeats for n, p in enumerate(each))
    assert [p.operation for p in repeats[3][:6]] == [p.operation for p in stage.measured[:6]]
    assert order(swept(files, NAMES, *sweep, repeats=6)) == repeats
    assert order(swept(files, NAMES, *sweep, repeats=6, seed=2)) != repeats


def test_two_engines_have_one_order(files: Files) -> None:
    """Where engines take turns, a repeat of one has the levels in the order of the other's."""
    made = plan(files(load()), sweeps=("workers=1,2,3,4",), engine="posix,null", repeats=5)
    first, second = (order(stage) for stage in made.stages)
    assert first == second
