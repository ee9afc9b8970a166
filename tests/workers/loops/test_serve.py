"""Serving a KV cache: at given latencies all figures are sums; on real files blocks stay whole."""

import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from aibench.engines.null import NullEngine, Pace
from aibench.engines.posix import PosixEngine
from aibench.errors import TargetFailed
from aibench.formats.files import path_of
from aibench.metrics import metrics
from aibench.model import (
    CachePolicy,
    Measurement,
    Operation,
    Phase,
    Population,
    Serving,
    Sizes,
    SyncPolicy,
)
from aibench.workers.loops.serve import requests_of
from aibench.workers.share import block_of
from tests import build
from tests.engines.by_hand import assert_histogram, site
from tests.engines.files import content, run

MS = 10**6
KIB = 1024
PACE = {"open": 3 * MS, "read": 2 * MS, "write": 5 * MS, "fsync": 11 * MS, "close": MS,
        "fadvise": 7 * MS}  # fmt: skip
HALF = Serving(hits=0.5, requests=((2, 5), (4, 9)))


def blocks(files: int = 24, size: int = 256 * KIB) -> Population:
    """The files of a KV cache."""
    return build.population(files=files, sizes=Sizes(distribution="fixed", mean=size))


def serve(files: Population, serving: Serving = HALF, **changes: Any) -> Phase:
    """The phase that serves requests from ``files``."""
    parts: dict[str, Any] = {
        "name": "serve", "operation": Operation.SERVE_BLOCKS, "population": files,
        "serving": serving, "sync": SyncPolicy.END, "cache": CachePolicy.COLD, "io_size": 64 * KIB,
        "runtime_ns": 10**9, "processes": 2, "shift": 1,
    }  # fmt: skip
    return build.phase(**parts | changes)


def served(phase: Phase, slot: int) -> tuple[list[int], list[int], list[int], int]:
    """By hand: latencies of reloads, offloads and whole requests of a slot, and when it ended."""
    drop = PACE["fadvise"] if phase.cache is CachePolicy.COLD else 0
    pieces = phase.population.sizes.mean // phase.io_size
    fsync = PACE["fsync"] if phase.sync is SyncPolicy.END else 0
    reload = PACE["open"] + pieces * PACE["read"] + PACE["close"]
    offload = PACE["open"] + pieces * PACE["write"] + fsync + PACE["close"]
    part = block_of(phase.population.files, phase.slots, slot, phase.shift)
    reloads: list[int] = []
    offloads: list[int] = []
    requests: list[int] = []
    now = 0
    assert phase.serving is not None
    for _, reads, writes in requests_of(phase.serving, 1, slot, len(part)):
        began = now
        for latency, found in [(reload, reloads)] * reads + [(offload, offloads)] * writes:
            now += latency + drop
            found.append(latency)
            if now >= phase.runtime_ns:
                return reloads, offloads, requests, now
        requests.append(now - began)
    raise AssertionError


@pytest.mark.parametrize("cache", [CachePolicy.COLD, CachePolicy.AS_FOUND])
@pytest.mark.parametrize("sync", [SyncPolicy.NONE, SyncPolicy.END])
@pytest.mark.parametrize(("processes", "threads"), [(1, 1), (3, 1), (2, 2)])
def test_times_are_those_of_the_calls(
    cache: CachePolicy, sync: SyncPolicy, processes: int, threads: int
) -> None:
    """At given latencies, reloads, offloads and requests take the sums of their calls."""
    phase = serve(blocks(), cache=cache, sync=sync, processes=processes, threads=threads)
    measured = NullEngine(Pace(latency_ns=PACE)).run(phase, site(), lambda *_: None)
    slots = [served(phase, slot) for slot in range(phase.slots)]
    reloads, offloads, requests = ([t for s in slots for t in s[k]] for k in (0, 1, 2))
    assert (measured.operations, measured.bytes) == (len(reloads), len(reloads) * 256 * KIB)
    assert_histogram(measured, "whole", reloads)
    assert_histogram(measured, "offload", offloads)
    assert_histogram(measured, "request", requests)
    elapsed = max(s[3] for s in slots)
    assert measured.elapsed_ns == elapsed
    found = {m.name: m.value for m in metrics(phase, build.sample(measurement=measured))}
    assert found["offload_bandwidth"] == len(offloads) * 256 * KIB * 10**9 / elapsed
    assert found["read_bandwidth"] == len(reloads) * 256 * KIB * 10**9 / elapsed
    assert found["hit_share"] == len(reloads) / (len(reloads) + len(offloads))


