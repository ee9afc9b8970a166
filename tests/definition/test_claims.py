"""Claim files: the shipped catalogue against its sources, and every mistake with its place."""

from pathlib import Path

import pytest

from aibench.definition.claims import load_claims
from aibench.errors import DefinitionError, Refused
from aibench.judge import judge
from aibench.metrics import metrics
from aibench.model import Claim, Operation, Status, SyncPolicy
from tests.build import measurement, phase, plan, record, sample, stage

CATALOGUE = Path(__file__).parents[2] / "results" / "claims"
QUOTES = Path(__file__).parents[1] / "data" / "quotes"

GOOD = """
[[claims]]
id = "X-1"
title = "X reads"
vendor = "X"
product = "Box"
quote = "1GB/s"
source = "leaflet.txt"
date = "2024-01-01"
metric = "read_bandwidth"
direction = ">="
unit_as_printed = "GB/s"
unit = "B/s"
scope = "node"
phases = ["block/seq-read", "load/read"]
interpretations = [{ id = "a", value = "1GB/s" }, { id = "b", value = "1GiB/s", note = "binary" }]
"""


def shipped() -> list[Claim]:
    """All claims of the catalogue."""
    return [claim for path in sorted(CATALOGUE.glob("*.toml")) for claim in load_claims(path)]


def one(name: str) -> Claim:
    """The shipped claim of that name."""
    (found,) = (claim for claim in shipped() if claim.id == name)
    return found


def written(tmp_path: Path, text: str) -> Path:
    """A claim file with that text."""
    path = tmp_path / "claims.toml"
    path.write_text(text)
    return path


def mistakes(tmp_path: Path, text: str) -> list[str]:
    """The mistakes of that text, without the directory."""
    with pytest.raises(DefinitionError) as caught:
        load_claims(written(tmp_path, text))
    return [mistake.removeprefix(f"{tmp_path}/") for mistake in caught.value.mistakes]


# --- the catalogue


@pytest.mark.parametrize(
    ("name", "value", "unit", "printed", "scope", "place"),
    [("A3-03", 400 * 10**9, "B/s", "400GB/s", "chassis", ("block", "seq-read")),
     ("A3-04", 12 * 10**6, "op/s", "1200万IOPS", "chassis", ("block", "rand-read")),
     ("MT-07", 90 * 10**9, "B/s", "90GB/s", "storage unit", ("block", "seq-read")),
     ("MT-08", 50 * 10**9, "B/s", "50GB/s", "storage unit", ("block", "seq-write")),
     ("H3-01-READ", 20 * 10**9, "B/s", "20GB/s+", "node", ("block", "seq-read")),
     ("H3-01-WRITE", 20 * 10**9, "B/s", "20GB/s+", "node", ("block", "seq-write")),
     ("H3-02", 300_000, "op/s", "30萬IOPS", "node", ("block", "rand-read"))],
)  # fmt: skip
def test_the_six_absolute_figures(
    name: str, value: int, unit: str, printed: str, scope: str, place: tuple[str, str]
) -> None:
    """The catalogue holds each printed figure in its base unit, per its unit, with its test."""
    claim = one(name)
    assert [reading.value for reading in claim.interpretations] == [value]
    assert (claim.unit, claim.scope, claim.direction) == (unit, scope, ">=")
    assert printed in claim.quote
    assert claim.phases == (place,)


@pytest.mark.parametrize("claim", shipped(), ids=lambda claim: claim.id)
def test_each_quote_stands_in_its_source(claim: Claim) -> None:
    """A quote is verbatim: it is found in the kept passage of the file that it names."""
    assert claim.quote in (QUOTES / claim.source).read_text()


@pytest.mark.parametrize("claim", shipped(), ids=lambda claim: claim.id)
def test_each_claim_says_what_its_source_leaves_out(claim: Claim) -> None:
    """Each claim has a date, conditions that are stated and unstated, and its defects."""
    assert claim.date
    assert claim.stated
    assert claim.unstated
    assert claim.defects
    assert claim.origin.endswith(".toml")


@pytest.mark.parametrize("claim", shipped(), ids=lambda claim: claim.id)
def test_each_claim_can_be_tested_by_its_phases(claim: Claim) -> None:
    """The metric of each claim is one that its phase gives, in the claim's unit."""
    reads = {"seq-read": True, "rand-read": True, "seq-write": False, "rand-write": False}
    for kind, name in claim.phases:
        assert kind == "block"
        operation = Operation.READ_BLOCKS if reads[name] else Operation.WRITE_BLOCKS
        made = phase(name=name, operation=operation, sync=SyncPolicy.END)
        given = {(m.name, m.unit) for m in metrics(made, sample(measurement=measurement()))}
        assert (claim.metric, claim.unit) in given
        run = record(
            *(sample(n, workload="b", phase=name) for n in range(3)),
            plan=plan(stage(workload="b", kind="block", phases=(made,))),
        )
        (verdict,) = judge(run, [claim], None)
        assert verdict.status is Status.REFERENCE_ONLY


def test_names_are_unique_in_the_catalogue() -> None:
    """A claim can be chosen by its name alone."""
    names = [claim.id for claim in shipped()]
    assert len(set(names)) == len(names)


def test_units_that_the_source_leaves_open_stay_open() -> None:
    """The storage unit of KUAE is not defined, so the catalogue does not define it either."""
    assert one("MT-07").unit_definition == one("MT-08").unit_definition == ""
    assert "5U" in one("A3-03").unit_definition


