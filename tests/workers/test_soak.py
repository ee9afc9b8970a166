"""The loop of a soak: what fails for a while is counted exactly, what fails for good ends it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aibench.engines.null import NullEngine, Pace
from aibench.engines.posix import PosixEngine
from aibench.errors import TargetFailed
from aibench.model import Measurement, Operation, Phase, Soak, SyncPolicy
from aibench.workers.log import Intervals
from tests import build
from tests.engines.files import run, site
from tests.fidelity.tracing import requires_strace

SECOND = 10**9
_PROGRAM = """
import json, sys
from pathlib import Path
from tests.workers.test_soak import soaked
found = soaked(Path(sys.argv[1]))
print(json.dumps({"errors": found.errors, "operations": found.operations,
                  "counts": {kind: each.count for kind, each in found.histograms.items()}}))
"""


def asked(runtime_ns: int = SECOND, **changes: Any) -> Phase:
    """Two workers that read 40 files over and over, and save a shard twenty times a second."""
    files = build.population(directory="data", files=40)
    shards = replace(build.population(directory="shards", files=2), persistent=False)
    saving = build.phase(
        name="save", operation=Operation.SAVE_SHARDS, population=shards, processes=2,
        sync=SyncPolicy.COMMIT,
    )  # fmt: skip
    return build.phase(
        operation=Operation.SOAK, population=files, processes=2, runtime_ns=runtime_ns,
        saving=saving, soak=Soak(every_ns=SECOND // 20, most_errors=10**6), **changes,
    )  # fmt: skip


def soaked(root: Path, **changes: Any) -> Measurement:
    """A soak below ``root``, where its files were laid out before."""
    (root / "shards").mkdir(exist_ok=True)
    return PosixEngine().run(asked(**changes), site(root), lambda *_: None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with the files."""
    phase = build.phase(population=asked().population, operation=Operation.WRITE_FILES)
    run(phase, tmp_path)
    return tmp_path


def test_reads_and_saves_go_on_for_the_time(root: Path) -> None:
    """All samples and shards are whole, nothing is left under a temporary name, nothing failed."""
    found = soaked(root)
    assert found.errors == 0
    assert found.histograms["whole"].count == found.operations > 80
    assert found.histograms["save"].count >= 2
    names = [path.name for path in (root / "shards" / "d000000").iterdir()]
    assert sorted(names) == ["f0000000000", "f0000000001"]


@requires_strace
@pytest.mark.parametrize(
    ("inject", "kind"),
    [("readv:error=EIO:when=7+100", "EIO read"), ("fsync:error=EIO:when=3+5", "EIO save"),
     ("readv:error=ESTALE:when=9+50", "ESTALE read")],
)  # fmt: skip
def test_failures_are_counted_exactly(inject: str, kind: str, root: Path) -> None:
    """As many errors are counted, under their name, as the kernel returned; all else goes on."""
    log = root / "trace"
    call = inject.partition(":")[0]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={call}", "-e", f"inject={inject}",
         sys.executable, "-c", _PROGRAM, str(root)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    injected = len(re.findall(r"\(INJECTED\)", log.read_text()))
    assert injected > 0
    assert found["errors"] == found["counts"][kind] == injected
    assert found["operations"] == found["counts"]["whole"] > 0


def test_too_many_failures_end_it(root: Path) -> None:
    """What fails again and again is no passing fault: the last error ends the run."""
    for path in (root / "data").glob("d*/f*"):
        path.unlink()
    few = Soak(every_ns=SECOND, most_errors=5)
    with pytest.raises(TargetFailed, match="vanished"):
        soaked_with(root, few)


def soaked_with(root: Path, soak: Soak) -> Measurement:
    """A soak that bears as much as ``soak`` says."""
    return PosixEngine().run(replace(asked(), soak=soak), site(root), lambda *_: None)


def test_a_short_file_is_a_failure(root: Path) -> None:
    """A file that lost bytes is counted each time, and its bytes are not."""
    (root / "data" / "d000000" / "f0000000003").write_bytes(b"")
    found = soaked(root, runtime_ns=SECOND // 5)
    assert found.errors == found.histograms["short read"].count > 0


def test_time_is_split_as_computed() -> None:
    """With given latencies there are as many reads and saves as the closed form says."""
    ms = 10**6
    pace = Pace(latency_ns={"open": ms, "fsync": 100 * ms})
    found = NullEngine(pace).run(asked(10 * SECOND), site(Path("/")), lambda *_: None)
    saves = found.histograms["save"].count
    reading_ns = found.elapsed_ns - (saves // 2) * 202 * ms  # two opens and two syncs a save
    assert found.operations == 2 * reading_ns // ms
    assert saves == 2 * (10 * SECOND // (250 * ms))  # what is missed meanwhile is left out


@pytest.mark.parametrize("hours", [1, 30, 1000])
def test_a_series_stays_small(hours: int) -> None:
    """However long a phase runs, its series has no more than 600 intervals, and loses nothing."""
    series = Intervals()
    ends = np.arange(1, hours * 60 + 1, dtype=np.int64) * 60 * SECOND
    ones = np.ones(len(ends), dtype=np.int64)
    for part in np.array_split(np.arange(len(ends)), 10):
        series.add(ends[part], ones[part], ones[part], ones[part])
    assert len(series.filled) <= 601
    assert sum(each.operations for each in series.filled.values()) == hours * 60
