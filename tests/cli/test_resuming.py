"""What of a record stands, what is done again, and where a record can't go on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click
import pytest

from aibench import __version__
from aibench.cli.resuming import Resumed, refuse_decided, refuse_other, resumed
from aibench.cli.run_command import command
from aibench.engines.null import NullEngine
from aibench.errors import RecordError, Refused
from aibench.model import Accelerators, Environment, Finding, Operation, Phase, RunRecord, Sample
from tests import build

FAILED = (Finding(code="errors", message="1 operations failed"),)
SCRATCH = build.population(directory="scratch/names", persistent=False)


def names(*operations: Operation) -> tuple[Phase, ...]:
    """Phases on one set of scratch files, each named as what it does."""
    return tuple(
        build.phase(name=operation.value, operation=operation, population=SCRATCH)
        for operation in operations
    )


def stopped(*samples: Sample, **changes: Any) -> RunRecord:
    """A record of a run that was cut off."""
    return build.record(*samples, **{"aibench_version": __version__, "complete": False} | changes)


def kept(before: Resumed) -> list[tuple[str, int]]:
    """Phase and repeat of what stands."""
    return [(sample.phase, sample.repeat) for sample in before.kept]


def test_what_counts_stands() -> None:
    """Samples that count stand as they are; a repeat that failed, or is missing, is done again."""
    first, failed = build.sample(0), build.sample(1, reasons=FAILED)
    before = resumed(stopped(first, failed))
    assert before.kept == (first,)
    assert before.done == {("load-demo", "read", 0)}
    assert not before.is_whole
    assert "1 of 3 samples were measured there" in before.finding().message
    assert "1 more are there that failed or stand alone" in before.finding().message


def test_a_later_sample_of_the_same_place_wins() -> None:
    """Where a record holds a repeat twice, it stands once."""
    before = resumed(stopped(build.sample(0, reasons=FAILED), build.sample(0), build.sample(0)))
    assert kept(before) == [("read", 0)]


def test_many_ranks_have_many_processes() -> None:
    """A plan may have as many processes as settings let through, for each rank."""
    phase = build.phase(processes=3000)
    many = stopped(plan=build.plan(stages=(build.stage(phases=(phase,)),)), launch=build.launch())
    assert resumed(many).record is many
    with pytest.raises(RecordError, match="phase 'read'"):
        resumed(replace(many, launch=None))


def test_strays_do_not_stand() -> None:
    """What the plan does not ask for, or refused, is not carried on."""
    record = stopped(build.sample(0), build.sample(7), build.sample(0, phase="other"))
    assert kept(resumed(record)) == [("read", 0)]
    refused = replace(record, plan=build.plan(build.stage(refusal="no fio")))
    assert resumed(refused).kept == ()


def test_scratch_files_are_passed_on() -> None:
    """Phases that work on what one before them made stand together, or are done again together."""
    made = (Operation.CREATE, Operation.STAT, Operation.DELETE)
    plan = build.plan(build.stage(phases=names(*made), repeats=2))
    samples = [
        build.sample(repeat, phase=operation.value)
        for repeat, operation in ((0, made[0]), (0, made[1]), (0, made[2]), (1, made[0]))
    ]
    whole = [("create", 0), ("stat", 0), ("delete", 0)]
    assert kept(resumed(stopped(*samples, plan=plan))) == whole
    assert kept(resumed(stopped(*samples[1:], plan=plan))) == []


def test_what_makes_its_own_files_stands_alone() -> None:
    """Phases that lay out what they need do not wait for one another."""
    phases = tuple(
        replace(phase, name=f"{phase.name}-{number}")
        for number, phase in enumerate(names(Operation.WRITE_BLOCKS, Operation.WRITE_BLOCKS))
    )
    plan = build.plan(build.stage(phases=phases, repeats=1))
    record = stopped(build.sample(0, phase="write_blocks-1"), plan=plan)
    assert kept(resumed(record)) == [("write_blocks-1", 0)]


def test_whole() -> None:
    """Nothing is left only where every sample stands and the run ended well."""
    samples = [build.sample(repeat) for repeat in range(3)]
    record = stopped(*samples, complete=True)
    assert resumed(record).is_whole
    assert not resumed(replace(record, complete=False)).is_whole
    assert not resumed(replace(record, reasons=FAILED)).is_whole
    assert not resumed(replace(record, samples=tuple(samples[1:]))).is_whole


@pytest.mark.parametrize(
    "started_at", ["", "yesterday", "2026-11-21T12:00:00", "9999-01-01T00:00:00Z"]
)
def test_strange_times(started_at: str) -> None:
    """A time that can't be read, or has not come, tells no gap below zero, and is no bug."""
    before = resumed(stopped(build.sample(0, started_at=started_at)))
    assert "-" not in before.finding().message.partition(": ")[2]


def test_no_sample() -> None:
    """A run that was stopped before its first sample can go on, too."""
    before = resumed(replace(stopped(), samples=()))
    assert before.done == frozenset()
    assert before.finding().message.endswith("0 of 3 samples were measured there")


