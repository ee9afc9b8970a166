"""The command line: help, usage, exit codes, and messages that say what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aibench.cli import commands
from aibench.errors import AibenchError
from aibench.store import Writer
from tests import build

NAMES = [
    *("run", "plan", "doctor", "list", "show", "duel", "compare", "report", "judge", "impact"),
    *("check", "baseline", "history", "verify", "clean"),
]


def call(*arguments: str | Path) -> Result:
    """A command in this process."""
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


def refusal(*arguments: str | Path) -> str:
    """The message of a command that has to be refused."""
    result = call(*arguments)
    if isinstance(result.exception, AibenchError):
        assert result.exception.exit_code == 2
        return str(result.exception)
    assert result.exit_code == 2, result.output
    return result.output


@pytest.mark.parametrize("name", NAMES)
def test_help(name: str) -> None:
    """The help of each command fits 80 columns and begins with what the command does."""
    result = call(name, "--help")
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
    assert result.output.startswith(f"Usage: commands {name} ")


def test_all_commands_are_listed() -> None:
    """The help of aibench lists each command once, with a line, and the exit codes."""
    lines = call("--help").output.splitlines()
    assert [line.split()[0] for line in lines[lines.index("Commands:") + 1 :]] == NAMES
    assert max(map(len, lines)) <= 80
    assert "3 inconclusive" in " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    "what",
    ["workloads", "suites", "kinds", "claims", "references", "reasons", "engines", "formats"],
)
def test_lists(what: str) -> None:
    """Each list fits 80 columns, and as JSON it has a name and a line for each entry."""
    shown = call("list", what).output
    assert max(map(len, shown.splitlines())) <= 80
    entries = json.loads(call("list", what, "--json").output)[what]
    assert entries
    for entry in entries:
        assert entry["about"]
        assert entry["name"] in shown


def test_everything_listed_can_be_shown() -> None:
    """What list names, show shows in full."""
    for what in ("workloads", "claims", "engines"):
        for entry in json.loads(call("list", what, "--json").output)[what]:
            assert call("show", entry["name"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-w", "nothing"], ["no workload 'nothing'", "load-4k"]),
        (["--suite", "nothing"], ["no suite 'nothing'", "quick"]),
        (["--engine", "nothing"], ["no engine 'nothing'", "posix"]),
        (["-w", "load-4k", "-w", "load-4k"], ["twice"]),
        (["-w", "load-4k", "--set", "files"], ["key=value"]),
        (["-w", "load-4k", "--set", "nothing=1"], ["nothing"]),
        (["-w", "load-4k", "--set", "other.files=1"], ["no workload 'other'", "load-4k"]),
        (["-w", "load-4k", "--set", "files=0"], ["files"]),
        (["-w", "load-4k", "--set", "size=4K"], ["4K", "KiB"]),
        (["--repeats", "0"], ["repeats"]),
        (["--scale", "0"], ["scale"]),
        (["--cache", "hot"], ["hot", "as-found"]),
        (["--fstype", "nfs4"], ["not on nfs4"]),
        (["-w", "block", "--engine", "posix"], ["posix can't do"]),
        (["--nothing"], ["--nothing"]),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_refusals(command: str, arguments: list[str], words: list[str], tmp_path: Path) -> None:
    """Wrong arguments are refused, with what is wrong and what would be right."""
    message = refusal(command, tmp_path, *arguments)
    for word in words:
        assert word in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--system", "none.toml"], "none.toml"),
        (["--claims", "nothing"], "no claim 'nothing'"),
        (["--claims", "none.toml"], "none.toml"),
        (["--patience", "5"], "5"),
    ],
)
def test_refusals_of_run(arguments: list[str], words: str, tmp_path: Path) -> None:
    """Files and claims that are not there are found out before anything is written."""
    assert words in refusal("run", tmp_path, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_plan_of_nothing_that_runs(tmp_path: Path) -> None:
    """A plan of which nothing can run is shown all the same, with the reason: exit code 2."""
    result = call("plan", tmp_path, "-w", "block", "--engine", "null")
    assert result.exit_code == 2
    assert "not run: engine null can't do read_blocks" in result.output


@pytest.mark.parametrize("suite", ["quick", "standard"])
def test_plan(suite: str, tmp_path: Path) -> None:
    """A plan fits 80 columns and touches nothing; as JSON it has the same digest.

    Why it could not run here, such as for want of space, is an error and no part of it.
    """
    result = call("plan", tmp_path, "--suite", suite)
    assert max(map(len, result.stdout.splitlines())) <= max(80, len(str(tmp_path)) + 2)
    plan = json.loads(CliRunner().invoke(
        commands, ["plan", str(tmp_path), "--suite", suite, "--json"]
    ).stdout)  # fmt: skip
    assert plan["digest"][:16] in result.output
    assert list(tmp_path.iterdir()) == []


CLAIM = """
[[claims]]
id = "X-1"
title = "Reading"
vendor = "Example"
product = "One"
quote = "at least so much"
source = "a leaflet"
date = "2026"
metric = "read_bandwidth"
direction = ">="
unit_as_printed = "B/s"
unit = "B/s"
scope = "device"
unit_definition = "one device"
phases = ["load/read"]
interpretations = [{{ id = "read", value = "{value}" }}]
"""
SYSTEM = 'vendor = "Example"\nproduct = "One"\nunit = "device"\nunits = 1\n'
MINUTE = 60 * 10**9


@pytest.mark.parametrize(("value", "code"), [("1kB/s", 0), ("1PB/s", 1)])
def test_exit_codes_of_verdicts(tmp_path: Path, value: str, code: int) -> None:
    """Judging a record ends with 0 when the claim is met and with 1 when it is not."""
    from aibench.model import Ceiling

    ceiling = Ceiling(operations=10**6, bytes=10**12, elapsed_ns=10**9)
    samples = [
        build.sample(n, ceiling=ceiling, measurement=build.measurement(
            elapsed_ns=MINUTE, bytes=10**9 + n, last_done_ns=MINUTE, first_done_ns=MINUTE
        ))
        for n in range(6)
    ]  # fmt: skip
    path = written(tmp_path, *samples)
    (tmp_path / "claims.toml").write_text(CLAIM.format(value=value))
    (tmp_path / "system.toml").write_text(SYSTEM)
    result = call(
        "judge", path, "--claims", tmp_path / "claims.toml", "--system", tmp_path / "system.toml"
    )
    assert result.exit_code == code, result.output


def written(directory: Path, *samples: object) -> str:
    """A record on disk."""
    record = build.record(*samples)  # type: ignore[arg-type]
    writer = Writer(str(directory), record)
    for sample in record.samples:
        writer.add(sample)
    writer.finish()
    return writer.path


def test_report_to_a_file_that_can_not_be(tmp_path: Path) -> None:
    """A report that can't be written is a failure in one sentence, and leaves no half of it."""
    path = written(tmp_path)
    result = call("report", path, "-o", tmp_path / "none" / "report.html", "-f", "html")
    assert isinstance(result.exception, AibenchError)
    assert result.exception.exit_code == 4
    assert "report.html can't be written: no such file or directory" in str(result.exception)


