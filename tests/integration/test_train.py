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


def test_a_plan_names_the_loaders(tmp_path: Path) -> None:
    """A plan tells accelerators and loaders of each phase."""
    done = Stand(tmp_path).do("plan", tmp_path, *WORDS)
    assert "accelerators-2: 64 files of 20.0 kB, 2 × 2 loaders on" in " ".join(done.out.split())
