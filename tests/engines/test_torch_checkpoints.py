"""Checkpoints by torch's own libraries: the same files as engine posix saves, and loads."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from aibench.engines.posix import PosixEngine
from aibench.engines.torch import TorchEngine
from aibench.errors import AibenchError, TargetFailed, WorkerFailed
from aibench.generators import checkpoint_load, checkpoint_save, serve
from aibench.generators.kind import Request
from aibench.model import CachePolicy, Measurement, Phase
from aibench.workspace.clean import clean_scratch
from aibench.workspace.root import make
from tests import build
from tests.engines import files
from tests.engines.test_torch import gone, interfere, requires_torch

pytestmark = pytest.mark.slow  # each rank imports torch
REQUEST = Request(workload="demo", seed=1, cpus=2, cache=CachePolicy.AS_FOUND)
#: Two ranks with two shards each, of 700 kB.
SMALL: dict[str, Any] = {"parameters": 200_000, "ranks": 2, "shards": 2}
LOADS = [
    ("torch", "torch"), ("torch", "torch_mmap"), ("torch_stream", "torch"),
    ("safetensors", "safetensors"), ("safetensors", "lean"), ("dcp", "dcp"),
]  # fmt: skip


def saving(form: str, **more: Any) -> Phase:
    """A save of one or more checkpoints."""
    settings = checkpoint_save.Settings(**SMALL | {"format": form} | more)
    (phase,) = checkpoint_save.phases(settings, REQUEST)
    return phase


def planned(form: str, reader: str, **more: Any) -> tuple[Phase, ...]:
    """The layout of a checkpoint, and a load of it."""
    settings = checkpoint_load.Settings(**SMALL | {"format": form, "reader": reader} | more)
    return checkpoint_load.phases(settings, REQUEST)


def loading(form: str, reader: str, root: Path, **more: Any) -> Phase:
    """A load of a checkpoint that lies below ``root``."""
    layout, phase = planned(form, reader, **more)
    return laid_out(layout, phase, root)


def laid_out(layout: Phase, phase: Phase, root: Path) -> Phase:
    """The phase, when its files are there."""
    (root / layout.population.directory).mkdir(parents=True)
    PosixEngine().run(layout, files.site(root), lambda *_: None)
    return phase


def run(phase: Phase, root: Path, **more: Any) -> Measurement:
    """Do ``phase`` by torch."""
    (root / phase.population.directory).mkdir(parents=True, exist_ok=True)
    assert TorchEngine().refusal(phase, build.target()) is None
    return TorchEngine().run(phase, files.site(root, **more), lambda *_: None)


def contents(directory: Path) -> dict[str, bytes]:
    """What lies below a directory, by path."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*.*[0-9]")} | {
        str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("f*[0-9]")
    }


@requires_torch
@pytest.mark.parametrize("form", ["torch", "torch_stream", "safetensors"])
def test_the_libraries_save_the_bytes_that_engine_posix_saves(form: str, tmp_path: Path) -> None:
    """Every file is equal, but for the id of an archive of torch; so is what was counted."""
    phase = saving(form)
    ours = files.run(phase, tmp_path / "ours")
    real = run(phase, tmp_path / "real")
    assert (real.operations, real.bytes) == (ours.operations, ours.bytes) == (4, ours.bytes)
    assert real.timers.keys() == ours.timers.keys() == {"blocked", "durable"}
    assert 0 < real.timers["blocked"] < real.timers["durable"] <= real.elapsed_ns
    assert real.histograms["whole"].count == real.histograms["fsync"].count == 4
    assert real.series is not None
    assert sum(real.series.bytes) == pytest.approx(real.bytes, rel=0.02)
    assert sum(real.series.operations) == 4
    mine, theirs = (contents(tmp_path / side / "scratch" / "demo") for side in ("ours", "real"))
    assert mine.keys() == theirs.keys()
    for name, data in mine.items():
        assert len(data) == len(theirs[name])
        other = sum(a != b for a, b in zip(data, theirs[name], strict=True))
        assert other <= (0 if form == "safetensors" else 48)  # the id, and its checksum twice


@requires_torch
@pytest.mark.parametrize("form", ["torch", "dcp"])
def test_only_the_last_checkpoints_stay(form: str, tmp_path: Path) -> None:
    """Of three the last one stays, complete; how long it took to remove the others is told."""
    phase = saving(form, checkpoints=3, keep=1, sync="none")
    real = run(phase, tmp_path)
    assert real.operations == phase.population.files
    assert real.timers.keys() == {"blocked", "committed"}
    assert real.histograms["remove"].count == 2 * 2
    directory = tmp_path / "scratch" / "demo"
    last = sorted(path.name for path in (directory / "d000002").iterdir())
    if form == "dcp":
        assert last == [".metadata", "__0_0.distcp", "__1_0.distcp"]
    else:
        assert last == [f"f{number:010d}" for number in range(10, 15)]
    assert [path for path in directory.rglob("*") if path.parent.name == "d000001"] == []


@requires_torch
@pytest.mark.parametrize("form", ["torch", "dcp"])
def test_a_snapshot_lets_the_trainer_go_on(form: str, tmp_path: Path) -> None:
    """It is blocked as long as the state is copied, which is before it is durable."""
    real = run(saving(form, snapshot=True), tmp_path)
    assert 0 < real.timers["blocked"] < real.timers["durable"]


