"""Checkpoints in the way of libraries, several in a row, marked, let go, and found again."""

import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from aibench.calls import real_calls
from aibench.engines.null import NullEngine, Pace
from aibench.formats.files import path_of, size_of, total_bytes
from aibench.formats.packing import Packer
from aibench.model import CachePolicy, Operation, Phase, Population, Sizes, SyncPolicy
from aibench.workers.loops import state
from aibench.workers.loops.linking import changes
from aibench.workers.loops.resume import newest
from tests import build
from tests.engines.files import content, present, run, site

FORMS = ("files", "torch", "torch_stream", "safetensors", "dcp")
RANKS = 3


def saving(form: str, checkpoints: int = 1, **changes: object) -> Phase:
    """Three ranks with two shards each, and a mark, checkpoint after checkpoint."""
    mark = 0 if form == "dcp" else 64
    sizes = ((1, mark), (4, 30_000), (2, 777))
    files = build.population(
        directory="scratch/demo", files=7 * checkpoints, files_per_directory=7, format=form,
        persistent=False, tensors=(5000, 64, 8192) if form != "files" else (),
        sizes=Sizes(distribution="listed", mean=10_000, smallest=0, listed=sizes * checkpoints),
    )  # fmt: skip
    phase = build.phase(
        operation=Operation.SAVE_SHARDS, population=files, processes=RANKS, shares=(3, 2, 2),
        cache=CachePolicy.AS_FOUND, checkpoints=checkpoints, marked=True, io_size=8192,
        sync=SyncPolicy.COMMIT if form == "files" else SyncPolicy.END,
    )  # fmt: skip
    return replace(phase, **changes)  # type: ignore[arg-type]


def written(number: int, share: float) -> int:
    """The file whose bytes file ``number`` holds: itself, or the one that it is a link to."""
    checkpoint, place = divmod(number, 7)
    shards = 2 if place else 1  # each rank has two; who marks has one more, which always changes
    position = (place - 1) % 2
    while place and not changes(position, shards, checkpoint, share):
        checkpoint -= 1
    return 7 * checkpoint + place


def whole(files: Population, number: int) -> bytes:
    """What a file has to hold that is written."""
    if files.format == "files":
        return content(files, number)
    room = memoryview(bytearray(2**16))
    return b"".join(bytes(piece) for piece in Packer(files).pack(number, room))


def assert_whole(directory: Path, files: Population, checkpoint: int, changed: float = 1.0) -> None:
    """Every file of a checkpoint is there, byte for byte."""
    for number in range(7 * checkpoint, 7 * checkpoint + 7):
        expected = whole(files, written(number, changed))
        assert (directory / path_of(files, number)).read_bytes() == expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("threads", [1, 3])
