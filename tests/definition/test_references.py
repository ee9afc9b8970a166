"""Reference files: the shipped ones, and every mistake with its place."""

import re
from pathlib import Path

import pytest

from aibench.definition import library
from aibench.definition.claims import shipped_claims
from aibench.definition.references import load_references, shipped_references
from aibench.errors import DefinitionError
from aibench.model.reference import Confidence, ReferenceClass
from aibench.units import format_rate_binary, format_value

GOOD = """
[common]
kind = "paper"
source = "a paper"
confidence = "read"
note = "One run."

[[references]]
id = "REF-A"
system = "A"
what = "reads"
quantity = "read_bandwidth"
unit = "B/s"
value = "1GiB/s"
scope = "node"

[[references]]
id = "REF-B"
kind = "rule"
system = "B"
what = "an option"
quantity = "mount_options"
unit = "1"
scope = "mount"
year = 2020
"""
TIER = """
[[tiers]]
id = "TIER-X"
guideline = "X"
tier = "Good"
suits = "all"
scope = "node"
nodes = 1
accelerators = 8
read = "4GB/s"
write = "2GB/s"
source = "X"
year = 2024
note = "Planning."
"""


def mistakes(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with a file of that text, without its directory."""
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(DefinitionError) as caught:
        load_references(path)
    return [mistake.removeprefix(f"{tmp_path}/") for mistake in caught.value.mistakes]


def test_a_file_becomes_figures_and_tiers(tmp_path: Path) -> None:
    """Values become base units, and what is common stands for what a table leaves out."""
    path = tmp_path / "x.toml"
    path.write_text(GOOD + TIER)
    loaded = load_references(path)
    first, second = loaded.figures
    assert (first.value, first.kind, first.note) == (2**30, ReferenceClass.PAPER, "One run.")
    assert (second.value, second.kind, second.year) == (None, ReferenceClass.RULE_OF_THUMB, 2020)
    (tier,) = loaded.tiers
    assert (tier.read, tier.write, tier.accelerators) == (4 * 10**9, 2 * 10**9, 8)
    assert first.origin == tier.origin == "x.toml"


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    """One try shows every mistake of common values, figures and tiers, each with its line."""
    text = (
        GOOD.replace('kind = "rule"', 'kind = "rumour"').replace('"1GiB/s"', "1")
        .replace("confidence", "confidense")
        + TIER.replace('"4GB/s"', '"4GB"').replace("tier = ", "teer = ")
    )  # fmt: skip
    told = " ".join(mistakes(tmp_path, text))
    for said in (
        "common.'confidense': unknown key; known:",
        "references.0.confidence: is missing",
        "references.1.kind: has to be 'benchmark', 'datasheet', 'paper', 'guideline' or 'rule'",
        "needs '/s'",
        "tiers.0.tier: is missing",
        "tiers.0.teer: unknown key",
    ):
        assert said in told
    assert all(re.match(r"x\.toml:\d+: ", line) for line in mistakes(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [('"1GiB/s"', "1", "has to be text with its unit, such as '20GB/s', not 1"),
     ('"1GiB/s"', '"0GB/s"', "above 0 and finite"),
     ('"1GiB/s"', '"1GiB/s"\nup_to = "1GB/s"', "up_to has to be above value"),
     ('"1GiB/s"', "nan", "has to be text with its unit"),
     ('unit = "1"', 'unit = "1"\nvalue = "8"', "a value in 1 has to be a number, not '8'"),
     ('unit = "1"', 'unit = "1"\nvalue = inf', "above 0 and finite"),
     ('id = "REF-B"', 'id = "REF-A"', "references.1.id: 'REF-A' stands here twice"),
     ('id = "REF-B"', 'id = "ref"', "pattern")],
)  # fmt: skip
def test_a_wrong_figure_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Wrong units, ends, numbers and names are refused, and the message says what is expected."""
    (mistake,) = mistakes(tmp_path, GOOD.replace(old, new))
    assert said in mistake


def test_a_file_of_nothing_is_refused(tmp_path: Path) -> None:
    """A reference file holds at least one table."""
    assert "holds neither [[references]] nor [[tiers]]" in mistakes(tmp_path, "")[0]


# --- the shipped ones


def test_the_shipped_references() -> None:
    """Every shipped figure has a source, a class, a note, and a name of its own."""
    shipped = shipped_references()
    names = [each.id for each in (*shipped.figures, *shipped.tiers)]
    assert len(set(names)) == len(names) > 100
    assert {each.kind for each in shipped.figures} == set(ReferenceClass)
    assert {each.confidence for each in shipped.figures} == set(Confidence)
    assert [path.name for path in library.files("references")] == sorted(
        {each.origin for each in (*shipped.figures, *shipped.tiers)}
    )


def test_each_link_between_claims_and_references_ends_somewhere() -> None:
    """Claims name references that are there, and references name claims that are there."""
    claims = shipped_claims()
    figures = shipped_references().figures
    known = {claim.id for claim in claims}
    assert {name for each in figures for name in each.claims} <= known
    assert {name for claim in claims for name in claim.references} <= {f.id for f in figures}
    assert {name for claim in claims for name in claim.related} <= known


@pytest.mark.parametrize(
    ("name", "decimal", "binary"),
    [("REF-MLPERF10-A800", "729 GB/s", "679 GiB/s"),
     ("REF-MLPERF10-AS13000-H100", "380 GB/s", "354 GiB/s"),
     ("REF-MLPERF10-AS13000-A100", "378 GB/s", "352 GiB/s"),
     ("REF-MLPERF10-F9000X", "169 GB/s", "157 GiB/s"),
     ("REF-MLPERF10-9550", "10.4 GB/s", "9.71 GiB/s")],
)  # fmt: skip
def test_results_files_count_in_mebibytes(name: str, decimal: str, binary: str) -> None:
    """What one field of a results file says is kept as bytes, and shown in both units."""
    (found,) = (each for each in shipped_references().figures if each.id == name)
    assert found.value is not None
    assert (format_value(found.value, "B/s"), format_rate_binary(found.value)) == (decimal, binary)
