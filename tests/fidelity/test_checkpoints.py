"""Checkpoints: what real libraries make of our files, and the calls that they make themselves.

Every (call, bytes asked for, bytes that came) on a file is equal, one by one. Left out are, as for
all readers, calls that move nothing (lseek, fstat, ioctl). Flags differ in ``O_NOFOLLOW``, which is
our own care, and in ``O_CLOEXEC``, which a C++ stream leaves out; names differ; what a distributed
checkpoint tells of its files is pickled with other names and so has another size.

What the libraries did was recorded once, where files have blocks of 4 KiB
(``tests/data/io_patterns/checkpoints.json``), and is traced anew where they are installed.
"""

import json
import pickletools
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aibench.formats.files import path_of
from aibench.formats.format import Payload, format_of
from aibench.formats.packing import Packer
from tests.fidelity import saving
from tests.fidelity.tracing import Mix, requires_strace, trace_python

RECORDED = json.loads(
    (Path(__file__).parents[1] / "data" / "io_patterns" / "checkpoints.json").read_text()
)
SOURCES = pytest.mark.parametrize("live", [False, True], ids=["recorded", "live"])
Steps = dict[str, list[tuple[str, int, int]]]

#: Tensors around the sizes where buffers change their ways.
TENSORS = (5, 100_000, 2048, 4096, 70_000, 8191, 300_000, 1, 64, 4095, 4097, 1023, 1024, 8192)
SHARDS = [1_200_000, 300_000, 3]
_COMPARED = ("open", "read", "write", "close", "fsync", "ftruncate", "mmap", "fadvise64")
WITH_TORCH = """
import sys, warnings, torch
warnings.simplefilter("ignore")
how, old, new, *paths = sys.argv[1:]
for path in paths:
    new_path = path.replace(old, new)
    if how == "torch":
        torch.save(torch.load(path), new_path)
    elif how == "torch_stream":
        state = torch.load(path)
        with open(new_path, "wb") as file:
            torch.save(state, file)
    elif how == "safetensors":
        from safetensors.torch import load_file
        for tensor in load_file(path).values():
            tensor.clone()
    elif how == "load":
        torch.load(path)
    elif how == "load_mmap":
        for tensor in torch.load(path, mmap=True).values():
            tensor.clone()
"""
SAFETENSORS = """
import sys
from safetensors.numpy import load_file, save_file
how, old, new, *paths = sys.argv[1:]
for path in paths:
    state = load_file(path)
    if how == "save":
        save_file(state, path.replace(old, new))
"""
DCP = """
import sys, warnings, torch
import torch.distributed.checkpoint as dcp
warnings.simplefilter("ignore")
how, path, new = sys.argv[1:]
known = dcp.FileSystemReader(path).read_metadata().state_dict_metadata
state = {"model": {name.removeprefix("model."): torch.zeros(found.size, dtype=torch.uint8)
                   for name, found in known.items()}}
dcp.load(state, checkpoint_id=path, no_dist=True)
if how == "save":
    dcp.save(state, checkpoint_id=new, no_dist=True)
"""


def asked(form: str, **more: Any) -> dict[str, Any]:
    """A checkpoint of `SHARDS` for `saving.traced`."""
    return {"format": form, "shards": SHARDS, "tensors": TENSORS, "sync": "none"} | more


def saved(form: str, root: Path) -> list[str]:
    """The paths of the shards of a checkpoint that was saved below ``root``."""
    files = saving.population(form, SHARDS, TENSORS)
    saving.save(files, root)
    shards = range(form == "dcp", files.files)
    return [str(root / "data" / path_of(files, number)) for number in shards]


def steps(mix: Mix) -> Steps:
    """What was done to each file, those under temporary names counted to the names they get."""
    found: Steps = {}
    for step in mix.steps:
        name = Path(step.path).name
        if step.call in _COMPARED:
            shown = (step.call, step.asked, step.came)
            found.setdefault(name.removesuffix(".tmp"), []).append(shown)
    return found


def recorded(what: str) -> list[list[tuple[str, int, int]]]:
    """What a library did to each file, as it was recorded."""

    def step(text: str) -> tuple[str, int, int]:
        call, asked_for, came = [*text.split(), "0", "0"][:3]
        return call, int(asked_for), int(came)

    assert (RECORDED["shards"], RECORDED["tensors"]) == (SHARDS, list(TENSORS))
    return [[step(text) for text in file] for file in RECORDED["calls"][what]]


def real(what: str, live: bool, package: str, names: list[str], run: Callable[[], Mix]) -> Steps:
    """What the library does to files of these names, as recorded or by running it."""
    if not live:
        return dict(zip(names, recorded(what), strict=True))
    pytest.importorskip(package, reason=f"The package {package} is missing.")
    return steps(run())