@pytest.mark.parametrize("hits", [0.1, 0.35, 0.9, 1.0])
def test_the_hit_ratio_is_kept(hits: float) -> None:
    """Over many requests the share of blocks that are found is as asked for."""
    serving = Serving(hits=hits, requests=((1, 3), (10, 40)))
    found = list(islice(requests_of(serving, 1, 0, 100), 20_000))
    reads, writes = sum(r for _, r, _ in found), sum(w for _, _, w in found)
    assert reads / (reads + writes) == pytest.approx(hits, abs=0.005)
    needed = {r + w for _, r, w in found}
    assert needed == {1, 2, 3, *range(10, 41)}
    assert {first for first, _, _ in found} == set(range(100))


def test_requests_differ_by_slot_and_seed_only() -> None:
    """The same seed asks for the same; another worker, and another repeat, for something else."""

    def asked(seed: int, slot: int) -> list[tuple[int, int, int]]:
        return list(islice(requests_of(HALF, seed, slot, 12), 50))

    assert asked(1, 0) == asked(1, 0)
    assert asked(1, 0) != asked(1, 1)
    assert asked(1, 0) != asked(2, 0)


def test_no_request_needs_more_than_there_is() -> None:
    """Where a worker has three blocks, a longer context asks for three."""
    serving = Serving(hits=0.5, requests=((50, 90),))
    assert {r + w for _, r, w in islice(requests_of(serving, 1, 0, 3), 500)} == {3}


def filled(tmp_path: Path, files: Population) -> Path:
    """A cache that was filled on real files."""
    fill = build.phase(operation=Operation.INGEST, population=files, cache=CachePolicy.AS_FOUND)
    run(fill, tmp_path)
    return tmp_path / files.directory


def needs_direct(directory: Path) -> None:
    """Skip where the file system of the tests has no O_DIRECT."""
    try:
        os.close(os.open(directory / "probe", os.O_CREAT | os.O_WRONLY | os.O_DIRECT))
    except OSError:
        pytest.skip("needs a file system with O_DIRECT")


def of_files(measured: Measurement) -> int:
    """How many blocks were offloaded."""
    return measured.histograms["offload"].count


@pytest.mark.parametrize("cache", [CachePolicy.COLD, CachePolicy.DIRECT])
def test_blocks_stay_whole_and_get_new_contents(tmp_path: Path, cache: CachePolicy) -> None:
    """Replaced blocks have their old size, and no 4 KiB of them lie there twice."""
    if cache is CachePolicy.DIRECT:
        needs_direct(tmp_path)
    files = blocks()
    directory = filled(tmp_path, files)
    phase = serve(files, cache=cache, runtime_ns=300 * MS)
    measured = run(phase, tmp_path)
    assert measured.operations > 0
    assert of_files(measured) > 0
    assert measured.bytes == measured.operations * 256 * KIB
    found = [(directory / path_of(files, index)).read_bytes() for index in range(24)]
    assert {len(data) for data in found} == {256 * KIB}
    assert sum(data != content(files, index) for index, data in enumerate(found)) > 0
    pieces = [data[at : at + 4096] for data in found for at in range(0, len(data), 4096)]
    assert len(set(pieces)) == len(pieces)


def test_a_block_that_is_cut_short_ends_the_run(tmp_path: Path) -> None:
    """A block that lost its end is no hit: the run says which file it is."""
    files = blocks(2)
    directory = filled(tmp_path, files)
    for index in range(2):
        with (directory / path_of(files, index)).open("r+b") as file:
            file.truncate(1000)
    phase = serve(files, Serving(hits=1, requests=((1, 1),)), processes=1)
    with pytest.raises(TargetFailed, match="read 1000 bytes where 262144 were written") as failed:
        run(phase, tmp_path)
    assert failed.value.code == "wrong_length"


def test_serving_needs_a_hit_and_a_block() -> None:
    """Ratios and requests that can't be are no `Serving`."""
    for parts in ({"hits": 0.0}, {"hits": 1.1}, {"requests": ()}, {"requests": ((3, 2),)}):
        with pytest.raises(ValueError, match=r"hit ratio|one block"):
            Serving(**{"hits": 0.5, "requests": ((1, 2),)} | parts)  # type: ignore[arg-type]


def test_posix_can_pass_the_page_cache_by() -> None:
    """O_DIRECT is something that blocks can have."""
    phase = serve(blocks(), cache=CachePolicy.DIRECT)
    assert PosixEngine().refusal(phase, build.target()) is None
