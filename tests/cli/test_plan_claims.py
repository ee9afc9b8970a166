"""`aibench plan --claim`: for all shipped claims an answer, and commands that aibench takes."""

import json
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from aibench.cli import clients_here, commands
from aibench.cli.chosen import chosen_claims
from aibench.clients.calls import LAUNCHER
from aibench.definition.workloads import find_workload
from aibench.errors import AibenchError
from tests import build
from tests.machines import tree

CLAIMS = chosen_claims(())
STATED = ("--nic", "400Gbit/s", "--client-rate", "1000000op/s")
ROUTE = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth1\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
"""


def asked(*arguments: str | Path) -> str:
    """The standard output of a plan for claims."""
    words = ["plan", *map(str, arguments)]
    result = CliRunner().invoke(commands, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(*arguments: str | Path) -> str:
    """Why a plan is refused."""
    result = CliRunner().invoke(commands, ["plan", *map(str, arguments)])
    if isinstance(result.exception, AibenchError):
        assert result.exception.exit_code == 2
        return str(result.exception)
    assert result.exit_code == 2, result.output
    return result.output


def every_claim() -> list[str]:
    """All shipped claims, as arguments."""
    return [word for claim in CLAIMS for word in ("--claim", claim.id)]


def parsed(words: list[str]) -> click.Context:
    """The arguments of an aibench command as that command takes them; it is not run."""
    name, *arguments = words
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    return command.make_context(name, arguments)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The answers for all shipped claims."""
    found: dict[str, Any] = json.loads(asked(*every_claim(), *STATED, "--json"))
    return found


def test_all_shipped_claims_have_an_answer(document: dict[str, Any]) -> None:
    """Each of the 58 claims says what it claims, of what, and what tests it or why nothing does."""
    assert [claim["claim"] for claim in document["claims"]] == [claim.id for claim in CLAIMS]
    assert len(document["claims"]) == 58
    for claim in document["claims"]:
        assert claim["readings"]
        for reading in claim["readings"]:
            assert reading["said"]
            tested = reading["answer"] not in ("never", "lacking")
            assert bool(reading["commands"]) == tested, (claim["claim"], reading["answer"])
            assert tested or reading["reasons"]
            for reason in reading["reasons"]:
                assert reason["sentence"] != reason["code"]


def test_all_commands_are_taken(document: dict[str, Any]) -> None:
    """Every command line is one that aibench takes, and names workloads that there are."""
    lines = {
        line
        for claim in document["claims"] for reading in claim["readings"]
        for line in reading["commands"]
    }  # fmt: skip
    assert len(lines) > 20
    for line in lines:
        words = shlex.split(line)
        if words[0] == "mpirun":
            assert int(words[2]) > 1
            assert words[3 : len(LAUNCHER)] == list(LAUNCHER[3:])
            words = words[len(LAUNCHER) :]
        assert words[0] == "aibench"
        context = parsed(words[1:])
        for name in context.params.get("workloads", ()):
            assert name == "SHARDS.toml" or find_workload(name)


def test_text_fits_and_tells_the_same(document: dict[str, Any]) -> None:
    """As text the answers fit 80 columns, and hold each answer of the document."""
    text = asked(*every_claim(), *STATED)
    assert max(map(cell_len, text.splitlines())) <= 80
    flat = " ".join(text.split())
    for claim in document["claims"]:
        assert f"{claim['claim']}: " in text
        for reading in claim["readings"]:
            assert reading["said"] in flat
            assert f"{reading['id']}: " in flat