def unmapped(found: Steps) -> Steps:
    """Without the closing of files, of which Python's mappings keep a second descriptor."""
    return {name: [step for step in calls if step[0] != "close"] for name, calls in found.items()}


def ours(root: Path, form: str, **more: Any) -> Mix:
    """What aibench does, in a directory of its own where it saves."""
    below = root if "reader" in more else root / "ours"
    below.mkdir(exist_ok=True)
    return saving.traced(asked(form, **more), below)


def names_of(paths: list[str]) -> list[str]:
    """The names of files."""
    return [Path(path).name for path in paths]


@requires_strace
@SOURCES
@pytest.mark.parametrize("form", ["torch", "torch_stream"])
def test_a_file_of_torch_is_saved_as_torch_does(form: str, live: bool, tmp_path: Path) -> None:
    """The same calls, and the same bytes but for the id that nothing reads."""
    (tmp_path / "again" / "d000000").mkdir(parents=True)
    paths = saved(form, tmp_path)
    expected = real(
        f"save {form}", live, "torch", names_of(paths),
        lambda: trace_python(
            WITH_TORCH, form, "/data/", "/again/", *paths,
            data=tmp_path / "again", log=tmp_path / "real.log",
        ),
    )  # fmt: skip
    assert steps(ours(tmp_path, form)) == expected
    for path in paths if live else ():
        mine, theirs = Path(path).read_bytes(), Path(path.replace("/data/", "/again/")).read_bytes()
        other = [k for k, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b]
        assert len(other) <= 40 + 4 + 4  # the id, and its checksum in two places


@pytest.mark.parametrize(("form", "stem"), [("torch", "f0000000000"), ("torch_stream", "archive")])
def test_a_file_of_torch_is_an_archive(form: str, stem: str, tmp_path: Path) -> None:
    """Any reader of zip files finds every tensor whole, and a pickle that names each of them."""
    path = saved(form, tmp_path)[0]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        pickled = archive.read(f"{stem}/data.pkl")
        sizes = [archive.getinfo(f"{stem}/data/{k}").file_size for k in range(len(names) - 6)]
    assert sum(sizes) == SHARDS[0]
    assert sizes[: len(TENSORS)] == list(TENSORS)
    told = [
        argument for code, argument, _ in pickletools.genops(pickled) if code.name == "BINUNICODE"
    ]
    assert [text for text in told if text.startswith("tensor.")] == [
        f"tensor.{k:06d}" for k in range(len(sizes))
    ]


@requires_strace
@SOURCES
@pytest.mark.parametrize(("reader", "how"), [("torch", "load"), ("torch_mmap", "load_mmap")])
@pytest.mark.parametrize("form", ["torch", "torch_stream"])
def test_a_file_of_torch_is_loaded_as_torch_does(
    form: str, reader: str, how: str, live: bool, tmp_path: Path
) -> None:
    """The same reads of the same sizes, through the same buffer; or a mapping, and its headers."""
    paths = saved(form, tmp_path)
    expected = real(
        f"load {form} {reader}", live, "torch", names_of(paths),
        lambda: trace_python(
            WITH_TORCH, how, "", "", *paths, data=tmp_path / "data", log=tmp_path / "real.log"
        ),
    )  # fmt: skip
    found = steps(ours(tmp_path, form, reader=reader, block=block_of(paths, live)))
    if reader == "torch_mmap":
        found, expected = unmapped(found), unmapped(expected)
    assert found == expected


def block_of(paths: list[str], live: bool) -> int:
    """The block size of files, or that of those which were recorded."""
    return Path(paths[0]).stat().st_blksize if live else 4096


@requires_strace
@SOURCES
def test_a_distributed_checkpoint_is_loaded_as_torch_does(live: bool, tmp_path: Path) -> None:
    """What is where is read first, then of each tensor what `torch.load` reads of it."""
    paths = saved("dcp", tmp_path)
    directory = Path(paths[0]).parent
    told = directory / "f0000000000"

    def load() -> Mix:
        told.rename(directory / ".metadata")
        mix = trace_python(
            DCP, "load", str(directory), "", data=tmp_path / "data", log=tmp_path / "real.log"
        )
        (directory / ".metadata").rename(told)
        return mix

    expected = real("load dcp dcp", live, "torch", [".metadata", *names_of(paths)], load)
    found = steps(ours(tmp_path, "dcp", reader="dcp", block=block_of(paths, live)))
    metadata = found.pop("f0000000000")
    assert expected.pop(".metadata") == metadata * (1 + live)  # once by this test
    assert found == expected


