"""Arrays of zarr 3, in files of their own and in OCDBT: what tensorstore makes of ours, and does.

Every (call, bytes asked for, bytes that came) on a file is equal, one by one, where tensorstore
loads or saves one array after the other and caches nodes of its tree. Left out are calls that move
nothing (fstat, fcntl), and what it does for directories and names that we don't have: an array has
two directories there, and none here. Without a cache it reads nodes of the tree again and again.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aibench.engines.null import NullEngine
from aibench.engines.posix import PosixEngine
from aibench.formats.btree import crc32c
from aibench.formats.files import all_paths_of, path_of, sizes_of, total_bytes
from aibench.formats.format import Payload, format_of
from aibench.formats.packing import Packer
from aibench.model import Operation, Population
from tests import build
from tests.engines.files import run, site
from tests.fidelity import saving
from tests.fidelity.tracing import Mix, requires_strace, trace_python
from tests.formats.test_shards import wrong

FORMS = pytest.mark.parametrize("form", ["zarr3", "ocdbt"])
TENSORS = (5, 100_000, 2048, 4096, 70_000, 8191, 300_000, 1, 64)
SHARDS = [700_000, 300_000, 3]
_COMPARED = ("open", "read", "pread", "write", "fsync", "rename", "close")
LOAD = """
import sys
import tensorstore as ts
context = ts.Context({"cache_pool": {"total_bytes_limit": 2**24}})
for text in sys.argv[2:]:
    driver, _, rest = text.partition(":")
    kv = {"driver": "ocdbt", "base": f"file://{sys.argv[1]}/", "path": rest} if driver == "ocdbt" \\
        else {"driver": "file", "path": rest}
    array = ts.open({"driver": "zarr3", "kvstore": kv, "recheck_cached_data": False},
                    open=True, read=True, context=context).result()
    array.read().result()
"""
SAVE = """
import sys
import numpy as np
import tensorstore as ts
context = ts.Context()
for text in sys.argv[2:]:
    name, _, size = text.partition(":")
    kv = {"driver": "file", "path": f"{sys.argv[1]}/{name}/"}
    grid = {"name": "regular", "configuration": {"chunk_shape": [int(size)]}}
    array = ts.open({"driver": "zarr3", "kvstore": kv, "metadata": {
        "shape": [int(size)], "data_type": "uint8", "chunk_grid": grid,
        "codecs": [{"name": "bytes"}]}}, create=True, context=context).result()
    array.write(np.full(int(size), 7, np.uint8)).result()
