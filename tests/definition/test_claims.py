"""Claim files: what they may hold, and every mistake with its place."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from aibench.cli.show_command import command as show
from aibench.definition.claims import json_schema, load_claims
from aibench.errors import DefinitionError, Refused
from aibench.model import (
    BaselineSource,
    Claim,
    ClaimKind,
    Means,
)

CATALOGUE = Path(__file__).parents[2] / "results" / "claims"

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
    assert "unknown key; known: axis, baseline, bound," in found[3]
    assert "for example 'block/seq-read'" in found[4]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [('"1GB/s" }', '"1G/s" }', "ambiguous: write GB"),
     ('"1GB/s" }', "1000 }", "has to be text, such as '20GB/s'"),
     ('"1GB/s" }', '"0GB/s" }', "above 0"),
     ('"1GB/s" }', "true }", "has to be text with a unit, or a whole number, not True"),
     ('id = "b"', 'id = "a"', "an id of its own"),
     ('unit = "B/s"', 'unit = "op/s"', "has to be 'B/s' for read_bandwidth"),
     ('unit = "B/s"', 'unit = "GB/s"', "'share', '1' or 'points'"),
     ('id = "X-1"', 'id = "../X"', "pattern"),
     ('title = "X reads"', 'title = "\\u001b[2J"', "control characters"),
     ('scope = "node"', 'scope = "node"\ntolerance = nan', "tolerance"),
     ('scope = "node"', 'scope = "node"\nsmallest_n = 2', "smallest_n"),
     ('phases = ["block/seq-read", "load/read"]', "phases = []", "phases: is missing")],
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


# --- what a table may hold

SHORT = """
[[claims]]
id = "X-2"
title = "X resumes four times as fast"
vendor = "X"
product = "Box"
quote = "4x"
source = "leaflet.txt"
date = "2024-01-01"
"""
RATIO = """
kind = "ratio"
metric = "makespan"
direction = ">="
phases = ["checkpoint_load/load"]
interpretations = [{ id = "times-4", value = 4 }, { id = "plus-4", value = 5.0, note = "4 more" }]
"""


def loaded(tmp_path: Path, rest: str) -> Claim:
    """The one claim of `SHORT` with the keys of ``rest``."""
    (claim,) = load_claims(written(tmp_path, SHORT + rest))
    return claim


def test_a_ratio_names_its_metric_and_its_baseline(tmp_path: Path) -> None:
    """A ratio is a plain number over a baseline, which is another system unless it says so."""
    claim = loaded(tmp_path, RATIO + 'baseline = { from = "first-epoch", description = "cold" }')
    assert (claim.kind, claim.testability) == (ClaimKind.RATIO, Means.COMPARISON)
    assert [reading.value for reading in claim.interpretations] == [4, 5.0]
    assert (claim.unit, claim.scope) == ("1", "system")
    assert claim.baseline is not None
    assert claim.baseline.source is BaselineSource.FIRST_EPOCH
    figure = loaded(tmp_path, RATIO + 'baseline = { unit = "ns", value = "10s" }').baseline
    assert figure is not None
    assert (figure.value, figure.unit) == (10 * 10**9, "ns")
    named = loaded(tmp_path, RATIO).baseline
    assert named is not None
    assert (named.source, named.named) == (BaselineSource.RECORDS, False)


@pytest.mark.parametrize(
    ("keys", "kind", "value", "tolerance"),
    [('metric = "latency_p99"\nunit = "ns"\nvalue = "5ms"', ClaimKind.LATENCY, 5_000_000, 0.05),
     ('metric = "makespan"\nunit = "ns"\nvalue = "2h"', ClaimKind.DURATION, 7200 * 10**9, 0.05),
     ('metric = "utilisation"\nunit = "share"\nvalue = "90 %"', ClaimKind.UTILISATION, 0.9, 0),
     ('metric = "stall_share"\nunit = "share"\nvalue = 0', ClaimKind.UTILISATION, 0, 0),
     ('metric = "iops"\nunit = "op/s"\nvalue = 300_000', ClaimKind.IOPS, 300_000, 0.05),
     ('kind = "functional"\nmetric = "wrong_bytes"\nunit = "B"\nvalue = "0B"',
      ClaimKind.FUNCTIONAL, 0, 0),
     ('kind = "scaling"\nmetric = "read_bandwidth"\nvalue = 0.9', ClaimKind.SCALING, 0.9, 0.05)],
)  # fmt: skip
def test_the_kind_follows_from_unit_and_metric(
    tmp_path: Path, keys: str, kind: ClaimKind, value: float, tolerance: float
) -> None:
    """A plain figure needs no kind; bars that are shares, and wrong bytes, allow no tolerance."""
    text = f'{keys}\ndirection = "<="\nscope = "node"\nphases = ["train/accelerators-*"]\n'
    claim = loaded(tmp_path, text)
    assert (claim.kind, claim.interpretations[0].value) == (kind, value)
    assert (claim.tolerance, claim.interpretations[0].id) == (tolerance, "as-printed")


def test_readings_may_differ_in_what_is_measured(tmp_path: Path) -> None:
    """Where the source does not say reading or writing, one claim has a reading for each."""
    claim = loaded(
        tmp_path,
        """
