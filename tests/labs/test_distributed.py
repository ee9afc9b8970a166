"""Network filesystems behave as their labs promise, as dd, cmp, strace and their servers see it."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.labs import distributed, undoing
from tests.labs.distributed import Networked
from tests.labs.mount import KINDS
from tests.labs.tools import dd, tool, unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow(1)]
NAMES = ("juicefs", "sshfs", "glusterfs", "moosefs")
ALL = [pytest.param(name, marks=unless(KINDS[name].missing())) for name in NAMES]


@pytest.fixture(scope="module", params=ALL)
def mounted(request: pytest.FixtureRequest) -> Iterator[Networked]:
    """Each of the filesystems, for several tests."""
    with KINDS[request.param].up() as up:
        yield up


def source_of(networked: Networked) -> str:
    """What mountinfo says after the dash."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    (line,) = [line for line in lines if f" {networked.path} " in line]
    return line.partition(" - ")[2]


def test_what_is_written_is_read(mounted: Networked) -> None:
    """A synced file is read back the same after the kernel's caches were dropped."""
    original = mounted.directory / "original"
    original.write_bytes(os.urandom(4 * 2**20))
    file = mounted.path / "file"
    done = dd(f"if={original}", f"of={file}", "bs=1M", "conv=fsync")
    assert done.returncode == 0, done.stderr
    Path("/proc/sys/vm/drop_caches").write_text("3\n")
    assert tool("cmp", original, file).returncode == 0
    assert tool("stat", "-f", "-c", "%T", mounted.path).stdout == "fuseblk\n"


def test_nothing_gets_out(mounted: Networked) -> None:
    """The network of a lab has no way out: no card but lo, and no route."""
    name = f"aibench-lab-{mounted.directory.name}"
    (network,) = [path.name for path in Path("/run/netns").glob(f"{name}*")]
    links = tool("ip", "-n", network, "-brief", "link").stdout.splitlines()
    assert [line.split()[0] for line in links] == ["lo"]
    assert tool("ip", "-n", network, "route").stdout == ""


def test_source(mounted: Networked) -> None:
    """The kernel names type and source as these filesystems give them, with octal escapes."""
    sources = {
        "fuse.juicefs": "fuse.juicefs JuiceFS:lab ",
        "fuse.sshfs": f"fuse.sshfs root@10.99.0.1:{mounted.directory}/served\\040files ",
        "fuse.glusterfs": "fuse.glusterfs 10.99.0.1:/lab ",
        "fuse": "fuse mfs\\04310.99.0.1:9421 ",
    }
    assert source_of(mounted).startswith(sources[mounted.fstype])


def test_files_lie_at_the_server(mounted: Networked) -> None:
    """What sshfs and GlusterFS serve is found in a directory of the lab as well."""
    places = {"fuse.sshfs": "served files", "fuse.glusterfs": "brick"}
    (mounted.path / "said").write_bytes(b"said")
    if place := places.get(mounted.fstype):
        assert (mounted.directory / place / "said").read_bytes() == b"said"


def object_bytes(mount: Path) -> int:
    """How many bytes JuiceFS has fetched from its object storage, as it counts them itself."""
    prefix = "juicefs_object_request_data_bytes_GET "
    lines = (mount / ".stats").read_text().splitlines()
    return sum(int(line.removeprefix(prefix)) for line in lines if line.startswith(prefix))


@unless(distributed.missing_juicefs())
def test_cache_that_survives_drop_caches() -> None:
    """JuiceFS reads from its own cache what the kernel has dropped: no byte is fetched again."""
    with distributed.juicefs(clients=2) as mounted:
        writer, reader = mounted.clients
        size = 8 * 2**20
        (writer / "file").write_bytes(os.urandom(size))
        dd(f"if={reader / 'file'}", "of=/dev/null", "bs=1M")
        fetched = object_bytes(reader)
        assert fetched >= size
        time.sleep(0.5)  # blocks are put into the cache in the background
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
        if shutil.which("fincore"):
            resident = tool("fincore", "--bytes", "-n", "-o", "RES", reader / "file").stdout
            assert int(resident) == 0
        dd(f"if={reader / 'file'}", "of=/dev/null", "bs=1M")
        assert object_bytes(reader) == fetched


@unless(distributed.missing_juicefs())
def test_two_clients() -> None:
    """What one client of JuiceFS has closed is seen by the other within seconds."""
    with distributed.juicefs(clients=2) as mounted:
        one, other = mounted.clients
        assert len({os.stat(client).st_dev for client in (one, other)}) == 2
        (one / "file").write_bytes(b"said")
        assert undoing.soon((other / "file").exists)
        assert undoing.soon(lambda: (other / "file").read_bytes() == b"said")
