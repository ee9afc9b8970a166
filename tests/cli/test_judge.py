"""``aibench judge`` with several records, a baseline, and claims that the print leaves open."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aibench.cli import commands
from aibench.errors import AibenchError
from aibench.model import Ceiling, RunRecord, WorkerResult
from aibench.store import Writer
from tests import build

MINUTE = 60 * 10**9
RATIO = """
[[claims]]
id = "X-8"
title = "Reading is eight times as fast"
vendor = "Example"
product = "One"
kind = "ratio"
quote = "8x"
source = "a leaflet"
date = "2026"
metric = "read_bandwidth"
direction = ">="
phases = ["load/read"]
interpretations = [{ id = "times-8", value = 8 }, { id = "plus-8", value = 9 }]
"""
SYSTEM = 'vendor = "Example"\nproduct = "One"\nunit = "device"\nunits = 1\n'


def call(*arguments: str | Path) -> Result:
    """A command in this process."""
    return CliRunner().invoke(commands, ["judge", *map(str, arguments)])


def recorded(folder: Path, name: str, rates: Sequence[float], **changes: Any) -> Path:
    """A record of runs of a minute at those rates in MB/s, on disk."""
    ceiling = Ceiling(operations=10**9, bytes=10**15, elapsed_ns=10**9)
    workers = tuple(
        WorkerResult(host=f"client{n}", process=n, thread=0, operations=1, bytes=1, start_ns=0,
                     end_ns=MINUTE)
        for n in range(2)
    )  # fmt: skip
    samples = [
        build.sample(n, ceiling=ceiling, measurement=build.measurement(
            elapsed_ns=MINUTE, bytes=int(rate * 60 * 10**6), last_done_ns=MINUTE, series=None,
            workers=workers))
        for n, rate in enumerate(rates)
    ]  # fmt: skip
    record: RunRecord = build.record(*samples, run_id=name, **changes)
    writer = Writer(str(folder), record)
    for sample in record.samples:
        writer.add(sample)
    writer.finish()
    return Path(writer.path)


@pytest.fixture
def about(tmp_path: Path) -> list[str | Path]:
    """The claim, and the system that it is about."""
    (tmp_path / "claims.toml").write_text(RATIO)
    (tmp_path / "system.toml").write_text(SYSTEM)
    return ["--claims", tmp_path / "claims.toml", "--system", tmp_path / "system.toml"]


@pytest.mark.parametrize(
    ("rate", "code", "words"),
    [(100.0, 0, ["met", "met"]), (80.0, 3, ["not met", "met"]), (40.0, 1, ["not met", "not met"])],
)
def test_a_baseline_makes_a_ratio_testable(
    tmp_path: Path, about: list[str | Path], rate: float, code: int, words: list[str]
) -> None:
    """Both readings met ends with 0, neither with 1, and a print of which one is met with 3."""
    new = [recorded(tmp_path, f"new{n}", [rate] * 3) for n in range(2)]
    old = [recorded(tmp_path, f"old{n}", [10.0] * 3) for n in range(2)]
    result = call(*new, "--baseline", *old, *about, "--json")
    assert result.exit_code == code, result.output
    document = json.loads(result.stdout)
    assert [row["word"] for row in document["verdicts"]] == words
    assert document["system"]["product"] == "One"
    first = document["verdicts"][0]
    assert first["measured"]["typical"] == pytest.approx(rate / 10)
    assert first["baseline"]["printed"] == "10.0 MB/s"
    assert first["aggregate"]["printed"] == f"{rate:.3g}{'' if rate > 99 else '.0'} MB/s"
    shown = call(*new, "--baseline", *old, *about).output
    assert "over 10.0 MB/s" in " ".join(shown.split())


def test_the_labels_of_a_duel_survive_on_disk(tmp_path: Path, about: list[str | Path]) -> None:
    """Records of a duel are compared pair by pair, as their headers say."""
    sides: dict[str, list[Path]] = {"a": [], "b": []}
    for pair, rate in enumerate((10.0, 20.0, 40.0), start=1):
        for side, factor in (("a", 10), ("b", 1)):
            labels = {"duel": "d", "pair": str(pair), "side": side}
            sides[side].append(
                recorded(tmp_path, f"{pair}{side}", [rate * factor], labels=labels,
                         plan=build.plan(seed=pair))
            )  # fmt: skip
    result = call(*sides["a"], "--baseline", *sides["b"], *about, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["verdicts"][0]["n"] == 3


def test_without_a_baseline_the_next_step_names_it(tmp_path: Path, about: list[str | Path]) -> None:
    """A ratio alone is not testable, which is no failure, and the report says what to do."""
    result = call(recorded(tmp_path, "new", [80.0] * 3), *about)
    assert result.exit_code == 0
    assert "--baseline RUN" in " ".join(result.output.split())


@pytest.mark.parametrize("where", ["twice", "both sides"])
def test_a_run_counts_once(tmp_path: Path, about: list[str | Path], where: str) -> None:
    """The same record twice, or as its own baseline, is refused by its path."""
    run = recorded(tmp_path, "new", [80.0] * 3)
    given = [run, run] if where == "twice" else [run, "--baseline", run]
    result = call(*given, *about)
    assert isinstance(result.exception, AibenchError)
    assert result.exception.exit_code == 2
    assert "new.jsonl" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "Missing argument 'RUN...'"), (["--baseline"], "requires an argument"),
     (["--baseline", "x", "y"], "Missing argument 'RUN...'"),
     (["x", "--baseline", "--json"], "requires an argument"),
     (["x", "--baseline="], "requires an argument")],
)  # fmt: skip
def test_sides_that_are_not_given_are_named(arguments: list[str], said: str) -> None:
    """All that follows --baseline is baseline, and each side has at least one run."""
    result = call(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_all_runs_that_were_judged_are_named(tmp_path: Path, about: list[str | Path]) -> None:
    """Several runs are all in the head of the report, and in its JSON; one alone is not twice."""
    labels = {"duel": "d0e1", "pair": "1", "side": "b", "pairs": "6"}
    runs = [recorded(tmp_path, name, [80.0] * 3) for name in ("first", "second")]
    runs.append(recorded(tmp_path, "old", [10.0] * 3, labels=labels))
    found = json.loads(call(*runs[:2], "--baseline", runs[2], *about, "--json").stdout)
    assert [(each["side"], each["id"]) for each in found["judged"]] == [
        ("run", "first"), ("run", "second"), ("baseline", "old"),
    ]  # fmt: skip
    told = call(*runs[:2], "--baseline", runs[2], *about).stdout
    head = told.partition("claim")[0]
    assert "2 runs and 1 of a baseline were judged; figures below are of the last run" in head
    assert all(f"{name}: " in head for name in ("first", "second", "old"))
    assert "duel d0e1, pair 1 of 6, side b" in " ".join(head.split())
    assert max(map(len, told.splitlines())) <= 80
    alone = call(runs[2], *about, "--json")
    found = json.loads(alone.stdout)
    assert (found["judged"], found["run"]["labels"]) == ([], labels)
