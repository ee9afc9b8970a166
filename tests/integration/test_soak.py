"""A soak that was stopped goes on with the next round, and grows by its samples only."""

import statistics
from pathlib import Path

import pytest

from aibench.store import read
from tests.integration.command import Stand
from tests.integration.test_resume import places, stopped_at
from tests.labs.truths import ended, looks

pytestmark = pytest.mark.slow
ROUNDS = 40
SOAK = (
    *("-w", "soak", "--cache", "as-found", "--set", "duration=8s", "--set", "round=200ms"),
    *("--set", "files=50", "--set", "size=4KiB", "--set", "sizes=fixed", "--set", "workers=1"),
    *("--set", "shard=64KiB", "--set", "every=50ms"),
)


def test_a_soak_goes_on_with_the_next_round(tmp_path: Path) -> None:
    """Rounds of before stand as they were; memory, descriptors and lines don't grow with rounds."""
    stand = Stand(tmp_path)
    stand.is_forked = False  # what its memory is does not depend on what tests have left
    stopped_at(stand, f"soak: soak 9/{ROUNDS}", *SOAK)
    (first,) = stand.paths()
    before = read(first).samples
    assert len(before) in (8, 9)  # the signal comes while or after the ninth is done
    process = stand.start("run", stand.target, "--resume", first)
    with ended(process):
        seen = looks(process)
        out, err = process.communicate(timeout=60)
    assert process.returncode in (0, 3), out + err
    record = stand.record()
    assert record.complete
    assert record.resumes == read(first).run_id
    assert places(record) == [("soak", "soak", number) for number in range(ROUNDS)]
    assert record.samples[: len(before)] == before
    lines = [len(line) for line in stand.paths()[-1].read_text().splitlines()[1:-1]]
    assert statistics.median(lines[-10:]) < 1.2 * statistics.median(lines[:10])
    assert f"no operation failed in {ROUNDS} rounds" in " ".join(out.split())
    third = len(seen) // 4
    part, last = (
        seen[third : 2 * third],
        seen[-2 * third : -third],
    )  # neither starting nor reporting
    assert {look.threads for look in (*part, *last)} == {1}
    grown = [max(look.descriptors for look in each) for each in (part, last)]
    assert grown[1] <= grown[0] + 3, "a descriptor for each round would be ten more"
    memory = [statistics.median(look.resident for look in each) for each in (part, last)]
    assert memory[1] - memory[0] < 20 * statistics.median(lines) * ROUNDS
    assert not stand.left_running()
    assert not stand.scratch()
