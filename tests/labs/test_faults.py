"""faultfs does what is asked of it, and nothing else, as dd, fio, strace and others see it."""

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.labs import faults
from tests.labs.faults import Faulty, faultfs
from tests.labs.tools import copied, dd, fio, requires_fio, requires_strace, took, tool, unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow(1), unless(faults.missing())]
CONTENT = random.Random(2).randbytes(16 * 2**20)
RATE = 20_000_000
STALE = {"errno": "ESTALE"}


def filled(faulty: Faulty, size: int = len(CONTENT)) -> Path:
    """A file that was there before, so that nothing of it is cached."""
    (faulty.source / "file").write_bytes(CONTENT[:size])
    return faulty.path / "file"


@pytest.mark.alone
@pytest.mark.parametrize("direct_io", [False, True])
def test_bandwidth(direct_io: bool) -> None:
    """Reading and writing go at the rates that are asked for, within 3 %."""
    with faultfs(direct_io=direct_io, read_bps=RATE, write_bps=RATE) as faulty:
        read = dd(f"if={filled(faulty)}", "of=/dev/null", "bs=128k")
        write = dd("if=/dev/zero", f"of={faulty.path}/new", "bs=128k", "count=128")
    assert copied(read) / took(read) == pytest.approx(RATE, rel=0.03)
    assert copied(write) / took(write) == pytest.approx(RATE, rel=0.03)


@pytest.mark.paced
def test_bandwidth_of_one_who_pauses() -> None:
    """With slack the line makes up for pauses of who reads, and has its rate; else it is idle."""
    with faultfs(direct_io=True) as faulty:
        file = os.open(filled(faulty), os.O_RDONLY)
        elapsed = {}
        for slack_ms in (20, 200):
            faulty.ask(read_bps=RATE, slack_ms=slack_ms)
            begun = time.monotonic()
            for part in range(16):
                os.pread(file, 2**20, part * 2**20)
                time.sleep(0.04)
            elapsed[slack_ms] = time.monotonic() - begun
        os.close(file)
    assert elapsed[200] == pytest.approx(len(CONTENT) / RATE, rel=0.1)
    assert elapsed[20] > 1.4 * elapsed[200]


@pytest.mark.paced
@requires_fio
def test_delay() -> None:
    """Each request takes as much longer as is asked for, within 10 %."""
    with faultfs(direct_io=True, delay_ms={"read": 40}) as faulty:
        filled(faulty).rename(faulty.path / "lab.0.0")
        measured = fio(faulty.path, "--rw=randread", "--bs=4k", "--direct=0", size="16m")
    assert measured["read"]["lat_ns"]["mean"] == pytest.approx(40e6, rel=0.1)


@pytest.mark.paced
@requires_strace
def test_delay_of_fsync() -> None:
    """A delay of fsync is seen in the system call itself."""
    with faultfs(delay_ms={"fsync": 100}) as faulty:
        words = ("strace", "-T", "-e", "trace=fsync", "dd", "if=/dev/zero", "count=1", "conv=fsync")
        done = tool(*words, f"of={faulty.path}/file")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("fsync(")]
    assert float(line.rpartition("<")[2].rstrip(">")) == pytest.approx(0.1, rel=0.1)


def test_error_after_so_many() -> None:
    """An error comes exactly with the request it is asked for, and goes when taken back."""
    with faultfs(direct_io=True) as faulty:
        file = filled(faulty)
        faulty.ask(error={"read": {"errno": "EIO", "after": 5}})
        failed = dd(f"if={file}", "of=/dev/null", "bs=64k", "count=10")
        faulty.ask()
        done = dd(f"if={file}", "of=/dev/null", "bs=64k", "count=10")
    assert "Input/output error" in failed.stderr
    assert copied(failed) == 5 * 2**16
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("operation", "command"),
    [
        ("open", ("md5sum", "file")),
        ("read", ("md5sum", "file")),
        ("create", ("touch", "new")),
        ("write", ("dd", "if=/dev/zero", "of=file", "count=1", "conv=notrunc")),
        ("fsync", ("sync", "file")),
        ("flush", ("dd", "if=/dev/zero", "of=file", "count=0", "conv=notrunc")),
        ("rename", ("mv", "file", "new")),
        ("unlink", ("rm", "file")),
        ("mkdir", ("mkdir", "new")),
        ("readdir", ("ls", ".")),
        ("getattr", ("stat", "file")),
        ("statfs", ("stat", "-f", "file")),
    ],
)
def test_error_of_each_operation(operation: str, command: tuple[str, ...]) -> None:
    """Any operation fails with the error that is asked of it, and all others go on."""
    with faultfs(direct_io=True) as faulty:
        filled(faulty)
        words = ("env", f"--chdir={faulty.path}", *command)
        faulty.ask(error={operation: STALE})
        failed = tool(*words)
        faulty.ask(error={"symlink": STALE})
        done = tool(*words)
    assert "Stale file handle" in failed.stderr
    assert done.returncode == 0, done.stderr


