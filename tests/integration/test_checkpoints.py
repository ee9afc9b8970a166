"""Checkpoints from the command to the report: read back, and resumed up to a first step."""

from pathlib import Path

import pytest

from aibench.model import CacheState, Measurement
from aibench.probes.mounts import describe
from tests.integration.command import Stand

pytestmark = pytest.mark.slow
TEN = (
    *("-w", "checkpoint-save", "--repeats", "1", "--set", "checkpoints=10", "--set", "ranks=2"),
    *("--set", "read_back=true", "--set", "scale=2e-5"),
)
RESUME = (
    *("-w", "checkpoint-resume", "--repeats", "1", "--set", "scale=2e-4", "--set", "indexing=stat"),
    *("--set", 'dataset={files = 300, size = "4kB", sizes = "fixed", batch = 8}'),
)


def test_ten_are_written_and_ten_are_read_from_storage(tmp_path: Path) -> None:
    """What was written just now is out of the client's cache before it is read, which is checked.

    Whatever memory the client has: no ratio of data to memory stands in for looking.
    """
    stand = Stand(tmp_path)
    done = stand.run(*TEN)
    assert done.code == 0, done.err
    saved, loaded = stand.record().samples
    assert (saved.phase, loaded.phase) == ("save", "load")
    assert saved.measurement.operations == loaded.measurement.operations + 10  # what marks them
    assert loaded.measurement.bytes == saved.measurement.bytes - 10 * 64
    assert {"blocked", "durable", "committed"} <= set(saved.measurement.timers)
    evidence = loaded.evidence
    assert evidence is not None
    assert evidence.eviction
    if not describe(str(stand.target)).is_memory:
        assert evidence.resident_share is not None
        assert evidence.resident_share < 0.02
        assert evidence.state is not CacheState.WARM
    assert not stand.scratch()


def parts(measured: Measurement) -> int:
    """All times of the parts of a resume together."""
    return sum(value for name, value in measured.timers.items() if name != "resume")


def test_a_resume_to_the_first_batch(tmp_path: Path) -> None:
    """The report has each part, the whole, and how much more was read than needed."""
    stand = Stand(tmp_path)
    planned = " ".join(stand.ask("plan", stand.target, *RESUME).out.split())
    assert "6 workers, cache cold" in planned
    done = stand.run(*RESUME)
    assert done.code == 0, done.err
    (sample,) = stand.record().samples
    measured = sample.measurement
    assert set(measured.timers) == {"checkpoint", "index", "first_batch", "resume"}
    assert measured.timers["resume"] <= parts(measured) + 10**7
    assert measured.beside_bytes == 6 * 8 * 4000
    assert sample.evidence is not None
    assert sample.evidence.resident_files == 16 + 300  # shards and samples were looked at
    text = " ".join(done.out.split())
    for words in ("checkpoint time", "index time", "first batch time", "resume time", "needed"):
        assert words in text
    again = stand.ask("report", "last", "-f", "json").json
    (phase,) = again["workloads"][0]["phases"]
    found = {metric["name"]: metric for metric in phase["metrics"]}
    assert found["resume_time"]["unit"] == "ns"
    assert found["read_amplification"]["values"][0] >= 1
