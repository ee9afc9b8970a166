"""Shards of checkpoints in the formats of libraries: sizes, contents, and what a check finds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.calls import real_calls
from aibench.engines.null import NullEngine
from aibench.engines.posix import PosixEngine
from aibench.formats.files import path_of, size_of, sizes_of, total_bytes
from aibench.formats.format import Payload, format_of
from aibench.formats.tensors import MOST_TENSORS, cut, tensors_in
from aibench.model import Operation, Phase, Population, Sizes
from aibench.workers.job import Job, Progress
from aibench.workers.loops.verify import prepare_verify
from tests import build
from tests.engines.files import run, site
from tests.fidelity.saving import population

FORMS = ("torch", "torch_stream", "safetensors", "dcp")
FORMATS = pytest.mark.parametrize("form", FORMS)
TENSORS = (700, 1, 4096, 64, 9000)


@given(
    st.integers(0, 2**40),
    st.lists(st.integers(1, 2**30), max_size=12).map(tuple),
)
def test_tensors_are_all_of_a_shard(size: int, pattern: tuple[int, ...]) -> None:
    """They come in the order of the pattern, over and over, and the last takes what is left."""
    if pattern and size // sum(pattern) * len(pattern) >= MOST_TENSORS:
        with pytest.raises(ValueError, match="tensors"):
            cut(size, pattern)
        return
    if pattern and size // sum(pattern) > 1000:
        return  # as the ones before, only longer
    found = cut(size, pattern)
    assert sum(found) == size
    for number, length in enumerate(found[:-1]):
        assert length == (pattern[number % len(pattern)] if pattern else size)
    assert size == 0 or min(found) > 0


def test_no_two_tensors_have_the_same_content() -> None:
    """Each tensor of each file has a number of its own, and none that a plain file has."""
    numbers = [p.sample for file in range(50) for p in tensors_in(file, 40_000, TENSORS)]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) >= MOST_TENSORS


@settings(max_examples=40, deadline=None)
@given(
    form=st.sampled_from(FORMS),
    shards=st.lists(st.integers(1, 200_000), min_size=1, max_size=5),
    tensors=st.lists(st.integers(1, 100_000), max_size=6),
)
def test_sizes_are_those_of_what_is_written(
    form: str, shards: Sequence[int], tensors: Sequence[int]
) -> None:
    """The size of every file, told before anything is written, is that of its parts."""
    if tensors and max(shards) / sum(tensors) * len(tensors) > 3000:
        tensors = [max(tensors)]
    files = population(form, shards, [size * 10 for size in tensors])
    made = format_of(files)
    assert made.refusal(files) is None
    told = sizes_of(files, np.arange(files.files, dtype=np.int64)).tolist()
    for file, size in enumerate(told):
        parts = list(made.parts(files, file, lambda payload: iter([memoryview(b"")])))
        written = sum(p.length if isinstance(p, Payload) else len(p) for p in parts)
        assert written == size == size_of(files, file)
    assert total_bytes(files) == sum(told)


@FORMATS
def test_a_flipped_byte_is_found(form: str, tmp_path: Path) -> None:
    """Anywhere: in what the library puts there as in a tensor, and with the offset it has."""
    files = population(form, [20_000, 5000], TENSORS)
    run(build.phase(population=files, operation=Operation.WRITE_FILES), tmp_path)
    assert wrong(files, tmp_path) is None
    random = np.random.default_rng(1)
    for file in range(files.files):
        path = tmp_path / files.directory / path_of(files, file)
        good = path.read_bytes()
        for place in {0, len(good) - 1, *random.integers(0, len(good), 6).tolist()}:
            path.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])
            assert wrong(files, tmp_path) == (file, place)
        path.write_bytes(good)
    assert wrong(files, tmp_path) is None


def wrong(files: Population, root: Path) -> tuple[int, int] | None:
    """The file and the offset of the first wrong byte."""
    phase = build.phase(population=files, processes=1)
    job = Job(phase=phase, directory=str(root / files.directory), seed=1, calls=real_calls)
    progress = Progress(memoryview(bytearray(24)).cast("q"), 0)
    return prepare_verify(job, 0, progress)(0).wrong


@FORMATS
def test_loading_reads_as_many_bytes_as_there_are(form: str, tmp_path: Path) -> None:
    """By every reader, on real files and by the null engine; the metadata once for each rank."""
    files = population(form, [300_000, 100_000, 50_000], TENSORS)
    run(build.phase(population=files, operation=Operation.WRITE_FILES), tmp_path)
    metadata = size_of(files, 0) if form == "dcp" else 0
    first = int(form == "dcp")
    phase = build.phase(
        population=files, operation=Operation.LOAD_SHARDS, processes=2, marked=form == "dcp",
        reads=((first, first + 2), (first + 2, first + 3)),
    )  # fmt: skip
    for reader in format_of(files).readers:
        for engine in (PosixEngine(), NullEngine()):
            measured = engine.run(with_reader(phase, reader), site(tmp_path), lambda *_: None)
            assert measured.bytes == total_bytes(files) + metadata
            assert measured.operations == 3
            assert ("found" in measured.timers) == (form == "dcp")


def with_reader(phase: Phase, reader: str) -> Phase:
    """The same phase by another reader."""
    return replace(phase, reader=reader)


def test_several_samples_a_file_are_refused() -> None:
    """A shard is a file of its own; what is no checkpoint is none of a distributed one."""
    for form in FORMS:
        files = build.population(format=form, samples_per_file=2)
        assert "one sample a file" in str(format_of(files).refusal(files))
    plain = build.population(format="dcp", sizes=Sizes(distribution="fixed", mean=10))
    assert "one of checkpoints" in str(format_of(plain).refusal(plain))