def test_damaged_records(tmp_path: Path) -> None:
    """Report and judge refuse what is no record."""
    (tmp_path / "x.jsonl").write_text("{}\n")
    for command in ("report", "judge"):
        assert "is not a record of aibench" in refusal(command, tmp_path / "x.jsonl")


def test_interrupted_before_the_run(tmp_path: Path) -> None:
    """Usage errors in a process of its own: one short message, exit code 2, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "aibench", "run", tmp_path, "--set", "x"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "aibench: --set 'x': write key=value or workload.key=value\n"
    assert done.stdout == ""


def test_a_wrong_call_obeys_no_name() -> None:
    """What click says of an argument that it does not know shows no control character of it."""
    done = subprocess.run(
        [sys.executable, "-m", "aibench", "show", "--\x1b]0;x\x07", "name"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no such option" in done.stderr.lower()
    assert done.stderr.isascii() or "\N{REPLACEMENT CHARACTER}" in done.stderr
    assert not {"\x1b", "\x07"} & set(done.stderr)


def test_a_rate_is_for_workloads_that_can_be_offered_one(tmp_path: Path) -> None:
    """``--rate`` is refused where a workload has no rates, and makes a phase of each elsewhere."""
    message = refusal("plan", tmp_path, "-w", "metadata", "--rate", "5op/s")
    assert "no rate can be offered to metadata" in message
    rates = ("--rate", "50op/s", "--rate", "2MB/s")
    planned = call("plan", tmp_path, "-w", "load-4k", *rates, "--json")
    phases = json.loads(planned.stdout)["stages"][0]["phases"]
    assert [phase["rate"] for phase in phases if phase["rate"]] == [50.0, 2e6 / 4096]


def test_what_ends_is_not_searched_for_garbage() -> None:
    """The interpreter finds nothing to look at when a command ends, which takes it a sixth less."""
    code = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print(len(gc.get_objects()) < 1000))\n"
        "from aibench.cli import main\n"
        "sys.argv = ['aibench', 'list', 'claims']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"
