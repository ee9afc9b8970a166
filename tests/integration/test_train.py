"""Training by emulated accelerators, from the command to the report."""

from pathlib import Path

import pytest

from tests.integration.command import Stand

pytestmark = pytest.mark.slow
WORDS = (
    *("-w", "train-object-detection", "--repeats", "1", "--set", "files=64", "--set", "batch=4"),
    *("--set", "size=20kB", "--set", "accelerators=[1, 2]", "--set", "loaders=2"),
    *("--set", "compute=20ms"),
)


def test_a_run_with_accelerators(tmp_path: Path) -> None:
    """Each level is measured, with steps that add up, and the report says how many were fed."""
    stand = Stand(tmp_path)
    done = stand.run(*WORDS)
    assert done.code == 0, done.err
    record = stand.record()
    assert [sample.phase for sample in record.samples] == ["accelerators-1", "accelerators-2"]
    for count, sample in enumerate(record.samples, start=1):
        assert sample.reasons == ()
        assert sample.evidence is not None
        training = sample.measurement.training
        assert training is not None
        assert [one.steps for one in training.accelerators] == [16 // count] * count
        assert sum(one.bytes for one in training.accelerators) == sample.measurement.bytes
        assert sample.ceiling is not None
        assert sample.ceiling.training is not None
    assert "Utilisation is computing over" in " ".join(done.out.split())
    assert "4.00 MB/s at full rate" in " ".join(done.out.split())


def test_a_search_and_its_plan(tmp_path: Path) -> None:
    """A plan bounds the levels that a search may try; a run tries some and tells the curve."""
    stand = Stand(tmp_path)
    words = (*WORDS, "--set", "search=5", "--set", "compute=5ms")
    planned = " ".join(stand.ask("plan", tmp_path, *words).out.split())
    assert "up to 5 accelerators: a search tries at most 5 of these 5 levels" in planned
    done = stand.run(*words)
    assert done.code == 0, done.err
    record = stand.record()
    tried = [sample.phase for sample in record.samples]
    assert tried[0] == "accelerators-1"
    assert len(set(tried)) == len(tried) <= 5
    assert "Utilisation by the number of accelerators: 1: " in " ".join(done.out.split())


def test_a_training_with_checkpoints(tmp_path: Path) -> None:
    """Checkpoints are saved alone and meanwhile, none is left behind, and both ways are told."""
    stand = Stand(tmp_path)
    saved = "checkpoint={every=5, mode='durable', parameters=100000, ranks=2, shards=1, keep=1}"
    done = stand.run(*WORDS, "--set", "accelerators=[1]", "--set", saved)
    assert done.code == 0, done.err
    alone, fed = stand.record().samples
    assert (alone.phase, fed.phase) == ("checkpoint-alone", "accelerators-1")
    training = fed.measurement.training
    assert training is not None
    assert len(training.checkpoints) == 3  # of 16 steps
    assert training.accelerators[0].checkpoint_ns > 0
    assert training.saved_bytes == alone.measurement.bytes == 3 * (1_400_000 + 64)
    assert fed.evidence is not None
    text = " ".join(done.out.split())
    assert "Goodput is computing over all time" in text
    assert "the slowest checkpoint was durable after" in text
    assert not list(tmp_path.rglob("scratch"))


def test_a_plan_names_the_loaders(tmp_path: Path) -> None:
    """A plan tells accelerators and loaders of each phase."""
    done = Stand(tmp_path).ask("plan", tmp_path, *WORDS)
    assert "accelerators-2: 64 files of 20.0 kB, 2 × 2 loaders on" in " ".join(done.out.split())


def test_a_run_that_stops_for_evaluations_and_checkpoints(tmp_path: Path) -> None:
    """Epochs, evaluations and checkpoints of one training are done, told, and leave no scratch."""
    stand = Stand(tmp_path)
    (tmp_path / "stops.toml").write_text("""\
name = "stops"
title = "A training that stops"
imitates = "A training with epochs, checkpoints and evaluations."
kind = "train"

[params]
files = 160
size = "10kB"
sizes = "fixed"
compute = "5ms"
batch = 4
epochs = 2
accelerators = [2]
cache = "as-found"
evaluation = { every = 20, files = 40 }
checkpoint = { every = 15, ranks = 2, shards = 1, parameters = 100_000 }
""")
    words = ("-w", tmp_path / "stops.toml", "--repeats", "1")
    planned = " ".join(stand.ask("plan", tmp_path, *words).out.split())
    assert "after each 20 steps an evaluation of 40 files" in planned
    done = stand.run(*words)
    assert done.code == 0, done.err
    training = stand.record().samples[-1].measurement.training
    assert training is not None
    assert len(training.checkpoints) == 2  # after 15 and 30 of 40 steps
    assert (training.evaluations, training.evaluated_bytes) == (1, 400_000)
    for one in training.accelerators:
        assert one.steps == 40
        assert min(one.evaluation_ns, one.checkpoint_ns) > 0
    told = " ".join(done.out.split())
    assert "stops for checkpoints and evaluations included" in told
    assert "an evaluation took" in told
    assert not stand.scratch()


def test_loaders_that_are_forked_anew_for_each_epoch(tmp_path: Path) -> None:
    """A run with them measures all epochs, after it has calibrated the harness."""
    stand = Stand(tmp_path)
    more = ("--set", "accelerators=[1]", "--set", "epochs=2", "--set", "persistent=false")
    done = stand.run(*WORDS, *more, "--set", "compute=5ms")
    assert done.code == 0, done.err
    training = stand.record().samples[-1].measurement.training
    assert training is not None
    assert [one.steps for one in training.accelerators] == [32]
    assert not stand.left_running()
