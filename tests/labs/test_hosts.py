"""Hosts are told apart, and reach one another by ssh."""

from pathlib import Path

import pytest

from tests.labs import hosts, memory
from tests.labs.tools import tool, unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow, unless(hosts.missing())]


def test_each_host_is_its_own() -> None:
    """A host has its name, its address and no other network than that of the hosts."""
    with hosts.hosts(3) as lab:
        for number, host in enumerate(lab.hosts, 1):
            assert tool(*host.enter, "hostname").stdout == f"lab-host-{number}\n"
            assert f"10.98.0.{number}/24" in tool(*host.enter, "ip", "-4", "address").stdout
            routes = tool(*host.enter, "ip", "route").stdout.splitlines()
            assert [route.split()[0] for route in routes] == ["10.98.0.0/24"]


def test_ssh_from_any_to_any() -> None:
    """From each host a command goes to each other one by ssh, and its exit code comes back."""
    with hosts.hosts(2) as lab:
        for here in lab.hosts:
            for there in lab.hosts:
                done = tool(*here.enter, lab.ssh, there.address, "hostname; exit 3")
                assert (done.stdout, done.returncode) == (f"{there.name}\n", 3)
                assert done.stderr == ""


def test_what_a_host_mounts_is_its_own(tmp_path: Path) -> None:
    """What one host mounts is seen by who comes to it over ssh, and by no other host."""
    with hosts.hosts(2) as lab:
        first, second = lab.hosts
        second.mount("-t", "tmpfs", "-o", "size=1m", "lab", tmp_path)
        (tmp_path / "outside").touch()
        listed = [tool(*first.enter, lab.ssh, host.address, f"ls {tmp_path}") for host in lab.hosts]
        assert [done.stdout for done in listed] == ["outside\n", ""]
        assert tool(*second.enter, "stat", "-f", "-c", "%T", tmp_path).stdout == "tmpfs\n"


def test_hosts_share_no_memory(tmp_path: Path) -> None:
    """What one host keeps in /dev/shm, where temporary files are too, no other one has."""
    if why := memory.why_shared(tmp_path):
        pytest.skip(why)
    with hosts.hosts(2) as lab:
        first, second = lab.hosts
        path = memory.SHARED / tmp_path.name
        there = f"touch {path}; echo $TMPDIR"
        assert tool(*first.enter, lab.ssh, second.address, there).stdout == f"{memory.SHARED}\n"
        listed = [tool(*host.enter, "sh", "-c", "ls $TMPDIR").stdout for host in lab.hosts]
        assert listed == ["", f"{path.name}\n"]
        assert not path.exists()
