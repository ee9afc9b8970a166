"""NumPy's files: what NumPy makes of ours, and the calls that it makes."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import NumpyVersion

from aibench.formats import npy, npz
from tests.fidelity import edges
from tests.fidelity.recordings import figures, replay
from tests.fidelity.tracing import requires_strace, trace_python

LOAD = """
import sys, numpy
for path in sys.argv[1:]:
    numpy.load(path)
"""
LOAD_X = """
import sys, numpy
for path in sys.argv[1:]:
    with numpy.load(path) as archive:
        archive["x"]
"""
MAP = """
import sys, numpy
for path in sys.argv[1:]:
    array = numpy.load(path, mmap_mode="r")
    array.sum()
    del array
"""
SIZES = (0, *edges.SIZES, 2**23)
#: Bytes of the arrays that the recorded runs read.
VOLUMES = (2**25,) * 4
PARTS = (2**25, 2**23, 2**25, 2**23)


@requires_strace
def test_calls_are_those_of_numpy_on_archives(tmp_path: Path) -> None:
    """The same opens, reads and closes as the NumPy that is installed, on files of all sizes."""
    reader = "numpy" if NumpyVersion(np.__version__) >= "2.3.0" else "numpy-2.2"
    paths = edges.write("npz", SIZES, tmp_path / "data")
    real = trace_python(LOAD_X, *paths, data=tmp_path / "data", log=tmp_path / "real.log")
    ours = edges.traced("npz", SIZES, tmp_path / "data", reader)
    assert ours.flags() == real.flags() == {"O_RDONLY|O_CLOEXEC"}
    assert ours.by_file() == real.by_file()
    assert len(ours.by_file()) == len(SIZES)


@requires_strace
def test_calls_are_those_of_numpy_on_arrays(tmp_path: Path) -> None:
    """The same opens and reads on files of all sizes, and one close less.

    NumPy closes a copy of the descriptor that it made for C. The copy costs the storage nothing:
    we make none.
    """
    paths = edges.write("npy", SIZES, tmp_path / "data")
    real = trace_python(LOAD, *paths, data=tmp_path / "data", log=tmp_path / "real.log")
    ours = edges.traced("npy", SIZES, tmp_path / "data", "numpy")
    assert ours.flags() == real.flags() == {"O_RDONLY|O_CLOEXEC"}
    close = ("close", 0, 0)
    assert {path: [*steps, close] for path, steps in ours.by_file().items()} == real.by_file()
    assert len(ours.by_file()) == len(SIZES)


@requires_strace
def test_calls_are_those_of_numpy_on_mapped_arrays(tmp_path: Path) -> None:
    """The same opens, reads of headers, closes and mappings: shared, of the whole file."""
    paths = edges.write("npy", SIZES, tmp_path / "data")
    real = trace_python(MAP, *paths, data=tmp_path / "data", log=tmp_path / "real.log")
    ours = edges.traced("npy", SIZES, tmp_path / "data", "mmap")
    assert ours.flags() == real.flags() == {"O_RDONLY|O_CLOEXEC"}
    assert ours.by_file() == real.by_file()
    kinds = {step.detail for step in ours.of("mmap")}
    assert kinds == {step.detail for step in real.of("mmap")} == {"MAP_SHARED"}


@pytest.mark.parametrize(
    ("name", "form", "reader", "sizes"),
    [("npz_load", "npz", "numpy-2.2", VOLUMES), ("npy_load", "npy", "numpy", PARTS)],
)
def test_calls_are_those_recorded(
    tmp_path: Path, name: str, form: str, reader: str, sizes: tuple[int, ...]
) -> None:
    """Volumes of 32 MiB cost the calls that NumPy 2.1 made, each as often and as large.

    The recorded archives had a second array of 16 bytes, ours has one of 8: one read of the end
    of the file gets so much less. Closing is left out: the recorded program left one archive to
    the end of the process, and of arrays it closed a copy of the descriptor too.
    """
    recorded = figures(name)["load"]
    ours = replay(tmp_path, form, sizes, reader)
    expected = {call: recorded["ops"][call] for call in ("open", "read", "lseek", "fstat")}
    assert ours.calls("open", "read", "lseek", "fstat") == expected
    assert ours.calls("isatty") == {"isatty": recorded["ops"]["ioctl"]}
    assert ours.came[0] == recorded["zero_returns"]
    assert ours.asked == Counter({int(k): v for k, v in recorded["requested"].items()})
    returned = Counter({int(k): v for k, v in recorded["returned"].items()})
    returned[0] = recorded["zero_returns"]
    if form == "npz":
        returned[506 - 8] = returned.pop(506)
    assert ours.came == +returned


def test_mapping_is_as_recorded(tmp_path: Path) -> None:
    """Two mapped arrays: three opens and two reads of the header each, then nothing but faults.

    Mapping looks at the size once, and unmapping closes a descriptor once, within the call.
    """
    recorded = figures("npy_mmap_full")["load"]
    ours = replay(tmp_path, "npy", (2**25,) * 2, "mmap")
    ops = recorded["ops"]
    assert ours.calls("open", "read", "lseek") == {k: ops[k] for k in ("open", "read", "lseek")}
    maps = ours.counts["map"]
    assert maps == ours.counts["unmap"] == ours.counts["touch"] == ops["mmap"]
    assert ours.counts["fstat"] + maps == ops["fstat"]
    assert ours.counts["close"] + maps == ops["close"]
    assert ours.reads == [(4096, 4096)] * ops["read"]


@pytest.mark.parametrize(
    ("name", "reader", "block", "sizes"),
    [
        ("npz", "numpy-2.2", 131_072, VOLUMES),
        ("npz", "numpy-2.2", 2**20, VOLUMES),
        ("npy", "numpy", 2**20, PARTS),
    ],
)
def test_the_buffer_follows_the_file_system(
    tmp_path: Path, name: str, reader: str, block: int, sizes: tuple[int, ...]
) -> None:
    """Where ``st_blksize`` is 128 KiB or 1 MiB, as many reads are needed as were recorded there."""
    recorded = figures("other_blocks_images_numpy")[f"{block}_{name}_load"]
    ours = replay(tmp_path, name, sizes, reader, block=block)
    assert ours.counts["read"] == recorded["reads"]
    assert {size: ours.came[int(size)] for size in recorded["returned"]} == recorded["returned"]


def test_newer_versions_ask_less(tmp_path: Path) -> None:
    """NumPy 2.3 opens the array once; Python 3.14 reads at least 128 KiB into its buffer."""
    (old, new) = (replay(tmp_path, "npz", (10**6,), name) for name in ("numpy-2.2", "numpy"))
    assert new.counts["read"] == old.counts["read"] - 2
    later = replay(tmp_path, "npz", (10**6,), "numpy", python=(3, 14))
    assert max(asked for asked, _ in later.reads) == 131_072
    assert later.calls("isatty", "fstat") == {"isatty": 0, "fstat": 1}
    small = replay(tmp_path, "npz", (10_000,), "numpy", python=(3, 14))
    assert (10_000 + 498 + 1, 22) in small.reads  # 3.14 does not ask where it is first
    before = replay(tmp_path, "npz", (10_000,), "numpy")
    assert small.counts["lseek"] == before.counts["lseek"] - 1


@pytest.mark.parametrize(
    ("form", "reader"),
    [("npz", name) for name in npz.FORMAT.readers] + [("npy", name) for name in npy.FORMAT.readers],
)
def test_every_reader_reads_all_of_a_file(tmp_path: Path, form: str, reader: str) -> None:
    """Each byte is told once, also where the real reader asks for it again.

    An archive whose array ends with a buffer has its second array left out, which nobody asked for.
    """
    sizes = tuple(size for size in SIZES if size)
    ours = replay(tmp_path, form, sizes, reader)
    around = 498 if form == "npz" else 128
    assert ours.bytes == sum(sizes) + around * len(sizes)
    if reader not in ("mmap", "numpy", "numpy-2.2"):
        assert ours.bytes == sum(came for _, came in ours.reads)
