"""The shipped catalogue: 58 claims against their sources, and what tests each of them."""

import hashlib
import os
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

import pytest

from aibench.cluster import MODELS
from aibench.definition.claims import load_claims
from aibench.definition.workloads import shipped_workloads
from aibench.metrics import metrics
from aibench.model import (
    Accelerated,
    BaselineSource,
    Claim,
    ClaimKind,
    Means,
    Operation,
    Training,
)
from aibench.units import parse_rate
from tests import build, planning

CATALOGUE = Path(__file__).parents[2] / "results" / "claims"
QUOTES = Path(__file__).parents[1] / "data" / "quotes"
SHIPPED = tuple(c for path in sorted(CATALOGUE.glob("*.toml")) for c in load_claims(path))
#: The articles themselves belong to others. Where they are at hand, quotes are checked in them.
ARTICLES = os.environ.get("AIBENCH_ARTICLES")

every_claim = pytest.mark.parametrize("claim", SHIPPED, ids=lambda claim: claim.id)


def one(name: str) -> Claim:
    """The shipped claim of that name."""
    (found,) = (claim for claim in SHIPPED if claim.id == name)
    return found


# --- sources


@every_claim
def test_each_quote_stands_in_its_source(claim: Claim) -> None:
    """Quotes are verbatim: each is found in the kept passages of the file that it names."""
    passages = (QUOTES / claim.source).read_text().splitlines()
    for quote in (claim.quote, *claim.other_quotes):
        assert any(quote in passage for passage in passages)


