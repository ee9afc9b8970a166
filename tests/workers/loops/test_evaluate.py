"""Evaluations that accelerators stop for, in virtual time: their end is that of the closed form."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aibench.metrics import metrics
from aibench.model import Accelerators, Order, Phase, Sizes
from aibench.training import goodput, utilisation
from tests import build
from tests.engines import files as real
from tests.workers.loops.test_periodic import SECOND, measured, saving, training

FIXED = Sizes(distribution="fixed", mean=1000)


def evaluation(batches: int = 3, count: int = 2, loaders: int = 1, **changes: Any) -> Phase:
    """Each accelerator takes so many batches of one sample, and computes with none."""
    asked = Accelerators(
        count=count, loaders=loaders, compute_ns=changes.pop("compute_ns", 0), steps=batches,
        prefetch=changes.pop("prefetch", 2), distribution="fixed",
    )  # fmt: skip
    data = build.population(directory="data/other", files=batches * count, sizes=FIXED)
    parts: dict[str, Any] = {
        "name": "evaluation", "population": data, "reader": "lean", "order": Order.SEQUENTIAL,
        "processes": 1, "threads": asked.seats, "accelerators": asked,
    }  # fmt: skip
    return build.phase(**parts | changes)


def evaluating(every: int, read: Phase, *, saved: Phase | None = None, **changes: Any) -> Phase:
    """A training of 20 steps of a second that stops to evaluate, and for checkpoints if any."""
    phase = training(saved=saved, **changes)
    asked = phase.accelerators
    assert asked is not None
    asked = replace(asked, evaluate_every=every, save_every=asked.save_every if saved else 0)
    return replace(phase, accelerators=asked, saving=saved, evaluation=read)


@pytest.mark.parametrize(
    ("read", "loaders", "prefetch", "compute", "each"),
    [
        (2, 1, 2, 0, 12),  # 6 batches come one after the other, and nothing is computed
        (2, 1, 2, 1, 13),  # the last one is computed with when it has come
        (1, 1, 2, 3, 19),  # the first one comes, and then computing is what takes the time
        (4, 2, 2, 1, 14),  # two loaders: batches 2 by 2, each pair after 4 s
        (4, 3, 1, 3, 22),  # 3 at once after 4 s, 9 s of computing, and those after it came before
        (2, 1, 1, 3, 20),  # a loader that is one batch ahead is never late
    ],
)
def test_an_evaluation_takes_what_reading_and_computing_take(
    read: int, loaders: int, prefetch: int, compute: int, each: int
) -> None:
    """Of 20 steps of 1 s with an evaluation of T after each 5, goodput is 19 / (19 + 3 × T)."""
    other = evaluation(6, loaders=loaders, prefetch=prefetch, compute_ns=compute * SECOND)
    phase = evaluating(5, other)
    # training reads as well: one sample in as long, with two loaders ahead of their accelerators
    asked = phase.accelerators
    assert asked is not None
    phase = replace(phase, accelerators=replace(asked, compute_ns=10 * SECOND))
    found, did = measured(phase, read=read * SECOND)
    step = 10 * SECOND
    for one in did.accelerators:
        assert (one.steps, one.wait_ns, one.checkpoint_ns) == (20, 0, 0)
        assert one.evaluation_ns == 3 * each * SECOND
        assert one.end_ns - one.first_step_ns == 19 * step + 3 * each * SECOND
    assert goodput(did) == pytest.approx(190 / (190 + 3 * each))
    assert utilisation(did) == pytest.approx(1)
    assert (did.evaluations, did.evaluated_bytes) == (3, 3 * 12 * 1000)
    assert found.bytes == 40_000  # what was trained on, and nothing else
    figures = {each.name: each.value for each in metrics(phase, build.sample(measurement=found))}
    assert figures["evaluation_share"] == pytest.approx(3 * each / (190 + 3 * each))
    assert figures["evaluation_time"] == each * SECOND
    assert figures["evaluation_bandwidth"] == pytest.approx(12 * 1000 / each)
    assert figures["goodput"] == goodput(did)
    assert "checkpoint_share" not in figures


def test_a_checkpoint_follows_the_evaluation() -> None:
    """Where both are due accelerators evaluate first; each has its own share of the time."""
    phase = evaluating(10, evaluation(3), saved=saving(3))
    _, did = measured(phase, read=SECOND // 100, write=SECOND)
    for one in did.accelerators:
        assert one.checkpoint_ns == 3 * 3 * SECOND
        assert one.evaluation_ns == 3 * SECOND // 100
        assert one.compute_ns == 19 * SECOND
    first, second, third = (saved.asked_ns for saved in did.checkpoints)
    assert second - first == 5 * SECOND + 3 * SECOND + 3 * SECOND // 100
    assert third - second == 5 * SECOND + 3 * SECOND
    assert did.evaluations == 1  # none after the last step


def test_runs_with_evaluations_end_whatever_comes_first() -> None:
    """The time is over, or no evaluation comes to be due: nobody waits forever."""
    bounded = replace(evaluating(2, evaluation(2)), runtime_ns=30 * SECOND)
    _, did = measured(bounded)
    assert did.evaluations >= 14
    assert did.accelerators[0].end_ns >= 30 * SECOND
    _, did = measured(evaluating(30, evaluation(2)))
    assert (did.evaluations, did.evaluated_bytes) == (0, 0)
    assert goodput(did) == 1


@pytest.mark.parametrize(("form", "size"), [("files", 1000), ("webdataset", 3072)])
def test_other_data_are_really_read(tmp_path: Path, form: str, size: int) -> None:
    """Of real files, in a directory of their own, all bytes come in each evaluation."""
    read = evaluation(4, compute_ns=1_000_000)
    if form == "webdataset":
        shards = replace(
            read.population, files=2, samples_per_file=4, format=form, sizes=FIXED,
            directory="data/other",
        )  # fmt: skip
        read = replace(read, population=shards, reader="webdataset")
    phase = evaluating(5, read)
    asked = phase.accelerators
    assert asked is not None
    phase = replace(phase, accelerators=replace(asked, compute_ns=2_000_000))
    real.write(tmp_path, phase.population)
    real.write(tmp_path, read.population)
    found = real.run(phase, tmp_path)
    did = found.training
    assert did is not None
    assert did.evaluations == 3
    assert did.evaluated_bytes == 3 * 8 * size  # a shard has headers and padding, too
    assert all(one.steps == 20 for one in did.accelerators)
    assert all(one.evaluation_ns >= 3 * 4 * 1_000_000 for one in did.accelerators)
    assert found.bytes == 40_000


def test_what_can_not_be_evaluated() -> None:
    """All accelerators of a training evaluate, together, and so many batches."""
    with pytest.raises(ValueError, match="end steps together"):
        Accelerators(count=2, loaders=1, compute_ns=1, barrier=False, evaluate_every=3)
    with pytest.raises(ValueError, match="who stops to evaluate"):
        replace(evaluating(5, evaluation()), evaluation=None)
    with pytest.raises(ValueError, match="all its accelerators evaluate"):
        evaluating(5, evaluation(count=1))
    with pytest.raises(ValueError, match="so many batches, no more"):
        evaluating(5, evaluation(runtime_ns=SECOND))
