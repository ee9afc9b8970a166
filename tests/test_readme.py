"""What the README says is true."""

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from aibench.cli import commands
from aibench.definition.claims import load_claims
from aibench.definition.system import load_system
from aibench.definition.workloads import load_workload, shipped_workloads
from aibench.generators.kind import Request
from aibench.judge import judge
from aibench.registry import BUILT_IN, plugin
from aibench.reporters.document import document
from tests import build, readme


def test_it_begins_with_the_two_commands() -> None:
    """The first code block of the README is the quick start and the tests, and both exist."""
    first = readme.README.read_text().split("```sh\n", 1)[1].split("```", 1)[0]
    found = [line.split()[0] for line in first.splitlines()]
    assert found == ["scripts/quickstart", "scripts/test"]
    assert all((readme.README.parent / script).is_file() for script in found)


def test_its_list_of_commands_is_the_help_text() -> None:
    """The list of commands is what `aibench --help` prints."""
    printed = CliRunner().invoke(commands, ["--help"], terminal_width=80).output
    assert readme.block("help") in printed


@pytest.mark.parametrize("line", readme.block("commands").splitlines())
def test_every_command_line_in_it_is_accepted(line: str) -> None:
    """Each example's command, options and arguments are ones that aibench takes."""
    program, name, *arguments = shlex.split(line)
    assert program == "aibench"
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    command.make_context(name, arguments)


def test_its_links_inside_lead_somewhere() -> None:
    """Each link to a section of the README has its heading."""
    text = readme.README.read_text()
    headings = re.findall(r"^##+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors


def test_its_table_lists_all_workloads() -> None:
    """The table of workloads has those that are shipped, and no other."""
    listed = {name for row in readme.table("What it measures") for name in named(row[0])}
    assert listed == {file.workload.name for file in shipped_workloads()}


def test_its_table_lists_all_formats() -> None:
    """The table of formats has all that are built in, one row for those that are read alike."""
    listed = {name for row in readme.table("Formats and readers") for name in named(row[0])}
    assert listed == {name.partition("-")[0] for name in BUILT_IN["formats"]}


def named(cell: str) -> list[str]:
    """The names in a cell of a table."""
    return re.findall(r"`([^`]+)`", cell)


def test_its_table_lists_all_verdicts() -> None:
    """The table of verdicts has the words that reports print."""
    from aibench.reporters.claims import WORDS

    assert [row[0] for row in readme.table("Reading a verdict")] == list(WORDS.values())


def test_its_workload_makes_phases(tmp_path: Path) -> None:
    """The example of a workload is a valid one."""
    path = tmp_path / "load-audio.toml"
    path.write_text(readme.block("workload"))
    file = load_workload(path)
    kind = plugin("generators", file.workload.kind)
    settings = kind.settings.model_validate(file.workload.params)
    phases = kind.phases(settings, Request(workload=file.workload.name, seed=1, cpus=2))
    assert [phase.name for phase in phases] == ["layout", "epoch"]
    assert phases[1].processes == 16


def test_its_claim_and_system_are_judged(tmp_path: Path) -> None:
    """The examples of a claim and of a system file are valid, and give a verdict."""
    claim, system = tmp_path / "claim.toml", tmp_path / "system.toml"
    claim.write_text(readme.block("claim"))
    system.write_text(readme.block("system"))
    verdicts = judge(build.record(), load_claims(claim), load_system(system))
    assert [verdict.claim.id for verdict in verdicts] == ["ACME-1"]


def test_its_reporter_renders_a_document(tmp_path: Path) -> None:
    """The example of a report format works on a real document."""
    path = tmp_path / "example.py"
    path.write_text(readme.block("reporter"))
    spec = importlib.util.spec_from_file_location("example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    claims = load_claims(readme.README.parent / "results/claims/h3c.toml")
    verdicts = judge(build.record(), claims, None)
    derived = document(build.record(), verdicts)
    assert len(module.render(derived).splitlines()) == len(verdicts)
