"""A report says what checkpoints did to a training, and what it did to them."""

from dataclasses import replace
from typing import Any

from aibench.model import Accelerated, Accelerators, Operation, RunRecord, Steps, Training
from aibench.reporters import asking, checkpointing, terminal
from aibench.reporters.document import document
from tests import build

SECOND = 10**9


def training() -> Training:
    """A hundred seconds, of which ten are stops for checkpoints and 72 computing."""
    one = Accelerated(
        host="client1", number=0, steps=100, bytes=10**9, first_batch_ns=SECOND // 2,
        first_step_ns=SECOND, end_ns=101 * SECOND, wait_ns=18 * SECOND, compute_ns=72 * SECOND,
        barrier_ns=0, stall_ns=18 * SECOND, checkpoint_ns=10 * SECOND,
    )  # fmt: skip
    return Training(
        batch=10, accelerators=(one,), saved_bytes=10**9,
        while_saving=Steps(steps=20, whole_ns=40 * SECOND, compute_ns=24 * SECOND),
        others=Steps(steps=80, whole_ns=50 * SECOND, compute_ns=48 * SECOND),
    )  # fmt: skip


def record(**changes: Any) -> RunRecord:
    """A run that saved checkpoints alone and while an accelerator was fed."""
    files = build.population(directory="scratch/s", files=6, persistent=False)
    alone = build.phase(
        name="checkpoint-alone", operation=Operation.SAVE_SHARDS, population=files, checkpoints=3,
        **changes,
    )  # fmt: skip
    asked = Accelerators(count=1, loaders=2, compute_ns=SECOND, save_every=25, save_until="durable")
    level = build.phase(name="accelerators-1", accelerators=asked, saving=alone)
    waits = build.histogram(*range(SECOND, 2 * SECOND, SECOND // 500))
    samples = []
    for repeat in range(3):
        measured = build.measurement(timers={"blocked": SECOND, "durable": 2 * SECOND})
        samples.append(build.sample(repeat, phase="checkpoint-alone", measurement=measured))
        measured = build.measurement(
            training=training(), timers={"checkpoint_durable": 3 * SECOND},
            histograms={"wait_saving": waits, "wait_not_saving": build.histogram(*[1000] * 500)},
        )  # fmt: skip
        samples.append(build.sample(repeat, phase="accelerators-1", measurement=measured))
    stage = build.stage(phases=(alone, level), kind="train")
    return build.record(*samples, plan=build.plan(stage))


def test_both_ways_are_told() -> None:
    """Goodput with its formula, loading with and without a checkpoint, and a checkpoint alone."""
    shown = document(record(), [])
    formula, goodput, loading, saving = checkpointing.told(shown["workloads"][0]["phases"])
    assert formula.startswith("Goodput is computing over all time")
    assert (
        goodput == "1 accelerator: goodput 72.0 %, stops for checkpoints took 10.0 % of the time."
    )
    assert loading.startswith(
        "1 accelerator: utilisation was 60.0 % while a checkpoint was written and 96.0 % "
        "otherwise, the wait for a batch at p99 1.99 s and 1.00 µs"
    )
    assert saving == (
        "1 accelerator: the slowest checkpoint was durable after 3.00 s, and after 2.00 s without "
        "loading: 1.50 times as long."
    )
    text = " ".join(terminal.render(shown, width=200).split())
    assert "goodput 72.0 %" in text
    assert "utilisation ↑ 80.0 %" in text  # without the stops


def test_what_was_asked() -> None:
    """A phase says when accelerators stop, until when, and for what."""
    said = asking.asked(document(record(), [])["workloads"][0]["phases"][1])
    assert "after each 25 steps a stop until it is durable" in said
    assert "for a checkpoint of 8.19 kB by 2 ranks (files)" in said
    said = asking.asked(document(record(snapshot=True), [])["workloads"][0]["phases"][1])
    assert "a stop until its ranks have copied it" in said


def test_nothing_is_said_without_checkpoints() -> None:
    """A training that saves nothing has no such sentences."""
    shown = document(build.record(), [])["workloads"][0]["phases"]
    assert list(checkpointing.told(shown)) == []


def test_evaluations_are_told() -> None:
    """What is read for an evaluation, how long it took, and what it left of the time."""
    other = build.population(directory="data/other", files=40)
    read = build.phase(
        name="evaluation", population=other, batch=10, processes=1, threads=2,
        accelerators=Accelerators(count=1, loaders=2, compute_ns=SECOND // 3, steps=3),
    )  # fmt: skip
    asked = Accelerators(count=1, loaders=2, compute_ns=SECOND, evaluate_every=25)
    level = build.phase(
        name="accelerators-1",
        accelerators=asked,
        evaluation=read,
        processes=1,
        threads=2,
        batch=10,
    )
    (one,) = training().accelerators
    one = replace(one, checkpoint_ns=0, evaluation_ns=10 * SECOND)
    did = replace(
        training(), accelerators=(one,), while_saving=None, others=None, saved_bytes=0,
        evaluations=4, evaluated_bytes=4 * 10**8,
    )  # fmt: skip
    samples = [
        build.sample(n, phase="accelerators-1", measurement=build.measurement(training=did))
        for n in range(3)
    ]
    shown = document(
        build.record(*samples, plan=build.plan(build.stage(phases=(level,), kind="train"))), []
    )
    formula, useful, took = checkpointing.told(shown["workloads"][0]["phases"])
    assert "stops for evaluations included" in formula
    assert useful == (
        "1 accelerator: goodput 72.0 %, stops for evaluations took 10.0 % of the time."
    )
    assert took == (
        "1 accelerator: an evaluation took 2.50 s in the mean, in which 40.0 MB/s were read."
    )
    said = asking.asked(shown["workloads"][0]["phases"][0])
    assert (
        "after each 25 steps a stop for an evaluation, in which each takes 3 batches of 10" in said
    )
    assert "333 ms a batch" in said