def sums() -> dict[str, str]:
    """SHA-256 of each article by its file name."""
    lines = (QUOTES / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def test_each_source_is_known_by_its_digest() -> None:
    """Passages are short, and for each source the digest of the whole text is kept."""
    assert {claim.source for claim in SHIPPED} == set(sums())
    assert all(len((QUOTES / name).read_text()) < 500 for name in sums())


@pytest.mark.skipif(ARTICLES is None, reason="AIBENCH_ARTICLES names no directory of articles")
@pytest.mark.parametrize("name", sorted(sums()))
def test_the_whole_articles_hold_the_quotes(name: str) -> None:
    """With the articles at hand all quotes and passages are found in the text that was read."""
    content = (Path(ARTICLES or "") / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == sums()[name]
    text = content.decode()
    assert all(passage in text for passage in (QUOTES / name).read_text().splitlines())
    quoted = [q for c in SHIPPED if c.source == name for q in (c.quote, *c.other_quotes)]
    assert all(quote in text for quote in quoted)


# --- completeness


def test_the_catalogue_is_complete() -> None:
    """58 claims by names that never change: 9 direct, 10 in comparison, 12 by model, 27 never."""
    counts = {"HX": 14, "A3": 9, "FC": 3, "G4": 3, "IN": 12, "MT": 11, "H3": 6}
    names = [f"{stem}-{n + 1:02}" for stem, count in counts.items() for n in range(count)]
    assert sorted(claim.id for claim in SHIPPED) == sorted(names)
    assert Counter(claim.testability for claim in SHIPPED) == {
        Means.DIRECT: 9, Means.COMPARISON: 10, Means.MODEL: 12, Means.NEVER: 27,
    }  # fmt: skip


@every_claim
def test_each_claim_says_what_its_source_leaves_out(claim: Claim) -> None:
    """Each claim has a date, a language, conditions that the source leaves out, and its defects."""
    assert claim.date
    assert claim.lang
    assert claim.unstated
    assert claim.defects
    assert claim.origin.endswith(".toml")


@every_claim
def test_what_is_never_tested_says_why(claim: Claim) -> None:
    """Claims that no benchmark of a filesystem can test have a reason, and only they have one."""
    assert bool(claim.untestable) is (claim.testability is Means.NEVER)


@pytest.mark.parametrize(
    ("name", "values"),
    [("HX-01", [(1.3, "1"), (30, "points")]), ("HX-02", [(8, "1"), (9, "1")]),
     ("HX-03", [(4, "1"), (5, "1")]), ("IN-08", [(2, "1"), (3, "1")]),
     ("A3-05", [(512, "1"), (4096, "1")]), ("IN-04", [(90 / 70, "1"), (20, "points")]),
     ("A3-08", [(0, "share"), (0.99, "share"), (0.9, "share")]),
     ("MT-02", [(1.15, "1"), (1.5, "1"), (15, "points")]),
     ("MT-05", [(0.25, "1")] * 3), ("HX-04", [(10**14, "B/s")]), ("HX-05", [(10**10, "op/s")]),
     ("H3-01", [(20 * 10**9, "B/s")] * 2), ("H3-02", [(300_000, "op/s")]),
     ("A3-03", [(400 * 10**9, "B/s")]), ("A3-04", [(12 * 10**6, "op/s")]),
     ("MT-07", [(90 * 10**9, "B/s")]), ("MT-08", [(50 * 10**9, "B/s")]),
     ("MT-06", [(28 * 3600 * 10**9, "ns")]), ("A3-01", [(10 * 86400 * 10**9, "ns")]),
     ("HX-09", [(10**18, "B")]), ("HX-06", [(0.5, "share")] * 3)],
)  # fmt: skip
def test_all_readings_of_a_figure(name: str, values: list[tuple[float, str]]) -> None:
    """The catalogue holds each reading of a printed figure, in its base unit."""
    claim = one(name)
    found = [(reading.value, reading.unit or claim.unit) for reading in claim.interpretations]
    assert [value for value, _ in found] == pytest.approx([value for value, _ in values])
    assert [unit for _, unit in found] == [unit for _, unit in values]


@pytest.mark.parametrize("name", ["A3-03", "MT-03", "MT-07", "MT-08", "H3-01"])
def test_a_rate_is_what_was_printed(name: str) -> None:
    """The value of a bandwidth is its printed text, read as decimal units."""
    claim = one(name)
    printed = parse_rate(claim.value_as_printed.rstrip("+"))
    assert {reading.value for reading in claim.interpretations} == {printed}
    assert claim.value_as_printed in claim.quote


@every_claim
def test_what_is_given_as_printed_is_printed(claim: Claim) -> None:
    """Printed values and units stand in the quotes of the claim, character by character."""
    text = "\n".join((claim.quote, *claim.other_quotes)).replace("(shù)", "").replace(" ", "")
    for printed in claim.value_as_printed.replace(" ", "").split(","):
        assert printed in text
    assert claim.unit_as_printed.replace(" ", "") in text


def test_units_that_the_source_leaves_open_stay_open() -> None:
    """The storage unit of KUAE is not defined, so the catalogue does not define it either."""
    assert one("MT-07").unit_definition == one("MT-08").unit_definition == ""
    assert "5U" in one("A3-03").unit_definition


def test_a_direction_that_is_not_printed_is_two_readings() -> None:
    """H3C's bandwidth is read as reading and as writing, each with the phase that tests it."""
    claim = one("H3-01")
    assert [claim.under(reading).metric for reading in claim.interpretations] == [
        "read_bandwidth", "write_bandwidth",
    ]  # fmt: skip
    assert [claim.under(reading).phases for reading in claim.interpretations] == [
        (("block", "seq-read"),), (("block", "seq-write"),),
    ]  # fmt: skip


def test_ratios_say_what_they_are_over() -> None:
    """Each ratio has a baseline; a cache is over the first epoch, small files over shards."""
    over = {c.id: c.baseline.source for c in SHIPPED if c.baseline is not None}
    assert {c.id for c in SHIPPED if c.kind is ClaimKind.RATIO} <= set(over)
    assert {name: s for name, s in over.items() if s is not BaselineSource.RECORDS} == {
        "IN-08": BaselineSource.FIRST_EPOCH, "HX-13": BaselineSource.PACKED_SHARDS,
    }  # fmt: skip


# --- what tests them


def measured_phases() -> dict[tuple[str, str], set[str]]:
    """The metrics of all phases that shipped workloads measure, also at an offered rate."""
    files = shipped_workloads()
    (paced,) = (file for file in files if file.workload.name == "load-4k")
    plans = planning.plan(files), planning.plan([paced], settings=('rates=["100op/s"]',))
    fed = Accelerated(
        host="a", number=0, steps=9, bytes=9, first_batch_ns=1, first_step_ns=2, end_ns=10,
        wait_ns=1, compute_ns=7, barrier_ns=0, stall_ns=1,
    )  # fmt: skip
    found: dict[tuple[str, str], set[str]] = {}
    for stage in (stage for plan in plans for stage in plan.stages):
        for phase in stage.measured:
            made = build.measurement(
                training=Training(batch=1, accelerators=(fed,)) if phase.accelerators else None,
                wrong_bytes=0 if phase.operation is Operation.COMPARE else None,
            )
            given = {metric.name for metric in metrics(phase, build.sample(measurement=made))}
            found.setdefault((stage.kind, phase.name), set()).update(given)
    return found


def test_each_tested_claim_is_tested_by_phases_that_exist() -> None:
    """Shipped workloads measure every phase that a claim names, and the metric in question."""
    known = measured_phases()
    for claim in SHIPPED:
        for reading in claim.interpretations:
            read = claim.under(reading)
            for kind, name in read.phases:
                fitting = [v for (k, n), v in known.items() if k == kind and fnmatch(n, name)]
                assert fitting, (claim.id, kind, name)
                if claim.testability in (Means.DIRECT, Means.COMPARISON):
                    assert all(read.metric in given for given in fitting), (claim.id, read.metric)


@every_claim
def test_what_a_model_tests_names_its_inputs(claim: Claim) -> None:
    """A model that aibench has knows each input that the claim names or takes for granted."""
    if claim.model is None or claim.model.name not in MODELS:
        return
    known = set(MODELS[claim.model.name].inputs)
    assert {*claim.model.inputs, *claim.model.assumed} <= known
