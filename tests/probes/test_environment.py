"""The client is described, on odd machines too: what is not told is None."""

import os
import platform
from pathlib import Path

import pytest

from aibench.probes import environment, resources
from tests import build
from tests.machines import tree

GIB = 2**30


def test_this_machine() -> None:
    """Key and metadata of this machine are there, with aibench's version."""
    found = environment.environment("9.9")
    assert set(found.key) == {
        *("cpu", "sockets", "cores", "memory_gib", "kernel", "numa_nodes", "nic"),
    }
    assert found.key["kernel"] == ".".join(platform.release().split(".")[:2])
    assert found.metadata["aibench"] == "9.9"
    assert found.metadata["python"] == platform.python_version()
    assert isinstance(found.metadata["load_1min"], float)


def test_key_is_stable() -> None:
    """The key of one machine is equal whenever it is asked for."""
    assert environment.key() == environment.key()


def test_empty_machine(tmp_path: Path) -> None:
    """A machine that tells nothing raises nothing."""
    found = environment.environment(root=str(tmp_path))
    assert found.key["cpu"] is None
    assert found.key["memory_gib"] is None
    for name in ("boot_id", "uptime_s", "governor", "clock_source", "dirty_ratio", "os"):
        assert found.metadata[name] is None
    assert found.metadata["others_busy_share"] is None
    assert found.metadata["tcp_sent_again"] is None


def test_recorded_machine(tmp_path: Path) -> None:
    """Two sockets with two governors, one card with a speed, and a hypervisor are all seen."""
    cpu = "sys/devices/system/cpu/cpu"
    root = tree(
        tmp_path,
        {
            "proc/cpuinfo": "processor: 0\nmodel name\t: Big  CPU\nflags\t: fpu hypervisor\n",
            "proc/meminfo": "MemTotal: 67000000 kB\nSwapTotal: 0 kB\n",
            "proc/pressure/io": "some avg10=1.50 avg60=0.20 avg300=0 total=9\n",
            "proc/sys/vm/dirty_ratio": "20\n",
            "proc/sys/vm/dirty_bytes": "0\n",
            "etc/os-release": 'NAME="X"\nPRETTY_NAME="X Linux 1"\n',
            "sys/class/dmi/id/sys_vendor": "Cloud\n",
            "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
            f"{cpu}0/topology/physical_package_id": "0\n",
            f"{cpu}1/topology/physical_package_id": "1\n",
            f"{cpu}0/cpufreq/scaling_governor": "powersave\n",
            f"{cpu}1/cpufreq/scaling_governor": "performance\n",
            "sys/devices/system/node/node0/x": "",
            "sys/devices/system/node/node1/x": "",
            "sys/class/net/lo/operstate": "unknown\n",
            "sys/class/net/eth0/operstate": "up\n",
            "sys/class/net/eth0/speed": "100000\n",
            "sys/class/net/eth1/operstate": "up\n",
            "sys/class/net/eth1/speed": "-1\n",
            "sys/class/net/eth2/operstate": "down\n",
        },
    )
    key, metadata = environment.key(root), environment.metadata("1", root)
    assert (key["cpu"], key["sockets"], key["numa_nodes"]) == ("Big CPU", 2, 2)
    assert key["memory_gib"] == 64
    assert metadata["governor"] == "performance+powersave"
    assert metadata["virtualisation"] == "Cloud"
    assert metadata["transparent_hugepage"] == "madvise"
    assert metadata["os"] == "X Linux 1"
    assert (metadata["dirty_ratio"], metadata["dirty_bytes"]) == (20, None)
    assert metadata["psi_io_some_avg10"] == 1.5
    assert (metadata["nic_eth0"], metadata["nic_eth1"]) == ("100000 Mbit/s", None)
    assert not {"nic_lo", "nic_eth2"} & set(metadata)
    assert key["nic"] == "virtual 100000 Mbit/s; virtual of unknown speed"


def test_what_explains_results(tmp_path: Path) -> None:
    """Threads that want to run, TCP, memory, kernel parameters and limits are in the metadata."""
    snmp = "Tcp: RtoMin OutSegs RetransSegs\nTcp: 200 5000 7\nUdp: InDatagrams\nUdp: 1\n"
    meminfo = (
        "MemTotal: 4000 kB\nMemFree: 1000 kB\nDirty: 8 kB\nSwapFree: 3 kB\nHugePages_Total: 5\n"
    )
    root = tree(
        tmp_path,
        {
            "proc/loadavg": "1.50 1.00 0.50 4/321 999\n",
            "proc/net/snmp": snmp,
            "proc/meminfo": meminfo,
            "proc/cmdline": "root=/dev/vda isolcpus=2-3 quiet mitigations=off password=x\n",
            "proc/self/cgroup": "0::/box\n",
            "proc/self/mountinfo": V2,
            "sys/fs/cgroup/box/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/box/memory.max": "2048000\n",
            "sys/fs/cgroup/box/cpu.stat": "usage_usec 1\nnr_throttled 2\nthrottled_usec 345\n",
        },
    )
    found = environment.metadata("1", root)
    assert (found["load_1min"], found["runnable"]) == (1.5, 3)
    assert (found["tcp_sent_segments"], found["tcp_sent_again"]) == (5000, 7)
    assert (found["dirty_memory_bytes"], found["huge_pages"]) == (8192, 5)
    assert found["kernel_parameters"] == "isolcpus=2-3 mitigations=off"
    assert (found["cpu_quota"], found["cpu_held_back_us"]) == (1.5, 345)
    assert found["memory_limit_bytes"] == 2048000


