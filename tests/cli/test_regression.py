"""Regression checks by the command line: what they say, and their exit codes."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aibench import floors
from aibench.cli import commands
from aibench.errors import AibenchError
from aibench.identity import identity
from aibench.model import RunRecord
from aibench.model.comparison import NoiseFloor
from tests import past

QUIET = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0, 1.01, 0.99, 1.0, 1.005)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for records that commands find, with their index and baselines elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AIBENCH_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("AIBENCH_BASELINES", str(tmp_path / "baselines"))
    return tmp_path / "results"


def call(*arguments: str) -> Result:
    """A command in this process, with its output and its exit code."""
    return CliRunner().invoke(commands, list(arguments))


def refused(*arguments: str) -> str:
    """The message of a command that is refused."""
    error = call(*arguments).exception
    assert isinstance(error, AibenchError), error
    assert error.exit_code == 2
    return str(error)


def nights(rates: Sequence[float], begin: int = 0) -> list[RunRecord]:
    """A run a night."""
    return [past.night(begin + number, rate) for number, rate in enumerate(rates)]


@pytest.mark.parametrize(
    ("last", "code", "word"),
    [(1.0, 0, "no regression"), (0.8, 3, "suspect, not confirmed"), (1.3, 0, "maybe improved")],
)
def test_check(results: Path, last: float, code: int, word: str) -> None:
    """A night like the others is 0; a loss asks for confirmation with 3; a gain is no failure."""
    past.written(results, nights([*QUIET, last]))
    done = call("check", "last")
    assert done.exit_code == code, done.output
    assert word in done.output
    assert max(map(len, done.output.splitlines())) <= 80


def test_the_noise_floor_of_a_mount(results: Path) -> None:
    """What a duel of the mount with itself found decides which change matters, and is told."""
    past.written(results, nights([*QUIET, 0.8]))
    last = past.night(len(QUIET), 0.8)
    (stage,) = last.plan.stages
    key = identity(last, stage, stage.measured[0]).series
    made = [
        NoiseFloor(
            series=key, metric=metric, log_ratio=0.3, pairs=6, duel="d0e1", at="now",
            target="data", workload=stage.workload, phase=stage.measured[0].name,
        )
        for metric in ("files_per_second", "read_bandwidth")
    ]  # fmt: skip
    floors.keep(str(results), made)
    done = call("check", "last")
    assert done.exit_code == 0, done.output
    told = [step["told"] for step in json.loads(call("check", "last", "--json").output)["series"][0]
            ["steps"]]  # fmt: skip
    assert told[1].endswith("a duel of the mount with itself differed")


def test_runs_of_a_duel_have_no_history(results: Path) -> None:
    """A duel's run is refused by the gate with the command that shows it, and held to bounds."""
    labels = {"duel": "d0e1", "pair": "1", "side": "a"}
    past.written(results, [*nights(QUIET), past.night(len(QUIET), labels=labels)])
    assert "aibench compare --duel d0e1" in refused("check", "last")
    assert call("check", "last", "--at-least", "1MB/s").exit_code == 0


def test_check_with_too_little_history(results: Path) -> None:
    """Three nights decide nothing: exit code 3, and how many are missing."""
    past.written(results, nights([1.0, 1.0, 0.5]))
    done = call("check", "last")
    assert done.exit_code == 3
    assert "2 of at least 8 sessions" in " ".join(done.output.split())


def test_a_fallen_level_until_it_is_blessed(results: Path) -> None:
    """Ten nights at a lower level fail the check, until somebody accepts them and says why."""
    past.written(results, nights([*QUIET, *(0.8 * rate for rate in QUIET)]))
    assert call("check", "last").exit_code == 1
    found = json.loads(call("check", "last", "--json").output)
    assert found["counts"] == {"REGRESSED": 2, "OK": 2}
    assert [each["standing"] for each in found["series"]][:2] == ["REGRESSED"] * 2
    for series in found["series"][:2]:
        blessed = call("baseline", "bless", series["key"][:10], "--reason", "new drives")
        assert blessed.exit_code == 0, blessed.output
        assert "from night-0010 on is accepted" in blessed.output
    assert call("check", "last").exit_code == 0
    shown = call("baseline", "show").output
    assert shown.count("new drives") == 2
    assert shown.count("bless  night-0010") == 2