def test_unknown_links_are_told_by_usual_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no link is known, the answer lists the clients that usual links would take."""
    monkeypatch.setattr(clients_here.cards, "on_the_way", lambda *_: ())
    text = asked("--claim", "A3-03", "--claim", "H3-03")
    assert "link: not known (no network card: the speed is not told)" in text
    flat = " ".join(text.split())
    assert "by their links: 178 of 25 Gbit/s, 45 of 100 Gbit/s, 23 of 200" in flat  # 500 over 2.81
    assert "mpirun -n N" in text
    assert max(map(cell_len, text.splitlines())) <= 80


def card(root: Path, name: str, speed: int, *, hardware: bool = True) -> None:
    """A network card that is up."""
    tree(root / "sys/class/net" / name, {"operstate": "up", "speed": speed, "mtu": 9000})
    if hardware:
        tree(root / "sys/class/net" / name / "device", {"vendor": "0x15b3", "device": "0x1015"})


def test_the_link_on_the_way(tmp_path: Path) -> None:
    """The link is that of the card which leads to the server of the target."""
    card(tmp_path, "eth0", 400_000)
    card(tmp_path, "eth1", 100_000)
    tree(tmp_path, {"proc/net/route": ROUTE})
    nfs = build.target(fstype="nfs4", source="10.0.0.1:/x", server="10.0.0.1")
    way = clients_here.link(nfs, (), str(tmp_path))
    assert (way.rate, way.source) == (12.5e9, "eth1, on the way to the server")
    local = clients_here.link(build.target(), (), str(tmp_path))
    assert (local.rate, local.source) == (50e9, "eth0, the fastest of 2 cards that are up")
    own = build.target(fstype="nfs4", source="127.0.0.1:/x", server="127.0.0.1")
    assert clients_here.link(own, (), str(tmp_path)).rate is None
    assert clients_here.link(own, ("100Gbit/s", "25Gbit/s"), str(tmp_path)).rate == 15.625e9


def test_speeds_that_somebody_wrote_down(tmp_path: Path) -> None:
    """What only software makes tells a speed that no wire has, so it is not known."""
    card(tmp_path, "veth0", 10_000, hardware=False)
    way = clients_here.link(None, (), str(tmp_path))
    assert (way.rate, way.source) == (None, "veth0: the speed is not told")


def test_a_target_in_this_machine(tmp_path: Path) -> None:
    """For a target that no other client reaches the answer says what was counted."""
    text = " ".join(asked(tmp_path, "--claim", "H3-01", "--nic", "100Gbit/s").split())
    assert "clients are counted as if they reached the storage over a network" in text
    assert f"aibench run {tmp_path}" in text.replace("\\ ", "")


def test_processors_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a stated rate the harness is measured, or one assumed where its tool is missing."""
    found = json.loads(asked("--claim", "H3-02", "--nic", "100Gbit/s", "--json"))
    (ceiling,) = found["client"]["ceilings"]
    assert (ceiling["kind"], ceiling["phase"]) == ("block", "rand-read")
    assert ceiling["source"] == "measured"
    assert ceiling["operations"] > 1000
    monkeypatch.setattr(clients_here.FioEngine, "version", lambda _: None)
    found = json.loads(asked("--claim", "H3-02", "--nic", "100Gbit/s", "--json"))
    (ceiling,) = found["client"]["ceilings"]
    assert ceiling["source"] == "assumed"
    assert ceiling["operations"] == 100_000 * found["client"]["cores"]


SMALL = """
[[claims]]
id = "ACME-1"
title = "small files \\u001b[31m"
vendor = "Acme"
product = "Turbo"
quote = "a million files a second per node"
source = "datasheet"
date = "2026-03-01"
metric = "files_per_second"
direction = ">="
unit_as_printed = "files/s"
unit = "op/s"
scope = "node"
unit_definition = "one node"
phases = ["load/epoch"]
interpretations = [{ id = "read", value = 1_000_000 }]
"""


def test_a_claim_of_ones_own(tmp_path: Path) -> None:
    """A claim file's own rate of small files is held against what the loaders of this client do."""
    path = tmp_path / "acme.toml"
    path.write_text(SMALL.replace("\\u001b", "\\\\u001b"))
    found = json.loads(asked("--claim", path, "--nic", "400Gbit/s", "--json"))
    (reading,) = found["claims"][0]["readings"]
    (ceiling,) = found["client"]["ceilings"]
    assert (ceiling["phase"], ceiling["source"]) == ("epoch", "measured")
    assert {bound["what"] for bound in reading["bounds"]} == {"link", "harness"}
    assert reading["commands"][0].split()[:2] in (["mpirun", "-n"], ["aibench", "run"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--claim", "A3-03", "--nic", "100G"), "has no unit\n|it needs '/s'"),
        (("--claim", "A3-03", "--nic", "0bit/s"), "carries more than nothing"),
        (("--claim", "A3-03", "--client-rate", "5"), "write for example 500000op/s"),
        (("--claim", "A3-03", "--client-rate", "nanop/s"), "write for example 500000op/s"),
        (("--claim", "A3-03", "--client-rate", "1e300op/s"), "write for example 500000op/s"),
        (("--claim", "A3-03", "-w", "block"), "--workload does not go with --claim"),
        (("--claim", "A3-03", "--scale", "2"), "--scale does not go with --claim"),
        (("--claim", "A3-03", "--fstype", "nfs4"), "name one"),
        (
            (
                "--claim",
                "A3-99",
            ),
            "no claim 'A3-99'",
        ),
        (("--claim", "A3-03", "/nowhere"), "/nowhere does not exist"),
        (("/", "--nic", "100Gbit/s"), "--nic goes with --claim"),
        (("/", "--system", "x.toml"), "--system goes with --claim"),
        ((), "Missing argument 'TARGET'"),
    ],
)
def test_what_can_not_be_asked(arguments: tuple[str, ...], said: str) -> None:
    """Options that have no effect, and what is no rate, are refused in a sentence."""
    message = refusal(*arguments)
    assert any(each in message for each in said.split("\n|"))
