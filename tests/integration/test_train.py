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
    planned = " ".join(stand.do("plan", tmp_path, *words).out.split())
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
    done = Stand(tmp_path).do("plan", tmp_path, *WORDS)
    assert "accelerators-2: 64 files of 20.0 kB, 2 × 2 loaders on" in " ".join(done.out.split())