def test_what_lies_behind_a_target(tmp_path: Path) -> None:
    """Drives, limits, cards on the way and the link to the device come with a target."""
    link = tmp_path / "sys/devices/ata3/block"
    tree(link / "sda", {"device/model": "Drive\n", "device/rev": "R1\n", "dev": "8:0\n"})
    root = tree(tmp_path, {"sys/class/ata_link/link3/sata_spd": "6.0 Gbps\n"})
    (tmp_path / "sys/class/block").mkdir()
    (tmp_path / "sys/class/block/sda").symlink_to(link / "sda")
    found = environment.target_facts(build.target(device="sda"), root)
    assert (found["target_model"], found["target_firmware"]) == ("Drive", "R1")
    assert found["link_sda"] == 6e8
    assert found["target_io_limits"] is None
    memory = environment.target_facts(build.target(fstype="tmpfs", device="sda"), root)
    assert memory["target_model"] is None


MEMINFO = f"MemTotal: {64 * GIB // 1024} kB\nMemAvailable: {48 * GIB // 1024} kB\n"
V1 = "30 1 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
V1_CPU = "31 1 0:31 /docker/1 /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
V2 = "32 1 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


def test_memory_without_limits(tmp_path: Path) -> None:
    """Without control groups the kernel's own estimate of the machine holds."""
    root = tree(tmp_path, {"proc/meminfo": MEMINFO})
    assert resources.available_memory(root) == 48 * GIB
    assert resources.total_memory(root) == 64 * GIB


def test_memory_limit_of_v1(tmp_path: Path) -> None:
    """The tightest group on the way up limits memory, and its page cache counts as free."""
    group = "sys/fs/cgroup/memory/box"
    root = tree(
        tmp_path,
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "5:cpu:/\n4:memory:/box/inner\n0::/\n",
            "proc/self/mountinfo": V1 + V2,
            f"{group}/memory.limit_in_bytes": str(8 * GIB),
            f"{group}/memory.usage_in_bytes": str(7 * GIB),
            f"{group}/memory.stat": f"inactive_file 1\ntotal_inactive_file {4 * GIB}\n"
            f"total_active_file {GIB}\n",
            f"{group}/inner/memory.limit_in_bytes": str(2**63 - 4096),
            f"{group}/inner/memory.usage_in_bytes": "100",
        },
    )
    assert resources.available_memory(root) == 6 * GIB
    assert resources.total_memory(root) == 8 * GIB


def test_limits_of_v2(tmp_path: Path) -> None:
    """Memory and CPU limits of cgroup version 2 are seen, with its reclaimable memory."""
    group = "sys/fs/cgroup/box"
    root = tree(
        tmp_path,
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "0::/box\n",
            "proc/self/mountinfo": V2,
            "sys/fs/cgroup/memory.stat": "",
            f"{group}/memory.max": str(4 * GIB),
            f"{group}/memory.current": str(4 * GIB),
            f"{group}/memory.stat": f"inactive_file {GIB}\nslab_reclaimable {GIB}\n",
            f"{group}/cpu.max": "50000 100000",
        },
    )
    assert resources.available_memory(root) == 2 * GIB
    assert resources.usable_cpus(root) == 1


def test_v2_without_limits(tmp_path: Path) -> None:
    """A group without limits leaves the machine as it is."""
    files = {"memory.max": "max\n", "memory.current": "100\n", "cpu.max": "max 100000\n"}
    root = tree(
        tmp_path,
        {"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2}
        | {f"sys/fs/cgroup/{name}": content for name, content in files.items()},
    )
    assert resources.available_memory(root) == 48 * GIB
    assert resources.usable_cpus(root) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("quota", "cpus"), [("100000", 1), ("10", 1), ("-1", None)])
def test_cpu_quota_of_v1(tmp_path: Path, quota: str, cpus: int | None) -> None:
    """A quota counts in whole CPUs, at least one, also in a container that sees only its own."""
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/docker/1\n",
            "proc/self/mountinfo": V1_CPU,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": quota,
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
    )
    assert resources.usable_cpus(root) == (cpus or len(os.sched_getaffinity(0)))


def test_this_process() -> None:
    """This process may use some memory, a CPU and some files."""
    assert resources.available_memory() > 0
    assert 1 <= resources.usable_cpus() <= (os.cpu_count() or 1)
    assert resources.open_file_limit() > 0
