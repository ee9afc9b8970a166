"""File systems with larger blocks: the buffers of the real readers follow them, and so do ours."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import lab
from tests.fidelity import edges
from tests.fidelity.test_images import PILLOW
from tests.fidelity.test_numpy import LOAD, LOAD_X
from tests.fidelity.tracing import requires_strace, trace_python

SIZES = (2000, 65_536, 131_072, 300_000, 1_500_000)


@contextmanager
def blocks_of(size: int, directory: Path) -> Iterator[Path]:
    """An XFS whose files have that ``st_blksize``."""
    with lab.loop_mount(directory, "xfs") as mounted:
        subprocess.run(["umount", mounted.path], check=True)
        options = f"largeio,allocsize={size}"
        device = f"/dev/{mounted.device}"
        subprocess.run(["mount", "-t", "xfs", "-o", options, device, mounted.path], check=True)
        yield mounted.path


@pytest.mark.mounts
@pytest.mark.slow
@lab.requires_mounts
@requires_strace
@pytest.mark.parametrize("size", [131_072, 2**20])
def test_calls_are_those_of_the_libraries(tmp_path: Path, size: int) -> None:
    """Pillow's and NumPy's reads and ours are the same ones on a real mount with larger blocks."""
    pytest.importorskip("PIL", reason="The package pillow is missing.")
    with blocks_of(size, tmp_path) as mount:
        for form, reader, program in (
            ("jpeg", "pil", PILLOW), ("npz", "numpy", LOAD_X), ("npy", "numpy", LOAD),
        ):  # fmt: skip
            data = mount / form
            paths = edges.write(form, SIZES, data)
            assert Path(paths[0]).stat().st_blksize == size
            real = trace_python(program, *paths, data=data, log=tmp_path / f"{form}.log")
            ours = edges.traced(form, SIZES, data, reader)
            assert [step for step in ours.steps if step.call in ("open", "read")] == [
                step for step in real.steps if step.call in ("open", "read")
            ]