@requires_torch
def test_ranks_of_a_distributed_checkpoint_save_their_own(tmp_path: Path) -> None:
    """Each rank writes its files, as many bytes as engine posix but for what tells of them."""
    phase = saving("dcp")
    ours, real = files.run(phase, tmp_path / "ours"), run(phase, tmp_path / "real")
    assert real.operations == ours.operations == 3
    assert real.bytes == pytest.approx(ours.bytes, rel=0.01)
    assert real.histograms["save_call"].count == 2
    assert {worker.operations for worker in real.workers} == {2, 1}
    assert {"blocked", "durable", "committed"} == real.timers.keys()


@requires_torch
@pytest.mark.parametrize(
    ("form", "reader", "more"),
    [
        *((*each, {}) for each in LOADS),
        ("torch", "torch", {"who": "all"}),
        ("dcp", "dcp", {"who": "all"}),
    ],
)
def test_the_libraries_load_what_engine_posix_wrote(
    form: str, reader: str, more: dict[str, Any], tmp_path: Path
) -> None:
    """The same files by each rank, whole, every page of what is mapped used."""
    phase = loading(form, reader, tmp_path, **more)
    ours, real = files.run(phase, tmp_path), run(phase, tmp_path)
    shares = [[(w.operations, w.bytes) for w in each.workers] for each in (ours, real)]
    assert [count for count, _ in shares[1]] == [count for count, _ in shares[0]]
    assert real.bytes == pytest.approx(ours.bytes, rel=0.005)
    assert real.series is not None
    if reader not in ("torch", "dcp", "lean"):
        assert sum(real.series.bytes) == pytest.approx(real.bytes, rel=0.02)
    calls = real.histograms["load_call" if form == "dcp" else "whole"]
    assert calls.count == (2 if form == "dcp" else real.operations)
    assert ("found" in real.timers) is (form == "dcp")


@requires_torch
def test_weights_are_loaded_for_serving(tmp_path: Path) -> None:
    """A cold start by safetensors, each file by one worker."""
    settings = serve.Settings(part="start", scale=0.0002, shard_size="1MB", workers=2)
    layout, start = serve.phases(settings, REQUEST)
    phase = laid_out(layout, start, tmp_path)
    real = run(phase, tmp_path)
    assert (real.operations, real.bytes) == (4, files.run(phase, tmp_path).bytes)


@requires_torch
@pytest.mark.parametrize(("form", "reader"), [("torch", "torch"), ("safetensors", "safetensors")])
def test_a_damaged_file_is_an_error_of_the_target(form: str, reader: str, tmp_path: Path) -> None:
    """What a library can't load ends the run with a sentence, a missing file with its name."""
    phase = loading(form, reader, tmp_path)
    path = next((tmp_path / phase.population.directory).rglob("f0000000002"))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TargetFailed) as short:
        run(phase, tmp_path)
    assert short.value.code == "library_failed"
    path.unlink()
    with pytest.raises(TargetFailed) as missing:
        run(phase, tmp_path)
    assert missing.value.code == "vanished"


@requires_torch
@pytest.mark.parametrize("form", ["safetensors", "dcp"])
def test_a_file_in_the_way_ends_the_run(form: str, tmp_path: Path) -> None:
    """What the system said survives what the library makes of it."""
    phase = saving(form)
    (tmp_path / phase.population.directory).mkdir(parents=True)
    target = tmp_path / phase.population.directory / "d000000"
    target.write_text("in the way")
    with pytest.raises(AibenchError, match="not a directory") as error:
        run(phase, tmp_path)
    assert error.value.code


@requires_torch
def test_a_killed_rank_ends_all(tmp_path: Path) -> None:
    """When one rank is killed the others don't wait for it for ever."""
    phase = saving("dcp", checkpoints=900, keep=1)
    seen: list[int] = []
    interfere(lambda found: os.kill(found[0], signal.SIGKILL), 2, seen, after=4.0)
    with pytest.raises(WorkerFailed, match=r"killed by SIGKILL|lost the others"):
        run(phase, tmp_path)
    assert gone(seen)


def test_our_own_files_have_no_library() -> None:
    """Of a checkpoint in aibench's own format the refusal says which setting helps."""
    found = TorchEngine().refusal(saving("files"), build.target())
    assert found is not None
    assert "format=torch" in found or "pip install" in found


def test_what_a_killed_save_leaves_is_cleaned(tmp_path: Path) -> None:
    """The names that libraries give to files, also of those not yet complete, are known to clean.

    Others are left alone.
    """
    workspace = make(str(tmp_path))
    directory = Path(workspace.path("scratch/demo/d000000"))
    directory.mkdir(parents=True)
    for name in (".metadata", ".metadata.tmp", "__0_0.distcp", "__11_2.distcp", ".tmpAb3xYz"):
        (directory / name).write_bytes(b"x")
    assert clean_scratch(workspace).left == []
    assert not directory.exists()
    directory.mkdir(parents=True)
    (directory / "__0_0.distcp.mine").write_bytes(b"x")
    assert clean_scratch(workspace).left == [str(directory / "__0_0.distcp.mine")]
    workspace.close()
