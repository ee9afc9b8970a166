"""Hosts are told apart, and reach one another by ssh."""

import pytest

from tests.labs import hosts
from tests.labs.tools import tool, unless

pytestmark = [pytest.mark.mounts, unless(hosts.missing())]


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
