"""The figures of a real NFS mount, against what was written and read and the latency added."""

import sys
from typing import Any

import pytest

from tests.labs import nfs

LATENCY_MS = 5
FILES = 20
SIZE = 3 * 2**20
pytestmark = [pytest.mark.mounts, pytest.mark.slow(3), pytest.mark.machine, nfs.requires_nfs()]

PROGRAM = f"""
import json, os, sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, {str(nfs.ROOT)!r})
from aibench.probes import nfsstats

mount = os.environ["AIBENCH_LAB_MOUNT"]
content = os.urandom({SIZE})


def told(act):
    before = nfsstats.snapshot(mount)
    for number in range({FILES}):
        act(Path(mount, f"file-{{number}}"))
    after = nfsstats.snapshot(mount)
    return asdict(nfsstats.between(before, after))


def write(path):
    with path.open("wb") as file:
        file.write(content)
        os.fsync(file.fileno())


def read(path):
    assert path.read_bytes() == content


found = {{"write": told(write)}}
Path("/proc/sys/vm/drop_caches").write_text("3")
found["read"] = told(read)
found["again"] = told(read)
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=["3", "4.2"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The version, and the figures of writing files, reading them cold and reading them again."""
    program = tmp_path_factory.mktemp("figures") / "program.py"
    program.write_text(PROGRAM)
    options = {"version": request.param, "latency": LATENCY_MS, "memory": "1024M"}
    done = nfs.inside(sys.executable, program, **options)
    assert done.code == 0, done.err
    return request.param, done.json


def operations(figures: Any) -> dict[str, Any]:
    """The types of operation by name; reads that tell of holes are reads."""
    found = {each["name"]: each for each in figures["operations"]}
    if "READ_PLUS" in found:
        found.setdefault("READ", found["READ_PLUS"])
    return found


def test_bytes(session: Any) -> None:
    """Bytes asked for and served are exactly those of the files, and headers come on top."""
    _, found = session
    total = FILES * SIZE
    assert (found["write"]["asked_bytes"], found["write"]["served_bytes"]) == ([0, total],) * 2
    assert (found["read"]["asked_bytes"], found["read"]["served_bytes"]) == ([total, 0],) * 2
    assert (found["again"]["asked_bytes"], found["again"]["served_bytes"]) == ([total, 0], [0, 0])
    assert 1 < operations(found["write"])["WRITE"]["sent_bytes"] / total < 1.01
    assert 1 < operations(found["read"])["READ"]["received_bytes"] / total < 1.01


def test_operations(session: Any) -> None:
    """Each file is opened at least once in NFSv4, and no operation fails or is sent again."""
    version, found = session
    for figures in (found["write"], found["read"]):
        for name, each in operations(figures).items():
            assert each["transmissions"] == each["operations"], name
            assert each["timeouts"] == 0, name
            assert name in ("ACCESS", "LOOKUP") or each["errors"] == 0, each
    opened = operations(found["read"]).get("OPEN", {"operations": 0})["operations"]
    assert opened >= FILES if version == "4.2" else opened == 0


def test_times(session: Any) -> None:
    """A round trip takes at least the latency that was added, and execution no less than it."""
    _, found = session
    for figures, name in ((found["read"], "READ"), (found["write"], "WRITE")):
        each = operations(figures)[name]
        mean_ms = each["round_trip_ns"] / each["operations"] / 1e6
        assert mean_ms >= LATENCY_MS
        assert each["execute_ns"] >= each["round_trip_ns"]
