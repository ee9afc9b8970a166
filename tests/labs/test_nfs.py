"""The NFS lab keeps what it promises, measured with other tools, and leaves nothing behind."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.labs import nfs, packages
from tests.labs.nfs import Done

KNFSD = nfs.requires_nfs("knfsd")
GANESHA = nfs.requires_nfs("ganesha")
RATE = "200mbit"
MEGABYTES = {"knfsd": 25.0, "ganesha": 23.9}
"""Payload of RATE: the loopback carries 64 KiB a packet, a wire 1448 bytes of 1514."""
LATENCY_MS = 20
SOFT = "soft,timeo=10,retrans=1"

pytestmark = [pytest.mark.mounts, pytest.mark.slow, pytest.mark.machine]


@pytest.fixture(scope="module")
def registers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that says whether vector registers are kept."""
    if lacking := nfs.missing():
        pytest.skip(lacking)
    program = tmp_path_factory.mktemp("registers") / "registers"
    source = Path(__file__).with_name("registers.c")
    subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-o", program, source], check=True)
    return program


@pytest.fixture(scope="module", params=["3", "4.0", "4.2"])
def local(request: pytest.FixtureRequest, registers: Path) -> tuple[str, Done]:
    """A version, and what was found with client and server in one machine."""
    checks = ["mountinfo", "latency", "stale", "registers"]
    options = {"version": request.param, "latency": LATENCY_MS, "options": "acregmin=1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIBENCH_LAB_REGISTERS", str(registers))
        return request.param, nfs.probed(*checks, **options)


def test_version_and_options(local: tuple[str, Done]) -> None:
    """The kernel's client mounts from the kernel's server, version and options as asked."""
    version, done = local
    fstype, source, options = done.json["mountinfo"]
    assert fstype == ("nfs" if version == "3" else "nfs4")
    assert source == ("127.0.0.1:/mnt/export" if version == "3" else "127.0.0.1:/")
    assert {f"vers={version}", "acregmin=1"} <= set(options.split(","))


def test_latency(local: tuple[str, Done]) -> None:
    """A round trip and a direct read take as much longer as was asked, within 10 %."""
    assert local[1].json["latency"] == pytest.approx(
        {"ping": LATENCY_MS, "fio": LATENCY_MS}, rel=0.1
    )


def test_stale(local: tuple[str, Done]) -> None:
    """A directory that was removed on the server is stale for a client that holds it open."""
    assert local[1].json["stale"] == {"before": "", "after": "ESTALE"}


def test_registers(local: tuple[str, Done], registers: Path) -> None:
    """A process in the machine finds in its vector registers what it left there, as outside."""
    outside = subprocess.run([registers], capture_output=True, text=True, check=True).stdout
    assert local[1].json["registers"] == outside == "2000 of 2000\n" * 2


@pytest.mark.parametrize(
    "server",
    [
        pytest.param("knfsd", marks=pytest.mark.paced),
        pytest.param("ganesha", marks=pytest.mark.alone),  # client and server both compute
    ],
)
def test_bandwidth(server: str) -> None:
    """Reads and writes of dd come at the bandwidth that the lab promises, within 3 %.

    On one machine, the server's own fsync is a part of writing that shows. The kernel's counters of
    the mount agree with the bytes that dd moved.
    """
    if lacking := nfs.missing(server):
        pytest.skip(lacking)
    done = nfs.probed("bandwidth", server=server, bandwidth=RATE)
    found = done.json["bandwidth"]
    promised = MEGABYTES[server]
    assert found["read"] / 1e6 == pytest.approx(promised, rel=0.03)
    lowest = 0.97 if server == "ganesha" else 0.8
    assert lowest * promised <= found["write"] / 1e6 <= 1.03 * promised
    assert f"({promised} MB/s)" in done.promise
    assert found["read_bytes"] == found["written_bytes"] == found["asked"]


@GANESHA
@pytest.mark.paced
def test_remote() -> None:
    """Over a wire, version, options and latency are as asked too.

    A server that is gone gives a soft mount EIO, one that hangs lets it wait; both return.
    """
    checks = ("mountinfo", "latency", "stale", "hung", "stopped")
    remote = nfs.probed(*checks, server="ganesha", latency=LATENCY_MS, options=SOFT)
    fstype, source, options = remote.json["mountinfo"]
    assert (fstype, source) == ("nfs4", "10.99.0.1:/export")
    assert {"vers=4.2", *SOFT.split(",")} <= set(options.split(","))
    assert remote.json["latency"] == pytest.approx({"ping": LATENCY_MS, "fio": LATENCY_MS}, rel=0.1)
    assert remote.json["stopped"] == {"before": "", "meanwhile": "EIO", "after": ""}
    assert remote.json["hung"] == {"waits": True, "code": 0}
    assert remote.json["stale"] == {"before": "", "after": "ESTALE"}


@GANESHA
def test_two_clients() -> None:
    """Two machines at once see the files that the other one has closed."""
    done = nfs.inside(sys.executable, nfs.PROBE, "exchange", server="ganesha", clients=2)
    assert done.code == 0, done.err
    found = [json.loads(line)["exchange"] for line in done.out.splitlines()]
    found.sort(key=lambda one: one["client"])
    assert [one["other"] for one in found] == ["written by 1", "written by 0"]
    assert all(one["listed"] == ["from-0", "from-1"] for one in found)
    assert len({one["host"] for one in found}) == 2


