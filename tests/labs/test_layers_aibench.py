"""What another kernel counts for the layers below a filesystem, and for an NFS mount."""

import json
import sys
from pathlib import Path

import pytest

from aibench.model import CacheState
from tests import lab
from tests.integration.command import Stand
from tests.labs import nfs
from tests.labs.test_evidence_aibench import LOAD, READER, states, told

pytestmark = [pytest.mark.mounts, pytest.mark.slow(40), pytest.mark.machine, nfs.requires_nfs()]
COLD = CacheState.COLD

IN_UML = f"""
import json, os, subprocess, sys, time
from pathlib import Path

sys.path.insert(0, {str(nfs.ROOT)!r})
from aibench.probes import cache, delivered, mounts
from tests.integration.forked import forked

SIZE = 8 * 2**20
home, results = Path("/run/home"), sys.argv[1]


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def module(name):
    run("modprobe", "-d", "/mnt/lab/modules", name)


def volume():
    '''What the layers of a linear volume over a loop device deliver of a file that is read cold.'''
    for name in ("loop", "dm-mod"):
        module(name)
    image = Path(os.environ["AIBENCH_LAB_EXPORT"], "image")
    with image.open("wb") as file:
        file.truncate(64 * 2**20)
    loop = run("losetup", "-f", "--show", "--direct-io=on", image)
    table = f"0 {{64 * 2048 - 2048}} linear {{loop}} 2048"
    run("dmsetup", "create", "--noudevsync", "lab", "--table", table)
    run("dmsetup", "mknodes")
    run("mkfs.ext4", "-q", "-F", "/dev/mapper/lab")
    home.mkdir()
    run("mount", "/dev/mapper/lab", home)
    (home / "file").write_bytes(os.urandom(SIZE))
    counter = delivered.counter(mounts.describe(str(home)))
    root = os.open(home, os.O_RDONLY)
    cache.evict(root, ["file"])
    os.close(root)
    before = counter.readings()
    (home / "file").read_bytes()
    found = counter.since(before).layers
    run("umount", home)
    run("dmsetup", "remove", "--noudevsync", "lab")
    run("losetup", "-d", loop)
    image.unlink()
    return [loop, found]


def aibench(name):
    words = {list(LOAD)!r} + ["--repeats", "2", "--cache", "cold", "--results", results + name]
    words = ["run", os.environ["AIBENCH_LAB_MOUNT"], *words]
    code, _, err = forked(words, os.environ, 100)
    assert code == 0, err


found = {{"volume": volume()}}
aibench("/alone")
workspace = os.environ["AIBENCH_LAB_MOUNT"] + "/aibench-data"
reader = subprocess.Popen([sys.executable, "-c", {READER!r}, workspace, "0"])
aibench("/behind")
reader.kill()
reader.wait()
print(json.dumps(found))
"""


def test_on_another_kernel(tmp_path: Path) -> None:
    """A volume is counted down to its disk, and others' reading of an NFS mount is noticed.

    The server counts for all programs of a client, so with others at work nothing is called cold.
    """
    program = tmp_path / "program.py"
    program.write_text(IN_UML)
    done = nfs.inside(sys.executable, program, tmp_path, memory="1024M", timeout=150)
    assert done.code == 0, done.err
    loop, layers = json.loads(done.out.splitlines()[-1])["volume"]
    name = loop.removeprefix("/dev/")
    titles = [f"block device {each} below dm-0" for each in (name, "ubda")]
    assert [source for source, _ in layers][-2:] == titles
    for _, moved in layers:  # Linux 6.1 says of dm-0 itself that it is not counted
        assert moved == pytest.approx(8 * lab.MIB, rel=0.05)
    alone, behind = Stand(tmp_path, nfs.MOUNT), Stand(tmp_path, nfs.MOUNT)
    alone.results, behind.results = tmp_path / "alone", tmp_path / "behind"
    assert states(alone) == [COLD] * 2, told(alone)
    assert COLD not in states(behind), told(behind)
