"""What the harness itself costs; measured with ``pytest tests/benchmarks --benchmark-enable``.

Without that switch each benchmark runs once, as a test of its result.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aibench.engine import Site
from aibench.engines.null import NullEngine
from aibench.formats.content import Content
from aibench.formats.files import path_of, paths_of
from aibench.formats.order import Permutation
from aibench.stats.histogram import Recorder
from aibench.workers.log import CAPACITY, Log
from tests import build

LATENCIES = np.random.default_rng(1).lognormal(12, 1, CAPACITY).astype(np.int64)
INDICES = np.arange(CAPACITY, dtype=np.int64)


def test_bin_latencies(benchmark: Any) -> None:
    """A histogram takes a chunk of latencies."""
    recorder = Recorder()
    benchmark(recorder.add, LATENCIES)
    assert recorder.freeze().count % CAPACITY == 0


def test_flush_a_chunk(benchmark: Any) -> None:
    """A worker bins the clock readings of a chunk of files, with their parts and batches."""
    log = Log("open", "read", "close")
    readings = np.cumsum(LATENCIES)
    for place, stamps in enumerate(log.stamps):
        np.frombuffer(stamps, dtype=np.int64)[:] = readings + 1000 * place
    benchmark(log.flush, np.full(CAPACITY, 4096, dtype=np.int64), 0, 32)
    assert set(log.histograms()) == {"whole", "open", "read", "close", "batch"}


def test_shuffle_a_chunk(benchmark: Any) -> None:
    """The order of a hundred million files costs the same as that of few."""
    order = Permutation(10**8, seed=1)
    found = benchmark(order.at, INDICES)
    assert len(np.unique(found)) == CAPACITY


def test_name_a_chunk(benchmark: Any) -> None:
    """Names follow from the indices."""
    population = build.population(files=10**8)
    names = benchmark(paths_of, population, INDICES)
    assert names[-1].decode() == path_of(population, CAPACITY - 1)


@pytest.mark.parametrize("size", [4096, 2**20])
def test_make_data(benchmark: Any, size: int) -> None:
    """Data for a small file, and a piece of a large one."""
    content, buffer = Content(1), np.empty(size, dtype=np.uint8)
    benchmark(content.fill, buffer, 7, 0)
    assert content.first_wrong(buffer, 7, 0) is None


def test_load_with_nothing_behind_it(benchmark: Any, tmp_path: Path) -> None:
    """One worker loads a hundred thousand files through the null engine."""
    phase = build.phase(processes=1, batch=32, population=build.population(files=100_000))
    site = Site(root=str(tmp_path), target=build.target(), seed=1, host="client1")
    measured = benchmark(NullEngine().run, phase, site, lambda *_: None)
    assert measured.operations == 100_000
