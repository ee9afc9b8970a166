"""The commands duel and compare in processes of their own: records, resuming, reports, refusals."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from aibench.compare.pairing import order
from aibench.floors import FILE, keep
from aibench.floors import read as read_floors
from aibench.model import RunRecord
from aibench.model.comparison import NoiseFloor
from aibench.store import read
from tests.integration.command import SMALL, Done, Stand, eventually, finished

#: A pair takes about a second.
QUESTION = ("-w", "load-4k", "--set", "files=300", "--set", "workers=1", "--pairs", "3")
WRITING = ("-w", "ingest", "--set", "files=50", "--set", "workers=1", "--pairs", "3")


class Ring(Stand):
    """Two targets, a directory for results, and aibench."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.other = directory / "other"
        self.other.mkdir()

    def duel(self, *words: str | Path) -> Done:
        """``aibench duel`` on both."""
        return self.do("duel", self.target, self.other, *words)

    def records(self) -> list[RunRecord]:
        """All records, in the order of their pairs and sides."""
        found = [read(path) for path in self.paths()]
        return sorted(found, key=lambda r: (int(r.labels["pair"]), r.labels["side"], r.run_id))


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    """Two directories after a duel of three pairs."""
    ring = Ring(tmp_path_factory.mktemp("ring"))
    done = ring.duel(*QUESTION, "--label", "left", "--label", "right", "--json")
    assert done.code in (0, 3), done.err
    (ring.directory / "duel.json").write_text(done.out)
    (ring.directory / "duel.err").write_text(done.err)
    yield ring
    assert ring.left_running() == []


def duel_of(ring: Ring) -> str:
    """The id of the duel that was fought."""
    return ring.records()[0].labels["duel"]


def test_each_run_leaves_a_record_that_knows_its_pair(ring: Ring) -> None:
    """Three pairs and the warm-up are eight ordinary records, labelled, in the declared order."""
    records = ring.records()
    labels = [(int(r.labels["pair"]), r.labels["side"]) for r in records]
    assert labels == [(pair, side) for pair in range(4) for side in "ab"]
    assert all(record.complete and not record.reasons for record in records)
    assert {(r.labels["side"], r.target.label) for r in records} == {("a", "left"), ("b", "right")}
    measured = sorted(records, key=lambda record: record.started_at)
    assert ["ab".index(record.labels["side"]) for record in measured] == [
        side for turn in order(duel_of(ring), 2, 3) for side in turn
    ]


def test_seeds_are_shared_within_a_pair_and_new_in_the_next(ring: Ring) -> None:
    """Both sides of a pair have the same plan; each pair has an order of its own; the data stay."""
    digests = [record.plan.digest for record in ring.records()]
    assert digests[::2] == digests[1::2]
    assert len(set(digests)) == 4
    populations = {p.population.digest for r in ring.records() for p in r.plan.stages[0].phases}
    assert len(populations) == 1
    told = (ring.directory / "duel.err").read_text()
    assert told.count("load-4k: layout") == 2


def test_the_document_and_the_page(ring: Ring) -> None:
    """The JSON says what the records say, and an HTML page lies beside them."""
    told = json.loads((ring.directory / "duel.json").read_text())
    assert (told["kind"], told["design"]) == ("comparison", "paired")
    assert told["pairs"] == {"declared": 3, "complete": 3, "extended": 0}
    assert [side["name"] for side in told["sides"]] == ["left", "right"]
    figures = {figure["metric"]: figure["differences"][0] for figure in told["figures"]}
    rate = [r.samples[0].measurement for r in ring.records() if r.labels["pair"] != "0"]
    ratio = 1.0
    for a, b in zip(rate[::2], rate[1::2], strict=True):
        ratio *= b.elapsed_ns / a.elapsed_ns
    assert figures["files_per_second"]["ratio"] == pytest.approx(ratio ** (1 / 3), rel=1e-6)
    page = ring.results / f"duel-{duel_of(ring)}.html"
    assert "left against right" in page.read_text()
    assert "no_noise_floor" in {note["code"] for note in told["notes"]}


