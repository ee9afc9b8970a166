"""Documents of tokens: what Megatron makes of them, and the calls that it makes.

Its library needs PyTorch, so that its calls were recorded (megatron-core 0.16.1); a few lines of
numpy that do what it does are compared call by call, and the library itself where it is installed.
Descriptors are closed at the end of a process by nobody, so that closes of mapped files are left
out.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from aibench.formats.documents import documents_of, windows_in_file
from aibench.formats.files import path_of
from aibench.model import Population
from aibench.probes import cache, delivered, mounts
from tests import lab
from tests.fidelity import reading
from tests.fidelity.recorded import recorded, words
from tests.fidelity.tracing import Mix, requires_strace, trace_python
from tests.formats import written

WINDOW = 2048
NUMPY = """
import json, os, struct, sys
import numpy as np

path, mapped, pieces = sys.argv[1], sys.argv[2] == "mmap", json.load(open(sys.argv[3]))
os.stat(path + ".idx"), os.stat(path)
if mapped:
    file = open(path, "rb")
    data = memoryview(np.memmap(file, mode="r", order="C").data)
with open(path + ".idx", "rb") as stream:
    stream.read(9), stream.read(8), stream.read(1)
    count, stop = struct.unpack("<QQ", stream.read(16))
    at = stream.tell()
whole = memoryview(np.memmap(path + ".idx", mode="r", order="C"))
lengths = np.frombuffer(whole, np.int32, count, at)
pointers = np.frombuffer(whole, np.int64, count, at + lengths.nbytes)
for window in pieces:
    parts = []
    for document, offset, length in window:
        start = int(pointers[document]) + 2 * offset
        assert offset + length <= int(lengths[document])
        if mapped:
            parts.append(np.frombuffer(data, np.uint16, length, start))
        else:
            part = np.empty(length, np.uint16)
            with open(path, "rb", buffering=0) as stream:
                stream.seek(start)
                stream.readinto(part)
            parts.append(part)
    np.concatenate(parts)
"""
MEGATRON = """
import json, sys
import numpy as np
from megatron.core.datasets.indexed_dataset import IndexedDataset

path, mapped, pieces = sys.argv[1], sys.argv[2] == "mmap", json.load(open(sys.argv[3]))
data = IndexedDataset(path, multimodal=False, mmap=mapped)
for window in pieces:
    np.concatenate([data.get(d, offset=offset, length=length) for d, offset, length in window])