def test_a_baseline_that_begins_anew(results: Path) -> None:
    """After `baseline set` the nights before don't count any more, so there are too few."""
    past.written(results, nights([*QUIET, 1.0]))
    assert call("check", "last").exit_code == 0
    assert call("baseline", "set", "night-0008").exit_code == 0
    done = call("check", "last")
    assert done.exit_code == 3
    assert "2 of at least 8" in " ".join(done.output.split())


def test_bounds_alone_need_no_history(results: Path) -> None:
    """With figures of the user's own one run is enough: 0 when reached, 1 when missed."""
    past.written(results, nights([1.0]))
    assert call("check", "last", "--at-least", "4MB/s", "--at-most", "10ms:p99").exit_code == 0
    missed = call("check", "last", "--at-least", "5MB/s:read_bandwidth")
    assert missed.exit_code == 1
    assert "✗ bound missed: load-demo/read read_bandwidth cold" in missed.output
    assert "no figure" in refused("check", "last", "--at-least", "1GB/s@block")


def test_markdown_for_a_pull_request(results: Path) -> None:
    """The table names each series with its change, what is serious first."""
    past.written(results, nights([*QUIET, 0.8]))
    done = call("check", "last", "-f", "markdown")
    assert done.exit_code == 3
    rows = [line for line in done.output.splitlines() if line.startswith("|")][2:]
    assert rows[0].startswith("| ? suspect, not confirmed |")
    assert rows[0].rstrip(" |").endswith("-20.0%")
    assert len(rows) == 4


def test_history(results: Path) -> None:
    """Each series is shown with its change; one is chosen by words or by the digits of its key."""
    past.written(results, nights([*QUIET, *(0.8 * rate for rate in QUIET)]))
    whole = call("history")
    assert whole.exit_code == 0
    assert "(-20.0%, p 0.0033) from" in " ".join(whole.output.split())
    assert max(map(len, whole.output.splitlines())) <= 80
    document = json.loads(call("history", "read_bandwidth", "--json").output)
    (series,) = document["series"]
    assert [change["run"] for change in series["changes"]] == ["night-0010"]
    assert len(series["sessions"]) == 20
    again = json.loads(call("history", series["short"], "--json").output)
    assert again == document
    assert "no series 'nonsense'" in refused("history", "nonsense")
    assert "means 4 series" in refused("baseline", "bless", "load-demo", "--reason", "x")


def test_history_as_a_page(results: Path, tmp_path: Path) -> None:
    """The page is the same each time, and holds a plot for each series."""
    past.written(results, nights([*QUIET, *(0.8 * rate for rate in QUIET)]))
    pages = [tmp_path / "one.html", tmp_path / "two.html"]
    for page in pages:
        assert call("history", "-f", "html", "-o", str(page)).exit_code == 0
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert pages[0].read_text().count('id="series-') == 4


def test_what_can_t_be_read_is_named(results: Path) -> None:
    """A foreign file among the records is named on the side, and the others are used."""
    past.written(results, nights([*QUIET, 1.0]))
    (results / "foreign.jsonl").write_text("{}\n")
    done = call("history", "read_bandwidth")
    assert done.exit_code == 0
    assert "left out: " in done.output
    assert "11 sessions" in done.output


def test_an_empty_store(results: Path) -> None:
    """Without records the history says where it looked."""
    results.mkdir()
    done = call("history")
    assert done.exit_code == 0
    assert "no record that counts" in done.output
    assert call("baseline", "show").output == "no baseline was set and no change accepted\n"


def test_a_run_that_does_not_count_is_refused(results: Path) -> None:
    """An interrupted run is neither checked nor begins a baseline."""
    past.written(results, [past.night(1, complete=True)])
    (path,) = results.iterdir()
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert "does not count" in refused("check", "last")
    assert "does not count" in refused("baseline", "set", "last")


def test_a_page_of_the_gate(results: Path, tmp_path: Path) -> None:
    """`check -f html` writes a page with the history of what was flagged; the exit code stays."""
    past.written(results, nights([*QUIET, 0.8]))
    target = tmp_path / "gate.html"
    done = call("check", "last", "-f", "html", "-o", str(target))
    assert done.exit_code == 3
    text = target.read_text(encoding="utf-8")
    assert text.count('class="plot" id="series-') == 2
    bound = call("check", "last", "--at-least", "5MB/s:read_bandwidth", "-f", "html", "-o",
                 str(target))  # fmt: skip
    assert bound.exit_code == 1
    assert "bound missed" in target.read_text(encoding="utf-8")
