"""Engine torch against engine posix on the same files, call by call: what each worker asks for.

Each process is compared by itself: the files in its order, and on each (call, bytes asked for,
bytes that came). Left out are, as for all readers, calls that move nothing (lseek, fstat, ioctl),
and closes: libraries close descriptors that they copied.
"""

import json
import re
import sys
from pathlib import Path

import pytest

from aibench.engines.posix import PosixEngine
from aibench.engines.torch import TorchEngine
from tests.engines import files
from tests.engines.test_torch import load, requires_torch
from tests.engines.test_torch_checkpoints import loading, planned
from tests.fidelity.tracing import Mix, parse, requires_strace, trace

pytestmark = pytest.mark.slow  # importing torch takes long under strace
_PROGRAM = "from tests.fidelity.test_torch_engine import main; main()"
_ENGINES = {"posix": PosixEngine, "torch": TorchEngine}
READS = [
    ("files", "python", 1), ("jpeg", "pil", 1), ("npy", "numpy", 1), ("npz", "numpy", 1),
    ("webdataset", "webdataset", 12),
]  # fmt: skip
_DATA = ("open", "read", "pread", "write", "mmap")
Steps = list[tuple[str, str, int, int]]


def traced(engine: str, what: tuple[str, ...], root: Path) -> dict[str, Mix]:
    """What each process of an engine did to the data below ``root``."""
    log = root / f"{engine}.log"
    trace([sys.executable, "-c", _PROGRAM, json.dumps([engine, what, str(root)])], root, log)
    lines: dict[str, list[str]] = {}
    for line in log.read_text().splitlines():
        lines.setdefault(line.split(" ", 1)[0], []).append(line)
    mixes = {pid: parse("\n".join(found), f"{root}/data/") for pid, found in lines.items()}
    return {pid: mix for pid, mix in mixes.items() if mix.of(*_DATA)}


def steps(mix: Mix) -> Steps:
    """The calls on files, in order."""
    found = mix.of(*_DATA)
    return [(Path(step.path).name, step.call, step.asked, step.came) for step in found
            if re.fullmatch(r"f\d{10}", Path(step.path).name)]  # fmt: skip


@requires_torch
@requires_strace
@pytest.mark.parametrize(("form", "reader", "samples"), READS)
def test_workers_of_a_data_loader_ask_what_engine_posix_asks(
    form: str, reader: str, samples: int, tmp_path: Path
) -> None:
    """Opens a sample, sizes of reads, and the order over all files of each worker are equal."""
    if form == "webdataset":
        pytest.importorskip("webdataset", reason="The package webdataset is missing.")
    phase = load(form, reader, samples)
    files.write(tmp_path, phase.population)
    what = (form, reader, str(samples))
    ours, real = (
        sorted(steps(mix) for mix in traced(engine, what, tmp_path).values())
        for engine in ("posix", "torch")
    )
    assert len(ours) == 2
    assert real == ours
    assert sum(call == "open" for each in ours for _, call, _, _ in each) == phase.population.files


@requires_torch
@requires_strace
@pytest.mark.parametrize(
    ("form", "reader"), [("torch", "torch"), ("safetensors", "safetensors"), ("dcp", "dcp")]
)
def test_ranks_load_as_engine_posix_does(form: str, reader: str, tmp_path: Path) -> None:
    """Each rank reads the same files in the same order, by reads of the same sizes or mapped."""
    loading(form, reader, tmp_path)
    what, found = (form, reader, "checkpoint"), []
    for engine in ("posix", "torch"):
        mixes = traced(engine, what, tmp_path).values()
        found.append(sorted(each for mix in mixes if (each := steps(mix))))
    ours, real = found
    assert len(ours) == 2
    assert real == ours


def main() -> None:
    """Do as the first argument says: an engine, what it does, and where."""
    engine, what, root = json.loads(sys.argv[1])
    form, reader, last = what
    if last.isdigit():
        phase = load(form, reader, int(last))
    else:
        _, phase = planned(form, reader)
    _ENGINES[engine]().run(phase, files.site(Path(root)), lambda *_: None)
