"""Several engines do one workload in turns, on the same data, in one record."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aibench.cli import commands
from aibench.engines.null import NullEngine
from aibench.engines.posix import PosixEngine
from aibench.errors import AibenchError
from aibench.identity import identity
from aibench.model import CachePolicy, Sample, Stage
from tests import build
from tests.engines.test_torch import requires_torch
from tests.planning import SAVE, Files, load, plan
from tests.test_runner import DATA, layout, save
from tests.test_runner import Stage as Run

#: Ten files, in one small workload of each sort.
TEXT = load(files="60", size='"4KiB"', workers="2", batch="4")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Makes workload files."""
    return Files(tmp_path)


def test_each_workload_is_planned_for_each_engine(files: Files) -> None:
    """The first engine has the workload under its name, others under theirs, on one data set."""
    made = plan(files(load(), SAVE), engine="posix, other")
    told = [(stage.workload, stage.engine, stage.beside) for stage in made.stages]
    assert told == [
        ("mine", "posix", ""), ("mine-other", "other", "mine"),
        ("save", "posix", ""), ("save-other", "other", "save"),
    ]  # fmt: skip
    assert made.stages[0].phases == made.stages[1].phases
    alone = plan(files(load(), SAVE), engine="posix")
    assert made.space_bytes == alone.space_bytes
    assert made.read_bytes == 2 * alone.read_bytes


def test_an_engine_that_refuses_leaves_the_other_alone(files: Files) -> None:
    """What one can't do the other does all the same."""
    made = plan(files(load()), engines={"posix": PosixEngine(), "null": NullEngine()},
                engine="posix,null", cache=CachePolicy.DIRECT)  # fmt: skip
    assert [stage.refusal is None for stage in made.stages] == [True, True]
    other = plan(files(SAVE), engines={"posix": PosixEngine(), "fio": _Refusing()},
                 engine="posix,fio")  # fmt: skip
    assert [stage.refusal for stage in other.stages] == [None, "can't do that"]


class _Refusing(NullEngine):
    """Refuses everything."""

    def refusal(self, *_: Any) -> str | None:
        """Always."""
        return "can't do that"


def beside(**changes: Any) -> tuple[Stage, Stage]:
    """A load and a save by posix, and the same by null, three times."""
    first = build.stage(phases=(layout(), build.phase(population=DATA), save()), **changes)
    return first, build.stage(
        phases=first.phases, workload="load-demo-null", engine="null", beside="load-demo"
    )


def told(samples: list[Sample]) -> list[str]:
    """Engine (by its workload), phase and repeat of samples, short."""
    return [f"{s.workload.removeprefix('load-demo')}{s.phase} {s.repeat}" for s in samples]


def test_engines_take_turns_and_so_does_who_goes_first(tmp_path: Path) -> None:
    """A whole repeat of one, then of the other; nothing of a drift is on one side alone."""
    stage = Run(tmp_path)
    stage.runner.member.engines["null"] = NullEngine()  # type: ignore[index]
    samples = list(stage.runner.run(build.plan(*beside())))
    assert told(samples) == [
        "read 0", "save 0", "-nullread 0", "-nullsave 0",
        "-nullread 1", "-nullsave 1", "read 1", "save 1",
        "read 2", "save 2", "-nullread 2", "-nullsave 2",
    ]  # fmt: skip
    assert sum(step.purpose == "prepare" for step in stage.steps) == 1
    kept = [sample for sample in samples if sample.repeat != 1][:5]
    again = list(stage.runner.run(build.plan(*beside()), kept))
    assert sorted(told([*kept, *again])) == sorted(told(samples))
    assert not stage.scratch.exists()


def test_a_series_does_not_depend_on_what_was_beside() -> None:
    """History goes on whether an engine was asked for alone, or with another one."""
    record = build.record()
    _, second = beside()
    alone = build.stage(phases=second.phases, engine="null")
    ids = [identity(record, stage, stage.measured[0]).series for stage in (second, alone)]
    assert ids[0] == ids[1]


def call(*arguments: str | Path) -> Result:
    """A command in this process."""
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("engines", "words"),
    [
        ("posix,nothing", "no engine 'nothing'"),
        ("posix,posix", "each engine once"),
        ("posix,", "''"),
    ],
)
def test_a_wrong_list_of_engines_is_refused(engines: str, words: str, tmp_path: Path) -> None:
    """Every name has to be an engine, and each comes once."""
    result = call("plan", tmp_path, "-w", "load-4k", "--engine", engines)
    assert isinstance(result.exception, AibenchError)
    assert words in str(result.exception)


@requires_torch
@pytest.mark.parametrize("kind", ["load", "save"])
def test_the_real_thing_beside_the_emulation(
    kind: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One data set, one record with both engines, a ratio, and data that verifies."""
    monkeypatch.setenv("AIBENCH_RESULTS", str(tmp_path / "results"))
    files(TEXT if kind == "load" else SAVE + 'format = "torch"\n')
    target = tmp_path / "target"
    target.mkdir()
    result = call(
        "run", target, "-w", tmp_path / "0.toml", "--engine", "posix,torch", "--repeats", "2",
        "--json", "--claims", "H3C", *(["--cache", "warm"] if kind == "load" else []),
    )  # fmt: skip
    assert result.exit_code in (0, 3), result.output
    found = json.loads(result.stdout)
    first, second = found["workloads"]
    assert (first["engine"], second["engine"]) == ("posix", "torch")
    assert second["engine_version"].startswith("torch ")
    assert second["beside"]["workload"] == first["name"]
    ratios = {row["metric"]: row for row in second["beside"]["ratios"]}
    assert ("read_bandwidth" if kind == "load" else "durable_time") in ratios
    assert all(row["n"] == 2 and row["ratio"] > 0 for row in ratios.values())
    assert all(phase["repeats"]["counted"] == 2 for phase in second["phases"])
    assert call("verify", target).exit_code == 0
    assert not (target / "aibench-data" / "scratch").exists()
