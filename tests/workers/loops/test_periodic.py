"""Checkpoints while accelerators are fed, in virtual time: goodput is that of the closed form."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aibench.engines.null import NullEngine, Pace
from aibench.metrics import metrics
from aibench.model import (
    Accelerators,
    CachePolicy,
    Measurement,
    Operation,
    Order,
    Phase,
    Sizes,
    SyncPolicy,
    Training,
)
from aibench.training import goodput, utilisation
from tests import build
from tests.engines import files as real
from tests.engines.by_hand import site

SECOND = 10**9


def saving(checkpoints: int, ranks: int = 2, writes: int = 3, **changes: Any) -> Phase:
    """Ranks with a file each, that is written in so many calls and synced."""
    population = build.population(
        directory="scratch/saved", files=ranks * checkpoints, files_per_directory=ranks,
        persistent=False, sizes=Sizes(distribution="fixed", mean=4096 * writes),
    )  # fmt: skip
    parts: dict[str, Any] = {
        "name": "saving", "operation": Operation.SAVE_SHARDS, "population": population,
        "processes": ranks, "io_size": 4096, "sync": SyncPolicy.COMMIT,
        "cache": CachePolicy.AS_FOUND, "checkpoints": checkpoints, "order": Order.SEQUENTIAL,
    }  # fmt: skip
    return build.phase(**parts | changes)


def training(
    steps: int = 20, every: int = 5, saved: Phase | None = None, count: int = 2, **changes: Any
) -> Phase:
    """Accelerators that compute for a second a step, and save after so many steps."""
    asked = Accelerators(
        count=count, loaders=1, compute_ns=SECOND, save_every=every, distribution="fixed",
        **{name: changes.pop(name) for name in list(changes) if name.startswith("save_")},
    )  # fmt: skip
    data = build.population(files=steps * count, sizes=Sizes(distribution="fixed", mean=1000))
    parts: dict[str, Any] = {
        "population": data, "reader": "lean", "order": Order.SEQUENTIAL, "processes": 1,
        "threads": count, "accelerators": asked,
        "saving": saved or saving(max((steps - 1) // every, 1)),
    }  # fmt: skip
    return build.phase(**parts | changes)


def measured(phase: Phase, **latency: int) -> tuple[Measurement, Training]:
    """What the null engine measures where calls take these times."""
    found = NullEngine(Pace(latency_ns={"read": 1, **latency})).run(phase, site(), lambda *_: None)
    assert found.training is not None
    return found, found.training


@pytest.mark.parametrize(
    ("until", "each"), [("blocked", 3 * SECOND), ("durable", 3 * SECOND + SECOND // 2)]
)
def test_accelerators_stop_for_a_checkpoint(until: str, each: int) -> None:
    """Of 20 steps of 1 s, a checkpoint of T after each 5: goodput is 19 / (19 + 3 × T)."""
    phase = training(save_until=until)
    found, did = measured(phase, write=SECOND, fsync=SECOND // 4)
    for one in did.accelerators:
        assert (one.steps, one.checkpoint_ns) == (20, 3 * each)
        assert one.compute_ns == 19 * SECOND
        assert one.end_ns - one.first_step_ns == 19 * SECOND + 3 * each
    assert goodput(did) == pytest.approx(19 / (19 + 3 * each / SECOND))
    assert utilisation(did) == pytest.approx(1)
    assert [saved.asked_ns // SECOND for saved in did.checkpoints] == [
        5, 10 + each // SECOND, 15 + 2 * each // SECOND,
    ]  # fmt: skip
    for saved in did.checkpoints:
        assert saved.released_ns == saved.asked_ns + each
    assert did.saved_bytes == 3 * 2 * 3 * 4096
    assert found.bytes == 40_000  # what was read, and nothing else
    assert found.timers["checkpoint_blocked"] == 3 * SECOND
    assert found.timers["checkpoint_durable"] == 3 * SECOND + SECOND // 2


def test_a_snapshot_lets_them_go_on() -> None:
    """What is written in the background costs nothing while it is done before the next one."""
    phase = training(saved=saving(3, snapshot=True))
    _, did = measured(phase, write=SECOND)
    assert [one.checkpoint_ns for one in did.accelerators] == [0, 0]
    assert goodput(did) == 1
    assert did.while_saving is not None
    assert did.others is not None
    assert did.while_saving.steps == 2 * 3 * 3  # three seconds after each of three
    assert did.while_saving.steps + did.others.steps == 2 * 19


def test_the_next_one_waits_for_the_one_before() -> None:
    """Writing takes 7 s and a checkpoint is due each 5 s: the second and the third wait for 2 s."""
    phase = training(saved=saving(3, writes=7, snapshot=True))
    _, did = measured(phase, write=SECOND)
    assert [one.checkpoint_ns for one in did.accelerators] == [4 * SECOND, 4 * SECOND]
    assert goodput(did) == pytest.approx(19 / 23)
    (first, second, third) = did.checkpoints
    assert (first.asked_ns, first.ended_ns) == (5 * SECOND + 1, 12 * SECOND + 1)
    assert (second.asked_ns, second.released_ns) == (10 * SECOND + 1, 12 * SECOND + 1)
    assert (third.asked_ns, third.released_ns) == (17 * SECOND + 1, 19 * SECOND + 1)


def test_what_a_checkpoint_costs_loading_is_told() -> None:
    """Metrics have goodput with checkpoints, utilisation without them, and waiting apart."""
    phase = training(saved=saving(3, snapshot=True), every=5)
    found, did = measured(phase, write=SECOND)
    figures = {each.name: each for each in metrics(phase, build.sample(measurement=found))}
    assert figures["goodput"].value == 1
    assert figures["checkpoint_share"].value == 0
    assert figures["utilisation_while_saving"].value == 1
    assert figures["utilisation_not_saving"].value == 1
    assert figures["save_bandwidth"].value == did.saved_bytes * SECOND / found.elapsed_ns
    assert found.histograms["wait_saving"].count == did.while_saving.steps  # type: ignore[union-attr]
    assert found.histograms["checkpoint"].count == 2 * 3


def test_runs_end_whatever_comes_first() -> None:
    """The time is over, loaders leave, or no more checkpoints are planned: nobody waits forever."""
    bounded = replace(training(steps=6, every=2, saved=saving(2)), runtime_ns=30 * SECOND)
    _, did = measured(bounded, write=SECOND)
    assert len(did.checkpoints) == 2  # those that were planned; epochs go on
    assert did.accelerators[0].end_ns >= 30 * SECOND
    _, did = measured(training(steps=4, every=5, saved=saving(1)))
    assert did.checkpoints == ()
    assert goodput(did) == 1


@pytest.mark.parametrize("snapshot", [False, True])
def test_checkpoints_are_really_written(tmp_path: Path, snapshot: bool) -> None:
    """All files of the kept checkpoints are there with their bytes, and loading went on."""
    mark = Sizes(distribution="listed", mean=6000, listed=((1, 64), (2, 9000)) * 3)
    saved = saving(3, snapshot=snapshot)
    files = replace(saved.population, files=9, files_per_directory=3, sizes=mark)
    saved = replace(saved, population=files, shares=(2, 1), marked=True, keep=1)
    phase = training(saved=saved)
    asked = phase.accelerators
    assert asked is not None
    phase = replace(phase, accelerators=replace(asked, compute_ns=2_000_000, save_until="durable"))
    real.write(tmp_path, phase.population)
    (tmp_path / "scratch/saved").mkdir(parents=True)
    found = real.run(phase, tmp_path)
    assert found.training is not None
    assert len(found.training.checkpoints) == 3
    assert all(one.steps == 20 for one in found.training.accelerators)
    assert all(one.checkpoint_ns > 0 for one in found.training.accelerators)
    assert sorted(path.name for path in (tmp_path / "scratch/saved").rglob("f*")) == [
        "f0000000006", "f0000000007", "f0000000008",
    ]  # fmt: skip
    assert (tmp_path / "scratch/saved/d000002/f0000000007").read_bytes() == real.content(files, 7)


def test_who_does_not_meet_saves_nothing_together() -> None:
    """Accelerators that end their steps alone have no moment for a checkpoint of all."""
    with pytest.raises(ValueError, match="end steps together"):
        Accelerators(count=2, loaders=1, compute_ns=1, barrier=False, save_every=3)
    with pytest.raises(ValueError, match="who asks for checkpoints"):
        replace(training(), saving=None)
    with pytest.raises(ValueError, match="saves nothing else"):
        replace(training(), saving=training())
