"""A regression that is confirmed by measuring again, on a real mount."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from aibench.model import RunRecord
from aibench.store import read
from tests import past
from tests.integration.command import Stand

pytestmark = pytest.mark.slow
RUN = ("-w", "load-4k", "--repeats", "3", "--set", "files=300", "--set", "workers=1")


def as_fast(record: RunRecord, number: int, times: float) -> RunRecord:
    """The same run on an earlier night, when the storage was so many times as fast."""
    samples = []
    for sample in record.samples:
        measured = sample.measurement
        ns = round(measured.elapsed_ns / times)
        measured = replace(measured, elapsed_ns=ns, first_done_ns=ns, last_done_ns=ns, series=None)
        samples.append(replace(sample, measurement=measured))
    night = past.night(number)
    return replace(record, run_id=night.run_id, started_at=night.started_at, samples=tuple(samples))


def test_confirmed(tmp_path: Path) -> None:
    """Storage that was 20 times as fast before has regressed: two runs more say so as well."""
    stand = Stand(tmp_path)
    (tmp_path / "cache").mkdir()
    os_environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "AIBENCH_BASELINES": str(tmp_path)}
    assert stand.run(*RUN).code == 0
    (path,) = stand.paths()
    record = read(path)
    past.written(stand.results, [as_fast(record, n, 20 + n % 3 / 10) for n in range(8)])
    check = ("check", str(path), "--results", str(stand.results), "--series", "files_per_second")
    done = stand.do(*check, environment=os_environment)
    assert done.code == 3, done.err
    done = stand.do(*check, "--json", "--confirm", stand.target, environment=os_environment)
    assert done.code == 1, done.out + done.err
    (series,) = json.loads(done.out)["series"]
    assert series["standing"] == "REGRESSED"
    assert series["steps"][-1]["fired"] is True
    confirming = [read(each).labels.get("confirms") for each in stand.paths()]
    assert confirming.count(record.run_id) == 2
    assert os.listdir(tmp_path / "cache") == ["aibench"]