"""


def documents(samples: int = 4096) -> Population:
    """One file of documents of 2100 tokens on average, as when Megatron was traced."""
    return reading.population(
        "indexed", 1, samples, mean=4200, sigma=0.7, smallest=64, largest=2**16
    )


def pieces(files: Population, count: int | None = None) -> Iterator[list[tuple[int, int, int]]]:
    """The windows of a file in their order: (document, first token in it, tokens) of each piece."""
    found = documents_of(files)
    begins = np.concatenate([found.stored(0, n)[1] for n in range(found.stretches)])
    total = windows_in_file(files, WINDOW)
    for number in range(total if count is None else min(count, total)):
        yield [
            (document, (offset - int(begins[document])) // 2, length // 2)
            for document, offset, length in found.pieces(0, number * WINDOW, WINDOW + 1)
        ]


def run(program: str, files: Population, tmp_path: Path, reader: str) -> Mix:
    """The calls of a real program on our file."""
    path = tmp_path / "data" / path_of(files, 0)
    path.with_suffix(".bin").symlink_to(path)
    wanted = tmp_path / "pieces.json"
    wanted.write_text(json.dumps(list(pieces(files))))
    return trace_python(
        program, str(path), reader, str(wanted), data=tmp_path / "data", log=tmp_path / "real.log"
    )


def steps(mix: Mix, reader: str) -> dict[str, list[tuple[str, int, int]]]:
    """The calls on each file, without the closes of those that are mapped."""
    found = mix.by_file()
    for path, calls in found.items():
        if path.endswith(".idx"):
            found[path] = calls[:5]  # up to the mapping
        elif reader == "mmap":
            found[path] = [call for call in calls if call[0] != "close"]
    return found


@requires_strace
@pytest.mark.parametrize("reader", ["mmap", "file"])
@pytest.mark.parametrize("program", [NUMPY, MEGATRON], ids=["numpy", "megatron"])
def test_calls_are_those_of_the_real_reader(tmp_path: Path, reader: str, program: str) -> None:
    """The same opens, reads and mappings of the same sizes, in the same order, for all windows."""
    if program is MEGATRON:
        pytest.importorskip(
            "megatron.core.datasets.indexed_dataset", reason="The package megatron-core is missing."
        )
    files = documents()
    written.write(files, tmp_path / "data")
    real = run(program, files, tmp_path, reader)
    ours = reading.traced(files, tmp_path / "data", reader, window=WINDOW)
    assert ours.flags() == real.flags() == {"O_RDONLY|O_CLOEXEC"}
    assert {step.detail for step in ours.of("mmap")} == {"MAP_SHARED"}
    assert {step.detail for step in real.of("mmap")} == {"MAP_SHARED"}
    assert steps(ours, reader) == steps(real, reader)


@pytest.mark.parametrize("reader", ["mmap", "file"])
def test_opening_is_as_recorded(tmp_path: Path, reader: str) -> None:
    """Every call of opening a data set, looks and seeks too, in the recorded order."""
    phase = recorded(f"mcore_indexed_{reader}", "open")
    files = documents(400)
    written.write(files, tmp_path / "data")
    with written.reading(files, tmp_path / "data", reader, [0], window=WINDOW) as (spy, samples):
        next(samples)
        done = list(spy.steps)
    names = {"readv": ["read"], "isatty": ["ioctl"], "map": ["fstat", "dup", "mmap"]}
    for lifecycle in phase["lifecycles"]:
        is_index = lifecycle["example"].endswith(".idx")
        ours = [
            name
            for step in done[: next(k for k, step in enumerate(done) if step.name == "touch")]
            if step.path.endswith(".idx") == is_index
            for name in names.get(step.name, [step.name])
        ]
        assert ours == words(lifecycle["seq"])
    assert [s.asked for s in done if s.name == "readv" and s.path.endswith(".idx")] == [4096]


def test_pieces_are_read_as_recorded(tmp_path: Path) -> None:
    """Each piece is open, fstat, lseek, one exact read, close; a window has 4098 bytes."""
    phase = recorded("mcore_indexed_file", "read")
    files = documents()
    written.write(files, tmp_path / "data")
    count = windows_in_file(files, WINDOW)
    numbers = range(count)
    with written.reading(files, tmp_path / "data", "file", numbers, window=WINDOW) as (spy, found):
        assert list(found) == [phase["read"]["returned"]["sum"] // 2000] * count == [4098] * count
    ours = [step for step in spy.steps if step.path and not step.path.endswith(".idx")][1:]
    (lifecycle,) = phase["lifecycles"]
    of_one = words(lifecycle["seq"])[:5]
    assert of_one == ["open", "fstat", "lseek", "read", "close"]
    kinds = [{"readv": "read"}.get(step.name, step.name) for step in ours]
    assert kinds == of_one * (len(ours) // 5)
    reads = [step for step in ours if step.name == "readv"]
    assert all(step.asked == step.came for step in reads)
    # As many pieces as documents are cut into: 1 + 2048 / 2100 were recorded.
    assert len(reads) / count == pytest.approx(phase["ops"]["read"] / 2000, rel=0.03)
    assert max(Counter(step.asked for step in reads)) == 4098


def test_a_mapping_is_read_without_calls(tmp_path: Path) -> None:
    """After opening there is nothing but touching of pages, as recorded: no call at all."""
    assert recorded("mcore_indexed_mmap", "read")["ops"] == {}
    files = documents(400)
    written.write(files, tmp_path / "data")
    count = windows_in_file(files, WINDOW)
    numbers = range(count)
    with written.reading(files, tmp_path / "data", "mmap", numbers, window=WINDOW) as (spy, found):
        next(found)
        opened = len(spy.steps)
        assert list(islice(found, count - 1)) == [4098] * (count - 1)
        assert {step.name for step in spy.steps[opened:]} == {"touch"}


def test_numpy_reads_our_tokens(tmp_path: Path) -> None:
    """By pointers and lengths of the index, all tokens of a file are those of its documents."""
    files = documents(300)
    written.write(files, tmp_path / "data")
    path = tmp_path / "data" / path_of(files, 0)
    whole = np.memmap(str(path) + ".idx", mode="r")
    assert bytes(whole[:9]) == b"MMIDIDX\x00\x00"
    lengths = np.frombuffer(whole, np.int32, 300, 34)
    pointers = np.frombuffer(whole, np.int64, 300, 34 + lengths.nbytes)
    tokens = np.memmap(path, dtype=np.uint16, mode="r")
    found = [tokens[p // 2 : p // 2 + n] for p, n in zip(pointers, lengths, strict=True)]
    assert np.array_equal(np.concatenate(found), tokens)
    assert len(np.unique(tokens)) > 2**15


@pytest.mark.mounts
@pytest.mark.alone
@lab.requires_mounts
@pytest.mark.parametrize("reader", ["mmap", "file"])
def test_the_device_delivers_as_much_as_for_the_real_reader(tmp_path: Path, reader: str) -> None:
    """Of the same windows, read cold: as many pages come with those that are asked for."""
    files = documents(16 * 4096)
    numbers = np.random.default_rng(1).permutation(windows_in_file(files, WINDOW))[:300]
    wanted = list(pieces(files))
    came = {}
    with lab.loop_mount(tmp_path, size=512 * 2**20) as mounted:
        data = mounted.path / "data"
        written.write(files, data)
        Path(f"/sys/block/{mounted.device}/queue/read_ahead_kb").write_text("128")
        path = str(data / path_of(files, 0))
        chosen = tmp_path / "pieces.json"
        chosen.write_text(json.dumps([wanted[number] for number in numbers]))
        counter = delivered.counter(mounts.describe(str(mounted.path)))
        for who in ("ours", "real"):
            os.sync()
            assert cache.drop_caches()
            before = counter.read_bytes()
            if who == "real":
                command = [sys.executable, "-c", NUMPY, path, reader, str(chosen)]
                subprocess.run(command, check=True, timeout=120)
            else:
                with written.reading(files, data, reader, numbers, window=WINDOW) as (_, found):
                    assert sum(found) == 300 * 4098
            came[who] = (counter.read_bytes() or 0) - (before or 0)
    assert came["ours"] == pytest.approx(came["real"], rel=0.1)
    assert 1.5 * 300 * 4098 < came["ours"] < 16 * 4096 * 4200 / 2
