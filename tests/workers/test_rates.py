"""Offered rates: latency counts from when an operation was to begin, whoever is late."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from aibench.definition.source import parse
from aibench.engines.fio import FioEngine
from aibench.engines.null import NullEngine, Pace
from aibench.generators.block import KIND, Settings
from aibench.generators.kind import Request
from aibench.model import CachePolicy, Operation
from tests import build
from tests.engines.files import run, site

MS = 10**6


@pytest.mark.parametrize(("rate", "apart_ms"), [(100, 10), (500, 2), (1000, 1)])
def test_latency_is_that_of_a_queue(rate: int, apart_ms: int) -> None:
    """With 2 ms of service: 2 ms while there is time between; else it grows with each request."""
    files = build.population(directory="data", files=500)
    phase = build.phase(
        population=files, operation=Operation.READ_FILES, processes=1, rate=float(rate), batch=1
    )
    found = NullEngine(Pace(latency_ns={"open": 2 * MS})).run(
        phase, site(Path("/")), lambda *_: None
    )
    behind = max(2 - apart_ms, 0) * MS
    whole = found.histograms["whole"]
    assert whole.count == 500
    assert whole.min_ns == 2 * MS
    assert whole.max_ns == 2 * MS + 499 * behind
    assert whole.total_ns == 500 * 2 * MS + behind * 500 * 499 // 2
    assert found.elapsed_ns == (2 + 499 * max(apart_ms, 2)) * MS


@pytest.mark.skipif(shutil.which("fio") is None, reason="fio is not installed")
def test_fio_keeps_the_rate(tmp_path: Path) -> None:
    """At random times, and told that its latencies count from submission."""
    settings = parse(
        Settings, {"jobs": 1, "file_size": "4MiB", "runtime": "2s", "rates": ["400op/s"]}, "b.toml"
    )
    every = KIND.phases(settings, Request(workload="b", seed=1, cpus=1))
    paced = next(phase for phase in every if phase.name == "rand-read-rate-1")
    paced = replace(paced, cache=CachePolicy.WARM, depth=1)
    run(replace(every[0], measured=True), tmp_path)
    found = FioEngine().run(paced, site(tmp_path), lambda *_: None)
    assert found.tool is not None
    assert "rate_process=poisson" in found.tool.job
    assert found.operations * 10**9 / found.elapsed_ns == pytest.approx(400, rel=0.25)
    assert [warning.code for warning in found.warnings] == ["latency_from_submission"]


def test_a_rate_is_one_of_all_jobs() -> None:
    """In operations, or in bytes of the pattern's own block; less than one a job is refused."""
    request = Request(workload="b", seed=1, cpus=1)
    given = {"jobs": 2, "rates": ["100op/s", "8MiB/s"], "file_size": "4MiB"}
    settings = parse(Settings, given, "b.toml")
    found = {phase.name: phase.rate for phase in KIND.phases(settings, request) if phase.rate}
    assert found["seq-read-rate-1"] == found["rand-write-rate-1"] == 100
    assert (found["seq-write-rate-2"], found["rand-read-rate-2"]) == (8, 2048)
    with pytest.raises(ValueError, match="less than one request a second"):
        KIND.phases(parse(Settings, {"jobs": 4, "rates": ["2op/s"]}, "b.toml"), request)