@pytest.mark.parametrize("form", ["terminal", "markdown", "html", "json"])
def test_compare_tells_the_same_later(ring: Ring, form: str) -> None:
    """From the records alone each format comes out again, twice with the same bytes."""
    words = ("compare", "--duel", duel_of(ring), "-f", form)
    first, second = ring.do(*words), ring.ask(*words)
    assert first.code in (0, 3), first.err
    assert first.out == second.out
    assert "left" in first.out
    if form == "terminal":
        assert max(map(len, first.out.splitlines())) <= 80
    if form == "json":
        earlier = json.loads((ring.directory / "duel.json").read_text())
        assert first.json["figures"] == earlier["figures"]
        assert first.json["pairs"] == earlier["pairs"]


def test_compare_pairs_the_runs_it_is_given(ring: Ring) -> None:
    """Runs named one by one are paired by their labels; the warm-up and lone runs are left out."""
    sides = {side: [p for p in ring.paths() if read(p).labels["side"] == side] for side in "ab"}
    told = ring.ask("compare", *sides["a"], "--with", *sides["b"][1:], "--json").json
    assert (told["design"], told["pairs"]["complete"]) == ("paired", 3)
    lone = ring.ask("compare", *sides["a"][:3], "--with", *sides["b"], "--json").json
    assert lone["pairs"]["complete"] == 2


def test_the_same_runs_on_both_sides_are_refused(ring: Ring) -> None:
    """Runs of one side against runs of the same side are no pairs, nor is a run with itself."""
    one, two, three = [p for p in ring.paths() if read(p).labels["side"] == "a"][1:]
    done = ring.ask("compare", one, two, "--with", two, three)
    assert done.code == 2
    assert "is there twice" in done.err
    apart = ring.ask("compare", one, "--with", two, three, "--json")
    assert apart.code == 3
    assert apart.json["design"] == "sequential"


def test_of_single_runs_the_repeats_are_compared(tmp_path: Path) -> None:
    """Two ordinary runs give the ratio of their repeats, with no verdict and what it leaves out."""
    stand = Stand(tmp_path)
    words = (*SMALL, "--repeats", "3", "--set", "files=300")
    assert {stand.run(*words).code for _ in range(2)} <= {0, 3}
    done = stand.ask("compare", stand.paths()[0], "--with", stand.paths()[1], "--json")
    assert done.code == 3, done.err
    told = done.json
    assert "one_run" in {note["code"] for note in told["notes"]}
    for figure in told["figures"]:
        (each,) = figure["differences"]
        assert (each["n"], each["outcome"]) == (3, "INCONCLUSIVE")
        assert each["low"] < each["ratio"] < each["high"]
        assert each["reasons"][0]["code"] == "sequential"


@pytest.mark.slow
def test_writing_is_always_anew(tmp_path: Path) -> None:
    """Of what is written each pair has contents of its own, the same on both sides."""
    ring = Ring(tmp_path)
    done = ring.duel(*WRITING)
    assert done.code in (0, 3), done.err
    seeds = [[p.population.seed for p in r.plan.stages[0].measured] for r in ring.records()]
    assert seeds[::2] == seeds[1::2]
    assert len({each[0] for each in seeds}) == 4
    assert ring.scratch() == []


@pytest.mark.slow
def test_a_duel_is_extended_once(tmp_path: Path) -> None:
    """What its pairs leave open is given as many more as were declared, each look at 97.5 %."""
    ring = Ring(tmp_path)
    done = ring.duel(*QUESTION, "--extend", "1", "--delta", "0.001%", "--json")
    assert done.code in (0, 3), done.err
    assert done.json["pairs"] == {"declared": 3, "complete": 4, "extended": 1}
    assert done.json["confidence"] == 0.975
    duel = ring.records()[0].labels["duel"]
    again = ring.ask("compare", "--duel", duel, "--delta", "0.001%", "--json").json
    assert again["figures"] == done.json["figures"]
    assert again["pairs"] == done.json["pairs"]


