"""What speaks against measuring is found before a run, and what a run changed after it."""

from dataclasses import replace
from typing import Any

import pytest

from aibench.judge.gates import _WARNINGS
from aibench.model import Environment
from aibench.probes import noise
from aibench.probes.mounts import Mount
from tests import build

DISK = build.target()
NFS = build.target(fstype="nfs4", source="nas:/x", server="nas", device=None)
KEY = {"cpu": "Example", "cores": 8, "kernel": "6.18", "nic": "mlx5_core 25000 Mbit/s"}


def client(**metadata: Any) -> Environment:
    """A client of which this is known."""
    return Environment(key=KEY, metadata=metadata)


def mounted(**changes: Any) -> Mount:
    """The mount of `build.target`."""
    parts: dict[str, Any] = {
        "mount_id": 1, "device_id": "8:1", "root": "/", "point": "/mnt/data",
        "options": ("rw", "relatime"), "fstype": "ext4", "source": "/dev/sda1",
    }  # fmt: skip
    return Mount(**parts | changes)


def codes(*findings: Any) -> list[str]:
    """The codes of findings."""
    return [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, []),
        ({"others_busy_share": 0.19}, []),
        ({"others_busy_share": 0.21}, ["busy_client"]),
        ({"others_busy_share": None}, []),
        ({"others_steal_share": 0.05}, []),
        ({"others_steal_share": 0.06}, ["steal"]),
        ({"others_swap_rate": 0.0}, []),
        ({"others_swap_rate": 4096.0}, ["swapping"]),
        ({"others_device_share": 0.19}, []),
        ({"others_device_share": 0.3}, ["interference"]),
        ({"others_requests": 0.5}, ["interference"]),
        ({"target_io_limits": "reads 40.0 MB/s"}, ["io_limited"]),
        ({"target_io_limits": None}, []),
    ],
)
def test_before(facts: dict[str, Any], expected: list[str]) -> None:
    """Each kind of noise has its code from its threshold on; what is not known has none."""
    found = noise.before(client(**facts), DISK)
    assert codes(*found) == expected
    assert all(any(letter.isdigit() for letter in finding.message) for finding in found)


@pytest.mark.parametrize(
    ("target", "speed", "rate", "expected"),
    [
        (NFS, "1000 Mbit/s", 26e6, ["interference"]),
        (NFS, "1000 Mbit/s", 24e6, []),
        (NFS, None, 26e6, []),
        (DISK, "1000 Mbit/s", 26e6, []),
    ],
)
def test_busy_network(target: Any, speed: str | None, rate: float, expected: list[str]) -> None:
    """For a network target a fifth of the line rate moved by others is interference."""
    facts = client(target_cards="eth0", nic_eth0=speed, others_network_rate=rate)
    assert codes(*noise.before(facts, target)) == expected


def test_nothing_changed() -> None:
    """A client and a mount that are as they were give no finding."""
    here = client(governor="performance", thermal_throttle_count=3, target_cards="eth0")
    assert noise.after(here, here, DISK, [mounted()]) == ()
    assert noise.after(here, here, DISK, []) == ()  # the kernel does not tell


@pytest.mark.parametrize(
    ("name", "then", "now", "told"),
    [
        ("governor", "performance", "powersave", "governor performance, now powersave"),
        ("cpu_quota", None, 2.0, "cpu quota not told, now 2.0"),
        ("boot_id", "a", "b", "boot id a, now b"),
        ("card_eth0_mtu", 9000, 1500, "card eth0 mtu 9000, now 1500"),
        ("nic_eth0", "25000 Mbit/s", "1000 Mbit/s", "nic eth0 25000 Mbit/s, now 1000 Mbit/s"),
        ("nic_docker0", "10000 Mbit/s", None, None),
        ("load_1min", 0.1, 9.0, None),
        ("uptime_s", 1.0, 2.0, None),
    ],
)
def test_changed_client(name: str, then: object, now: object, told: str | None) -> None:
    """What should stay and did not is told with both values; what may vary is not."""
    before, after = (
        client(target_cards="eth0", **{name: then}),
        client(target_cards="eth0", **{name: now}),
    )
    found = noise.after(before, after, NFS, [])
    assert codes(*found) == (["environment_changed"] if told else [])
    assert all(told in finding.message for finding in found if told)


def test_changed_key() -> None:
    """A part of the key that changed is told; cards of a local target play no part."""
    here = client()
    fewer = replace(here, key={**KEY, "cores": 4})
    (found,) = noise.after(here, fewer, DISK, [mounted()])
    assert "cores 8, now 4" in found.message
    slower = replace(here, key={**KEY, "nic": "mlx5_core 1000 Mbit/s"})
    assert noise.after(here, slower, DISK, [mounted()]) == ()
    assert codes(*noise.after(here, slower, NFS, [])) == ["environment_changed"]


@pytest.mark.parametrize(
    ("mounts", "told"),
    [
        ([mounted(options=("relatime", "rw"))], None),
        ([mounted(options=("rw", "noatime"))], "mount options relatime,rw, now noatime,rw"),
        ([mounted(source="/dev/sdb1")], "source /dev/sda1, now /dev/sdb1"),
        ([mounted(), mounted(fstype="xfs")], "fstype ext4, now xfs"),
        ([mounted(point="/")], "nothing is mounted on /mnt/data any more"),
    ],
)
def test_changed_mount(mounts: list[Mount], told: str | None) -> None:
    """Another mount, or other options, in the target's place are told."""
    found = noise.after(client(), client(), DISK, mounts)
    assert codes(*found) == (["environment_changed"] if told else [])
    assert all(told in finding.message for finding in found if told)


def test_heat() -> None:
    """Processors that heat slowed during the run make the client the limit."""
    then, now = client(thermal_throttle_count=3), client(thermal_throttle_count=10)
    (found,) = noise.after(then, now, DISK, [])
    assert (found.code, "counted 7 times" in found.message) == ("client_bound", True)
    assert noise.after(then, client(thermal_throttle_count=None), DISK, []) == ()


def test_others_at_the_end() -> None:
    """Programs that compute at the end are told; the kernel's own work is not taken for that."""
    assert codes(*noise.after(client(), client(others_user_share=0.5), DISK, [])) == ["busy_client"]
    assert noise.after(client(), client(others_busy_share=0.5), DISK, []) == ()


def test_directions() -> None:
    """Noise of the client forbids only that a claim is missed; that of the storage, any verdict."""
    directions = {code: rule[:2] for code, rule in _WARNINGS.items()}
    for code in ("busy_client", "steal", "swapping", "io_limited", "client_bound"):
        assert directions[code] == (False, True)
    for code in ("interference", "environment_changed"):
        assert directions[code] == (True, True)
