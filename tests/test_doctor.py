"""The doctor says what stands in the way of measuring, and leaves the mount as it was."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aibench.doctor import Check, client, examine, mount, network, noise, target, tools
from aibench.model import Environment
from tests import build, lab
from tests.engines.tracing import requires_strace

_ROOT = Path(__file__).parents[1]


def checks(path: Path, results: str | None = None) -> dict[str, Check]:
    """The checks of ``path`` by name."""
    return {check.name: check for check in examine(str(path), results).checks}


def machine(**metadata: Any) -> Environment:
    """A client of which just this is known."""
    return Environment(metadata=metadata)


NFS = build.target(
    fstype="nfs4", source="nas:/x", server="nas", device=None, options=("rw", "addr=192.0.2.7")
)


@pytest.mark.mounts
@lab.requires_mounts
@pytest.mark.parametrize("fstype", ["ext4", "xfs"])
def test_real_disk(tmp_path: Path, fstype: str) -> None:
    """On a real disk the target, the evidence, O_DIRECT and the space are ok."""
    with lab.loop_mount(tmp_path, fstype) as mounted:
        found = checks(mounted.path)
        for name in ("target", "mounted", "filesystem", "cache evidence", "O_DIRECT", "space"):
            assert found[name].status == "ok", found[name]
        assert f"block device {mounted.device}" in found["cache evidence"].found
        assert found["results"].status == "ok"
        assert not list(mounted.path.glob(".*"))


@pytest.mark.mounts
@lab.requires_mounts
def test_results_on_the_mount(tmp_path: Path) -> None:
    """Records that would go onto the mount under test are warned about."""
    with lab.tmpfs_mount(tmp_path) as mounted:
        check = checks(mounted.path, str(mounted.path / "new" / "results"))["results"]
    assert check.status == "warning"
    assert "--results" in check.advice


@pytest.mark.mounts
@lab.requires_mounts
def test_memory(tmp_path: Path) -> None:
    """A tmpfs is said to be memory, where no phase can be cold."""
    with lab.tmpfs_mount(tmp_path, inodes=1000) as mounted:
        found = checks(mounted.path)
    assert found["filesystem"].status == "warning"
    assert "not storage" in found["filesystem"].advice
    assert found["cache evidence"].status == "warning"
    assert found["inodes"].status == "warning"


@pytest.mark.mounts
@lab.requires_mounts
def test_cached_image(tmp_path: Path) -> None:
    """A loop device over the page cache is warned about, with the command that mends it."""
    with lab.loop_mount(tmp_path, direct=False) as mounted:
        check = checks(mounted.path)["cache evidence"]
    assert (check.status, check.advice) == (
        "warning",
        f"losetup --direct-io=on /dev/{mounted.device}",
    )


@pytest.mark.mounts
@lab.requires_mounts
def test_full_disk(tmp_path: Path) -> None:
    """A disk on which not even a small file fits fails, and nothing is left on it."""
    with lab.tmpfs_mount(tmp_path, size=4 * lab.MIB) as mounted:
        (mounted.path / "ballast").write_bytes(bytes(4 * lab.MIB))
        found = checks(mounted.path)
        assert os.listdir(mounted.path) == ["ballast"]
    assert found["small file"].status == "fails"
    assert "no space left" in found["small file"].found
    assert found["space"].status == "warning"


@pytest.mark.mounts
@lab.requires_mounts
def test_read_only(tmp_path: Path) -> None:
    """A read-only mount fails, and no file is tried on it."""
    with lab.tmpfs_mount(tmp_path, read_only=True) as mounted:
        found = checks(mounted.path)
    assert found["target"].status == "fails"
    assert not {"O_DIRECT", "small file"} & set(found)


def test_network_target() -> None:
    """For a network mount the link is looked at: its card and speed, or that it is not known."""
    here = machine(target_cards="eth0", nic_eth0="25000 Mbit/s", card_eth0_mtu=9000,
                   card_eth0_model="mlx5_core 15b3:1015")  # fmt: skip
    check = network.link(NFS, here)
    assert (check.status, check.found) == (
        "ok",
        "nas through eth0 (mlx5_core 15b3:1015, 25000 Mbit/s, MTU 9000)",
    )
    assert network.link(NFS, machine()).status == "warning"
    assert network.link(NFS, machine(target_cards="eth0", nic_eth0=None)).status == "warning"


def test_no_network_for_a_disk(tmp_path: Path) -> None:
    """Cards and TCP are no subject for a target that is not on a network."""
    local = build.target(path=str(tmp_path))
    assert list(network.checks(local, machine(target_cards="eth0"))) == []
    assert [check.name for check in network.checks(NFS, machine())] == [
        "link", "card errors", "TCP", "NFS requests",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("errors", "again", "card", "tcp"),
    [(0, 0, "ok", "ok"), (10, 0, "warning", "ok"), (9, 99, "ok", "ok"), (0, 200, "ok", "warning")],
)
def test_losses(errors: int, again: int, card: str, tcp: str) -> None:
    """Errors of the card and a thousandth of TCP segments sent again are warned about."""
    here = machine(target_cards="eth0", card_eth0_errors=errors, card_eth0_drops=5000,
                   tcp_sent_segments=100_000, tcp_sent_again=again)  # fmt: skip
    assert network.card_errors(here).status == card
    assert network.card_errors(here).found.endswith("drops since it came up")
    assert network.sent_again(here).status == tcp


def test_missing_directory(tmp_path: Path) -> None:
    """A missing directory fails, and the machine is examined all the same."""
    found = checks(tmp_path / "missing")
    assert found["target"].status == "fails"
    assert "does not exist" in found["target"].found
    assert set(found) == {
        *("target", "cpu", "cpu speed", "control group", "memory", "delayed writes", "eviction"),
        *("clock", "other work", "stolen time", "swap", "pressure", "fio", "loops"),
    }


def test_file_for_directory(tmp_path: Path) -> None:
    """A file where a directory is needed fails."""
    (tmp_path / "file").touch()
    check = checks(tmp_path / "file")["target"]
    assert (check.status, "is a file" in check.found) == ("fails", True)


def test_advice_with_every_problem(tmp_path: Path) -> None:
    """Each check has a name of its own, and says what it found."""
    found = examine(str(tmp_path)).checks
    assert len({check.name for check in found}) == len(found)
    assert all(check.found and check.subject for check in found)


def test_mount_options() -> None:
    """Options that change what is measured are explained; costly ones are warnings."""
    nfs = build.target(fstype="nfs4", options=("rw", "noac", "soft", "hard"), server="nas")
    check = mount.mount_options(nfs)
    assert check.status == "warning"
    for word in ("noac:", "soft:", "no nconnect:"):
        assert word in check.advice
    calm = build.target(fstype="nfs4", options=("rw", "noatime", "nconnect=8"), server="nas")
    check = mount.mount_options(calm)
    meaning = "noatime: reading writes no access times; "
    meaning += "nconnect=8: that many connections carry the traffic"
    assert (check.status, check.advice) == ("ok", meaning)


def test_loops() -> None:
    """Where nothing was compiled the reason is told, and what mends it."""
    assert tools.loops("").status == "ok"
    check = tools.loops("it can't be loaded")
    assert (check.status, "it can't be loaded" in check.found) == ("warning", True)
    assert "install aibench again" in check.advice


def test_without_fio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fio is missing or does not run, the advice is to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    check = checks(tmp_path)["fio"]
    assert (check.status, "apt install fio" in check.advice) == ("warning", True)
    (tmp_path / "fio").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "fio").chmod(0o755)
    check = checks(tmp_path)["fio"]
    assert (check.status, "does not run" in check.found) == ("warning", True)


def test_unmeasurable_target() -> None:
    """What a mount does not tell is a warning, never passed as ok."""
    unknown = build.target(total_bytes=None, free_bytes=None)
    assert target.space(unknown).status == "warning"
    assert mount.cache_evidence(build.target(fstype="fuse.juicefs")).status == "warning"
    nearly_full = build.target(total_bytes=1000, free_bytes=99)
    assert target.space(nearly_full).status == "warning"


@pytest.mark.parametrize(("free", "status"), [(99_999, "warning"), (10**6, "ok"), (None, "ok")])
def test_inodes(free: int | None, status: str) -> None:
    """Too few inodes for small files are warned about; a filesystem may have no limit."""
    assert target.inodes(build.target(free_inodes=free)).status == status


GIB = 2**30


def test_quota() -> None:
    """A quota of less CPU time than there are CPUs is warned about, and memory limits are told."""
    held = machine(cpus=4, cpu_quota=1.5, memory_limit_bytes=4 * GIB)
    check = client.groups(held)
    assert (check.status, check.found) == (
        "warning",
        "allows 1.5 CPUs' worth of time and 4.00 GiB of memory",
    )
    assert client.groups(machine(cpus=4, cpu_quota=4.0)).status == "ok"
    assert client.groups(machine(cpus=4, cpu_quota=None)).status == "ok"


def test_memory_of_a_container() -> None:
    """Where a limit leaves next to nothing there is a warning, however much the machine has."""
    little = {"memory_bytes": 64 * GIB, "memory_limit_bytes": 4 * GIB}
    assert client.memory(machine(**little, available_memory_bytes=GIB // 4)).status == "warning"
    check = client.memory(machine(**little, available_memory_bytes=GIB))
    assert (check.status, "4.00 GiB, 1.00 GiB available" in check.found) == ("ok", True)
    assert client.memory(machine()).status == "warning"


@pytest.mark.parametrize(
    ("governor", "status"), [(None, "ok"), ("performance", "ok"), ("powersave", "warning")]
)
def test_governor(governor: str | None, status: str) -> None:
    """A governor that lets the clock follow the load is warned about, where there is one."""
    check = client.speed(machine(governor=governor, turbo="on", thermal_throttle_count=3))
    assert check.status == status
    assert "turbo on, slowed by heat 3 times" in check.found


def test_clock() -> None:
    """A slow clock source is warned about; one that nobody sets right is only said to be so."""
    assert client.clock(machine(clock_source="hpet")).status == "warning"
    assert client.clock(machine()).status == "warning"
    check = client.clock(machine(clock_source="tsc", clock_synchronised=0))
    assert (check.status, "not synchronised" in check.found) == ("ok", True)
    check = client.clock(machine(clock_source="tsc", clock_synchronised=1, clock_offset_ns=-42000))
    assert check.found == "tsc, synchronised to 42 µs"


def test_delayed_writes() -> None:
    """How much may wait in memory is worked out from the ratio, or told as bytes."""
    ratio = machine(dirty_ratio=20, available_memory_bytes=10**10, dirty_memory_bytes=10**6)
    assert "up to 2.00 GB may wait" in client.delayed_writes(ratio).found
    assert "up to 300 MB" in client.delayed_writes(machine(dirty_bytes=300 * 10**6)).found


@pytest.mark.parametrize(
    ("share", "status", "code"), [(0.1, "ok", ""), (0.5, "warning", "busy_client")]
)
def test_other_work(share: float, status: str, code: str) -> None:
    """What others take of the processors is a warning with the code that a run records."""
    check = noise.work(machine(others_busy_share=share, load_1min=1.0, runnable=1))
    assert (check.status, check.code) == (status, code)


def test_other_traffic() -> None:
    """Requests of others at the device, or on the NFS mount, are a warning."""
    disk = build.target()
    busy = noise.others(disk, machine(others_device_share=0.4))
    assert (busy.status, busy.code) == ("warning", "interference")
    assert "sda1 has requests of others 40 % of the time" in busy.found
    assert noise.others(disk, machine(others_device_share=0.1)).status == "ok"
    assert noise.others(NFS, machine(others_requests=2.0)).code == "interference"
    assert "can't be seen" in noise.others(disk, machine()).found


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [("cpu", 19, "ok"), ("cpu", 21, "warning"), ("io", 6, "warning"), ("memory", 6, "warning")],
)
def test_pressure(name: str, value: int, status: str) -> None:
    """Tasks that wait are a warning: for processors from 20 % of the time on, else from 5 %."""
    here = machine(**{f"psi_{name}_some_avg10": value})
    assert noise.pressure(here).status == status


def command(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``aibench doctor`` on ``path``, in a process of its own that leaves no compiled files."""
    return subprocess.run(
        [*words, sys.executable, "-m", "aibench", "doctor", str(path), "--json"],
        cwd=_ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def test_json(tmp_path: Path) -> None:
    """The JSON document holds every check, the target, and all that is known of the client."""
    told = json.loads(command(tmp_path).stdout)
    assert told["format"] == 1
    assert told["status"] in ("ok", "warning")
    assert {check["subject"] for check in told["checks"]} >= {"target", "mount", "client", "noise"}
    assert told["target"]["path"] == str(tmp_path.resolve())
    assert set(told["environment"]["key"]) >= {"cpu", "cores", "kernel", "nic"}
    missing = command(tmp_path / "missing")
    assert (missing.returncode, json.loads(missing.stdout)["target"]) == (1, None)


_OPENED = re.compile(r'open(?:at2?)?\((?:[^"]*, )?"([^"]+)", [^)]*O_(?:WRONLY|RDWR|CREAT)')
_CHANGED = re.compile(
    r"(?m)^\d+ +(?:unlink|unlinkat|rename|renameat2?|mkdir|mkdirat|rmdir|truncate|symlink|link"
    r'|linkat|chmod|fchmodat|chown|utimensat|mknod|setxattr|mount|umount2)\((?:[^"]*, )?"([^"]+)"'
)


@requires_strace
@pytest.mark.slow
def test_writes_one_small_file(tmp_path: Path) -> None:
    """One probe file is written on the target and removed; nothing else is changed anywhere."""
    place, log = tmp_path / "target", tmp_path / "log"
    place.mkdir()
    done = command(place, "strace", "-f", "-qq", "-o", str(log), "-e", "trace=%file,ftruncate")
    assert done.returncode == 0, done.stderr
    succeeded = [line for line in log.read_text().splitlines() if " = -1 " not in line]
    opened = {path for line in succeeded for path in _OPENED.findall(line)} - {"/dev/null"}
    changed = {path for line in succeeded for path in _CHANGED.findall(line)}
    (probe,) = opened
    assert Path(probe).parent == place
    assert Path(probe).name.startswith(".aibench-probe-")
    assert changed == {probe}
    assert list(place.iterdir()) == []


@pytest.mark.mounts
@lab.requires_mounts
def test_limited_device(tmp_path: Path) -> None:
    """A limit that a control group puts on the device is found, and a run would record it."""
    with lab.loop_mount(tmp_path) as mounted, lab.throttle(mounted, read_bps=40_000_000):
        check = checks(mounted.path)["device limits"]
    assert (check.status, check.code) == ("warning", "io_limited")
    assert "reads 40.0 MB/s" in check.found
