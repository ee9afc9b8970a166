"""Parts of `scripts/perf` about loading: CPU time a sample, accelerators a core, memory."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from aibench.engine import Site
from aibench.engines.null import NullEngine
from aibench.engines.posix import PosixEngine
from aibench.generators import train
from aibench.generators.accelerators import PRESETS
from aibench.generators.kind import Request
from aibench.model import Operation, Order, Phase, Population, Sizes
from aibench.probes import mounts
from aibench.reading import LOOPS

#: A title, our side and the other side; each side gives a rate.
Comparison = tuple[str, Callable[[], float], Callable[[], float]]
_SECOND = 10**9
_BATCH, _WORKERS = 32, 2
#: How a data set reads a file: as anyone writes it, and with the calls of the reader `lean` alone.
_READS = {
    "open().read()": """
        with open(self.paths[index], "rb") as file:
            content = bytearray(file.read())
""",
    "os.readv": """
        content = bytearray(self.size)
        descriptor = os.open(self.paths[index], os.O_RDONLY)
        os.readv(descriptor, [content])
        os.close(descriptor)
""",
}
#: A DataLoader of files of one size; what it prints is samples per second of CPU time.
_LOADER = f"""
import os, resource, sys
import numpy, torch
from torch.utils.data import DataLoader

class Files:
    def __init__(self, top):
        self.paths = [os.path.join(base, name) for base, _, names in os.walk(top) for name in names]
        self.size = os.stat(self.paths[0]).st_size
    def __len__(self):
        return len(self.paths)
    def __getitem__(self, index):
        READ
        return torch.from_numpy(numpy.frombuffer(content, dtype=numpy.uint8))

def spent():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)

files = Files(sys.argv[1])
before = spent()
for batch in DataLoader(files, batch_size={_BATCH}, shuffle=True, num_workers={_WORKERS}):
    pass
print(len(files) / (spent() - before))
"""


def site(root: Path) -> Site:
    """A site whose populations lie below ``root``."""
    return Site(root=str(root), target=mounts.describe(str(root)), seed=7, host="perf")


def quiet(_operations: int, _bytes: int) -> None:
    """Show no progress."""


def spent() -> float:
    """CPU seconds of this process and of those that it waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def loader(_root: Path) -> Iterator[Comparison]:
    """Files on tmpfs: samples per CPU second against a DataLoader with as many workers.

    They are so many that starting the workers is a small part for both: 20 ms of CPU time here.
    """
    print(f"loops over plain files here: {LOOPS}")
    if find_spec("torch") is None:
        print("loader: left out, torch is not installed (pip install 'aibench[torch]')")
        return
    plain, bare = _READS
    for size, count, pairs in (
        (4096, 200_000, (("lean", plain), ("lean", bare), ("stat", plain), ("python", plain))),
        (110_000, 3000, (("stat", plain), ("python", plain))),
    ):
        root = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="aibench-perf-"))
        try:
            files = _written(root, size, count)
            for reader, read in pairs:
                yield from _against_loader(root, files, reader, read)
        finally:
            shutil.rmtree(root)


def _written(root: Path, size: int, count: int) -> Population:
    files = Population(
        directory="small", files=count, sizes=Sizes(distribution="fixed", mean=size), seed=1
    )
    os.makedirs(root / files.directory)
    layout = Phase(
        name="layout", operation=Operation.WRITE_FILES, population=files, processes=_WORKERS
    )
    PosixEngine().run(layout, site(root), quiet)
    return files


def _against_loader(root: Path, files: Population, reader: str, read: str) -> Iterator[Comparison]:
    size = files.sizes.mean
    phase = Phase(name="epoch", operation=Operation.READ_FILES, population=files,
                  processes=_WORKERS, batch=_BATCH, order=Order.SHUFFLED, reader=reader,
                  io_size=-(-size // 4096) * 4096)  # fmt: skip
    rates: list[float] = []

    def ours() -> float:
        before = spent()
        done = PosixEngine().run(phase, site(root), quiet).operations
        rates.append(done / (spent() - before))
        return rates[-1]

    def theirs() -> float:
        program = _LOADER.replace("        READ\n", _READS[read].lstrip("\n"))
        command = [sys.executable, "-c", program, str(root / files.directory)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return float(done.stdout)

    title = f"load {size} B on tmpfs, reader {reader}"
    yield f"{title}: samples a CPU second against a DataLoader with {read}", ours, theirs
    print(f"    samples a CPU second: {sorted(rates)[len(rates) // 2]:,.0f}")


def accelerators(root: Path) -> Iterator[Comparison]:
    """Emulated accelerators that one core carries without I/O, for each preset; nothing beside."""
    for preset, known in PRESETS.items():
        for name in known.accelerators:
            phase = _training(preset, name)

            def ours(phase: Phase = phase) -> float:
                before = spent()
                measured = NullEngine().run(phase, site(root), quiet)
                assert measured.training is not None
                used = (spent() - before) / len(measured.training.accelerators)
                return measured.elapsed_ns / 1e9 / used

            yield f"{preset} on {name}: accelerators a core", ours, lambda: 1.0


def _training(preset: str, name: str) -> Phase:
    """Two accelerators with the files of their loaders, for three seconds."""
    small = {"segmentation-3d": 56, "image-classification": 64}.get(preset, 4096)
    settings = train.Settings(preset=preset, accelerator=name, accelerators=(2,), files=small)
    *_, phase = train.phases(settings, Request(workload="perf", seed=1, cpus=2, cache=None))
    asked = phase.accelerators
    assert asked is not None
    return replace(phase, runtime_ns=3 * _SECOND, accelerators=replace(asked, steps=0))


def memory(root: Path) -> Iterator[Comparison]:
    """Memory of a worker for ten thousand files against a hundred million, without I/O."""

    def peak(files: int) -> float:
        phase = Phase(
            name="epoch",
            operation=Operation.READ_FILES,
            processes=1,
            batch=_BATCH,
            population=Population(
                directory="none", files=files, seed=1,
                sizes=Sizes(distribution="lognormal", mean=110_000, sigma=0.5, smallest=2048),
            ),
            order=Order.SHUFFLED,
            runtime_ns=3 * _SECOND,
        )  # fmt: skip
        child = os.fork()
        if child == 0:
            NullEngine().run(phase, site(root), quiet)
            kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            (root / "peak").write_text(str(kib))
            os._exit(0)
        os.waitpid(child, 0)
        return float((root / "peak").read_text())

    title = "memory of a worker: peak at 10^8 files over peak at 10^4 (flat: 1)"
    yield title, lambda: peak(10**8), lambda: peak(10**4)