metric = "read_bandwidth"
direction = ">="
unit = "B/s"
scope = "node"
phases = ["block/seq-read"]
[[claims.interpretations]]
id = "read"
value = "20GB/s"
[[claims.interpretations]]
id = "write"
value = "20GB/s"
metric = "write_bandwidth"
phases = ["block/seq-write"]
""",
    )
    read, write = (claim.under(reading) for reading in claim.interpretations)
    assert (read.metric, read.phases) == ("read_bandwidth", (("block", "seq-read"),))
    assert (write.metric, write.phases) == ("write_bandwidth", (("block", "seq-write"),))
    assert write.unit == "B/s"


def test_what_can_never_be_tested_needs_no_metric(tmp_path: Path) -> None:
    """A claim on something else than storage is kept with the reason, and with no test."""
    claim = loaded(tmp_path, 'untestable = "gpu_scheduling"\nvalue_as_printed = "70%→90%"\n')
    assert (claim.testability, claim.untestable) == (Means.NEVER, "gpu_scheduling")
    assert (claim.phases, claim.interpretations[0].value) == ((), None)


def test_a_model_says_what_it_assumes(tmp_path: Path) -> None:
    """A claim on a cluster names its model, and each assumption is a number or a range."""
    text = """
kind = "ratio"
value = 1.30
[claims.model]
name = "goodput"
inputs = ["write bandwidth"]
[claims.model.assumed]
nodes = 125
mtbf_s = [10_000, 40_000]
"""
    model = loaded(tmp_path, text).model
    assert model is not None
    assert (model.name, model.inputs) == ("goodput", ("write bandwidth",))
    assert model.assumed == {"nodes": (125.0, 125.0), "mtbf_s": (10_000.0, 40_000.0)}
    assert loaded(tmp_path, text).testability is Means.MODEL


@pytest.mark.parametrize(
    ("rest", "said"),
    [(RATIO.replace('metric = "makespan"', ""), "metric: is missing"),
     (RATIO.replace('direction = ">="', ""), "direction: is missing"),
     (RATIO.replace('"ratio"', '"iops"'), "unit: is missing"),
     (RATIO + 'unit = "B/s"', "has to be '1' or 'points' for a claim of the kind ratio"),
     (RATIO + "value = 4", "has to be left out where 'value' is given"),
     (RATIO.replace("value = 4 ", 'value = "4" '), "a number, such as 8 or 1.5, not '4'"),
     (RATIO.replace("value = 4 ", "value = nan "), "above 0"),
     (RATIO.replace("value = 4 ", "value = -4 "), "above 0"),
     (RATIO.replace("value = 4 ", "value = 1e300 "), "too large"),
     (RATIO.replace("value = 4 ", f"value = 0x{'f' * 9000} "), "a number of too many digits"),
     (RATIO.replace("value = 4 ", "value = 4, unit = 'share' "), "a number from 0 to 1"),
     (RATIO.replace("value = 4 ", "value = 'x %', unit = 'share' "), "such as '90 %'"),
     (RATIO.replace('{ id = "times-4", value = 4 }', '{ id = "a" }'), "has no value to be tested"),
     (RATIO + 'untestable = "market"\ntestability = "direct"', "whose testability is 'never'"),
     (RATIO + 'needs = ["luck"]', "needs_second_protocol"),
     (RATIO + 'model = { name = "goodput", assumed = { x = [2, 1] } }', "finite and in order"),
     (RATIO + 'phases = []', "TOML"),
     (RATIO + 'kind = 3', "TOML"),
     (RATIO + 'axis = "racks"', "has to be 'units'"),
     (RATIO + 'baseline = { from = "memory" }', "has to be 'records'"),
     (RATIO + 'baseline = { value = "10s" }', "needs 'unit' beside it"),
     (RATIO + 'baseline = { unit = "ns", value = 10 }', "has to be text, such as '5s'")],
)  # fmt: skip
def test_what_does_not_fit_together_is_a_mistake(tmp_path: Path, rest: str, said: str) -> None:
    """What a kind of claim needs and what excludes another key is told with what would be right."""
    if said == "TOML":
        assert mistakes(tmp_path, SHORT + rest)
    else:
        assert any(said in mistake for mistake in mistakes(tmp_path, SHORT + rest))


def test_the_json_schema_is_for_editors() -> None:
    """``aibench show claims --schema`` prints a JSON Schema that tells good files from bad ones."""
    done = CliRunner().invoke(show, ["claims", "--schema"])
    schema = json.loads(done.output)
    assert schema == json_schema()
    checker = jsonschema.Draft202012Validator(schema)
    checker.check_schema(schema)
    for path in CATALOGUE.glob("*.toml"):
        assert not list(checker.iter_errors(tomllib.loads(path.read_text())))
    good = SHORT + RATIO
    assert not list(checker.iter_errors(tomllib.loads(good)))
    bad = good.replace("date", "dates").replace('">="', '">"').replace("checkpoint_load/", "/")
    told = " ".join(error.message for error in checker.iter_errors(tomllib.loads(bad)))
    assert "'date' is a required property" in told
    assert "'dates' was unexpected" in told
    assert "'>' is not one of" in told or "'>' is not valid" in told
    assert "'/load' does not match" in told


def test_only_claims_have_a_json_schema() -> None:
    """Another name with ``--schema`` is refused with the one that there is."""
    done = CliRunner().invoke(show, ["block", "--schema"])
    assert done.exit_code != 0
    assert "known: claims" in str(done.exception) + done.output