@KNFSD
def test_as_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directory, environment, output, errors, exit code and files are as they would be outside."""
    monkeypatch.setenv("AIBENCH_ODD", "two\nlines and 'quotes' $HOME")
    back = tmp_path / "with a space"
    code = (
        "import os, sys; print(os.getcwd()); sys.stderr.write(os.environ['AIBENCH_ODD'])\n"
        f"open({str(back)!r}, 'w').write('x' * 10**6); sys.stdout.write('y' * 10**6); sys.exit(7)"
    )
    done = nfs.inside(sys.executable, "-c", code)
    assert done.code == 7
    assert done.out == f"{nfs.ROOT}\n" + "y" * 10**6
    assert done.err.endswith("\ntwo\nlines and 'quotes' $HOME")
    assert back.stat().st_size == 10**6


@pytest.fixture
def untouched() -> Iterator[None]:
    """Checks that mounts and temporary files are the same before and after."""

    def world() -> tuple[list[str], set[str]]:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        places = ("/tmp", "/dev/shm", "/mnt", "/run", "/var/lib/nfs", os.path.expanduser("~"))
        files = {f"{place}/{name}" for place in places for name in os.listdir(place)}
        ours = ("nfs", "uml", "vm_file", "ganesha", "rpcbind")
        return (
            [line for line in mounts if any(word in line for word in ours)],
            {file for file in files if any(word in file for word in ours)},
        )

    before = world()
    yield
    assert world() == before


def assert_gone(processes: dict[int, str], places: set[str]) -> None:
    """Neither these processes nor anything in their namespaces is there, after a moment."""
    for _ in range(100):
        left = {pid: line for pid, line in processes.items() if nfs.tree(pid).get(pid) == line}
        if not left and not places & nfs.namespaces():
            return
        time.sleep(0.05)
    assert left == {}
    assert places & nfs.namespaces() == set()


@GANESHA
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_killed(tmp_path: Path, sent: signal.Signals) -> None:
    """A lab that is killed in the middle takes machines, server, network and mounts with it."""
    ready = tmp_path / "ready"
    command = ["sh", "-c", f"echo x > $AIBENCH_LAB_MOUNT/x; touch {ready}; sleep 100"]
    with nfs.running(*command, server="ganesha", clients=2, timeout=60) as process:
        deadline = time.monotonic() + 40
        while not ready.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        processes = nfs.tree(process.pid)
        commands = " ".join(processes.values())
        assert commands.count("umid=machine0") >= 1
        assert commands.count("umid=machine1") >= 1
        assert "ganesha.nfsd" in commands
        places = nfs.namespaces(*processes) - nfs.namespaces(os.getpid())
        assert len(places) == 3
        process.send_signal(sent)
        assert process.wait(timeout=10) == (143 if sent == signal.SIGTERM else -sent)
        assert_gone(processes, places)


@KNFSD
@pytest.mark.usefixtures("untouched")
def test_hanging_command() -> None:
    """A command that never ends is ended after the time given, and so is what it started."""
    with nfs.running("sh", "-c", "sleep 1000 & sleep 1000", timeout=8) as process:
        time.sleep(6)
        processes = nfs.tree(process.pid)
        places = nfs.namespaces(*processes) - nfs.namespaces(os.getpid())
        _, err = process.communicate(timeout=30)
    assert process.returncode == 124
    assert err.splitlines()[-1] == "nfs: not done after 8 s; ended"
    assert_gone(processes, places)


@KNFSD
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--versoin", "3", "--", "true"], "no option --versoin"),
        (["--version", "5", "--", "true"], "no version 5; there are 3, 4.0, 4.1 and 4.2"),
        (["--server", "samba", "--", "true"], "no server samba; there are knfsd and ganesha"),
        (["--latency", "fast", "--", "true"], "--latency fast is not a number of milliseconds"),
        (["--bandwidth", "fast", "--", "true"], "--bandwidth fast is not a rate such as 200mbit"),
        (["--clients", "2", "--", "true"], "several clients need --server ganesha"),
        (
            ["--server", "ganesha", "--clients", "2", "--disk", "disk", "--", "true"],
            "several machines can't share the disk disk",
        ),
        (["--disk", "nowhere", "--", "true"], "no file nowhere for the disk"),
        (["--version"], "--version needs a value"),
        (["--version", "3"], "no command; usage"),
    ],
)
def test_wrong_usage(words: list[str], message: str) -> None:
    """A wrong call is refused in a sentence before anything comes up."""
    done = subprocess.run([nfs.SCRIPT, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@KNFSD
def test_refused_mount() -> None:
    """Options that the kernel's client refuses are named by it, and the exit code is 2."""
    done = nfs.inside("true", options="no-such-option")
    assert done.code == 2
    assert "mount.nfs" in done.err
    assert done.err.splitlines()[-1] == "nfs: the lab did not come up (see above)"


def test_missing_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where packages are missing, the lab names them and the command that installs them."""
    fake = tmp_path / "dpkg-query"
    fake.write_text("#!/bin/sh\ncase $* in *ganesha*) exit 1 ;; esac\nprintf installed\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    done = subprocess.run([nfs.SCRIPT, "--missing"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    sentence = next(line for line in done.stdout.splitlines() if "Debian" in line)
    assert sentence == (
        "The NFS lab needs Debian's nfs-ganesha nfs-ganesha-vfs (as root: apt-get install "
        "--no-install-recommends nfs-ganesha nfs-ganesha-vfs)."
    )


def test_packages() -> None:
    """The list of packages is read by section, and what is not installed is found missing."""
    assert "user-mode-linux" in packages.section("nfs")
    assert packages.missing("aibench-no-such-package") == ("aibench-no-such-package",)
    with pytest.raises(KeyError):
        packages.section("no such lab")
