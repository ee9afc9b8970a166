"""A soak lives through a filesystem that fails now and then, and counts what failed."""

from pathlib import Path

import pytest

from tests.integration.command import Stand
from tests.labs import faults
from tests.labs.faults import faultfs
from tests.labs.test_faults_aibench import struck
from tests.labs.tools import unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow, unless(faults.missing())]
SOAK = (
    *("-w", "soak", "--cache", "as-found", "--set", "duration=4s", "--set", "round=2s"),
    *("--set", "files=300", "--set", "size=4KiB", "--set", "sizes=fixed", "--set", "workers=2"),
    *("--set", "shard=64KiB", "--set", "every=200ms"),
)


def test_one_in_a_hundred_fails(tmp_path: Path) -> None:
    """With 1 % of reads failing all rounds are done; each failure is counted under its name."""
    with faultfs(direct_io=True) as faulty:
        stand = Stand(tmp_path, faulty.path)
        errors = {"read": {"errno": "EIO", "rate": 0.01}, "fsync": {"errno": "EIO", "rate": 0.2}}
        done = struck(stand, faulty, lambda: faulty.ask(error=errors), *SOAK, sign="[1/2] soak")
        assert done.code in (0, 3), done.err
        record = stand.record()
        assert [sample.repeat for sample in record.samples] == [0, 1]
        for sample in record.samples:
            found = sample.measurement
            kinds = {k: h.count for k, h in found.histograms.items() if k.startswith("EIO")}
            assert sum(kinds.values()) == found.errors > 0
            assert set(kinds) <= {"EIO read", "EIO save"}
            share = kinds.get("EIO read", 0) / (found.operations + kinds.get("EIO read", 0))
            assert 0.001 < share < 0.05
            assert [reason.code for reason in sample.reasons] == ["errors"]
        assert "operations failed in 2 rounds" in " ".join(done.out.split())
        assert not (stand.workspace / "scratch").exists() or not any(
            (stand.workspace / "scratch").rglob("*")
        )