def test_checkpoints_hold_what_they_should(form: str, threads: int, tmp_path: Path) -> None:
    """All files have their names and bytes; timers say when which was reached, in their order."""
    phase = saving(form, 3, threads=threads, processes=RANKS // threads)
    measured = run(phase, tmp_path)
    directory = tmp_path / phase.population.directory
    for checkpoint in range(3):
        assert_whole(directory, phase.population, checkpoint)
    assert len(list(present(directory))) == 21
    assert (measured.operations, measured.bytes) == (21, total_bytes(phase.population))
    assert set(measured.timers) == {"blocked", "durable", "committed"}
    assert 0 < measured.timers["blocked"] <= measured.timers["durable"]
    if form == "dcp":  # the call comes back when all is complete
        assert measured.timers["committed"] <= measured.timers["blocked"]
    assert measured.histograms["whole"].count == 21


@pytest.mark.parametrize("form", FORMS)
def test_what_does_not_fit_is_made_meanwhile(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state larger than what a rank may hold is written all the same, and the time is told."""
    monkeypatch.setattr(state, "HELD_BYTES", 1000)
    phase = saving(form)
    measured = run(phase, tmp_path)
    assert_whole(tmp_path / phase.population.directory, phase.population, 0)
    assert measured.histograms["generate"].count > 0


@pytest.mark.parametrize("form", FORMS)
def test_only_the_last_ones_are_kept(form: str, tmp_path: Path) -> None:
    """Of five checkpoints two stay, whole, and the newest of them is found."""
    phase = saving(form, 5, keep=2)
    measured = run(phase, tmp_path)
    directory = tmp_path / phase.population.directory
    expected = {path_of(phase.population, number) for number in range(21, 35)}
    assert set(present(directory)) == expected
    assert len(list(directory.iterdir())) == 3  # the last one let go is empty
    assert_whole(directory, phase.population, 3)
    root = os.open(directory, os.O_RDONLY)
    try:
        assert newest(real_calls(), root, phase.population) == 4
        os.unlink(path_of(phase.population, 28), dir_fd=root)
        assert newest(real_calls(), root, phase.population) == 3
        os.unlink(path_of(phase.population, 21), dir_fd=root)
        assert newest(real_calls(), root, phase.population) is None
    finally:
        os.close(root)
    assert measured.histograms["remove"].count == 3 * RANKS


@pytest.mark.parametrize("form", FORMS)
def test_without_syncs_nothing_is_said_to_be_durable(form: str, tmp_path: Path) -> None:
    """No fsync is made, and there is no such time."""
    measured = run(saving(form, sync=SyncPolicy.NONE), tmp_path)
    assert set(measured.timers) == {"blocked", "committed"}
    assert "fsync" not in measured.histograms


@pytest.mark.parametrize("form", ["torch", "safetensors"])
def test_what_a_library_leaves_unsynced_is_synced_by_us(form: str, tmp_path: Path) -> None:
    """Each shard once, after the call of the library has come back."""
    measured = run(saving(form), tmp_path)
    assert measured.histograms["fsync"].count == 6
    assert measured.timers["blocked"] < measured.timers["durable"]


def test_a_snapshot_blocks_only_as_long_as_it_takes_to_copy() -> None:
    """With calls that take a second each, the trainer goes on at once and the rest takes long."""
    engine = NullEngine(Pace(latency_ns={"write": 10**9}))
    at_once = engine.run(saving("torch", snapshot=True), site(Path("/")), lambda *_: None)
    later = engine.run(saving("torch"), site(Path("/")), lambda *_: None)
    assert at_once.timers["blocked"] == 0  # copying is no call, and time is virtual
    assert later.timers["blocked"] >= 2 * 10**9
    assert at_once.timers["durable"] == later.timers["durable"]


def test_ranks_wait_for_the_last_one() -> None:
    """In virtual time the mark is written when the slowest rank is done, whichever that is."""
    engine = NullEngine(Pace(latency_ns={"write": 10**6}))
    phase = saving("files", io_size=4096)
    measured = engine.run(phase, site(Path("/")), lambda *_: None)
    pieces = -(-30_000 // 4096)
    assert measured.timers["committed"] == 2 * pieces * 10**6 + 10**6
    assert measured.timers["blocked"] == 2 * pieces * 10**6


def test_the_mark_of_a_distributed_checkpoint_is_renamed_into_place(tmp_path: Path) -> None:
    """Nothing has its name before all shards are there: here something is in the way of one."""
    phase = saving("dcp")
    directory = tmp_path / phase.population.directory / "d000000"
    (directory / "f0000000006").mkdir(parents=True)
    with pytest.raises(Exception, match="f0000000006"):
        run(phase, tmp_path)
    assert not (directory / "f0000000000").exists()


@pytest.mark.parametrize("form", FORMS)
def test_of_what_does_not_change_there_are_links(form: str, tmp_path: Path) -> None:
    """Half of the files are written anew each time, in turns; the others keep their bytes."""
    phase = saving(form, 4, changed=0.5)
    measured = run(phase, tmp_path)
    directory, files = tmp_path / phase.population.directory, phase.population
    for checkpoint in range(4):
        assert_whole(directory, files, checkpoint, 0.5)
    names = [directory / path_of(files, 7 * k + place) for place in range(7) for k in range(4)]
    links = [name.stat().st_nlink for name in names]
    assert links[:4] == [1] * 4  # what marks a checkpoint is its own
    inodes = {name.stat().st_ino for name in names}
    assert len(inodes) == 4 + 6 + 3 * 3
    assert measured.operations == 7 + 3 * 4
    assert measured.bytes == sum(size_of(files, n) for n in range(28) if written(n, 0.5) == n)
    assert measured.histograms["link"].count == 9
    assert len(list(present(directory))) == 28


@pytest.mark.parametrize("form", ["files", "dcp"])
def test_links_outlive_what_they_link_to(form: str, tmp_path: Path) -> None:
    """Where hardly anything changes and older checkpoints go, the ones that stay are whole."""
    phase = saving(form, 6, changed=0.0, keep=1, snapshot=True)
    run(phase, tmp_path)
    directory, files = tmp_path / phase.population.directory, phase.population
    assert set(present(directory)) == {path_of(files, number) for number in range(35, 42)}
    assert_whole(directory, files, 5, 0.0)


@pytest.mark.parametrize(
    ("count", "share", "each"), [(4, 0.5, 2), (5, 0.1, 1), (3, 0.9, 3), (7, 0, 0)]
)
def test_files_take_turns_to_change(count: int, share: float, each: int) -> None:
    """As many change each time, and after a while each has; all are new in the first one."""
    assert all(changes(place, count, 0, share) for place in range(count))
    times = [
        [changes(place, count, k, share) for place in range(count)] for k in range(1, 1 + count)
    ]
    assert [sum(row) for row in times] == [each] * count
    assert {sum(column) for column in zip(*times, strict=True)} == {each}


#: Ways to save that the crash test goes through, with all formats.
WAYS: tuple[dict[str, object], ...] = (
    {"keep": 2},
    {"keep": 2, "snapshot": True},
    {"keep": 1, "changed": 0.5},
    {"keep": 3, "changed": 0.5, "snapshot": True},
)


def _save_forever(root: Path, phase: Phase, pipe: int) -> None:
    del pipe  # is open as long as any process of this lives
    run(phase, root)


@pytest.mark.slow
def test_the_newest_complete_checkpoint_survives_every_kill(tmp_path: Path) -> None:
    """Killed fifty times at random moments: what is found is whole, and loads.

    In all formats, with a snapshot or without, with all files new or half of them linked.
    """
    chance = random.Random(1)
    found_any = 0
    for turn in range(50):
        form = FORMS[turn % len(FORMS)]
        root = tmp_path / str(turn)
        way = WAYS[turn // len(FORMS) % len(WAYS)]
        phase = saving(form, 2000, **way)
        directory = root / phase.population.directory
        directory.mkdir(parents=True)
        checkpoint = _kill(root, phase, chance, directory)
        if checkpoint is None:
            continue
        found_any += 1
        marks = [directory / path_of(phase.population, 7 * number) for number in range(2000)]
        for number in [number for number, mark in enumerate(marks) if mark.exists()]:
            assert_whole(directory, phase.population, number, phase.changed)  # whatever is marked
        first = 7 * checkpoint
        load = replace(
            phase, operation=Operation.LOAD_SHARDS, shares=(), checkpoints=1, keep=0, changed=1.0,
            reads=((first + 1, first + 3), (first + 3, first + 5), (first + 5, first + 7)),
            reader={"files": "lean", "torch_stream": "torch"}.get(form, form),
        )  # fmt: skip
        loaded = run(load, root)
        sizes = sum(size_of(phase.population, number) for number in range(first + 1, first + 7))
        metadata = RANKS * size_of(phase.population, first) if form == "dcp" else 0
        assert (loaded.operations, loaded.bytes) == (6, sizes + metadata)
    assert found_any > 25


def _kill(root: Path, phase: Phase, chance: random.Random, directory: Path) -> int | None:
    """Save checkpoint after checkpoint until all processes are killed; the newest that is found."""
    reading, writing = os.pipe()
    process = multiprocessing.get_context("fork").Process(
        target=_save_forever, args=(root, phase, writing)
    )
    process.start()
    os.close(writing)
    fd = os.open(directory, os.O_RDONLY)
    try:
        wanted = chance.randrange(-1, 4)
        while wanted >= 0 and (newest(real_calls(), fd, phase.population) or 0) < wanted:
            assert process.is_alive()
            time.sleep(0.001)
        time.sleep(chance.random() * 0.05)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        assert os.read(reading, 1) == b""  # the last of its workers has died
        return newest(real_calls(), fd, phase.population)
    finally:
        os.close(fd)
        os.close(reading)