@pytest.mark.slow
def test_a_stopped_duel_goes_on(tmp_path: Path) -> None:
    """A duel that was interrupted tells how to go on, and then measures only what is missing."""
    ring = Ring(tmp_path)
    words = ("duel", ring.target, ring.other, *QUESTION)
    with ring.start(*words) as process:
        assert eventually(lambda: len(ring.paths()) >= 5)
        process.send_signal(signal.SIGINT)
        stopped = finished(process)
    assert stopped.code == 4
    (line,) = [m for m in stopped.messages if m.startswith("to measure what is missing: ")]
    again = line.partition(": aibench ")[2].split()
    before = ring.paths()
    other = ring.do(*again[:1], ring.other, ring.target, *again[3:])
    assert other.code == 2
    assert "has another directory than this command asks for" in other.err
    wrong = ring.do(*again, "--pairs", "5")
    assert "pairs 3, not 5" in wrong.err
    done = ring.do(*again)
    assert done.code in (0, 3), done.err
    ended_well = [r for r in ring.records() if not r.reasons]
    whole = {(r.labels["pair"], r.labels["side"]) for r in ended_well}
    assert len(whole) == 8
    assert len(ring.paths()) - len(before) <= 8 - len(before) + 2
    assert "3 of 3 pairs" in done.out
    assert ring.left_running() == []


@pytest.mark.slow
def test_a_mount_with_itself_gives_its_noise_floor(tmp_path: Path) -> None:
    """The floor of each figure is kept beside the records; below it no duel is fought."""
    ring = Ring(tmp_path)
    done = ring.do("duel", ring.target, ring.target, *QUESTION)
    assert done.code == 0, done.err
    known = read_floors(str(ring.results))
    assert {floor.metric for floor in known} == {
        "read_bandwidth", "files_per_second", "latency_p50", "latency_p99",
    }  # fmt: skip
    assert min(floor.log_ratio for floor in known) > 0
    refused = ring.duel(*QUESTION, "--delta", "0.0001%")
    assert refused.code == 2
    assert "is below the noise floor of these mounts" in refused.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--pairs", "2"), "pairs"),
        (("--pairs", "30", "--extend", "11"), "more than 40 pairs together"),
        (("--delta", "5"), "is not a share"),
        (("--delta", "0%"), "is not a share"),
        (("--expect", "c"), "one of a, b, equivalent"),
        (("--label", "one"), "1 labels were given for 2 targets"),
        (("--system", "x.toml"), "1 system files were given for 2 targets"),
        (("--accept", "nothing"), "no gate 'nothing'"),
        (("--screen", "--must-have", "iops"), "--must-have names one"),
        (("--resume", "00000000"), "no run of a duel '00000000'"),
        (("--target", "other"), "is there twice"),
        (("--must-have", "iops"), "there is no such figure"),
    ],
)
def test_refusals(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    """Wrong arguments are refused, with what is wrong; but for a figure nothing is measured."""
    ring = Ring(tmp_path)
    words = tuple(str(ring.other) if word == "other" else word for word in words)
    started = ring.do if "iops" in words else ring.ask
    done = started("duel", ring.target, ring.other, *QUESTION, *words)
    assert done.code == 2, done.out
    assert told in done.err
    assert len(ring.paths()) <= 2


def test_a_damaged_file_of_floors_is_named(tmp_path: Path) -> None:
    """A file of noise floors that is not ours is told, with its path and what to do."""
    ring = Ring(tmp_path)
    ring.results.mkdir()
    for text in ("{", "[]", '{"format": 2}', '{"format": 1, "floors": [{"series": 1}]}'):
        (ring.results / FILE).write_text(text)
        done = ring.ask("duel", ring.target, ring.other, *QUESTION)
        assert done.code == 2
        assert re.search(rf"{FILE} (can't be read|is damaged): .+", done.err)


def test_floors_are_replaced_one_by_one(tmp_path: Path) -> None:
    """A new floor takes the place of the old one of the same figure, and leaves the others."""

    def floor(series: str, value: float) -> NoiseFloor:
        return NoiseFloor(
            series=series, metric="iops", log_ratio=value, pairs=6, duel="d0e1", at="now",
            target="data", workload="block", phase="rand-read",
        )  # fmt: skip

    keep(str(tmp_path), [floor("x", 0.1), floor("y", 0.2)])
    keep(str(tmp_path), [floor("x", 0.3)])
    assert {each.series: each.log_ratio for each in read_floors(str(tmp_path))} == {
        "x": 0.3, "y": 0.2,
    }  # fmt: skip
