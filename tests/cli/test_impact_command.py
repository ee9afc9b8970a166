"""``aibench impact``: options, files, records and claims, formats, exit codes, refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

from aibench.model import RunRecord
from aibench.store import Writer
from tests import projecting
from tests.cli.test_commands import call, refusal

CLUSTER = ("--nodes", "1250", "--parameters", "1e12", "--fixed-restart", "15min")
FACTORS = ("--faster", "4", "--load-faster", "8", "--baseline-load", "10min")


def derived(*arguments: str | Path) -> dict[str, Any]:
    """The document that a call prints."""
    result = call("impact", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def stored(record: RunRecord, folder: Path) -> Path:
    """The file of a record."""
    writer = Writer(str(folder), record)
    for sample in record.samples:
        writer.add(sample)
    writer.finish()
    return Path(writer.path)


def test_options() -> None:
    """The published comparison from options alone, with the baseline that +30 % would need."""
    found = derived(*CLUSTER, *FACTORS, "--baseline-write", "20GB/s", "--needs-gain", "1.3")
    assert found["gain"]["typical"] == pytest.approx(1.347, abs=5e-4)
    assert found["cap"]["typical"] == pytest.approx(1.663, abs=5e-4)
    needed = found["wish"]["needed_baseline"]
    assert needed["bandwidth"]["value"] == pytest.approx(25.5e9, rel=2e-3)
    assert needed["stall"]["value"] == pytest.approx(548e9, rel=2e-3)


def test_a_file_and_options_in_its_place(tmp_path: Path) -> None:
    """An option replaces what a file says, also where it says it in another way."""
    path = tmp_path / "impact.toml"
    path.write_text(
        '[cluster]\nnodes = 1250\nfixed_restart = "15min"\n[checkpoint]\nparameters = 1e12\n'
        '[baseline]\nwrite = "20GB/s"\nload = "10min"\n[candidate]\nfaster = 4\nload_faster = 8\n'
    )
    whole = derived("--inputs", path)
    assert whole["gain"]["typical"] == pytest.approx(1.347, abs=5e-4)
    other = derived("--inputs", path, "--write", "80GB/s", "--load", "75s", "--model", "405b")
    names = {each["name"]: each for each in other["inputs"]}
    assert not {"faster", "load_faster", "parameters"} & names.keys()
    assert "405b" in names["checkpoint_bytes"]["source"]
    set_too = derived("--inputs", path, "--set", "cluster.fan_out=2")
    assert set_too["candidate"]["restart"]["value"] > whole["candidate"]["restart"]["value"]


def test_records(tmp_path: Path) -> None:
    """Runs measure the storage in question, and those of --baseline what it is compared with."""
    save = stored(projecting.saving(5, 5, 5), tmp_path / "a")
    load = stored(projecting.loading(2, 2, 2), tmp_path / "b")
    slow = stored(projecting.saving(20, 20, 20), tmp_path / "c")
    found = derived(save, load, "--baseline", slow, "--nodes", "125", "--model", "70b")
    assert found["basis"] == "measured and assumed"
    assert found["candidate"]["write"]["value"] == pytest.approx(2e9)
    assert found["baseline"]["write"]["value"] == pytest.approx(0.5e9)
    assert found["gain"]["typical"] > 1


def test_formats(tmp_path: Path) -> None:
    """A terminal gets text, and a file a page; both exit with 0, as a projection is no verdict."""
    page = tmp_path / "impact.html"
    arguments = (*CLUSTER, "--write", "80GB/s")
    assert "Goodput over write bandwidth" in call("impact", *arguments).stdout
    result = call("impact", *arguments, "-f", "html", "-o", page)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_a_claim() -> None:
    """A claim comes with each of its readings, none of which is ever met."""
    result = call("impact", "--claim", "HX-01")
    assert result.exit_code == 0
    assert "consistent with the model" in result.stdout
    assert "never met" in result.stdout
    statuses = [each["status"] for each in derived("--claim", "HX-01")["claim"]["readings"]]
    assert len(statuses) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["nodes", "checkpoint", "write"]),
        (["--nodes", "-5", "--write", "0GB/s"], ["cluster.nodes", "candidate.write"]),
        (["--mtbf", "nan"], ["cluster.mtbf"]),
        (["--write", "20GB"], ["'/s'"]),
        (["--write", "20G/s"], ["ambiguous"]),
        (["--set", "nodes=3"], ["TABLE.KEY=VALUE"]),
        (["--set", "cluster.colour=3"], ["unknown key"]),
        (["--set", "moon.phase=3"], ["moon", "unknown key"]),
        (["--needs-gain", "nan"], ["--needs-gain"]),
        (["--needs-gain", "2", "--saves", "28h"], ["not both"]),
        (["--saves", "28"], ["no unit"]),
        (["--claim", "nothing"], ["no claim 'nothing'"]),
        (["--claim", "Huawei"], ["give the id of one"]),
        (["--inputs", "/nowhere"], ["/nowhere"]),
        (["nothing"], ["no record"]),
    ],
)
def test_refusals(arguments: list[str], words: list[str]) -> None:
    """What can't be is refused with exit code 2, and the message names it."""
    told = refusal("impact", *arguments)
    for word in words:
        assert word in told