def test_error_rate() -> None:
    """Of many requests that share fails which is asked for."""
    with faultfs(direct_io=True) as faulty:
        file = os.open(filled(faulty), os.O_RDONLY)
        faulty.ask(error={"read": {"errno": "EIO", "rate": 0.3}})
        failures = 0
        for _ in range(600):
            try:
                os.pread(file, 512, 0)
            except OSError:
                failures += 1
        os.close(file)
    assert failures / 600 == pytest.approx(0.3, abs=0.08)  # more than four standard deviations


@requires_strace
def test_short_read() -> None:
    """A short read returns half, and who reads on gets every byte right."""
    with faultfs(direct_io=True) as faulty:
        file = filled(faulty, 2**20)
        faulty.ask(short_read=1)
        done = tool(
            "strace", "-e", "trace=read", "dd", f"if={file}", "of=/dev/null", "bs=64k", "count=1"
        )
        compared = tool("cmp", file, faulty.source / "file")
    assert "= 32768" in done.stderr
    assert compared.returncode == 0


def test_hang() -> None:
    """A request hangs as long as it is asked to, and then goes on as if nothing was."""
    with faultfs(direct_io=True) as faulty:
        file = filled(faulty)
        faulty.ask(hang=["read"])
        with subprocess.Popen(["sha256sum", str(file)], stdout=subprocess.PIPE) as process:
            time.sleep(0.5)
            assert process.poll() is None
            faulty.ask()
            out, _ = process.communicate(timeout=20)
        expected = tool("sha256sum", faulty.source / "file").stdout
    assert out.decode()[:64] == expected[:64]


def test_end_while_hanging() -> None:
    """A lab goes in seconds also while requests hang, and those get an error."""
    with faultfs() as faulty:
        faulty.ask(hang=["open"])
        process = subprocess.Popen(["cat", filled(faulty)], stderr=subprocess.DEVNULL)
        time.sleep(0.2)
        before = time.monotonic()
    assert time.monotonic() - before < 15
    assert process.wait(10) != 0


def test_space() -> None:
    """A limited filesystem takes exactly so many bytes, says so, and has them back after rm."""
    with faultfs(direct_io=True, space_bytes=2**20) as faulty:
        space = os.statvfs(faulty.path)
        assert space.f_bavail * space.f_frsize == 2**20
        done = dd("if=/dev/zero", f"of={faulty.path}/file", "bs=64k", "count=100")
        assert "No space left on device" in done.stderr
        assert copied(done) == 2**20
        assert os.statvfs(faulty.path).f_bavail == 0
        assert tool("rm", faulty.path / "file").returncode == 0
        assert os.statvfs(faulty.path).f_bavail == space.f_bavail


def test_statfs_that_lies() -> None:
    """What statfs says can be anything."""
    with faultfs(statfs={"f_blocks": 0, "f_bfree": 0, "f_bavail": 0}) as faulty:
        assert tool("stat", "-f", "-c", "%b %f", faulty.path).stdout == "0 0\n"


@unless("" if shutil.which("findmnt") else "This needs findmnt (package util-linux).")
def test_source_with_escapes() -> None:
    """A source with a space, a number sign and a backslash is escaped in mountinfo, as usual."""
    name = "a b#c\\d,e:/f"
    with faultfs(name=name) as faulty:
        assert tool("findmnt", "-n", "-o", "SOURCE", faulty.path).stdout.rstrip("\n") == name
        assert "a\\040b\\043c\\134d" in Path("/proc/self/mountinfo").read_text()


def test_listing() -> None:
    """A directory lists what is in it; a stale listing is that of before, and names still work."""
    with faultfs() as faulty:
        (faulty.path / "one").touch()
        faulty.ask(stale_listing=True)
        assert tool("ls", faulty.path).stdout == "one\n"
        (faulty.path / "two").touch()
        assert tool("ls", faulty.path).stdout == "one\n"
        assert tool("test", "-f", faulty.path / "two").returncode == 0
        faulty.ask()
        assert tool("ls", faulty.path).stdout == "one\ntwo\n"


def test_names_that_appear_late() -> None:
    """A name that one client looked for in vain, and another made, is seen later."""
    with faults.two_clients(negative_timeout_s=3.0) as (one, other):
        assert not (one.path / "name").exists()
        (other.path / "name").touch()
        assert (other.path / "name").exists()
        assert not (one.path / "name").exists()
        deadline = time.monotonic() + 10
        while not (one.path / "name").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
