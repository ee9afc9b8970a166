"""Claims are listed by what tests them, and shown with what they imply and what stands beside."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from aibench.cli.beside import shown_reference
from aibench.cli.judge_command import command as judge_command
from aibench.cli.list_command import command as list_command
from aibench.cli.show_command import command as show_command
from aibench.definition.references import shipped_references


def test_claims_are_grouped_by_what_tests_them() -> None:
    """The list of claims counts each group, and says in one line why the rest can't be tested."""
    shown = CliRunner().invoke(list_command, ["claims"]).output
    heads = [line for line in shown.splitlines() if line.endswith("):")]
    assert [line.rsplit("(", 1)[1] for line in heads] == ["9):", "10):", "12):", "27):"]
    never = shown[shown.index(heads[-1]) :]
    assert "it is about setting a system up" in " ".join(never.split())
    rows = json.loads(CliRunner().invoke(list_command, ["claims", "--json"]).output)["claims"]
    assert all((" - it " in row["about"]) is ("not to be" in row["group"]) for row in rows)


def test_a_claim_is_shown_with_what_it_implies_and_with_its_context() -> None:
    """What speaks against a claim is told as such; context is in both units, with a note."""
    shown = CliRunner().invoke(show_command, ["HX-04"]).output
    assert "speaks against it: printed in TB, which is no bandwidth" in shown
    assert "it implies: 100 TB/s from 512 takes 195 GB/s from each controller" in shown
    assert "729 GB/s (679 GiB/s) for 2 x controller (verified benchmark, 2024, read)" in shown
    assert "no figure of aibench is ranked against its results" in shown


@pytest.mark.parametrize(
    ("name", "said"),
    [("REF-MLPERF10-A800", "729 GB/s (679 GiB/s) for 2 x controller"),
     ("REF-LLAMA3-MFU", "38.0 % to 43.0 %"), ("REF-NFS-NOAC", "no figure"),
     ("TIER-BEST-SU", "reads 125 GB/s, writes 62.0 GB/s; 488 MB/s of reads an accelerator")],
)  # fmt: skip
def test_a_reference_is_shown_by_its_name(name: str, said: str) -> None:
    """`aibench show` tells a public figure or a tier with its standing and its source."""
    shown = CliRunner().invoke(show_command, [name]).output
    assert said in shown
    assert "source: " in shown
    assert "to compare it: " in shown


def test_each_reference_can_be_shown() -> None:
    """Every figure and tier that is listed is found by its name, and nothing else is."""
    shipped = shipped_references()
    for each in (*shipped.figures, *shipped.tiers):
        lines = shown_reference(each.id, shipped)
        assert lines is not None
        assert lines[0].startswith(f"{each.id}: ")
    assert shown_reference("REF-NONE", shipped) is None


SYSTEM = """
vendor = "H3C"
product = "CX"
unit = "node"
units = 1
rack_units = 2.0
"""


def test_rates_are_divided_by_what_the_given_system_file_counts(tmp_path: Path) -> None:
    """The report of ``judge --system`` has a line for each count of that system file."""
    system = tmp_path / "cx.toml"
    system.write_text(SYSTEM)
    record = Path(__file__).parents[2] / "results" / "examples" / "quick-ext4.jsonl"
    arguments = [str(record), "--system", str(system), "--claims", "H3C"]
    shown = CliRunner().invoke(judge_command, arguments).output
    assert "system  H3C CX" in shown
    assert "per rack unit (2): reads 648 MB/s, writes 922 MB/s" in shown