def planned(**changes: Any) -> RunRecord:
    """A record whose one phase is not quite as aibench plans it."""
    return stopped(plan=build.plan(build.stage(phases=(build.phase(**changes),))))


@pytest.mark.parametrize(
    "record",
    [
        *(
            planned(population=build.population(directory=directory))
            for directory in (
                "../outside", "/etc", "data/../../outside", "data", "data/", "data/a/b", "data/A",
                "data/.", "data/a\n", "scratch/a", "data/a\0", "data/" + "a" * 300,
            )
        ),
        planned(population=build.population(directory="data/a", persistent=False)),
        planned(name="read]\n[global]\nexec_prerun=touch /tmp/x"),
        planned(name=""),
        planned(population=build.population(files=10**11)),
        planned(processes=10**6),
        planned(threads=10**6),
        planned(depth=10**6),
        planned(batch=10**6),
        planned(
            accelerators=Accelerators(count=1, loaders=2, compute_ns=1, save_every=1),
            saving=build.phase(
                operation=Operation.SAVE_SHARDS,
                population=build.population(directory="scratch/../..", persistent=False),
            ),
        ),
        stopped(plan=build.plan(build.stage(repeats=10**9))),
        stopped(plan=build.plan(build.stage(repeats=0))),
        stopped(plan=build.plan(build.stage(workload="../x"))),
        stopped(plan=build.plan(build.stage(), build.stage())),
        stopped(plan=build.plan(build.stage(phases=(build.phase(), build.phase())))),
        stopped(plan=build.plan(build.stage(phases=()))),
    ],
)  # fmt: skip
def test_edited_plans(record: RunRecord) -> None:
    """A plan that aibench does not make is refused: it says where to write, and how much."""
    with pytest.raises(RecordError, match="is not one that aibench plans"):
        resumed(record)


ENGINES = {"null": NullEngine()}
CLIENT = Environment(key={"cpu": "one", "cores": 2}, metadata={"hostname": "here", "uptime_s": 5})


def at_home(**changes: Any) -> RunRecord:
    """A record of this client, of the engine null."""
    return stopped(environment=CLIENT, engines={"null": str(NullEngine().version())}, **changes)


def test_at_home() -> None:
    """Where all is as it was, nothing is said; what only explains noise may differ."""
    record = at_home()
    later = replace(CLIENT, metadata={"hostname": "here", "uptime_s": 9})
    refuse_other(record, replace(record.target, free_bytes=5, device_id="9:9"), later, ENGINES)
    target = replace(record.target, options=("rw", "clientaddr=10.0.0.1"))
    moved = replace(target, options=("clientaddr=10.0.0.2", "rw"))
    refuse_other(replace(record, target=target), moved, CLIENT, ENGINES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: replace(r, target=replace(r.target, path="/x")), "path was /x and is "),
        (lambda r: replace(r, target=replace(r.target, fstype="xfs")), "fstype was xfs and is "),
        (lambda r: replace(r, target=replace(r.target, source="a:/b")), "source was a:/b and is "),
        (lambda r: replace(r, target=replace(r.target, mount_point="/")), "mount point was / and"),
        (
            lambda r: replace(r, target=replace(r.target, options=("ro", *r.target.options))),
            "mount options was ro and is none",
        ),
        (lambda r: replace(r, aibench_version="0.0.1"), "aibench was 0.0.1 and is "),
        (lambda r: replace(r, engines={"null": "0.0.1"}), "null was 0.0.1 and is "),
        (
            lambda r: replace(r, environment=replace(CLIENT, key={"cpu": "two", "cores": 2})),
            "cpu was two and is one",
        ),
        (
            lambda r: replace(r, environment=replace(CLIENT, key={"cpu": "one"})),
            "cores was none and is 2",
        ),
        (
            lambda r: replace(r, environment=replace(CLIENT, metadata={"hostname": "there"})),
            "client was there and is here",
        ),
    ],
)
def test_elsewhere(change: Callable[[RunRecord], RunRecord], words: str) -> None:
    """Samples of another target, client or tool do not go into one record; what differs is told."""
    record = at_home()
    with pytest.raises(Refused, match="can't go on here") as caught:
        refuse_other(change(record), record.target, CLIENT, ENGINES)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        ("-w", "load-4k"), ("--suite", "quick"), ("--engine", "null"), ("--repeats", "3"),
        ("--cache", "cold"), ("--scale", "1"), ("--set", "a=1"), ("--seed", "1"),
        ("--label", "a"), ("--system", "a.toml"),
    ],
)  # fmt: skip
def test_decided(given: tuple[str, str]) -> None:
    """What the record has decided is not decided anew, also not the same; the option is named."""
    context = command.make_context("run", [".", "--resume", "last", *given])
    with pytest.raises(Refused, match=f"leave out {given[0]}$"), context:
        refuse_decided(click.get_current_context())


def test_undecided() -> None:
    """What changes no measurement can be given."""
    harmless = ("--claims", "a", "--results", "b", "--patience", "5s", "--no-keep", "--json")
    context = command.make_context("run", [".", "--resume", "last", *harmless, "--fstype", "ext4"])
    refuse_decided(context)