"""


def saved(form: str, root: Path) -> tuple[Population, Path]:
    """A checkpoint that was saved below ``root``, and the directory that it lies in."""
    files = saving.population(form, SHARDS, TENSORS if form == "ocdbt" else ())
    saving.save(files, root)
    return files, root / files.directory / "d000000"


def laid_out(form: str, root: Path) -> tuple[Population, dict[str, Path]]:
    """The same, where tensorstore looks for it: each array's name, and the directory that it is in.

    Of OCDBT the manifest has its name; of zarr both files of an array have theirs.
    """
    files, directory = saved(form, root)
    if form == "ocdbt":
        (directory / "f0000000000").rename(directory / "manifest.ocdbt")
        names = [value for file in (1, 2, 3) for value in arrays_of(files, file)]
        return files, dict.fromkeys(names, directory)
    found = {}
    for file in range(files.files):
        data, described = (root / files.directory / path for path in all_paths_of(files, file))
        array = directory / f"array.{file}"
        (array / "c").mkdir(parents=True)
        data.rename(array / "c" / "0")
        described.rename(array / "zarr.json")
        found[array.name] = array
    return files, found


def arrays_of(files: Population, file: int) -> list[str]:
    """The names of the arrays in a data file of OCDBT."""
    count = sum(isinstance(p, Payload) for p in parts_of(files, file))
    return [f"f{file:010d}.tensor.{k:06d}" for k in range(count)]


def parts_of(files: Population, file: int) -> list[Any]:
    """What is in a file."""
    return list(format_of(files).parts(files, file, Packer(files).contents))


def spec(form: str, name: str, directory: Path) -> dict[str, Any]:
    """How tensorstore is told of an array."""
    base = f"file://{directory}/"
    if form == "ocdbt":
        return {"driver": "zarr3", "kvstore": {"driver": "ocdbt", "base": base, "path": f"{name}/"}}
    return {"driver": "zarr3", "kvstore": base}


@FORMS
def test_tensorstore_reads_what_we_save(form: str, tmp_path: Path) -> None:
    """Every array has the size and, byte for byte, the content that the data set gives it."""
    ts = pytest.importorskip("tensorstore", reason="The package tensorstore is missing.")
    files, arrays = laid_out(form, tmp_path)
    payloads = [
        part for file in range(files.files) for part in parts_of(files, file)
        if isinstance(part, Payload)
    ]  # fmt: skip
    assert len(arrays) == len(payloads)
    packer = Packer(files)
    for (name, directory), payload in zip(arrays.items(), payloads, strict=True):
        read = ts.open(spec(form, name, directory), open=True).result().read().result()
        content = b"".join(bytes(piece) for piece in packer.contents(payload))
        assert np.asarray(read).tobytes() == content
    if form == "ocdbt":
        store = ts.KvStore.open({"driver": "ocdbt", "base": f"file://{directory}/"}).result()
        listed = sorted(key.decode() for key in store.list().result())
        assert listed == sorted(f"{n}/{part}" for n in arrays for part in ("c/0", "zarr.json"))


@FORMS
def test_sizes_are_told_before_anything_is_written(form: str, tmp_path: Path) -> None:
    """Those of files and of what lies beside them; a byte that is turned is found in any."""
    files = saving.population(form, SHARDS, TENSORS if form == "ocdbt" else ())
    run(build.phase(population=files, operation=Operation.WRITE_FILES), tmp_path)
    told = sizes_of(files, np.arange(files.files, dtype=np.int64)).tolist()
    paths = [tmp_path / files.directory / path_of(files, file) for file in range(files.files)]
    assert [path.stat().st_size for path in paths] == told
    assert total_bytes(files) == sum(told)
    assert wrong(files, tmp_path) is None
    random = np.random.default_rng(3)
    for file, path in enumerate(paths):
        good = path.read_bytes()
        for place in {0, len(good) - 1, int(random.integers(len(good)))}:
            path.write_bytes(good[:place] + bytes([good[place] ^ 8]) + good[place + 1 :])
            assert wrong(files, tmp_path) == (file, place)
        path.write_bytes(good)


@FORMS
def test_loading_asks_for_all_bytes(form: str, tmp_path: Path) -> None:
    """On real files and by the null engine: data, metadata, and the tree for each rank."""
    files = saving.population(form, SHARDS, TENSORS if form == "ocdbt" else ())
    run(build.phase(population=files, operation=Operation.WRITE_FILES), tmp_path)
    told = sizes_of(files, np.arange(files.files, dtype=np.int64)).tolist()
    whole = total_bytes(files)
    if form == "ocdbt":
        reads, expected = ((1, 3), (3, 4)), whole + told[0] + told[-1]
    else:
        beside = sum((tmp_path / files.directory / f"{path_of(files, k)}.json").stat().st_size
                     for k in range(files.files))  # fmt: skip
        reads, expected = ((0, 2), (2, 3)), whole + beside
    phase = build.phase(
        population=files, operation=Operation.LOAD_SHARDS, processes=2, reader="tensorstore",
        marked=form == "ocdbt", reads=reads,
    )  # fmt: skip
    measured = PosixEngine().run(phase, site(tmp_path), lambda *_: None)
    assert (measured.operations, measured.bytes) == (3, expected)
    assert NullEngine().run(phase, site(tmp_path), lambda *_: None).operations == 3


def calls(mix: Mix, *names: str) -> list[tuple[str, int, int]]:
    """What was done to files, and directories, in order."""
    return [(step.call, step.asked, step.came) for step in mix.of(*names)]


@requires_strace
@FORMS
def test_arrays_are_loaded_as_tensorstore_does(form: str, tmp_path: Path) -> None:
    """Each value by opening its file, one read of exactly its bytes, and closing it."""
    pytest.importorskip("tensorstore", reason="The package tensorstore is missing.")
    tensors = TENSORS if form == "ocdbt" else ()
    asked = {"format": form, "shards": SHARDS, "tensors": tensors}
    saved(form, tmp_path)
    ours = saving.traced(asked | {"reader": "tensorstore", "block": 4096}, tmp_path)
    (tmp_path / "moved").mkdir()
    _, arrays = laid_out(form, tmp_path / "moved")
    where = tmp_path / "moved" / "data"
    named = [
        f"ocdbt:{name}/" if form == "ocdbt" else f"file:{path}/" for name, path in arrays.items()
    ]
    theirs = trace_python(
        LOAD, str(where / "d000000"), *named, data=where, log=tmp_path / "real.log"
    )
    if form == "zarr3":
        assert calls(ours, *_COMPARED) == calls(theirs, *_COMPARED)
        return
    reads = calls(theirs, "pread")
    assert sorted(calls(ours, "pread")) == sorted(reads)
    assert ours.count("open") == ours.count("close")


@requires_strace
def test_an_array_is_saved_as_tensorstore_does(tmp_path: Path) -> None:
    """Under a lock: written with one call, synced, renamed, and its directory synced."""
    pytest.importorskip("tensorstore", reason="The package tensorstore is missing.")
    names = ("write", "fsync")
    (tmp_path / "ours").mkdir()
    ours = saving.traced(
        {"format": "zarr3", "shards": SHARDS, "tensors": (), "sync": "end"}, tmp_path / "ours"
    )
    arrays = [f"array.{k}:{size}" for k, size in enumerate(SHARDS)]
    where = tmp_path / "theirs"
    theirs = trace_python(SAVE, str(where), *arrays, data=where, log=tmp_path / "real.log")
    found, expected = calls(ours, *names), calls(theirs, *names)
    assert found == expected
    assert len(found) == 2 * 3 * len(SHARDS)
    locks = [step for step in ours.of("open") if step.path.endswith(".__lock")]
    assert len(locks) == len([s for s in theirs.of("open") if s.path.endswith(".__lock")])


@requires_strace
def test_a_data_file_of_ocdbt_is_one_write(tmp_path: Path) -> None:
    """All that a rank saves goes out with one call, then what tells where it is; manifest last."""
    (tmp_path / "ours").mkdir()
    ours = saving.traced(
        {"format": "ocdbt", "shards": SHARDS, "tensors": TENSORS, "sync": "end"}, tmp_path / "ours"
    )
    files = saving.population("ocdbt", SHARDS, TENSORS)
    told = sizes_of(files, np.arange(files.files, dtype=np.int64)).tolist()
    assert [step.came for step in ours.of("write")] == [*told[1:], told[0]]
    assert ours.count("fsync") == 2 * files.files
    names = {path.name for path in (tmp_path / "ours" / "data" / "d000000").iterdir()}
    assert names == {Path(path_of(files, file)).name for file in range(files.files)}


def test_the_checksum_is_that_of_the_standard() -> None:
    """CRC-32C of the test vectors of RFC 3720, B.4."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