# --- reading a file


def test_a_claim_file_becomes_claims(tmp_path: Path) -> None:
    """Values with units become base units, places become pairs, the rest has its defaults."""
    (claim,) = load_claims(written(tmp_path, GOOD))
    first, second = claim.interpretations
    assert (first.value, second.value, second.note) == (10**9, 2**30, "binary")
    assert claim.phases == (("block", "seq-read"), ("load", "read"))
    assert (claim.tolerance, claim.smallest_n, claim.origin) == (0.05, 3, "claims.toml")


def test_a_time_is_claimed_in_nanoseconds(tmp_path: Path) -> None:
    """A claim of at most a time is written with a unit of time."""
    text = (
        GOOD.replace("read_bandwidth", "makespan").replace('"B/s"', '"ns"')
        .replace('">="', '"<="').replace('"1GB/s" }, {', '"5min" }, {').replace("1GiB/s", "300s")
    )  # fmt: skip
    (claim,) = load_claims(written(tmp_path, text))
    assert {reading.value for reading in claim.interpretations} == {300 * 10**9}


def test_all_mistakes_of_all_claims_are_told_at_once(tmp_path: Path) -> None:
    """One try shows every mistake, each with its file, its line and its key."""
    text = (
        GOOD.replace('vendor = "X"\n', "")
        + GOOD.replace("X-1", "X-2").replace(">=", ">").replace("scope", "scoop")
        + GOOD.replace("X-1", "X-3").replace("block/seq-read", "seq-read")
    )
    found = mistakes(tmp_path, text)
    assert [mistake.split(": ")[:2] for mistake in found] == [
        ["claims.toml:2", "claims.0.vendor"],
        ["claims.toml:26", "claims.1.direction"],
        ["claims.toml:17", "claims.1.scope"],
        ["claims.toml:29", "claims.1.scoop"],
        ["claims.toml:46", "claims.2.phases.0"],
    ]
    assert "is missing" in found[0]
    assert "'>=' or '<='" in found[1]
    assert "unknown key; known: configuration, date," in found[3]
    assert "for example 'block/seq-read'" in found[4]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [('"1GB/s" }', '"1G/s" }', "ambiguous: write GB"),
     ('"1GB/s" }', "1000 }", "has to be text, such as '20GB/s'"),
     ('"1GB/s" }', '"0GB/s" }', "above 0"),
     ('"1GB/s" }', "true }", "has to be text with a unit, or a whole number, not True"),
     ('id = "b"', 'id = "a"', "an id of its own"),
     ('unit = "B/s"', 'unit = "op/s"', "has to be 'B/s' for read_bandwidth"),
     ('unit = "B/s"', 'unit = "GB/s"', "'B/s', 'op/s' or 'ns'"),
     ('id = "X-1"', 'id = "../X"', "pattern"),
     ('title = "X reads"', 'title = "\\u001b[2J"', "control characters"),
     ('scope = "node"', 'scope = "node"\ntolerance = nan', "tolerance"),
     ('scope = "node"', 'scope = "node"\nsmallest_n = 2', "smallest_n"),
     ('phases = ["block/seq-read", "load/read"]', "phases = []", "at least 1 item")],
)  # fmt: skip
def test_a_mistake_is_told_with_what_would_be_right(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    """Wrong units, types, names and numbers are refused, and the message says what is expected."""
    text = GOOD.replace(old, new)
    assert text != GOOD
    (mistake,) = mistakes(tmp_path, text)
    assert mistake.startswith("claims.toml:")
    assert said in mistake


def test_a_count_is_claimed_as_a_whole_number(tmp_path: Path) -> None:
    """Operations per second are written as a whole number, because a bare M is ambiguous."""
    text = GOOD.replace("read_bandwidth", "iops").replace('unit = "B/s"', 'unit = "op/s"')
    (mistake,) = mistakes(tmp_path, text)
    assert "has to be a whole number, not '1GB/s'" in mistake


def test_a_mistake_in_a_nested_table_is_found_at_its_line(tmp_path: Path) -> None:
    """Interpretations may be tables of their own; each mistake is found at its line."""
    head = GOOD[: GOOD.index("interpretations")]
    table = '[[claims.interpretations]]\nid = "a"\nvalue = "1GB/s"\n'
    text = head + table + head.replace("X-1", "X-2") + table + table.replace('"a"', "7")
    line = text[: text.index("id = 7")].count("\n") + 1
    (mistake,) = mistakes(tmp_path, text)
    assert mistake == (
        f"claims.toml:{line}: claims.1.interpretations.1.id: has to be a valid string, not 7"
    )


def test_the_same_name_twice_is_a_mistake(tmp_path: Path) -> None:
    """Two claims of one name could not be told apart in a report."""
    assert mistakes(tmp_path, GOOD + GOOD) == [
        "claims.toml:19: claims.1.id: 'X-1' is already claim 0"
    ]


@pytest.mark.parametrize("text", ["", "claims = []", "title = 'x'\n" + GOOD, "claims = 3", "[["])
def test_a_file_of_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    """A claim file holds `[[claims]]` tables, at least one, and nothing else."""
    assert mistakes(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A claim file that is not there is refused by its name."""
    with pytest.raises(Refused, match=r"none\.toml: no such file"):
        load_claims(tmp_path / "none.toml")
