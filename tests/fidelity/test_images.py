"""Plain files and images: what Python and Pillow make of them, and the calls that they make."""

import io
from pathlib import Path

import pytest

from aibench.formats.jpeg import FORMAT
from tests.fidelity import edges
from tests.fidelity.recordings import figures, replay
from tests.fidelity.tracing import requires_strace, trace_python

PILLOW = """
import sys
from PIL import Image
for path in sys.argv[1:]:
    Image.open(path).convert("RGB")
"""
TORCHVISION = """
import sys
from PIL import Image
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        Image.open(file).convert("RGB")
"""
OPEN = """
import sys
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        file.read()
"""
PATHLIB = """
import pathlib, sys
for path in sys.argv[1:]:
    pathlib.Path(path).read_bytes()
"""
IMAGES = (*(size for size in edges.SIZES if size > 2000), 1210, 196_608, 2**23)
#: As many photographs as the recorded run had on each side of 128 KiB.
PHOTOGRAPHS = (110_360,) * 251 + (140_000,) * 49


@requires_strace
@pytest.mark.parametrize("program", [OPEN, PATHLIB], ids=["open", "pathlib"])
def test_calls_are_those_of_python(tmp_path: Path, program: str) -> None:
    """``open(path, "rb").read()`` and ``Path.read_bytes()``: the same calls, of empty files too."""
    sizes = (0, *edges.SIZES)
    paths = edges.write("files", sizes, tmp_path / "data")
    real = trace_python(program, *paths, data=tmp_path / "data", log=tmp_path / "real.log")
    ours = edges.traced("files", sizes, tmp_path / "data", "python")
    assert ours.flags() == real.flags() == {"O_RDONLY|O_CLOEXEC"}
    assert ours.by_file() == real.by_file()
    assert len(ours.by_file()) == len(sizes)


@requires_strace
@pytest.mark.parametrize("program", [PILLOW, TORCHVISION], ids=["pillow", "torchvision"])
@pytest.mark.parametrize("form", ["jpeg", "files"])
def test_calls_are_those_of_pillow(tmp_path: Path, program: str, form: str) -> None:
    """The same reads of our images, by path or as `torchvision` opens them, decoded to the end.

    Plain files are read as if they were images; Pillow gets ours of the same sizes for that.
    """
    pytest.importorskip("PIL", reason="The package pillow is missing.")
    paths = edges.write("jpeg", IMAGES, tmp_path / "data")
    real = trace_python(program, *paths, data=tmp_path / "data", log=tmp_path / "real.log")
    ours = edges.traced(form, IMAGES, tmp_path / "data", "pil")
    assert ours.flags() == real.flags() == {"O_RDONLY|O_CLOEXEC"}
    assert ours.by_file() == real.by_file()
    assert len(ours.by_file()) == len(IMAGES)


def test_pillow_decodes_our_images(tmp_path: Path) -> None:
    """Images of any size verify and decode without a complaint, in colour, each another one."""
    image = pytest.importorskip("PIL.Image", reason="The package pillow is missing.")
    sizes = (*range(1210, 3400, 73), *(1210 + n for n in range(8)), 110_000, 110_000, 13 * 10**6)
    seen = set()
    for path, size in zip(edges.write("jpeg", sizes, tmp_path / "data"), sizes, strict=True):
        data = Path(path).read_bytes()
        assert len(data) == size
        image.open(io.BytesIO(data)).verify()
        with image.open(io.BytesIO(data)) as opened:
            assert (opened.format, opened.mode) == ("JPEG", "RGB")
            seen.add(opened.tobytes())
            if size > 4000:
                assert all(low < 64 and high > 192 for low, high in opened.getextrema())
    assert len(seen) == len(sizes)


@pytest.mark.parametrize("name", ["imgfolder_raw_w0", "imgfolder_pathlib_w0", "imgfolder_pil_w0"])
def test_calls_are_those_recorded(tmp_path: Path, name: str) -> None:
    """300 photographs cost the calls that ImageFolder's loaders made, as often and as large.

    Left out are the sizes of single files, which the recording doesn't tell, and one `lseek` of
    Pillow's: the recorded program had all its plug-ins loaded, of which one asks where it is.
    """
    reader = "pil" if "pil_" in name else "python"
    recorded = figures(name)["epoch"]
    ours = replay(tmp_path, "files", PHOTOGRAPHS, reader)
    assert ours.calls("read", "open", "close", "fstat") == {
        call: recorded["ops"][call] for call in ("read", "open", "close", "fstat")
    }
    assert ours.calls("isatty") == {"isatty": recorded["ops"]["ioctl"]}
    seeks = recorded["ops"]["lseek"] - (300 if reader == "pil" else 0)
    assert ours.calls("lseek") == {"lseek": seeks}
    assert ours.came[0] == recorded["zero_returns"]
    for size in (4096, 61_440, 65_536):
        assert ours.came[size] == recorded["returned"].get(str(size), 0)


@pytest.mark.parametrize(
    ("name", "reader", "block"),
    [("pil", "pil", 131_072), ("pil", "pil", 2**20), ("raw", "python", 2**20)],
)
def test_the_buffer_follows_the_file_system(
    tmp_path: Path, name: str, reader: str, block: int
) -> None:
    """Where ``st_blksize`` is 128 KiB or 1 MiB, as many reads are needed as were recorded there."""
    recorded = figures("other_blocks_images_numpy")[f"{block}_imgfolder_{name}_w0"]
    ours = replay(tmp_path, "files", PHOTOGRAPHS, reader, block=block)
    assert ours.calls("read") == {"read": recorded["reads"]}
    for size, count in recorded["returned"].items():
        assert ours.came[int(size)] == count


@pytest.mark.parametrize("size", [1000, 65_534, 65_535, 65_536, 200_000])
def test_python_3_14_asks_less(tmp_path: Path, size: int) -> None:
    """From 3.14 on: no terminal, one look at the size, and a question only before large reads."""
    old, new = (replay(tmp_path, "files", (size,), "python", python=v) for v in ((3, 13), (3, 14)))
    assert new.reads == old.reads == [(size + 1, size), (1, 0)]
    assert old.calls("isatty", "fstat", "lseek") == {"isatty": 1, "fstat": 2, "lseek": 2}
    assert new.calls("isatty", "fstat", "lseek") == {
        "isatty": 0, "fstat": 1, "lseek": 1 + (size >= 65_536),
    }  # fmt: skip


def test_pillow_on_python_3_14_has_a_larger_buffer(tmp_path: Path) -> None:
    """At least 128 KiB are asked for, on file systems with small blocks too, and at most 8 MiB."""
    small = replay(tmp_path, "jpeg", (110_000,), "pil", python=(3, 14))
    assert small.reads == [(131_072, 110_000), (131_072, 0)]
    large = replay(tmp_path, "jpeg", (300_000,), "pil", python=(3, 14), block=2**24)
    assert large.reads[0] == (2**23, 300_000)


@pytest.mark.parametrize("reader", FORMAT.readers)
def test_every_reader_reads_all_of_an_image(tmp_path: Path, reader: str) -> None:
    """Whichever way images are read, all their bytes are, and it is these that are told."""
    ours = replay(tmp_path, "jpeg", IMAGES, reader)
    assert ours.bytes == sum(came for _, came in ours.reads) == sum(IMAGES)
