"""Hosts: machines to launch on, made of network and UTS namespaces, each with an sshd."""

import contextlib
import os
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import lab
from tests.labs import memory
from tests.labs.ledger import Ledger, laboratory
from tests.labs.undoing import run

PROMISE = (
    "each host has its own name, address, network, mounts and /dev/shm; ssh goes from any to any "
    "without a question; all else, such as files, processes and clock, is this machine's"
)
_CONFIGURATION = """\
Port {port}
ListenAddress {address}
HostKey {directory}/host-key
AuthorizedKeysFile {directory}/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""
_OPTIONS = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
#: What has ssh end when the other host is silent, as the recipes advise.
_ALIVE = ("ServerAliveInterval=2", "ServerAliveCountMax=3")
NETWORK = "eth0"
"""What each host calls its way to the others."""
SSHD = "/usr/sbin/sshd"


def missing() -> str:
    """What this machine lacks for hosts, in a sentence; empty where it lacks nothing."""
    if lab.missing():
        return lab.missing()
    if not os.path.exists(SSHD) or shutil.which("ssh") is None:
        return "Hosts need sshd and ssh (packages openssh-server, openssh-client)."
    programs = ("ip", "nsenter", "unshare")
    absent = [program for program in programs if shutil.which(program) is None]
    if absent:
        return f"Hosts need {', '.join(absent)} (packages iproute2, util-linux)."
    return ""


def make_keys(ledger: Ledger) -> None:
    """A key of the lab, and one for its servers."""
    for name in ("key", "host-key"):
        path = ledger.directory / name
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", ledger.name, "-f", path)


def sshd(
    ledger: Ledger,
    network: str,
    address: str,
    port: int = 22,
    prefix: tuple[str | Path, ...] = (),
    more: str = "",
) -> int:
    """Starts an sshd that lets the lab's key in, and waits until it listens; its process.

    ``more`` is a line of its configuration.
    """
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd wants it, whoever starts it
    configuration = ledger.directory / f"sshd-{address}"
    words = {"port": port, "address": address, "directory": ledger.directory}
    configuration.write_text(_CONFIGURATION.format(**words) + more)
    command = (SSHD, "-D", "-e", "-f", configuration)
    daemon = ledger.daemon(*command, network=network, prefix=prefix)
    log = ledger.directory / "log"
    ledger.until(lambda: f"listening on {address}" in log.read_text().lower(), f"sshd at {address}")
    return daemon.pid


def ssh_options(ledger: Ledger) -> list[str]:
    """What ssh needs to use the lab's key, and nothing of the user's."""
    pairs = (*_OPTIONS, f"IdentityFile={ledger.directory}/key", "IdentitiesOnly=yes")
    return ["-F", "/dev/null", *(word for pair in pairs for word in ("-o", pair))]


@dataclass(frozen=True)
class Host:
    """One host, and the words that put a command on it.

    ``switch`` is the network that it is plugged into, at ``port``.
    """

    name: str
    address: str
    enter: tuple[str, ...]
    switch: str
    port: str

    def mount(self, *words: str | Path) -> None:
        """Mount something that no other host sees, by the program of that name."""
        run(*self.enter, "mount", *words)

    @contextlib.contextmanager
    def unplugged(self) -> Iterator[None]:
        """Meanwhile nothing gets from it to another host or back, and nobody is told."""
        run("ip", "-n", self.switch, "link", "set", self.port, "nomaster")
        try:
            yield
        finally:
            run("ip", "-n", self.switch, "link", "set", self.port, "master", "bridge")
            # Who looked for it in vain is without a way to it for seconds, unless it asks for them.
            other = "10.98.0.2" if self.address == "10.98.0.1" else "10.98.0.1"
            run(*self.enter, "ping", "-q", "-c", "1", "-W", "5", other)


@dataclass(frozen=True)
class Hosts:
    """Hosts in one network. ``ssh`` is a program that takes a host's address and a command."""

    hosts: tuple[Host, ...]
    ssh: Path

    @property
    def watchful_ssh(self) -> Path:
        """As ``ssh``, but it ends when the other host has been silent for some seconds."""
        return self.ssh.with_name("watchful-ssh")

    @property
    def environment(self) -> dict[str, str]:
        """What tells a command about the hosts, and puts it on the first one."""
        return {
            "AIBENCH_LAB_HOSTS": ",".join(host.address for host in self.hosts),
            "AIBENCH_LAB_SSH": str(self.ssh),
            "AIBENCH_LAB_ENTER": shlex.join(self.hosts[0].enter),
        }


@contextlib.contextmanager
def hosts(count: int = 2) -> Iterator[Hosts]:
    """So many hosts, ``lab-host-1`` at 10.98.0.1 and so on, on one bridge."""
    with laboratory() as ledger:
        make_keys(ledger)
        bridge = ledger.network("-bridge")
        run("ip", "-n", bridge, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", bridge, "link", "set", "bridge", "up")
        made = tuple(_host(ledger, bridge, number) for number in range(1, count + 1))
        ssh = ledger.directory / "ssh"
        for program, alive in ((ssh, ()), (ssh.with_name("watchful-ssh"), _ALIVE)):
            words = [*ssh_options(ledger), *(word for pair in alive for word in ("-o", pair))]
            program.write_text(f'#!/bin/sh\nexec ssh {shlex.join(words)} "$@"\n')
            program.chmod(0o755)
        yield Hosts(made, ssh)


def _host(ledger: Ledger, bridge: str, number: int) -> Host:
    """A host on the bridge, with a name of its own and an sshd."""
    name, address = f"lab-host-{number}", f"10.98.0.{number}"
    network = ledger.network(f"-{number}")
    near, far = NETWORK, f"port{number}"
    pair = ("type", "veth", "peer", "name", far, "netns", bridge)
    run("ip", "-n", network, "link", "add", near, *pair)
    run("ip", "-n", bridge, "link", "set", far, "master", "bridge", "up")
    run("ip", "-n", network, "address", "add", f"{address}/24", "dev", near)
    run("ip", "-n", network, "link", "set", near, "up")
    names = ledger.directory / f"uts-{number}"
    names.touch()
    ledger.note("mount", names)
    run("unshare", f"--uts={names}", "hostname", name)
    place = memory.place(ledger.directory)
    own = ("unshare", "--mount", "--propagation", "slave", *memory.own(ledger.directory))
    prefix = ("nsenter", f"--uts={names}", *own)
    process = sshd(ledger, network, address, prefix=prefix, more=f"SetEnv TMPDIR={place}\n")
    enter = ("nsenter", f"--target={process}", "--mount", "--net", "--uts")
    return Host(name, address, (*enter, "env", f"TMPDIR={place}"), bridge, far)
