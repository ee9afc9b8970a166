"""Loading on other ranks than saved: slices of shards, and what comes before the first step."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aibench.engines.null import NullEngine, Pace
from aibench.errors import TargetFailed
from aibench.formats.dcpmeta import archive_of
from aibench.formats.files import path_of, size_of, total_bytes
from aibench.formats.slicing import needed_bytes
from aibench.formats.tensors import cut
from aibench.metrics import metrics
from aibench.model import (
    CachePolicy,
    Dataset,
    Indexing,
    Measurement,
    Operation,
    Phase,
    Population,
    Resume,
    Sizes,
    Slice,
)
from aibench.workers.loops.resume import needed
from tests import build
from tests.engines.files import run, site, write

SHARDS = 6
SIZE = 900_000
TENSORS, COLUMNS = (400_000, 163_840, 640, 81_920), (0, 32_768, 0, 0)


def shards(form: str = "safetensors", **changes: Any) -> Population:
    """Six shards, after the file that tells what is where in a distributed checkpoint."""
    sizes = ((1, 0), (SHARDS, SIZE)) if form == "dcp" else ((SHARDS, SIZE),)
    count = sum(number for number, _ in sizes)
    parts: dict[str, Any] = {
        "files": count, "files_per_directory": count, "format": form,
        "tensors": TENSORS if form != "files" else (),
        "columns": COLUMNS if form != "files" else (),
        "sizes": Sizes(distribution="listed", mean=SIZE, smallest=0, listed=sizes),
        "directory": "data/checkpoint",
    }  # fmt: skip
    return build.population(**parts | changes)


def samples(**changes: Any) -> Dataset:
    """A hundred files of 1000 B in five directories, of which a batch is seven."""
    files = build.population(
        directory="data/samples", files=100, files_per_directory=20,
        sizes=Sizes(distribution="fixed", mean=1000),
    )  # fmt: skip
    parts: dict[str, Any] = {
        "population": files, "indexing": Indexing.LIST, "reader": "stat", "batch": 7,
    }  # fmt: skip
    return Dataset(**parts | changes)


def loading(files: Population, resume: Resume, **changes: Any) -> Phase:
    """A load by as many ranks as there are slices, or by two."""
    readers = {"files": "stat", "torch": "torch_mmap", "torch_stream": "torch"}
    parts: dict[str, Any] = {
        "operation": Operation.LOAD_SHARDS, "population": files,
        "processes": len(resume.slices) or 2, "resume": resume, "cache": CachePolicy.AS_FOUND,
        "reader": readers.get(files.format, files.format), "marked": files.format == "dcp",
    }  # fmt: skip
    return build.phase(**parts | changes)


def halves(files: Population, parts: int = 2) -> tuple[tuple[Slice, ...], ...]:
    """Each rank needs one of so many parts of every tensor of all shards."""
    first = int(files.format == "dcp")
    return tuple(
        tuple(
            Slice(file=file, begin=0, end=SIZE, first=rank, last=rank + 1, parts=parts)
            for file in range(first, files.files)
        )
        for rank in range(parts)
    )


def amplification(phase: Phase, measured: Measurement) -> float:
    """How much more was read than needed."""
    sample = build.sample(measurement=measured)
    found = {metric.name: metric.value for metric in metrics(phase, sample)}
    return found["read_amplification"] or 0.0


def resharded(form: str, root: Path, parts: int = 2) -> tuple[Phase, Measurement]:
    """Load half of every tensor on each of two ranks."""
    files = shards(form)
    write(root, files)
    slices = halves(files, parts)
    total = sum(needed_bytes(files, part) for rank in slices for part in rank)
    assert total == SHARDS * SIZE
    phase = loading(files, Resume(slices=slices, needed_bytes=total))
    return phase, run(phase, root)


def test_of_plain_files_just_the_bytes_are_read(tmp_path: Path) -> None:
    """What two ranks need of every file together is the file."""
    phase, measured = resharded("files", tmp_path)
    assert measured.bytes == total_bytes(phase.population)
    assert measured.operations == 2 * SHARDS
    assert amplification(phase, measured) == 1.0


def test_of_safetensors_the_pages_are_used(tmp_path: Path) -> None:
    """Parts of rows or of columns: pages around them, and each header by every rank."""
    phase, measured = resharded("safetensors", tmp_path)
    assert 1.0 < amplification(phase, measured) < 1.3
    _, three = resharded("safetensors", tmp_path / "more", 16)
    assert three.bytes > measured.bytes  # smaller parts share more pages


def test_of_a_distributed_checkpoint_whole_tensors_are_read(tmp_path: Path) -> None:
    """Half of a tensor costs all of it: every rank reads every byte, as the library does."""
    phase, measured = resharded("dcp", tmp_path)
    assert measured.bytes == 2 * total_bytes(phase.population)
    assert amplification(phase, measured) == pytest.approx(2, rel=0.1)


def test_a_distributed_checkpoint_is_read_where_it_is_needed(tmp_path: Path) -> None:
    """Of a stretch of a file only the tensors in it are read, those at its ends whole."""
    files = shards("dcp")
    write(tmp_path, files)
    part = Slice(file=2, begin=399_999, end=600_000)
    phase = loading(files, Resume(slices=((part,),), needed_bytes=200_001))
    measured = run(phase, tmp_path)
    sizes = cut(SIZE, TENSORS)[:4]
    assert sum(sizes[:3]) < part.end < sum(sizes)
    expected = size_of(files, 0) + sum(archive_of(size).size for size in sizes)
    assert (measured.operations, measured.bytes) == (1, expected)


@pytest.mark.parametrize("form", ["torch", "torch_stream"])
def test_torch_reads_whole_files_or_maps_them(form: str, tmp_path: Path) -> None:
    """Without a mapping half a tensor needs the whole file; with one, pages and headers."""
    phase, measured = resharded(form, tmp_path)
    if form == "torch_stream":
        assert measured.bytes == 2 * total_bytes(phase.population)
    else:
        assert 1.0 < amplification(phase, measured) < 2.0


def test_who_has_no_slices_reads_nothing(tmp_path: Path) -> None:
    """A rank whose part nobody saved is done at once."""
    files = shards()
    write(tmp_path, files)
    part = Slice(file=3, begin=0, end=SIZE)
    phase = loading(files, Resume(slices=((part,), ()), needed_bytes=SIZE))
    measured = run(phase, tmp_path)
    assert [worker.operations for worker in measured.workers] == [1, 0]
    assert needed(phase, 1) == range(0)


@pytest.mark.parametrize("indexing", Indexing)
def test_a_resume_has_parts(indexing: Indexing, tmp_path: Path) -> None:
    """Checkpoint, index and first batch take their times, and all together are the resume."""
    files, dataset = shards("files"), samples(indexing=indexing)
    if indexing is Indexing.READ:
        tokens = build.population(
            directory="data/samples", files=2, samples_per_file=512, format="indexed",
            sizes=Sizes(distribution="fixed", mean=600),
        )  # fmt: skip
        dataset = replace(dataset, population=tokens, reader="file", window=100)
    for each in (files, dataset.population):
        write(tmp_path, each)
    phase = loading(files, Resume(dataset=dataset))
    measured = run(phase, tmp_path)
    timers = measured.timers
    assert set(timers) == {"checkpoint", "index", "first_batch", "resume"}
    assert max(timers.values()) == timers["resume"] <= measured.elapsed_ns
    assert (
        timers["resume"] <= timers["checkpoint"] + timers["index"] + timers["first_batch"] + 10**7
    )
    assert measured.operations == SHARDS
    index = 2 * 2 * size_of(dataset.population, 0, ".idx") if indexing is Indexing.READ else 0
    batches = 2 * 7 * (202 if indexing is Indexing.READ else 1000)
    assert measured.beside_bytes == batches + index
    assert measured.bytes == total_bytes(files) + measured.beside_bytes
    names = {metric.name for metric in metrics(phase, build.sample(measurement=measured))}
    assert {"checkpoint_time", "index_time", "first_batch_time", "resume_time"} <= names


@pytest.mark.parametrize(("indexing", "looks"), [(Indexing.LIST, 0), (Indexing.STAT, 100)])
def test_parts_are_as_long_as_their_calls(indexing: Indexing, looks: int) -> None:
    """In virtual time each part is the sum of what is called in it, and the whole that of parts."""
    milli = 10**6
    pace = Pace(latency_ns={"open": milli, "read": 10 * milli, "listdir": 100 * milli,
                            "stat": 7 * milli})  # fmt: skip
    phase = loading(shards("files"), Resume(dataset=samples(indexing=indexing)), reader="lean")
    measured = NullEngine(pace).run(phase, site(Path("/")), lambda *_: None)
    assert measured.timers == {
        "checkpoint": 3 * 11 * milli,
        "index": 5 * 101 * milli + looks * 7 * milli,
        "first_batch": 7 * 11 * milli,
        "resume": (33 + 505 + 77 + 7 * looks) * milli,
    }
    assert measured.elapsed_ns == measured.timers["resume"]


def test_the_others_wait_for_the_one_that_reads() -> None:
    """One rank reads everything; the wait of the others is as long, and a time of its own."""
    files = shards("files")
    phase = loading(
        files, Resume(passes_on=True, dataset=samples()), reader="lean",
        processes=3, reads=((0, SHARDS), (0, 0), (0, 0)),
    )  # fmt: skip
    pace = Pace(latency_ns={"read": 10**9})
    measured = NullEngine(pace).run(phase, site(Path("/")), lambda *_: None)
    assert measured.timers == {
        "checkpoint": SHARDS * 10**9, "broadcast": SHARDS * 10**9, "index": 0,
        "first_batch": 7 * 10**9, "resume": (SHARDS + 7) * 10**9,
    }  # fmt: skip
    assert measured.bytes - measured.beside_bytes == total_bytes(files)
    assert [finding.code for finding in measured.warnings] == ["not_passed_on"]


def test_several_checkpoints_are_read_one_after_the_other(tmp_path: Path) -> None:
    """Each rank reads its share of every one, and nobody the files that mark them."""
    files = build.population(
        directory="data/checkpoint", files=3 * 5, files_per_directory=5,
        sizes=Sizes(distribution="listed", mean=1000, listed=((1, 64), (4, 1000)) * 3),
    )  # fmt: skip
    write(tmp_path, files)
    phase = build.phase(
        operation=Operation.LOAD_SHARDS, population=files, processes=2, shares=(3, 2), shift=1,
        checkpoints=3, marked=True, cache=CachePolicy.AS_FOUND,
    )  # fmt: skip
    measured = run(phase, tmp_path)
    assert (measured.operations, measured.bytes) == (12, 12_000)
    assert [worker.operations for worker in measured.workers] == [6, 6]


def test_a_sample_that_is_gone_is_named(tmp_path: Path) -> None:
    """What ends a resume after its checkpoint says which file of the data set it was."""
    files, dataset = shards("files"), samples(batch=100)
    for each in (files, dataset.population):
        write(tmp_path, each)
    name = path_of(dataset.population, 42)
    (tmp_path / "data/samples" / name).unlink()
    with pytest.raises(TargetFailed, match=f"data/samples/{name}"):
        run(loading(files, Resume(dataset=dataset), processes=1), tmp_path)
