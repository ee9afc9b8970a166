"""Queries of a vector index: hops of reads at once, by the kernel's asynchronous I/O."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from aibench.aio import pread_each
from aibench.engines.null import NullEngine, Pace
from aibench.engines.posix import PosixEngine
from aibench.model import Operation, Phase, Search, Sizes
from aibench.workers.loops.common import aligned_buffer
from tests import build
from tests.engines.files import run, site

MS = 10**6


def asked(nodes: int = 50, runtime_ns: int = 200 * MS) -> Phase:
    """Two workers; a query makes 5 hops of 3 reads of 4 KiB."""
    sizes = Sizes(distribution="fixed", mean=4096 * (nodes + 1))
    return build.phase(
        population=build.population(directory="data", files=1, sizes=sizes),
        operation=Operation.SEARCH_INDEX, processes=2, runtime_ns=runtime_ns, batch=1,
        search=Search(nodes=nodes, node_bytes=4096, hops=5, beam=3),
    )  # fmt: skip


def test_a_query_reads_all_its_hops(tmp_path: Path) -> None:
    """An operation is a query, its bytes are those of all reads, and each hop has a latency."""
    phase = asked()
    run(build.phase(population=phase.population, operation=Operation.WRITE_FILES), tmp_path)
    found = PosixEngine().run(phase, site(tmp_path), lambda *_: None)
    assert found.operations == found.histograms["whole"].count > 0
    assert found.bytes == found.operations * 5 * 3 * 4096
    assert found.histograms["hop"].count == 5 * found.operations


def test_hops_follow_one_another() -> None:
    """With 1 ms a read a query takes 5 ms: the three reads of a hop are under way together."""
    found = NullEngine(Pace(latency_ns={"read": MS})).run(asked(), site(Path("/")), lambda *_: None)
    whole, hop = found.histograms["whole"], found.histograms["hop"]
    assert (whole.min_ns, whole.max_ns) == (5 * MS, 5 * MS)
    assert (hop.min_ns, hop.max_ns) == (MS, MS)
    assert found.operations == 2 * 200 // 5


def test_reads_at_once_bring_what_is_there(tmp_path: Path) -> None:
    """Each into its place; at the end of the file less comes; a wrong descriptor fails."""
    content = np.random.default_rng(1).bytes(10 * 4096 + 100)
    path = tmp_path / "file"
    path.write_bytes(content)
    memory = memoryview(aligned_buffer(4 * 4096).data)
    fd = os.open(path, os.O_RDONLY)
    try:
        offsets = [9 * 4096, 0, 4096, 3 * 4096]
        assert pread_each(fd, memory, 4096, offsets) == 4 * 4096
        for place, offset in enumerate(offsets):
            got = memory[place * 4096 : (place + 1) * 4096]
            assert got == content[offset : offset + 4096]
        assert pread_each(fd, memory, 4096, [10 * 4096, 0]) == 4096 + 100
    finally:
        os.close(fd)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        pread_each(fd, memory, 4096, [0])
