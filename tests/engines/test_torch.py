"""The engine that is the real thing: the same files as engine posix, by torch's own libraries.

Without torch installed only its refusal is left to be looked at.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aibench.engines.torch import TorchEngine, refusals
from aibench.errors import Interrupted, TargetFailed, WorkerFailed
from aibench.formats.files import path_of
from aibench.model import CachePolicy, Measurement, Order, Phase, Sizes
from tests import build
from tests.engines import files

requires_torch = pytest.mark.skipif(
    TorchEngine().version() is None,
    reason="torch is missing: scripts/test --torch",
)
#: Real readers, and what they read.
READS = [
    ("files", "python", 1), ("files", "stat", 1), ("jpeg", "pil", 1), ("npy", "numpy", 1),
    ("npy", "mmap", 1), ("npz", "numpy", 1), ("webdataset", "webdataset", 12),
]  # fmt: skip


def load(form: str = "files", reader: str = "python", samples: int = 1, **changes: Any) -> Phase:
    """A shuffled epoch over 120 samples by two workers, which is not a whole number of batches."""
    sizes = Sizes(distribution="lognormal", mean=9000, sigma=0.5, smallest=2000, largest=60_000)
    population = build.population(
        directory=f"data/{form}", files=120 // samples, samples_per_file=samples, format=form,
        sizes=sizes, files_per_directory=50,
    )  # fmt: skip
    asked: dict[str, Any] = {"batch": 7, "cache": CachePolicy.AS_FOUND, "reader": reader}
    return build.phase(population=population, **asked | changes)


def run(phase: Phase, root: Path, seed: int = 1) -> Measurement:
    """Do ``phase`` by torch on what lies below ``root``."""
    return TorchEngine().run(phase, files.site(root, seed), lambda *_: None)


@pytest.fixture
def no_child_left() -> Iterator[None]:
    """Fails where a process of this one is left behind, or one of those that it left."""
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@requires_torch
@pytest.mark.usefixtures("no_child_left")
@pytest.mark.parametrize(("form", "reader", "samples"), READS)
def test_a_data_loader_reads_what_engine_posix_reads(
    form: str, reader: str, samples: int, tmp_path: Path
) -> None:
    """The same samples and bytes by each worker, and the latency of every sample and batch."""
    if form == "webdataset":
        pytest.importorskip("webdataset", reason="The package webdataset is missing.")
    phase = load(form, reader, samples)
    files.write(tmp_path, phase.population)
    assert TorchEngine().refusal(phase, build.target()) is None
    ours, real = files.run(phase, tmp_path), run(phase, tmp_path)
    assert (real.operations, real.bytes) == (ours.operations, ours.bytes)
    shares = [[(w.operations, w.bytes) for w in each.workers] for each in (ours, real)]
    if samples == 1:
        assert shares[0] == shares[1]
    assert real.histograms["whole"].count == real.operations
    batches = sum(-(-operations // phase.batch) for operations, _ in shares[1])
    assert real.histograms["batch"].count == batches
    assert real.histograms["batch_wait"].count == batches - 1
    assert {"startup", "first_batch"} == real.timers.keys()
    assert real.series is not None
    assert sum(real.series.operations) == real.operations
    assert sum(real.series.bytes) == real.bytes
    assert all(worker.user_ns and worker.system_ns is not None for worker in real.workers)
    assert 0 < real.first_done_ns <= real.last_done_ns == real.elapsed_ns


@requires_torch
def test_time_bounds_an_epoch_after_the_other(tmp_path: Path) -> None:
    """Where time is the bound, epochs follow one another, by workers that stay."""
    phase = load(runtime_ns=300_000_000)
    files.write(tmp_path, phase.population)
    real = run(phase, tmp_path)
    assert real.operations > phase.population.files
    assert real.elapsed_ns >= phase.runtime_ns


@requires_torch
@pytest.mark.parametrize(("form", "reader", "samples"), [READS[0], READS[-1]])
def test_the_ceiling_reads_from_memory(
    form: str, reader: str, samples: int, tmp_path: Path
) -> None:
    """What the DataLoader itself can do is measured without any file on the target."""
    if form == "webdataset":
        pytest.importorskip("webdataset", reason="The package webdataset is missing.")
    found = TorchEngine().ceiling(load(form, reader, samples), files.site(tmp_path), 10**8)
    assert found is not None
    assert found.operations > 0
    assert not list(tmp_path.iterdir())


@requires_torch
@pytest.mark.usefixtures("no_child_left")
def test_an_error_names_the_file(tmp_path: Path) -> None:
    """A file that vanished, or came short, ends the run with its path and a stable code."""
    phase = load()
    directory = files.write(tmp_path, phase.population)
    first = directory / path_of(phase.population, 5)
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(TargetFailed, match=rf"{first}") as short:
        run(phase, tmp_path)
    assert short.value.code == "io_error"
    first.unlink()
    with pytest.raises(TargetFailed, match=rf"{first}") as gone:
        run(phase, tmp_path)
    assert gone.value.code == "vanished"


def workers_of(parent: int) -> list[int]:
    """The processes that a process forked, and those that they forked."""
    found: list[int] = []
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *workers_of(child)]
    return found


def interfere(deed: Any, processes: int, seen: list[int], after: float = 0.3) -> threading.Thread:
    """Do ``deed`` with the processes of this one, as soon as there are so many that read."""

    def body() -> None:
        while len(found := workers_of(os.getpid())) < processes:
            time.sleep(0.02)
        time.sleep(after)
        seen.extend(found)
        deed(found)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread


def gone(processes: list[int]) -> bool:
    """Whether all of them end within 10 seconds."""
    for _ in range(500):
        if not any(Path(f"/proc/{process}").exists() for process in processes):
            return True
        time.sleep(0.02)
    return False


@requires_torch
@pytest.mark.usefixtures("no_child_left")
@pytest.mark.parametrize("victim", [0, -1], ids=["trainer", "worker"])
def test_a_killed_process_ends_all(victim: int, tmp_path: Path) -> None:
    """When the trainer or one of its workers is killed, the run fails and nothing goes on."""
    phase, seen = load(runtime_ns=60 * 10**9), []
    files.write(tmp_path, phase.population)
    interfere(lambda found: os.kill(found[victim], signal.SIGKILL), 3, seen)
    with pytest.raises(WorkerFailed, match=r"DataLoader died|killed by SIGKILL"):
        run(phase, tmp_path)
    assert len(seen) == 3
    assert gone(seen)


@requires_torch
@pytest.mark.usefixtures("no_child_left")
def test_a_signal_leaves_no_process(tmp_path: Path) -> None:
    """An exception from a signal handler ends the trainer, and with it its workers."""

    def stop(_number: int, _frame: object) -> None:
        raise Interrupted("stopped")

    before = signal.signal(signal.SIGUSR1, stop)
    phase, seen = load(runtime_ns=60 * 10**9), []
    files.write(tmp_path, phase.population)
    try:
        interfere(lambda _: os.kill(os.getpid(), signal.SIGUSR1), 3, seen)
        with pytest.raises(Interrupted):
            run(phase, tmp_path)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert gone(seen)


REFUSED = [
    (load(cache=CachePolicy.DIRECT), "page cache"),
    (load(threads=2), "one thread each"),
    (load(rate=10.0), "closed loop"),
    (load(reader="pil"), "not by reader 'pil'"),
    (load(form="tfrecord", samples=4), "not format 'tfrecord'"),
    (load(depth=4), "it knows no depth"),
]


@pytest.mark.parametrize(("phase", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_what_no_library_does_is_refused(phase: Phase, why: str) -> None:
    """Before anything is written, by a sentence that says what is in the way."""
    wanted = why if TorchEngine().version() else "pip install 'aibench[torch]'"
    found = TorchEngine().refusal(phase, build.target())
    assert found is not None
    assert wanted in found


def test_without_torch_the_refusal_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of torch is needed to say that it is missing."""
    monkeypatch.setattr(refusals, "find_spec", lambda _name: None)
    found = TorchEngine().refusal(load(), build.target())
    assert found == "engine torch needs torch: pip install 'aibench[torch]'"


@requires_torch
def test_order_is_that_of_engine_posix(tmp_path: Path) -> None:
    """What is read in which order follows from the seed, and differs from epoch to epoch."""
    from aibench.engines.torch.batches import Epochs

    phase = load(order=Order.SHUFFLED)
    epochs = Epochs(phase, build.phase(population=phase.population, processes=1, batch=7), 5)
    first, second = list(epochs), list(epochs)
    assert first != second
    numbers = [
        sorted(number for batch in epoch for number, _ in batch) for epoch in (first, second)
    ]
    assert numbers == [list(range(120))] * 2