@requires_strace
@SOURCES
def test_a_distributed_checkpoint_is_saved_as_torch_does(live: bool, tmp_path: Path) -> None:
    """Each tensor is an archive, written through Python's buffer and flushed; files are synced.

    Here they are three files, there it is one: the writes are compared together.
    """
    paths = saved("dcp", tmp_path)
    directory, new = Path(paths[0]).parent, tmp_path / "again"
    new.mkdir()

    def save() -> Mix:
        (directory / "f0000000000").rename(directory / ".metadata")
        return trace_python(DCP, "save", str(directory), str(new), data=new, log=tmp_path / "log")

    expected = real("save dcp", live, "torch", [".metadata", "__0_0.distcp"], save)
    found = steps(ours(tmp_path, "dcp", sync="end"))
    written = [step for name in names_of(paths) for step in found[name] if step[0] == "write"]
    theirs = expected["__0_0.distcp"]
    assert Counter(written) == Counter(step for step in theirs if step[0] == "write")
    for name in names_of(paths):
        others = [step for step in found[name] if step[0] != "write"]
        assert others == [step for step in theirs if step[0] != "write"]
    metadata = found["f0000000000"][: len(expected[".metadata"])]  # then we sync it again
    assert [call for call, _, _ in metadata] == [call for call, _, _ in expected[".metadata"]]


@pytest.mark.filterwarnings("ignore")  # torch has many
def test_torch_loads_our_distributed_checkpoint(tmp_path: Path) -> None:
    """With what stands in the first file under the name that it has there, all tensors come."""
    torch = pytest.importorskip("torch", reason="torch is missing: scripts/test --torch")
    dcp = pytest.importorskip("torch.distributed.checkpoint", reason="torch is not whole.")
    paths = saved("dcp", tmp_path)
    directory = Path(paths[0]).parent
    (directory / "f0000000000").rename(directory / ".metadata")
    known = dcp.FileSystemReader(str(directory)).read_metadata().state_dict_metadata
    state = {
        name.removeprefix("model."): torch.zeros(found.size, dtype=torch.uint8)
        for name, found in known.items()
    }
    dcp.load({"model": state}, checkpoint_id=str(directory), no_dist=True)
    sizes = [len(tensor) for name, tensor in state.items() if name.startswith("f0000000001.")]
    assert sizes[: len(TENSORS)] == list(TENSORS)
    assert sum(map(len, state.values())) == sum(SHARDS)
    files = saving.population("dcp", SHARDS, TENSORS)
    first = next(
        bytes(piece)
        for part in format_of(files).parts(files, 1, Packer(files).contents)
        if isinstance(part, Payload) and part.length == TENSORS[1]
        for piece in Packer(files).contents(part)
    )
    assert bytes(state["f0000000001.tensor.000001"].numpy().tobytes()) == first


@requires_strace
@SOURCES
@pytest.mark.parametrize(
    ("reader", "program", "package"),
    [("safetensors_numpy", SAFETENSORS, "safetensors"), ("safetensors", WITH_TORCH, "torch")],
)
def test_safetensors_are_loaded_as_the_library_does(
    reader: str, program: str, package: str, live: bool, tmp_path: Path
) -> None:
    """Files are mapped, once or twice, and nothing is read by calls."""
    paths = saved("safetensors", tmp_path)
    expected = real(
        f"load safetensors {reader}", live, package, names_of(paths),
        lambda: trace_python(
            program, "safetensors", "", "", *paths,
            data=tmp_path / "data", log=tmp_path / "real.log",
        ),
    )  # fmt: skip
    mix = ours(tmp_path, "safetensors", reader=reader, block=4096)
    assert unmapped(steps(mix)) == unmapped(expected)
    assert not mix.of("read", "pread")


@requires_strace
@SOURCES
def test_safetensors_are_saved_as_the_library_does(live: bool, tmp_path: Path) -> None:
    """The same calls on files with other names, which are renamed; the same bytes."""
    (tmp_path / "again" / "d000000").mkdir(parents=True)
    paths = saved("safetensors", tmp_path)
    names = ("open", "ftruncate", "write", "rename", "close", "fsync")

    def calls(mix: Mix) -> list[tuple[str, int, int]]:
        return [(step.call, step.asked, step.came) for step in mix.of(*names)]

    if not live:
        (expected,) = recorded("save safetensors")
        assert calls(ours(tmp_path, "safetensors")) == expected
        return
    pytest.importorskip("safetensors", reason="The package safetensors is missing.")
    theirs = trace_python(
        SAFETENSORS, "save", "/data/", "/again/", *paths,
        data=tmp_path / "again", log=tmp_path / "real.log",
    )  # fmt: skip
    assert calls(ours(tmp_path, "safetensors")) == calls(theirs)
    for path in paths:
        assert Path(path).read_bytes() == Path(path.replace("/data/", "/again/")).read_bytes()
